"""IsingAnneal: the books, the scale that hides, and what the agents reach."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.benchmarks.evaluate import evaluate
from mattergym.physics.ising_glass import bond_energy

ID = "mattergym/IsingAnneal-v0"


def test_reward_and_score_are_those_of_the_definition():
    env = gym.make_vec(ID, num_envs=8, autoreset_mode="Disabled").unwrapped
    env.reset(seed=1)
    total = np.zeros(8)
    first = env.ledger.table[2].copy()
    env.action_space.seed(0)
    for _ in range(12):
        _, reward, terminated, _, info = env.step(env.action_space.sample())
        total += reward
        assert not terminated.any()
    for b in range(8):
        energy = bond_energy(env._spins[b], env._right[b], env._down[b])
        assert energy == env._energy[b] >= env._best[b] >= env._ground[b]
        assert bond_energy(env._planted[b], env._right[b], env._down[b]) == env._ground[b]
        residual = (env._best[b] - env._ground[b]) / abs(env._ground[b])
        assert info["score"][b] == pytest.approx(residual, abs=1e-12)
        expected = 0.1 * np.log((first[b] + 0.002) / (residual + 0.002))
        assert total[b] == pytest.approx(expected, abs=1e-12)


def test_the_observation_hides_the_scale():
    """Multiplying J and T by the same number changes no observation."""
    results = []
    for factor in (1.0, 2.0):  # a power of two: exact in floating point
        env = gym.make_vec(ID, num_envs=4, autoreset_mode="Disabled").unwrapped
        env.reset(seed=4)
        env._scale, env._temperature = factor * np.ones(4), factor * 1.2 * np.ones(4)
        rows = []
        for k in range(10):
            action = np.full((4, 1), -0.2 if k % 3 else 0.3, np.float32)
            rows.append(env.step(action)[0])
        results.append(np.array(rows))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)


def test_the_furnace_stays_within_its_range_and_charges_for_ramps():
    env = gym.make_vec(ID, num_envs=1, autoreset_mode="Disabled").unwrapped
    env.reset(seed=0)
    start = env.temperature[0]
    for _ in range(12):
        *_, info = env.step(np.ones((1, 1), np.float32))
    assert env.temperature[0] == 10.0
    assert info["elapsed_s"][0] == pytest.approx(60 * (10 - start) + 12 * 20)


def test_ground_state_ends_the_episode():
    env = gym.make_vec(ID, num_envs=1, autoreset_mode="Disabled").unwrapped
    env.reset(seed=0)
    env._spins[0], env._energy[0] = env._planted[0], env._ground[0]
    env._temperature[0] = 0.1 * env._scale[0]
    cold = np.full((1, 1), -1.0, np.float32)
    *_, terminated, _, info = env.step(cold)
    assert terminated[0] and info["is_success"][0] and info["score"][0] == 0.0


def test_agents_come_in_their_order():
    """Residual energies of 400 common glasses: random, geometric, servo, the schedule with g."""
    scores = {
        name: evaluate(ID, name, 400, num_envs=200).scores
        for name in ("random", "scripted", "servo", "expert")
    }
    for worse, better in (("random", "scripted"), ("scripted", "servo"), ("servo", "expert")):
        gain = scores[worse] - scores[better]
        assert gain.mean() > 2 * gain.std() / 20, (worse, better)
    # Measured in 2,000 episodes: 0.053, 0.0131, 0.0085, 0.0065.
    assert scores["scripted"].mean() == pytest.approx(0.0131, abs=0.0025)
    assert scores["expert"].mean() < 0.0085
