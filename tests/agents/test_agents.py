"""Agents: one interface, actions in bounds, learning that can be repeated."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.agents import make_agent, shelf
from mattergym.envs import TASKS

READY = [
    pytest.param(task.id, track.kwargs, name, id=f"{task.id.split('/')[-1]}-{track.name}-{name}")
    for task in TASKS.values()
    for track in task.tracks
    for name, recipe in shelf(task.id, track.name).items()
    if not isinstance(recipe.agent, str)
]


@pytest.mark.parametrize(("env_id", "kwargs", "name"), READY)
def test_ready_agents_act_within_bounds(env_id, kwargs, name):
    env = gym.make_vec(env_id, num_envs=5, **kwargs)
    agent = make_agent(name, env)
    observation, _ = env.reset(seed=0)
    state, start = None, np.ones(5, bool)
    for _ in range(12):
        action, state = agent.predict(observation, state, start)
        assert action in env.action_space
        observation, _, terminated, truncated, _ = env.step(action)
        start = terminated | truncated
    assert agent.knows in ("observation", "model", "hidden")


DETERMINISTIC = [case for case in READY if case.values[2] != "random"]


@pytest.mark.parametrize(("env_id", "kwargs", "name"), DETERMINISTIC)
def test_what_an_agent_does_in_a_lane_depends_on_that_lane_alone(env_id, kwargs, name):
    def play(seeds, steps=8):
        env = gym.make_vec(env_id, num_envs=len(seeds), **kwargs)
        agent = make_agent(name, env)
        agent.seed(0)
        observation, _ = env.reset(seed=seeds)
        state, start, taken = None, np.ones(len(seeds), bool), []
        for _ in range(steps):
            action, state = agent.predict(observation, state, start)
            taken.append(action)
            observation, _, terminated, truncated, _ = env.step(action)
            start = terminated | truncated
        return np.swapaxes(taken, 0, 1)

    together = play([3, 1, 4, 15, 9, 2, 6])
    np.testing.assert_array_equal(play([15])[0], together[3])
    np.testing.assert_array_equal(play([6, 3]), together[[6, 0]])


def test_a_typo_gets_the_nearest_names():
    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=1)
    with pytest.raises(ValueError, match="scripted"):
        make_agent("scriptd", env)


def test_cem_improves_and_survives_a_file(tmp_path):
    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=1, observation="clock")
    seen = []
    agent = make_agent("cem", env)
    agent.population, agent.replicas = 16, 2
    agent.train(16 * 2 * 100 * 8, seed=0, callback=lambda done, total, m: seen.append(m["score"]))
    assert np.mean(seen[-2:]) < seen[0]
    agent.save(tmp_path / "cem")
    twin = make_agent("cem", env)
    twin.load(tmp_path / "cem")
    assert np.array_equal(twin.knots, agent.knots)


def test_batch_vec_env_marks_truncation_and_final_observation():
    from mattergym.agents.sb3 import BatchVecEnv

    batch = gym.make_vec(
        "mattergym/IsingReversal-v0", num_envs=2, autoreset_mode="SameStep", max_episode_steps=3
    )
    env = BatchVecEnv(batch)
    env.seed(0)
    env.reset()
    for _ in range(3):
        observation, _, done, infos = env.step(np.zeros((2, 2), np.float32))
    assert done.all()
    for lane, info in enumerate(infos):
        assert info["TimeLimit.truncated"]
        assert info["episode"]["l"] == 3
        assert not np.array_equal(info["terminal_observation"], observation[lane])


def test_batch_vec_env_needs_same_step():
    from mattergym.agents.sb3 import BatchVecEnv

    with pytest.raises(ValueError, match="SameStep"):
        BatchVecEnv(gym.make_vec("mattergym/IsingReversal-v0", num_envs=2))


def test_ppo_trained_twice_is_the_same(tmp_path):
    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=4)
    observation, _ = env.reset(seed=0)
    small = {"num_envs": 8, "n_steps": 20, "batch_size": 80, "n_epochs": 2}
    agents = [make_agent("ppo", env, **small) for _ in range(2)]
    for agent in agents:
        agent.train(320, seed=3)
    actions = [agent.predict(observation)[0] for agent in agents]
    assert np.array_equal(*actions)
    agents[0].save(tmp_path / "ppo.zip")
    agents[1].load(tmp_path / "ppo.zip")
    assert np.array_equal(agents[1].predict(observation)[0], actions[0])


def test_sac_starts_from_small_noise_at_a_fixed_reward_scale():
    import torch

    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=4)
    observation, _ = env.reset(seed=0)
    agent = make_agent("sac", env, num_envs=4, learning_starts=1000)
    agent.train(40, seed=0)
    _, log_std, _ = agent.model.actor.get_action_dist_params(torch.as_tensor(observation))
    assert (log_std + 2.0).abs().max() < 0.2
    normalizer = agent.model.get_vec_normalize_env()
    np.testing.assert_allclose(normalizer.normalize_reward(np.array([-20_000.0])), -2000.0)


def test_stable_baselines3_learns_on_the_plain_environment():
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", gym.make("mattergym/IsingReversal-v0"), n_steps=128, batch_size=64)
    model.learn(256)
    assert model.ep_info_buffer[0]["l"] == 100


def test_batch_vec_env_shows_all_lanes():
    from mattergym.agents.sb3 import BatchVecEnv

    batch = gym.make_vec(
        "mattergym/IsingReversal-v0",
        num_envs=2,
        autoreset_mode="SameStep",
        render_mode="rgb_array",
    )
    env = BatchVecEnv(batch)
    env.reset()
    assert [frame.shape[2] for frame in env.get_images()] == [3, 3]
    assert env.render("rgb_array").ndim == 3
