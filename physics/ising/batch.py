"""Bit-sliced Ising kernels: 64 sites in a word, eight words in a vector.

The ferromagnet (or antiferromagnet) of :mod:`mattergym.physics.ising.couplings` with one coupling J
for all bonds and a uniform field, on lattices whose side is a multiple of 16, laid out as
:mod:`mattergym.physics.ising.planes` says.

A sweep adds the four neighbours of 64 sites by bit-plane logic into five classes (0..4 of them up).
Heat bath and Metropolis accept with one probability a class. It is written with 32 bits, and a
uniform number of 32 bits is compared with it bit by bit from the top, one random word a level:
half of the sites are decided at each level, and the word is done when none is left. Probabilities
are exact to 2^-33, certain ones exactly certain.

Here eight lattices are swept at once, vector lane = lattice, each with its temperature, field,
coupling and random stream; a stream advances only while its own lattice needs it, so that a lattice
gets the same bits in any batch. :mod:`mattergym.physics.ising.lattice` sweeps one lattice of
L >= 64, eight of its words at once. Couplings with jx != jy have nine classes and quenched disorder
more: :mod:`mattergym.physics.ising.sweeps` leaves those to the int8 kernels.

References
----------
Block, B., Virnau, P. & Preis, T. (2010), Comput. Phys. Commun. 181, 1549 (multi-spin coding).
Blackman, D. & Vigna, S. (2021), ACM Trans. Math. Softw. 47, 36 (xoshiro256++).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.ising import observables
from mattergym.physics.ising.couplings import checked_spins, checked_temperature, per_lane
from mattergym.physics.ising.planes import (
    ALL_ONES,
    CLASSES,
    FREE_DOWN,
    FREE_UP,
    LEVELS,
    ONE,
    ROWS,
    TIE,
    VECTOR,
    ZERO,
    batch_planes,
    checked_streams,
    checked_sweeps,
    class_probabilities,
    coefficients,
    neighbour_counts,
    pack,
    tiling,
    unpack,
)
from mattergym.physics.rng import xoshiro256pp
from mattergym.physics.simd import any_bit, count_bits, load, splat, store, where_nonzero

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Levels drawn before anybody asks whether a site is undecided; the fastest of 8..13 measured.
UNCONDITIONAL = 12
_ROW = CLASSES * VECTOR


# ---- vector lane = lattice ------------------------------------------------------------------


@njit(cache=True)
def _refresh_halo(flat: Any, at: int, rows: int, half: int, across: int) -> None:
    """Copy the edges of a colour to its halo, through the shift from tile to tile."""
    line = (half + 2) * VECTOR
    if across == 1:
        for r in range(1, rows + 1):
            store(flat, at + r * line, load(flat, at + r * line + half * VECTOR))
            store(flat, at + (r + 1) * line - VECTOR, load(flat, at + r * line + VECTOR))
    else:
        first = ZERO
        for tile in range(0, 64, across):
            first |= ONE << np.uint64(tile)
        back = np.uint64(across - 1)
        west, east = splat(first), splat(first << back)
        for r in range(1, rows + 1):
            word = load(flat, at + r * line + half * VECTOR)
            store(flat, at + r * line, ((word << ONE) & ~west) | ((word >> back) & west))
            word = load(flat, at + r * line + VECTOR)
            store(
                flat,
                at + (r + 1) * line - VECTOR,
                ((word >> ONE) & ~east) | ((word << back) & east),
            )
    near, far = np.uint64(across), np.uint64(64 - across)
    for k in range(VECTOR, (half + 1) * VECTOR, VECTOR):
        word = load(flat, at + rows * line + k)
        store(flat, at + k, (word << near) | (word >> far))
        word = load(flat, at + line + k)
        store(flat, at + (rows + 1) * line + k, (word >> near) | (word << far))


@njit(cache=True)
def _to_coefficients(table: Any, at: int) -> None:
    """Turn a row of the table, one vector a class, into coefficients."""
    c0, c1, c2, c3, c4 = coefficients(
        load(table, at),
        load(table, at + 8),
        load(table, at + 16),
        load(table, at + 24),
        load(table, at + 32),
    )
    store(table, at, c0)
    store(table, at + 8, c1)
    store(table, at + 16, c2)
    store(table, at + 24, c3)
    store(table, at + 32, c4)


@njit(cache=True)
def _fill_group(
    first: int,
    temperature: Any,
    field: Any,
    coupling: Any,
    streams: Any,
    metropolis: bool,
    table: Any,
    state: Any,
) -> None:
    """Write the acceptance planes and the random states of eight lanes, zeros beyond the last."""
    numerators = np.empty(CLASSES, np.uint64)
    for j in range(VECTOR):
        b = first + j
        if b >= temperature.shape[0]:
            for word in range(4):
                state[word * VECTOR + j] = ZERO
            continue
        for word in range(4):
            state[word * VECTOR + j] = streams[b, word]
        class_probabilities(temperature[b], field[b], coupling[b], metropolis, numerators)
        for k in range(CLASSES):
            # Its 32 bits and its tie, spread to planes below, eight lanes at once. A certain one
            # has 32 ones instead of the bit above them.
            certain = numerators[k] >> np.uint64(LEVELS)
            table[k * VECTOR + j] = ((numerators[k] - certain) << ONE) | certain
            if metropolis:
                local = coupling[b] * (2 * k - 4) + field[b]
                table[FREE_UP * _ROW + k * VECTOR + j] = ALL_ONES if local <= 0.0 else ZERO
                table[FREE_DOWN * _ROW + k * VECTOR + j] = ALL_ONES if local >= 0.0 else ZERO
    _to_coefficients(table, 0)
    one = splat(ONE)
    for k in range(0, _ROW, VECTOR):
        bits = load(table, k)
        for level in range(TIE + 1):
            store(table, level * _ROW + k, ~((bits >> np.uint64(TIE - level)) & one) + one)
    if metropolis:
        _to_coefficients(table, FREE_UP * _ROW)
        _to_coefficients(table, FREE_DOWN * _ROW)


@njit(cache=True)
def _select(table: Any, row: int, ones: Any, twos: Any, both: Any, four: Any) -> Any:
    """Pick for every site the plane of its class from a row of the table."""
    at = row * _ROW
    return (
        load(table, at)
        ^ (ones & load(table, at + 8))
        ^ (twos & load(table, at + 16))
        ^ (both & load(table, at + 24))
        ^ (four & load(table, at + 32))
    )


@njit(cache=True)
def sweep_batch(
    planes: Any,
    across: int,
    temperature: Any,
    field: Any,
    coupling: Any,
    streams: Any,
    sweeps: int,
    metropolis: bool,
    sums: Any,
) -> None:
    """Sweep packed lattices in place and measure them; the arrays of :class:`LatticeBatch`.

    planes uint64 (G, 2, rows + 2, columns / 2 + 2, 8), C order, G = ceil(B / 8); temperature,
    field, coupling float64 (B,); streams uint64 (B, 4); sums int64 (B, 3) as of
    observables.spin_sums. Shapes are not checked.
    """
    lanes = temperature.shape[0]
    rows, half = planes.shape[2] - 2, planes.shape[3] - 2
    line = (half + 2) * VECTOR
    plane = (rows + 2) * line
    sites = 128 * rows * half
    flat = planes.reshape(-1)
    table = np.empty(ROWS * _ROW, np.uint64)
    state = np.empty(4 * VECTOR, np.uint64)
    count = np.empty(4 * VECTOR, np.uint64)
    for first in range(0, lanes, VECTOR):
        _fill_group(first, temperature, field, coupling, streams, metropolis, table, state)
        for j in range(VECTOR):
            count[j] = ALL_ONES if first + j < lanes else ZERO
        present = load(count, 0)
        s0, s1, s2, s3 = load(state, 0), load(state, 8), load(state, 16), load(state, 24)
        even = (first // VECTOR) * 2 * plane
        odd = even + plane
        for _ in range(sweeps):
            for colour in range(2):
                mine, other = (odd, even) if colour else (even, odd)
                for r in range(1, rows + 1):
                    beside = VECTOR * (2 * (((r - 1) & 1) ^ colour) - 1)
                    for at in range(r * line + VECTOR, (r + 1) * line - VECTOR, VECTOR):
                        near = other + at
                        m1, m2, m3, m4 = neighbour_counts(
                            load(flat, near - line),
                            load(flat, near + line),
                            load(flat, near),
                            load(flat, near + beside),
                        )
                        accepted = splat(ZERO)
                        undecided = present
                        if metropolis:
                            spin = load(flat, mine + at)
                            accepted = (spin & _select(table, FREE_UP, m1, m2, m3, m4)) | (
                                ~spin & _select(table, FREE_DOWN, m1, m2, m3, m4)
                            )
                            undecided = present & ~accepted
                        for level in range(UNCONDITIONAL):
                            draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                            p = _select(table, level, m1, m2, m3, m4)
                            accepted = (undecided & p) | (~undecided & accepted)
                            undecided &= ~(p ^ draw)
                        level = UNCONDITIONAL
                        while any_bit(undecided):
                            p = _select(table, level, m1, m2, m3, m4)
                            accepted = (undecided & p) | (~undecided & accepted)
                            if level == LEVELS:
                                break
                            draw, n0, n1, n2, n3 = xoshiro256pp(s0, s1, s2, s3)
                            s0 = where_nonzero(undecided, n0, s0)
                            s1 = where_nonzero(undecided, n1, s1)
                            s2 = where_nonzero(undecided, n2, s2)
                            s3 = where_nonzero(undecided, n3, s3)
                            undecided &= ~(p ^ draw)
                            level += 1
                        if metropolis:
                            accepted = accepted ^ load(flat, mine + at)
                        store(flat, mine + at, accepted)
                _refresh_halo(flat, mine, rows, half, across)
        store(state, 0, s0)
        store(state, 8, s1)
        store(state, 16, s2)
        store(state, 24, s3)
        up, unlike_row, unlike_column = splat(ZERO), splat(ZERO), splat(ZERO)
        for r in range(1, rows + 1):
            beside = VECTOR * (2 * ((r - 1) & 1) - 1)
            for at in range(r * line + VECTOR, (r + 1) * line - VECTOR, VECTOR):
                word, mate = load(flat, even + at), load(flat, odd + at)
                up += count_bits(word) + count_bits(mate)
                unlike_row += count_bits(word ^ mate)
                unlike_row += count_bits(word ^ load(flat, odd + at + beside))
                unlike_column += count_bits(word ^ load(flat, odd + at - line))
                unlike_column += count_bits(word ^ load(flat, odd + at + line))
        store(count, 0, up)
        store(count, 8, unlike_row)
        store(count, 16, unlike_column)
        for j in range(min(VECTOR, lanes - first)):
            b = first + j
            for word in range(4):
                streams[b, word] = state[word * VECTOR + j]
            sums[b, 0] = 2 * np.int64(count[j]) - sites
            sums[b, 1] = sites - 2 * np.int64(count[VECTOR + j])
            sums[b, 2] = sites - 2 * np.int64(count[2 * VECTOR + j])


# ---- in terms of spins ----------------------------------------------------------------------


@njit(cache=True)
def _refresh_batch(planes: Any, across: int) -> None:
    """Refresh the halos of all groups and colours."""
    rows, half = planes.shape[2] - 2, planes.shape[3] - 2
    plane = (rows + 2) * (half + 2) * VECTOR
    flat = planes.reshape(-1)
    for at in range(0, flat.shape[0], plane):
        _refresh_halo(flat, at, rows, half, across)


class LatticeBatch:
    """Packed lattices of one size, each with its own temperature, field, coupling and stream.

    Parameters
    ----------
    spins : ndarray of int8, shape (B, L, L)
        Lattices of +-1, L a multiple of 16; copied.

    Attributes
    ----------
    sums : ndarray of int64, shape (B, 3)
        Sum s, sum s s_right, sum s s_below after the last :meth:`sweep`.

    Raises
    ------
    ValueError
        If the spins are anything else.
    """

    def __init__(self, spins: NDArray[np.int8]) -> None:
        lanes, self.size = len(checked_spins(spins, 3)), spins.shape[-1]
        self._across = tiling(self.size).across
        self._planes = batch_planes(lanes, self.size)
        pack(spins, self._planes, self._across)
        _refresh_batch(self._planes, self._across)
        self.sums = np.empty((lanes, 3), np.int64)
        observables.spin_sums(spins, self.sums)

    def sweep(
        self,
        temperature: ArrayLike,
        field: ArrayLike,
        streams: NDArray[np.uint64],
        sweeps: int,
        coupling: ArrayLike = 1.0,
        rule: str = "heat_bath",
    ) -> None:
        """Sweep all lattices; arguments as of checkerboard_sweeps, ``coupling`` (B,) or ().

        Raises
        ------
        ValueError
            If a shape, a dtype or the rule is wrong, or a temperature not above 0.
        """
        lanes = len(self.sums)
        metropolis = checked_sweeps(sweeps, rule)
        t = checked_temperature(temperature, lanes)
        h, j = per_lane(field, lanes, "field"), per_lane(coupling, lanes, "coupling")
        streams = checked_streams(streams, lanes)
        packed = self._planes, self._across
        sweep_batch(*packed, t, h, j, streams, sweeps, metropolis, self.sums)

    @property
    def spins(self) -> NDArray[np.int8]:
        """The lattices, a fresh int8 (B, L, L)."""
        spins = np.empty((len(self.sums), self.size, self.size), np.int8)
        unpack(self._planes, self._across, spins)
        return spins
