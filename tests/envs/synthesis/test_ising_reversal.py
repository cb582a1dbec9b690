"""Bookkeeping and laws of the reversal task."""

from __future__ import annotations

import itertools

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.envs.objectives import switch_entropy
from mattergym.envs.synthesis.ising_reversal import FIELD, TEMPERATURE, J
from mattergym.physics import ising_exact
from mattergym.physics import ising_observables as observables
from mattergym.physics.ising import heat_bath_sweeps
from mattergym.physics.ising_bits import LatticeBatch
from mattergym.physics.ising_free_energy import log_partition_function, table
from mattergym.physics.rng import seed_streams

ID = "mattergym/IsingReversal-v0"


def plain_energy(spins, field):
    size = len(spins)
    total = 0
    for i in range(size):
        for j in range(size):
            right, below = spins[i][(j + 1) % size], spins[(i + 1) % size][j]
            total -= spins[i][j] * (right + below) + field * spins[i][j]
    return total


def test_sigma_is_the_definition_on_the_same_trajectory():
    env = gym.make_vec(ID, num_envs=1).unwrapped
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    before = env.spins[0].tolist()
    heat = 0.0
    start = plain_energy(before, -1.0) / 0.7
    total = 0.0
    for _ in range(100):
        action = rng.uniform(-1, 1, (1, 2)).astype(np.float32)
        t = 0.05 + 11.95 / 2 * (float(action[0, 0]) + 1)
        h = 10 * float(action[0, 1])
        _, reward, terminated, _, info = env.step(action)
        after = env.spins[0].tolist()
        heat += (plain_energy(after, h) - plain_energy(before, h)) / t
        before = after
        total += reward[0]
        sigma = plain_energy(after, 1.0) / 0.7 - start - heat
        assert info["score"][0] == pytest.approx(sigma, rel=1e-9, abs=1e-9)
    assert terminated[0]
    assert -total == pytest.approx(sigma, rel=1e-9)
    assert info["is_success"][0] == (np.mean(before) > 0.9)


@pytest.mark.parametrize("seed", range(6))
def test_open_loop_protocols_obey_the_second_law(seed):
    env = gym.make_vec(ID, num_envs=64, observation="clock").unwrapped
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 100)
    temperature = 0.7 + rng.uniform(1, 6) * np.sin(np.pi * x) ** rng.uniform(0.5, 2)
    field = (2 * x - 1) * rng.uniform(0.5, 3)
    for t, h in zip(temperature, field, strict=True):
        info = env.step(np.tile(env.action_of(t, h), (64, 1)))[-1]
    score = info["score"]
    assert score.mean() > -4 * score.std() / 8


def test_integral_fluctuation_theorem():
    # <exp(-sigma)> = 1 from equilibrium for any protocol (Jarzynski 1997; Crooks 1999); 4 x 4.
    lanes = 20_000
    states = ising_exact.all_states(4, 4)
    rng = np.random.default_rng(2)
    weight = ising_exact.boltzmann_weights(observables.energy(states, -0.3), 2.5)
    spins = states[rng.choice(len(states), lanes, p=weight)].copy()
    lane = np.arange(lanes, dtype=np.uint64)
    streams = seed_streams(lane, lane, 0)
    points = [(2.5 + 0.5 * np.sin(np.pi * x), -0.3 + 0.6 * x) for x in np.linspace(0, 1, 11)]
    sigma = np.zeros(lanes)
    for (t_old, h_old), (t, h) in itertools.pairwise(points):
        sigma += switch_entropy(
            observables.energy(spins, h_old), t_old, observables.energy(spins, h), t
        )
        heat_bath_sweeps(spins, t, h, streams, 1)
    # Both ends have the same partition function: T is equal and h changes its sign.
    estimate = np.exp(-sigma)
    assert estimate.std() / np.sqrt(lanes) < 0.05
    assert abs(estimate.mean() - 1) < 4 * estimate.std() / np.sqrt(lanes)


def test_all_temperatures_and_fields_are_reached_exactly():
    env = gym.make_vec(ID, num_envs=1).unwrapped
    env.reset(seed=0)
    env.step(np.array([[-1.0, 1.0]], np.float32))
    assert env.program(0) == [
        "set_temperature temperature=0.05 J/kB",
        "set_field field=10 J",
        "hold sweeps=1",
    ]
    action = env.action_of(4.6, -0.25)
    env.step(action[None])
    t, h = env._state[:2, 0]
    assert t == pytest.approx(4.6, abs=1e-6)
    assert h == pytest.approx(-0.25, abs=1e-6)


def test_costs_of_the_furnace():
    env = gym.make_vec(ID, num_envs=1).unwrapped
    env.reset(seed=0)
    info = env.step(env.action_of(2.7, -1.0)[None])[-1]
    assert info["elapsed_s"][0] == pytest.approx(60 * 2.0 + 1, rel=1e-5)
    ramp = env.instrument.cost("set_temperature", temperature=2.7, previous=0.7)[0]
    assert ramp + env.instrument.cost("hold", sweeps=1)[0] == pytest.approx(121.0)


def test_error_names_the_parameter_in_units():
    env = gym.make_vec(ID, num_envs=1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"field in -10\.\.10 J; field = 14 J was asked"):
        env.step(np.array([[0.0, 1.4]], np.float32))


def test_the_shifted_split_stays_in_the_observation_space():
    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=16, split="shift")
    env.reset(seed=0)
    observation = env.step(np.full((16, 2), -1.0, np.float32))[0]
    assert observation[:, 1].min() < -1.0
    assert observation in env.observation_space


@pytest.mark.parametrize("split", ["train", "shift"])
def test_a_step_is_one_heat_bath_sweep_at_its_set_points(split):
    env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=9, split=split).unwrapped
    env.reset(seed=4)
    generator = np.random.default_rng(0)
    for _ in range(5):
        t, h = generator.uniform(1.0, 6.0, 9), generator.uniform(-2.0, 2.0, 9)
        action = env.action_of(t, h)
        twin, streams = LatticeBatch(env.spins), env.streams.copy()
        env.step(action)
        t = TEMPERATURE.from_action(action[:, 0])
        twin.sweep(t, FIELD.from_action(action[:, 1]), streams, 1, env._state[J])
        assert np.array_equal(twin.spins, env.spins)
        assert np.array_equal(streams, env.streams)
    assert (split == "shift") == (np.ptp(env._state[J]) > 0.0)


def test_the_potential_scales_with_the_coupling():
    for t, h, j in ((0.7, 1.0, 1.2), (3.0, -0.5, 1.3), (8.0, 4.0, 1.1)):
        one = log_partition_function(t, h, j, table())
        assert one == pytest.approx(log_partition_function(t / j, h / j, 1.0, table()), rel=1e-9)
