"""Statistics of scores: intervals hold what they promise, means rank, seeds pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mattergym.benchmarks.statistics import (
    Played,
    interquartile_mean,
    mean_difference,
    mean_interval,
    mean_score,
    no_interval,
    normalized_score,
    probability_of_improvement,
    rare_events_carry,
    skewed_interval,
    student_interval,
)

# Laws of scores by their name: a sample of some shape, and the true mean.
LAWS = {
    "normal": (lambda rng, shape: rng.normal(3.0, 2.0, shape), 3.0),
    "uniform": (lambda rng, shape: rng.random(shape), 0.5),
    "Bernoulli 0.1": (lambda rng, shape: (rng.random(shape) < 0.1) * 1.0, 0.1),
    "Bernoulli 0.5": (lambda rng, shape: (rng.random(shape) < 0.5) * 1.0, 0.5),
    "Bernoulli 0.9": (lambda rng, shape: (rng.random(shape) < 0.9) * 1.0, 0.9),
    "exponential": (lambda rng, shape: rng.exponential(1.0, shape), 1.0),
    "lognormal": (lambda rng, shape: rng.lognormal(0.0, 1.0, shape), np.exp(0.5)),
    "minus lognormal": (lambda rng, shape: -rng.lognormal(0.0, 1.0, shape), -np.exp(0.5)),
}


def share_covered(low, high, truth):
    return np.mean((np.asarray(low) <= truth) & (truth <= np.asarray(high)))


@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("spread", [1.0, 0.0], ids=["runs differ", "runs agree"])
def test_learners_interval_covers_the_mean_over_training_runs(runs, spread):
    rng = np.random.default_rng(runs)
    levels = rng.normal(0.0, spread, (2000, runs, 1))
    scores = levels + 0.5 * rng.normal(size=(2000, runs, 60))
    ends = np.array([mean_interval(list(trial), learner=True) for trial in scores])
    assert share_covered(*ends.T, 0.0) == pytest.approx(0.95, abs=0.02)


def test_learners_interval_knows_of_runs_that_failed():
    rng = np.random.default_rng(0)
    scores = [rng.normal(level, 20.0, 1000) for level in (388.0, 54.0, 55.0)]
    low, high = mean_interval(scores, learner=True)
    assert low < 54.0
    assert high > 388.0


@pytest.mark.parametrize("law", LAWS)
def test_interval_over_200_episodes_covers_the_mean(law):
    sample, truth = LAWS[law]
    low, high = skewed_interval(sample(np.random.default_rng(4), (20_000, 200)))
    assert 0.93 <= share_covered(low, high, truth) <= 0.97


def test_t_alone_misses_what_the_correction_covers():
    sample, truth = LAWS["lognormal"]
    scores = sample(np.random.default_rng(5), (20_000, 200))
    corrected = share_covered(*skewed_interval(scores), truth)
    assert corrected > share_covered(*student_interval(scores), truth) + 0.005


def test_intervals_of_one_and_of_many_samples_agree():
    scores = np.random.default_rng(6).exponential(1.0, (3, 50))
    low, high = skewed_interval(scores)
    for k, row in enumerate(scores):
        assert mean_interval([row[:20], row[20:]], learner=False) == (low[k], high[k])


def test_symmetric_scores_get_students_interval():
    scores = np.concatenate([np.arange(9.0), -np.arange(9.0)])
    expected = stats.t.interval(0.95, 17, 0.0, stats.sem(scores))
    np.testing.assert_allclose(skewed_interval(scores), expected)
    np.testing.assert_allclose(student_interval(scores), expected)


def test_equal_scores_have_an_interval_without_width():
    assert mean_interval([np.full(200, 0.1)], learner=False) == (0.1, 0.1)
    low, high = skewed_interval([[2.0, 2.0, 2.0], [1.0, 2.0, 6.0]])
    assert low[0] == high[0] == 2.0
    assert low[1] < 3.0 < high[1]


def test_rare_events_are_named_and_have_no_interval():
    rng = np.random.default_rng(7)
    accident = np.where(np.arange(200) % 100 == 7, 1000.0, rng.normal(size=200))
    assert no_interval([accident], learner=False) == "rare events"
    assert np.isnan(mean_interval([accident], learner=False)).all()
    assert no_interval([np.arange(200) < 3], learner=False) == "rare events"
    for law, (sample, _) in LAWS.items():
        marked = [rare_events_carry(scores) for scores in sample(rng, (500, 200))]
        assert np.mean(marked) <= 0.01, law


def test_runs_share_rare_events_out_unless_there_are_fewer_than_runs():
    rng = np.random.default_rng(8)
    many, few = rng.normal(size=(2, 3, 1000))
    many[:, :10] += 1000.0
    few[0, 0] += 1e5
    assert no_interval(list(many), learner=True) == ""
    assert no_interval(list(few), learner=True) == "rare events"


def test_one_seed_of_a_learner_and_one_episode_have_no_interval():
    assert no_interval([np.arange(9.0)], learner=True) == "one seed"
    assert no_interval([[1.0]], learner=False) == "one episode"
    assert np.isnan(mean_interval([np.arange(9.0)], learner=True)).all()
    assert no_interval([[1.0], [2.0]], learner=False) == ""


def game(learner, **by_seed):
    """Scores of seeds s0, s1, ... in episodes 100 times the seed and on."""
    scores = {int(name[1:]): np.asarray(values, float) for name, values in by_seed.items()}
    episodes = {seed: 100 * seed + np.arange(len(values)) for seed, values in scores.items()}
    return Played(scores, episodes, learner)


def test_differences_are_paired_by_episode():
    rng = np.random.default_rng(9)
    hard = rng.normal(0.0, 10.0, 60)
    better = hard + rng.normal(1.0, 0.1, 60)
    difference, low, high = mean_difference(game(False, s0=better), game(False, s0=hard))
    assert difference == pytest.approx(np.mean(better - hard))
    assert 0.9 < low < difference < high < 1.1
    # Of different length: only what both played counts.
    shorter = mean_difference(game(False, s0=better[:40]), game(False, s0=hard))
    assert shorter[0] == pytest.approx(np.mean(better[:40] - hard[:40]))


def test_learners_are_paired_run_by_run():
    rng = np.random.default_rng(10)
    levels = (0.0, 50.0, 100.0)
    a = game(True, **{f"s{k}": rng.normal(level, 1.0, 90) for k, level in enumerate(levels)})
    b = game(True, **{f"s{k}": a.scores[k] - 2.0 - 0.1 * k for k in range(3)})
    expected = stats.t.interval(0.95, 2, 2.1, stats.sem([2.0, 2.1, 2.2]))
    np.testing.assert_allclose(mean_difference(a, b), (2.1, *expected))
    np.testing.assert_allclose(mean_difference(b, a), (-2.1, *-np.array(expected)[::-1]))


def test_a_learner_that_played_other_episodes_is_compared_by_welch():
    rng = np.random.default_rng(11)
    learner = game(True, s0=rng.normal(5, 1, 50), s1=rng.normal(6, 1, 50), s2=rng.normal(8, 1, 50))
    fixed = game(False, s0=rng.normal(0, 1, 50))
    means = [scores.mean() for scores in learner.scores.values()]
    welch = stats.ttest_ind(means, fixed.scores[0], equal_var=False).confidence_interval(0.95)
    difference, low, high = mean_difference(learner, fixed)
    assert difference == pytest.approx(
        mean_score(list(learner.scores.values())) - fixed.scores[0].mean()
    )
    np.testing.assert_allclose((low, high), (welch.low, welch.high))
    np.testing.assert_allclose(mean_difference(fixed, learner), (-difference, -high, -low))
    one = mean_difference(game(True, s3=np.arange(5)), fixed)
    assert np.isfinite(one[0])
    assert np.isnan(one[1:]).all()


def test_statistics_by_hand():
    assert interquartile_mean(np.array([0.0, 1, 2, 3, 4, 5, 6, 1000])) == 3.5
    assert mean_score([[1.0, 3.0], [5.0]]) == 3.5
    assert normalized_score(60.0, scripted=80.0, expert=40.0) == 0.5
    assert normalized_score(0.75, scripted=0.5, expert=1.0) == 0.5
    assert probability_of_improvement(np.array([1.0, 3]), np.array([2.0, 2])) == 0.5
    assert probability_of_improvement(np.array([3.0, 3]), np.array([2.0, 3])) == 0.75
