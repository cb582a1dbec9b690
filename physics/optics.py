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

from functools import cache
from math import comb, factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

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
def fill_pupils(turns: Any, grid: Any, out: Any) -> None:
    """Write exp(-i chi) inside the aperture, 0 outside, in FFT order.

    turns float64 (B, 7, 7): polynomials as chi_turns gives them; grid float32 (n,): coordinates in
    aperture radii; out float32 (B, n, 2 n): a view of complex64 (B, n, n).
    """
    one, zero = np.float32(1.0), np.float32(0.0)
    # Rounding must not decide whether a pixel on the rim belongs to the aperture.
    rim = np.float32(1.0 + 1e-5)
    for b in range(out.shape[0]):
        for i in range(grid.shape[0]):
            line = out[b, i]
            chord = rim - grid[i] * grid[i]
            if chord < zero:
                line[:] = zero
                continue
            p = row_polynomial(turns[b], np.float64(grid[i]))
            row = (p[0], p[1], p[2], p[3], p[4], p[5], p[6])
            for j in range(grid.shape[0]):
                y = grid[j]
                cosine, sine = sincos_turns(wave_turns(row, y))
                inside = one if y * y <= chord else zero
                line[2 * j] = inside * cosine
                line[2 * j + 1] = inside * sine


@njit(cache=True)
def multiply(waves: Any, gratings: Any) -> None:
    """Multiply waves by gratings in place, both float32 views (B, n, 2 n) of complex64.

    A single grating, shape (1, n, 2 n), serves all lanes.
    """
    for b in range(waves.shape[0]):
        grating = gratings[b if gratings.shape[0] > 1 else 0]
        for i in range(waves.shape[1]):
            w, g = waves[b, i], grating[i]
            for j in range(waves.shape[2] // 2):
                re, im = w[2 * j], w[2 * j + 1]
                w[2 * j] = re * g[2 * j] - im * g[2 * j + 1]
                w[2 * j + 1] = re * g[2 * j + 1] + im * g[2 * j]


@njit(cache=True)
def centred_intensity(waves: Any, out: Any) -> None:
    """Write abs(wave)^2 with the origin moved to the middle; waves as above, out (B, n, n)."""
    n = out.shape[1]
    half = (n + 1) // 2
    for b in range(out.shape[0]):
        for i in range(n):
            w, o = waves[b, i], out[b, (i + n // 2) % n]
            for j in range(half):
                o[j + n // 2] = w[2 * j] * w[2 * j] + w[2 * j + 1] * w[2 * j + 1]
            for j in range(half, n):
                o[j - half] = w[2 * j] * w[2 * j] + w[2 * j + 1] * w[2 * j + 1]


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
    grid = (scipy.fft.fftfreq(pixels, 1.0 / pixels) * step).astype(np.float32)
    out = np.empty((len(turns), pixels, pixels), np.complex64)
    fill_pupils(turns, grid, out.view(np.float32))
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
    centred_intensity(waves.view(np.float32), out)
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
        around. The pixel is lambda / (n step aperture).
    step : float
        Pixel of the result in units of the aperture's half-angle.

    Returns
    -------
    ndarray of float32, shape (B, n, n)
        In units of the beam's intensity inside the aperture without a specimen.
    """
    waves = pupils(phases, gratings.shape[-1], step)
    waves = scipy.fft.ifft2(waves, axes=(1, 2), overwrite_x=True, workers=1)
    multiply(waves.view(np.float32), gratings.view(np.float32))
    waves = scipy.fft.fft2(waves, axes=(1, 2), overwrite_x=True, workers=1)
    out = np.empty(waves.shape, np.float32)
    centred_intensity(waves.view(np.float32), out)
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
