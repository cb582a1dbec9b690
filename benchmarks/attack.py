"""Attacks on a task's score: policies that should earn nothing, against the task's own agents.

A score means something if constant actions, stalling, repetition, blind sequences and a few
minutes of search over linear policies earn less of it than work does. Policies are chosen on
training seeds and judged on the test episodes that agents are judged on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from mattergym.agents import make_agent, shelf
from mattergym.benchmarks.evaluate import Records, evaluate
from mattergym.benchmarks.statistics import mean_interval
from mattergym.envs import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Constant actions that a search looks at before the best are judged, and how many are.
CONSTANTS, JUDGED = 64, 3
# Lanes in which a candidate of the search is played, and candidates of a generation.
LANES, POPULATION = 16, 16
KNOWN = {"observation": "sees observations", "model": "knows the law", "hidden": "knows all"}


class Blind:
    """A sequence of actions whatever is observed; the last goes on to the end.

    Parameters
    ----------
    name : str
    actions : ndarray, shape (steps, P)
    """

    def __init__(self, name: str, actions: NDArray[Any]) -> None:
        self.name, self.actions = name, actions

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: Any = 1
    ) -> tuple[NDArray[Any], Any]:
        """Return the action of the step that each lane is at."""
        start = np.ones(_lanes(observation), np.bool_) if episode_start is None else episode_start
        step = np.where(start, 0, 0 if state is None else state)
        return self.actions[np.minimum(step, len(self.actions) - 1)], step + 1


class Linear:
    """A linear policy on the numbers of the observation; for choices, the largest of its outputs.

    Parameters
    ----------
    weights : ndarray of float64, shape (outputs, numbers + 1)
    space : gymnasium.Space
        Of actions.
    """

    name = "linear policy by CMA-ES"

    def __init__(self, weights: NDArray[np.float64], space: Any) -> None:
        self.weights, self.space = weights, space

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: Any = 1
    ) -> tuple[NDArray[Any], Any]:
        """Return an action a lane."""
        out = features(observation) @ self.weights[:, :-1].T + self.weights[:, -1]
        if isinstance(self.space, gym.spaces.Box):
            return np.tanh(out).astype(np.float32), None
        ends = np.cumsum(self.space.nvec)
        parts = np.split(out, ends[:-1], axis=1)
        return np.stack([part.argmax(axis=1) for part in parts], axis=1), None


def _lanes(observation: Any) -> int:
    return len(observation["panel"] if isinstance(observation, dict) else observation)


def features(observation: Any) -> NDArray[np.float64]:
    """Numbers that a linear policy sees, (B, n): the panel, and images of an observation by 8 x 8.

    Long panels, such as maps, are averaged to 64 numbers.
    """
    if not isinstance(observation, dict):
        return _averaged(np.asarray(observation, np.float64))
    parts = [_averaged(observation["panel"].astype(np.float64))]
    for name, image in observation.items():
        if name != "panel":
            b, _, h, w = image.shape
            rows, columns = np.array_split(np.arange(h), 8), np.array_split(np.arange(w), 8)
            means = [image[:, :, r][..., k].mean(axis=(2, 3)) for r in rows for k in columns]
            parts.append(np.stack(means, axis=1).reshape(b, -1) / 255.0 - 0.5)
    return np.concatenate(parts, axis=1)


def _averaged(panel: NDArray[np.float64]) -> NDArray[np.float64]:
    if panel.shape[1] <= 128:
        return panel
    return np.stack([part.mean(axis=1) for part in np.array_split(panel, 64, axis=1)], axis=1)


@dataclass(frozen=True)
class Row:
    """A policy's result.

    Attributes
    ----------
    name, kind : str
        Kind: what an agent knows, or "attack".
    records : Records
    """

    name: str
    kind: str
    records: Records

    @property
    def interval(self) -> tuple[float, float, float]:
        """Mean score and its 95 % interval over episodes."""
        low, high = mean_interval([self.records.scores], learner=False)
        return float(self.records.scores.mean()), low, high


def constants(space: Any, generator: np.random.Generator) -> Iterator[tuple[str, NDArray[Any]]]:
    """Constant actions (P,): all low, middle, high; corners; a grid or a sample of the inside."""
    if isinstance(space, gym.spaces.Box):
        size = space.shape[0]
        for name, value in (("low", -1.0), ("middle", 0.0), ("high", 1.0)):
            yield f"constant: all {name}", np.full(size, value, np.float32)
        corners = list(product((-1.0, 1.0), repeat=size)) if size <= 4 else []
        inside = generator.uniform(-1.0, 1.0, (CONSTANTS - len(corners), size))
        for action in [*corners, *inside]:
            text = ", ".join(f"{a:.2g}" for a in action)
            yield f"constant: ({text})", np.asarray(action, np.float32)
        return
    counts = space.nvec
    yield "constant: first choices", np.zeros(len(counts), np.int64)
    yield "constant: last choices", np.asarray(counts - 1, np.int64)
    for action in generator.integers(0, counts, (CONSTANTS, len(counts))):
        yield f"constant: {tuple(action.tolist())}", action


def sequences(
    space: Any, horizon: int, generator: np.random.Generator
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Blind sequences (steps, P): random ones, and one action after a random beginning."""

    def drawn(steps: int) -> NDArray[Any]:
        if isinstance(space, gym.spaces.Box):
            return generator.uniform(-1, 1, (steps, *space.shape)).astype(np.float32)
        return generator.integers(0, space.nvec, (steps, len(space.nvec)))

    for k in range(8):
        yield f"random sequence {k}", drawn(horizon)
    for k in range(4):
        yield f"random beginning {k}, then one action for ever", drawn(max(2, horizon // 10))


class Arena:
    """Plays candidates on training seeds.

    Parameters
    ----------
    env_id : str
    kwargs : dict
        Arguments of ``gym.make_vec``.
    seed : int
    """

    def __init__(self, env_id: str, kwargs: dict[str, Any], seed: int) -> None:
        card = TASKS[env_id]
        self.horizon, self.sign = card.horizon, 1.0 if card.direction == "maximize" else -1.0
        self.env: Any = gym.make_vec(
            env_id, num_envs=LANES, autoreset_mode="Disabled", **{**kwargs, "split": "train"}
        )
        self.seeds = (np.arange(LANES) + 1_000_003 * (seed + 1)).tolist()

    def merit(self, policy: Any) -> float:
        """Mean final score of a policy, high where it is good."""
        observation, info = self.env.reset(seed=self.seeds)
        alive, state, start = np.ones(LANES, np.bool_), None, np.ones(LANES, np.bool_)
        scores = info["score"].copy()
        for _ in range(10 * self.horizon):
            action, state = policy.predict(observation, state, start)
            observation, _, terminated, truncated, info = self.env.step(action)
            scores[alive] = info["score"][alive]
            start = terminated | truncated
            alive &= ~start
            if not alive.any():
                break
            if start.any():  # ended lanes idle in a new episode
                options = {"reset_mask": start}
                observation, _ = self.env.reset(seed=self.seeds, options=options)
        return float(self.sign * scores.mean())


def _search(arena: Arena, seconds: float, seed: int, say: Callable[[str], None]) -> Linear | None:
    """Search linear policies by CMA-ES for a time; None without time."""
    if seconds <= 0.0:
        return None
    import cma

    space = arena.env.single_action_space
    outputs = space.shape[0] if isinstance(space, gym.spaces.Box) else int(space.nvec.sum())
    inputs = features(arena.env.reset(seed=arena.seeds)[0]).shape[1]
    shape = (outputs, inputs + 1)
    options = {"seed": seed + 1, "popsize": POPULATION, "verbose": -9}
    # Beyond some hundred numbers only their variances are adapted.
    options["CMA_diagonal"] = outputs * (inputs + 1) > 300
    strategy = cma.CMAEvolutionStrategy(np.zeros(shape).ravel(), 0.5, options)
    end, generation = time.monotonic() + seconds, 0
    while time.monotonic() < end and not strategy.stop():
        asked = strategy.ask()
        merits = [arena.merit(Linear(np.reshape(w, shape), space)) for w in asked]
        strategy.tell(asked, [-m for m in merits])
        generation += 1
        say(f"CMA-ES: generation {generation}, best {arena.sign * max(merits):.4g}")
    return Linear(np.reshape(strategy.result.xfavorite, shape), space)


def attack(
    env_id: str,
    kwargs: dict[str, Any],
    minutes: float = 5.0,
    episodes: int = 100,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Attack a task and play its ready agents on the same test episodes.

    Parameters
    ----------
    env_id : str
    kwargs : dict
        Arguments of ``gym.make_vec``, ``split`` and ``difficulty`` among them.
    minutes : float
        Of CMA-ES over linear policies; 0 leaves it out.
    episodes, seed : int
        Test episodes, and the root of their seeds and of the search.
    say : callable
        Called with a line as work goes on.

    Returns
    -------
    list of Row
        The best first, by mean score in the task's direction.
    """
    card, generator = TASKS[env_id], np.random.default_rng(seed)
    arena = Arena(env_id, kwargs, seed)
    space = arena.env.single_action_space
    policies: list[Any] = []
    fixed = [Blind(name, action[None]) for name, action in constants(space, generator)]
    policies += fixed[:3] if isinstance(space, gym.spaces.Box) else fixed[:2]
    for candidates in (fixed[len(policies) :], [Blind(*s) for s in _sequences(arena, generator)]):
        merits = [arena.merit(policy) for policy in candidates]
        policies += [candidates[k] for k in np.argsort(merits)[::-1][:JUDGED]]
        say(f"{len(candidates)} blind policies: best {arena.sign * max(merits):.4g}")
    found = _search(arena, 60.0 * minutes, seed, say)
    policies += [] if found is None else [found]
    rows = []
    for policy in policies:
        rows.append(
            Row(policy.name, "attack", evaluate(env_id, policy, episodes, seed, 64, kwargs))
        )
        say(f"{policy.name}: {rows[-1].interval[0]:.4g}")
    batch = gym.make_vec(env_id, num_envs=1, **kwargs)
    for name, recipe in shelf(env_id, card.track(kwargs).name).items():
        if recipe.steps:
            continue  # learners have to be trained first
        agent = make_agent(name, batch)
        records = evaluate(env_id, agent, episodes, seed, 64, kwargs)
        rows.append(Row(name, agent.knows, records))
        say(f"{name}: {rows[-1].interval[0]:.4g}")
    return sorted(rows, key=lambda row: -arena.sign * row.interval[0])


def _sequences(arena: Arena, generator: np.random.Generator) -> list[tuple[str, NDArray[Any]]]:
    return list(sequences(arena.env.single_action_space, arena.horizon, generator))


def beaten(rows: list[Row], direction: str) -> dict[str, list[str]]:
    """Find the attacks that beat scripted, or the best agent that sees observations.

    An attack beats an agent where their intervals are apart.

    Returns
    -------
    dict of list of str
        Names of the attacks, by agent; empty lists where nothing beats it.
    """
    sign = 1.0 if direction == "maximize" else -1.0
    agents = {row.name: row for row in rows if row.kind in KNOWN and row.name != "random"}
    seeing = [row for row in agents.values() if row.kind in ("observation", "model")]
    targets = {"scripted": agents["scripted"]} if "scripted" in agents else {}
    if seeing:
        best = max(seeing, key=lambda row: sign * row.interval[0])
        targets[best.name] = best
    found: dict[str, list[str]] = {}
    for name, target in targets.items():
        end = max(sign * bound for bound in target.interval[1:])
        found[name] = [
            row.name
            for row in rows
            if row.kind == "attack" and min(sign * bound for bound in row.interval[1:]) > end
        ]
    return found
