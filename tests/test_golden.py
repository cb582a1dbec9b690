"""Golden trajectories: 50 steps of every task and track.

A change that moves one is a new version of the task. ``python tests/test_golden.py``
writes those that are missing, and with ``--all`` rewrites every one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.envs import TASKS

FOLDER = Path(__file__).parent / "golden"
CASES = [(task.id, track.name, track.kwargs) for task in TASKS.values() for track in task.tracks]


def trajectory(env_id, kwargs):
    env = gym.make(env_id, **kwargs)
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    rows = []
    for _ in range(50):
        observation, reward, terminated, _, info = env.step(env.action_space.sample())
        values = observation.values() if isinstance(observation, dict) else [observation]
        total = float(sum(np.sum(x, dtype=np.float64) for x in values))
        rows.append([total, reward, info["score"], info["elapsed_s"], info["dose"]])
        if terminated:
            env.reset()
    return rows


def golden_file(env_id, track):
    return FOLDER / f"{env_id.split('/')[-1]}.{track}.json"


@pytest.mark.parametrize(("env_id", "track", "kwargs"), CASES)
def test_trajectory_is_golden(env_id, track, kwargs):
    expected = json.loads(golden_file(env_id, track).read_text())
    np.testing.assert_allclose(trajectory(env_id, kwargs), expected, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    for env_id, track, kwargs in CASES:
        path = golden_file(env_id, track)
        if "--all" in sys.argv or not path.exists():
            path.write_text(json.dumps(trajectory(env_id, kwargs)) + "\n")
