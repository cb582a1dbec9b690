"""From sparse measurements of the magnetization to a phase boundary: one fixed reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

# <|m|> at Tc of a 32 x 32 lattice is .65 to .68 for anisotropies 1 to .3; on a finite lattice it
# falls from .87 to .25 around there, which is the width over which one value tells a temperature.
CRITICAL, WIDTH_BELOW, WIDTH_ABOVE = 0.66, 0.21, 0.41
# Relative distance to Tc of a magnetization with z = +1 (too cold) or z = -1 (too hot).
SLOPE_COLD, SLOPE_HOT = 0.07, 0.08


@njit(cache=True)
def fit_decreasing(values: Any, weights: Any, count: int) -> None:
    """Weighted isotonic regression, non-increasing, of the first ``count`` values, in place.

    Pool adjacent violators (Ayer et al. 1955, Ann. Math. Stat. 26, 641). ``weights`` are above 0
    and are left as they are.
    """
    level, weight = np.empty(count), np.empty(count)
    length = np.empty(count, np.int64)
    blocks = 0
    for i in range(count):
        level[blocks], weight[blocks], length[blocks] = values[i], weights[i], 1
        blocks += 1
        while blocks > 1 and level[blocks - 2] < level[blocks - 1]:
            total = weight[blocks - 2] + weight[blocks - 1]
            level[blocks - 2] += (
                (level[blocks - 1] - level[blocks - 2]) * weight[blocks - 1] / total
            )
            weight[blocks - 2] = total
            length[blocks - 2] += length[blocks - 1]
            blocks -= 1
    i = 0
    for block in range(blocks):
        for _ in range(length[block]):
            values[i] = level[block]
            i += 1


@njit(cache=True)
def place_boundary(
    temperatures: Any, magnetization: Any, count: int, low: float, high: float
) -> Any:
    """Critical temperature from the first ``count`` points of a falling magnetization.

    Parameters
    ----------
    temperatures, magnetization : ndarray of float64, shape (n,)
        Rising temperatures, non-increasing <|m|>; ``count`` is at least 1.
    low, high : float
        Ends of the temperature axis.

    Returns
    -------
    float
        The zero of z = clip((m - .66) / width, -1, 1), linear between two points. With all points
        on one side, T (1 + slope z) of the nearest, or the middle between it and the end of the
        axis if it is saturated.
    """
    previous = 1.0
    for i in range(count):
        excess = magnetization[i] - CRITICAL
        z = excess / (WIDTH_BELOW if excess > 0.0 else WIDTH_ABOVE)
        z = min(1.0, max(-1.0, z))
        t = temperatures[i]
        if z < 0.0:
            if i > 0:
                before = temperatures[i - 1]
                return before + (t - before) * previous / (previous - z)
            return t * (1.0 + SLOPE_HOT * z) if z > -1.0 else 0.5 * (low + t)
        previous = z
    t = temperatures[count - 1]
    return t * (1.0 + SLOPE_COLD * previous) if previous < 1.0 else 0.5 * (t + high)


@njit(cache=True)
def reconstruct_boundary(magnetization: Any, sweeps: Any, temperatures: Any, out: Any) -> None:
    """Reconstruct the boundary of every library.

    A composition with measurements gets its own estimate (isotonic in T, weighted by sweeps);
    between such compositions the boundary is linear, beyond them constant, and before any
    measurement it is the middle of the axis.

    Parameters
    ----------
    magnetization : ndarray of float64, shape (B, n, m)
        Mean <|m|> of the measured cells, composition by temperature.
    sweeps : ndarray of int64, shape (B, n, m)
        Measured sweeps of every cell; 0 where there is no measurement.
    temperatures : ndarray of float64, shape (m,)
        Rising.
    out : ndarray of float64, shape (B, n)
        Estimated critical temperatures, within the axis; written to.
    """
    lanes, compositions, rows = magnetization.shape
    low, high = temperatures[0], temperatures[rows - 1]
    t, m, weight = np.empty((3, rows))
    for b in range(lanes):
        last = -1
        for i in range(compositions):
            count = 0
            for j in range(rows):
                if sweeps[b, i, j] > 0:
                    t[count] = temperatures[j]
                    m[count] = magnetization[b, i, j]
                    weight[count] = sweeps[b, i, j]
                    count += 1
            if count == 0:
                continue
            fit_decreasing(m, weight, count)
            out[b, i] = min(high, max(low, place_boundary(t, m, count, low, high)))
            for k in range(last + 1, i):
                share = (k - last) / (i - last)
                out[b, k] = (
                    out[b, i] if last < 0 else (1 - share) * out[b, last] + share * out[b, i]
                )
            last = i
        for k in range(last + 1, compositions):
            out[b, k] = 0.5 * (low + high) if last < 0 else out[b, last]
