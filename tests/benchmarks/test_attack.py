"""Attacks: they find what a bad score pays for, and find nothing where a score means something."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.benchmarks.attack import Arena, Blind, Linear, Row, attack, beaten, features
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs import TASKS

ANNEAL = "mattergym/IsingAnneal-v0"


def test_blind_policies_follow_their_sequence_in_every_lane():
    policy = Blind("up", np.array([[0.1], [0.2], [0.3]], np.float32))
    observation, state, taken = np.zeros((2, 5)), None, []
    for start in ([True, True], [False, False], [False, True], [False, False], [False, False]):
        action, state = policy.predict(observation, state, np.array(start))
        taken.append(action[:, 0].tolist())
    np.testing.assert_allclose(
        np.transpose(taken), [[0.1, 0.2, 0.3, 0.3, 0.3], [0.1, 0.2, 0.1, 0.2, 0.3]]
    )


def test_linear_policies_choose_by_component():
    space = gym.spaces.MultiDiscrete([2, 3])
    weights = np.zeros((5, 3))
    weights[1, 0], weights[4, 1] = 1.0, 1.0
    action, _ = Linear(weights, space).predict(np.array([[1.0, -1.0], [-1.0, 2.0]]))
    assert action.tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize("env_id", list(TASKS))
def test_every_task_can_be_attacked(env_id):
    for track in TASKS[env_id].tracks:
        env = gym.make_vec(env_id, num_envs=2, **track.kwargs)
        observation, _ = env.reset(seed=0)
        seen = features(observation)
        assert seen.ndim == 2 and np.isfinite(seen).all()
        space = env.single_action_space
        outputs = space.shape[0] if isinstance(space, gym.spaces.Box) else space.nvec.sum()
        policy = Linear(np.ones((outputs, seen.shape[1] + 1)), space)
        assert policy.predict(observation)[0] in env.action_space


def test_merit_is_the_mean_final_score_in_the_tasks_direction():
    policy = Blind("cool", np.full((1, 1), -1.0, np.float32))
    arena = Arena(ANNEAL, {}, seed=0)
    again = evaluate(ANNEAL, policy, 64, 0, 64, {"split": "train"}).scores
    assert -arena.merit(policy) == pytest.approx(again.mean(), abs=4 * again.std() / 4)
    assert arena.merit(policy) == arena.merit(policy)


def test_a_small_attack_on_annealing_finds_nothing_that_beats_its_agents():
    said = []
    rows = attack(ANNEAL, {"split": "test"}, minutes=0.02, episodes=40, say=said.append)
    assert any("CMA-ES" in line for line in said)
    names = [row.name for row in rows]
    assert {"scripted", "expert", "random", "constant: all low"} <= set(names)
    assert beaten(rows, "minimize") == {name: [] for name in beaten(rows, "minimize")}


def test_an_attack_that_pays_is_named():
    records = evaluate(ANNEAL, "random", 20)

    def row(name, kind, mean):
        return Row(name, kind, replace(records, scores=mean + np.linspace(-0.1, 0.1, 20)))

    agents = [row("scripted", "observation", 2.0), row("clever", "observation", 1.0)]
    agents += [row("expert", "hidden", 0.1), row("random", "observation", 9.0)]
    rows = [*agents, row("cheat", "attack", 1.5), row("tie", "attack", 1.95)]
    assert beaten(rows, "minimize") == {"scripted": ["cheat"], "clever": []}
