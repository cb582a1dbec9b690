r"""Electron optics: aberrations, probes and Ronchigrams, for a batch of lanes in one call.

Lengths are in Angstrom, angles in rad, voltages in V. Axis 0 of an image is x, axis 1 is y.

The aberration function in Krivanek's notation,

.. math:: \chi = \frac{2\pi}{\lambda} \sum_{nm} \frac{C_{nm}\alpha^{n+1}}{n+1}
          \cos m(\phi - \phi_{nm}),

enters the pupil as exp(-i chi), so that a positive C10 is an underfocus of the lens' strength
(defocus = -C10), the convention of abTEM. Inside, everything is dimensionless: the phases that
the terms reach at the edge of the aperture ("edge phases"), and coordinates in aperture radii.

References
----------
Krivanek, O. L., Dellby, N. & Lupini, A. R. (1999), Ultramicroscopy 78, 1 (notation).
Kirkland, E. J. (2020), Advanced Computing in Electron Microscopy, 3rd ed. (wavelength, sigma,
phase gratings).
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import comb, factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

from mattergym.physics.fourier import copy_vectors, plan, transform
from mattergym.physics.simd_float import LANES, load, multiply_add, splat, store, transpose_tile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# CODATA 2018; all but the electron mass are exact.
PLANCK = 6.62607015e-34  # J s
LIGHT_SPEED = 299792458.0  # m/s
ELEMENTARY_CHARGE = 1.602176634e-19  # C
ELECTRON_MASS = 9.1093837015e-31  # kg
BOHR_RADIUS = 0.529177  # A

# (n, m) of the fourteen terms to fifth order. Round terms (m = 0) have no sine part.
TERMS = (
    (1, 0), (1, 2), (2, 1), (2, 3), (3, 0), (3, 2), (3, 4),
    (4, 1), (4, 3), (4, 5), (5, 0), (5, 2), (5, 4), (5, 6),
)  # fmt: skip
ORDER = np.array([n for n, _ in TERMS])
SYMMETRY = np.array([m for _, m in TERMS])
NAMES = tuple(f"C{n}{m}" for n, m in TERMS)


def wavelength(voltage: ArrayLike) -> Any:
    """Relativistic wavelength of electrons in A.

    lambda = h / sqrt(2 m e V (1 + e V / (2 m c^2))); Kirkland (2020), eq. 2.5. Any shape.
    """
    energy = ELEMENTARY_CHARGE * np.asarray(voltage, np.float64)
    rest = ELECTRON_MASS * LIGHT_SPEED**2
    momentum = np.sqrt(2.0 * ELECTRON_MASS * energy * (1.0 + energy / (2.0 * rest)))
    return 1e10 * PLANCK / momentum


def interaction_parameter(voltage: ArrayLike) -> Any:
    """Phase shift per projected potential, sigma, in rad/(V A); Kirkland (2020), eq. 5.6."""
    rest = ELECTRON_MASS * LIGHT_SPEED**2 / ELEMENTARY_CHARGE  # V
    v = np.asarray(voltage, np.float64)
    return 2.0 * np.pi / (wavelength(v) * v) * (rest + v) / (2.0 * rest + v)


def coefficients(**named: ArrayLike) -> NDArray[np.float64]:
    """Collect aberrations by name, e.g. ``coefficients(C10=-50, C12=20, phi12=0.3)``.

    Parameters
    ----------
    **named : float or array-like of shape (B,)
        ``Cnm`` in A and ``phinm`` in rad, of the terms in :data:`TERMS`.

    Returns
    -------
    ndarray of float64, shape (..., 14, 2)
        Cnm cos(m phi) and Cnm sin(m phi).

    Raises
    ------
    ValueError
        If a name is none of the terms'.
    """
    angles = {f"phi{n}{m}" for n, m in TERMS if m}
    unknown = sorted(set(named) - set(NAMES) - angles)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} are no aberrations; known are {', '.join(NAMES)}")
    values = {name: np.asarray(value, np.float64) for name, value in named.items()}
    shape = np.broadcast_shapes(*(value.shape for value in values.values()))
    out = np.zeros((*shape, len(TERMS), 2))
    for k, (n, m) in enumerate(TERMS):
        magnitude = values.get(f"C{n}{m}", np.zeros(()))
        angle = m * values.get(f"phi{n}{m}", np.zeros(()))
        out[..., k, 0] = magnitude * np.cos(angle)
        out[..., k, 1] = magnitude * np.sin(angle)
    return out


def edge_phases(
    coefficients: NDArray[np.float64], voltage: float, aperture: float
) -> NDArray[np.float64]:
    """Phase in rad that every coefficient reaches at the edge of the aperture.

    (2 pi / lambda) C alpha^(n+1) / (n+1), same shape (..., 14, 2) as the coefficients.
    """
    scale = 2.0 * np.pi / wavelength(voltage) * aperture ** (ORDER + 1.0) / (ORDER + 1.0)
    return np.asarray(coefficients, np.float64) * scale[:, None]


def aberration_function(
    phases: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Aberration function chi in rad: the readable reference of the kernels, in float64.

    Parameters
    ----------
    phases : ndarray of float64, shape (..., 14, 2)
        Edge phases in rad.
    x, y : ndarray of float64, shape (...)
        Direction in units of the aperture's half-angle.

    Returns
    -------
    ndarray of float64, shape (lanes of phases, shape of x)
    """
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    parts = np.stack(
        [[r ** (n + 1) * np.cos(m * phi), r ** (n + 1) * np.sin(m * phi)] for n, m in TERMS]
    )
    chi: NDArray[np.float64] = np.tensordot(phases, parts, axes=2)
    return chi


# Taylor coefficients of sin(h)/h and cos(h) in h^2; on -pi/2..pi/2 what is left out is below 6e-8.
S1, S2, S3, S4, S5 = (np.float32((-1) ** k / factorial(2 * k + 1)) for k in range(1, 6))
C1, C2, C3, C4, C5, C6 = (np.float32((-1) ** k / factorial(2 * k)) for k in range(1, 7))
# Rounding must not decide whether a pixel on the rim belongs to the aperture.
RIM = np.float32(1.0 + 1e-5)
ONE, TWO, HALF, PI = np.float32(1.0), np.float32(2.0), np.float32(0.5), np.float32(np.pi)


@njit(cache=True)
def sincos_turns(t: Any) -> Any:
    """Cosine and sine of 2 pi t, float32, to about 1e-6: polynomials of the half angle.

    Branch-free, so that loops over it vectorise; the C library's sincos costs forty times more.
    """
    h = (t - np.floor(t + HALF)) * PI  # -pi/2..pi/2
    h2 = h * h
    s = h * (ONE + h2 * (S1 + h2 * (S2 + h2 * (S3 + h2 * (S4 + h2 * S5)))))
    c = ONE + h2 * (C1 + h2 * (C2 + h2 * (C3 + h2 * (C4 + h2 * (C5 + h2 * C6)))))
    return ONE - TWO * s * s, TWO * s * c


@cache
def _monomials() -> NDArray[np.float64]:
    """Coefficients of x^i y^j in every term: float64 (28, 7, 7), [term, j, i].

    r^(n+1) (cos m phi + i sin m phi) = (x^2 + y^2)^((n+1-m)/2) (x + i y)^m.
    """
    out = np.zeros((len(TERMS), 2, 7, 7))
    for k, (n, m) in enumerate(TERMS):
        half = (n + 1 - m) // 2
        for p in range(half + 1):
            for q in range(m + 1):
                part = comb(half, p) * comb(m, q) * 1j**q
                out[k, 0, 2 * p + q, n + 1 - 2 * p - q] += part.real
                out[k, 1, 2 * p + q, n + 1 - 2 * p - q] += part.imag
    return out.reshape(2 * len(TERMS), 7, 7)


def chi_turns(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chi / (2 pi) of edge phases (B, 14, 2) as polynomials in x and y: (B, 7, 7), [b, j, i]."""
    rows = np.asarray(phases, np.float64).reshape(-1, 2 * len(TERMS)) / (2.0 * np.pi)
    turns: NDArray[np.float64] = np.einsum("bk,kji->bji", rows, _monomials(), optimize=False)
    return turns


@njit(cache=True)
def row_polynomial(turns: Any, x: float) -> Any:
    """Coefficients of y^0 .. y^6 on the row at x, float32, from one lane's (7, 7)."""
    row = np.zeros(7, np.float32)
    for j in range(7):
        value = 0.0
        for i in range(6, -1, -1):
            value = value * x + turns[j, i]
        row[j] = value
    return row


@njit(cache=True)
def wave_turns(row: Any, y: Any) -> Any:
    """Return the turns of exp(-i chi) at y on a row of :func:`row_polynomial`."""
    c0, c1, c2, c3, c4, c5, c6 = row
    return -(c0 + y * (c1 + y * (c2 + y * (c3 + y * (c4 + y * (c5 + y * c6))))))


@njit(cache=True)
def fill_row(turns: Any, grid: Any, x: Any, re: Any, im: Any) -> None:
    """Write exp(-i chi) on the row at x inside the aperture, 0 outside.

    turns float64 (7, 7): polynomials as chi_turns gives them; grid float32 (n,): coordinates in
    aperture radii; x one of them; re, im float32 (n,).
    """
    one, zero = np.float32(1.0), np.float32(0.0)
    chord = RIM - x * x
    p = row_polynomial(turns, np.float64(x))
    row = (p[0], p[1], p[2], p[3], p[4], p[5], p[6])
    for j in range(grid.shape[0]):
        y = grid[j]
        cosine, sine = sincos_turns(wave_turns(row, y))
        inside = one if y * y <= chord else zero
        re[j] = inside * cosine
        im[j] = inside * sine


@njit(cache=True)
def fill_pupils(turns: Any, grid: Any, out: Any) -> None:
    """Write pupils in FFT order to ``out``, complex64 (B, n, n); turns float64 (B, 7, 7)."""
    re, im = np.empty(grid.shape[0], np.float32), np.empty(grid.shape[0], np.float32)
    for b in range(out.shape[0]):
        for i in range(grid.shape[0]):
            fill_row(turns[b], grid, grid[i], re, im)
            for j in range(grid.shape[0]):
                out[b, i, j] = complex(re[j], im[j])


@njit(cache=True)
def centred_intensity(waves: Any, out: Any) -> None:
    """Write abs(wave)^2 with the origin moved to the middle, both (B, n, n)."""
    n = out.shape[1]
    half = (n + 1) // 2
    for b in range(out.shape[0]):
        for i in range(n):
            w, o = waves[b, i], out[b, (i + n // 2) % n]
            for j in range(half):
                o[j + n // 2] = w[j].real * w[j].real + w[j].imag * w[j].imag
            for j in range(half, n):
                o[j - half] = w[j].real * w[j].real + w[j].imag * w[j].imag


@njit(cache=True)
def scatter(
    turns: Any, grid: Any, gratings: Any, factors: Any, twiddles: Any, work: Any, out: Any
) -> None:
    """Send the waves of pupils through gratings and write their far-field intensities.

    Two transforms each way, along x for blocks of sixteen y and along y for blocks of sixteen x;
    rows and columns outside the aperture are left out of the way in.

    Parameters
    ----------
    turns : ndarray of float64, shape (B, 7, 7)
    grid : ndarray of float32, shape (n,)
        As :func:`fill_row` takes them; n a multiple of 32.
    gratings : ndarray of float32, shape (B, n, 2 n) or (1, n, 2 n)
        View of complex64.
    factors, twiddles
        Of :func:`mattergym.physics.fourier.plan` of n.
    work : ndarray of float32, shape (4, n * n)
    out : ndarray of float32, shape (B, n, n)
        The origin is moved to the middle.
    """
    n = grid.shape[0]
    block = n * LANES
    scale, zero = splat(np.float32(1.0 / (n * n))), splat(np.float32(0.0))
    line_re, line_im = np.empty(n, np.float32), np.empty(n, np.float32)
    # Blocks of sixteen y over x, and of sixteen x over y.
    wave_re, wave_im, turned_re, turned_im = work[0], work[1], work[2], work[3]
    re, im = np.empty(block, np.float32), np.empty(block, np.float32)
    other_re, other_im = np.empty(block, np.float32), np.empty(block, np.float32)
    through = np.empty(2 * block, np.float32)
    for b in range(out.shape[0]):
        for i in range(n):
            if grid[i] * grid[i] <= RIM:
                fill_row(turns[b], grid, grid[i], line_re, line_im)
            else:
                line_re[:] = 0.0
                line_im[:] = 0.0
            for j in range(0, n, LANES):
                store(wave_re, j * n + i * LANES, load(line_re, j))
                store(wave_im, j * n + i * LANES, load(line_im, j))
        for j in range(0, n, LANES):
            if np.abs(grid[j : j + LANES]).min() > RIM:
                for i in range(0, n, LANES):
                    for k in range(i * n + j * LANES, i * n + (j + LANES) * LANES, LANES):
                        store(turned_re, k, zero)
                        store(turned_im, k, zero)
                continue
            copy_vectors(wave_re, j * n, re, block)
            copy_vectors(wave_im, j * n, im, block)
            # The inverse: parts swapped.
            y, x = transform(factors, twiddles, im, re, other_im, other_re)
            for i in range(0, n, LANES):
                transpose_tile(x, i * LANES, LANES, turned_re, i * n + j * LANES, LANES)
                transpose_tile(y, i * LANES, LANES, turned_im, i * n + j * LANES, LANES)
        grating = gratings[b if gratings.shape[0] > 1 else 0].reshape(2 * n * n)
        for i in range(0, n, LANES):
            copy_vectors(turned_re, i * n, re, block)
            copy_vectors(turned_im, i * n, im, block)
            y, x = transform(factors, twiddles, im, re, other_im, other_re)
            for j in range(0, 2 * n, LANES):
                transpose_tile(grating, 2 * i * n + j, 2 * n, through, j * LANES, LANES)
            for k in range(0, block, LANES):
                ar, ai = scale * load(x, k), scale * load(y, k)
                br, bi = load(through, 2 * k), load(through, 2 * k + LANES)
                store(re, k, ar * br - ai * bi)
                store(im, k, multiply_add(ar, bi, ai * br))
            x, y = transform(factors, twiddles, re, im, other_re, other_im)
            for j in range(0, n, LANES):
                transpose_tile(x, j * LANES, LANES, wave_re, j * n + i * LANES, LANES)
                transpose_tile(y, j * LANES, LANES, wave_im, j * n + i * LANES, LANES)
        image = out[b].reshape(n * n)
        for j in range(0, n, LANES):
            copy_vectors(wave_re, j * n, re, block)
            copy_vectors(wave_im, j * n, im, block)
            x, y = transform(factors, twiddles, re, im, other_re, other_im)
            place = (j + n // 2) % n
            for i in range(n):
                ar, ai = load(x, i * LANES), load(y, i * LANES)
                store(image, (i + n // 2) % n * n + place, multiply_add(ar, ar, ai * ai))


def fft_grid(pixels: int, step: float) -> NDArray[np.float32]:
    """Coordinates of pixels in FFT order, in units of the step's, float32 (pixels,)."""
    return (scipy.fft.fftfreq(pixels, 1.0 / pixels) * step).astype(np.float32)


@lru_cache(maxsize=4)
def _workspace(pixels: int) -> NDArray[np.float32]:
    """Work space of :func:`scatter`, kept: fresh pages cost more than the transforms."""
    return np.empty((4, pixels**2), np.float32)


def pupils(phases: NDArray[np.float64], pixels: int, step: float) -> NDArray[np.complex64]:
    """Pupil functions exp(-i chi) with a sharp aperture, in FFT order.

    Parameters
    ----------
    phases : ndarray of float64, shape (B, 14, 2)
        Edge phases in rad.
    pixels : int
        Edge n of the square grid.
    step : float
        Pixel in units of the aperture's half-angle; the grid should hold the aperture, n step > 2.

    Returns
    -------
    ndarray of complex64, shape (B, n, n)
        The error of the phase is about 1e-7 of the largest edge phase.
    """
    turns = chi_turns(phases)
    out = np.empty((len(turns), pixels, pixels), np.complex64)
    fill_pupils(turns, fft_grid(pixels, step), out)
    return out


def probes(
    coefficients: NDArray[np.float64],
    voltage: float,
    aperture: float,
    pixels: int,
    sampling: float,
) -> NDArray[np.float32]:
    """Probe intensities, each summing to 1, centred at pixel (n // 2, n // 2).

    Parameters
    ----------
    coefficients : ndarray of float64, shape (B, 14, 2)
        Aberrations in A.
    voltage : float
        In V.
    aperture : float
        Half-angle in rad.
    pixels : int
        Edge n of the square image.
    sampling : float
        Pixel in A; the field n * sampling should hold the probe's tails.

    Returns
    -------
    ndarray of float32, shape (B, n, n)

    Raises
    ------
    ValueError
        If the sampling is too coarse for the aperture.
    """
    lam = float(wavelength(voltage))
    coarsest = lam / (2.0 * aperture)
    if sampling > coarsest:
        raise ValueError(
            f"sampling = {sampling:g} A is too coarse for {1e3 * aperture:g} mrad at "
            f"{voltage / 1e3:g} kV; at most {coarsest:.4g} A"
        )
    step = lam / (pixels * sampling) / aperture
    waves = pupils(edge_phases(coefficients, voltage, aperture), pixels, step)
    waves = scipy.fft.ifft2(waves, axes=(1, 2), overwrite_x=True, workers=1)
    out = np.empty(waves.shape, np.float32)
    centred_intensity(waves, out)
    out /= out.sum(axis=(1, 2), keepdims=True)
    return out


def ronchigrams(
    phases: NDArray[np.float64], gratings: NDArray[np.complex64], step: float
) -> NDArray[np.float32]:
    """Far-field intensities behind phase gratings, the optical axis at pixel (n // 2, n // 2).

    Parameters
    ----------
    phases : ndarray of float64, shape (B, 14, 2)
        Edge phases in rad.
    gratings : ndarray of complex64, shape (B, n, n) or (1, n, n)
        Transmission functions, e.g. ``exp(1j * film)``; the probe sits on pixel (0, 0) and wraps
        around. The pixel is lambda / (n step aperture); n is a multiple of 32.
    step : float
        Pixel of the result in units of the aperture's half-angle.

    Returns
    -------
    ndarray of float32, shape (B, n, n)
        In units of the beam's intensity inside the aperture without a specimen.

    Raises
    ------
    ValueError
        If n is no multiple of 32.
    """
    pixels = gratings.shape[-1]
    if pixels % (2 * LANES):
        raise ValueError(f"pixels = {pixels}; Ronchigrams need a multiple of {2 * LANES}")
    turns = chi_turns(phases)
    out = np.empty((len(turns), pixels, pixels), np.float32)
    views = np.ascontiguousarray(gratings, np.complex64).view(np.float32)
    factors, twiddles = plan(pixels)
    work = _workspace(pixels)
    scatter(turns, fft_grid(pixels, step), views, factors, twiddles, work, out)
    return out


def amorphous_film(
    pixels: int,
    sampling: float,
    voltage: float,
    thickness: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Phase shift in rad of a film of amorphous carbon: a Gaussian field with atomic spectrum.

    Atoms at random places (2.0 g/cm^3, 0.1003 per A^3) shift the phase by sigma V_z each. The
    power spectrum is then their areal density times the square of sigma h^2/(2 pi m e) f(q), with
    Wentzel's scattering factor f = (2 Z / a0) / ((2 pi q)^2 + 1/a^2), a = a0 Z^(-1/3), and a
    Debye-Waller factor of 0.5 A^2. Interference between neighbours is left out.

    Parameters
    ----------
    pixels : int
        Edge of the square, periodic film.
    sampling : float
        Pixel in A.
    voltage : float
        In V.
    thickness : float
        In A.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (pixels, pixels)
        Zero mean.
    """
    q = scipy.fft.fftfreq(pixels, sampling)
    q2 = q[:, None] ** 2 + scipy.fft.rfftfreq(pixels, sampling) ** 2
    z, a = 6.0, BOHR_RADIUS * 6.0 ** (-1.0 / 3.0)
    factor = 2.0 * z / BOHR_RADIUS / (4.0 * np.pi**2 * q2 + a**-2)
    # h^2 / (2 pi m e) = 47.878 V A^2.
    atom = interaction_parameter(voltage) * 47.878 * factor * np.exp(-0.5 * q2 / 4.0)
    amplitude = atom * np.sqrt(0.1003 * thickness) / sampling
    amplitude[0, 0] = 0.0
    noise = scipy.fft.rfft2(generator.standard_normal((pixels, pixels)))
    film = scipy.fft.irfft2(noise * amplitude, (pixels, pixels))
    return film.astype(np.float32)
