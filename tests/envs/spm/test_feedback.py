"""SPMFeedback: the loss of a line, settings and their bounds, wear, and what the agents reach."""

from __future__ import annotations

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.spm import feedback as task
from mattergym.envs.spm import feedback_plants as plants
from mattergym.physics.probe import feedback

ID = "mattergym/SPMFeedback-v0"


def make(lanes, **kwargs):
    env = gym.make_vec(ID, num_envs=lanes, autoreset_mode="Disabled", **kwargs).unwrapped
    env.reset(seed=3)
    return env


def test_reward_is_minus_the_loss_of_the_definition():
    env = make(8)
    env.action_space.seed(0)
    total = np.zeros(8)
    for line in range(1, 12):
        _, reward, _, _, info = env.step(env.action_space.sample())
        total += reward
        s, sigma = env.state.statistics, env.state.surface.std(axis=(1, 2))
        limit, rate = env.state.plant[:, plants.FORCE_LIMIT], env.display["settings"][:, 3]
        r = s[:, feedback.RMS_TRACKING]
        loss = r / (r + sigma / 2) + 0.3 * np.minimum(s[:, feedback.MEAN_DEFLECTION] / limit, 2)
        loss += 0.15 / rate + 0.1 * np.clip(s[:, feedback.MAX_DEFLECTION] / limit - 2, 0, 3)
        np.testing.assert_allclose(reward, -loss, rtol=1e-12)
        np.testing.assert_allclose(info["score"], -total / line, rtol=1e-12)


def test_the_clock_counts_commands_and_lines():
    env = make(2)
    expected = 0.0
    for _ in range(5):
        *_, info = env.step(np.full((2, 4), 0.5, np.float32))
        expected = expected + 0.35 + 1.0 / env.display["settings"][:, 3]
    np.testing.assert_allclose(info["elapsed_s"], expected)


def test_settings_stop_at_their_bounds():
    env = make(2)
    for _ in range(12):
        env.step(np.ones((2, 4), np.float32))
    np.testing.assert_allclose(env.display["settings"], np.tile(task.HIGH, (2, 1)))
    for _ in range(16):
        env.step(-np.ones((2, 4), np.float32))
    np.testing.assert_allclose(env.display["settings"], np.tile(task.LOW, (2, 1)))


def test_a_ringing_loop_blunts_the_tip_for_good():
    env = make(16)
    up = np.tile(np.array([1, 1, 1, 0], np.float32), (16, 1))
    for _ in range(8):
        *_, info = env.step(up)
    worn = env.state.radius.copy()
    assert (worn > 0).any()
    np.testing.assert_allclose(worn, np.minimum(task.WEAR_NM * info["cost"], task.BLUNTEST_NM))
    for _ in range(8):
        env.step(-up)
    assert (env.state.radius >= worn).all()


def test_the_loop_of_the_task_rings_beyond_the_limit_of_theory():
    """Flat, noiseless plants at 0.85 and 1.3 times the gain limit; only the second one rings."""
    for delay, resonator in ((3, None), (1, (150.0, 20.0))):
        surface, plant = np.zeros((2, 16, task.PIXELS)), make(2).state.plant
        surface[:, 5, 60:] = 1e-3  # a step that sets the loop off
        plant[:, plants.DELAY], plant[:, plants.NOISE] = delay, 0.0
        if resonator:
            plant[:, plants.RESONANCE], plant[:, plants.QUALITY] = resonator
            # The delay of the loop and of the hold eats into Routh's limit.
            limit = 0.9 * feedback.resonance_gain_limit(*resonator, task.SAMPLE_RATE)
        else:
            limit = feedback.integral_gain_limit(delay)
        start = np.log([[0.85 * limit, 1e9, 8.0, 1.0], [1.3 * limit, 1e9, 8.0, 1.0]])
        state = task.engage(surface, plant, start)
        if not resonator:
            state.propagator[:] = 0.0  # the piezo follows at once
        for line in range(5, 16):
            task.scan_line(state, np.full(2, line), np.ones((2, 4), np.uint64))
        quiet, ringing = state.statistics[:, feedback.RMS_ERROR]
        assert quiet < 1e-4
        assert ringing > 1e-2


def test_agents_come_in_their_order():
    """Losses of common plants, paired: random, best fixed setting, scripted search, optimum."""
    returns = {
        name: evaluate(ID, name, 64, num_envs=64).returns / task.LINES
        for name in ("random", "fixed", "scripted", "expert")
    }
    for worse, better in pairwise(returns):
        gain = returns[better] - returns[worse]
        assert gain.mean() > 2 * gain.std() / np.sqrt(gain.size), (worse, better)
    # Measured in 1,000 episodes: -1.030, -0.560, -0.517, -0.444.
    assert returns["scripted"].mean() == pytest.approx(-0.51, abs=0.04)
