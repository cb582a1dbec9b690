"""Environment steps a second: IsingReversal against a lean yardstick under other vectorisers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.benchmarks.speed import Growth, Ratio, Section
from mattergym.benchmarks.speed.timing import stepper, timed
from mattergym.benchmarks.yardsticks import LeanIsing
from mattergym.envs import TASKS

REVERSAL = "mattergym/IsingReversal-v0"
LANES = (8, 64, 1024, 4096)
# How often the native batch should outrun eight copies of the yardstick.
WANTED = {
    ("SyncVectorEnv(8)", 64): 8.0,
    ("SyncVectorEnv(8)", 1024): 30.0,
    ("AsyncVectorEnv(8)", 64): 50.0,
    ("AsyncVectorEnv(8)", 1024): 200.0,
}


def bookkeeping_per_second(lanes: int = 64) -> Callable[[], float]:
    """Batches a second that ``BatchEnv.step`` could do beyond what the task does.

    Three episodes are played, so that the bookkeeping of their resets is in it.
    """
    env: Any = gym.make_vec(REVERSAL, num_envs=lanes).unwrapped
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    inside = 0.0

    def left_out(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal inside
            begin = time.perf_counter()
            result = function(*arguments)
            inside += time.perf_counter() - begin
            return result

        return call

    task, steps = env.task, 3 * (TASKS[REVERSAL].horizon + 1)
    task.act, task.observe, task.draw = map(left_out, (task.act, task.observe, task.draw))

    def play() -> None:
        for _ in range(steps):
            env.step(action)

    return timed(play, steps, "steps/s", clock=lambda: time.perf_counter() - inside)


def yardsticks(resources: ExitStack) -> dict[str, Any]:
    """Eight copies of the lean yardstick under every vectoriser that is installed."""
    found: dict[str, Any] = {
        "SyncVectorEnv(8)": gym.vector.SyncVectorEnv([LeanIsing] * 8),
        "AsyncVectorEnv(8)": gym.vector.AsyncVectorEnv([LeanIsing] * 8),
    }
    if find_spec("stable_baselines3"):
        from stable_baselines3.common.vec_env import DummyVecEnv

        found["DummyVecEnv(8) of SB3"] = DummyVecEnv([LeanIsing] * 8)
    for env in found.values():
        resources.callback(env.close)
    return found


def section() -> Section:
    """Contestants: the yardstick alone and vectorised, IsingReversal single and in batches."""
    resources = ExitStack()
    horizon = TASKS[REVERSAL].horizon
    lean, single = "lean yardstick, gym.Env", "IsingReversal-v0, single view"
    contestants = {lean: stepper(LeanIsing(), horizon)}
    vectorised = yardsticks(resources)
    for name, env in vectorised.items():
        contestants[f"lean yardstick, {name}"] = stepper(env, horizon)
    contestants[single] = stepper(gym.make(REVERSAL), horizon)
    native = {f"IsingReversal-v0, native batch of {lanes}": float(lanes) for lanes in LANES}
    for name, count in native.items():
        contestants[name] = stepper(gym.make_vec(REVERSAL, num_envs=int(count)), horizon)
    bookkeeping = "bookkeeping alone, batches of 64"
    contestants[bookkeeping] = bookkeeping_per_second()
    ratios = [
        Ratio(
            f"native batch of {lanes} / {name} of the yardstick",
            f"IsingReversal-v0, native batch of {lanes}",
            f"lean yardstick, {name}",
            WANTED.get((name, lanes)),
        )
        for lanes in (64, 1024)
        for name in vectorised
    ]
    ratios.append(Ratio("single view / yardstick", single, lean, 0.5))
    return Section(
        "environments",
        "steps/s",
        contestants,
        tuple(ratios),
        (Growth("exponent of time in lanes, IsingReversal-v0", native, 1.05),),
        # 60 us a batch.
        {bookkeeping: 1e6 / 60.0},
        resources,
    )
