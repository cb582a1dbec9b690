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
from mattergym.physics.fourier import copy_vectors, plan, transform
from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import fill_normal
from mattergym.physics.simd_float import LANES, load, multiply_add, store, transpose_tile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TABLE = Path(__file__).parent / "data" / "haadf.json"
DETECTOR = (80.0, 200.0)  # mrad
# Standard deviation in A by which an atom is wider than a point: the range of scattering onto the
# detector. Fits to abTEM's static images of silicon in graphene give 0.05-0.07 A.
ATOM_WIDTH = 0.07
# Tails of a probe beyond this distance are left out of a frame, in A.
MARGIN = 4.0
# Pixels whose means are made at a time, a multiple of the sampler's block.
PIECE = 4096
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
def spread(positions: Any, weights: Any, step: float, offset: float, grid: Any) -> None:
    """Spread points over a grid by cubic B-splines.

    Parameters
    ----------
    positions : ndarray of float64, shape (N, 2)
        (x, y) in A.
    weights : ndarray of float64, shape (N,)
        Zero for points that do not count.
    step, offset : float
        Size of a cell in A, and where the grid starts, in A.
    grid : ndarray of float32, shape (m, n, 16)
        Row and column of cell [k, i, j] are i and 16 k + j; the columns to n - 1 count.
        Overwritten. Points whose spline reaches over the edge are left out.
    """
    size = grid.shape[1]
    along_x, along_y = np.empty(4), np.empty(4)
    grid[:] = 0.0
    for a in range(positions.shape[0]):
        weight = weights[a]
        x, y = (positions[a, 0] - offset) / step, (positions[a, 1] - offset) / step
        column, row = int(np.floor(x)) - 1, int(np.floor(y)) - 1
        if weight == 0.0 or column < 0 or row < 0 or column + 4 > size or row + 4 > size:
            continue
        _spline(x - np.floor(x), along_x)
        _spline(y - np.floor(y), along_y)
        for i in range(4):
            for j in range(4):
                block, place = divmod(column + j, LANES)
                grid[block, row + i, place] += weight * along_y[i] * along_x[j]


@njit(cache=True)
def _spline(t: float, out: Any) -> None:
    """Cubic B-spline weights of four cells of a point a part t beyond the second."""
    s = 1.0 - t
    out[0] = s * s * s / 6.0
    out[1] = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0
    out[2] = (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0
    out[3] = t * t * t / 6.0


@njit(cache=True)
def padded_sizes(n: int, pixels: int) -> tuple[int, int, int]:
    """Columns of grid, frequencies and frame in whole blocks, of the first and last in pairs."""
    return (n + 31) // 32 * 32, (n // 2 + 15) // 16 * 16, (pixels + 31) // 32 * 32


@njit(cache=True)
def work_size(n: int, pixels: int) -> int:
    """Numbers of work space that :func:`convolve` needs."""
    wide, low, shown = padded_sizes(n, pixels)
    return wide * n + 2 * low * (wide + shown)


@njit(cache=True)
def convolve(
    lanes: Any,
    positions: Any,
    weights: Any,
    step: float,
    margin: int,
    every: int,
    transfer_re: Any,
    transfer_im: Any,
    edges: Any,
    factors: Any,
    twiddles: Any,
    work: Any,
    out: Any,
) -> None:
    """Spread the points of lanes over a periodic grid, convolve it, and cut a frame out.

    Real columns are transformed in pairs, one the real, one the imaginary part. Along y sixteen
    pairs at a time, then along x sixteen frequencies at a time, there and back, so that what is
    multiplied stays in the cache; on the way back only what the frame shows. Frequencies along y
    run to n/2 - 1; that of n/2, real as the one of 0, is the imaginary part of the latter.

    Parameters
    ----------
    lanes : ndarray of int64, shape (L,)
    positions, weights
        As :func:`spread` takes them, of all lanes: (B, N, 2) and (B, N).
    step : float
        Size of a cell in A.
    margin, every : int
        Cell that the frame starts at, and cells from one pixel to the next.
    transfer_re, transfer_im : ndarray of float32, shape (n * m,)
        Transfer function over 2 n^2 in blocks of sixteen frequencies of y, from 0 to n/2 - 1, over
        all of x; m a multiple of 16.
    edges : ndarray of complex64, shape (2, n)
        It over n^2 at the frequencies 0 and n/2 of y.
    factors, twiddles
        Of :func:`mattergym.physics.fourier.plan` of n.
    work : ndarray of float32, shape (w,)
        w as :func:`work_size` has it.
    out : ndarray of float32, shape (L, pixels, pixels)
        [lane, y, x]; cut off at 0.
    """
    n, pixels = edges.shape[1], out.shape[1]
    half, block = n // 2, n * LANES
    wide, low, shown = padded_sizes(n, pixels)
    tall = max(wide, low, shown) * LANES
    # Blocks of sixteen x over y; of sixteen frequencies of y over x; of sixteen x over those.
    grid, rest = work[: wide * n], work[wide * n :]
    spectrum_re, spectrum_im = rest[: low * wide], rest[low * wide : 2 * low * wide]
    rest = rest[2 * low * wide :]
    image_re, image_im = rest[: shown * low], rest[shown * low :]
    re, im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    other_re, other_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    left_re, left_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    right_re, right_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    line = np.empty(2 * LANES, np.float32)
    zero = np.float32(0.0)
    for lane in range(len(lanes)):
        b = lanes[lane]
        cells = grid.reshape(wide // LANES, n, LANES)
        spread(positions[b], weights[b], step, -margin * step, cells)
        for x in range(0, wide, 2 * LANES):
            copy_vectors(grid, x * n, re, block)
            copy_vectors(grid, x * n + block, im, block)
            zr, zi = transform(factors, twiddles, re, im, other_re, other_im)
            # Twice the transforms of the two; the transfer function has the half.
            ar, ai = load(zr, 0), load(zi, 0)
            br, bi = load(zr, half * LANES), load(zi, half * LANES)
            store(left_re, 0, ar + ar)
            store(left_im, 0, br + br)
            store(right_re, 0, ai + ai)
            store(right_im, 0, bi + bi)
            for k in range(1, half):
                ar, ai = load(zr, k * LANES), load(zi, k * LANES)
                br, bi = load(zr, (n - k) * LANES), load(zi, (n - k) * LANES)
                store(left_re, k * LANES, ar + br)
                store(left_im, k * LANES, ai - bi)
                store(right_re, k * LANES, ai + bi)
                store(right_im, k * LANES, br - ar)
            for k in range(0, low, LANES):
                i, j = k * LANES, k * wide + x * LANES
                transpose_tile(left_re, i, LANES, spectrum_re, j, LANES)
                transpose_tile(left_im, i, LANES, spectrum_im, j, LANES)
                j += LANES * LANES
                transpose_tile(right_re, i, LANES, spectrum_re, j, LANES)
                transpose_tile(right_im, i, LANES, spectrum_im, j, LANES)
        for k in range(0, low, LANES):
            copy_vectors(spectrum_re, k * wide, re, block)
            copy_vectors(spectrum_im, k * wide, im, block)
            zr, zi = transform(factors, twiddles, re, im, other_re, other_im)
            if k == 0:
                _filter_edges(zr, zi, edges)
            for i in range(0, block, LANES):
                ar, ai = load(zr, i), load(zi, i)
                br, bi = load(transfer_re, k * n + i), load(transfer_im, k * n + i)
                store(left_re, i, ar * br - ai * bi)
                store(left_im, i, multiply_add(ar, bi, ai * br))
            if k == 0:
                for i in range(0, block, LANES):
                    left_re[i], left_im[i] = zr[i], zi[i]
            # The inverse: parts swapped.
            zi, zr = transform(factors, twiddles, left_im, left_re, other_im, other_re)
            for c in range(pixels):
                i = (margin + c * every) * LANES
                store(right_re, c * LANES, load(zr, i))
                store(right_im, c * LANES, load(zi, i))
            for c in range(0, shown, LANES):
                i = c * low + k * LANES
                transpose_tile(right_re, c * LANES, LANES, image_re, i, LANES)
                transpose_tile(right_im, c * LANES, LANES, image_im, i, LANES)
        for c in range(0, shown, 2 * LANES):
            for k in range(half):
                i = c * low + k * LANES
                j = i + low * LANES
                ar, ai = load(image_re, i), load(image_im, i)
                br, bi = load(image_re, j), load(image_im, j)
                if k == 0:
                    store(re, 0, ar)
                    store(im, 0, br)
                    store(re, half * LANES, ai)
                    store(im, half * LANES, bi)
                else:
                    store(re, k * LANES, ar - bi)
                    store(im, k * LANES, ai + br)
                    store(re, (n - k) * LANES, ar + bi)
                    store(im, (n - k) * LANES, br - ai)
            zi, zr = transform(factors, twiddles, im, re, other_im, other_re)
            for row in range(pixels):
                i = (margin + row * every) * LANES
                store(line, 0, load(zr, i))
                store(line, LANES, load(zi, i))
                for j in range(min(2 * LANES, pixels - c)):
                    out[lane, row, c + j] = max(line[j], zero)


@njit(cache=True)
def _filter_edges(re: Any, im: Any, edges: Any) -> None:
    """Multiply the packed frequencies 0 and n/2 of y, column 0 of a block, by ``edges``."""
    n = edges.shape[1]
    packed = np.empty(n, np.complex64)
    for x in range(n):
        packed[x] = complex(re[x * LANES], im[x * LANES])
    half = np.float32(0.5)
    for x in range(n):
        a, b = packed[x], packed[n - x if x else 0]
        first = complex(half * (a.real + b.real), half * (a.imag - b.imag)) * edges[0, x]
        second = complex(half * (a.imag + b.imag), half * (b.real - a.real)) * edges[1, x]
        re[x * LANES] = first.real - second.imag
        im[x * LANES] = first.imag + second.real


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
        response = scipy.fft.irfft2(transfer / spline / self._step**2, (self._size, self._size))
        self._response = self._arrange(response.T)
        # Kept: fresh pages cost more than the transforms.
        self._work = np.empty(work_size(self._size, self.pixels), np.float32)

    def _arrange(self, response: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """Transfer function of a response, [x, y], as :func:`convolve` wants it."""
        n = self._size
        transfer = scipy.fft.rfft2(response) / n**2
        low = np.zeros((n, padded_sizes(n, self.pixels)[1]), np.complex128)
        low[:, : n // 2] = 0.5 * transfer[:, : n // 2]
        low = low.reshape(n, -1, LANES).transpose(1, 0, 2)
        edges = transfer[:, [0, n // 2]].T / 2.0
        parts = (low.real.astype(np.float32).ravel(), low.imag.astype(np.float32).ravel())
        return (*parts, np.ascontiguousarray(edges, np.complex64))

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
        out = np.empty((len(lanes), self.pixels, self.pixels), np.float32)
        factors, twiddles = plan(self._size)
        low_re, low_im, edges = self._response
        convolve(
            lanes,
            positions,
            weights,
            self._step,
            self._margin,
            self._finer,
            low_re,
            low_im,
            edges,
            factors,
            twiddles,
            self._work,
            out,
        )
        return out


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
    drawn = np.zeros(counts.shape[1])
    for b in range(counts.shape[0]):
        if noise > 0.0:
            fill_normal(streams[b], drawn)
        for i in range(counts.shape[1]):
            level = gain * counts[b, i] + offset + 0.5 + noise * drawn[i]
            out[b, i] = np.uint8(min(max(level, 0.0), 255.0))


@njit(cache=True)
def _count(fractions: Any, electrons: Any, streams: Any, counts: Any) -> None:
    """Fill counts (B, N) of means fractions (B, N) times electrons (B,), piece by piece."""
    lane = np.zeros(1, np.int64)
    line = np.empty(PIECE)
    means = line.reshape(1, PIECE)
    for b in range(counts.shape[0]):
        for start in range(0, counts.shape[1], PIECE):
            end = min(start + PIECE, counts.shape[1])
            source, beam = fractions[b, start:end], electrons[b]
            for i in range(end - start):
                line[i] = source[i] * beam
            row = counts[b, start:end].reshape(1, end - start)
            poisson_counts(lane, means[:, : end - start], streams[b : b + 1], row)


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
    counts = np.empty(fractions.shape, np.int32)
    beam = np.array(np.broadcast_to(electrons, lanes), np.float64)
    _count(fractions.reshape(lanes, -1), beam, streams, counts.reshape(lanes, -1))
    return counts


def dose(current: float, dwell: float, pixel_size: float) -> float:
    """Electrons an A^2 of a scan: current in pA, dwell in us, pixel edge in A."""
    return current * 1e-12 / 1.602176634e-19 * dwell * 1e-6 / pixel_size**2
