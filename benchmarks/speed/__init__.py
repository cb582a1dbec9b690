"""Speed: medians and ratios in one interleaved run, one thread, against lean yardsticks.

Machines are noisy, so what counts is a ratio: every round runs every contestant of a section once,
and a ratio is the median over rounds of the quotients of the same round. All figures are those of
:func:`mattergym.benchmarks.speed.timing.timed`, but for start-up, which happens once a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from mattergym.benchmarks.speed.timing import is_time

# Modules of this package, each with a function ``section() -> Section``.
SECTIONS = (
    *("environments", "tasks", "scaling", "startup"),
    *("ising", "optics", "imaging", "poisson", "probe", "ferroelectric"),
)


@dataclass(frozen=True)
class Ratio:
    """``numerator / denominator``, two contestants of a section, and what it should reach."""

    name: str
    numerator: str
    denominator: str
    wanted: float | None = None


@dataclass(frozen=True)
class Growth:
    """Exponent of time against size over some contestants, and what it may be at most.

    Attributes
    ----------
    name : str
    sizes : dict
        Contestant to its size, counted in the items of the section's unit: sites for
        ``flips/ns``, lanes for ``steps/s``, pixels for ``ns/px``.
    wanted : float or None
    """

    name: str
    sizes: dict[str, float]
    wanted: float | None = None


@dataclass(frozen=True)
class Section:
    """Contestants that are timed together.

    Attributes
    ----------
    title : str
    unit : str
        Unit of what a contestant returns: a rate (``steps/s``), a time an item (``ns/px``) or a
        time (``s``).
    contestants : dict
        Name to a function that runs once and returns its figure.
    ratios : tuple of Ratio
    growths : tuple of Growth
    wanted : dict
        Contestant to what its figure should be: a rate at least, a time at most.
    resources : ExitStack
        Closed when the section has been measured.
    rounds : int or None
        Most rounds to run, where one takes long.
    """

    title: str
    unit: str
    contestants: dict[str, Callable[[], float]]
    ratios: tuple[Ratio, ...] = field(default=())
    growths: tuple[Growth, ...] = field(default=())
    wanted: dict[str, float] = field(default_factory=dict)
    resources: ExitStack = field(default_factory=ExitStack)
    rounds: int | None = None


def growth_exponent(growth: Growth, medians: dict[str, float], unit: str) -> float:
    """Fit ln(time) = exponent ln(size) + constant by least squares.

    Parameters
    ----------
    growth : Growth
    medians : dict
        Contestant to its figure.
    unit : str
        Of the figures; it says how time follows from figure and size.

    Raises
    ------
    ValueError
        If fewer than two sizes differ, or the unit is neither a rate nor a time.
    """
    if len(set(growth.sizes.values())) < 2:
        raise ValueError(f"growth {growth.name!r} needs two different sizes")
    sizes = np.array(list(growth.sizes.values()), np.float64)
    figures = np.array([medians[name] for name in growth.sizes])
    if not is_time(unit):
        time = sizes / figures
    elif "/" in unit:
        time = sizes * figures
    else:
        time = figures
    x, y = np.log(sizes), np.log(time)
    x -= x.mean()
    return float((x * y).sum() / (x * x).sum())


def measure(
    section: Section, rounds: int = 9, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Run a section interleaved, after one round that compiles and warms up.

    Parameters
    ----------
    section : Section
    rounds : int
    progress : callable, optional
        Called with (contestants run, contestants to run) after each.

    Returns
    -------
    dict
        ``title``, ``unit``, ``median`` and ``spread`` (interquartile range) of every contestant;
        ``wanted``: what contestants should reach; ``ratios`` and ``growths``: name to ``value``.
        Each of these three has ``wanted`` and ``met``, None where nothing is demanded.
    """
    samples: dict[str, list[float]] = {name: [] for name in section.contestants}
    rounds = min(rounds, section.rounds or rounds)
    total, done = (rounds + 1) * len(samples), 0
    with section.resources:
        for turn in range(rounds + 1):
            for name, run in section.contestants.items():
                figure = run()
                if turn:
                    samples[name].append(figure)
                done += 1
                if progress is not None:
                    progress(done, total)
    figures = {name: np.array(values) for name, values in samples.items()}
    median = {name: float(np.median(values)) for name, values in figures.items()}
    at_most = is_time(section.unit)
    return {
        "title": section.title,
        "unit": section.unit,
        "median": median,
        "spread": {
            name: float(np.subtract(*np.percentile(values, [75, 25])))
            for name, values in figures.items()
        },
        "wanted": {
            name: verdict(median[name], wanted, at_most) for name, wanted in section.wanted.items()
        },
        "ratios": {
            ratio.name: verdict(
                median_ratio(figures[ratio.numerator], figures[ratio.denominator]),
                ratio.wanted,
                at_most=False,
            )
            for ratio in section.ratios
        },
        "growths": {
            growth.name: verdict(
                growth_exponent(growth, median, section.unit), growth.wanted, at_most=True
            )
            for growth in section.growths
        },
    }


def median_ratio(numerators: np.ndarray, denominators: np.ndarray) -> float:
    """Median over rounds of the quotients of the same round."""
    return float(np.median(numerators / denominators))


def verdict(value: float, wanted: float | None, at_most: bool) -> dict[str, Any]:
    """Say whether a value is as wanted: ``value``, ``wanted``, and ``met``, None if nothing is."""
    met = None
    if wanted is not None:
        met = value <= wanted if at_most else value >= wanted
    return {"value": value, "wanted": wanted, "met": met}


def verdicts(results: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and verdicts of all figures that something is demanded of."""
    for result in results:
        for kind in ("wanted", "ratios", "growths"):
            for name, found in result[kind].items():
                if found["met"] is not None:
                    yield name, found


def run(
    rounds: int = 9,
    sections: tuple[str, ...] = SECTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure sections by name, one after the other; see :func:`measure`."""
    return [
        measure(import_module(f"mattergym.benchmarks.speed.{name}").section(), rounds, progress)
        for name in sections
    ]
