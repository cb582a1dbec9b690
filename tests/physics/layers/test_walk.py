"""Hops of the silicon follow the rate law; the honeycomb's geometry is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats

from mattergym.benchmarks.validation.beam import hop_chain
from mattergym.physics.layers import walk
from mattergym.physics.rng import seed_streams

LANES = 100_000


def expose(lanes, beam, seconds, scale=1.0, hazard=0.0, start=0, streams=None):
    site = np.zeros((lanes, 3), np.int64)
    site[:, 2] = start
    ejected = np.zeros(lanes, np.bool_)
    ones = np.ones(lanes)
    if streams is None:
        streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, "u8"), 1)
    origin = np.array(walk.position(0, 0, start))
    beams = np.tile(origin + beam, (lanes, 1))
    walk.expose(beams, seconds * ones, scale * ones, hazard * ones, site, streams, ejected)
    return site, ejected


@pytest.mark.parametrize("start", [0, 1])
def test_direction_and_waiting_time_of_first_hops(start):
    beam = np.array([0.2, 0.5])
    rates = np.empty(3)
    total = walk.hop_rates(*beam, 1 - 2 * start, rates)
    # So short that second hops do not matter: they would shift a chance by 1e-4.
    seconds = 0.01 / total
    site, _ = expose(LANES, beam, seconds, start=start)
    sign = 1 - 2 * start
    counts = [((site == [sign * i, sign * j, 1 - start]).all(axis=1)).sum() for i, j in walk.STEPS]
    stay = LANES - sum(counts)
    share = 1.0 - np.exp(-0.01)
    expected = [LANES * share * rate / total for rate in rates]
    expected = np.array([*expected, LANES * (1 - share)])
    assert stats.chisquare([*counts, stay], expected * LANES / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("waits", [0.3, 1.0, 3.0])
def test_directions_and_waiting_times_of_a_hundred_thousand_hops(waits):
    lanes = 4 * LANES
    # Where the silicon is after an exposure, against the exact chain of its rates: directions and
    # waiting times of all hops, returns among them.
    beam = np.array([-0.3, 0.4])
    sites, generator = hop_chain(beam)
    law = linalg.expm(generator * waits / -generator[0, 0])[0]
    site, _ = expose(lanes, beam, waits / -generator[0, 0])
    assert waits < 1.0 or (site[:, 2] == 1).sum() > 0.4 * lanes
    counts = np.array([(site == place).all(axis=1).sum() for place in sites])
    usual = law * lanes > 10.0
    observed = np.append(counts[usual], lanes - counts[usual].sum())
    expected = lanes * np.append(law[usual], 1.0 - law[usual].sum())
    keep = expected > 1.0
    expected[keep] *= observed[keep].sum() / expected[keep].sum()
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-3


def test_distances_are_those_of_the_honeycomb():
    table = walk.graph_distances()
    shells = np.bincount(table[0][table[0] >= 0])[:6]
    assert shells.tolist() == [1, 3, 6, 9, 12, 15]
    middle = walk.SPAN
    for t in (0, 1):
        sign = 1 - 2 * t
        for (di, dj), direction in zip(walk.STEPS, walk.DIRECTIONS, strict=True):
            assert table[t, middle + sign * di, middle + sign * dj, 1 - t] == 1
            here = np.array(walk.position(0, 0, t))
            there = np.array(walk.position(sign * di, sign * dj, 1 - t))
            np.testing.assert_allclose(there - here, sign * walk.BOND * direction, atol=1e-12)


def test_rates_peak_towards_each_neighbour_and_fall_off():
    rates = np.empty(3)
    for sign in (1, -1):
        for n in range(3):
            x, y = sign * walk.PEAK_DISTANCE * walk.DIRECTIONS[n]
            walk.hop_rates(x, y, sign, rates)
            assert rates[n] == pytest.approx(1.0)
            assert rates[n] > 5.0 * np.delete(rates, n).max()
    assert walk.hop_rates(4.0, 0.0, 1, rates) < 0.01
    for distance in (0.3, 0.8):
        walk.hop_rates(distance, 0.85, 1, rates)
        wanted = 0.9 * np.exp(-0.5 * (distance / 0.5) ** 2)
        wanted += 0.1 * np.exp(-0.5 * (distance / 0.9) ** 2)
        assert rates[0] == pytest.approx(wanted, rel=1e-12)


def test_carbons_are_lost_at_the_rate_of_the_beam_on_them():
    carbon = np.array(walk.position(0, 0, 1))
    hazard, seconds = 0.5, 0.02
    _, ejected = expose(LANES, carbon, seconds, scale=1.0, hazard=hazard)
    rate = hazard * walk.ejection_rate(*carbon, 0, 0, 0)
    assert rate == pytest.approx(hazard, rel=1e-3)
    share = 1.0 - np.exp(-rate * seconds)
    assert abs(ejected.mean() - share) < 4.5 * np.sqrt(share / LANES) + 2e-4
    assert not expose(1000, np.zeros(2), 5.0, hazard=0.0)[1].any()


def test_plain_python_agrees_and_lanes_are_independent():
    lanes = 40
    site = np.zeros((lanes, 3), np.int64)
    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, "u8"), 3)
    beams = np.random.default_rng(0).normal(0.0, 0.8, (lanes, 2))
    ones, ejected = np.ones(lanes), np.zeros(lanes, np.bool_)
    plain, lost = site.copy(), ejected.copy()
    walk.expose.py_func(beams, 4 * ones, ones, 0.1 * ones, plain, streams.copy(), lost)
    alone = site[7:8].copy()
    walk.expose(
        beams[7:8], 4 * ones[:1], ones[:1], 0.1 * ones[:1], alone, streams[7:8].copy(), lost[:1]
    )
    walk.expose(beams, 4 * ones, ones, 0.1 * ones, site, streams, ejected)
    np.testing.assert_array_equal(plain, site)
    np.testing.assert_array_equal(alone[0], site[7])
