"""STEMSurvey-v0: its score, what navigation is worth on clusters, and that overdosing shows."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.objectives import dose_efficiency
from mattergym.envs.stem import survey as task

ID = "mattergym/STEMSurvey-v0"


def score(agent, episodes=100, **kwargs):
    return evaluate(ID, agent, episodes, num_envs=episodes, env_kwargs=kwargs).scores


def test_dose_efficiency_of_known_curves():
    nothing = np.zeros(1)
    assert dose_efficiency(nothing, nothing, nothing, 10.0)[0] == 0.0
    # Half found by a frame of a fifth of the budget, all by a second one.
    area = 0.0 * 2.0 + 0.5 * 2.0
    assert dose_efficiency(np.array([area]), np.array([4.0]), np.ones(1), 10.0)[0] == pytest.approx(
        0.2 * 0.0 + 0.2 * 0.5 + 0.6 * 1.0
    )


def test_score_is_the_area_under_the_finds():
    env = gym.make_vec(ID, num_envs=4, autoreset_mode="Disabled").unwrapped
    env.reset(seed=2)
    env.action_space.seed(1)
    total = (env.state.present == 1).sum(axis=1)
    spent, area, found = np.zeros(4), np.zeros(4), np.zeros(4)
    for _ in range(8):
        action = env.action_space.sample()
        _, reward, _, _, info = env.step(action)
        dose = task.DOSES[action[:, 2]]
        area += found / total * dose
        spent += dose
        found += reward
    wanted = (area + found / total * (task.BUDGET - spent)) / task.BUDGET
    np.testing.assert_allclose(info["score"], wanted, rtol=1e-12)
    np.testing.assert_allclose(info["dose"], spent)


def test_a_dose_beyond_what_is_left_ends_the_episode_and_is_not_applied():
    env = gym.make(ID).unwrapped
    env.reset(seed=0)
    for _ in range(29):
        env.step(np.array([4, 4, 2]))
    env.step(np.array([4, 4, 1]))  # 6,000 e/A^2 are left
    before = env.state
    counts, evidence = before.counts.copy(), before.evidence.copy()
    _, reward, terminated, _, info = env.step(np.array([4, 4, 2]))
    assert (reward, terminated, info["dose"]) == (0.0, True, task.BUDGET - 6000.0)
    assert np.array_equal(env.state.counts, counts) and np.array_equal(env.state.evidence, evidence)
    assert env.display["doses"].sum() == info["dose"]


def test_pictures_show_the_same_maps_as_the_numbers():
    numbers, pictures = (gym.make_vec(ID, num_envs=2, observation=o) for o in ("features", "image"))
    numbers.reset(seed=3)
    pictures.reset(seed=3)
    numbers.action_space.seed(0)
    for _ in range(5):
        action = numbers.action_space.sample()
        a, b = numbers.step(action)[0], pictures.step(action)[0]
    maps = b["maps"][:, :, :: task.ZOOM, :: task.ZOOM]
    for k, name in enumerate(task.MAPS):
        scale = task.STEMSurvey.panel.fields[name].scale
        shown = numbers.unwrapped.task.read(a, name)
        np.testing.assert_allclose(maps[:, k] * scale / 255.0, shown, atol=0.51 * scale / 255.0)
    assert np.array_equal(b["panel"], a[:, -4:])


def test_an_action_is_a_stage_move_and_a_frame():
    env = gym.make(ID).unwrapped
    env.reset(seed=0)
    observation, *_, info = env.step(
        env.task.program.read("move_stage row=3 column=7; acquire dose=2000 e/A^2")
    )
    assert env.program() == ["move_stage row=3 column=7", "acquire pixels=4096 dose=2000 e/A^2"]
    place = [float(env.task.read(observation[None], name)[0]) for name in ("row", "column")]
    assert place == pytest.approx([3.0, 7.0])
    assert env.display["doses"][0, 37] == info["dose"] == 2000.0
    # 50 pA on 400 A^2, and 60 us of flyback a line.
    exposure = 2000.0 * 400.0 * 1.602176634e-19 / 50e-12
    assert info["elapsed_s"] == pytest.approx(exposure + 64 * 60e-6)


def test_revisits_pay_on_clusters_and_not_on_the_control():
    raster, revisit = score("raster"), score("scripted")
    assert revisit.mean() > 1.7 * raster.mean()
    even = [score(agent, defects="uniform").mean() for agent in ("raster", "scripted", "bayes")]
    assert max(even) < 1.2 * min(even)


def test_knowing_more_scores_more():
    agents = ("scripted", "bayes", "density", "expert")
    scripted, bayes, density, expert = (score(agent).mean() for agent in agents)
    assert scripted < bayes < density < expert


class Overdose:
    """Burns one field after the other with four frames at the top dose."""

    name = "overdose"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        step = 0 if state is None else state
        field = np.full(len(observation), step // 4)
        action = np.stack([field // 10, field % 10, np.full_like(field, 2)], axis=1)
        return action, step + 1


def test_an_agent_that_overdoses_scores_below_raster():
    kwargs = {"difficulty": "hard"}
    burnt = evaluate(ID, Overdose(), 100, num_envs=100, env_kwargs=kwargs)
    raster = evaluate(ID, "raster", 100, num_envs=100, env_kwargs=kwargs)
    assert burnt.scores.mean() < 0.85 * raster.scores.mean()
    # A field burnt four times is worth little more than one seen once.
    assert burnt.returns.mean() < 0.7 * raster.returns.mean()


@pytest.mark.parametrize("material", ["MoS2", "graphene"])
def test_other_materials(material):
    env = gym.make_vec(ID, num_envs=2, material=material)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(3):
        observation, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
