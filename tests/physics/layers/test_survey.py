"""The analyst's statistic is the exact likelihood ratio; scans and defects follow their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mattergym.benchmarks.validation import analyst
from mattergym.physics.imaging import haadf
from mattergym.physics.layers import crystals, survey
from mattergym.physics.rng import seed_streams

LAYER = survey.perfect_layer()
SITES = len(LAYER.vacancy)


def streams_of(lanes, purpose=1):
    return seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, "u8"), purpose)


def scan(fields, dose, present, evidence, damage=0.0, streams=None, kernel=survey.scan_fields):
    lanes = len(fields)
    means, counts = np.zeros((lanes, 4096)), np.zeros((lanes, 4096), np.int32)
    streams = streams_of(lanes) if streams is None else streams
    electrons = np.full(lanes, dose * survey.PIXEL**2)
    kernel(
        np.asarray(fields), electrons, np.full(lanes, damage), LAYER.first, LAYER.mean,
        LAYER.corner, LAYER.loss, LAYER.log_ratio, LAYER.total_loss, LAYER.vacancy, present,
        evidence, streams, means, counts,
    )  # fmt: skip
    return counts


def test_every_site_is_in_its_field():
    a = crystals.lattice_constant("WS2")
    assert SITES == pytest.approx(2 * 200.0**2 / (a**2 * np.sqrt(0.75)), rel=0.005)
    field = np.searchsorted(LAYER.first, np.arange(SITES), side="right") - 1
    column, row = (LAYER.positions // survey.FIELD).astype(int).T
    np.testing.assert_array_equal(field, 10 * row + column)


def test_patches_are_the_images_of_defects():
    # A whole frame by convolution, with and without one sulfur, against mean and loss.
    crystal = crystals.layer("WS2", 220.0, 220.0, survey.ROTATION)
    weights = crystal.atoms * np.array([haadf.cross_section(int(z), 60e3) for z in crystal.numbers])
    camera = haadf.Haadf(64, survey.PIXEL, 60e3, 0.030, source_size=survey.SOURCE_SIZE)
    k = 55
    corner = np.array([20.0 * (k % 10), 20.0 * (k // 10)]) + 10.0 + 0.5 * survey.PIXEL
    whole = camera(np.arange(1), (crystal.positions - corner)[None], weights[None])[0]
    np.testing.assert_allclose(whole.ravel(), LAYER.mean[k], rtol=1e-4)
    site = LAYER.first[k] + np.flatnonzero(LAYER.vacancy[LAYER.first[k] : LAYER.first[k + 1]])[10]
    index = np.hypot(*(crystal.positions - 10.0 - LAYER.positions[site]).T).argmin()
    weights[index] /= 2.0
    lacking = camera(np.arange(1), (crystal.positions - corner)[None], weights[None])[0]
    y, x = LAYER.corner[site]
    patch = (whole - lacking)[y : y + 13, x : x + 13]
    loss = LAYER.loss[site].reshape(13, 13)
    assert np.abs(patch - loss).max() < 0.02 * loss.max()


def test_evidence_is_the_poisson_log_likelihood_ratio():
    present, evidence = np.zeros((1, SITES), np.int8), np.zeros((1, SITES), np.float32)
    site = LAYER.first[42] + 17
    present[0, site] = 1
    counts = scan([42], 4000.0, present, evidence)[0].reshape(64, 64)
    y, x = LAYER.corner[site]
    seen = counts[y : y + 13, x : x + 13].ravel()
    mean = LAYER.mean[42].reshape(64, 64)[y : y + 13, x : x + 13].ravel().astype(float)
    electrons = 4000.0 * survey.PIXEL**2
    with_defect = stats.poisson.logpmf(seen, electrons * (mean - LAYER.loss[site])).sum()
    without = stats.poisson.logpmf(seen, electrons * mean).sum()
    assert evidence[0, site] == pytest.approx(with_defect - without, abs=2e-3)


def test_evidence_adds_over_visits_and_tells_defects():
    lanes = 200
    present = np.zeros((lanes, SITES), np.int8)
    sites = np.arange(LAYER.first[33], LAYER.first[34])
    vacancies = sites[LAYER.vacancy[sites]][::3]
    present[:, vacancies] = 1
    evidence = np.zeros((lanes, SITES), np.float32)
    streams = streams_of(lanes)
    scan([33] * lanes, 8000.0, present, evidence, streams=streams)
    once = (evidence[:, vacancies] > 6.0).mean()
    scan([33] * lanes, 8000.0, present, evidence, streams=streams)
    twice = (evidence[:, vacancies] > 6.0).mean()
    sound = np.setdiff1d(sites, vacancies)
    assert 0.4 < once < 0.65
    assert twice > 0.9
    # Wald: a false call has a chance below exp(-6).
    assert (evidence[:, sound] > 6.0).mean() < np.exp(-6.0)


@pytest.mark.parametrize(("vacancy", "dose"), [(True, 8000.0), (False, 2000.0)])
def test_rates_of_calls_are_those_of_neyman_and_pearson(vacancy, dose):
    sites = analyst.far_apart(LAYER, vacancy)
    for defective, cut in ((True, 6.0), (True, 0.0), (False, 0.0)):
        seen = (analyst.levels(LAYER, sites, dose, defective, 500) > cut).mean()
        law = analyst.predicted_rate(LAYER, sites, dose, defective, np.array([cut]))[0]
        assert 0.02 < law < 0.98
        # The skewness of the counts, and 4.5 standard errors.
        assert abs(seen - law) < 0.015 + 4.5 * np.sqrt(law * (1.0 - law) / (500 * len(sites)))


def test_beam_damage_is_proportional_to_dose():
    lanes, chance = 400, 0.02
    present, evidence = np.zeros((lanes, SITES), np.int8), np.zeros((lanes, SITES), np.float32)
    scan([7] * lanes, 500.0, present, evidence, damage=chance)
    made = present == 2
    assert not made[:, ~LAYER.vacancy].any()
    columns = LAYER.vacancy[LAYER.first[7] : LAYER.first[8]].sum()
    expected = lanes * columns * chance
    assert abs(made.sum() - expected) < 4.0 * np.sqrt(expected)
    assert made[:, LAYER.first[7] : LAYER.first[8]].sum() == made.sum()


def test_defects_are_drawn_by_their_density():
    lanes = 60
    density = np.zeros((lanes, SITES), np.float32)
    defects = np.zeros((lanes, SITES), np.int8)
    survey.draw_defects(
        np.arange(lanes), LAYER.positions, 0.01, 3, 0.3, 18.0, 0.2, 4.0, 0.5, LAYER.vacancy,
        streams_of(lanes), density, defects,
    )  # fmt: skip
    gap = defects.sum() - density.sum()
    assert abs(gap) < 4.0 * np.sqrt((density * (1 - density)).sum())
    assert density[:, LAYER.vacancy].min() == pytest.approx(0.01)
    assert density[:, ~LAYER.vacancy].min() == pytest.approx(0.005)
    assert density.max() > 0.25


def test_plain_python_agrees():
    present, evidence = np.zeros((2, SITES), np.int8), np.zeros((2, SITES), np.float32)
    present[:, 50:60] = 1
    fast, slow = evidence.copy(), evidence.copy()
    a = scan([0, -1], 2000.0, present.copy(), fast, 0.5)
    b = scan([0, -1], 2000.0, present.copy(), slow, 0.5, kernel=survey.scan_fields.py_func)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(fast, slow, atol=1e-4)
    assert not fast[1].any()
