"""Ronchigrams: far-field shadow images of an amorphous film in a convergent probe.

References
----------
Ronchi, V. (1964), Appl. Opt. 3, 437.
Sawada, H. et al. (2008), Ultramicroscopy 108, 1467 (aberrations read from Ronchigrams).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

from mattergym.physics.fourier import copy_vectors, plan, transform
from mattergym.physics.optics.aberrations import BOHR_RADIUS, interaction_parameter
from mattergym.physics.optics.waves import RIM, _workspace, chi_turns, fft_grid, fill_row
from mattergym.physics.simd import FLOATS, load, multiply_add, splat, store, transpose_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    block = n * FLOATS
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
            for j in range(0, n, FLOATS):
                store(wave_re, j * n + i * FLOATS, load(line_re, j))
                store(wave_im, j * n + i * FLOATS, load(line_im, j))
        for j in range(0, n, FLOATS):
            if np.abs(grid[j : j + FLOATS]).min() > RIM:
                for i in range(0, n, FLOATS):
                    for k in range(i * n + j * FLOATS, i * n + (j + FLOATS) * FLOATS, FLOATS):
                        store(turned_re, k, zero)
                        store(turned_im, k, zero)
                continue
            copy_vectors(wave_re, j * n, re, block)
            copy_vectors(wave_im, j * n, im, block)
            # The inverse: parts swapped.
            y, x = transform(factors, twiddles, im, re, other_im, other_re)
            for i in range(0, n, FLOATS):
                transpose_tile(x, i * FLOATS, FLOATS, turned_re, i * n + j * FLOATS, FLOATS)
                transpose_tile(y, i * FLOATS, FLOATS, turned_im, i * n + j * FLOATS, FLOATS)
        grating = gratings[b if gratings.shape[0] > 1 else 0].reshape(2 * n * n)
        for i in range(0, n, FLOATS):
            copy_vectors(turned_re, i * n, re, block)
            copy_vectors(turned_im, i * n, im, block)
            y, x = transform(factors, twiddles, im, re, other_im, other_re)
            for j in range(0, 2 * n, FLOATS):
                transpose_tile(grating, 2 * i * n + j, 2 * n, through, j * FLOATS, FLOATS)
            for k in range(0, block, FLOATS):
                ar, ai = scale * load(x, k), scale * load(y, k)
                br, bi = load(through, 2 * k), load(through, 2 * k + FLOATS)
                store(re, k, ar * br - ai * bi)
                store(im, k, multiply_add(ar, bi, ai * br))
            x, y = transform(factors, twiddles, re, im, other_re, other_im)
            for j in range(0, n, FLOATS):
                transpose_tile(x, j * FLOATS, FLOATS, wave_re, j * n + i * FLOATS, FLOATS)
                transpose_tile(y, j * FLOATS, FLOATS, wave_im, j * n + i * FLOATS, FLOATS)
        image = out[b].reshape(n * n)
        for j in range(0, n, FLOATS):
            copy_vectors(wave_re, j * n, re, block)
            copy_vectors(wave_im, j * n, im, block)
            x, y = transform(factors, twiddles, re, im, other_re, other_im)
            place = (j + n // 2) % n
            for i in range(n):
                ar, ai = load(x, i * FLOATS), load(y, i * FLOATS)
                store(image, (i + n // 2) % n * n + place, multiply_add(ar, ar, ai * ai))


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
    if pixels % (2 * FLOATS):
        raise ValueError(f"pixels = {pixels}; Ronchigrams need a multiple of {2 * FLOATS}")
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
