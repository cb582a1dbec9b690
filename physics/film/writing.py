"""Domains written by voltage pulses of a tip, PFM images of them, and patterns to be written.

The film has 64 x 64 pixels of 5 nm, free (Neumann) edges, a = -1, b = 1, kappa = 0.15, a step of
0.15 and a mean-field depolarisation of 0.03. a(x) varies by 0.2 (smoothed over 0.8 px), a random
field by 0.03 (1.2 px). The tip's field is that of a point charge 2.6 px deep, 0.35 a volt at its
centre, times a hidden gain. A pulse of t seconds takes 20 + 50 log10(t/0.1 ms) steps, and the film
then relaxes for 40 steps without field: a convention that stands for the logarithmic growth of
domains in real films. With this kappa a wall is half a pixel wide (xi = 0.55 px), so that the
lattice itself pins it, besides the disorder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.film.landau import NEUMANN, Landau, relax, tip_field
from mattergym.physics.rng import fill_normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 64
LANDAU = Landau(b=1.0, kappa=0.15, alpha=0.03, dt=0.15, edges=NEUMANN)
DISORDER, DISORDER_LENGTH = 0.2, 0.8
RANDOM_FIELD, RANDOM_FIELD_LENGTH = 0.03, 1.2
DEPTH, FIELD_PER_VOLT = 2.6, 0.35
SHORTEST, FIRST_STEPS, STEPS_PER_DECADE, REST_STEPS = 1e-4, 20, 50, 40
CORNER_RADIUS = 1.8
FAR = np.float32(1e6)
SHAPES = ("disc", "ring", "stripes", "checker", "blob")


def pulse_steps(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Film steps of pulses of some durations in s."""
    return np.round(FIRST_STEPS + STEPS_PER_DECADE * np.log10(seconds / SHORTEST)).astype(np.int64)


@njit(cache=True)
def place_tips(lanes: Any, places: Any, gain: Any, out: Any) -> None:
    """Fill maps of the tip's field a volt, (B, H, W), at places (B, 2), x and y in pixels."""
    for lane in lanes:
        tip_field(places[lane, 0], places[lane, 1], DEPTH, out[lane])
        scale = np.float32(FIELD_PER_VOLT * gain[lane])
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[lane, i, j] *= scale


def write(
    lanes: NDArray[np.intp],
    polarization: NDArray[np.float32],
    a: NDArray[np.float32],
    field: NDArray[np.float32],
    places: NDArray[np.float64],
    volts: NDArray[np.float64],
    seconds: NDArray[np.float64],
    gain: NDArray[np.float64],
    streams: NDArray[np.uint64],
) -> None:
    """Apply one pulse a lane, then let the films rest; arrays as in ``relax``, by lane.

    Parameters
    ----------
    places : ndarray of float64, shape (B, 2)
        x (column) and y (row) in pixels.
    volts, seconds, gain : ndarray of float64, shape (B,)
    """
    tips = np.empty_like(polarization)
    place_tips(lanes, places, gain, tips)
    relax(lanes, polarization, a, field, tips, volts, pulse_steps(seconds), LANDAU, streams)
    rest = np.full(len(polarization), REST_STEPS)
    relax(lanes, polarization, a, field, tips, np.zeros_like(volts), rest, LANDAU, streams)


@njit(cache=True)
def image(lanes: Any, polarization: Any, noise: float, streams: Any, out: Any) -> None:
    """PFM images, amplitude times sign, (B, H, W): the polarisation with detector noise."""
    h, w = out.shape[1:]
    draws = np.empty((h, w))
    for lane in lanes:
        fill_normal(streams[lane], draws.reshape(h * w))
        for i in range(h):
            for j in range(w):
                out[lane, i, j] = polarization[lane, i, j] + noise * draws[i, j]


@njit(cache=True)
def rounded_box(x: float, y: float, half_x: float, half_y: float) -> float:
    """Signed distance to a box with rounded corners, negative inside."""
    qx, qy = abs(x) - half_x + CORNER_RADIUS, abs(y) - half_y + CORNER_RADIUS
    outside = np.hypot(max(qx, 0.0), max(qy, 0.0))
    return outside + min(max(qx, qy), 0.0) - CORNER_RADIUS


@njit(cache=True)
def draw_target(stream: Any, out: Any) -> int:
    """Draw a pattern, bool (H, W); return the index of its kind in ``SHAPES``.

    Discs of radius 10-20 px, rings (8-12 px inside, 7-10 px wide), stripes (8-11 px wide), checkers
    (10-13 px), blobs of three to five discs, all at random places and angles, corners rounded by
    1.8 px, at least 3 px from the edges of the film.
    """
    n = out.shape[0]
    kind = int(5 * uniform(stream))
    cx = 0.5 * (n - 1) + 6.0 * (uniform(stream) - 0.5)
    cy = 0.5 * (n - 1) + 6.0 * (uniform(stream) - 0.5)
    angle = np.pi * uniform(stream)
    cosine, sine = np.cos(angle), np.sin(angle)
    size = uniform(stream)
    width = uniform(stream)
    count = 3 + int(3 * uniform(stream))
    discs = np.empty((5, 3))
    for k in range(5):
        around = 2.0 * np.pi * uniform(stream)
        away = 12.0 * np.sqrt(uniform(stream))
        discs[k, 0], discs[k, 1] = away * np.cos(around), away * np.sin(around)
        discs[k, 2] = 6.0 + 5.0 * uniform(stream)
    for i in range(n):
        for j in range(n):
            dx, dy = j - cx, i - cy
            u, v = cosine * dx + sine * dy, -sine * dx + cosine * dy
            radius = np.hypot(dx, dy)
            if kind == 0:
                inside = radius < 10.0 + 10.0 * size
            elif kind == 1:
                inner = 8.0 + 4.0 * size
                inside = inner < radius < inner + 7.0 + 3.0 * width
            elif kind == 2:
                period = 2.0 * (8.0 + 3.0 * width)
                along = u - period * np.round(u / period)
                inside = rounded_box(along, v, 0.25 * period, 20.0) < 0.0 and abs(u) < 24.0
            elif kind == 3:
                cell = 10.0 + 3.0 * width
                p, q = np.floor(u / cell), np.floor(v / cell)
                dark = (int(p) + int(q)) % 2 == 0
                mu, mv = u - (p + 0.5) * cell, v - (q + 0.5) * cell
                near = -2.0 <= p <= 1.0 and -2.0 <= q <= 1.0
                inside = dark and near and rounded_box(mu, mv, 0.5 * cell, 0.5 * cell) < 0.0
            else:
                inside = False
                for k in range(count):
                    if np.hypot(dx - discs[k, 0], dy - discs[k, 1]) < discs[k, 2]:
                        inside = True
            edge = min(min(i, j), min(n - 1 - i, n - 1 - j))
            out[i, j] = inside and edge >= 3
    return kind


@njit(cache=True)
def box_filter(source: Any, out: Any) -> None:
    """Mean over 3 x 3 pixels, edges repeated, (H, W)."""
    h, w = source.shape
    for i in range(h):
        above, below = max(i - 1, 0), min(i + 1, h - 1)
        for j in range(1, w - 1):
            total = np.float64(source[above, j - 1]) + source[above, j] + source[above, j + 1]
            total = total + source[i, j - 1] + source[i, j] + source[i, j + 1]
            total = total + source[below, j - 1] + source[below, j] + source[below, j + 1]
            out[i, j] = total / 9.0
        for j in (0, w - 1):
            total = 0.0
            for row in (above, i, below):
                for dj in range(-1, 2):
                    total += source[row, min(max(j + dj, 0), w - 1)]
            out[i, j] = total / 9.0


@njit(cache=True)
def smaller(x: Any, y: Any) -> Any:
    """Return the smaller of two numbers, neither NaN, by one instruction."""
    return x if x < y else y


@njit(cache=True)
def fill_distance(mask: Any, distance: Any) -> None:
    """Fill distances, in fifths of a pixel, of the pixels of a mask to the nearest outside.

    By a chamfer transform (5-7-11, within 2 % of Euclid's; Borgefors, G. (1986), Comput. Vis.
    Graph. Image Process. 34, 344). The film's edges do not count as outside.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
    distance : ndarray of float32, shape (H + 4, W + 4)
        Padded by two.
    """
    h, w = mask.shape
    row = np.empty(w, distance.dtype)
    five, seven, eleven = np.float32(5.0), np.float32(7.0), np.float32(11.0)
    distance[:] = FAR
    for i in range(h):
        for j in range(w):
            distance[i + 2, j + 2] = FAR if mask[i, j] else 0.0
    for way in (1, -1):
        for n in range(h):
            i = n + 2 if way == 1 else h + 1 - n
            near, far = i - way, i - 2 * way
            # What comes from the rows before, then what comes along the row.
            for j in range(w):
                m = j + 2
                straight = smaller(distance[i, m], distance[near, m] + five)
                oblique = smaller(distance[near, m - 1], distance[near, m + 1]) + seven
                flat = smaller(distance[near, m - 2], distance[near, m + 2])
                steep = smaller(distance[far, m - 1], distance[far, m + 1])
                knight = smaller(flat, steep) + eleven
                row[j] = smaller(straight, smaller(oblique, knight))
            shortest = row[0] + FAR
            for j in range(w):
                m = j if way == 1 else w - 1 - j
                shortest = smaller(shortest + five, row[m])
                distance[i, m + 2] = shortest


@njit(cache=True)
def largest_inside(mask: Any, distance: Any) -> tuple[float, float, float]:
    """Centre x, y and radius in pixels of the largest disc inside a mask; 0 without mask.

    Parameters as of :func:`fill_distance`; ``distance`` is work space.
    """
    fill_distance(mask, distance)
    best, x, y = 0.0, 0.0, 0.0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if distance[i + 2, j + 2] > best:
                best, x, y = distance[i + 2, j + 2], 1.0 * j, 1.0 * i
    return x, y, min(max(best / 5.0 - 0.5, 0.0), 1.0 * mask.shape[0])


@njit(cache=True)
def signed_distance(mask: Any, distance: Any, out: Any) -> None:
    """Distance in pixels to the edge of a mask, positive inside, (H, W).

    Parameters as of :func:`fill_distance`; ``distance`` is work space. Without an edge +-100.
    """
    fill_distance(mask, distance)
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            out[i, j] = min(distance[i + 2, j + 2] / 5.0 - 0.5, 100.0)
    fill_distance(~mask, distance)
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if not mask[i, j]:
                out[i, j] = -min(distance[i + 2, j + 2] / 5.0 - 0.5, 100.0)
