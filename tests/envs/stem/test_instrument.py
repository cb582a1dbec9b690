"""The STEM's costs are those of the bench."""

from __future__ import annotations

import pytest

from mattergym.envs.stem.instrument import Stem


def test_dose_of_a_pixel():
    # 50 pA for 20 us on 0.05 A^2 is 1.25e5 e/A^2.
    stem = Stem(current=50.0)
    pixels = 256**2
    field_of_view = (0.05 * pixels) ** 0.5 / 10.0  # nm
    seconds, dose = stem.cost("acquire", pixels=pixels, dwell=20.0, field_of_view=field_of_view)
    assert dose == pytest.approx(1.25e5, rel=2e-3)
    assert seconds == pytest.approx(pixels * 20e-6 + 256 * 60e-6)


def test_parked_beam_and_free_commands():
    stem = Stem(current=60.0)
    assert stem.cost("place_beam", x=0.0, y=0.0, seconds=2.0) == pytest.approx(
        (2.0, 2.0 * 60e-12 / 1.602176634e-19)
    )
    assert stem.cost("blank") == (0.0, 0.0)
    assert stem.cost("measure_tableau", field_of_view=100.0)[0] == 90.0
    with pytest.raises(KeyError, match="acquire"):
        stem.cost("aquire")
