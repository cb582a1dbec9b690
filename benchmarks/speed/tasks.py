"""Environment steps a second of every task and track: single, and a batch of 64 in one process."""

from __future__ import annotations

import gymnasium as gym

from mattergym.benchmarks.speed import Section
from mattergym.benchmarks.speed.environments import stepper
from mattergym.envs import TASKS, TaskInfo, Track

LANES = 64
# Steps a second that every task should reach alone; where pictures are observed, fewer.
SINGLE, SINGLE_IMAGE = 2000.0, 500.0
# Steps a second of a batch of 64, where a task has been promised to reach them.
BATCHED = {
    ("STEMCorrector-v0", "image"): 3000.0,
    ("STEMSurvey-v0", "clusters"): 5000.0,
    ("STEMSurvey-v0", "uniform"): 5000.0,
    ("STEMSurvey-v0", "image"): 5000.0,
    ("STEMAtomWalk-v0", "features"): 100_000.0,
    ("STEMAtomWalk-v0", "image"): 5000.0,
    ("SPMFeedback-v0", "standard"): 5000.0,
    ("SPMDiscovery-v0", "features"): 1000.0,
    ("SPMDiscovery-v0", "image"): 1000.0,
    ("SPMDomainWriting-v0", "features"): 1000.0,
    ("SPMDomainWriting-v0", "image"): 1000.0,
}


def floors(task: TaskInfo, track: Track) -> tuple[float, float | None]:
    """Return steps a second to reach, single and batched; None where none was promised."""
    image = track.kwargs.get("observation") == "image"
    name = task.id.split("/")[-1], track.name
    return SINGLE_IMAGE if image else SINGLE, BATCHED.get(name)


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
            floor, floor_batched = floors(task, track)
            wanted[single] = floor
            if floor_batched is not None:
                wanted[batch] = floor_batched
    return Section("tasks", "steps/s", contestants, wanted=wanted, rounds=3)
