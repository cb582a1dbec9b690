"""Ising kernels against exact answers."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.ising import checkerboard, cluster, observables, sweeps
from mattergym.physics.ising import exact as ising_exact
from mattergym.physics.ising.couplings import FERROMAGNET, Bonds, Diagonal, RandomField, Uniform
from mattergym.physics.rng import seed_streams


def streams(lanes, seed=0):
    seeds = np.full(lanes, seed, np.uint64)
    return seed_streams(seeds, np.arange(lanes, dtype=np.uint64), 0)


def random_spins(lanes, size, seed=0):
    return (2 * np.random.default_rng(seed).integers(0, 2, (lanes, size, size)) - 1).astype(np.int8)


COUPLINGS = {
    "ferromagnet": FERROMAGNET,
    "anisotropic": Uniform(1.2, 0.7),
    "j1-j2": Diagonal(1.0, -0.4),
    "bonds": "bonds",
    "random field": "random field",
}


def quenched(name, lanes, size):
    """Couplings of that kind, the same disorder in every lane."""
    rng = np.random.default_rng(4)
    shape = (1, size, size)
    if name == "bonds":
        right, down = (rng.choice([-2, -1, 1, 2], shape).astype(np.int8) for _ in range(2))
        return lambda n: Bonds(right.repeat(n, 0), down.repeat(n, 0), 0.8)
    if name == "random field":
        site = rng.normal(0, 0.7, shape)
        return lambda n: RandomField(site.repeat(n, 0))
    return lambda n: COUPLINGS[name]


@pytest.mark.parametrize("rule", ["heat_bath", "metropolis"])
@pytest.mark.parametrize("name", COUPLINGS)
def test_every_kernel_samples_the_boltzmann_law(name, rule):
    lanes, temperature, field = 20_000, 2.3, 0.15
    couplings = quenched(name, lanes, 4)
    spins = random_spins(lanes, 4)
    checkerboard.checkerboard_sweeps(
        spins, temperature, field, streams(lanes), 400, couplings(lanes), rule
    )
    energy = observables.energy(spins, field, couplings(lanes))
    moment = observables.magnetization(spins)

    states = ising_exact.all_states(4, 4)
    exact_energy = observables.energy(states, field, couplings(len(states)))
    weight = ising_exact.boltzmann_weights(exact_energy, temperature)
    exact_moment = observables.magnetization(states)
    for sample, exact in (
        (energy, exact_energy),
        (moment, exact_moment),
        (np.abs(moment), np.abs(exact_moment)),
    ):
        z = (sample.mean() - weight @ exact) / (sample.std() / np.sqrt(lanes))
        assert abs(z) < 4.5


def test_64_lanes_with_their_own_temperature_and_field():
    temperature, field = np.linspace(1.6, 4.0, 64), np.linspace(-0.5, 0.5, 64)
    replicas = 500
    t, h = temperature.repeat(replicas), field.repeat(replicas)
    spins = random_spins(len(t), 4)
    checkerboard.checkerboard_sweeps(spins, t, h, streams(len(t)), 1500)
    states = ising_exact.all_states(4, 4)
    z = []
    for k in range(64):
        mine = slice(k * replicas, (k + 1) * replicas)
        energies = observables.energy(states, field[k])
        weight = ising_exact.boltzmann_weights(energies, temperature[k])
        for sample, exact in (
            (observables.energy(spins[mine], field[k]), energies),
            (observables.magnetization(spins[mine]), observables.magnetization(states)),
            (
                np.abs(observables.magnetization(spins[mine])),
                np.abs(observables.magnetization(states)),
            ),
        ):
            mean = weight @ exact
            deviation = np.sqrt(weight @ (exact - mean) ** 2)
            z.append((sample.mean() - mean) / (deviation / np.sqrt(replicas)))
    assert 0.8 < np.sqrt(np.mean(np.square(z))) < 1.2


@pytest.mark.parametrize("temperature", [1.5, 2.0, ising_exact.critical_temperature(), 2.5, 3.5])
def test_energy_of_a_large_lattice_is_kaufmans(temperature):
    lanes, size = 8, 64
    spins = np.ones((lanes, size, size), np.int8)
    state = streams(lanes, 5)
    cluster.wolff_updates(spins, temperature, state, 300)
    checkerboard.checkerboard_sweeps(spins, temperature, 0.0, state, 50)
    means = []
    for _ in range(60):
        cluster.wolff_updates(spins, temperature, state, 8)
        checkerboard.checkerboard_sweeps(spins, temperature, 0.0, state, 3)
        means.append(observables.energy(spins) / size**2)
    lane_means = np.mean(means, axis=0)
    error = lane_means.std(ddof=1) / np.sqrt(lanes)
    exact = ising_exact.kaufman_energy(size, temperature)
    assert abs(lane_means.mean() - exact) < 7.9 * error  # Student's t, 7 d.o.f., p = 1e-4
    assert error < 6e-3


@pytest.mark.parametrize("rule", ["heat_bath", "metropolis"])
def test_single_site_rates_obey_detailed_balance(rule):
    metropolis = rule == "metropolis"
    for local_field in (-4.0, -1.3, 0.0, 0.2, 3.0):
        for temperature in (0.3, 1.0, 5.0):
            up = checkerboard.up_probability(local_field, -1, temperature, metropolis)
            down = 1.0 - checkerboard.up_probability(local_field, 1, temperature, metropolis)
            # p(up) exp(-beta E(up)) balance, written so that neither side overflows.
            x = local_field / temperature
            assert up * np.exp(-x - abs(x)) == pytest.approx(down * np.exp(x - abs(x)), abs=1e-12)


def test_wolff_gives_the_exact_energy_at_4_x_4():
    lanes = 20_000
    spins = random_spins(lanes, 4)
    cluster.wolff_updates(spins, 2.4, streams(lanes), 40, Uniform(1.0, 0.6))
    states = ising_exact.all_states(4, 4)
    exact = observables.energy(states, 0.0, Uniform(1.0, 0.6))
    weight = ising_exact.boltzmann_weights(exact, 2.4)
    sample = observables.energy(spins, 0.0, Uniform(1.0, 0.6))
    assert abs(sample.mean() - weight @ exact) < 4.5 * sample.std() / np.sqrt(lanes)


def test_a_lane_does_not_depend_on_its_batch_mates():
    spins = random_spins(5, 16)
    alone = spins[3:4].copy()
    state = streams(5)
    state_alone = state[3:4].copy()
    checkerboard.checkerboard_sweeps(spins, np.linspace(1, 3, 5), 0.1, state, 20)
    checkerboard.checkerboard_sweeps(alone, np.linspace(1, 3, 5)[3:4], 0.1, state_alone, 20)
    assert np.array_equal(alone[0], spins[3])
    assert np.array_equal(state_alone[0], state[3])


def test_j1_j2_without_j2_and_unit_bonds_are_the_ferromagnet_energy():
    spins = random_spins(6, 8)
    ones = np.ones_like(spins)
    reference = observables.energy(spins, 0.3)
    for same in (Diagonal(1.0, 0.0), Bonds(ones, ones), RandomField(0.0 * spins)):
        np.testing.assert_allclose(observables.energy(spins, 0.3, same), reference)


def test_spin_sums_agree_with_plain_numpy():
    spins = random_spins(3, 10)
    sums = np.empty((3, 3), np.int64)
    observables.spin_sums(spins, sums)
    s = spins.astype(int)
    assert np.array_equal(sums[:, 0], s.sum((1, 2)))
    assert np.array_equal(sums[:, 1], (s * np.roll(s, -1, 2)).sum((1, 2)))
    assert np.array_equal(sums[:, 2], (s * np.roll(s, -1, 1)).sum((1, 2)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spins": np.ones((1, 5, 5), np.int8)}, "L = 5"),
        ({"spins": np.ones((1, 4, 4), np.int64)}, "int8"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"temperature": np.ones(3)}, "temperature"),
        ({"rule": "kawasaki"}, "rule"),
        ({"field": np.nan}, "field = nan"),
        ({"field": np.inf}, "field = inf"),
        ({"couplings": Uniform(np.nan, 1.0)}, "jx = nan"),
        ({"spins": np.zeros((1, 4, 4), np.int8)}, "other than -1 and 1"),
    ],
)
def test_bad_input_raises_a_sentence(change, words):
    arguments = {"spins": np.ones((1, 4, 4), np.int8), "temperature": 1.0, "field": 0.0}
    arguments |= {"streams": streams(1), "sweeps": 1, **change}
    for sweep in (checkerboard.checkerboard_sweeps, sweeps.heat_bath_sweeps):
        with pytest.raises(ValueError, match=words):
            sweep(**arguments)


@pytest.mark.parametrize("change", [{"field": np.nan}, {"spins": np.zeros((1, 16, 16), np.int8)}])
def test_bit_sliced_kernel_refuses_what_the_plain_one_refuses(change):
    arguments = {"spins": np.ones((1, 16, 16), np.int8), "temperature": 1.0, "field": 0.0}
    for sweep in (checkerboard.checkerboard_sweeps, sweeps.heat_bath_sweeps):
        with pytest.raises(ValueError, match=r"field|other than"):
            sweep(**{**arguments, **change}, streams=streams(1), sweeps=1)


def test_compiled_kernel_equals_plain_python(monkeypatch):
    monkeypatch.setattr(checkerboard, "xoshiro256pp", checkerboard.xoshiro256pp.py_func)
    spins = random_spins(2, 4)
    twin, state = spins.copy(), streams(2)
    state_twin = state.copy()
    one, half = np.ones(2), np.full(2, 0.5)
    checkerboard.sweep_uniform(spins, one, half, one, one, state, 3, False)
    with np.errstate(over="ignore"):
        for b in range(2):
            checkerboard.sweep_uniform.py_func(
                twin[b : b + 1], one, half, one, one, state_twin[b : b + 1], 3, False
            )
    assert np.array_equal(spins, twin)
    assert np.array_equal(state, state_twin)
