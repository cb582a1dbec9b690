"""Exact Poisson counts, fast: sums of independent counts from alias tables.

A sum of independent Poisson counts is a Poisson count of the summed mean. So a mean below 1,024 is
split into a multiple of 32, a whole number below 32 and a fraction. The first two come from alias
tables (one random number, no branch), the fraction by inversion, vectorised over a block of
counts. Larger means go by transformed rejection. Each way is exact up to the 53 bits of its uniform
numbers; tables end where less than 1e-14 of the distribution is left.

References
----------
Walker, A. J. (1977), ACM Trans. Math. Softw. 3, 253 (alias method).
Vose, M. D. (1991), IEEE Trans. Softw. Eng. 17, 972 (its tables in linear time).
Devroye, L. (1986), "Non-Uniform Random Variate Generation", Springer, X.3 (inversion).
Hoermann, W. (1993), Insurance: Math. Econ. 12, 39 (transformed rejection, PTRS).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy import stats

from mattergym.physics.rng import fill_uint64, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

COARSE_STEP = 32
REJECTION_FROM = 1024.0
BLOCK = 128
_COARSE_BITS, _FINE_BITS = 9, 7
_U11 = np.uint64(11)
_SCALE = 2.0**-53


def alias_table(mean: float, bits: int) -> tuple[int, NDArray[np.float64], NDArray[np.int32]]:
    """Alias table of a Poisson law with ``2**bits`` slots.

    Parameters
    ----------
    mean : float
    bits : int
        The slots must hold all counts but 1e-14 of the law.

    Returns
    -------
    first : int
        The count that slot 0 stands for.
    threshold : ndarray of float64, shape (2**bits,)
        A slot keeps its count if the uniform number is below; all lie in [0, 1].
    alias : ndarray of int32, shape (2**bits,)
        The count that it gives otherwise.
    """
    slots = 2**bits
    first = max(0, int(mean) - slots // 2)
    counts = np.arange(first, first + slots)
    share = stats.poisson.pmf(counts, mean)
    share *= slots / share.sum()
    alias = counts.astype(np.int32)
    small = [i for i in range(slots) if share[i] < 1.0]
    large = [i for i in range(slots) if share[i] >= 1.0]
    while small and large:
        i, j = small.pop(), large[-1]
        alias[i] = first + j
        share[j] -= 1.0 - share[i]
        if share[j] < 1.0:
            small.append(large.pop())
    share[small + large] = 1.0
    return first, share, alias


def _tables(means: Any, bits: int) -> tuple[Any, Any, Any]:
    first, threshold, alias = zip(*(alias_table(mean, bits) for mean in means), strict=True)
    return np.array(first, np.int32), np.array(threshold), np.array(alias)


_FINE_FIRST, _FINE_THRESHOLD, _FINE_ALIAS = _tables(range(COARSE_STEP), _FINE_BITS)
_COARSE_FIRST, _COARSE_THRESHOLD, _COARSE_ALIAS = _tables(
    range(0, int(REJECTION_FROM), COARSE_STEP), _COARSE_BITS
)
# exp(-1/2 + r) = sum_k _EXP[k] r^k.
_EXP = np.array([math.exp(-0.5) / math.factorial(k) for k in range(14)])
_RECIPROCAL = 1.0 / np.maximum(np.arange(32), 1)


@njit(cache=True)
def _pick(draw: Any, bits: int, first: Any, threshold: Any, alias: Any) -> Any:
    """Count that 64 random bits give: the lowest choose a slot, the upper 53 what is in it."""
    slot = np.int64(draw & np.uint64((1 << bits) - 1))
    u = np.float64(np.int64(draw >> _U11)) * _SCALE
    kept, other = first + slot, alias[slot]
    return kept if u < threshold[slot] else other


@njit(cache=True)
def _log_factorial(k: float) -> float:
    """Ln k!; by Stirling's series from 256 on, whose error is below 1e-17 there."""
    if k < 256.0:
        return math.lgamma(k + 1.0)
    series = (1 / 12 - (1 / 360 - 1 / (1260 * k * k)) / (k * k)) / k
    return (k + 0.5) * math.log(k) - k + 0.5 * math.log(2.0 * math.pi) + series


@njit(cache=True)
def _rejected(mean: float, state: Any) -> int:
    """Draw a count of a large mean by PTRS."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    while True:
        u, v = uniform(state) - 0.5, 1.0 - uniform(state)
        margin = 0.5 - abs(u)
        if margin <= 0.0:
            continue
        k = math.floor((2.0 * a / margin + b) * u + mean + 0.43)
        if margin >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2.0):
            return int(k)
        if k < 0.0 or (margin < 0.013 and v > margin):
            continue
        bound = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (margin * margin) + b))
        if bound <= k * math.log(mean) - mean - _log_factorial(k):
            return int(k)


@njit(cache=True)
def poisson_counts(lanes: Any, means: Any, streams: Any, counts: Any) -> None:
    """Fill rows of counts, one stream a lane.

    Parameters
    ----------
    lanes : ndarray of int64, shape (n,)
        Rows to fill.
    means : ndarray of float, shape (B, N)
        Finite and not negative.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.
    counts : ndarray, shape (B, N)
        Of a type that holds the counts; written in place.
    """
    left, term, fraction = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    draws = np.zeros(BLOCK, np.uint64)
    whole = np.empty(BLOCK, np.int32)
    count = np.empty(BLOCK, np.int64)
    for lane in lanes:
        state = streams[lane]
        for start in range(0, means.shape[1], BLOCK):
            n = min(BLOCK, means.shape[1] - start)
            # Loops run over whole blocks, which compile better; what is beyond the end is 0.
            here, out = means[lane, start : start + n], counts[lane, start : start + n]
            for i in range(n):
                fraction[i] = min(np.float64(here[i]), REJECTION_FROM)
            for i in range(n, BLOCK):
                fraction[i] = 0.0
            largest, fractions = np.int32(0), 0
            for i in range(BLOCK):
                whole[i] = np.int32(fraction[i])
                fraction[i] -= whole[i]
                largest = max(largest, whole[i])
                fractions += fraction[i] > 0.0
                count[i] = 0
            if largest >= COARSE_STEP:
                fill_uint64(state, draws[:n])
                for i in range(BLOCK):
                    t = min(whole[i] // COARSE_STEP, len(_COARSE_FIRST) - 1)
                    count[i] = _pick(
                        draws[i],
                        _COARSE_BITS,
                        _COARSE_FIRST[t],
                        _COARSE_THRESHOLD[t],
                        _COARSE_ALIAS[t],
                    )
            if largest > 0:
                fill_uint64(state, draws[:n])
                for i in range(BLOCK):
                    t = whole[i] % COARSE_STEP
                    count[i] += _pick(
                        draws[i], _FINE_BITS, _FINE_FIRST[t], _FINE_THRESHOLD[t], _FINE_ALIAS[t]
                    )
            if fractions:
                fill_uint64(state, draws[:n])
                for i in range(BLOCK):
                    left[i] = np.float64(np.int64(draws[i] >> _U11)) * _SCALE
                for i in range(BLOCK):
                    # exp(-x) by its series about 1/2, |r| <= 1/2, to 2e-17.
                    r = 0.5 - fraction[i]
                    e = _EXP[13]
                    for k in range(12, -1, -1):
                        e = _EXP[k] + r * e
                    term[i] = e
                k, pending = 0, np.int64(1)
                while pending and k < 31:
                    # What is left of u after the terms so far; a count grows while it is >= 0.
                    k += 1
                    pending = np.int64(0)
                    reciprocal = _RECIPROCAL[k]
                    for i in range(BLOCK):
                        left[i] -= term[i]
                        grown = np.int64(1) if left[i] >= 0.0 else np.int64(0)
                        count[i] += grown
                        pending += grown
                        term[i] *= fraction[i] * reciprocal
            for i in range(n):
                out[i] = count[i]
            if largest >= REJECTION_FROM:
                for i in range(n):
                    if whole[i] >= REJECTION_FROM:
                        out[i] = _rejected(np.float64(here[i]), state)
