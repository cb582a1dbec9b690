"""Environment steps a second of every task and track: single, and a batch of 64 in one process."""

from __future__ import annotations

import gymnasium as gym

from mattergym.benchmarks.speed import Section
from mattergym.benchmarks.speed.timing import stepper
from mattergym.envs import TASKS, Track

LANES = 64
# Steps a second that every task should reach alone; where pictures are observed, fewer.
SINGLE, SINGLE_IMAGE = 2000.0, 500.0


def floors(track: Track) -> tuple[float, float | None]:
    """Return steps a second to reach, single and batched; None where none was promised."""
    image = track.kwargs.get("observation") == "image"
    return SINGLE_IMAGE if image else SINGLE, track.steps_per_second


def section() -> Section:
    """Every track of every task, its single view and a native batch of 64."""
    contestants, wanted = {}, {}
    for task in TASKS.values():
        for track in task.tracks:
            name = f"{task.id.split('/')[-1]} {track.name}"
            single, batch = f"{name}, single view", f"{name}, native batch of {LANES}"
            contestants[single] = stepper(gym.make(task.id, **track.kwargs), task.horizon)
            contestants[batch] = stepper(
                gym.make_vec(task.id, num_envs=LANES, **track.kwargs), task.horizon
            )
            floor, floor_batched = floors(track)
            wanted[single] = floor
            if floor_batched is not None:
                wanted[batch] = floor_batched
    return Section("tasks", "steps/s", contestants, wanted=wanted, rounds=3)
