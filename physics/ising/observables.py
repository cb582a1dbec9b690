"""Observables of Ising lattices and estimators over samples of them (arrays in, arrays out)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.ising import observables
from mattergym.physics.ising.couplings import (
    FERROMAGNET,
    Bonds,
    Couplings,
    Diagonal,
    RandomField,
    Uniform,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@njit(cache=True)
def spin_sums(spins: Any, sums: Any) -> None:
    """Write (sum s, sum s s_right, sum s s_below) of every lattice to ``sums``, int64 (B, 3)."""
    size = spins.shape[1]
    for b in range(spins.shape[0]):
        s = spins[b]
        total = 0
        along_row = np.int64(0)
        along_column = 0
        for i in range(size):
            below = i + 1 if i < size - 1 else 0
            row_sum = np.int64(s[i, size - 1] * s[i, 0])
            for j in range(size - 1):
                row_sum += s[i, j] * s[i, j + 1]
            along_row += row_sum
            for j in range(size):
                total += s[i, j]
                along_column += s[i, j] * s[below, j]
        sums[b, 0] = total
        sums[b, 1] = along_row
        sums[b, 2] = along_column


def magnetization(spins: NDArray[np.int8]) -> NDArray[np.float64]:
    """Mean spin of every lattice: int8 (B, L, L) to float64 (B,) in [-1, 1]."""
    return spins.mean(axis=(1, 2), dtype=np.float64)


def directional_correlations(spins: NDArray[np.int8]) -> NDArray[np.float64]:
    """Nearest-neighbour correlations along rows and columns.

    Returns
    -------
    ndarray of float64, shape (B, 2)
        <s(i, j) s(i, j + 1)> and <s(i, j) s(i + 1, j)>.
    """
    sums = np.empty((len(spins), 3), np.int64)
    observables.spin_sums(spins, sums)
    return sums[:, 1:] / (spins.shape[1] * spins.shape[2])


def energy(
    spins: NDArray[np.int8],
    field: ArrayLike = 0.0,
    couplings: Couplings = FERROMAGNET,
) -> NDArray[np.float64]:
    """Total energy of every lattice in units of J.

    Parameters
    ----------
    spins : ndarray of int8, shape (B, L, L)
    field : array_like of float64, shape (B,) or ()
        Uniform field.
    couplings : Uniform, Diagonal, Bonds or RandomField
        The Hamiltonian.

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    s = spins.astype(np.float64)
    right, below = np.roll(s, -1, axis=2), np.roll(s, -1, axis=1)

    def total(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x.sum(axis=(1, 2))

    match couplings:
        case Uniform(jx, jy):
            bond = np.asarray(jx) * total(s * right) + np.asarray(jy) * total(s * below)
        case Diagonal(j1, j2):
            far = np.roll(below, -1, axis=2) + np.roll(below, 1, axis=2)
            bond = np.asarray(j1) * total(s * (right + below)) + np.asarray(j2) * total(s * far)
        case Bonds(right_bonds, down_bonds, scale):
            bond = np.asarray(scale) * total(s * (right_bonds * right + down_bonds * below))
        case RandomField(site_field, jx, jy):
            bond = np.asarray(jx) * total(s * right) + np.asarray(jy) * total(s * below)
            bond += total(site_field * s)
    return -bond - np.asarray(field) * total(s)


def susceptibility(
    magnetizations: NDArray[np.float64], temperature: ArrayLike, sites: int
) -> NDArray[np.float64]:
    """Susceptibility a site from samples of m: N (<m^2> - <m>^2) / T.

    Parameters
    ----------
    magnetizations : ndarray of float64, shape (n, B)
        Samples of m (or |m|, for the finite-lattice convention below Tc).
    temperature : array_like of float64, shape (B,) or ()
    sites : int
        N = L^2.

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    return sites * magnetizations.var(axis=0) / np.asarray(temperature)


def heat_capacity(
    energies: NDArray[np.float64], temperature: ArrayLike, sites: int
) -> NDArray[np.float64]:
    """Heat capacity a site from samples of the total energy: (<E^2> - <E>^2) / (N T^2).

    Shapes as in :func:`susceptibility`; ``energies`` are totals, not per site.
    """
    return energies.var(axis=0) / (sites * np.asarray(temperature) ** 2)
