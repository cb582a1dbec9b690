"""Environment steps a second: every task single and batched, IsingReversal against yardsticks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.benchmarks.speed import Ratio, Section
from mattergym.benchmarks.yardsticks import LeanIsing
from mattergym.envs import TASKS

REVERSAL = "mattergym/IsingReversal-v0"
# A contestant runs for about this long a round.
SECONDS = 0.12


def stepper(env: Any, lanes: int) -> Callable[[], float]:
    """Return a function that steps for a while and gives environment steps a second.

    Actions are drawn beforehand from the action space, the same for every round.
    """
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(16)]
    env.reset(seed=0)
    count = 0

    def run() -> float:
        nonlocal count
        begin = now = time.perf_counter()
        steps = 0
        while now - begin < SECONDS:
            for _ in range(4):
                ended = env.step(actions[count % 16])
                count += 1
                steps += 1
                if lanes == 1 and (ended[2] or ended[3]):
                    env.reset()
            now = time.perf_counter()
        return lanes * steps / (now - begin)

    return run


def bookkeeping_per_second(lanes: int = 64, steps: int = 300) -> Callable[[], float]:
    """Batches a second that ``BatchEnv.step`` could do beyond ``_step`` and ``_observe``."""
    env: Any = gym.make_vec(REVERSAL, num_envs=lanes).unwrapped
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    inside = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal inside
            begin = time.perf_counter()
            result = function(*arguments)
            inside += time.perf_counter() - begin
            return result

        return call

    env._step, env._observe = timed(env._step), timed(env._observe)

    def run() -> float:
        nonlocal inside
        inside = 0.0
        begin = time.perf_counter()
        for _ in range(steps):
            env.step(action)
        return steps / (time.perf_counter() - begin - inside)

    return run


def section() -> Section:
    """Contestants: the yardstick, IsingReversal at four sizes, every other task single and 64."""
    contestants = {
        "lean yardstick, gym.Env": stepper(LeanIsing(), 1),
        "lean yardstick, SyncVectorEnv(8)": stepper(gym.vector.SyncVectorEnv([LeanIsing] * 8), 8),
    }
    for task in TASKS.values():
        short = task.id.split("/")[-1]
        for track in task.tracks:
            name = f"{short} {track.name}"
            contestants[f"{name}, single view"] = stepper(gym.make(task.id, **track.kwargs), 1)
            for lanes in (8, 64, 1024) if task.id == REVERSAL else (64,):
                batch = gym.make_vec(task.id, num_envs=lanes, **track.kwargs)
                contestants[f"{name}, native batch of {lanes}"] = stepper(batch, lanes)
    contestants["bookkeeping alone, batches of 64"] = bookkeeping_per_second()
    sync, lean = "lean yardstick, SyncVectorEnv(8)", "lean yardstick, gym.Env"
    full = "IsingReversal-v0 full"
    return Section(
        "environments",
        "steps/s",
        contestants,
        (
            Ratio(
                "native batch of 64 / SyncVectorEnv(8) of the yardstick",
                f"{full}, native batch of 64",
                sync,
                8.0,
            ),
            Ratio(
                "native batch of 1024 / SyncVectorEnv(8) of the yardstick",
                f"{full}, native batch of 1024",
                sync,
                30.0,
            ),
            Ratio("single view / yardstick", f"{full}, single view", lean, 0.5),
        ),
    )
