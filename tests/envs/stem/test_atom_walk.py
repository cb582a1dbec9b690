"""STEMAtomWalk-v0: the hop law, goals, and what the planners know."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from scipy import stats

import mattergym  # noqa: F401
from mattergym.agents import atom_walk as agents
from mattergym.agents import atom_walk_model as model
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.stem import atom_walk as task
from mattergym.physics import atom_walk as walk

ID = "mattergym/STEMAtomWalk-v0"


def test_goals_are_5_to_20_angstrom_away_and_uniform_in_distance():
    env = gym.make_vec(ID, num_envs=4000).unwrapped
    env.reset(seed=0)
    start = np.stack(walk.position(*env.site.T), axis=1)
    distance = np.hypot(*(np.stack(walk.position(*env.goal.T), axis=1) - start).T)
    assert distance.min() >= 5.0
    assert distance.max() <= 20.0
    assert stats.kstest((distance - 5.0) / 15.0, "uniform").statistic < 0.06
    assert set(env.site[:, 2]) == {0, 1}
    scale, _, _, budget = env.hidden.T
    assert stats.kstest(np.log(scale / 0.15) / np.log(1 / 0.15), "uniform").pvalue > 1e-3
    assert (budget >= 120.0).all()


def test_agents_recover_site_and_goal_from_either_observation():
    for kind in ("features", "image"):
        env = gym.make_vec(ID, num_envs=64, observation=kind)
        observation, _ = env.reset(seed=3)
        env.action_space.seed(0)
        for _ in range(4):
            sublattice, goal = agents.site_and_goal(agents.as_features(observation))
            site = env.unwrapped.site
            np.testing.assert_array_equal(sublattice, site[:, 2])
            np.testing.assert_array_equal(goal[:, :2], (env.unwrapped.goal - site)[:, :2])
            np.testing.assert_array_equal(goal[:, 2], env.unwrapped.goal[:, 2])
            observation, *_ = env.step(env.action_space.sample())


def test_rewards_telescope_over_the_bonds():
    env = gym.make_vec(ID, num_envs=16, autoreset_mode="Disabled").unwrapped
    env.reset(seed=1)
    before = env._graph_distance()
    env.action_space.seed(0)
    progress = np.zeros(16)
    for _ in range(3):
        *_, info = env.step(env.action_space.sample())
        progress += info["reward_terms"]["progress"]
    np.testing.assert_array_equal(progress, before - env._graph_distance())


def test_transition_table_agrees_with_the_simulated_exposures():
    tables = model.plan(0.02)
    lanes, middle = 20_000, model.GRID // 2
    at, k = (4, 7), 9
    beam = np.tile(np.array(at) * model.GRID_STEP, (lanes, 1))
    site, ejected = np.zeros((lanes, 3), np.int64), np.zeros(lanes, np.bool_)
    from mattergym.physics.rng import seed_streams

    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, "u8"), 1)
    ones = np.ones(lanes)
    walk.expose(beam, model.EXPOSURES[k] * ones, ones, 0.02 * ones, site, streams, ejected)
    chances = tables.chances[middle + at[0], middle + at[1], k]
    for s, place in enumerate(tables.sites[:10]):
        seen = ((site == place) | False).all(axis=1) & ~ejected
        error = np.sqrt(chances[s] * (1 - chances[s]) / lanes)
        assert abs(seen.mean() - chances[s]) < 4.5 * error + 1e-4


def test_order_of_the_agents():
    random, scripted, expert = (
        evaluate(ID, agent, 200, num_envs=100).success.mean()
        for agent in ("random", "scripted", "expert")
    )
    assert random < 0.03
    assert random + 0.25 < scripted
    assert scripted + 0.25 < expert
    assert expert > 0.88


def test_without_offset_the_operator_is_nearly_as_good_as_the_planner(monkeypatch):
    monkeypatch.setitem(task.LEVELS, "standard", (0.02, 0.0))
    scripted, expert = (
        evaluate(ID, agent, 200, num_envs=100).success.mean() for agent in ("scripted", "expert")
    )
    assert scripted > 0.75
    assert expert > 0.9
