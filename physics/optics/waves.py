"""Waves in the aperture and the probes they form, many lanes at once, in single precision."""

from __future__ import annotations

from functools import cache, lru_cache
from math import comb, factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

from mattergym.physics.optics.aberrations import TERMS, edge_phases, wavelength

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
