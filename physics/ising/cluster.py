"""Wolff clusters: updates that flip a whole cluster, for equilibrium near the critical point.

References
----------
Wolff, U. (1989), Phys. Rev. Lett. 62, 361.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.ising.checkerboard import PROBABILITY_ONE, TOP_BITS
from mattergym.physics.ising.couplings import (
    FERROMAGNET,
    Uniform,
    check_lattices,
    checked_temperature,
    per_lane,
)
from mattergym.physics.rng import next_uint64

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@njit(cache=True)
def grow_wolff_clusters(
    spins: Any, p_row: Any, p_column: Any, streams: Any, clusters: int, flipped: Any
) -> None:
    """Flip Wolff clusters in each lane; bonds along rows and columns open at p_row, p_column."""
    size = spins.shape[1]
    sites = size * size
    stack = np.empty(sites, np.int64)
    for b in range(spins.shape[0]):
        s = spins[b].reshape(sites)
        state = streams[b]
        open_row = np.uint64(p_row[b] * PROBABILITY_ONE)
        open_column = np.uint64(p_column[b] * PROBABILITY_ONE)
        for _ in range(clusters):
            site = np.int64((next_uint64(state) >> TOP_BITS) % np.uint64(sites))
            spin = s[site]
            s[site] = -spin
            flipped[b] += 1
            stack[0] = site
            height = 1
            while height > 0:
                height -= 1
                site = stack[height]
                i, j = site // size, site % size
                for neighbour in range(4):
                    if neighbour == 0:
                        other = i * size + (j + 1) % size
                    elif neighbour == 1:
                        other = i * size + (j - 1) % size
                    elif neighbour == 2:
                        other = ((i + 1) % size) * size + j
                    else:
                        other = ((i - 1) % size) * size + j
                    if s[other] == spin:
                        threshold = open_row if neighbour < 2 else open_column
                        if (next_uint64(state) >> TOP_BITS) < threshold:
                            s[other] = -spin
                            flipped[b] += 1
                            stack[height] = other
                            height += 1


def wolff_updates(
    spins: NDArray[np.int8],
    temperature: ArrayLike,
    streams: NDArray[np.uint64],
    clusters: int,
    couplings: Uniform = FERROMAGNET,
) -> NDArray[np.int64]:
    """Flip Wolff clusters of ferromagnets in zero field, in place.

    Parameters are those of :func:`checkerboard_sweeps`; ``clusters`` is their number a lane and the
    couplings must be non-negative.

    Returns
    -------
    ndarray of int64, shape (B,)
        Spins flipped.

    Raises
    ------
    ValueError
        As :func:`checkerboard_sweeps`, or if a coupling is negative.
    """
    lanes = len(spins)
    t = checked_temperature(temperature, lanes)
    check_lattices(spins)
    jx, jy = per_lane(couplings.jx, lanes, "jx"), per_lane(couplings.jy, lanes, "jy")
    if (jx < 0).any() or (jy < 0).any():
        raise ValueError("Wolff clusters need jx >= 0 and jy >= 0")
    flipped = np.zeros(lanes, np.int64)
    # Bond probability 1 - exp(-2 J / T), Wolff (1989).
    grow_wolff_clusters(
        spins, -np.expm1(-2 * jx / t), -np.expm1(-2 * jy / t), streams, clusters, flipped
    )
    return flipped
