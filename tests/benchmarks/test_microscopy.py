"""The validations of the electron microscope pass and draw; yardsticks compute what ours do."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.benchmarks.speed import imaging as imaging_speed
from mattergym.benchmarks.speed import optics as optics_speed
from mattergym.benchmarks.validation import analyst, beam, frames, imaging
from mattergym.physics.optics import ronchigram


@pytest.mark.parametrize(
    ("module", "pictures"),
    [(imaging, ("haadf", "frames")), (beam, ("beam",)), (analyst, ("analyst",))],
)
def test_validation_passes_and_draws(module, pictures, tmp_path):
    checks = module.run(tmp_path, quick=True)
    assert [check.name for check in checks if not check.passed] == []
    assert len({check.name for check in checks}) == len(checks)
    for picture in pictures:
        assert (tmp_path / f"{picture}.png").read_bytes()[:4] == b"\x89PNG"


def test_frames_show_their_columns():
    frame = frames.frames()[0]
    levels = frames.acquire(frame, 0)
    inside = frame.crystal.positions - 5.0
    edge = frames.PIXELS * frame.pixel_size
    seen = ((inside > 1.0) & (inside < edge - 1.0)).all(axis=1)
    x, y = np.rint(inside[seen] / frame.pixel_size).astype(int).T
    metal = frame.crystal.site[seen] == 0
    assert levels[y, x][metal].mean() > 3.0 * levels.mean()
    assert levels.mean() < levels[y, x][~metal].mean() < 0.6 * levels[y, x][metal].mean()
    assert 0 < levels.min() + 1 < frames.DARK


def test_yardstick_of_ronchigrams_is_ours():
    phases = np.random.default_rng(0).normal(0.0, 2.0, (1, 14, 2))
    grating = np.exp(1j * np.random.default_rng(1).normal(0.0, 0.3, (1, 64, 64)))
    plain = optics_speed.plain_ronchigram(phases[0], grating[0], 2.4 / 64)
    ours = ronchigram.ronchigrams(phases, grating.astype(np.complex64), 2.4 / 64)[0]
    assert np.abs(plain - ours).max() < 1e-4 * plain.max()


def test_frames_that_are_timed_have_counts():
    timed = imaging_speed.Frames(64, 2)
    counts = timed.noisy()
    expected = timed.clean().sum() * imaging_speed.DOSE * imaging_speed.PIXEL**2
    assert abs(counts.sum() - expected) < 5.0 * np.sqrt(expected)
    assert 5.0 < counts.mean() < 50.0
    assert timed.plain().mean() == pytest.approx(counts.mean(), rel=0.05)
