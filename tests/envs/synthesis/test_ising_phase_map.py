"""IsingPhaseMap: costs, maps, the end, and what the agents reach."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.agents import make_agent
from mattergym.agents.ising_phase_map_plan import (
    best_knots,
    best_repair,
    expected_errors,
    interpolate_anew,
    plan_measurements,
    seconds,
)
from mattergym.benchmarks.evaluate import evaluate
from mattergym.envs.synthesis.ising_phase_map import CELLS, TEMPERATURES, record, write_maps

ID = "mattergym/IsingPhaseMap-v0"
STEP = TEMPERATURES[1] - TEMPERATURES[0]


def make(lanes=1, **kwargs):
    env = gym.make_vec(ID, num_envs=lanes, autoreset_mode="Disabled", **kwargs).unwrapped
    env.reset(seed=3)
    return env


def play(env, *actions):
    results = [env.step(np.tile(action, (env.num_envs, 1))) for action in actions]
    return results[-1]


def test_a_new_sample_a_ramp_and_sweeps_are_charged():
    env = make()
    spent = []
    for action in ((4, 10, 0), (4, 10, 0), (4, 7, 1), (5, 7, 2)):
        spent.append(play(env, action)[4]["elapsed_s"][0])
    expected = [300 + 600 * STEP + 30, 30, 180 * STEP + 120, 300 + 400]
    np.testing.assert_allclose(np.diff(spent, prepend=0), expected)
    assert env.program() == [
        "new_sample composition=0.2174",
        "set_temperature temperature=1.7739 J/kB",
        "measure sweeps=300",
    ]


def test_an_action_beyond_the_budget_ends_the_episode_without_a_measurement():
    env = make()
    for k in range(8):
        *_, terminated, _, info = play(env, (k, 0, 2))
        assert not terminated[0]
    before, score = info["elapsed_s"][0], info["score"][0]
    assert before == 5600
    state = env.get_state()["state"]
    _, reward, terminated, _, info = play(env, (12, 0, 1))
    assert terminated[0]
    assert (reward[0], info["elapsed_s"][0], info["score"][0]) == (0.0, before, score)
    assert env.state.sweeps[0].sum() == 8 * 300
    assert env.state.refused[0] and not state.refused[0]
    np.testing.assert_equal(env.state._replace(refused=state.refused)._asdict(), state._asdict())
    # The sample of before is still in the furnace.
    assert env.display["composition"][0] == 7


def test_the_episode_ends_when_nothing_is_affordable():
    env = make()
    *_, terminated, _, info = play(env, *[(k, 0, 2) for k in range(8)])
    for _ in range(12):
        *_, terminated, _, info = play(env, (7, 0, 0))
        assert not terminated[0]
    *_, terminated, _, info = play(env, (7, 0, 0))
    assert terminated[0]
    assert info["elapsed_s"][0] == 5990


def test_rewards_telescope_to_the_drop_of_the_misclassified_area():
    env = make(8)
    first = env.standing.score.copy()
    middle = 100 * np.abs(env.state.boundary - 2.4).mean(axis=1) / 3.2
    np.testing.assert_allclose(first, middle)
    rng = np.random.default_rng(0)
    total = np.zeros(8)
    for _ in range(6):
        _, reward, _, _, info = env.step(rng.integers(0, [24, 24, 3], (8, 3)))
        total += reward
    wrong = 100 * np.abs(env.state.estimate - env.state.boundary).mean(axis=1) / 3.2
    np.testing.assert_allclose(info["score"], wrong)
    np.testing.assert_allclose(total, first - wrong, atol=1e-12)


def test_maps_show_the_nearest_measurement_and_average_repeats():
    env = make()
    read = env.task.read
    first = play(env, (2, 3, 0))[0]
    alone = read(first, "magnetization")[0]
    assert np.ptp(alone) == 0  # one measurement: it is nearest everywhere
    i, j = np.indices((24, 24))
    expected = 1 / (1 + np.hypot(i - 2, j - 3))
    np.testing.assert_allclose(read(first, "visited")[0], expected, rtol=1e-6)
    second = play(env, (20, 20, 1))[0]
    both = read(second, "magnetization")[0]
    assert (both[:8, :8] == alone[0, 0]).all()
    assert (both[16:, 16:] == both[20, 20]).all()
    assert both[20, 20] != alone[0, 0]
    np.testing.assert_allclose(read(second, "fidelity")[0, 20, 20], np.log1p(80), rtol=1e-6)
    observed = second[0, env.task.panel.at["fidelity"]].reshape(24, 24)[20, 20]
    np.testing.assert_allclose(observed, np.log1p(80) / np.log1p(8_000), rtol=1e-6)


@pytest.mark.parametrize("add", [record, record.py_func], ids=["compiled", "python"])
def test_repeated_cells_are_averaged_by_sweeps(add):
    maps, sweeps = np.zeros((2, 3, CELLS)), np.zeros((2, CELLS), np.int64)
    nearest = np.full((2, CELLS), -1)
    cell = np.array([30, 31])
    for weight, values in ((20, (0.9, 4.0, -1.0)), (300, (0.5, 8.0, -3.0))):
        add(cell, np.array([weight, 0]), np.tile(values, (2, 1)), maps, sweeps, nearest)
    assert sweeps[0, 30] == 320
    np.testing.assert_allclose(maps[0, :, 30], (168 / 320, 2480 / 320, -920 / 320))
    assert (nearest[0] == 30).all()
    # Without a measured sweep nothing is recorded.
    assert not maps[1].any()
    assert (nearest[1] == -1).all()
    out = np.empty((5, 2, CELLS), np.float32)
    plain = out.copy()
    write_maps(maps, sweeps, nearest, out)
    write_maps.py_func(maps, sweeps, nearest, plain)
    np.testing.assert_allclose(out, plain, rtol=1e-6)


def test_a_cold_sample_is_ordered_and_a_hot_one_is_not():
    env = make(16)
    observation, *_ = play(env, (6, 0, 2))
    assert (env.task.read(observation, "magnetization")[:, 6, 0] > 0.9).all()
    observation, *_ = play(env, (6, 23, 2))
    assert (env.task.read(observation, "magnetization")[:, 6, 23] < 0.5).all()


def test_shifted_lines_are_rougher():
    roughness = {}
    for split in ("test", "shift"):
        line = make(200, split=split).state.boundary
        roughness[split] = np.abs(np.diff(line, 2, axis=1)).mean()
    assert roughness["shift"] > 2 * roughness["test"]


def test_difficulty_is_the_budget():
    budgets = [make(difficulty=name).task.budget for name in ("easy", "standard", "hard")]
    assert budgets == [8_000, 6_000, 4_000]


def test_best_knots_interpolate_a_broken_line_exactly():
    knots = [2, 7, 15, 21]
    line = np.interp(np.arange(24), knots, [1.2, 3.0, 1.5, 2.0])
    found = best_knots(np.stack([line, line[::-1]]), np.zeros((2, 24)), 4)
    np.testing.assert_array_equal(found, [knots, [23 - k for k in knots[::-1]]])
    costs = np.zeros((1, 24))
    costs[0, 7] = 1e3
    assert 7 not in best_knots(line[None], costs, 4)


def test_a_line_is_redrawn_between_the_measured_neighbours():
    measured = np.zeros(24, bool)
    measured[[4, 12]] = True
    line, hanging = interpolate_anew(np.full(24, 2.0), measured, 8, 3.0)
    np.testing.assert_allclose(line, np.interp(np.arange(24), [4, 8, 12], [2.0, 3.0, 2.0]))
    assert hanging == 8
    line, hanging = interpolate_anew(np.full(24, 2.0), measured, 20, 3.0)
    np.testing.assert_allclose(line, np.interp(np.arange(24), [12, 20], [2.0, 3.0]))
    assert hanging == 11


@pytest.mark.parametrize("budget", [4000.0, 6000.0, 8000.0])
def test_plans_are_paid_within_their_share_and_measure_below_the_boundary(budget):
    boundary = make(32).state.boundary
    for b, plan in enumerate(plan_measurements(boundary, expected_errors(boundary), budget)):
        at, total = (-1, 0), 0.0
        for cell in plan:
            total += seconds(*cell, *at)
            at = cell[:2]
        assert 0 < total <= 0.7 * budget
        assert [cell.column for cell in plan] == sorted({cell.column for cell in plan})
        relative = [TEMPERATURES[c.row] / boundary[b, c.column] - 1 for c in plan]
        assert -0.08 < np.mean(relative) < 0.01


def test_a_repair_goes_where_the_estimate_is_wrong_and_can_be_paid():
    boundary = np.full(24, 2.0)
    estimate, measured = boundary.copy(), np.zeros((24, 24), bool)
    measured[[2, 10, 20], 8] = True
    estimate[11:20] = 2.6
    errors = expected_errors(boundary[None])[:, 0]
    cell = best_repair(boundary, estimate, errors, measured, 2, 8, 1000.0)
    assert 11 <= cell.column < 20
    assert abs(TEMPERATURES[cell.row] - 2.0) < 0.2
    # With less than a new sample costs, the sample in the furnace is measured for long.
    assert best_repair(boundary, estimate, errors, measured, 2, 8, 100.0) == (2, 8, 2)


def test_the_expert_plans_anew_for_a_new_library_alone():
    env = make(2)
    agent = make_agent("expert", env)
    agent.predict(env.reset(seed=1)[0])
    kept, renewed = agent._plans
    env.reset(seed=[1, 7], options={"reset_mask": np.array([False, True])})
    agent.plan(env.state.boundary)
    assert agent._plans[0] is kept
    assert agent._plans[1] is not renewed


def test_frames_show_the_boundary_only_with_the_truth():
    for truth in (False, True):
        env = gym.make(ID, render_mode="rgb_array", render_truth=truth)
        env.reset(seed=0)
        before = env.render()
        env.unwrapped.state.boundary[:] += 0.5
        env.unwrapped.state.score[:] += 1.0
        assert np.array_equal(before, env.render()) == (not truth)


@pytest.mark.parametrize("difficulty", ["easy", "standard", "hard"])
def test_agents_come_in_their_order(difficulty):
    """Percent misclassified of common libraries: bisection, coarse to fine, the true line."""
    scores = {
        name: evaluate(ID, name, 64, env_kwargs={"difficulty": difficulty}).scores
        for name in ("random", "scripted", "strong", "expert")
    }
    for worse, better in (("random", "scripted"), ("scripted", "strong"), ("strong", "expert")):
        gain = scores[worse] - scores[better]
        assert gain.mean() > 2 * gain.std() / np.sqrt(64), (worse, better)
