"""Knock-on cross-sections against published figures and limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from mattergym.physics.layers import damage


@pytest.mark.parametrize(
    ("voltage", "energy"), [(60e3, 11.61), (80e3, 15.76), (200e3, 43.69), (300e3, 70.90)]
)
def test_largest_transfer_to_carbon(voltage, energy):
    assert damage.max_transfer(voltage, damage.CARBON_MASS) == pytest.approx(energy, abs=0.02)


def test_static_threshold_of_86_kev_is_16_9_ev():
    assert damage.max_transfer(86e3, damage.CARBON_MASS) == pytest.approx(16.9, abs=0.15)
    below, above = damage.displacement_cross_section(
        np.array([85e3, 88e3]), threshold=16.9, velocity_squared=0.0
    )
    assert below == 0.0
    assert above > 0.0


@pytest.mark.parametrize(
    ("voltage", "barn", "tolerance"),
    [(80e3, 4e-6, 0.5), (90e3, 5e-3, 0.2), (95e3, 0.060, 0.1), (100e3, 0.345, 0.05),
     (110e3, 2.5, 0.05), (120e3, 5.5, 0.1)],
)  # fmt: skip
def test_vibrating_carbon(voltage, barn, tolerance):
    assert damage.displacement_cross_section(voltage) == pytest.approx(barn, rel=tolerance)


@pytest.mark.parametrize(("voltage", "number", "threshold"), [(120e3, 6, 16.9), (300e3, 14, 9.0)])
def test_closed_form_is_the_integral_of_the_differential_cross_section(voltage, number, threshold):
    # Mott's series to first order in Z alpha: McKinley & Feshbach (1948), over the transfer T.
    gamma = 1.0 + voltage / 510998.95
    beta = np.sqrt(1.0 - gamma**-2)
    largest = 3.0 * threshold
    scale = np.pi * (number * 2.8179403e-15) ** 2 * (1.0 - beta**2) / beta**4 * 1e28

    def per_transfer(t):
        share = t / largest
        mott = np.pi * number / 137.036 * beta * (np.sqrt(share) - share)
        return scale * largest / t**2 * (1.0 - beta**2 * share + mott)

    wanted = integrate.quad(per_transfer, threshold, largest, epsrel=1e-10)[0]
    value = damage.mckinley_feshbach(voltage, number, threshold, largest)
    assert value == pytest.approx(wanted, rel=1e-6)


def test_cold_limit_and_rise_with_voltage():
    voltages = np.linspace(110e3, 300e3, 12)
    cold = damage.displacement_cross_section(voltages, velocity_squared=1e-3)
    static = damage.displacement_cross_section(voltages, velocity_squared=0.0)
    np.testing.assert_allclose(cold, static, rtol=1e-4)
    assert (np.diff(damage.displacement_cross_section(np.linspace(70e3, 120e3, 20))) > 0).all()


def test_rate_of_a_tenth_of_a_barn_at_60_picoampere():
    assert damage.event_rate(0.1, 60.0) == pytest.approx(0.37, abs=0.006)
