"""Ising lattices as bit-planes: tiling, packing, neighbour counts, acceptance thresholds.

What the two kernels of :mod:`mattergym.physics.ising.batch` share. An L x L lattice is cut into
``down x across = 64`` equal tiles; bit t of a word holds the same site of tile t, so that shifting
a word by rows or columns of tiles gives the periodic boundary. Each colour of the checkerboard,
even sites first, has its own plane of words with a halo around it: word (r + 1, k + 1) of colour p
holds row r, column 2 k + ((r + p) mod 2) of every tile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 5
LEVELS = 32
# Rows of the table of acceptance planes, each as :func:`coefficients`: the levels, then the tie
# and the two of Metropolis.
TIE, FREE_UP, FREE_DOWN, ROWS = LEVELS, LEVELS + 1, LEVELS + 2, LEVELS + 3
VECTOR = 8
ALL_ONES, ZERO, ONE = np.uint64(2**64 - 1), np.uint64(0), np.uint64(1)
_FLIP = np.uint64(0xFE)


class Tiling(NamedTuple):
    """How a lattice is cut: ``down x across`` tiles of ``rows x columns`` sites."""

    down: int
    across: int
    rows: int
    columns: int


def tiling(size: int) -> Tiling:
    """Cut an L x L lattice into 64 tiles of even sides, as flat as they can be.

    Raises
    ------
    ValueError
        If ``size`` is not a positive multiple of 16.
    """
    if size < 16 or size % 16:
        raise ValueError(f"L = {size}; bit-sliced kernels need a multiple of 16")
    down = next(d for d in (64, 32, 16, 8) if size % (2 * d) == 0)
    return Tiling(down, 64 // down, size // down, size * down // 64)


def batch_planes(lanes: int, size: int) -> NDArray[np.uint64]:
    """Make planes of B lattices with all spins down, uint64 (G, 2, rows + 2, half + 2, 8)."""
    cut = tiling(size)
    return np.zeros((-(-lanes // VECTOR), 2, cut.rows + 2, cut.columns // 2 + 2, VECTOR), np.uint64)


@njit(cache=True)
def class_probabilities(
    temperature: float, field: float, coupling: float, metropolis: bool, out: Any
) -> None:
    """Write round(2^32 p) of the five classes to ``out``, uint64 (5,).

    Class k has k neighbours up, local field f = J (2 k - 4) + h. Heat bath: p(up) = 1 /
    (1 + exp(-2 f / T)). Metropolis: p(flip against f) = exp(-2 |f| / T).
    """
    step, lean = 4.0 * coupling / temperature, 2.0 * field / temperature
    if not metropolis and 2.0 * abs(step) + abs(lean) < 600.0:
        # Two exponentials instead of five, where no product of them can overflow.
        half, lone = math.exp(step), math.exp(-lean)
        odds = lone * half * half
        for k in range(CLASSES):
            out[k] = np.uint64(2.0**LEVELS / (1.0 + odds) + 0.5)
            odds /= half
        return
    for k in range(CLASSES):
        x = -2.0 * (coupling * (2 * k - 4) + field) / temperature
        p = math.exp(-abs(x)) if metropolis else 1.0 / (1.0 + math.exp(x))
        out[k] = np.uint64(p * 2.0**LEVELS + 0.5)


@njit(cache=True)
def fill_level(numerator: Any, level: int) -> Any:
    """All ones or zeros: bit ``level`` from the top of a probability, or its tie at LEVELS.

    A uniform number of 32 bits below the numerator accepts. At 2^32 every number does: all bits
    are ones, and the one number that equals them accepts as well.
    """
    if numerator >> np.uint64(LEVELS):
        return ALL_ONES
    if level == LEVELS:
        return ZERO
    return ZERO - ((numerator >> np.uint64(LEVELS - 1 - level)) & ONE)


@njit(cache=True)
def neighbour_counts(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any, Any, Any]:
    """Add four bit-planes: ones, twos, both of them, and fours of the sum of every site."""
    x, y, z, w = a ^ b, a & b, c ^ d, c & d
    ones = x ^ z
    twos = y ^ w ^ (x & z)
    return ones, twos, ones & twos, y & w


@njit(cache=True)
def coefficients(p0: Any, p1: Any, p2: Any, p3: Any, p4: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Turn one plane a class into the coefficients c of a polynomial in the neighbour counts.

    The plane of a site's class is c0 ^ ones & c1 ^ twos & c2 ^ both & c3 ^ four & c4: an
    instruction a term where the machine has logic of three inputs, and no masks of classes.
    """
    return p0, p0 ^ p1, p0 ^ p2, p0 ^ p1 ^ p2 ^ p3, p0 ^ p4


@njit(cache=True)
def pack(spins: Any, planes: Any, across: int) -> None:
    """Pack int8 (B, L, L) into planes uint64 (G, 2, rows + 2, half + 2, V), lane b = (g, v).

    The halo is left as it is.
    """
    rows, columns, width = planes.shape[2] - 2, 2 * (planes.shape[3] - 2), planes.shape[4]
    words = np.empty(columns, np.uint64)
    for b in range(spins.shape[0]):
        for r in range(rows):
            words[:] = ZERO
            for tile in range(64):
                i, j = (tile // across) * rows + r, (tile % across) * columns
                for c in range(columns):
                    words[c] |= np.uint64(spins[b, i, j + c] > 0) << np.uint64(tile)
            for c in range(columns):
                planes[b // width, (r + c) & 1, r + 1, (c >> 1) + 1, b % width] = words[c]


@njit(cache=True)
def unpack(planes: Any, across: int, spins: Any) -> None:
    """Unpack the first B lanes of planes into int8 (B, L, L); shapes as of :func:`pack`."""
    rows, columns, width = planes.shape[2] - 2, 2 * (planes.shape[3] - 2), planes.shape[4]
    if columns % 8 == 0:
        _unpack_eights(planes, across, spins)
        return
    words = np.empty(columns, np.uint64)
    for b in range(spins.shape[0]):
        for r in range(rows):
            for c in range(columns):
                words[c] = planes[b // width, (r + c) & 1, r + 1, (c >> 1) + 1, b % width]
            for tile in range(64):
                i, j = (tile // across) * rows + r, (tile % across) * columns
                for c in range(columns):
                    bit = np.int8((words[c] >> np.uint64(tile)) & ONE)
                    spins[b, i, j + c] = np.int8(2) * bit - np.int8(1)


@njit(cache=True)
def _unpack_eights(planes: Any, across: int, spins: Any) -> None:
    """Unpack tiles whose rows are whole eights of spins, eight spins as one little-endian word."""
    rows, columns, width = planes.shape[2] - 2, 2 * (planes.shape[3] - 2), planes.shape[4]
    size = spins.shape[1]
    out = spins.reshape(-1).view(np.uint64)
    words, eights = np.empty(8, np.uint64), np.empty(64, np.uint64)
    for b in range(spins.shape[0]):
        for r in range(rows):
            for left in range(0, columns, 8):
                for c in range(8):
                    words[c] = planes[
                        b // width, (r + c) & 1, r + 1, ((left + c) >> 1) + 1, b % width
                    ]
                for tile in range(64):
                    t = np.uint64(tile)
                    eight = ZERO
                    for c in range(8):
                        eight |= ((words[c] >> t) & ONE) << np.uint64(8 * c)
                    # A byte of 0 becomes -1, a byte of 1 stays: 0xFF ^ 0xFE = 1.
                    eights[tile] = ALL_ONES ^ (eight * _FLIP)
                tile = 0
                for i in range(r, size, rows):
                    for j in range(left, size, columns):
                        out[((b * size + i) * size + j) >> 3] = eights[tile]
                        tile += 1


def checked_sweeps(sweeps: int, rule: str) -> bool:
    """Check a number of sweeps and an acceptance rule; return whether it is Metropolis."""
    if sweeps < 0:
        raise ValueError(f"sweeps = {sweeps}; needed is 0 or more")
    if rule not in ("heat_bath", "metropolis"):
        raise ValueError(f"rule = {rule!r}; allowed are 'heat_bath' and 'metropolis'")
    return rule == "metropolis"


def checked_streams(streams: NDArray[np.uint64], rows: int) -> NDArray[np.uint64]:
    """Check that streams are uint64 (rows, 4) and return them."""
    if streams.shape != (rows, 4) or streams.dtype != np.uint64:
        raise ValueError(
            f"streams is {streams.dtype} {streams.shape}; needed is uint64 ({rows}, 4)"
        )
    return streams
