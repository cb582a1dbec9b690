"""STEMCorrector: its law, its score, and what a defocused Ronchigram tells."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.agents import make_agent
from mattergym.agents.corrector_analyst import read_ronchigrams
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.stem import corrector as task
from mattergym.physics.optics.corrector import LABELS, all_phases, expose_camera, place_patches
from mattergym.physics.optics.quality import rms_phase
from mattergym.physics.optics.ronchigram import ronchigrams

ID = "mattergym/STEMCorrector-v0"


def make(lanes, **kwargs):
    return gym.make_vec(ID, num_envs=lanes, **kwargs).unwrapped


def test_starts_are_far_from_the_goal_and_readings_noisy():
    env = make(1000)
    observation, info = env.reset(seed=0)
    assert np.median(env.state.strehl) == pytest.approx(0.05, abs=0.015)
    assert info["is_success"].mean() < 0.01
    error = env.task.read(observation, "reading") - env.state.phases
    np.testing.assert_allclose(error.std(axis=0), task.NOISE, rtol=0.1)


def test_one_radian_in_nanometres():
    # 2 pi / lambda alpha^(n+1) / (n+1) at 60 kV and 30 mrad.
    from mattergym.physics.optics.aberrations import NAMES, edge_phases

    scale = edge_phases(np.ones((14, 2)), task.VOLTAGE, task.APERTURE)[:, 0]
    for name, nanometres in (("C10", 1.72), ("C21", 86.0), ("C30", 3.8e3)):
        assert 0.1 / scale[NAMES.index(name)] == pytest.approx(nanometres, rel=0.01)


def test_rewards_telescope():
    env = make(8, autoreset_mode="Disabled")
    env.reset(seed=1)
    start = rms_phase(all_phases(env.state.phases))
    env.action_space.seed(0)
    total = np.zeros(8)
    for _ in range(5):
        total += env.step(env.action_space.sample())[1]
    end = rms_phase(all_phases(env.state.phases))
    wanted = np.log((start + task.SOFTENING) / (end + task.SOFTENING)) - 5 * task.STEP_PRICE
    np.testing.assert_allclose(total, wanted, rtol=1e-9)


@pytest.mark.parametrize("observation", ["features", "image"])
def test_score_is_seconds_to_success(observation):
    records = evaluate(ID, "expert", 16, num_envs=16, env_kwargs={"observation": observation})
    assert records.success.all()
    np.testing.assert_array_equal(records.scores, records.elapsed_s)
    lost = evaluate(ID, "random", 8, num_envs=8, env_kwargs={"observation": observation})
    budget = make(1, observation=observation).task.budget_s
    assert (lost.scores > 1.2 * budget).all()
    assert (lost.scores <= 2.0 * budget).all()


def test_a_step_costs_what_its_instructions_say():
    per_second = 50e-12 / 1.602176634e-19  # electrons in a second
    for observation, seconds, dose in (
        ("features", 1.0 + 90.0, 90.0 * per_second / 1000.0**2),
        ("image", 3.0 + 64**2 * 100.0 / per_second, 64**2 * 100.0 / (64 * task.SAMPLING) ** 2),
    ):
        env = make(2, observation=observation)
        env.reset(seed=0)
        *_, info = env.step(np.zeros((2, 12), np.float32))
        np.testing.assert_allclose(info["elapsed_s"], seconds, rtol=1e-12)
        np.testing.assert_allclose(info["dose"], dose, rtol=1e-12)


def test_knobs_turn_by_name():
    env = make(1)
    env.reset(seed=0)
    env.step(
        env.task.program.read(
            "set_corrector "
            + " ".join(f"d{label}={0.25 * k - 1.5} rad" for k, label in enumerate(LABELS))
        )[None]
    )
    np.testing.assert_allclose(env.display["change"][0], 0.25 * np.arange(12) - 1.5, atol=1e-6)
    assert env.program()[0].startswith("set_corrector dC10=-1.5 rad dC12a=-1.25 rad")


def test_agents_stand_in_order():
    scores = {
        name: evaluate(ID, name, 200, num_envs=200) for name in ("scripted", "gain-0.4", "kalman")
    }
    assert scores["scripted"].success.mean() == pytest.approx(0.88, abs=0.07)
    assert scores["gain-0.4"].success.mean() > 0.97
    assert scores["kalman"].success.mean() > 0.97
    medians = [np.median(records.length[records.success]) for records in scores.values()]
    assert medians[0] > 15
    assert medians[1] == pytest.approx(11, abs=2)
    assert medians[2] == pytest.approx(8, abs=2)


def test_kalman_belief_is_calibrated():
    env = make(128)
    agent = make_agent("kalman", gym.make_vec(ID, num_envs=128))
    observation, _ = env.reset(seed=3)
    state, start = None, np.ones(128, bool)
    for _ in range(4):
        action, state = agent.predict(observation, state, start)
        phases, coupling = env.state.phases.copy(), env.state.coupling.copy()
        observation, _, ended, *_ = env.step(action)
        start = ended
        if ended.any():
            break
    mean, covariance = state
    deviation = (phases - mean[:, :, 0]) / np.sqrt(covariance[:, :, 0, 0])
    assert deviation.std() == pytest.approx(1.0, abs=0.1)
    variance = np.einsum("bijj->bij", covariance)[:, :, 1:]
    assert ((coupling - mean[:, :, 1:]) / np.sqrt(variance)).std() == pytest.approx(1.0, abs=0.1)


def frames(components, defocus, seed):
    lanes = len(components)
    rows = np.random.default_rng(seed).integers(1, 2**63, (lanes, 4)).astype(np.uint64)
    gratings = np.empty((lanes, 64, 64), np.complex64)
    place_patches(task.film_of("test"), rows, gratings)
    intensity = ronchigrams(all_phases(components) + defocus, gratings, task.STEP)
    image = np.empty(intensity.shape, np.uint8)
    expose_camera(intensity, 100.0, 0.5, 8.0, 3.0, rows, image)
    return image


def test_analyst_reads_signs_from_defocused_frames_only():
    components = np.random.default_rng(5).normal(size=(300, 12)) * task.START
    for defocus, low, high in ((task.DEFOCUS, 0.80, 1.0), (0.0 * task.DEFOCUS, 0.44, 0.56)):
        reading = read_ronchigrams(frames(components, defocus, 1))
        # In focus p and -p give the same frames: compare readings of both.
        mirrored = read_ronchigrams(frames(-components, defocus, 2))
        right = np.sign(reading - mirrored) == np.sign(components)
        assert low < right.mean() < high
