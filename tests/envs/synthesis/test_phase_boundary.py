"""The reconstruction of a phase boundary, rule by rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from mattergym.envs.synthesis.phase_boundary import (
    fit_decreasing,
    place_boundary,
    reconstruct_boundary,
)

T = np.linspace(0.8, 4.0, 24)


def reconstruct(cells, compositions=24, kernel=reconstruct_boundary):
    """Boundary from a dict (composition, row) -> |m| or (|m|, sweeps)."""
    m, sweeps = np.zeros((1, compositions, 24)), np.zeros((1, compositions, 24), np.int64)
    for cell, value in cells.items():
        m[0][cell], sweeps[0][cell] = value if isinstance(value, tuple) else (value, 20)
    out = np.full((1, compositions), np.nan)
    kernel(m, sweeps, T, out)
    return out[0]


def test_isotonic_regression_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(1, 25))
        values, weights = rng.normal(size=n), rng.integers(1, 30, n).astype(float)
        fitted = values.copy()
        fit_decreasing(fitted, weights, n)
        expected = isotonic_regression(values, weights=weights, increasing=False).x
        np.testing.assert_allclose(fitted, expected, atol=1e-12)
        fit_decreasing.py_func(values, weights, n)
        np.testing.assert_allclose(values, expected, atol=1e-12)


def test_nothing_measured_is_the_middle_of_the_axis():
    np.testing.assert_allclose(reconstruct({}), 2.4)


def test_crossing_is_linear_in_z():
    # z = +1/2 and -1/4: two thirds of the way.
    estimate = reconstruct({(0, 5): 0.66 + 0.105, (0, 8): 0.66 - 0.1025})
    np.testing.assert_allclose(estimate, T[5] + (T[8] - T[5]) * 2 / 3)
    # Saturated on both sides: the middle.
    np.testing.assert_allclose(reconstruct({(3, 5): 0.99, (3, 9): 0.05}), T[7])


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (0.66, T[10]),
        (0.66 + 0.105, T[10] * 1.035),
        (0.66 - 0.205, T[10] * 0.96),
        (0.95, (T[10] + 4.0) / 2),
        (0.10, (T[10] + 0.8) / 2),
    ],
)
def test_points_on_one_side_only(m, expected):
    np.testing.assert_allclose(reconstruct({(12, 10): m}), expected)
    assert place_boundary.py_func(T[10:], np.array([m]), 1, 0.8, 4.0) == pytest.approx(expected)


def test_estimates_stay_on_the_axis():
    np.testing.assert_allclose(reconstruct({(0, 23): 0.80}), 4.0)
    np.testing.assert_allclose(reconstruct({(0, 0): 0.40}), 0.8)


def test_compositions_interpolate_linearly_and_extend_constantly():
    cells = {(4, 10): 0.66, (8, 14): 0.66, (20, 2): 0.66}
    expected = np.interp(np.arange(24), [4, 8, 20], T[[10, 14, 2]])
    np.testing.assert_allclose(reconstruct(cells), expected)
    np.testing.assert_allclose(reconstruct(cells, kernel=reconstruct_boundary.py_func), expected)


def test_order_violations_are_pooled_by_sweeps():
    # |m| = .5 (20 sweeps) below .8 (60): both .725, z = .31 of the upper width.
    estimate = reconstruct({(0, 8): (0.5, 20), (0, 9): (0.8, 60)})
    np.testing.assert_allclose(estimate, T[9] * (1 + 0.07 * 0.065 / 0.21))


def test_exact_magnetizations_give_the_boundary_to_a_part_of_a_cell():
    boundary = np.linspace(1.2, 3.4, 24)
    # A rounded step around Tc that passes .66 there.
    z = np.clip((boundary[:, None] - T) / (0.07 * boundary[:, None]), -1.9, 1.4)
    m = 0.66 + np.where(z > 0, 0.21, 0.31) * z
    cells = {(i, j): m[i, j] for i in range(24) for j in range(24)}
    assert np.abs(reconstruct(cells) - boundary).max() < 0.25 * (T[1] - T[0])
