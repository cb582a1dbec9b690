"""Local hysteresis loops under a tip: windows of a film, eight side by side.

A loop is measured on a window of 17 x 17 px about the tip, whose rim keeps the polarisation of the
film around it, while the bias goes up, down and up again for one and a quarter cycles; the film
itself is unaltered. What the tip sees is the polarisation weighted by its field. Windows that are
measured together lie side by side in memory, so that one instruction steps eight (more
would not fit the first-level cache); each nevertheless goes through the same operations as alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW, RIM = 17, 8
WIDTH = 8
CYCLES = 1.25
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
def _step(p: Any, q: Any, a: Any, field: Any, tip: Any, bias: Any, kappa: Any) -> None:
    """One explicit step of all windows; arrays (WINDOW, WINDOW * WIDTH), windows innermost."""
    for i in range(1, WINDOW - 1):
        for k in range(WIDTH, (WINDOW - 1) * WIDTH):
            c = p[i, k]
            around = p[i - 1, k] + p[i + 1, k] + p[i, k - WIDTH] + p[i, k + WIDTH]
            local = (a[i, k] + B * c * c) * c
            drive = field[i, k] + bias[k] * tip[i, k]
            q[i, k] = c + DT * (kappa[k] * (around - np.float32(4.0) * c) - local + drive)


@njit(cache=True)
def _seen(p: Any, weight: Any, sums: Any, out: Any) -> None:
    """Weigh the polarisation of every window; ``sums`` is work space of a row."""
    sums[:] = 0.0
    for i in range(1, WINDOW - 1):
        for k in range(WIDTH, (WINDOW - 1) * WIDTH):
            sums[k] += weight[i, k] * p[i, k]
    out[:] = 0.0
    for j in range(1, WINDOW - 1):
        for w in range(WIDTH):
            out[w] += sums[j * WIDTH + w]


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
        Columns DEPTH in px, VOLTS, KAPPA, STEPS of the whole loop, FIELD_PER_VOLT.
    gains : ndarray of float64, shape (n,)
        Factor on the tip's field.
    areas : ndarray of float64, shape (n,)
        Filled: the integral of P dV over the last whole cycle, positive for a lossy loop.
    """
    shape = (WINDOW, WINDOW * WIDTH)
    p, q = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    here_a, here_field = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    tip, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    bias, kappa = np.zeros(shape[1], np.float32), np.zeros(shape[1], np.float32)
    sums = np.zeros(shape[1], np.float32)
    seen, before = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    volts_before = np.zeros(WIDTH)
    for start in range(0, len(lanes), WIDTH):
        count = min(WIDTH, len(lanes) - start)
        longest = 0
        for w in range(count):
            lane = lanes[start + w]
            depth = laws[lane, DEPTH]
            kappa[w::WIDTH] = np.float32(laws[lane, KAPPA])
            longest = max(longest, int(laws[lane, STEPS]))
            scale = laws[lane, FIELD_PER_VOLT] * gains[start + w]
            total = 0.0
            for i in range(WINDOW):
                for j in range(WINDOW):
                    row, column = places[start + w, 0] + i - RIM, places[start + w, 1] + j - RIM
                    p[i, j * WIDTH + w] = films[lane, row, column]
                    here_a[i, j * WIDTH + w] = a[lane, row, column]
                    here_field[i, j * WIDTH + w] = field[lane, row, column]
                    rho2 = (i - RIM) ** 2 + (j - RIM) ** 2
                    cosine = depth / np.sqrt(rho2 + depth * depth)
                    tip[i, j * WIDTH + w] = np.float32(scale * cosine**3)
                    inside = 0 < i < WINDOW - 1 and 0 < j < WINDOW - 1
                    weight[i, j * WIDTH + w] = np.float32(cosine**3) if inside else np.float32(0.0)
                    total += weight[i, j * WIDTH + w]
            for i in range(WINDOW):
                for j in range(WINDOW):
                    weight[i, j * WIDTH + w] = np.float32(weight[i, j * WIDTH + w] / total)
            areas[start + w] = 0.0
        q[:] = p
        for n in range(longest + 1):
            _seen(p, weight, sums, seen)
            for w in range(count):
                law = laws[lanes[start + w]]
                phase = CYCLES * n / law[STEPS]
                volts = law[VOLTS] * bias_of(phase)
                if n <= law[STEPS] and phase > CYCLES - 1.0 and n > 0:
                    mean = 0.5 * (np.float64(seen[w]) + np.float64(before[w]))
                    # P lags behind V, so that the loop runs clockwise in (V, P).
                    areas[start + w] -= mean * (volts - volts_before[w])
                before[w] = seen[w]
                volts_before[w] = volts
                bias[w::WIDTH] = np.float32(volts)
            _step(p, q, here_a, here_field, tip, bias, kappa)
            p, q = q, p


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
