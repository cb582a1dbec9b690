"""Hamiltonians of the Ising model on a periodic square lattice, and checks of what kernels take.

E = -sum_<ij> J_ij s_i s_j - sum_i (h + h_i) s_i, with kB = 1. Spins are int8 arrays of +-1 of shape
(B, L, L), a lattice a lane; every lane has its own temperature, field and couplings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Uniform(NamedTuple):
    """Nearest-neighbour couplings ``jx`` along a row and ``jy`` along a column, (B,) or scalar."""

    jx: ArrayLike = 1.0
    jy: ArrayLike = 1.0


class Diagonal(NamedTuple):
    """Nearest (``j1``) and diagonal next-nearest (``j2``) couplings, (B,) or scalar."""

    j1: ArrayLike = 1.0
    j2: ArrayLike = 0.0


class Bonds(NamedTuple):
    """Integer bonds of magnitude at most 2 times a scale.

    ``right[b, i, j]`` couples site (i, j) to (i, j + 1), ``down[b, i, j]`` to (i + 1, j); both
    int8 (B, L, L). ``scale`` is (B,) or scalar.
    """

    right: NDArray[np.int8]
    down: NDArray[np.int8]
    scale: ArrayLike = 1.0


class RandomField(NamedTuple):
    """Uniform couplings and a quenched field ``site_field``, float64 (B, L, L), on every site."""

    site_field: NDArray[np.float64]
    jx: ArrayLike = 1.0
    jy: ArrayLike = 1.0


Couplings = Uniform | Diagonal | Bonds | RandomField
FERROMAGNET = Uniform()


def per_lane(value: ArrayLike, lanes: int, name: str) -> NDArray[np.float64]:
    """Give a parameter every lane's value, float64 (B,).

    Raises
    ------
    ValueError
        If its shape is neither () nor (B,), or a value is not finite.
    """
    array = np.asarray(value, np.float64)
    if array.shape not in ((), (lanes,)):
        raise ValueError(f"{name} has shape {array.shape}; allowed are () or ({lanes},)")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} = {array[~np.isfinite(array)].flat[0]} is not finite")
    return array if array.ndim else np.full(lanes, array)


def checked_temperature(value: ArrayLike, lanes: int) -> NDArray[np.float64]:
    """Temperatures of all lanes, float64 (B,).

    Raises
    ------
    ValueError
        If the shape is wrong or one is not above 0.
    """
    temperature = per_lane(value, lanes, "temperature")
    if not (temperature > 0.0).all():
        raise ValueError(f"temperature = {temperature.min()} is not above 0")
    return temperature


def checked_spins(spins: NDArray[np.int8], ndim: int) -> NDArray[np.int8]:
    """Check that spins are int8 of +-1, (B, L, L) or (L, L), and return them."""
    if spins.dtype != np.int8 or spins.ndim != ndim or spins.shape[-1] != spins.shape[-2]:
        raise ValueError(
            f"spins is {spins.dtype} {spins.shape}; needed is int8 "
            + ("(B, L, L)" if ndim == 3 else "(L, L)")
        )
    if not (np.abs(spins) == 1).all():
        raise ValueError("spins has values other than -1 and 1")
    return spins


def check_lattices(spins: NDArray[np.int8]) -> None:
    """Raise ValueError unless spins are int8 (B, L, L) of +-1 with an even L >= 2."""
    checked_spins(spins, 3)
    if spins.shape[1] % 2 or spins.shape[1] < 2:
        raise ValueError(f"spins has L = {spins.shape[1]}; sublattices need an even L >= 2")
