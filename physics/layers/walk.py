"""A silicon atom in graphene that hops under the beam, and the carbons that the beam may eject.

The honeycomb is indexed by cells (i, j) and sublattice t; site (i, j, 0) lies at i a1 + j a2, site
(i, j, 1) one bond above it. The silicon swaps places with one of its three neighbours n at rate

    r_n = k0 [0.9 exp(-d^2 / 2 w^2) + 0.1 exp(-d^2 / 2 W^2)],

d the distance of the beam from the point 0.85 A from the silicon towards the neighbour, where the
observed rate peaks, W = 0.9 A the tail. Each carbon under the beam is ejected at rate
h k0 exp(-d^2 / 2 s^2), s = 0.3 A. Rates are a model with the measured peak and scale.

References
----------
Susi, T. et al. (2014), Phys. Rev. Lett. 113, 115501 (silicon hops under the beam).
Dyck, O. et al. (2017), Appl. Phys. Lett. 111, 113104; Tripathi, M. et al. (2018), Nano Lett. 18,
5319 (silicon moved through graphene atom by atom).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.rng import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

LATTICE = 2.46  # A
BOND = LATTICE / np.sqrt(3.0)
PEAK_DISTANCE = 0.85  # A
PEAK_WIDTH, TAIL_WIDTH, TAIL_SHARE = 0.5, 0.9, 0.1  # A, A, 1
EJECTION_WIDTH = 0.3  # A
# Carbons further than this from the beam are safe (exp(-18)).
_REACH_SQUARED = 36.0 * EJECTION_WIDTH**2
# Steps (di, dj) to the three neighbours of sublattice 0, which lie in sublattice 1; those of
# sublattice 1 are the opposite ones.
STEPS = np.array([[0, 0], [0, -1], [1, -1]])
# Unit vectors to the neighbours of sublattice 0; of sublattice 1 the negative ones.
DIRECTIONS = np.array([[0.0, 1.0], [-np.sqrt(0.75), -0.5], [np.sqrt(0.75), -0.5]])
# Lattice vector along j.
A2 = np.array([0.5 * LATTICE, np.sqrt(0.75) * LATTICE])
# Cells from the origin that the table of graph distances spans each way.
SPAN = 24


@njit(cache=True)
def position(i: Any, j: Any, t: Any) -> tuple[Any, Any]:
    """Position (x, y) in A of a site; arrays broadcast."""
    return LATTICE * (i + 0.5 * j), LATTICE * np.sqrt(0.75) * j + BOND * t


@cache
def graph_distances() -> NDArray[np.int16]:
    """Bonds between the site (0, 0, t) and the site (i, j, u), int16.

    Returns
    -------
    ndarray of int16, shape (2, 2 SPAN + 1, 2 SPAN + 1, 2)
        Indexed by [t, i + SPAN, j + SPAN, u]. By breadth-first search.
    """
    n = 2 * SPAN + 1
    table = np.full((2, n, n, 2), -1, np.int16)
    for t in (0, 1):
        front = [(SPAN, SPAN, t)]
        table[t, SPAN, SPAN, t] = 0
        distance = 0
        while front:
            distance += 1
            reached = []
            for i, j, u in front:
                sign = 1 - 2 * u
                for di, dj in STEPS:
                    x, y = i + sign * di, j + sign * dj
                    if 0 <= x < n and 0 <= y < n and table[t, x, y, 1 - u] < 0:
                        table[t, x, y, 1 - u] = distance
                        reached.append((x, y, 1 - u))
            front = reached
    return table


@njit(cache=True)
def hop_rates(x: float, y: float, sign: int, rates: Any) -> float:
    """Fill the three hop rates over k0 of a beam at (x, y) A from the silicon; return their sum.

    ``sign`` is 1 on sublattice 0 and -1 on sublattice 1.
    """
    total = 0.0
    for n in range(3):
        dx = x - sign * PEAK_DISTANCE * DIRECTIONS[n, 0]
        dy = y - sign * PEAK_DISTANCE * DIRECTIONS[n, 1]
        d2 = dx * dx + dy * dy
        rates[n] = (1.0 - TAIL_SHARE) * np.exp(-0.5 * d2 / PEAK_WIDTH**2)
        rates[n] += TAIL_SHARE * np.exp(-0.5 * d2 / TAIL_WIDTH**2)
        total += rates[n]
    return total


@njit(cache=True)
def ejection_rate(x: float, y: float, si: int, sj: int, st: int) -> float:
    """Rate over h k0 at which the beam at (x, y) A ejects carbons; the silicon's site has none."""
    j0 = int(np.floor(y / (LATTICE * np.sqrt(0.75))))
    total = 0.0
    for j in range(j0 - 1, j0 + 2):
        i0 = int(np.floor(x / LATTICE - 0.5 * j))
        for i in range(i0 - 1, i0 + 3):
            for t in range(2):
                if i == si and j == sj and t == st:
                    continue
                px, py = position(i, j, t)
                d2 = (px - x) ** 2 + (py - y) ** 2
                if d2 < _REACH_SQUARED:
                    total += np.exp(-0.5 * d2 / EJECTION_WIDTH**2)
    return total


@njit(cache=True)
def expose(
    beams: Any, seconds: Any, rate_scale: Any, hazard: Any, site: Any, streams: Any, ejected: Any
) -> None:
    """Park the beam in every lane: the silicon hops, and a carbon may be lost, which ends it.

    Competing exponential waiting times; what the beam does after a hop follows from where the
    silicon is then.

    Parameters
    ----------
    beams : ndarray of float64, shape (B, 2)
        True position in A, in the lattice's frame.
    seconds, rate_scale, hazard : ndarray of float64, shape (B,)
        Exposure in s, k0 in 1/s, and h.
    site : ndarray of int64, shape (B, 3)
        Cell and sublattice (i, j, t) of the silicon; changed in place.
    streams : ndarray of uint64, shape (B, 4)
    ejected : ndarray of bool, shape (B,)
        Set where a carbon was lost.
    """
    rates = np.empty(3)
    for b in range(site.shape[0]):
        left = seconds[b]
        ejected[b] = False
        while True:
            i, j, t = site[b, 0], site[b, 1], site[b, 2]
            sign = 1 - 2 * t
            px, py = position(i, j, t)
            hops = hop_rates(beams[b, 0] - px, beams[b, 1] - py, sign, rates)
            loss = hazard[b] * ejection_rate(beams[b, 0], beams[b, 1], i, j, t)
            total = rate_scale[b] * (hops + loss)
            left += np.log(1.0 - uniform(streams[b])) / total
            if left < 0.0:
                break
            choice = uniform(streams[b]) * (hops + loss)
            if choice >= hops:
                ejected[b] = True
                break
            n = 0
            while n < 2 and choice >= rates[n]:
                choice -= rates[n]
                n += 1
            site[b, 0] += sign * STEPS[n, 0]
            site[b, 1] += sign * STEPS[n, 1]
            site[b, 2] = 1 - t


@cache
def sites_between(nearest: float, farthest: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sites at some distances in A from sublattice 0's origin, and the distances, ascending.

    Of the cells within ten of the origin: cells and sublattice, int64 (G, 3), and float64 (G,).
    """
    reach = range(-10, 11)
    sites = np.array([(i, j, t) for i in reach for j in reach for t in (0, 1)])
    distance = np.hypot(*position(*sites.T))
    order = np.argsort(distance, kind="stable")
    order = order[(distance[order] >= nearest) & (distance[order] <= farthest)]
    return sites[order], distance[order]


@njit(cache=True)
def wander(drift: float, seconds: Any, streams: Any, offset: Any) -> None:
    """Let the beam's offset (B, 2) drift by ``drift`` A per root second an axis in every lane."""
    for b in range(offset.shape[0]):
        for axis in range(2):
            offset[b, axis] += drift * np.sqrt(seconds[b]) * normal(streams[b])
