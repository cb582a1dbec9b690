"""Fourier transforms inside Numba kernels: sixteen columns at a time, in single precision.

A block is sixteen columns of n complex numbers, real and imaginary parts in two arrays of n x 16
float32. Stockham's self-sorting algorithm passes it to and fro between two blocks that stay in the
cache, sixteen columns in one vector: two to three times as fast as scipy.fft, which reads the
memory anew for each axis, and what a kernel does between two transforms costs no pass over memory.

References
----------
Van Loan, C. (1992), Computational Frameworks for the Fast Fourier Transform, SIAM, 1.7 and 2.2.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.physics.simd import FLOATS, load, multiply_add, splat, store

if TYPE_CHECKING:
    from numpy.typing import NDArray


SINE_OF_60 = np.float32(np.sqrt(0.75))


class Plan(NamedTuple):
    """How to transform columns of one length.

    Attributes
    ----------
    factors : ndarray of int64
        Their product is the length.
    twiddles : ndarray of float32
        Real and imaginary parts of the roots of unity in the order of use.
    """

    factors: NDArray[np.int64]
    twiddles: NDArray[np.float32]


@cache
def plan(size: int) -> Plan:
    """Factorise a length and tabulate its roots of unity.

    Raises
    ------
    ValueError
        If the size is not positive.
    """
    if size < 1:
        raise ValueError(f"size = {size}; a transform needs at least one number")
    factors, left = [], size
    for factor in (4, 2, *range(3, size + 1, 2)):
        while left % factor == 0:
            factors.append(factor)
            left //= factor
    roots, length = [np.empty(0, np.complex128)], size
    for factor in factors:
        powers = np.arange(length // factor)[:, None] * np.arange(1, factor)
        roots.append(np.exp(-2j * np.pi / length * powers).ravel())
        length //= factor
    twiddles = np.concatenate(roots).view(np.float64).astype(np.float32)
    return Plan(np.array(factors, np.int64), twiddles)


@njit(cache=True)
def copy_vectors(source: Any, start: int, target: Any, count: int) -> None:
    """Copy source[start : start + count] to the front of target; count a multiple of 16."""
    for i in range(0, count, FLOATS):
        store(target, i, load(source, start + i))


@njit(cache=True)
def _times(re: Any, im: Any, c: Any, s: Any) -> Any:
    """Multiply complex vectors (re, im) and (c, s)."""
    return multiply_add(re, c, -(im * s)), multiply_add(re, s, im * c)


@njit(cache=True)
def _pass_of_four(
    re: Any, im: Any, to_re: Any, to_im: Any, length: int, stride: int, twiddles: Any, t: int
) -> None:
    part = length * stride
    for p in range(length):
        c1, s1 = splat(twiddles[t]), splat(twiddles[t + 1])
        c2, s2 = splat(twiddles[t + 2]), splat(twiddles[t + 3])
        c3, s3 = splat(twiddles[t + 4]), splat(twiddles[t + 5])
        t += 6
        for q in range(0, stride, FLOATS):
            i, k = stride * p + q, 4 * stride * p + q
            ar, ai = load(re, i), load(im, i)
            br, bi = load(re, i + part), load(im, i + part)
            cr, ci = load(re, i + 2 * part), load(im, i + 2 * part)
            dr, di = load(re, i + 3 * part), load(im, i + 3 * part)
            er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
            gr, gi, hr, hi = br + dr, bi + di, br - dr, bi - di
            store(to_re, k, er + gr)
            store(to_im, k, ei + gi)
            ur, ui = _times(fr + hi, fi - hr, c1, s1)
            store(to_re, k + stride, ur)
            store(to_im, k + stride, ui)
            ur, ui = _times(er - gr, ei - gi, c2, s2)
            store(to_re, k + 2 * stride, ur)
            store(to_im, k + 2 * stride, ui)
            ur, ui = _times(fr - hi, fi + hr, c3, s3)
            store(to_re, k + 3 * stride, ur)
            store(to_im, k + 3 * stride, ui)


@njit(cache=True)
def _pass_of_two(
    re: Any, im: Any, to_re: Any, to_im: Any, length: int, stride: int, twiddles: Any, t: int
) -> None:
    part = length * stride
    for p in range(length):
        c, s = splat(twiddles[t]), splat(twiddles[t + 1])
        t += 2
        for q in range(0, stride, FLOATS):
            i, k = stride * p + q, 2 * stride * p + q
            ar, ai = load(re, i), load(im, i)
            br, bi = load(re, i + part), load(im, i + part)
            store(to_re, k, ar + br)
            store(to_im, k, ai + bi)
            ur, ui = _times(ar - br, ai - bi, c, s)
            store(to_re, k + stride, ur)
            store(to_im, k + stride, ui)


@njit(cache=True)
def _pass_of_three(
    re: Any, im: Any, to_re: Any, to_im: Any, length: int, stride: int, twiddles: Any, t: int
) -> None:
    part = length * stride
    minus_half, root = splat(np.float32(-0.5)), splat(SINE_OF_60)
    for p in range(length):
        c1, s1 = splat(twiddles[t]), splat(twiddles[t + 1])
        c2, s2 = splat(twiddles[t + 2]), splat(twiddles[t + 3])
        t += 4
        for q in range(0, stride, FLOATS):
            i, k = stride * p + q, 3 * stride * p + q
            ar, ai = load(re, i), load(im, i)
            br, bi = load(re, i + part), load(im, i + part)
            cr, ci = load(re, i + 2 * part), load(im, i + 2 * part)
            er, ei, fr, fi = br + cr, bi + ci, root * (br - cr), root * (bi - ci)
            store(to_re, k, ar + er)
            store(to_im, k, ai + ei)
            gr, gi = multiply_add(minus_half, er, ar), multiply_add(minus_half, ei, ai)
            ur, ui = _times(gr + fi, gi - fr, c1, s1)
            store(to_re, k + stride, ur)
            store(to_im, k + stride, ui)
            ur, ui = _times(gr - fi, gi + fr, c2, s2)
            store(to_re, k + 2 * stride, ur)
            store(to_im, k + 2 * stride, ui)


@njit(cache=True)
def _pass_of_any(
    factor: int,
    re: Any,
    im: Any,
    to_re: Any,
    to_im: Any,
    length: int,
    stride: int,
    twiddles: Any,
    t: int,
) -> None:
    angles = 2.0 * np.pi / factor * np.arange(factor)
    cosines, sines = np.cos(angles).astype(np.float32), -np.sin(angles).astype(np.float32)
    part = length * stride
    for p in range(length):
        for j in range(factor):
            c, s = splat(np.float32(1.0)), splat(np.float32(0.0))
            if j:
                c, s = splat(twiddles[t]), splat(twiddles[t + 1])
                t += 2
            for q in range(0, stride, FLOATS):
                i, k = stride * p + q, stride * (factor * p + j) + q
                ur, ui = load(re, i), load(im, i)
                root = 0
                for _ in range(1, factor):
                    i += part
                    root += j
                    if root >= factor:
                        root -= factor
                    ar, ai = load(re, i), load(im, i)
                    x, y = splat(cosines[root]), splat(sines[root])
                    ur = multiply_add(ar, x, multiply_add(-ai, y, ur))
                    ui = multiply_add(ar, y, multiply_add(ai, x, ui))
                ur, ui = _times(ur, ui, c, s)
                store(to_re, k, ur)
                store(to_im, k, ui)


@njit(cache=True)
def transform(
    factors: Any, twiddles: Any, re: Any, im: Any, other_re: Any, other_im: Any
) -> tuple[Any, Any]:
    """Transform a block along its columns: sum_k x_k exp(-2 pi i j k / n).

    With the two parts swapped, on the way in and on the way out, it is the inverse without its
    factor 1/n.

    Parameters
    ----------
    factors, twiddles
        Of :class:`Plan`.
    re, im : ndarray of float32, shape (m,)
        Parts of the block, row by row; m >= 16 n. Overwritten.
    other_re, other_im : ndarray of float32, shape (m,)
        Work space.

    Returns
    -------
    tuple of ndarray
        Parts of the result: ``(re, im)`` or ``(other_re, other_im)``.
    """
    length, stride, t = 1, FLOATS, 0
    for factor in factors:
        length *= factor
    for factor in factors:
        length //= factor
        if factor == 4:
            _pass_of_four(re, im, other_re, other_im, length, stride, twiddles, t)
        elif factor == 2:
            _pass_of_two(re, im, other_re, other_im, length, stride, twiddles, t)
        elif factor == 3:
            _pass_of_three(re, im, other_re, other_im, length, stride, twiddles, t)
        else:
            _pass_of_any(factor, re, im, other_re, other_im, length, stride, twiddles, t)
        t += 2 * length * (factor - 1)
        stride *= factor
        re, im, other_re, other_im = other_re, other_im, re, im
    return re, im
