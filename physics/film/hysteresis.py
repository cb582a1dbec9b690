"""Local hysteresis loops under a tip.

A loop is measured on a window of 17 x 17 px about the tip, whose rim keeps the polarisation of the
film around it, while the bias goes up, down and up again for one and a quarter cycles; the film
itself is unaltered. What the tip sees is the polarisation weighted by its field. In a row of a
window the 15 pixels that move and the rim to the right of them are one vector of 16; the rim has no
neighbours and a well where it is, so that it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.simd import FLOATS, load, splat, store

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW, RIM = 17, 8
CYCLES = 1.25
# Numbers from one row of a window to the next in memory, and the first of them that moves.
PITCH, FIRST = 32, 16
# Columns of the laws' table.
DEPTH, VOLTS, KAPPA, STEPS, FIELD_PER_VOLT = range(5)
DT, B = np.float32(0.15), np.float32(1.0)


@njit(cache=True)
def bias_of(phase: float) -> float:
    """Triangular bias over its amplitude at a phase in cycles: 0, 1 at a quarter, 0, -1, 0."""
    turned = phase - np.floor(phase)
    if turned < 0.25:
        return 4.0 * turned
    if turned < 0.75:
        return 2.0 - 4.0 * turned
    return 4.0 * turned - 4.0


@njit(cache=True)
def _ramp(law: Any, volts: Any, shares: Any) -> None:
    """Fill the bias at every step, and the share of P at that step in the area of the loop."""
    steps = int(law[STEPS])
    shares[:] = 0.0
    for n in range(steps + 1):
        phase = CYCLES * n / steps
        volts[n] = law[VOLTS] * bias_of(phase)
        if n > 0 and phase > CYCLES - 1.0:
            # P lags behind V, so that the loop runs clockwise in (V, P).
            half = 0.5 * (volts[n - 1] - volts[n])
            shares[n - 1] += half
            shares[n] += half


@njit(cache=True)
def _sweep(
    p: Any, stay: Any, push: Any, tip: Any, k: Any, volts: Any, shares: Any, out: Any
) -> None:
    """Take a window through explicit steps at given biases, in place.

    Parameters
    ----------
    p, stay, push, tip : ndarray of float32, shape (WINDOW * PITCH,)
        Polarisation, and what it is multiplied by, what is added, and what a volt adds in a step;
        the Laplacian of P, without its centre, enters with ``k`` of a column, (FLOATS,).
    volts, shares : ndarray of float32, shape (n,)
        Bias of every step, and weight of what comes out of it.
    out : ndarray of float32, shape (FLOATS,)
        Filled with sums by columns of share times tip times P.
    """
    seen, quartic, apart = splat(np.float32(0.0)), splat(DT * B), load(k, 0)
    for n in range(len(volts)):
        bias, sums = splat(volts[n]), splat(np.float32(0.0))
        above, c = load(p, FIRST), load(p, PITCH + FIRST)
        for i in range(1, WINDOW - 1):
            m = i * PITCH + FIRST
            below, weight = load(p, m + PITCH), load(tip, m)
            around = above + below + (load(p, m - 1) + load(p, m + 1))
            new = (load(stay, m) - quartic * c * c) * c + apart * around
            new = new + (load(push, m) + bias * weight)
            store(p, m, new)
            sums = sums + weight * new
            above, c = c, below
        seen = seen + splat(shares[n]) * sums
    store(out, 0, seen)


@njit(cache=True)
def loop_areas(
    films: Any, a: Any, field: Any, lanes: Any, places: Any, laws: Any, gains: Any, areas: Any
) -> None:
    """Areas of loops, in volts times polarisation.

    Parameters
    ----------
    films, a, field : ndarray of float32, shape (B, H, W)
        Polarisation, quadratic coefficient, random field.
    lanes : ndarray of int64, shape (n,)
        Film of every loop.
    places : ndarray of int64, shape (n, 2)
        Row and column of the tip, at least 8 px from the film's edges.
    laws : ndarray of float64, shape (B, 5)
        Columns DEPTH in px, VOLTS, KAPPA, STEPS of the whole loop (at least 5), FIELD_PER_VOLT.
    gains : ndarray of float64, shape (n,)
        Factor on the tip's field.
    areas : ndarray of float64, shape (n,)
        Filled: the integral of P dV over the last whole cycle, positive for a lossy loop.
    """
    size = WINDOW * PITCH
    p, stay = np.zeros(size, np.float32), np.zeros(size, np.float32)
    push, tip = np.zeros(size, np.float32), np.zeros(size, np.float32)
    k, seen = np.zeros(FLOATS, np.float32), np.zeros(FLOATS, np.float32)
    longest = int(laws[:, STEPS].max()) + 1
    volts, shares = np.empty(longest, np.float32), np.empty(longest, np.float32)
    one, four = np.float32(1.0), np.float32(4.0)
    for n in range(len(lanes)):
        lane = lanes[n]
        law = laws[lane]
        steps = int(law[STEPS])
        if n == 0 or lane != lanes[n - 1]:
            _ramp(law, volts, shares)
        k[: WINDOW - 2] = DT * np.float32(law[KAPPA])
        scale = law[FIELD_PER_VOLT] * gains[n]
        total = 0.0
        for i in range(WINDOW):
            for j in range(WINDOW):
                m = i * PITCH + FIRST - 1 + j
                row, column = places[n, 0] + i - RIM, places[n, 1] + j - RIM
                p[m] = films[lane, row, column]
                if j == WINDOW - 1:
                    stay[m] = one + DT * B * p[m] * p[m]
                elif 0 < i < WINDOW - 1 and j > 0:
                    stay[m] = one - four * k[0] - DT * a[lane, row, column]
                    push[m] = DT * field[lane, row, column]
                    cosine = law[DEPTH] / np.sqrt((i - RIM) ** 2 + (j - RIM) ** 2 + law[DEPTH] ** 2)
                    tip[m] = DT * np.float32(scale * cosine**3)
                    total += tip[m]
        _sweep(p, stay, push, tip, k, volts[:steps], shares[1 : steps + 1], seen)
        areas[n] = seen.sum() / total


def loop_curve(
    film: NDArray[np.float32],
    a: NDArray[np.float32],
    field: NDArray[np.float32],
    place: tuple[int, int],
    law: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bias in V and polarisation of one loop, (STEPS + 1,) each, readable and slow.

    Parameters
    ----------
    film, a, field : ndarray of float32, shape (H, W)
    place : tuple of int
        Row and column.
    law : ndarray of float64, shape (5,)
        A row of the laws' table of :func:`loop_areas`.
    """
    row, column = place
    part = (slice(row - RIM, row + RIM + 1), slice(column - RIM, column + RIM + 1))
    p, a, field = film[part].astype(np.float64), a[part], field[part]
    y, x = np.mgrid[-RIM : RIM + 1, -RIM : RIM + 1]
    tip = (law[DEPTH] / np.sqrt(x**2 + y**2 + law[DEPTH] ** 2)) ** 3
    inner = (slice(1, -1), slice(1, -1))
    weight = tip[inner] / tip[inner].sum()
    volts = law[VOLTS] * np.array(
        [bias_of(CYCLES * n / law[STEPS]) for n in range(int(law[STEPS]) + 1)]
    )
    seen = np.empty_like(volts)
    for n, bias in enumerate(volts):
        seen[n] = (weight * p[inner]).sum()
        laplace = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4.0 * p[inner]
        c = p[inner]
        local = (a[inner] + c * c) * c
        drive = field[inner] + bias * law[FIELD_PER_VOLT] * tip[inner]
        p[inner] = c + float(DT) * (law[KAPPA] * laplace - local + drive)
    return volts, seen
