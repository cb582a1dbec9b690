"""Convolution of columns of atoms with a probe: splines on a periodic grid, FFTs by blocks.

Columns are spread by cubic B-splines, whose own transform the transfer function divides out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.fourier import copy_vectors, transform
from mattergym.physics.simd import FLOATS, load, multiply_add, store, transpose_tile

if TYPE_CHECKING:
    pass


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
                block, place = divmod(column + j, FLOATS)
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
    frame: Any,
    transfer: Any,
    plan: Any,
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
    frame : tuple of (float, int, int)
        Size of a cell in A; the cell that the frame starts at; cells from one pixel to the next.
    transfer : tuple of ndarray
        Real and imaginary part, float32 (n * m,), of the transfer function over 2 n^2, in blocks of
        sixteen frequencies of y, from 0 to n/2 - 1, over all of x; m a multiple of 16. Then,
        complex64 (2, n), it over n^2 at the frequencies 0 and n/2 of y.
    plan : tuple of ndarray
        Factors and twiddles of :func:`mattergym.physics.fourier.plan` of n.
    work : ndarray of float32, shape (w,)
        w as :func:`work_size` has it.
    out : ndarray of float32, shape (L, pixels, pixels)
        [lane, y, x]; cut off at 0.
    """
    step, margin, finer = frame
    transfer_re, transfer_im, edges = transfer
    factors, twiddles = plan
    n, pixels = edges.shape[1], out.shape[1]
    half, block = n // 2, n * FLOATS
    wide, low, shown = padded_sizes(n, pixels)
    tall = max(wide, low, shown) * FLOATS
    # Blocks of sixteen x over y; of sixteen frequencies of y over x; of sixteen x over those.
    grid, rest = work[: wide * n], work[wide * n :]
    spectrum_re, spectrum_im = rest[: low * wide], rest[low * wide : 2 * low * wide]
    rest = rest[2 * low * wide :]
    image_re, image_im = rest[: shown * low], rest[shown * low :]
    re, im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    other_re, other_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    left_re, left_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    right_re, right_im = np.zeros(tall, np.float32), np.zeros(tall, np.float32)
    line = np.empty(2 * FLOATS, np.float32)
    zero = np.float32(0.0)
    for lane in range(len(lanes)):
        b = lanes[lane]
        cells = grid.reshape(wide // FLOATS, n, FLOATS)
        spread(positions[b], weights[b], step, -margin * step, cells)
        for x in range(0, wide, 2 * FLOATS):
            copy_vectors(grid, x * n, re, block)
            copy_vectors(grid, x * n + block, im, block)
            zr, zi = transform(factors, twiddles, re, im, other_re, other_im)
            # Twice the transforms of the two; the transfer function has the half.
            ar, ai = load(zr, 0), load(zi, 0)
            br, bi = load(zr, half * FLOATS), load(zi, half * FLOATS)
            store(left_re, 0, ar + ar)
            store(left_im, 0, br + br)
            store(right_re, 0, ai + ai)
            store(right_im, 0, bi + bi)
            for k in range(1, half):
                ar, ai = load(zr, k * FLOATS), load(zi, k * FLOATS)
                br, bi = load(zr, (n - k) * FLOATS), load(zi, (n - k) * FLOATS)
                store(left_re, k * FLOATS, ar + br)
                store(left_im, k * FLOATS, ai - bi)
                store(right_re, k * FLOATS, ai + bi)
                store(right_im, k * FLOATS, br - ar)
            for k in range(0, low, FLOATS):
                i, j = k * FLOATS, k * wide + x * FLOATS
                transpose_tile(left_re, i, FLOATS, spectrum_re, j, FLOATS)
                transpose_tile(left_im, i, FLOATS, spectrum_im, j, FLOATS)
                j += FLOATS * FLOATS
                transpose_tile(right_re, i, FLOATS, spectrum_re, j, FLOATS)
                transpose_tile(right_im, i, FLOATS, spectrum_im, j, FLOATS)
        for k in range(0, low, FLOATS):
            copy_vectors(spectrum_re, k * wide, re, block)
            copy_vectors(spectrum_im, k * wide, im, block)
            zr, zi = transform(factors, twiddles, re, im, other_re, other_im)
            if k == 0:
                _filter_edges(zr, zi, edges)
            for i in range(0, block, FLOATS):
                ar, ai = load(zr, i), load(zi, i)
                br, bi = load(transfer_re, k * n + i), load(transfer_im, k * n + i)
                store(left_re, i, ar * br - ai * bi)
                store(left_im, i, multiply_add(ar, bi, ai * br))
            if k == 0:
                for i in range(0, block, FLOATS):
                    left_re[i], left_im[i] = zr[i], zi[i]
            # The inverse: parts swapped.
            zi, zr = transform(factors, twiddles, left_im, left_re, other_im, other_re)
            for c in range(pixels):
                i = (margin + c * finer) * FLOATS
                store(right_re, c * FLOATS, load(zr, i))
                store(right_im, c * FLOATS, load(zi, i))
            for c in range(0, shown, FLOATS):
                i = c * low + k * FLOATS
                transpose_tile(right_re, c * FLOATS, FLOATS, image_re, i, FLOATS)
                transpose_tile(right_im, c * FLOATS, FLOATS, image_im, i, FLOATS)
        for c in range(0, shown, 2 * FLOATS):
            for k in range(half):
                i = c * low + k * FLOATS
                j = i + low * FLOATS
                ar, ai = load(image_re, i), load(image_im, i)
                br, bi = load(image_re, j), load(image_im, j)
                if k == 0:
                    store(re, 0, ar)
                    store(im, 0, br)
                    store(re, half * FLOATS, ai)
                    store(im, half * FLOATS, bi)
                else:
                    store(re, k * FLOATS, ar - bi)
                    store(im, k * FLOATS, ai + br)
                    store(re, (n - k) * FLOATS, ar + bi)
                    store(im, (n - k) * FLOATS, br - ai)
            zi, zr = transform(factors, twiddles, im, re, other_im, other_re)
            for row in range(pixels):
                i = (margin + row * finer) * FLOATS
                store(line, 0, load(zr, i))
                store(line, FLOATS, load(zi, i))
                for j in range(min(2 * FLOATS, pixels - c)):
                    out[lane, row, c + j] = max(line[j], zero)


@njit(cache=True)
def _filter_edges(re: Any, im: Any, edges: Any) -> None:
    """Multiply the packed frequencies 0 and n/2 of y, column 0 of a block, by ``edges``."""
    n = edges.shape[1]
    packed = np.empty(n, np.complex64)
    for x in range(n):
        packed[x] = complex(re[x * FLOATS], im[x * FLOATS])
    half = np.float32(0.5)
    for x in range(n):
        a, b = packed[x], packed[n - x if x else 0]
        first = complex(half * (a.real + b.real), half * (a.imag - b.imag)) * edges[0, x]
        second = complex(half * (a.imag + b.imag), half * (b.real - a.real)) * edges[1, x]
        re[x * FLOATS] = first.real - second.imag
        im[x * FLOATS] = first.imag + second.real
