"""Planning in the atom walk: where an exposure leaves the silicon, value iteration, look-ahead.

Time counts in units of 1/k0, so that one table serves all k0 of a hazard.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.envs.stem.atom_walk import IMAGE_S
from mattergym.physics.layers import walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beam positions of the table: a square grid in A about the silicon's first site.
GRID_HALF, GRID_STEP = 3.4, 0.1
GRID = 2 * round(GRID_HALF / GRID_STEP) + 1
# Exposures times k0 of the table; exposures are 0.5-5 s and k0 0.15-1 /s.
EXPOSURES = np.geomspace(0.075, 5.0, 13)
HOPS = 4
EULER_STEP = 0.025
# Cells that value iteration spans each way; beyond, the goal counts as out of reach.
REACH = 14
# Exposures and distances from the silicon among which a plan chooses.
NEAREST, FARTHEST, SPACING = 0.4, 1.7, 0.3
# k0 for which values are tabulated; the nearest in ln k0 serves.
LEVELS = (0.2, 0.45, 0.9)
PATIENCE = 30.0  # time constant of the discount, 1/k0


class Plan(NamedTuple):
    """Tables of a hazard, for a silicon on sublattice 0; from 1 all is turned by 180 degrees.

    Attributes
    ----------
    sites : ndarray of int64, shape (S, 3)
        Where the silicon may be after an exposure, relative to its cell; at most four hops away.
    chances : ndarray of float32, shape (GRID, GRID, E, S)
        Their probabilities by beam position (x, y) and exposure. What is missing to 1 is a lost
        carbon, or a walk further than that.
    """

    sites: NDArray[np.int64]
    chances: NDArray[np.float32]


def _cluster() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sites within four hops, (S, 3), and their neighbours' indices, (S, 3), -1 outside."""
    distances = walk.graph_distances()[0]
    n = HOPS + 1
    cells = range(-n, n + 1)
    sites = np.array(
        [
            (i, j, t)
            for i in cells
            for j in cells
            for t in (0, 1)
            if distances[i + walk.SPAN, j + walk.SPAN, t] <= HOPS
        ]
    )
    order = np.argsort(distances[sites[:, 0] + walk.SPAN, sites[:, 1] + walk.SPAN, sites[:, 2]])
    sites = sites[order]
    index = {tuple(site): k for k, site in enumerate(sites.tolist())}
    links = np.array(
        [
            [
                index.get((i + (1 - 2 * t) * di, j + (1 - 2 * t) * dj, 1 - t), -1)
                for di, dj in walk.STEPS
            ]
            for i, j, t in sites.tolist()
        ]
    )
    return sites, links


@njit(cache=True)
def _fill_chances(hazard: float, sites: Any, links: Any, out: Any) -> None:
    """Integrate the master equation by second-order steps for every beam position."""
    count = len(sites)
    rates = np.empty((count, 3))
    losses = np.empty(count)
    p, slope, curve = np.empty(count), np.empty(count), np.empty(count)
    for gx in range(out.shape[0]):
        for gy in range(out.shape[1]):
            x, y = gx * GRID_STEP - GRID_HALF, gy * GRID_STEP - GRID_HALF
            for s in range(count):
                i, j, t = sites[s, 0], sites[s, 1], sites[s, 2]
                px, py = walk.position(i, j, t)
                total = walk.hop_rates(x - px, y - py, 1 - 2 * t, rates[s])
                losses[s] = total + hazard * walk.ejection_rate(x, y, i, j, t)
            p[:] = 0.0
            p[0] = 1.0
            now = 0.0
            for e in range(len(EXPOSURES)):
                steps = int(np.ceil((EXPOSURES[e] - now) / EULER_STEP))
                dt = (EXPOSURES[e] - now) / steps
                for _ in range(steps):
                    _flow(p, rates, losses, links, slope)
                    _flow(slope, rates, losses, links, curve)
                    p += dt * slope + 0.5 * dt * dt * curve
                now = EXPOSURES[e]
                out[gx, gy, e] = p


@njit(cache=True)
def _flow(p: Any, rates: Any, losses: Any, links: Any, slope: Any) -> None:
    """Rate of change of the probabilities ``p`` by hops and losses."""
    for s in range(len(p)):
        slope[s] = -losses[s] * p[s]
    for s in range(len(p)):
        for n in range(3):
            if links[s, n] >= 0:
                slope[links[s, n]] += rates[s, n] * p[s]


@cache
def plan(hazard: float) -> Plan:
    """Make the tables of a hazard."""
    sites, links = _cluster()
    chances = np.empty((GRID, GRID, len(EXPOSURES), len(sites)), np.float32)
    _fill_chances(hazard, sites, links, chances)
    return Plan(sites, chances)


@cache
def candidates() -> NDArray[np.int64]:
    """Beam positions a plan chooses among, as offsets from the middle of the grid, (C, 2)."""
    reach = np.arange(-round(FARTHEST / GRID_STEP), round(FARTHEST / GRID_STEP) + 1)
    x, y = np.meshgrid(reach, reach, indexing="ij")
    radius = np.hypot(x, y) * GRID_STEP
    near = (radius >= NEAREST) & (radius <= FARTHEST)
    pace = round(SPACING / GRID_STEP)
    coarse = (x % pace == 0) & (y % pace == 0)
    keep = near & coarse
    # The points of highest rate themselves.
    peaks = np.round(walk.PEAK_DISTANCE * walk.DIRECTIONS / GRID_STEP).astype(np.int64)
    return np.unique(np.concatenate([np.stack([x[keep], y[keep]], axis=1), peaks]), axis=0)


@njit(cache=True)
def site_value(values: Any, i: int, j: int, t: int) -> float:
    """Value of standing at a site (i, j, t) relative to a goal on sublattice 0."""
    if abs(i) > REACH or abs(j) > REACH:
        return 0.0
    return values[i + REACH, j + REACH, t]


@njit(cache=True)
def _iterate(
    values: Any, sites: Any, chances: Any, options: Any, exposures: Any, decay: Any
) -> float:
    """One sweep of value iteration in place (Gauss-Seidel); return the largest change."""
    middle = GRID // 2
    change = 0.0
    reached = np.empty(len(sites))
    for i in range(-REACH, REACH + 1):
        for j in range(-REACH, REACH + 1):
            for t in range(2):
                if i == 0 and j == 0 and t == 0:
                    continue
                sign = 1 - 2 * t
                for s in range(len(sites)):
                    u = sites[s, 2]
                    reached[s] = site_value(
                        values, i + sign * sites[s, 0], j + sign * sites[s, 1], t + sign * u
                    )
                best = 0.0
                for c in range(len(options)):
                    row = chances[middle + options[c, 0], middle + options[c, 1]]
                    for k in range(len(exposures)):
                        p = row[exposures[k]]
                        q = 0.0
                        for s in range(len(sites)):
                            q += p[s] * reached[s]
                        best = max(best, decay[k] * q)
                old = values[i + REACH, j + REACH, t]
                change = max(change, abs(best - old))
                values[i + REACH, j + REACH, t] = best
    return change


@cache
def value_table(hazard: float, rate_scale: float, patience: float) -> NDArray[np.float64]:
    """Discounted chance to reach a goal on sublattice 0, by value iteration.

    Parameters
    ----------
    hazard : float
    rate_scale : float
        k0 in 1/s; it decides what the second of every image is worth.
    patience : float
        Time constant of the discount, in units of 1/k0.

    Returns
    -------
    ndarray of float64, shape (2 REACH + 1, 2 REACH + 1, 2)
        Of the silicon's site relative to the goal. A goal on sublattice 1 is the same turned by
        180 degrees.
    """
    tables = plan(hazard)
    exposures = allowed_exposures(rate_scale)[::2]
    decay = np.exp(-(EXPOSURES[exposures] + rate_scale) / patience)
    values = np.zeros((2 * REACH + 1, 2 * REACH + 1, 2))
    values[REACH, REACH, 0] = 1.0
    while _iterate(values, *tables, candidates(), exposures, decay) > 1e-3:
        pass
    return values


def allowed_exposures(rate_scale: float) -> NDArray[np.int64]:
    """Return indices of the table's exposures that 0.5-5 s span at a k0."""
    seconds = EXPOSURES / rate_scale
    return np.flatnonzero((seconds >= 0.499) & (seconds <= 5.001))


@njit(cache=True)
def look_ahead(
    sublattice: Any,
    goal: Any,
    offsets: Any,
    scales: Any,
    sites: Any,
    chances: Any,
    values: Any,
    options: Any,
    patience: float,
    beams: Any,
    seconds: Any,
) -> None:
    """Choose beam and exposure of highest mean value over samples of offset and k0.

    Parameters
    ----------
    sublattice : ndarray of int64, shape (B,)
        Of the silicon.
    goal : ndarray of int64, shape (B, 3)
        Cell and sublattice, from the silicon's cell.
    offsets, scales : ndarray of float64, shape (B, P, 2) and (B, P)
        Samples of the offset in A and of k0 in 1/s.
    sites, chances, values, options
        Of :func:`plan`, :func:`value_table` and :func:`candidates`; ``values`` has a leading axis
        of :data:`LEVELS`.
    patience : float
    beams, seconds : ndarray of float64, shape (B, 2) and (B,)
        Filled with the commanded position in A and the exposure in s.
    """
    middle = GRID // 2
    count, samples = len(sites), scales.shape[1]
    reached = np.empty((len(LEVELS), count))
    for b in range(len(sublattice)):
        sign = 1 - 2 * sublattice[b]
        turn = 1 - 2 * goal[b, 2]
        for s in range(count):
            # The site from the goal, as if the goal were on sublattice 0.
            i = turn * (sign * sites[s, 0] - goal[b, 0])
            j = turn * (sign * sites[s, 1] - goal[b, 1])
            u = sublattice[b] + sign * sites[s, 2]
            t = turn * (u - goal[b, 2])
            for level in range(len(LEVELS)):
                reached[level, s] = site_value(values[level], i, j, t)
        best = -1.0
        for c in range(len(options)):
            for e in range(len(EXPOSURES)):
                total, used = 0.0, 0.0
                for p in range(samples):
                    scale = scales[b, p]
                    # The exposure in s of the first sample serves all.
                    lasting = EXPOSURES[e] / scales[b, 0]
                    if lasting < 0.499 or lasting > 5.001:
                        continue
                    x = sign * offsets[b, p, 0] / GRID_STEP + options[c, 0]
                    y = sign * offsets[b, p, 1] / GRID_STEP + options[c, 1]
                    gx = middle + int(np.floor(x + 0.5))
                    gy = middle + int(np.floor(y + 0.5))
                    used += 1.0
                    if gx < 0 or gy < 0 or gx >= GRID or gy >= GRID:
                        continue
                    scaled = lasting * scale
                    k = np.searchsorted(EXPOSURES, scaled)
                    k = min(max(k, 0), len(EXPOSURES) - 1)
                    if k > 0 and scaled - EXPOSURES[k - 1] < EXPOSURES[k] - scaled:
                        k -= 1
                    level = 0
                    for other in range(1, len(LEVELS)):
                        if abs(np.log(scale / LEVELS[other])) < abs(np.log(scale / LEVELS[level])):
                            level = other
                    q = 0.0
                    row = chances[gx, gy, k]
                    for s in range(count):
                        q += row[s] * reached[level, s]
                    total += q * np.exp(-(lasting + IMAGE_S) * scale / patience)
                if used > 0.0 and total / used > best:
                    best = total / used
                    beams[b, 0] = sign * options[c, 0] * GRID_STEP
                    beams[b, 1] = sign * options[c, 1] * GRID_STEP
                    seconds[b] = EXPOSURES[e] / scales[b, 0]
