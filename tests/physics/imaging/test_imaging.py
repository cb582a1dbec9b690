"""HAADF images against abTEM's multislice, dose and noise laws."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.benchmarks.validation import abtem_haadf as reference
from mattergym.physics.imaging import convolution, detector, haadf
from mattergym.physics.optics import aberrations
from mattergym.physics.rng import seed_streams


def compare_with(images):
    for case, wanted in zip(reference.CASES, images, strict=True):
        error = reference.our_image(*case) - wanted
        assert np.sqrt((error**2).mean()) < 0.01 * wanted.max()


def test_silicon_in_graphene_is_abtems():
    with np.load(reference.FILE) as arrays:
        compare_with(arrays["images"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_abtem_itself_still_agrees():
    pytest.importorskip("abtem")
    images = reference.compute()["images"]
    compare_with(images)
    with np.load(reference.FILE) as arrays:
        np.testing.assert_allclose(images, arrays["images"], atol=2e-4 * images.max())


def streams_of(lanes):
    return seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, np.uint64), 1)


def test_a_probe_over_one_atom_gives_back_its_cross_section():
    camera = haadf.Haadf(128, 0.15, 80e3, 0.030)
    middle = np.full((1, 1, 2), 63.5 * 0.15)
    fraction = camera(np.arange(1), middle, np.ones((1, 1)))[0]
    # What the tails carry beyond the frame: 2/(pi v), v = 2 pi alpha R/lambda (Born & Wolf 8.5.2).
    v = 2.0 * np.pi * 0.030 * 9.6 / float(aberrations.wavelength(80e3))
    assert fraction.sum() * 0.15**2 == pytest.approx(1.0, abs=2.0 / (np.pi * v))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.07, 0.11), (0.149, 0.05)])
def test_atoms_between_grid_cells_are_imaged_as_those_on_them(shift):
    camera = haadf.Haadf(64, 0.15, 60e3, 0.030)
    weights = np.ones((1, 1))
    place = np.array([4.65, 4.65]) + shift
    moved = camera(np.arange(1), place.reshape(1, 1, 2), weights)[0]
    y, x = np.mgrid[:64, :64] * 0.15
    assert (moved * x).sum() / moved.sum() == pytest.approx(place[0], abs=0.01)
    assert (moved * y).sum() / moved.sum() == pytest.approx(place[1], abs=0.01)
    fine = haadf.Haadf(128, 0.075, 60e3, 0.030)
    again = fine(np.arange(1), place.reshape(1, 1, 2), weights)[0][::2, ::2]
    assert np.abs(again - moved).max() < 5e-3 * moved.max()


def test_source_and_atom_widen_by_their_gaussians():
    step, pixels, width, source = 0.1, 240, 0.3, 1.2
    place = np.full((1, 1, 2), 0.5 * pixels * step)
    spectra = []
    for size in ({"atom_width": 0.0}, {"atom_width": width, "source_size": source}):
        camera = haadf.Haadf(pixels, step, 60e3, 0.030, **size)
        image = camera(np.arange(1), place, np.ones((1, 1)))[0]
        spectra.append(np.abs(np.fft.rfft2(image)))
    ky, kx = np.fft.fftfreq(pixels, step)[:, None], np.fft.rfftfreq(pixels, step)
    variance = width**2 + (source / 2.3548) ** 2
    low = kx**2 + ky**2 < 0.5**2
    wanted = np.exp(-2.0 * np.pi**2 * variance * (kx**2 + ky**2))
    np.testing.assert_allclose((spectra[1] / spectra[0])[low], wanted[low], atol=0.01)


@pytest.mark.parametrize(("pixels", "pixel_size"), [(1, 0.3), (37, 0.2), (64, 0.31), (130, 0.1)])
def test_frames_are_the_convolution_of_numpy(pixels, pixel_size):
    # Aberrations without any symmetry; a grid that is no multiple of sixteen.
    lens = aberrations.coefficients(C10=-30.0, C12=25.0, phi12=0.3, C21=800.0, phi21=1.0, C23=500.0)
    camera = haadf.Haadf(pixels, pixel_size, 60e3, 0.030, lens, source_size=0.5)
    generator = np.random.default_rng(pixels)
    positions = generator.uniform(-3.0, pixels * pixel_size + 3.0, (1, 40, 2))
    weights = generator.uniform(0.5, 1.0, (1, 40))
    image = camera(np.arange(1), positions, weights)[0]
    n, step, margin, finer = camera._size, camera._step, camera._margin, camera._finer
    grid = np.empty((-(-n // 16), n, 16), np.float32)
    convolution.spread(positions[0], weights[0], step, -margin * step, grid)
    grid = grid.transpose(1, 0, 2).reshape(n, -1)[:, :n]
    low = np.stack(camera._response[:2]).reshape(2, -1, n, 16).transpose(0, 2, 1, 3)
    low = low.reshape(2, n, -1)[:, :, : n // 2]
    transfer = 2.0 * n**2 * (low[0] + 1j * low[1])
    nyquist = 2.0 * n**2 * camera._response[2][1]
    transfer = np.concatenate([transfer, nyquist[:, None]], axis=1)
    whole = np.fft.irfft2(np.fft.rfft2(grid.T.astype(float)) * transfer, (n, n)).T
    part = slice(margin, margin + pixels * finer, finer)
    wanted = np.maximum(whole[part, part], 0.0)
    assert np.abs(image - wanted).max() < 2e-6 * wanted.max()


def test_z_contrast_exponents_are_those_of_haadf():
    for voltage in (60e3, 80e3, 200e3, 300e3):
        for number in (14, 42, 74):
            assert 1.5 < haadf.contrast_exponent(6, number, voltage) < 1.95
        elements = [6, 7, 14, 16, 42, 74]
        sections = [haadf.cross_section(number, voltage) for number in elements]
        assert 1.5 < np.polyfit(np.log(elements), np.log(sections), 1)[0] < 1.9


def test_unknown_cross_section_is_named():
    with pytest.raises(ValueError, match=r"tabulated are Z \[6, 7, 14, 16, 42, 74\]"):
        haadf.cross_section(79, 60e3)


def test_noise_is_poissons_and_snr_grows_as_the_root_of_the_dose():
    fractions = np.full((1, 256, 256), 2e-3, np.float32)
    snr = []
    for electrons in (1e3, 4e3, 1.6e4):
        counts = detector.expose(fractions, electrons, streams_of(1))
        assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.02)
        snr.append(counts.mean() / counts.std())
    np.testing.assert_allclose(np.divide(snr[1:], snr[:-1]), 2.0, rtol=0.02)


def test_dose_of_50_picoampere():
    assert detector.dose(50.0, 20.0, np.sqrt(0.05)) == pytest.approx(1.25e5, rel=2e-3)


def test_drift_and_flyback_move_columns():
    positions = np.array([[[0.0, 0.0], [0.0, 8.0], [5.0, 8.0]]])
    moved = detector.scanned_positions(positions, np.array([[0.5, 0.0]]), 0.1, 0.2, 0.4, 1.0)
    np.testing.assert_allclose(moved[0, 0], [0.4, 0.0])
    np.testing.assert_allclose(moved[0, 1], [0.5 * 4.0 + 0.4, 8.0])
    assert moved[0, 2, 0] == pytest.approx(5.0 + 2.0 + 0.4 * np.exp(-5.0))


def test_kernels_as_plain_python_and_lanes_apart():
    generator = np.random.default_rng(0)
    positions, weights = generator.uniform(-1.0, 5.0, (3, 20, 2)), generator.uniform(0, 1, (3, 20))
    lanes = np.arange(3)
    fast, plain = np.empty((2, 1, 16, 16), np.float32)
    convolution.spread(positions[1], weights[1], 0.3, -0.5, fast)
    convolution.spread.py_func(positions[1], weights[1], 0.3, -0.5, plain)
    np.testing.assert_allclose(fast, plain, rtol=1e-6)
    camera = haadf.Haadf(16, 0.3, 60e3, 0.030)
    together = camera(lanes, positions, weights)
    np.testing.assert_array_equal(camera(lanes[1:2], positions, weights)[0], together[1])
    counts = np.array([[0.0, 10.0, 1e4]])
    out = np.zeros((1, 3), np.uint8)
    detector.digitize(counts, 2.0, 5.0, 0.0, streams_of(1), out)
    assert out[0].tolist() == [5, 25, 255]


@pytest.mark.parametrize("electrons", [np.nan, np.inf, -5.0, 2.2e9, [1.0, -1.0]])
def test_counts_that_cannot_be_are_refused(electrons):
    streams = seed_streams(np.arange(2, dtype=np.uint64), np.zeros(2, np.uint64), 1)
    before = streams.copy()
    with pytest.raises(ValueError, match=r"mean of .* counts"):
        detector.expose(np.ones((2, 2, 2), np.float32), electrons, streams)
    assert np.array_equal(streams, before)


def test_counts_up_to_the_largest_fit_their_type():
    streams = seed_streams(np.arange(1, dtype=np.uint64), np.zeros(1, np.uint64), 1)
    counts = detector.expose(np.ones((1, 9, 9), np.float32), detector.MOST_COUNTS, streams)
    assert np.abs(counts / detector.MOST_COUNTS - 1.0).max() < 1e-3
