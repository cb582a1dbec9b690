"""The task that CONTRIBUTING.md builds works from elsewhere, agents and command line included."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"
CHECKS = """
import warnings

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env

import mattergym
from mattergym.agents import make_agent, register_agent
from mattergym.agents.base import Agent

warnings.simplefilter("error")
single = gym.make("oven:mylab/Oven-v0").unwrapped
check_env(single, skip_render_check=True)
assert "| 0 | power in 0..20 K/s |" in single.manual
batch = gym.make_vec("mylab/Oven-v0", num_envs=3, split="shift")
first, _ = batch.reset(seed=5)
for lane in range(3):
    own, _ = gym.make("mylab/Oven-v0", split="shift").reset(seed=5 + lane)
    assert np.array_equal(own, first[lane])


class Cold(Agent):
    name = "cold"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.full((len(observation), 1), -1.0, np.float32), None


register_agent(Cold, "mylab/Oven-v0")
from mattergym.benchmarks import evaluate

scores = {
    name: evaluate("mylab/Oven-v0", name, episodes=50, seed=0).scores.mean()
    for name in ("random", "cold", "scripted", "expert")
}
assert scores["expert"] < scores["scripted"] < scores["random"] < scores["cold"], scores
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    named = [(re.match(r"# (oven/\w+\.py)\n", block), block) for block in blocks]
    for match, block in named:
        if match:
            path = folder / match[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
    (folder / "usage.py").write_text(next(b for m, b in named if not m), encoding="utf-8")
    (folder / "checks.py").write_text(CHECKS, encoding="utf-8")
    return folder


def run(package, *command):
    environment = {**os.environ, "PYTHONPATH": str(package), "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_complete_and_lawful(package):
    assert len(list((package / "oven").glob("*.py"))) == 3
    assert run(package, sys.executable, "usage.py").endswith("K\n")
    run(package, sys.executable, "checks.py")


def test_the_command_line_takes_a_task_of_another_package(package):
    command = [sys.executable, "-c", "from mattergym.cli import main; main()"]
    said = run(package, *command, "evaluate", "oven:mylab/Oven-v0", "--episodes", "5")
    assert "mylab/Oven-v0" in said
