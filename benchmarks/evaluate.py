"""Evaluate an agent on a task: a fixed number of episodes with seeds of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mattergym.agents import Agent, make_agent
from mattergym.benchmarks.fingerprint import fingerprint
from mattergym.envs import TASKS
from mattergym.envs.validation import checked_positive_int, checked_seed


@dataclass
class Records:
    """Per-episode results, each an array of shape (episodes,), and what they were made with.

    ``fingerprint`` is that of :func:`mattergym.benchmarks.fingerprint.fingerprint`.
    """

    env_id: str
    agent: str
    seed: int
    fingerprint: str
    returns: NDArray[np.float64]
    scores: NDArray[np.float64]
    elapsed_s: NDArray[np.float64]
    dose: NDArray[np.float64]
    cost: NDArray[np.float64]
    success: NDArray[np.bool_]
    length: NDArray[np.int64]
    episode_seed: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        plain = asdict(self)
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in plain.items()}


def episode_seeds(seed: int, episodes: int) -> NDArray[np.int64]:
    """Seeds of the evaluation episodes: the second branch of one SeedSequence.

    Training uses the first branch (:func:`training_seed`), so that the two never meet.
    """
    branch = np.random.SeedSequence(seed).spawn(2)[1]
    return (branch.generate_state(episodes, np.uint64) >> np.uint64(2)).astype(np.int64)


def training_seed(seed: int) -> int:
    """Seed of a training run: the first branch of one SeedSequence."""
    return int(np.random.SeedSequence(seed).spawn(2)[0].generate_state(1, np.uint32)[0])


def evaluate(
    env_id: str,
    agent: str | Agent,
    episodes: int = 100,
    seed: int = 0,
    num_envs: int = 64,
    env_kwargs: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Records:
    """Run an agent for a number of episodes.

    Every episode has a seed of its own, lane after lane plays a fixed quota, and nothing is cut
    short, so that short episodes are not favoured and the lanes do not change the result of an
    agent that draws no random numbers.

    Parameters
    ----------
    env_id : str
    agent : str or Agent
        A name of :func:`mattergym.agents.agent_names`, or an object with ``predict``.
    episodes : int
        Above 0.
    seed : int
        Root of the episodes' seeds.
    num_envs : int
        Lanes at once.
    env_kwargs : dict, optional
        Arguments of ``gym.make_vec``; ``split`` defaults to "test".
    progress : callable, optional
        Called with (episodes ended, episodes) as they end.

    Raises
    ------
    ValueError
        If ``episodes`` or ``num_envs`` is no whole number above 0, or ``seed`` no whole number.
    """
    episodes = checked_positive_int("episodes", episodes)
    num_envs = checked_positive_int("num_envs", num_envs)
    seed = checked_seed("seed", seed)
    lanes = min(num_envs, episodes)
    kwargs = {"split": "test", **(env_kwargs or {})}
    env: Any = gym.make_vec(env_id, num_envs=lanes, autoreset_mode="Disabled", **kwargs)
    if isinstance(agent, str):
        agent = make_agent(agent, env)
    if isinstance(agent, Agent):
        agent.attach(env)
        agent.seed(seed)
    made_with = ""  # of a task that is not ours
    if env_id in TASKS:
        made_with = fingerprint(env_id, agent, TASKS[env_id].track(kwargs).name)
    seeds = episode_seeds(seed, episodes)
    names = ("returns", "scores", "elapsed_s", "dose", "cost", "success", "length")
    out = {name: np.zeros(episodes) for name in names}

    # Lane i plays episodes i, i + lanes, ...; a lane whose quota is done idles on its last seed.
    current = np.arange(lanes)
    observation, _ = env.reset(seed=[int(s) for s in seeds[current]])
    start = np.ones(lanes, np.bool_)
    state: Any = None
    returns, length = np.zeros(lanes), np.zeros(lanes, np.int64)
    played = 0
    while (current < episodes).any():
        action, state = agent.predict(observation, state, start, deterministic=True)
        observation, reward, terminated, truncated, info = env.step(action)
        returns += reward
        length += 1
        start = terminated | truncated
        if not start.any():
            continue
        done = np.flatnonzero(start & (current < episodes))
        index = current[done]
        out["returns"][index] = returns[done]
        out["length"][index] = length[done]
        out["scores"][index] = info["score"][done]
        for name in ("elapsed_s", "dose", "cost"):
            out[name][index] = info[name][done]
        out["success"][index] = info["is_success"][done]
        current[start] += lanes
        if progress is not None:
            played += len(done)
            progress(played, episodes)
        returns[start] = 0.0
        length[start] = 0
        next_seeds = seeds[np.minimum(current, episodes - 1)].tolist()
        observation, _ = env.reset(seed=next_seeds, options={"reset_mask": start})
    env.close()
    return Records(
        env_id=env_id,
        agent=getattr(agent, "name", type(agent).__name__),
        seed=seed,
        fingerprint=made_with,
        episode_seed=seeds,
        success=out.pop("success").astype(np.bool_),
        length=out.pop("length").astype(np.int64),
        **out,
    )
