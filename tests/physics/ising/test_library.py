"""Libraries of Ising ferromagnets: exact boundaries, and measurements that Onsager confirms."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.ising.exact import (
    critical_temperature,
    critical_temperature_anisotropic,
    onsager_energy,
    spontaneous_magnetization,
)
from mattergym.physics.ising.library import (
    HIGHEST_TC,
    LEAST_SPAN,
    LOWEST_TC,
    draw_libraries,
    measure_ordered,
    solve_critical_temperature,
)
from mattergym.physics.rng import seed_streams


def streams(lanes, seed=0):
    return seed_streams(np.arange(seed, seed + lanes, dtype=np.uint64), np.zeros(lanes), 2)


@pytest.mark.parametrize(("jx", "jy"), [(1, 1), (2.5, 0.4), (0.01, 3.0), (1e-6, 1.0), (40.0, 7.0)])
def test_newton_finds_the_critical_temperature(jx, jy):
    t = solve_critical_temperature(jx, jy)
    assert np.sinh(2 * jx / t) * np.sinh(2 * jy / t) == pytest.approx(1.0, rel=1e-11)
    assert t == pytest.approx(float(critical_temperature_anisotropic(jx, jy)), rel=1e-12)
    assert solve_critical_temperature(1.0, 1.0) == pytest.approx(critical_temperature(), rel=1e-14)


def draw(lanes, deviations, kernel=draw_libraries, count=24):
    state = streams(lanes)
    jx, jy, boundary = np.empty((3, lanes, count))
    kernel(deviations, state, jx, jy, boundary)
    return jx, jy, boundary, state


def test_libraries_are_kept_within_bounds_and_smooth():
    jx, jy, boundary, _ = draw(300, 0.3 / np.arange(1, 4))
    np.testing.assert_allclose(boundary, critical_temperature_anisotropic(jx, jy), rtol=1e-12)
    assert boundary.min() > LOWEST_TC
    assert boundary.max() < HIGHEST_TC
    assert (np.ptp(boundary, axis=1) > LEAST_SPAN).all()
    # ln J is an offset and three cosines: four numbers describe 24 compositions.
    x = np.arange(24) / 23
    basis = np.cos(np.pi * np.outer(x, np.arange(4)))
    residual = np.linalg.lstsq(basis, np.log(jx).T, rcond=None)[1]
    assert residual.max() < 1e-20


def test_drawing_in_python_is_the_same():
    compiled = draw(2, np.array([0.3, 0.15]), count=6)
    plain = draw(2, np.array([0.3, 0.15]), kernel=draw_libraries.py_func, count=6)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def measure(temperature, jx, jy, equilibration, sweeps, size=32, kernel=measure_ordered, seed=0):
    lanes = len(temperature)
    spins, out = np.zeros((lanes, size, size), np.int8), np.full((lanes, 3), np.nan)
    state = streams(lanes, seed)
    kernel(spins, temperature, jx, jy, state, equilibration, sweeps, out)
    return out, spins, state


def test_measurements_agree_with_onsager_and_yang():
    t = np.array([1.5, 1.8, 2.0, 3.0])
    one, many = np.ones(4), np.full(4, 4000)
    out, *_ = measure(t, one, one, np.full(4, 200), many)
    np.testing.assert_allclose(out[:, 2], onsager_energy(t), atol=0.006)
    np.testing.assert_allclose(out[:3, 0], spontaneous_magnetization(t[:3]), atol=0.004)
    # Low-temperature series of T chi in z = exp(-4/T) (Domb 1960, Adv. Phys. 9, 149).
    cold, *_ = measure(np.array([1.0]), one[:1], one[:1], np.array([50]), np.array([20_000]))
    z = np.exp(-4.0)
    series = 4 * z**2 * (1 + 8 * z + 60 * z**2 + 416 * z**3)
    assert cold[0, 1] == pytest.approx(series, rel=0.05)


def test_energy_is_that_of_the_couplings():
    out, *_ = measure(np.array([0.1]), np.array([1.5]), np.array([0.25]), *np.array([[1], [5]]))
    np.testing.assert_allclose(out[0], (1.0, 0.0, -1.75), atol=1e-12)


def test_a_lane_does_not_depend_on_its_mates_and_may_be_left_alone():
    t, jx, jy = np.array([2.0, 2.2, 2.6]), np.array([1.0, 1.2, 0.9]), np.array([1.0, 0.7, 1.1])
    equilibration, sweeps = np.array([5, 0, 3]), np.array([7, 0, 11])
    out, spins, state = measure(t, jx, jy, equilibration, sweeps)
    assert np.isnan(out[1]).all()
    assert (spins[1] == 0).all()
    np.testing.assert_array_equal(state[1], streams(3)[1])
    alone, alone_spins, _ = measure(t[2:], jx[2:], jy[2:], equilibration[2:], sweeps[2:], seed=2)
    np.testing.assert_array_equal(out[2], alone[0])
    np.testing.assert_array_equal(spins[2], alone_spins[0])


def test_measuring_in_python_is_the_same():
    arguments = (np.array([2.0, 2.4]), np.ones(2), np.ones(2), np.array([1, 0]), np.array([2, 1]))
    compiled = measure(*arguments, size=6)
    plain = measure(*arguments, size=6, kernel=measure_ordered.py_func)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
