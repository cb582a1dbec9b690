"""Poisson counts: nanoseconds a pixel, against numpy's Generator on the same means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mattergym.benchmarks.speed import Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import seed_streams

PIXELS = 512 * 512
MEANS = (0.5, 5.0, 50.0, 500.0)
UNIT = "ns/px"


def _compiled(mean: float) -> Callable[[], float]:
    means, counts = np.full((1, PIXELS), mean), np.zeros((1, PIXELS), np.int32)
    streams = seed_streams(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 1)
    return timed(partial(poisson_counts, np.arange(1), means, streams, counts), PIXELS, UNIT)


def _numpy(mean: float) -> Callable[[], float]:
    means, generator = np.full((1, PIXELS), mean), np.random.default_rng(0)
    return timed(partial(generator.poisson, means), PIXELS, UNIT)


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
    return Section("Poisson counts", UNIT, contestants, tuple(ratios))
