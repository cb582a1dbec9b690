"""Random streams for Numba kernels: xoshiro256++ states keyed by (seed, episode, purpose).

A kernel never touches global random state. Each lane of a batch owns one row of four 64-bit
words, so that a lane draws the same numbers whatever its batch mates do.

References
----------
Blackman, D. & Vigna, S. (2021), "Scrambled linear pseudorandom number generators",
ACM Trans. Math. Softw. 47, 36 (xoshiro256++).
Steele, G. L., Lea, D. & Flood, C. H. (2014), "Fast splittable pseudorandom number generators",
OOPSLA '14 (SplitMix64, recommended by the former authors for seeding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_U11, _U17, _U19, _U23, _U41, _U45 = (np.uint64(n) for n in (11, 17, 19, 23, 41, 45))


def splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Advance SplitMix64 states by one step and return the outputs.

    Parameters
    ----------
    x : ndarray of uint64, any shape
        States; the array is not changed.

    Returns
    -------
    ndarray of uint64, same shape
        Output number one of a SplitMix64 generator seeded with ``x``.
    """
    with np.errstate(over="ignore"):
        z = x + _GOLDEN_GAMMA
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


def seed_streams(
    seeds: NDArray[np.uint64], episodes: NDArray[np.uint64], purpose: int
) -> NDArray[np.uint64]:
    """Make one xoshiro256++ state a lane from (seed, episode, purpose).

    Parameters
    ----------
    seeds, episodes : ndarray of uint64, shape (B,)
        Lane seeds and episode indices.
    purpose : int
        Number of the stream within an episode (specimen, dynamics, noise, ...).

    Returns
    -------
    ndarray of uint64, shape (B, 4)
        States for :func:`xoshiro256pp`; never all zero.
    """
    key = splitmix64(np.asarray(seeds, np.uint64))
    key = splitmix64(key ^ np.asarray(episodes, np.uint64))
    key = splitmix64(key ^ np.uint64(purpose))
    state = np.empty((len(key), 4), np.uint64)
    with np.errstate(over="ignore"):
        for word in range(4):
            state[:, word] = splitmix64(key)
            key = key + _GOLDEN_GAMMA
    return state


@njit(cache=True)
def xoshiro256pp(s0: Any, s1: Any, s2: Any, s3: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Draw one uint64 and advance a state held in four local variables.

    Returns
    -------
    tuple of uint64
        The draw, then the four words of the new state. Kernels keep the state in registers by
        holding it in local variables and write it back to the lane's row when they end.
    """
    total = s0 + s3
    draw = ((total << _U23) | (total >> _U41)) + s0
    shifted = s1 << _U17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _U45) | (s3 >> _U19)
    return draw, s0, s1, s2, s3


@njit(cache=True)
def next_uint64(state: Any) -> Any:
    """Draw one uint64 from a state row of shape (4,), advancing it in place."""
    draw, s0, s1, s2, s3 = xoshiro256pp(state[0], state[1], state[2], state[3])
    state[0] = s0
    state[1] = s1
    state[2] = s2
    state[3] = s3
    return draw


@njit(cache=True)
def uniform(state: Any) -> float:
    """Draw a float64 in [0, 1) with 53 random bits from a state row, advancing it in place."""
    return np.float64(next_uint64(state) >> _U11) * 2.0**-53


@njit(cache=True)
def normal(state: Any) -> float:
    """Draw a standard normal float64 from a state row by Box and Muller, advancing it in place.

    Box, G. E. P. & Muller, M. E. (1958), Ann. Math. Stat. 29, 610; of the pair one is used.
    """
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(state)))
    return radius * np.cos(2.0 * np.pi * uniform(state))
