"""Speed: medians and ratios in one interleaved run, one thread, against lean yardsticks.

Machines are noisy, so what counts is a ratio: every round runs every contestant of a section once,
and a ratio is the median over rounds of the quotients of the same round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

# Modules of this package, each with a function ``section() -> Section``.
SECTIONS = ("environments", "ising", "optics", "poisson", "probe")


@dataclass(frozen=True)
class Ratio:
    """``numerator / denominator``, two contestants of a section, and what it should reach."""

    name: str
    numerator: str
    denominator: str
    wanted: float | None = None


@dataclass(frozen=True)
class Section:
    """Contestants that are timed together.

    Attributes
    ----------
    title : str
    unit : str
        Unit of what a contestant returns, e.g. ``steps/s`` or ``ns/px``.
    contestants : dict
        Name to a function that runs once and returns its figure.
    ratios : tuple of Ratio
    """

    title: str
    unit: str
    contestants: dict[str, Callable[[], float]]
    ratios: tuple[Ratio, ...] = field(default=())


def measure(section: Section, rounds: int = 9) -> dict[str, Any]:
    """Run a section interleaved, after one round that compiles and warms up.

    Returns
    -------
    dict
        ``title``, ``unit``, ``median`` and ``spread`` (interquartile range) of every contestant,
        and ``ratios``: name to ``value`` and ``wanted``.
    """
    samples: dict[str, list[float]] = {name: [] for name in section.contestants}
    for run in section.contestants.values():
        run()
    for _ in range(rounds):
        for name, run in section.contestants.items():
            samples[name].append(run())
    figures = {name: np.array(values) for name, values in samples.items()}
    return {
        "title": section.title,
        "unit": section.unit,
        "median": {name: float(np.median(values)) for name, values in figures.items()},
        "spread": {
            name: float(np.subtract(*np.percentile(values, [75, 25])))
            for name, values in figures.items()
        },
        "ratios": {
            ratio.name: {
                "value": float(np.median(figures[ratio.numerator] / figures[ratio.denominator])),
                "wanted": ratio.wanted,
            }
            for ratio in section.ratios
        },
    }


def run(rounds: int = 9, sections: tuple[str, ...] = SECTIONS) -> list[dict[str, Any]]:
    """Measure sections by name, one after the other; see :func:`measure`."""
    return [
        measure(import_module(f"mattergym.benchmarks.speed.{name}").section(), rounds)
        for name in sections
    ]
