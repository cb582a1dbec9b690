"""Planted glasses: the ground state is proved by enumeration, and never undercut."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.ising.glass import bond_energy, hold, plant_tiles
from mattergym.physics.rng import seed_streams


def glasses(lanes, size, fraction, seed=0):
    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.full(lanes, seed, np.uint64), 7)
    right, down, planted = np.empty((3, lanes, size, size), np.int8)
    right, down, planted = (np.ascontiguousarray(a.astype(np.int8)) for a in (right, down, planted))
    ground = plant_tiles(np.full(lanes, fraction), streams, right, down, planted)
    return right, down, planted, ground, streams


def minimum_by_transfer(right, down):
    """Exact ground-state energy of an L x W periodic lattice: min-plus over rows of L spins."""
    rows, width = right.shape
    states = 1 - 2 * ((np.arange(2**width)[:, None] >> np.arange(width)) & 1)
    inside = [-(right[i] * states * np.roll(states, -1, 1)).sum(1) for i in range(rows)]
    best = np.inf
    for first in range(2**width // 2):  # a global flip changes nothing
        cost = np.full(2**width, np.inf)
        cost[first] = inside[0][first]
        for i in range(rows - 1):
            between = -(states * down[i]) @ states.T
            cost = (cost[:, None] + between).min(0) + inside[i + 1]
        closing = -(states * down[rows - 1]) @ states[first]
        best = min(best, (cost + closing).min())
    return best


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [4, 6])
def test_the_planted_energy_is_the_minimum_over_all_states(size, fraction):
    right, down, planted, ground, _ = glasses(4, size, fraction)
    for b in range(4):
        assert bond_energy(planted[b], right[b], down[b]) == ground[b]
        assert minimum_by_transfer(right[b].astype(int), down[b].astype(int)) == ground[b]


def test_a_tile_has_the_bonds_of_its_class():
    for fraction, weak in ((1.0, 2), (0.0, 3)):
        right, down, *_ = glasses(8, 8, fraction)
        i, j = np.nonzero((np.add.outer(np.arange(8), np.arange(8)) & 1) == 0)
        tile = np.stack(
            [right[:, i, j], down[:, i, (j + 1) % 8], right[:, (i + 1) % 8, j], down[:, i, j]]
        )
        assert (np.sum(np.abs(tile) == 1, axis=0) == weak).all()
        assert (np.prod(np.sign(tile), axis=0) == -1).all()  # frustrated, in any gauge


def test_hold_keeps_the_energy_and_the_statistics():
    right, down, planted, ground, streams = glasses(5, 12, 0.7)
    spins = planted.copy()
    energy, best = ground.copy(), ground.copy()
    scale, temperature = np.full(5, 2.0), np.linspace(0.5, 8.0, 5)
    statistics = np.empty((3, 5))
    twin = [a.copy() for a in (spins, streams, energy, best)]
    hold(spins, right, down, scale, temperature, streams, 20, energy, best, *statistics)
    assert [bond_energy(spins[b], right[b], down[b]) for b in range(5)] == energy.tolist()
    assert (best == ground).all()
    assert (np.diff(statistics[2]) > 0).all()  # hotter glasses accept more
    s, x, e, low = twin
    trace = []
    for _ in range(20):
        one = np.empty((3, 5))
        hold(s, right, down, scale, temperature, x, 1, e, low, *one)
        trace.append(e.copy())
    assert np.array_equal(s, spins)
    np.testing.assert_allclose(np.mean(trace, axis=0), statistics[0], rtol=1e-12)
    np.testing.assert_allclose(np.var(trace, axis=0), statistics[1], rtol=1e-9, atol=1e-9)


def parallel_tempering(sweeps, size=12, glasses_=4, replicas=16):
    """Lowest energies that parallel tempering finds, and the planted ones."""
    right, down, _, ground, _ = glasses(glasses_, size, 0.5, seed=3)
    right, down = right.repeat(replicas, axis=0), down.repeat(replicas, axis=0)
    lanes = glasses_ * replicas
    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, np.uint64), 9)
    spins = np.ones((lanes, size, size), np.int8)
    energy = np.array([bond_energy(spins[b], right[b], down[b]) for b in range(lanes)])
    best = energy.copy()
    ladder = np.geomspace(0.3, 3.0, replicas)
    temperature = np.tile(ladder, glasses_)
    statistics = np.empty((3, lanes))
    rng = np.random.default_rng(0)
    for turn in range(sweeps // 10):
        hold(
            spins, right, down, np.ones(lanes), temperature, streams, 10, energy, best, *statistics
        )
        order = np.argsort(temperature.reshape(glasses_, replicas), axis=1)
        order += replicas * np.arange(glasses_)[:, None]
        cold, hot = order[:, turn % 2 : -1 : 2], order[:, turn % 2 + 1 :: 2]
        gain = (1 / temperature[cold] - 1 / temperature[hot]) * (energy[cold] - energy[hot])
        swap = np.log(rng.random(gain.shape)) < gain
        a, b = cold[swap], hot[swap]
        temperature[a], temperature[b] = temperature[b], temperature[a]
    return best.reshape(glasses_, replicas).min(1), ground


def test_parallel_tempering_reaches_the_planted_energy():
    found, ground = parallel_tempering(4_000)
    assert (found == ground).all()


@pytest.mark.slow
def test_parallel_tempering_never_undercuts_the_planted_energy():
    found, ground = parallel_tempering(100_000)
    assert (found == ground).all()
