"""Sweeps as data: which agents run on which tasks and tracks, for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mattergym.agents import shelf
from mattergym.envs import TASKS


@dataclass(frozen=True)
class Cell:
    """One task, track, agent and seed: one result file."""

    env_id: str
    track: str
    agent: str
    seed: int
    steps: int
    episodes: int

    @property
    def filename(self) -> str:
        """Name of the result file."""
        task = self.env_id.split("/")[-1]
        return f"{task}.{self.track}.{self.agent}.s{self.seed}.json"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


REVERSAL = "mattergym/IsingReversal-v0"


@dataclass(frozen=True)
class Suite:
    """How long the cells of a suite are.

    Attributes
    ----------
    share : float
        Part of a task's evaluation episodes that a cell plays.
    seeds : int
        Training seeds of an agent that learns.
    steps : dict or None
        Training steps by (task, track, agent), and what is not named is not trained; None trains
        every learner with its budget on the shelf.
    """

    share: float
    seeds: int
    steps: dict[tuple[str, str, str], int] | None


SUITES = {
    "quick": Suite(
        share=0.1,
        seeds=1,
        steps={(REVERSAL, "clock", "cem"): 12_800_000, (REVERSAL, "full", "ppo"): 700_000},
    ),
    "full": Suite(share=1.0, seeds=3, steps=None),
}


def cells(
    suite: str, seed: int = 0, tasks: Sequence[str] = (), seeds: int | None = None
) -> list[Cell]:
    """List the cells of a suite in a fixed order, of all tasks or of those named.

    ``seeds`` replaces the suite's number of training seeds.

    Raises
    ------
    ValueError
        If there is no such suite.
    """
    if suite not in SUITES:
        raise ValueError(f"suite = {suite!r} is not one of {', '.join(map(repr, SUITES))}")
    plan = SUITES[suite]
    repeats = seeds or plan.seeds
    found = []
    for task in TASKS.values():
        if tasks and task.id not in tasks:
            continue
        episodes = round(plan.share * task.episodes)
        for track in task.tracks:
            for agent, recipe in shelf(task.id, track.name).items():
                if not recipe.steps:  # does not learn
                    found.append(Cell(task.id, track.name, agent, seed, 0, episodes))
                    continue
                if plan.steps is None:
                    steps = recipe.steps
                else:
                    steps = plan.steps.get((task.id, track.name, agent), 0)
                for s in range(seed, seed + repeats if steps else seed):
                    found.append(Cell(task.id, track.name, agent, s, steps, episodes))
    return found
