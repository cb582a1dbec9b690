"""The working tree against a revision of git: environment steps a second, new over old.

Both trees are played side by side, each in processes of its own with its own Numba cache. A round
is whole episodes, the same steps for both, in short bursts that alternate between them, so that
what slows the machine down slows both; and what counts is the seconds that the processor worked.
Processes also differ for as long as they live, by where their memory lies; so every launch of new
processes gives the median over rounds of the quotients of the same round, and what is reported is
the median over launches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mattergym.benchmarks.speed import median_ratio, verdict
from mattergym.benchmarks.speed.timing import figure
from mattergym.benchmarks.speed.trees import (
    Process,
    TreeError,
    commit_of,
    packages,
    working_tree,
)
from mattergym.envs import Card

# Sections that can be compared; every task is, whichever is named.
SECTIONS = ("environments", "tasks")
LAUNCHES = 5
# Seconds of the old tree: of a burst, of a round at least, and of a launch, which has fewer rounds
# where they take longer, but three.
BURST, ROUND, LAUNCH, LEAST = 0.01, 0.05, 1.0, 3
# New over old.
WANTED = 0.95
# A single view, a batch, and a large one where a batch makes so many steps a second.
BATCH, LARGE, CHEAP = 64, 1024, 50_000.0


def plan(turn: int, seconds: float, rounds: int) -> tuple[int, int, int]:
    """Return steps of a round, steps of a burst, and rounds.

    Parameters
    ----------
    turn : int
        Steps of an episode.
    seconds : float
        That it takes the old tree.
    rounds : int
        At most.
    """
    seconds = max(seconds, 1e-6)
    episodes = math.ceil(ROUND / seconds)
    burst = max(1, round(turn * BURST / seconds))
    worth = max(LEAST, int(LAUNCH / (episodes * seconds)))
    return episodes * turn, burst, min(rounds, worth)


def alternate(
    old: Process, new: Process, steps: int, burst: int, new_first: bool
) -> tuple[float, float]:
    """Play the same steps of both in turn, and return the seconds of the old and of the new."""
    players, seconds = (old, new), [0.0, 0.0]
    for begin in range(0, steps, burst):
        for who in (new_first, not new_first):
            seconds[who] += players[who].seconds(min(burst, steps - begin))
        new_first = not new_first
    return seconds[0], seconds[1]


@dataclass
class Comparison:
    """What is measured of a track: a batch of so many lanes, or the single view.

    Attributes
    ----------
    task, track : str
    make : dict
        Arguments of :func:`mattergym.benchmarks.speed.timing.made`.
    old, new : list of numpy.ndarray
        A launch each: steps a second of every round.
    error : str
        Why nothing was measured.
    """

    task: str
    track: str
    make: dict[str, Any]
    old: list[np.ndarray] = field(default_factory=list)
    new: list[np.ndarray] = field(default_factory=list)
    error: str = ""

    @property
    def name(self) -> str:
        """Task, track and what was played."""
        lanes = self.make["lanes"]
        what = "single view" if lanes is None else f"batch of {lanes:,}"
        return f"{self.task.split('/')[-1]} {self.track}, {what}"

    def measure(self, old: Process, new: Process, rounds: int) -> None:
        """Play both trees in turn, and add a launch or an error."""
        for process in (old, new):
            process.ask(make=self.make)
        answers = {"the revision": old.answer(), "the working tree": new.answer()}
        errors = [f"{tree}: {a['error']}" for tree, a in answers.items() if "error" in a]
        if errors:
            self.error = "; ".join(errors)
            return
        turn = self.make["horizon"] + 1
        try:
            seconds, _ = (process.seconds(turn) for process in (old, new))
            steps, burst, rounds = plan(turn, seconds, rounds)
            played = [alternate(old, new, steps, burst, bool(n % 2)) for n in range(rounds)]
        except TreeError as error:
            self.error = str(error)
            return
        items = steps * (self.make["lanes"] or 1)
        rates = np.array([[figure("steps/s", items, s) for s in pair] for pair in played])
        self.old.append(rates[:, 0])
        self.new.append(rates[:, 1])

    def result(self) -> dict[str, Any]:
        """Return the names and what was found, for JSON.

        ``old`` and ``new`` are steps a second; ``value`` is their ratio, the median of the
        launches, between ``least`` and ``most``; ``wanted`` and ``met``. Or ``skipped``: why.
        """
        result = {
            "task": self.task,
            "track": self.track,
            "lanes": self.make["lanes"],
            "name": self.name,
        }
        if self.error:
            return {**result, "skipped": self.error}
        ratios = [median_ratio(new, old) for new, old in zip(self.new, self.old, strict=True)]
        return {
            **result,
            "old": float(np.median(np.concatenate(self.old))),
            "new": float(np.median(np.concatenate(self.new))),
            **verdict(float(np.median(ratios)), WANTED, at_most=False),
            "least": min(ratios),
            "most": max(ratios),
        }


def comparisons(card: Card) -> list[Comparison]:
    """Every track of a task, single view and batch."""
    return [
        Comparison(
            card.id,
            track.name,
            {"env_id": card.id, "kwargs": track.kwargs, "lanes": lanes, "horizon": card.horizon},
        )
        for track in card.tracks
        for lanes in (None, BATCH)
    ]


def with_large(found: Sequence[Comparison]) -> list[Comparison]:
    """Put a large batch behind every batch that was fast enough."""
    more: list[Comparison] = []
    for comparison in found:
        more.append(comparison)
        cheap = comparison.old and np.median(comparison.old) >= CHEAP
        if comparison.make["lanes"] == BATCH and cheap:
            make = {**comparison.make, "lanes": LARGE}
            more.append(Comparison(comparison.task, comparison.track, make))
    return more


def launch(found: Sequence[Comparison], trees: Sequence[Path], rounds: int) -> None:
    """Measure in new processes, one for each tree, what has not failed."""
    with ExitStack() as stack:
        processes = []
        for tree in trees:
            processes.append(Process(tree))
            stack.callback(processes[-1].close)
        old, new = processes
        for comparison in found:
            if not comparison.error:
                comparison.measure(old, new, rounds)


def results_of(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Results of a task; a single one, of its name, where all failed alike."""
    error = found[0].error
    if error and all(comparison.error == error for comparison in found):
        task = found[0].task
        return [{"task": task, "name": task.split("/")[-1], "skipped": error}]
    return [comparison.result() for comparison in found]


def compare(
    revision: str,
    tasks: Sequence[Card],
    rounds: int,
    report: Callable[[dict[str, Any]], None],
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Compare the working tree with a revision on every track of some tasks.

    Parameters
    ----------
    revision : str
        As git names it.
    tasks : sequence of Card
    rounds : int
        Rounds a launch.
    report : callable
        Called with each result as soon as it is known.
    progress : callable, optional
        Called with (launches made, launches to make) after each.

    Returns
    -------
    list of dict
        See :meth:`Comparison.result`.

    Raises
    ------
    TreeError
        If the current folder is in no checkout of MatterGym, or git does not know the revision.
    """
    root = working_tree()
    results = []
    with packages(root, commit_of(root, revision)) as trees:
        for number, card in enumerate(tasks):
            found = comparisons(card)
            for turn in range(LAUNCHES):
                launch(found, trees, rounds)
                if turn == 0:
                    found = with_large(found)
                if progress is not None:
                    progress(number * LAUNCHES + turn + 1, len(tasks) * LAUNCHES)
            for result in results_of(found):
                results.append(result)
                report(result)
    return results
