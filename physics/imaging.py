"""HAADF images of two-dimensional crystals: incoherent convolution, scan, dose and detector.

The detector's signal is the probe's intensity convolved with the atomic columns, each weighted by
its cross-section for scattering onto the detector, tabulated from abTEM. That holds for layers of a
few atoms only: in thicker crystals the probe channels.

References
----------
Loane, R. F., Xu, P. & Silcox, J. (1992), Ultramicroscopy 40, 121 (incoherent imaging).
Krivanek, O. L. et al. (2010), Nature 464, 571 (single atoms in a monolayer by their intensity).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

from mattergym.physics import optics
from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import normal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TABLE = Path(__file__).parent / "data" / "haadf.json"
DETECTOR = (80.0, 200.0)  # mrad
# Standard deviation in A by which an atom is wider than a point: the range of scattering onto the
# detector. Fits to abTEM's static images of silicon in graphene give 0.05-0.07 A.
ATOM_WIDTH = 0.07
# Tails of a probe beyond this distance are left out of a frame, in A.
MARGIN = 4.0
# Edge in A of the field in which the probe is computed.
WIDE = 100.0
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@cache
def _table() -> dict[tuple[int, float, float, float], float]:
    content = json.loads(TABLE.read_text())
    return {(int(z), v, inner, outer): section for z, v, inner, outer, section in content["rows"]}


@cache
def cross_section(
    number: int, voltage: float, inner: float = DETECTOR[0], outer: float = DETECTOR[1]
) -> float:
    """Cross-section in A^2 for scattering onto an annular detector, tabulated from abTEM.

    Parameters
    ----------
    number : int
        Atomic number: 6, 7, 14, 16, 42 or 74.
    voltage : float
        60e3, 80e3, 200e3 or 300e3 V.
    inner, outer : float
        Of the detector in mrad: 80..200 or 50..200.

    Raises
    ------
    ValueError
        If the table has no such entry; the sentence names what it has.
    """
    key = (number, float(voltage), float(inner), float(outer))
    if key not in _table():
        known = [sorted({entry[k] for entry in _table()}) for k in range(4)]
        raise ValueError(
            f"no cross-section for Z, voltage, inner, outer = {key}; "
            f"tabulated are Z {known[0]}, {known[1]} V, {known[2]} and {known[3]} mrad"
        )
    return _table()[key]


def contrast_exponent(low: int, high: int, voltage: float, **detector: float) -> float:
    """Exponent x of Z^x between two elements."""
    ratio = cross_section(high, voltage, **detector) / cross_section(low, voltage, **detector)
    return float(np.log(ratio) / np.log(high / low))


@njit(cache=True)
def splat(lanes: Any, positions: Any, weights: Any, step: float, offset: float, grid: Any) -> None:
    """Spread points over a grid by cubic B-splines.

    Parameters
    ----------
    lanes : ndarray of int64, shape (n,)
        Lanes to fill; ``grid`` holds them in this order.
    positions : ndarray of float64, shape (B, N, 2)
        (x, y) in A.
    weights : ndarray of float64, shape (B, N)
        Zero for points that do not count.
    step, offset : float
        Size of a cell in A, and where the grid starts, in A.
    grid : ndarray of float32, shape (n, H, W)
        Rows are y. Overwritten. Points whose spline reaches over the edge are left out.
    """
    height, width = grid.shape[1], grid.shape[2]
    along_x, along_y = np.empty(4), np.empty(4)
    grid[:] = 0.0
    for k in range(len(lanes)):
        b = lanes[k]
        for a in range(positions.shape[1]):
            weight = weights[b, a]
            x, y = (positions[b, a, 0] - offset) / step, (positions[b, a, 1] - offset) / step
            column, row = int(np.floor(x)) - 1, int(np.floor(y)) - 1
            if weight == 0.0 or column < 0 or row < 0 or column + 4 > width or row + 4 > height:
                continue
            _spline(x - np.floor(x), along_x)
            _spline(y - np.floor(y), along_y)
            for i in range(4):
                for j in range(4):
                    grid[k, row + i, column + j] += weight * along_y[i] * along_x[j]


@njit(cache=True)
def _spline(t: float, out: Any) -> None:
    """Cubic B-spline weights of four cells of a point a part t beyond the second."""
    s = 1.0 - t
    out[0] = s * s * s / 6.0
    out[1] = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0
    out[2] = (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0
    out[3] = t * t * t / 6.0


class Haadf:
    """Noise-free HAADF frames of a fixed probe and field, for many lanes at once.

    Parameters
    ----------
    pixels : int
        Along one edge of the square frame.
    pixel_size : float
        In A.
    voltage, aperture : float
        In V and rad.
    aberrations : ndarray of float64, shape (14, 2), optional
        See :func:`mattergym.physics.optics.coefficients`.
    source_size : float
        Full width at half maximum of the effective source, in A.
    atom_width : float
        Standard deviation of an atom's own width, in A.

    Raises
    ------
    ValueError
        If a length is not positive.
    """

    def __init__(
        self,
        pixels: int,
        pixel_size: float,
        voltage: float,
        aperture: float,
        aberrations: NDArray[np.float64] | None = None,
        source_size: float = 0.0,
        atom_width: float = ATOM_WIDTH,
    ) -> None:
        if not (pixels > 0 and pixel_size > 0.0):
            raise ValueError(
                f"pixels = {pixels!r}, pixel_size = {pixel_size!r}; both must be positive"
            )
        self.pixels, self.pixel_size = pixels, pixel_size
        # The intensity has no frequencies above 2 aperture/wavelength; the splines need a margin.
        finest = 0.75 * float(optics.wavelength(voltage)) / (4.0 * aperture)
        self._finer = int(np.ceil(pixel_size / finest))
        self._step = pixel_size / self._finer
        self._margin = int(np.ceil(MARGIN / self._step))
        size = scipy.fft.next_fast_len(pixels * self._finer + 2 * self._margin, real=True)
        self._size = size + size % 2
        if aberrations is None:
            aberrations = np.zeros((len(optics.TERMS), 2))
        # A field so wide that the pupil is sampled well; its every n-th frequency is ours.
        wide = self._size * int(np.ceil(WIDE / (self._size * self._step)))
        probe = optics.probes(aberrations[None], voltage, aperture, wide, self._step)[0]
        # With the probe at r a column at c scatters the intensity at c - r: a correlation.
        transfer = np.conj(scipy.fft.fft2(scipy.fft.ifftshift(probe.T.astype(np.float64))))
        every = wide // self._size
        transfer = transfer[::every, ::every][:, : self._size // 2 + 1]
        ky = scipy.fft.fftfreq(self._size, self._step)[:, None]
        kx = scipy.fft.rfftfreq(self._size, self._step)[None]
        width2 = atom_width**2 + (source_size / FWHM_PER_SIGMA) ** 2
        transfer *= np.exp(-2.0 * np.pi**2 * width2 * (kx**2 + ky**2))
        spline = (np.sinc(kx * self._step) * np.sinc(ky * self._step)) ** 4
        self._transfer = (transfer / spline / self._step**2).astype(np.complex64)

    def __call__(
        self,
        lanes: NDArray[np.intp],
        positions: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Fraction of the beam on the detector at every pixel.

        Parameters
        ----------
        lanes : ndarray of int64, shape (n,)
        positions : ndarray of float64, shape (B, N, 2)
            (x, y) of the columns in A; the centre of pixel [0, 0] is the origin.
        weights : ndarray of float64, shape (B, N)
            Their cross-sections in A^2; zero for none.

        Returns
        -------
        ndarray of float32, shape (n, pixels, pixels)
            [lane, y, x]; never negative.
        """
        grid = np.empty((len(lanes), self._size, self._size), np.float32)
        splat(lanes, positions, weights, self._step, -self._margin * self._step, grid)
        spectrum = scipy.fft.rfft2(grid, workers=1, overwrite_x=True)
        spectrum *= self._transfer
        image = scipy.fft.irfft2(spectrum, s=grid.shape[1:], workers=1, overwrite_x=True)
        end = self._margin + self.pixels * self._finer
        part = slice(self._margin, end, self._finer)
        return np.maximum(image[:, part, part], np.float32(0.0))


def scanned_positions(
    positions: NDArray[np.float64],
    drift: NDArray[np.float64],
    row_seconds: float,
    pixel_size: float,
    flyback: float = 0.0,
    flyback_decay: float = 1.0,
) -> NDArray[np.float64]:
    """Where columns appear in a frame whose specimen drifts and whose lines start late.

    To first order: a column appears displaced by the drift at the time its row is scanned, and by
    the scan coils' lag ``flyback exp(-x / flyback_decay)`` behind a line's start.

    Parameters
    ----------
    positions : ndarray of float64, shape (B, N, 2)
        In A.
    drift : ndarray of float64, shape (B, 2)
        In A/s.
    row_seconds : float
        Of one line with its flyback.
    pixel_size : float
        In A.
    flyback, flyback_decay : float
        In A.

    Returns
    -------
    ndarray of float64, shape (B, N, 2)
    """
    seconds = np.maximum(positions[..., 1], 0.0) / pixel_size * row_seconds
    moved = positions + seconds[..., None] * drift[:, None]
    if flyback:
        moved[..., 0] += flyback * np.exp(-np.maximum(positions[..., 0], 0.0) / flyback_decay)
    return moved


@njit(cache=True)
def digitize(counts: Any, gain: float, offset: float, noise: float, streams: Any, out: Any) -> None:
    """Amplifier of the detector: gain, offset and read noise, cut to what ``out`` (uint8) holds.

    Parameters
    ----------
    counts : ndarray, shape (B, N)
    gain, offset, noise : float
        Levels a count, level of no signal, standard deviation in levels.
    streams : ndarray of uint64, shape (B, 4)
    out : ndarray of uint8, shape (B, N)
    """
    for b in range(counts.shape[0]):
        for i in range(counts.shape[1]):
            level = gain * counts[b, i] + offset + 0.5
            if noise > 0.0:
                level += noise * normal(streams[b])
            out[b, i] = np.uint8(min(max(level, 0.0), 255.0))


def expose(
    fractions: NDArray[np.float32], electrons: ArrayLike, streams: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Poisson counts of frames.

    Parameters
    ----------
    fractions : ndarray of float32, shape (B, H, W)
        Of :class:`Haadf`.
    electrons : array_like of float, shape (B,) or ()
        A pixel.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.

    Returns
    -------
    ndarray of int32, shape (B, H, W)
    """
    lanes = len(fractions)
    means = fractions * np.reshape(np.broadcast_to(electrons, lanes), (-1, 1, 1))
    counts = np.empty((lanes, means[0].size), np.int32)
    poisson_counts(np.arange(lanes), means.reshape(lanes, -1), streams, counts)
    return counts.reshape(fractions.shape)


def dose(current: float, dwell: float, pixel_size: float) -> float:
    """Electrons an A^2 of a scan: current in pA, dwell in us, pixel edge in A."""
    return current * 1e-12 / 1.602176634e-19 * dwell * 1e-6 / pixel_size**2
