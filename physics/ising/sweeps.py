"""Monte Carlo sweeps of a batch of lattices by the fastest kernel that their Hamiltonian allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.physics.ising.batch import LatticeBatch
from mattergym.physics.ising.checkerboard import checkerboard_sweeps
from mattergym.physics.ising.couplings import (
    FERROMAGNET,
    Couplings,
    Uniform,
    checked_temperature,
    per_lane,
)
from mattergym.physics.ising.lattice import BIG_STREAMS, BigLattice
from mattergym.physics.ising.planes import (
    checked_streams,
)
from mattergym.physics.rng import next_uint64, seed_streams

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
# The side from which one lattice fills the vectors.
BIG = 64


def heat_bath_sweeps(
    spins: NDArray[np.int8],
    temperature: ArrayLike,
    field: ArrayLike,
    streams: NDArray[np.uint64],
    sweeps: int,
    couplings: Couplings = FERROMAGNET,
    rule: str = "heat_bath",
) -> None:
    """Sweep as the int8 kernels do, by the fastest kernel.

    Lattices with uniform couplings jx = jy and L a multiple of 16 are packed: from L = 64 one by
    one as :class:`BigLattice` (its sixteen streams are seeded by one draw of the lane's stream),
    below as :class:`LatticeBatch`. All others go to the int8 kernels. The choice for a lane
    depends on that lane alone. Parameters and errors are those of
    :func:`mattergym.physics.ising.checkerboard.checkerboard_sweeps`.
    """
    lanes = len(spins)
    packed = np.zeros(lanes, np.bool_)
    jx = jy = np.zeros(lanes)
    if isinstance(couplings, Uniform):
        jx = per_lane(couplings.jx, lanes, "jx")
        jy = per_lane(couplings.jy, lanes, "jy")
        if spins.shape[-1] % 16 == 0 and spins.shape[-1] > 0:
            packed = jx == jy
    if not packed.any():
        checkerboard_sweeps(spins, temperature, field, streams, sweeps, couplings, rule)
        return
    checked_streams(streams, lanes)
    t = checked_temperature(temperature, lanes)
    h = per_lane(field, lanes, "field")
    rest = ~packed
    if rest.any():
        others, states = spins[rest], streams[rest]
        uniform = Uniform(jx[rest], jy[rest])
        checkerboard_sweeps(others, t[rest], h[rest], states, sweeps, uniform, rule)
        spins[rest], streams[rest] = others, states
    if spins.shape[-1] < BIG:
        batch, states = LatticeBatch(spins[packed]), streams[packed]
        batch.sweep(t[packed], h[packed], states, sweeps, jx[packed], rule)
        spins[packed], streams[packed] = batch.spins, states
        return
    for b in np.flatnonzero(packed):
        lattice = BigLattice(spins[b])
        keys = np.full(BIG_STREAMS, next_uint64(streams[b]), np.uint64)
        own = seed_streams(keys, np.arange(BIG_STREAMS, dtype=np.uint64), 0)
        lattice.sweep(t[b], h[b], own, sweeps, jx[b], rule)
        spins[b] = lattice.spins
