"""Exact results against each other."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.ising import exact, free_energy, observables


def test_onsagers_critical_temperature():
    assert exact.critical_temperature() == pytest.approx(2.269185314213022, abs=1e-14)
    assert exact.critical_temperature_anisotropic(1.0, 1.0) == pytest.approx(2.269185314213022)


def test_anisotropic_critical_temperature_solves_its_equation():
    jx, jy = np.array([0.3, 1.0, 1.4]), np.array([1.0, 0.5, 1.4])
    t = exact.critical_temperature_anisotropic(jx, jy)
    np.testing.assert_allclose(np.sinh(2 * jx / t) * np.sinh(2 * jy / t), 1.0, rtol=1e-9)


@pytest.mark.parametrize("temperature", [1.5, 2.0, 2.269185314213022, 2.6, 4.0])
def test_kaufman_is_the_enumeration_at_4_x_4(temperature):
    energies = observables.energy(exact.all_states(4, 4))
    weights = exact.boltzmann_weights(energies, temperature)
    assert exact.kaufman_energy(4, temperature) == pytest.approx(weights @ energies / 16, abs=1e-8)


@pytest.mark.parametrize("temperature", [1.5, 2.0, 2.8, 3.5])
def test_kaufman_tends_to_onsager(temperature):
    assert exact.kaufman_energy(128, temperature) == pytest.approx(
        float(exact.onsager_energy(temperature)), abs=1e-6
    )


def test_onsager_heat_capacity_is_the_slope_of_the_energy():
    t = np.array([1.5, 2.0, 2.6, 3.5])
    slope = (exact.onsager_energy(t + 1e-4) - exact.onsager_energy(t - 1e-4)) / 2e-4
    np.testing.assert_allclose(exact.onsager_heat_capacity(t), slope, rtol=1e-5)


def test_closed_forms_hold_at_their_limits():
    tc = exact.critical_temperature()
    assert exact.onsager_energy(tc) == pytest.approx(-np.sqrt(2.0), abs=1e-12)
    for energy in (exact.onsager_energy(0.0028), exact.kaufman_energy(8, 0.01)):
        assert energy == pytest.approx(-2.0, abs=1e-8)
    assert exact.spontaneous_magnetization(0.0028) == 1.0
    assert exact.onsager_heat_capacity(0.0028) == pytest.approx(0.0, abs=1e-9)
    assert exact.onsager_heat_capacity(tc) > 10.0
    # High temperature: E = -2 tanh K to first order.
    for energy in (exact.onsager_energy(1e4), exact.kaufman_energy(8, 1e4)):
        assert energy == pytest.approx(-2e-4, rel=1e-3)


def test_free_energy_table_has_the_exact_slope_and_limits():
    table = free_energy.table()
    value = free_energy.log_partition_function
    # d(ln Z / N) / d(1/T) = -E / N (Onsager), away from Tc.
    for t in (1.2, 3.0, 5.0):
        slope = value(1 / (1 / t + 0.02), 0.0, 1.0, table) - value(
            1 / (1 / t - 0.02), 0.0, 1.0, table
        )
        assert slope / 0.04 == pytest.approx(-float(exact.onsager_energy(t)), abs=0.02)
    assert value(0.7, 1.0, 1.0, table) == value(0.7, -1.0, 1.0, table)
    # High temperature: ln 2 cosh x + 2 K tanh^2 x to first order in K = 1/20, x = h / T.
    first_order = np.log(2 * np.cosh(0.5)) + 0.1 * np.tanh(0.5) ** 2
    assert value(20.0, 10.0, 1.0, table) == pytest.approx(first_order, abs=0.008)
    # Onsager's ln Z / N at Tc: ln 2 / 2 + 2 G / pi, with Catalan's G; circumference 8 adds 0.004.
    catalan = 0.915965594177219
    assert value(exact.critical_temperature(), 0.0, 1.0, table) == pytest.approx(
        np.log(2) / 2 + 2 * catalan / np.pi, abs=0.01
    )


def test_enumeration_refuses_large_lattices():
    with pytest.raises(ValueError, match="at most 20"):
        exact.all_states(5, 5)
