"""The STEM's costs are those of the bench."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.envs.stem import microscope

CHARGE = 1.602176634e-19  # C


def test_dose_of_a_pixel():
    # 50 pA for 20 us on 0.05 A^2 is 1.25e5 e/A^2.
    pixels, current = 256**2, 50.0
    field_of_view = (0.05 * pixels) ** 0.5 / 10.0  # nm
    dose = microscope.frame_dose(pixels, 20.0, field_of_view, current)
    assert dose == pytest.approx(1.25e5, rel=2e-3)
    dwell = microscope.dwell_of_dose(np.array([dose]), pixels, field_of_view, current)
    assert dwell[0] == pytest.approx(20.0)


def test_a_frame_takes_its_dwell_and_the_flyback_of_its_lines():
    seconds = microscope.frame_seconds(256**2, 20.0)
    assert seconds == pytest.approx(256**2 * 20e-6 + 256 * 60e-6)
    assert microscope.dwell_of(seconds, 256**2) == pytest.approx(20.0)


def test_a_parked_beam_falls_on_a_square_angstrom():
    assert microscope.parked_dose(2.0, 60.0) == pytest.approx(2.0 * 60e-12 / CHARGE)


def test_a_tableau_exposes_its_field_throughout():
    assert microscope.TABLEAU_S == 90.0
    assert microscope.tableau_dose(100.0, 50.0) == pytest.approx(90.0 * 50e-12 / CHARGE / 1000.0**2)
    assert microscope.measure_tableau(100.0, 50.0).cost == "90 s, 28087 e/A^2"


def test_a_ronchigram_pays_for_its_known_defocus():
    electrons = 1e6
    exposure = electrons * CHARGE / 50e-12
    assert microscope.ronchigram_seconds(electrons, 50.0) == pytest.approx(2.0 + exposure)
    assert microscope.ronchigram_dose(electrons, 50.0) == pytest.approx(400.0)
    assert "400 e/A^2" in microscope.record_ronchigram(25.0, electrons, 50.0, 50.0).cost
