"""Checkerboard sweeps of Ising lattices on int8 spins: any couplings, any even L.

The readable kernels, which the bit-sliced ones are tested against. Which of them runs is decided in
one place, :func:`checkerboard_sweeps`, by the kind of couplings.

References
----------
Glauber, R. J. (1963), J. Math. Phys. 4, 294 (heat-bath rates).
Metropolis, N. et al. (1953), J. Chem. Phys. 21, 1087.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.ising.couplings import (
    FERROMAGNET,
    Bonds,
    Couplings,
    Diagonal,
    RandomField,
    Uniform,
    check_lattices,
    checked_temperature,
    per_lane,
)
from mattergym.physics.rng import xoshiro256pp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A probability is compared with the upper 53 bits of a draw: shift, and what stands for 1.
TOP_BITS = np.uint64(11)
PROBABILITY_ONE = 2.0**53


@njit(cache=True)
def up_probability(local_field: float, spin: int, temperature: float, metropolis: bool) -> float:
    """Probability that a visited spin is +1 afterwards, given its local field.

    Heat bath: 1 / (1 + exp(-2 h_loc / T)), whatever the spin was. Metropolis: the flip is
    accepted with probability min(1, exp(-2 s h_loc / T)).
    """
    if metropolis:
        flip = min(1.0, math.exp(min(0.0, -2.0 * spin * local_field / temperature)))
        return 1.0 - flip if spin > 0 else flip
    x = 2.0 * local_field / temperature
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@njit(cache=True)
def _fill_thresholds(fields: Any, temperature: float, metropolis: bool, table: Any) -> None:
    """Write 2^53 times the up-probabilities of all (spin, local-field class) pairs to table."""
    for k in range(fields.shape[0]):
        for s in range(2):
            p = up_probability(fields[k], 2 * s - 1, temperature, metropolis)
            table[s, k] = np.uint64(p * PROBABILITY_ONE)


@njit(cache=True)
def sweep_uniform(
    spins: Any,
    temperature: Any,
    field: Any,
    jx: Any,
    jy: Any,
    streams: Any,
    sweeps: int,
    metropolis: bool,
) -> None:
    """Checkerboard sweeps of lattices with couplings jx, jy; arrays as in checkerboard_sweeps."""
    size = spins.shape[1]
    last = size - 1
    fields = np.empty(9)
    table = np.empty((2, 9), np.uint64)
    thresholds = table.reshape(18)
    classes = np.empty(size, np.uint8)
    for b in range(spins.shape[0]):
        for k in range(9):
            # Class k stands for (left + right, up + down) = (2 (k // 3) - 2, 2 (k % 3) - 2).
            fields[k] = jx[b] * (2 * (k // 3) - 2) + jy[b] * (2 * (k % 3) - 2) + field[b]
        _fill_thresholds(fields, temperature[b], metropolis, table)
        s = spins[b]
        s0, s1, s2, s3 = streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3]
        for _ in range(sweeps):
            for colour in range(2):
                for i in range(size):
                    row, above, below = (
                        s[i],
                        s[i - 1 if i > 0 else last],
                        s[i + 1 if i < last else 0],
                    )
                    # Classes of a whole row, of which every other is used: this loop fills vectors.
                    for j in range(1, last):
                        around = 3 * (row[j - 1] + row[j + 1]) + above[j] + below[j]
                        classes[j] = np.uint8((9 * row[j] + around + 17) >> 1)
                    around = 3 * (row[last] + row[1]) + above[0] + below[0]
                    classes[0] = np.uint8((9 * row[0] + around + 17) >> 1)
                    around = 3 * (row[last - 1] + row[0]) + above[last] + below[last]
                    classes[last] = np.uint8((9 * row[last] + around + 17) >> 1)
                    for j in range((i + colour) & 1, size, 2):
                        draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                        up = (draw >> TOP_BITS) < thresholds[classes[j]]
                        row[j] = np.int8(1) if up else np.int8(-1)
        streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3] = s0, s1, s2, s3


@njit(cache=True)
def sweep_diagonal(
    spins: Any,
    temperature: Any,
    field: Any,
    j1: Any,
    j2: Any,
    streams: Any,
    sweeps: int,
    metropolis: bool,
) -> None:
    """Sweeps of J1-J2 lattices over four sublattices, none of which holds coupled sites."""
    size = spins.shape[1]
    fields = np.empty(25)
    table = np.empty((2, 25), np.uint64)
    for b in range(spins.shape[0]):
        for k in range(25):
            fields[k] = j1[b] * (2 * (k // 5) - 4) + j2[b] * (2 * (k % 5) - 4) + field[b]
        _fill_thresholds(fields, temperature[b], metropolis, table)
        s = spins[b]
        s0, s1, s2, s3 = streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3]
        for _ in range(sweeps):
            for sublattice in range(4):
                for i in range(sublattice // 2, size, 2):
                    above = i - 1 if i > 0 else size - 1
                    below = i + 1 if i < size - 1 else 0
                    for j in range(sublattice % 2, size, 2):
                        left = j - 1 if j > 0 else size - 1
                        right = j + 1 if j < size - 1 else 0
                        near = s[i, left] + s[i, right] + s[above, j] + s[below, j]
                        far = s[above, left] + s[above, right] + s[below, left] + s[below, right]
                        k = 5 * ((near + 4) >> 1) + ((far + 4) >> 1)
                        draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                        up = (draw >> TOP_BITS) < table[(s[i, j] + 1) >> 1, k]
                        s[i, j] = np.int8(1) if up else np.int8(-1)
        streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3] = s0, s1, s2, s3


@njit(cache=True)
def fill_bond_thresholds(
    scale: float, field: float, temperature: float, metropolis: bool, table: Any
) -> None:
    """Thresholds of the 17 possible sums of four integer bonds, uint64 (2, 17), in place."""
    fields = np.empty(17)
    for k in range(17):
        fields[k] = scale * (k - 8) + field
    _fill_thresholds(fields, temperature, metropolis, table)


@njit(cache=True)
def sweep_bonds_once(s: Any, bond_r: Any, bond_d: Any, table: Any, stream: Any) -> tuple[int, int]:
    """Sweep one lattice with integer bonds in -2..2 once, even sites first.

    s, bond_r, bond_d int8 (L, L); table as of :func:`fill_bond_thresholds`; stream uint64 (4,).

    Returns
    -------
    flips : int
    change : int
        Change of the bond energy, in units of the scale.
    """
    size = s.shape[0]
    flips, change = 0, 0
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    for colour in range(2):
        for i in range(size):
            above = i - 1 if i > 0 else size - 1
            below = i + 1 if i < size - 1 else 0
            for j in range((i + colour) & 1, size, 2):
                left = j - 1 if j > 0 else size - 1
                right = j + 1 if j < size - 1 else 0
                local = (
                    bond_r[i, left] * s[i, left]
                    + bond_r[i, j] * s[i, right]
                    + bond_d[above, j] * s[above, j]
                    + bond_d[i, j] * s[below, j]
                )
                draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                old = s[i, j]
                new = 1 if (draw >> TOP_BITS) < table[(old + 1) >> 1, local + 8] else -1
                s[i, j] = np.int8(new)
                flips += int(new != old)
                change -= (new - old) * local
    stream[0], stream[1], stream[2], stream[3] = s0, s1, s2, s3
    return flips, change


@njit(cache=True)
def sweep_bonds(
    spins: Any,
    temperature: Any,
    field: Any,
    right_bonds: Any,
    down_bonds: Any,
    scale: Any,
    streams: Any,
    sweeps: int,
    metropolis: bool,
) -> None:
    """Checkerboard sweeps of lattices with integer bonds in -2..2 times a scale."""
    table = np.empty((2, 17), np.uint64)
    for b in range(spins.shape[0]):
        fill_bond_thresholds(scale[b], field[b], temperature[b], metropolis, table)
        for _ in range(sweeps):
            sweep_bonds_once(spins[b], right_bonds[b], down_bonds[b], table, streams[b])


@njit(cache=True)
def sweep_random_field(
    spins: Any,
    temperature: Any,
    field: Any,
    site_field: Any,
    jx: Any,
    jy: Any,
    streams: Any,
    sweeps: int,
    metropolis: bool,
) -> None:
    """Checkerboard sweeps of lattices with a field of its own on every site."""
    size = spins.shape[1]
    for b in range(spins.shape[0]):
        s = spins[b]
        s0, s1, s2, s3 = streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3]
        for _ in range(sweeps):
            for colour in range(2):
                for i in range(size):
                    above = i - 1 if i > 0 else size - 1
                    below = i + 1 if i < size - 1 else 0
                    for j in range((i + colour) & 1, size, 2):
                        left = j - 1 if j > 0 else size - 1
                        right = j + 1 if j < size - 1 else 0
                        local = (
                            jx[b] * (s[i, left] + s[i, right])
                            + jy[b] * (s[above, j] + s[below, j])
                            + site_field[b, i, j]
                            + field[b]
                        )
                        p = up_probability(local, s[i, j], temperature[b], metropolis)
                        draw, s0, s1, s2, s3 = xoshiro256pp(s0, s1, s2, s3)
                        up = (draw >> TOP_BITS) < np.uint64(p * PROBABILITY_ONE)
                        s[i, j] = np.int8(1) if up else np.int8(-1)
        streams[b, 0], streams[b, 1], streams[b, 2], streams[b, 3] = s0, s1, s2, s3


def checkerboard_sweeps(
    spins: NDArray[np.int8],
    temperature: ArrayLike,
    field: ArrayLike,
    streams: NDArray[np.uint64],
    sweeps: int,
    couplings: Couplings = FERROMAGNET,
    rule: str = "heat_bath",
) -> None:
    """Sweep every lattice of a batch in place, each site once a sweep, sublattice by sublattice.

    Parameters
    ----------
    spins : ndarray of int8, shape (B, L, L)
        Lattices of +-1, L even; changed in place.
    temperature : array_like of float64, shape (B,) or ()
        In units of J / kB, above 0.
    field : array_like of float64, shape (B,) or ()
        Uniform field h in units of J.
    streams : ndarray of uint64, shape (B, 4)
        xoshiro256++ states (:func:`mattergym.physics.rng.seed_streams`); advanced in place.
    sweeps : int
        Number of sweeps.
    couplings : Uniform, Diagonal, Bonds or RandomField
        The Hamiltonian; it chooses the kernel.
    rule : {"heat_bath", "metropolis"}
        Acceptance rule.

    Raises
    ------
    ValueError
        If spins are not int8 (B, L, L) with even L, a temperature is not positive, a parameter
        has a wrong shape, bonds exceed 2 in magnitude, or the rule is unknown.
    """
    lanes = len(spins)
    t = checked_temperature(temperature, lanes)
    h = per_lane(field, lanes, "field")
    check_lattices(spins)
    if rule not in ("heat_bath", "metropolis"):
        raise ValueError(f"rule = {rule!r}; allowed are 'heat_bath' and 'metropolis'")
    metropolis = rule == "metropolis"
    match couplings:
        case Uniform(jx, jy):
            jx, jy = per_lane(jx, lanes, "jx"), per_lane(jy, lanes, "jy")
            sweep_uniform(spins, t, h, jx, jy, streams, sweeps, metropolis)
        case Diagonal(j1, j2):
            j1, j2 = per_lane(j1, lanes, "j1"), per_lane(j2, lanes, "j2")
            sweep_diagonal(spins, t, h, j1, j2, streams, sweeps, metropolis)
        case Bonds(right, down, scale):
            for name, bonds in (("right", right), ("down", down)):
                if bonds.shape != spins.shape or bonds.dtype != np.int8:
                    raise ValueError(
                        f"{name} is {bonds.dtype} {bonds.shape}; needed is int8 (B, L, L)"
                    )
                if np.abs(bonds).max(initial=0) > 2:
                    raise ValueError(f"{name} has a bond of magnitude above 2")
            scale = per_lane(scale, lanes, "scale")
            sweep_bonds(spins, t, h, right, down, scale, streams, sweeps, metropolis)
        case RandomField(site_field, jx, jy):
            if site_field.shape != spins.shape:
                raise ValueError(f"site_field has shape {site_field.shape}; needed {spins.shape}")
            jx, jy = per_lane(jx, lanes, "jx"), per_lane(jy, lanes, "jy")
            sweep_random_field(spins, t, h, site_field, jx, jy, streams, sweeps, metropolis)
