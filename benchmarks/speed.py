"""Speed: medians and ratios in one interleaved run, one thread, through the public interface."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.benchmarks.yardsticks import LeanIsing

TASK = "mattergym/IsingReversal-v0"


def _stepper(env: Any, lanes: int, steps: int) -> Callable[[], float]:
    """Return a function that times ``steps`` steps and gives environment steps a second."""
    action = np.zeros(env.action_space.shape, np.float32)
    env.reset(seed=0)

    def run() -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            ended = env.step(action)[2]
            if lanes == 1 and ended:
                env.reset()
        return lanes * steps / (time.perf_counter() - begin)

    return run


def _bookkeeping_us(lanes: int = 64, steps: int = 300) -> Callable[[], float]:
    """Time BatchEnv.step beyond the task's ``_step`` and ``_observe``, in us a batch."""
    env: Any = gym.make_vec(TASK, num_envs=lanes).unwrapped
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    inside = 0.0
    raw_step, raw_observe = env._step, env._observe

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal inside
            begin = time.perf_counter()
            result = function(*arguments)
            inside += time.perf_counter() - begin
            return result

        return call

    env._step, env._observe = timed(raw_step), timed(raw_observe)

    def run() -> float:
        nonlocal inside
        inside = 0.0
        begin = time.perf_counter()
        for _ in range(steps):
            env.step(action)
        return (time.perf_counter() - begin - inside) / steps * 1e6

    return run


def measure(rounds: int = 9) -> dict[str, Any]:
    """Measure all figures; each round runs every contestant once.

    Returns
    -------
    dict
        Medians in environment steps a second, medians of the ratios of the same round, and the
        bookkeeping in us a batch of 64.
    """
    contestants = {
        "lean yardstick, gym.Env": _stepper(LeanIsing(), 1, 1500),
        "lean yardstick, SyncVectorEnv(8)": _stepper(
            gym.vector.SyncVectorEnv([LeanIsing] * 8), 8, 300
        ),
        "single view, gym.make": _stepper(gym.make(TASK), 1, 1500),
        "native batch of 8": _stepper(gym.make_vec(TASK, num_envs=8), 8, 300),
        "native batch of 64": _stepper(gym.make_vec(TASK, num_envs=64), 64, 60),
        "native batch of 1024": _stepper(gym.make_vec(TASK, num_envs=1024), 1024, 6),
    }
    bookkeeping = _bookkeeping_us()
    for run in (*contestants.values(), bookkeeping):
        run()
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    extra = []
    for _ in range(rounds):
        for name, run in contestants.items():
            samples[name].append(run())
        extra.append(bookkeeping())

    def ratio(a: str, b: str) -> float:
        return float(np.median(np.array(samples[a]) / np.array(samples[b])))

    sync, lean = "lean yardstick, SyncVectorEnv(8)", "lean yardstick, gym.Env"
    return {
        "task": TASK,
        "steps_per_second": {name: float(np.median(v)) for name, v in samples.items()},
        "ratios": {
            "native batch of 64 / SyncVectorEnv(8) of the yardstick": ratio(
                "native batch of 64", sync
            ),
            "native batch of 1024 / SyncVectorEnv(8) of the yardstick": ratio(
                "native batch of 1024", sync
            ),
            "single view / yardstick": ratio("single view, gym.make", lean),
        },
        "bookkeeping_us_per_batch_of_64": float(np.median(extra)),
    }
