"""The corrector's law, its coupling, and the camera's counting statistics."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.optics import corrector
from mattergym.physics.optics.ronchigram import amorphous_film, ronchigrams
from mattergym.physics.rng import normal, seed_streams


def streams(lanes, purpose=0):
    count = np.arange(lanes, dtype=np.uint64)
    return seed_streams(count, np.zeros_like(count), purpose)


def test_twelve_components():
    names = "C10 C12a C12b C21a C21b C23a C23b C30 C32a C32b C34a C34b"
    assert " ".join(corrector.LABELS) == names
    phases = corrector.all_phases(np.arange(1.0, 13.0)[None])
    assert np.count_nonzero(phases) == 12
    assert not phases[:, corrector.ORDER > 3].any()


def test_normal_numbers():
    row = streams(1)[0]
    draws = np.array([normal(row) for _ in range(40_000)])
    assert abs(draws.mean()) < 0.02
    assert draws.var() == pytest.approx(1.0, abs=0.03)
    assert (draws**4).mean() == pytest.approx(3.0, abs=0.25)
    assert normal.py_func(streams(1)[0]) == pytest.approx(draws[0], rel=1e-12)
    compiled, plain = np.empty((2, 3, 4))
    corrector.draw_errors(np.arange(1.0, 5.0), streams(3), compiled)
    corrector.draw_errors.py_func(np.arange(1.0, 5.0), streams(3), plain)
    np.testing.assert_allclose(plain, compiled, rtol=1e-12)


def test_knobs_act_through_the_coupling_and_saturate():
    generator = np.random.default_rng(0)
    p, u = generator.normal(size=(2, 3, 12))
    m = generator.normal(size=(3, 12, 12))
    for kernel in (corrector.turn_knobs, corrector.turn_knobs.py_func):
        after = p.copy()
        kernel(after, m, u, 0.0, 30.0, streams(3))
        np.testing.assert_allclose(after, p + np.einsum("bij,bj->bi", m, u), rtol=1e-12)
        kernel(after, m, 100.0 * u, 0.0, 30.0, streams(3))
        assert np.abs(after).max() == 30.0


def test_drift_is_a_random_walk():
    p, m, u = np.zeros((4000, 12)), np.zeros((4000, 12, 12)), np.zeros((4000, 12))
    rows = streams(4000)
    for _ in range(9):
        corrector.turn_knobs(p, m, u, 0.05, 30.0, rows)
    assert p.std() == pytest.approx(0.15, rel=0.02)


def test_couplings_follow_their_law_and_can_be_inverted():
    law = corrector.coupling_law(0.15, 0.4)
    drawn = corrector.draw_couplings(law, streams(2000))
    assert np.linalg.cond(drawn).max() <= corrector.WORST_CONDITION
    assert drawn[:, 0, 0].mean() == pytest.approx(1.0, abs=0.01)
    low, high = corrector.LABELS.index("C10"), corrector.LABELS.index("C30")
    assert drawn[:, low, high].std() == pytest.approx(0.4, rel=0.12)
    assert drawn[:, high, low].std() == pytest.approx(0.15, rel=0.12)


def test_camera_counts_electrons():
    lanes, n, electrons = 32, 16, 100.0
    bright = np.full((lanes, n, n), 2.0, np.float32)
    counts = np.empty((lanes, n, n), np.uint8)
    corrector.expose_camera(bright, electrons, 0.5, 8.0, 3.0, streams(lanes), counts)
    seen = (counts.astype(float) - 8.0) / 0.5
    assert seen.mean() == pytest.approx(200.0, abs=1.0)
    assert seen.var() == pytest.approx(200.0 + 9.0, rel=0.05)
    plain = np.empty((1, n, n), np.uint8)
    corrector.expose_camera.py_func(bright[:1], electrons, 0.5, 8.0, 3.0, streams(1), plain)
    assert np.array_equal(plain[0], counts[0])


def test_patches_come_from_the_film():
    film = (np.arange(32)[:, None] * 100 + np.arange(32)).astype(np.complex64)
    patches = np.empty((5, 8, 8), np.complex64)
    corrector.place_patches(film, streams(5), patches)
    for patch in patches:
        middle = np.fft.fftshift(patch)
        inner = np.diff(middle.real, axis=1)
        assert set(inner.ravel()) <= {1.0, -31.0}
    plain = np.empty((5, 8, 8), np.complex64)
    corrector.place_patches.py_func(film, streams(5), plain)
    assert np.array_equal(plain, patches)


def test_the_sign_of_aberrations_is_lost_in_focus_and_not_out_of_focus():
    # A film and its negative, turned by 180 degrees, are equally likely films. In focus the two
    # swap the signs of all aberrations: no analysis of one frame can tell p from -p.
    n = 64
    film = amorphous_film(n, 0.8, 60e3, 100.0, np.random.default_rng(0))
    turned = -np.roll(film[::-1, ::-1], (1, 1), (0, 1))
    phases = corrector.all_phases(np.random.default_rng(1).normal(0.0, 2.0, (1, 12)))
    defocus = np.zeros_like(phases)
    defocus[0, 0, 0] = 25.0

    def frame(chi, phase):
        return ronchigrams(chi, np.exp(1j * phase)[None], 2 / n)[0]

    scale = frame(phases, film).std()
    assert np.abs(frame(phases, film) - frame(-phases, turned)).max() < 1e-3 * scale
    apart = frame(phases + defocus, film) - frame(-phases + defocus, turned)
    assert apart.std() > 0.5 * scale


def test_camera_of_an_odd_number_of_pixels_writes_its_own_alone():
    for expose in (corrector.expose_camera, corrector.expose_camera.py_func):
        room = np.full((3, 5, 5), 7, np.uint8)
        expose(np.ones((1, 5, 5), np.float32), 500.0, 0.1, 20.0, 2.0, streams(1), room[1:2])
        assert (room[[0, 2]] == 7).all()
        assert abs(room[1].mean() - 70.0) < 3.0
