"""No reward can be farmed, and the shifted split is harder: over the whole registry."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs import TASKS

CASES = [
    pytest.param(task.id, track.kwargs, id=f"{task.id.split('/')[-1]}-{track.name}")
    for task in TASKS.values()
    for track in task.tracks
]
every = pytest.mark.parametrize(("env_id", "kwargs"), CASES)
EPISODES = 32


class Repeat:
    """Plays one action for ever: stalls, repeats a measurement, or runs into an early end."""

    name = "repeat"

    def __init__(self, action):
        self.action = action

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.repeat(self.action[None], len(episode_start), axis=0), None


def constant_actions(space):
    space.seed(3)
    drawn = [np.asarray(space.sample()) for _ in range(4)]
    if isinstance(space, gym.spaces.Box):
        ends = [space.low, np.zeros_like(space.low), space.high]
    else:
        counts = space.n if isinstance(space, gym.spaces.Discrete) else space.nvec
        ends = [np.zeros_like(drawn[0]), np.asarray(counts - 1)]
    return drawn + [np.asarray(end, space.dtype) for end in ends]


@every
def test_stalling_repeating_and_ending_early_earn_less_than_working(env_id, kwargs):
    worker = evaluate(env_id, "scripted", EPISODES, num_envs=EPISODES, env_kwargs=kwargs).returns
    for action in constant_actions(gym.make(env_id, **kwargs).action_space):
        idle = evaluate(env_id, Repeat(action), EPISODES, num_envs=EPISODES, env_kwargs=kwargs)
        gain = worker - idle.returns  # the same specimens
        assert gain.mean() > 3 * gain.std() / np.sqrt(EPISODES), action


@every
def test_shifted_specimens_are_harder(env_id, kwargs):
    sign = {"minimize": 1, "maximize": -1}[gym.make(env_id).unwrapped.score_direction]
    scores = {
        split: evaluate(
            env_id, "scripted", 8 * EPISODES, num_envs=64, env_kwargs={"split": split, **kwargs}
        ).scores
        for split in ("test", "shift")
    }
    loss = sign * (scores["shift"].mean() - scores["test"].mean())
    error = np.sqrt(sum(score.var() / score.size for score in scores.values()))
    assert loss > 2 * error
