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

import math
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


@njit(cache=True)
def _mix(x: Any) -> Any:
    """Output of :func:`splitmix64` for one uint64."""
    z = x + _GOLDEN_GAMMA
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _fill_streams(seeds: Any, episodes: Any, purpose: Any, states: Any) -> None:
    """Write the states of :func:`seed_streams`."""
    for b in range(states.shape[0]):
        key = _mix(_mix(_mix(seeds[b]) ^ episodes[b]) ^ purpose)
        for word in range(4):
            states[b, word] = _mix(key)
            key += _GOLDEN_GAMMA


def seed_streams(seeds: NDArray[Any], episodes: NDArray[Any], purpose: int) -> NDArray[np.uint64]:
    """Make one xoshiro256++ state a lane from (seed, episode, purpose).

    Parameters
    ----------
    seeds, episodes : ndarray of whole numbers, shape (B,)
        Lane seeds and episode indices.
    purpose : int
        Number of the stream within an episode (specimen, dynamics, noise, ...).

    Returns
    -------
    ndarray of uint64, shape (B, 4)
        States for :func:`xoshiro256pp`; never all zero.
    """
    seeds, episodes = np.asarray(seeds, np.uint64), np.asarray(episodes, np.uint64)
    states = np.empty((len(seeds), 4), np.uint64)
    _fill_streams(seeds, episodes, np.uint64(purpose), states)
    return states


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
def draw_uniform(streams: Any) -> Any:
    """Draw one number in [0, 1) from each state row of (B, 4), advancing them; float64 (B,)."""
    out = np.empty(streams.shape[0])
    for b in range(out.shape[0]):
        out[b] = uniform(streams[b])
    return out


@njit(cache=True)
def normal(state: Any) -> float:
    """Draw a standard normal float64 from a state row by Box and Muller, advancing it in place.

    Box, G. E. P. & Muller, M. E. (1958), Ann. Math. Stat. 29, 610; of the pair one is used.
    """
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(state)))
    return radius * np.cos(2.0 * np.pi * uniform(state))


@njit(cache=True)
def fill_uint64(state: Any, draws: Any) -> None:
    """Fill an array of uint64 from a state row, which is in registers meanwhile."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for i in range(draws.shape[0]):
        draws[i], s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
    state[0] = s0
    state[1] = s1
    state[2] = s2
    state[3] = s3


# Pairs of draws that fill_normal turns into normal numbers at a time.
_BLOCK = 128
_SIGNIFICAND = 0x000FFFFFFFFFFFFF
# Bits of sqrt(1/2), and what carries a significand from sqrt(2) on into the exponent.
_ROOT_HALF = 0x3FE6A09E667F3BCD
_CARRY = 0x3FF0000000000000 - _ROOT_HALF
# 2^52 with an integer in its low bits is 2^52 plus the integer.
_INTEGER = 0x4330000000000000
_LOG = tuple(2.0 / (2 * k + 1) for k in range(11))
_SINE = tuple((-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(10))


@njit(cache=True, error_model="numpy")
def fill_normal(state: Any, out: Any) -> None:
    """Fill an array of float64 with the numbers that as many calls of :func:`normal` would draw.

    To 1e-14: logarithm and cosine are polynomials, so that the loops vectorise; five times as
    fast.
    """
    draws = np.empty(2 * _BLOCK, np.uint64)
    x, exponent, turns = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    bits, exponent_bits = x.view(np.int64), exponent.view(np.int64)
    for start in range(0, out.shape[0], _BLOCK):
        n = min(_BLOCK, out.shape[0] - start)
        fill_uint64(state, draws[: 2 * n])
        for i in range(n):
            x[i] = 1.0 - np.float64(np.int64(draws[2 * i] >> _U11)) * 2.0**-53
            turns[i] = np.float64(np.int64(draws[2 * i + 1] >> _U11)) * 2.0**-53
        for i in range(n):
            # x = 2^k m with m in sqrt(1/2)..sqrt(2).
            carried = bits[i] + _CARRY
            exponent_bits[i] = (carried >> 52) | _INTEGER
            bits[i] = (carried & _SIGNIFICAND) + _ROOT_HALF
        for i in range(n):
            # ln m = 2 artanh s.
            s = (x[i] - 1.0) / (x[i] + 1.0)
            z = s * s
            series = _LOG[10]
            series = _LOG[8] + z * (_LOG[9] + z * series)
            series = _LOG[6] + z * (_LOG[7] + z * series)
            series = _LOG[4] + z * (_LOG[5] + z * series)
            series = _LOG[2] + z * (_LOG[3] + z * series)
            series = _LOG[0] + z * (_LOG[1] + z * series)
            log = (exponent[i] - (2.0**52 + 1023.0)) * math.log(2.0) + s * series
            # cos(2 pi t) = 1 - 2 sin(pi t)^2.
            t = turns[i] - np.floor(turns[i] + 0.5)
            z = t * t
            series = _SINE[8] + z * _SINE[9]
            series = _SINE[6] + z * (_SINE[7] + z * series)
            series = _SINE[4] + z * (_SINE[5] + z * series)
            series = _SINE[2] + z * (_SINE[3] + z * series)
            sine = t * (_SINE[0] + z * (_SINE[1] + z * series))
            out[start + i] = np.sqrt(-2.0 * log) * (1.0 - 2.0 * sine * sine)
