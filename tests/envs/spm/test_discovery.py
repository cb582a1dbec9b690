"""SPMDiscovery-v0: regret, films, and that looking before measuring pays."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

import mattergym  # noqa: F401
from mattergym.agents import discovery as agents
from mattergym.agents import make_agent
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.spm import discovery as task

ID = "mattergym/SPMDiscovery-v0"


def test_regret_is_the_gap_of_the_best_measured_place():
    env = gym.make_vec(ID, num_envs=4, autoreset_mode="Disabled").unwrapped
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(6):
        *_, info = env.step(env.action_space.sample())
    truth, areas = env.state.truth, env.state.areas
    for lane in range(4):
        measured = np.flatnonzero(env.state.visits[lane])
        assert len(measured) <= 7
        best = measured[areas[lane, measured].argmax()]
        wanted = (truth[lane].max() - truth[lane, best]) / truth[lane].std()
        np.testing.assert_allclose(info["score"][lane], wanted)
        np.testing.assert_allclose(areas[lane, best], truth[lane, best], rtol=0.25)


def test_rewards_telescope_to_the_best_area():
    env = gym.make_vec(ID, num_envs=3, autoreset_mode="Disabled").unwrapped
    env.reset(seed=1)
    first, total = env.state.best.copy(), np.zeros(3)
    env.action_space.seed(2)
    for _ in range(8):
        total += env.step(env.action_space.sample())[1]
    np.testing.assert_allclose(total, (env.state.best - first) / task.REWARD_SCALE)


def test_films_have_domains_and_wide_spread_of_loops():
    env = gym.make_vec(ID, num_envs=8).unwrapped
    env.reset(seed=3)
    for lane in range(8):
        up = (env.state.polarization[lane] > 0.0).mean()
        assert 0.2 < up < 0.8
        truth = env.state.truth[lane]
        assert truth.std() > 0.05 * truth.mean()


def test_both_observations_tell_the_agents_the_same():
    maps = []
    for kind in ("features", "image"):
        env = gym.make_vec(ID, num_envs=3, observation=kind)
        env.reset(seed=4)
        env.action_space.seed(0)
        for _ in range(5):
            observation, *_ = env.step(env.action_space.sample())
        maps.append(agents.OperatorDiscovery(env).maps(observation))
    np.testing.assert_array_equal(maps[0][3], maps[1][3])
    assert np.abs(maps[0][0] - maps[1][0]).max() < 0.02
    assert np.abs(maps[0][2] - maps[1][2]).max() < 0.2


def test_order_of_the_agents():
    random, walls, scripted, expert = (
        evaluate(ID, agent, 64, num_envs=64).scores.mean()
        for agent in ("random", "walls-first", "scripted", "expert")
    )
    assert expert < 0.05
    assert expert < scripted < 0.7 * random
    assert walls > scripted


def test_a_gaussian_process_needs_a_third_of_the_loops_of_chance():
    kwargs = {"num_envs": 24, "autoreset_mode": "Disabled", "split": "test"}
    regrets = {}
    for name, loops in (("random", task.LOOPS), ("gp-walls", task.LOOPS // 3)):
        env = gym.make_vec(ID, **kwargs)
        agent = make_agent(name, env)
        observation, info = env.reset(seed=5)
        for _ in range(loops):
            observation, *_, info = env.step(agent.predict(observation)[0])
        regrets[name] = info["score"].mean()
    assert regrets["gp-walls"] < regrets["random"]


def test_loops_are_entered_by_plain_python_as_by_the_kernel():
    env = gym.make_vec(ID, num_envs=3).unwrapped
    env.reset(seed=6)
    results = []
    for kernel in (task.enter_loops, task.enter_loops.py_func):
        state = task.State(*(array.copy() for array in env.state))
        for found in np.random.default_rng(0).uniform(5.0, 40.0, (4, 3)):
            state.place[:] = (state.place + 7 * (found < 20.0)) % task.PLACES
            kernel(found, *state)
        results.append(state)
    for name, fast, plain in zip(task.State._fields, *results, strict=True):
        np.testing.assert_array_equal(fast, plain, name)
    assert (results[0].visits.sum(axis=1) == 5).all()
