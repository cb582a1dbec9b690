"""Spin glasses with a planted, hence exactly known, ground state, and their annealing.

Tile planting: the plaquettes of one colour of the checkerboard cover every bond exactly once. Each
is frustrated by one antiferromagnetic bond that is among its weakest, so the state with all spins
up minimises every plaquette by itself and with them the whole. A random gauge then hides it.

References
----------
Hamze, F. et al. (2018), Phys. Rev. E 97, 043303 (tile planting).
Perera, D. et al. (2020), Phys. Rev. E 101, 023316 (classes and their hardness).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mattergym.physics.ising.checkerboard import fill_bond_thresholds, sweep_bonds_once
from mattergym.physics.rng import uniform


@njit(cache=True)
def plant_tiles(fraction: Any, streams: Any, right: Any, down: Any, planted: Any) -> Any:
    r"""Draw glasses of tiles C2 and C3 with a planted ground state.

    A tile C_k has k bonds of magnitude 1, one of which is antiferromagnetic before the gauge; the
    rest have magnitude 2.

    .. math:: E_0 = -\sum_\mathrm{tiles} \left(\sum |J| - 2\right)

    Parameters
    ----------
    fraction : ndarray of float64, shape (B,)
        Probability that a tile is C2; the others are C3.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.
    right, down : ndarray of int8, shape (B, L, L)
        Bonds to (i, j + 1) and (i + 1, j), written in place; L is even.
    planted : ndarray of int8, shape (B, L, L)
        The planted ground state, written in place.

    Returns
    -------
    ndarray of int64, shape (B,)
        Ground-state energies.
    """
    lanes, size = right.shape[0], right.shape[1]
    ground = np.zeros(lanes, np.int64)
    magnitude = np.empty(4, np.int8)
    for b in range(lanes):
        stream = streams[b]
        for i in range(size):
            for j in range(size):
                planted[b, i, j] = 1 if uniform(stream) < 0.5 else -1
        for i in range(size):
            for j in range(i & 1, size, 2):
                weak = 2 if uniform(stream) < fraction[b] else 3
                negative = int(4 * uniform(stream))
                magnitude[:] = 2
                magnitude[negative] = -1
                # Of the three other bonds, one (C2) or all but one (C3) are weak.
                odd = (negative + 1 + int(3 * uniform(stream))) & 3
                for k in range(4):
                    if k != negative:
                        magnitude[k] = 1 if (k == odd) == (weak == 2) else 2
                ground[b] -= (weak + 2 * (4 - weak)) - 2
                i1, j1 = (i + 1) % size, (j + 1) % size
                s = planted[b]
                right[b, i, j] = magnitude[0] * s[i, j] * s[i, j1]
                down[b, i, j1] = magnitude[1] * s[i, j1] * s[i1, j1]
                right[b, i1, j] = magnitude[2] * s[i1, j] * s[i1, j1]
                down[b, i, j] = magnitude[3] * s[i, j] * s[i1, j]
    return ground


@njit(cache=True)
def bond_energy(s: Any, right: Any, down: Any) -> int:
    """Energy -sum J s s of one lattice with integer bonds, all int8 (L, L)."""
    size = s.shape[0]
    energy = 0
    for i in range(size):
        for j in range(size):
            neighbours = right[i, j] * s[i, (j + 1) % size] + down[i, j] * s[(i + 1) % size, j]
            energy -= s[i, j] * neighbours
    return energy


@njit(cache=True)
def hold(
    spins: Any,
    right: Any,
    down: Any,
    scale: Any,
    temperature: Any,
    streams: Any,
    sweeps: int,
    energy: Any,
    best: Any,
    mean: Any,
    variance: Any,
    acceptance: Any,
) -> None:
    """Heat-bath sweeps at constant temperature, with the energy after every sweep.

    Parameters
    ----------
    spins, right, down : ndarray of int8, shape (B, L, L)
        Spins are updated in place.
    scale, temperature : ndarray of float64, shape (B,)
        The Hamiltonian is ``scale`` times the integer bond energy; kB = 1.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.
    sweeps : int
    energy, best : ndarray of int64, shape (B,)
        Bond energy of the spins, and the lowest seen after a sweep; updated in place.
    mean, variance, acceptance : ndarray of float64, shape (B,)
        Written: of the bond energy over the sweeps, and the fraction of flips accepted.
    """
    sites = spins.shape[1] * spins.shape[2]
    table = np.empty((2, 17), np.uint64)
    for b in range(spins.shape[0]):
        fill_bond_thresholds(scale[b], 0.0, temperature[b], False, table)
        total, squares, flipped = 0.0, 0.0, 0
        e, lowest, start = energy[b], best[b], energy[b]
        for _ in range(sweeps):
            flips, change = sweep_bonds_once(spins[b], right[b], down[b], table, streams[b])
            e += change
            flipped += flips
            lowest = min(lowest, e)
            total += e - start
            squares += float(e - start) ** 2
        rise = total / sweeps
        energy[b], best[b] = e, lowest
        mean[b] = start + rise
        variance[b] = max(squares / sweeps - rise * rise, 0.0)
        acceptance[b] = flipped / (sites * sweeps)
