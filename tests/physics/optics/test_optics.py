"""Electron optics against exact results, abTEM's arrays and itself."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.benchmarks.validation import abtem_optics as reference
from mattergym.physics.optics import aberrations, quality, ronchigram
from mattergym.physics.optics import waves as optics_waves

VOLTAGE, APERTURE = 60e3, 0.030


def random_phases(lanes, scale=2.0, seed=0):
    phases = np.random.default_rng(seed).normal(0.0, scale, (lanes, 14, 2))
    phases[:, aberrations.SYMMETRY == 0, 1] = 0.0
    return phases


def grid(n, step):
    k = np.fft.fftfreq(n) * n * step
    return np.meshgrid(k, k, indexing="ij")


@pytest.mark.parametrize(
    ("voltage", "angstrom", "sigma"),
    [
        (60e3, 0.0486606, 1.1357),
        (80e3, 0.0417572, 1.0087),
        (200e3, 0.0250793, 0.7288),
        (300e3, 0.0196875, 0.6526),
    ],
)
def test_wavelength_and_interaction_parameter(voltage, angstrom, sigma):
    assert aberrations.wavelength(voltage) == pytest.approx(angstrom, abs=1e-6)
    assert 1e3 * aberrations.interaction_parameter(voltage) == pytest.approx(sigma, abs=1e-4)


def compare_with(arrays):
    for index, voltage in enumerate(reference.VOLTAGES):
        assert np.abs(reference.our_wave(index) - arrays["waves"][index]).max() < 1e-5
        probe = arrays["probes"][index]
        assert np.abs(reference.our_probe(index) - probe).max() < 1e-3 * probe.max()
        assert aberrations.wavelength(voltage) == pytest.approx(
            arrays["wavelengths"][index], rel=1e-7
        )


def test_aberration_function_and_probe_are_abtems():
    with np.load(reference.FILE) as arrays:
        compare_with(arrays)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_abtem_itself_still_agrees():
    pytest.importorskip("abtem")
    computed = reference.compute()
    compare_with(computed)
    with np.load(reference.FILE) as arrays:
        for name, array in computed.items():
            np.testing.assert_allclose(arrays[name], array, rtol=0, atol=1e-6)


def test_pupil_kernel_is_the_readable_formula():
    n, step = 64, 2.2 / 64
    phases = random_phases(5)
    x, y = grid(n, step)
    inside = x**2 + y**2 <= 1.0
    for lane, pupil in enumerate(optics_waves.pupils(phases, n, step)):
        wanted = np.exp(-1j * aberrations.aberration_function(phases[lane], x, y)) * inside
        assert np.abs(pupil - wanted).max() < 1e-5


def plain_ronchigram(phases, grating, step):
    n = len(grating)
    x, y = grid(n, step)
    pupil = np.exp(-1j * aberrations.aberration_function(phases, x, y)) * (x**2 + y**2 <= 1.0)
    return np.fft.fftshift(np.abs(np.fft.fft2(np.fft.ifft2(pupil) * grating)) ** 2)


@pytest.mark.parametrize("n", [32, 96, 160, 256])
def test_ronchigrams_are_the_transforms_of_numpy(n):
    phases, step = random_phases(2), 2.4 / n
    gratings = np.exp(1j * np.random.default_rng(n).normal(0.0, 0.5, (2, n, n)))
    for shared in (gratings, gratings[1:]):
        images = ronchigram.ronchigrams(phases, shared.astype(np.complex64), step)
        for lane in range(2):
            wanted = plain_ronchigram(phases[lane], shared[lane % len(shared)], step)
            assert np.abs(images[lane] - wanted).max() < 3e-5 * wanted.max()


def test_kernels_run_as_plain_python():
    n = 8
    phases, step = random_phases(2), 2.2 / n
    turns = optics_waves.chi_turns(phases)
    axis = optics_waves.fft_grid(n, step)
    for kernel in (optics_waves.fill_row, optics_waves.fill_row.py_func):
        re, im = np.empty((2, n), np.float32)
        kernel(turns[1], axis, axis[2], re, im)
        assert np.abs(re + 1j * im - optics_waves.pupils(phases, n, step)[1, 2]).max() < 2e-6
    waves = optics_waves.pupils(phases, n, step)
    compiled, interpreted = np.empty((2, 2, n, n), np.float32)
    optics_waves.centred_intensity(waves, compiled)
    optics_waves.centred_intensity.py_func(waves, interpreted)
    np.testing.assert_allclose(interpreted, compiled, rtol=1e-6)
    np.testing.assert_allclose(
        compiled, np.fft.fftshift(np.abs(waves) ** 2, axes=(1, 2)), rtol=1e-5, atol=1e-7
    )
    x, t, w, v = quality._aperture_nodes()
    a, b = np.empty((2, 2))
    quality.sum_waves(turns, x, t.astype(np.float32), w, v, a)
    quality.sum_waves.py_func(turns, x, t.astype(np.float32), w, v, b)
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_sincos_polynomial():
    turns = np.linspace(-2, 2, 100_001).astype(np.float32)
    cosine, sine = optics_waves.sincos_turns.py_func(turns)
    angle = 2 * np.pi * turns.astype(np.float64)
    assert np.abs(cosine - np.cos(angle)).max() < 2e-6
    assert np.abs(sine - np.sin(angle)).max() < 2e-6


def test_width_of_the_perfect_probe():
    sampling = 0.08
    probe = optics_waves.probes(np.zeros((1, 14, 2)), VOLTAGE, APERTURE, 1024, sampling)
    assert probe.sum() == pytest.approx(1.0, abs=1e-5)
    airy = aberrations.wavelength(VOLTAGE) / APERTURE
    assert quality.fwhm(probe, sampling)[0] / airy == pytest.approx(0.515, abs=0.002)


def test_strehl_of_scherzers_conditions():
    voltage, cs = 200e3, 1e7
    lam = aberrations.wavelength(voltage)
    aperture = 1.34 * (lam / cs) ** 0.25
    defocus = -0.87 * np.sqrt(cs * lam)
    assert 1e3 * aperture == pytest.approx(9.48, abs=0.01)
    assert defocus / 10 == pytest.approx(-43.6, abs=0.1)
    lens = aberrations.coefficients(C30=[cs], C10=[defocus])
    assert quality.strehl(aberrations.edge_phases(lens, voltage, aperture))[0] == pytest.approx(
        0.863, abs=0.002
    )


def test_strehl_is_the_probes_peak_and_rms_its_small_limit():
    small = random_phases(6, 0.15)
    rms = quality.rms_phase(small)
    np.testing.assert_allclose(quality.strehl(small), np.exp(-(rms**2)), atol=0.01)
    # Round and even terms move no light sideways: the peak stays on axis.
    even = random_phases(4, 0.5, seed=1)
    even[:, aberrations.SYMMETRY % 2 == 1] = 0.0
    scale = aberrations.edge_phases(np.ones((14, 2)), VOLTAGE, APERTURE)
    lens = np.concatenate([np.zeros((1, 14, 2)), even / scale])
    peak = optics_waves.probes(lens, VOLTAGE, APERTURE, 512, 0.1)[:, 256, 256]
    np.testing.assert_allclose(peak[1:] / peak[0], quality.strehl(even), atol=0.02)


def test_tilt_is_removed():
    # Coma that is balanced by tilt: r^3 cos(phi) has a mean square of 1/8 - 1/9 without its plane.
    phases = np.zeros((1, 14, 2))
    phases[0, aberrations.NAMES.index("C21"), 1] = 0.3
    assert quality.rms_phase(phases)[0] == pytest.approx(0.3 * np.sqrt(1 / 8 - 1 / 9), rel=1e-6)
    assert quality.strehl(phases)[0] == pytest.approx(1 - 0.09 / 72, abs=1e-5)


def test_an_empty_film_leaves_the_aperture_and_any_film_the_electrons():
    n, step = 64, 2.2 / 64
    phases = random_phases(2)
    empty = ronchigram.ronchigrams(phases, np.ones((1, n, n), np.complex64), step)
    x, y = grid(n, step)
    np.testing.assert_allclose(empty, [np.fft.fftshift(x**2 + y**2 <= 1)] * 2, atol=2e-5)
    film = ronchigram.amorphous_film(n, 0.8, VOLTAGE, 100.0, np.random.default_rng(0))
    behind = ronchigram.ronchigrams(phases, np.exp(1j * film)[None], step)
    np.testing.assert_allclose(behind.sum((1, 2)), empty.sum((1, 2)), rtol=1e-4)
    assert behind[0].std() > 0.3


def test_a_lane_does_not_see_its_batch():
    phases = random_phases(64)
    films = [
        ronchigram.amorphous_film(32, 0.8, VOLTAGE, 100.0, np.random.default_rng(i))
        for i in range(64)
    ]
    gratings = np.exp(1j * np.array(films))
    together = ronchigram.ronchigrams(phases, gratings, 2 / 32)
    for lane in (0, 31, 63):
        one = slice(lane, lane + 1)
        assert np.array_equal(
            ronchigram.ronchigrams(phases[one], gratings[one], 2 / 32), together[one]
        )
        assert np.array_equal(quality.strehl(phases[one]), quality.strehl(phases)[one])
        assert np.array_equal(quality.rms_phase(phases[one]), quality.rms_phase(phases)[one])


def test_film_has_the_atoms_spectrum():
    n, sampling, thickness = 256, 0.4, 100.0
    generator = np.random.default_rng(3)
    films = [
        ronchigram.amorphous_film(n, sampling, VOLTAGE, thickness, generator) for _ in range(20)
    ]
    power = np.mean([np.abs(np.fft.fft2(film)) ** 2 for film in films], axis=0)
    q = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, sampling)] * 2))
    low, half = (power[(q > a) & (q < b)].mean() for a, b in ((0.02, 0.08), (0.50, 0.56)))
    width = 1 / (2 * np.pi * aberrations.BOHR_RADIUS * 6 ** (-1 / 3))
    wanted = [(1 + (k / width) ** 2) ** -2 * np.exp(-0.25 * k**2) for k in (0.05, 0.53)]
    assert half / low == pytest.approx(wanted[1] / wanted[0], rel=0.06)
    assert np.var(films) == pytest.approx(0.29**2, rel=0.1)


def test_bad_names_and_coarse_sampling_raise():
    with pytest.raises(ValueError, match="C11"):
        aberrations.coefficients(C11=3.0)
    with pytest.raises(ValueError, match="pixels = 48; Ronchigrams need a multiple of 32"):
        ronchigram.ronchigrams(np.zeros((1, 14, 2)), np.ones((1, 48, 48), np.complex64), 0.05)
    with pytest.raises(ValueError, match="sampling"):
        optics_waves.probes(np.zeros((1, 14, 2)), VOLTAGE, APERTURE, 64, 1.0)
