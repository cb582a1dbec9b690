"""Counts follow the Poisson law exactly, whatever way the sampler takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mattergym.physics import poisson
from mattergym.physics.rng import next_uint64, seed_streams

DRAWS = 400_000


def streams_of(lanes, seed=0):
    return seed_streams(np.arange(seed, seed + lanes, dtype=np.uint64), np.zeros(lanes, "u8"), 1)


def draw(means, seed=0, counts=None):
    counts = np.zeros(means.shape, np.int64) if counts is None else counts
    lanes = np.arange(len(means))
    poisson.poisson_counts(lanes, means, streams_of(len(means), seed), counts)
    return counts


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.999, 1.0, 5.0, 9.7, 32.0, 50.0, 500.0, 1023.9, 4e3])
def test_chi_square_against_the_law(mean):
    counts = draw(np.full((1, DRAWS), mean))[0]
    low, high = stats.poisson.ppf([20 / DRAWS, 1 - 20 / DRAWS], mean).astype(int)
    values = np.arange(low, high + 1)
    expected = stats.poisson.pmf(values, mean)
    expected[0], expected[-1] = stats.poisson.cdf(low, mean), stats.poisson.sf(high - 1, mean)
    observed = np.bincount(np.clip(counts, low, high) - low, minlength=len(values))
    assert stats.chisquare(observed, DRAWS * expected).pvalue > 1e-3
    assert abs(counts.var() / counts.mean() - 1.0) < 0.01


@pytest.mark.parametrize(("mean", "bits"), [(0.0, 7), (1.0, 7), (31.0, 7), (32.0, 9), (992.0, 9)])
def test_alias_tables_hold_the_law(mean, bits):
    first, threshold, alias = poisson.alias_table(mean, bits)
    slots = 2**bits
    law = np.zeros(slots)
    law += threshold / slots
    np.add.at(law, alias - first, (1.0 - threshold) / slots)
    np.testing.assert_allclose(
        law, stats.poisson.pmf(np.arange(first, first + slots), mean), 1e-9, 1e-15
    )
    assert stats.poisson.sf(first + slots - 1, mean) + stats.poisson.cdf(first - 1, mean) < 1e-14


def test_means_of_one_image_may_differ():
    means = np.tile(np.geomspace(0.01, 3000.0, 97), (1, 400))
    counts = draw(means)
    z = (counts - means).reshape(400, 97).sum(axis=0) / np.sqrt(400 * means[0, :97])
    assert np.abs(z).max() < 4.5
    assert 0.7 < (z**2).mean() < 1.35


def test_zero_gives_zero_and_small_types_are_filled():
    assert not draw(np.zeros((2, 300))).any()
    assert draw(np.full((1, 64), 3.0, np.float32), counts=np.zeros((1, 64), np.uint16)).any()


@pytest.mark.parametrize(("mean", "stages"), [(0.5, 1), (3.0, 1), (40.0, 2), (40.25, 3)])
def test_every_count_takes_a_draw_a_stage_and_what_is_beyond_the_end_none(mean, stages):
    for pixels in (2, 128, 130):
        streams, again = streams_of(1), streams_of(1)
        counts = np.zeros((1, pixels), np.int64)
        poisson.poisson_counts(np.arange(1), np.full((1, pixels), mean), streams, counts)
        for _ in range(stages * pixels):
            next_uint64(again[0])
        np.testing.assert_array_equal(streams, again)


def test_a_lane_draws_the_same_alone_and_plain_python_agrees():
    means = np.random.default_rng(0).uniform(0.0, 60.0, (3, 200))
    means[:, 7] = 2000.5
    together = draw(means)
    alone = np.zeros_like(together)
    streams = streams_of(3)
    poisson.poisson_counts(np.array([1]), means, streams, alone)
    np.testing.assert_array_equal(alone[1], together[1])
    assert not alone[[0, 2]].any()
    np.testing.assert_array_equal(streams[0], streams_of(3)[0])
    plain = np.zeros_like(together)
    poisson.poisson_counts.py_func(np.arange(3), means, streams_of(3), plain)
    np.testing.assert_array_equal(plain, together)
