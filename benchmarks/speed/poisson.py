"""Poisson counts: nanoseconds a pixel, against numpy's Generator on the same means."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mattergym.benchmarks.speed import Ratio, Section
from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import seed_streams

PIXELS = 512 * 512
MEANS = (0.5, 5.0, 50.0, 500.0)


def _compiled(mean: float) -> Callable[[], float]:
    means, counts = np.full((1, PIXELS), mean), np.zeros((1, PIXELS), np.int32)
    streams = seed_streams(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 1)
    lanes = np.arange(1)

    def run() -> float:
        start = time.perf_counter()
        poisson_counts(lanes, means, streams, counts)
        return (time.perf_counter() - start) / PIXELS * 1e9

    return run


def _numpy(mean: float) -> Callable[[], float]:
    means, generator = np.full((1, PIXELS), mean), np.random.default_rng(0)

    def run() -> float:
        start = time.perf_counter()
        generator.poisson(means)
        return (time.perf_counter() - start) / PIXELS * 1e9

    return run


def section() -> Section:
    """Contestants and ratios."""
    contestants = {}
    for mean in MEANS:
        contestants[f"MatterGym, mean {mean:g}"] = _compiled(mean)
        contestants[f"numpy, mean {mean:g}"] = _numpy(mean)
    ratios = [
        Ratio(
            f"mean {mean:g}: times faster", f"numpy, mean {mean:g}", f"MatterGym, mean {mean:g}", 4
        )
        for mean in MEANS
    ]
    return Section("Poisson counts", "ns/px", contestants, tuple(ratios))
