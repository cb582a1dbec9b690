"""The bit-sliced kernel of one big Ising lattice: eight of its words at once.

Algorithm and layout are those of :mod:`mattergym.physics.ising.batch`; here the eight lanes of a
vector are neighbouring words of one lattice, and sixteen random streams feed two vectors in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.ising.couplings import checked_spins, checked_temperature
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
    checked_streams,
    checked_sweeps,
    class_probabilities,
    coefficients,
    fill_level,
    neighbour_counts,
    pack,
    tiling,
    unpack,
)
from mattergym.physics.rng import xoshiro256pp
from mattergym.physics.simd import any_bit, count_bits, load, splat, store

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIG_STREAMS = 16
# Levels drawn before anybody asks whether a site is undecided; the fastest of 10..14.
UNCONDITIONAL = 12
_PAD = 8


@njit(cache=True)
def _refresh_edges(plane: Any, half: int, across: int) -> None:
    """Copy the edges of a colour, uint64 (rows + 2, P), to its halo."""
    rows = plane.shape[0] - 2
    first = ZERO
    for tile in range(0, 64, across):
        first |= ONE << np.uint64(tile)
    back = np.uint64(across - 1)
    last = first << back
    for r in range(1, rows + 1):
        west, east = plane[r, _PAD + half - 1], plane[r, _PAD]
        if across > 1:
            west = ((west << ONE) & ~first) | ((west >> back) & first)
            east = ((east >> ONE) & ~last) | ((east << back) & last)
        plane[r, _PAD - 1], plane[r, _PAD + half] = west, east
    near, far = np.uint64(across), np.uint64(64 - across)
    for k in range(_PAD, _PAD + half):
        word = plane[rows, k]
        plane[0, k] = (word << near) | (word >> far)
        word = plane[1, k]
        plane[rows + 1, k] = (word >> near) | (word << far)


@njit(cache=True)
def _select(table: Any, row: int, ones: Any, twos: Any, both: Any, four: Any) -> Any:
    """Pick for every site the plane of its class from a row of five coefficients."""
    return (
        splat(table[row, 0])
        ^ (ones & splat(table[row, 1]))
        ^ (twos & splat(table[row, 2]))
        ^ (both & splat(table[row, 3]))
        ^ (four & splat(table[row, 4]))
    )


@njit(cache=True)
def sweep_lattice(
    planes: Any,
    half: int,
    across: int,
    temperature: float,
    field: float,
    coupling: float,
    streams: Any,
    sweeps: int,
    metropolis: bool,
) -> None:
    """Sweep one packed lattice in place; the arrays of :class:`BigLattice`.

    planes uint64 (2, rows + 2, half + 24), C order, half = columns / 2; streams uint64 (16, 4).
    Words beyond ``half`` are scratch. Shapes are not checked.
    """
    rows, line = planes.shape[1] - 2, planes.shape[2]
    flat = planes.reshape(-1)
    table = np.empty((ROWS, CLASSES), np.uint64)
    numerators = np.empty(CLASSES, np.uint64)
    class_probabilities(temperature, field, coupling, metropolis, numerators)
    for k in range(CLASSES):
        for level in range(LEVELS + 1):
            table[level, k] = fill_level(numerators[k], level)
        local = coupling * (2 * k - 4) + field
        table[FREE_UP, k] = ALL_ONES if local <= 0.0 else ZERO
        table[FREE_DOWN, k] = ALL_ONES if local >= 0.0 else ZERO
    for row in range(ROWS):
        c0, c1, c2, c3, c4 = coefficients(
            table[row, 0], table[row, 1], table[row, 2], table[row, 3], table[row, 4]
        )
        table[row, 0], table[row, 1], table[row, 2] = c0, c1, c2
        table[row, 3], table[row, 4] = c3, c4
    state = np.empty(8 * VECTOR, np.uint64)
    for j in range(BIG_STREAMS):
        for word in range(4):
            state[(4 * (j // VECTOR) + word) * VECTOR + j % VECTOR] = streams[j, word]
    s0, s1, s2, s3 = load(state, 0), load(state, 8), load(state, 16), load(state, 24)
    z0, z1, z2, z3 = load(state, 32), load(state, 40), load(state, 48), load(state, 56)
    for _ in range(sweeps):
        for colour in range(2):
            mine = colour * (rows + 2) * line
            other = (1 - colour) * (rows + 2) * line
            for r in range(1, rows + 1):
                beside = 2 * (((r - 1) & 1) ^ colour) - 1
                # Two vectors and two streams in flight hide the latency of the generator.
                for at in range(r * line + _PAD, r * line + _PAD + half, 2 * VECTOR):
                    near = other + at
                    m1, m2, m3, m4 = neighbour_counts(
                        load(flat, near - line),
                        load(flat, near + line),
                        load(flat, near),
                        load(flat, near + beside),
                    )
                    near += VECTOR
                    n1, n2, n3, n4 = neighbour_counts(
                        load(flat, near - line),
                        load(flat, near + line),
                        load(flat, near),
                        load(flat, near + beside),
                    )
                    accepted, undecided = splat(ZERO), splat(ALL_ONES)
                    accepted_2, undecided_2 = accepted, undecided
                    if metropolis:
                        spin, spin_2 = load(flat, mine + at), load(flat, mine + at + VECTOR)
                        accepted = (spin & _select(table, FREE_UP, m1, m2, m3, m4)) | (
                            ~spin & _select(table, FREE_DOWN, m1, m2, m3, m4)
                        )
                        accepted_2 = (spin_2 & _select(table, FREE_UP, n1, n2, n3, n4)) | (
                            ~spin_2 & _select(table, FREE_DOWN, n1, n2, n3, n4)
                        )
                        undecided, undecided_2 = ~accepted, ~accepted_2
                    # The bit of the threshold at the level that decides is the answer.
                    level = 0
                    while level < LEVELS:
                        draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                        draw_2, z0, z1, z2, z3 = xoshiro256pp(z0, z1, z2, z3)
                        p = _select(table, level, m1, m2, m3, m4)
                        p_2 = _select(table, level, n1, n2, n3, n4)
                        accepted = (undecided & p) | (~undecided & accepted)
                        accepted_2 = (undecided_2 & p_2) | (~undecided_2 & accepted_2)
                        undecided &= ~(p ^ draw)
                        undecided_2 &= ~(p_2 ^ draw_2)
                        level += 1
                        if level >= UNCONDITIONAL and not any_bit(undecided | undecided_2):
                            break
                    if level == LEVELS:
                        p = _select(table, TIE, m1, m2, m3, m4)
                        p_2 = _select(table, TIE, n1, n2, n3, n4)
                        accepted = (undecided & p) | (~undecided & accepted)
                        accepted_2 = (undecided_2 & p_2) | (~undecided_2 & accepted_2)
                    if metropolis:
                        accepted = accepted ^ load(flat, mine + at)
                        accepted_2 = accepted_2 ^ load(flat, mine + at + VECTOR)
                    store(flat, mine + at, accepted)
                    store(flat, mine + at + VECTOR, accepted_2)
            _refresh_edges(planes[colour], half, across)
    store(state, 0, s0)
    store(state, 8, s1)
    store(state, 16, s2)
    store(state, 24, s3)
    store(state, 32, z0)
    store(state, 40, z1)
    store(state, 48, z2)
    store(state, 56, z3)
    for j in range(BIG_STREAMS):
        for word in range(4):
            streams[j, word] = state[(4 * (j // VECTOR) + word) * VECTOR + j % VECTOR]


@njit(cache=True)
def _measure_lattice(planes: Any, half: int, sums: Any) -> None:
    """Write the sums of observables.spin_sums of one packed lattice to ``sums``, int64 (3,)."""
    rows, line = planes.shape[1] - 2, planes.shape[2]
    flat = planes.reshape(-1)
    odd = (rows + 2) * line
    sites = 128 * rows * half
    up, unlike_row, unlike_column = np.int64(0), np.int64(0), np.int64(0)
    part = np.empty(3 * VECTOR, np.uint64)
    for r in range(1, rows + 1):
        beside = 2 * ((r - 1) & 1) - 1
        a, b, c = splat(ZERO), splat(ZERO), splat(ZERO)
        for k in range(0, half, VECTOR):
            at = r * line + _PAD + k
            inside = splat(ALL_ONES)
            if half - k < VECTOR:
                for j in range(VECTOR):
                    part[j] = ALL_ONES if k + j < half else ZERO
                inside = load(part, 0)
            word, mate = load(flat, at), load(flat, odd + at)
            a += count_bits(word & inside) + count_bits(mate & inside)
            b += count_bits((word ^ mate) & inside)
            b += count_bits((word ^ load(flat, odd + at + beside)) & inside)
            c += count_bits((word ^ load(flat, odd + at - line)) & inside)
            c += count_bits((word ^ load(flat, odd + at + line)) & inside)
        store(part, 0, a)
        store(part, 8, b)
        store(part, 16, c)
        for j in range(VECTOR):
            up += np.int64(part[j])
            unlike_row += np.int64(part[VECTOR + j])
            unlike_column += np.int64(part[2 * VECTOR + j])
    sums[0] = 2 * up - sites
    sums[1] = sites - 2 * unlike_row
    sums[2] = sites - 2 * unlike_column


class BigLattice:
    """One packed lattice with L a multiple of 16, fast from L = 64.

    Parameters
    ----------
    spins : ndarray of int8, shape (L, L)
        Spins of +-1; copied.

    Raises
    ------
    ValueError
        If the spins are anything else.
    """

    def __init__(self, spins: NDArray[np.int8]) -> None:
        self.size = checked_spins(spins, 2).shape[-1]
        cut = tiling(self.size)
        self._across, self._half = cut.across, cut.columns // 2
        self._planes = np.zeros((2, cut.rows + 2, self._half + _PAD + 2 * VECTOR), np.uint64)
        pack(spins[None], self._inner(), self._across)
        for plane in self._planes:
            _refresh_edges(plane, self._half, self._across)

    def _inner(self) -> NDArray[np.uint64]:
        """Planes with a halo of one word, in the layout of :func:`pack`."""
        return self._planes[None, :, :, _PAD - 1 : _PAD + self._half + 1, None]

    def sweep(
        self,
        temperature: float,
        field: float,
        streams: NDArray[np.uint64],
        sweeps: int,
        coupling: float = 1.0,
        rule: str = "heat_bath",
    ) -> None:
        """Sweep the lattice; ``streams`` uint64 (16, 4), advanced in place.

        Raises
        ------
        ValueError
            If the shape of the streams or the rule is wrong, or the temperature not above 0.
        """
        metropolis = checked_sweeps(sweeps, rule)
        sweep_lattice(
            self._planes,
            self._half,
            self._across,
            float(checked_temperature(temperature, 1)[0]),
            float(field),
            float(coupling),
            checked_streams(streams, BIG_STREAMS),
            sweeps,
            metropolis,
        )

    @property
    def sums(self) -> NDArray[np.int64]:
        """Sum s, sum s s_right, sum s s_below by popcount, int64 (3,)."""
        sums = np.empty(3, np.int64)
        _measure_lattice(self._planes, self._half, sums)
        return sums

    @property
    def spins(self) -> NDArray[np.int8]:
        """The lattice, a fresh int8 (L, L)."""
        spins = np.empty((1, self.size, self.size), np.int8)
        unpack(self._inner(), self._across, spins)
        return spins[0]
