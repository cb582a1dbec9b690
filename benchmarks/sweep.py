"""Sweeps as data: which agents run on which tasks and tracks, for how long."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mattergym.agents.hyperparameters import hyperparameters
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


LEARNERS = ("cem", "ppo", "sac")
# Steps of learning agents (None: the hyper-parameter table's budget) and evaluation episodes.
SUITES: dict[str, dict[str, Any]] = {
    "quick": {"episodes": 200, "seeds": 1, "steps": {"cem": 10_240_000, "ppo": 700_000}},
    "full": {"episodes": 1000, "seeds": 3, "steps": {"cem": None, "ppo": None, "sac": None}},
}


def cells(suite: str, seed: int = 0) -> list[Cell]:
    """List the cells of a suite in a fixed order.

    Raises
    ------
    ValueError
        If there is no such suite.
    """
    if suite not in SUITES:
        raise ValueError(f"suite = {suite!r} is not one of {', '.join(map(repr, SUITES))}")
    plan = SUITES[suite]
    found = []
    for task in TASKS.values():
        for track in task.tracks:
            for agent in track.agents:
                if agent in LEARNERS and agent not in plan["steps"]:
                    continue
                steps = plan["steps"].get(agent, 0)
                if steps is None:
                    steps = hyperparameters(task.id, track.name, agent)["steps"]
                repeats = plan["seeds"] if agent in LEARNERS else 1
                for s in range(seed, seed + repeats):
                    found.append(Cell(task.id, track.name, agent, s, steps, plan["episodes"]))
    return found
