"""All cores: environment steps a second of every task with one process a core.

The processes compete for memory and caches, which shows in the seconds that their processors work,
and for cores with whatever else the machine does, which does not.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym

from mattergym.benchmarks.speed import Ratio, Section
from mattergym.benchmarks.speed.timing import stepper
from mattergym.envs import TASKS

LANES = 64


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def work(connection: Connection[Any, Any]) -> None:
    """Step batches of the tasks asked for, and answer with steps a second, until None comes."""
    import mattergym  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    steppers: dict[str, Callable[[], float]] = {}
    while (job := connection.recv()) is not None:
        env_id, kwargs = job
        if env_id not in steppers:
            env = gym.make_vec(env_id, num_envs=LANES, **kwargs)
            steppers[env_id] = stepper(env, TASKS[env_id].horizon, time.thread_time)
        connection.send(steppers[env_id]())


class Workers:
    """Processes that step batches of their own at the same time."""

    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        self._processes, self._connections = [], []
        for _ in range(count):
            mine, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._connections.append(mine)

    def steps_per_second(self, env_id: str, kwargs: dict[str, Any], count: int) -> float:
        """Sum over ``count`` processes that run the task at once."""
        for connection in self._connections[:count]:
            connection.send((env_id, kwargs))
        return sum(connection.recv() for connection in self._connections[:count])

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.terminate()
        for connection, process in zip(self._connections, self._processes, strict=True):
            process.join()
            connection.close()


def section() -> Section:
    """Step the first track of every task in one process and in as many as there are cores."""
    count, resources = cores(), ExitStack()
    workers = Workers(count)
    resources.callback(workers.close)
    contestants: dict[str, Callable[[], float]] = {}
    ratios = []
    for task in TASKS.values():
        track = task.tracks[0]
        name = f"{task.id.split('/')[-1]} {track.name}"
        one, all_of_them = f"{name}, one process", f"{name}, {count} processes"
        for label, processes in dict([(one, 1), (all_of_them, count)]).items():
            contestants[label] = lambda task=task, track=track, processes=processes: (  # type: ignore[misc]
                workers.steps_per_second(task.id, track.kwargs, processes)
            )
        ratios.append(Ratio(f"{name}, {count} processes / one", all_of_them, one))
    return Section("scaling", "steps/s", contestants, tuple(ratios), resources=resources, rounds=3)
