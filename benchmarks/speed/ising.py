"""Ising kernels: spin flips a nanosecond against the textbook loop, C and mcising, one thread.

``NUMBA_CPU_FEATURES`` restricts the vectors that Numba may use, for instance to AVX2.
"""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numba import njit

from mattergym.benchmarks.speed import Growth, Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.physics.ising.batch import LatticeBatch
from mattergym.physics.ising.checkerboard import sweep_uniform
from mattergym.physics.ising.exact import critical_temperature
from mattergym.physics.ising.lattice import BIG_STREAMS, BigLattice
from mattergym.physics.ising.observables import spin_sums
from mattergym.physics.ising.planes import (
    CLASSES,
    LEVELS,
    class_probabilities,
    coefficients,
    fill_level,
)
from mattergym.physics.rng import seed_streams

SIZES = (64, 256, 1024)
UNIT = "flips/ns"
# Vectors that Numba may use, best first: by their feature of LLVM, how often the kernel of one
# lattice should outrun the textbook loop at L = 1024.
WANTED = {"avx512f": 500.0, "avx2": 150.0}
# Exponent of time in sites: nothing grows faster than the lattice.
LINEAR = 1.05


@njit(cache=True)
def textbook_sweeps(spins: Any, beta: float, sweeps: int) -> None:
    """Metropolis as textbooks have it: random site, modulo, exp, np.random."""
    size = spins.shape[0]
    for _ in range(sweeps * size * size):
        i, j = np.random.randint(0, size), np.random.randint(0, size)  # noqa: NPY002
        around = (
            spins[(i + 1) % size, j]
            + spins[(i - 1) % size, j]
            + spins[i, (j + 1) % size]
            + spins[i, (j - 1) % size]
        )
        cost = 2 * spins[i, j] * around
        if cost <= 0 or np.random.random() < math.exp(-beta * cost):  # noqa: NPY002
            spins[i, j] = -spins[i, j]


def vectors(features: str | None = None) -> str | None:
    """Name the best vectors of :data:`WANTED` that Numba may use, None where it has neither.

    ``features`` is what Numba reads from ``NUMBA_CPU_FEATURES``, e.g. ``"+avx2,-avx512f"``; where
    that is not set the machine is asked.
    """
    given = os.environ.get("NUMBA_CPU_FEATURES") if features is None else features
    text = given or binding.get_host_cpu_features().flatten()
    found = {word[1:] for word in text.split(",") if word.startswith("+")}
    return next((name for name in WANTED if name in found), None)


@cache
def c_library() -> ctypes.CDLL | None:
    """Compile the C yardstick with gcc; None where there is none or it fails."""
    gcc = shutil.which("gcc")
    if gcc is None:
        return None
    source = resources.files("mattergym.benchmarks.speed") / "ising_yardstick.c"
    with tempfile.TemporaryDirectory() as folder, resources.as_file(source) as path:
        library = Path(folder) / "yardstick.so"
        options = ["-O3", "-march=native", "-shared", "-fPIC", "-o"]
        done = subprocess.run([gcc, *options, str(library), str(path)], capture_output=True)
        return None if done.returncode else ctypes.CDLL(str(library))


def c_sweeper(spins: np.ndarray, temperature: float) -> Callable[[int], None] | None:
    """Return a function that sweeps a packed copy of the spins, (L, L), in C."""
    library = c_library()
    if library is None:
        return None
    lattice = BigLattice(spins)
    planes = lattice._planes
    numerators = np.empty(CLASSES, np.uint64)
    class_probabilities(temperature, 0.0, 1.0, False, numerators)
    planes_of = [[fill_level(q, level) for level in range(LEVELS)] for q in numerators]
    thresholds = np.stack(coefficients.py_func(*np.array(planes_of, np.uint64)), axis=1)
    state = _streams(BIG_STREAMS).reshape(2, 8, 4).transpose(0, 2, 1).copy()

    def sweep(sweeps: int) -> None:
        library.sweep(
            ctypes.c_void_p(planes.ctypes.data),
            ctypes.c_long(planes.shape[1] - 2),
            ctypes.c_long(lattice._half),
            ctypes.c_long(planes.shape[2]),
            ctypes.c_int(lattice._across),
            ctypes.c_void_p(thresholds.ctypes.data),
            ctypes.c_void_p(state.ctypes.data),
            ctypes.c_long(sweeps),
        )

    return sweep


def _streams(count: int) -> np.ndarray:
    lanes = np.arange(count, dtype=np.uint64)
    return seed_streams(lanes, np.zeros_like(lanes), 0)


def _random_spins(lanes: int, size: int) -> np.ndarray:
    bits = np.random.default_rng(0).integers(0, 2, (lanes, size, size))
    return (2 * bits - 1).astype(np.int8)


def _timed(sweep: Callable[[int], Any], sites: int, expected: float) -> Callable[[], float]:
    """Sweep for some 8 ms a call, at an expected rate, and give flips a nanosecond."""
    sweeps = max(1, round(8e6 * expected / sites))
    return timed(partial(sweep, sweeps), sites * sweeps, UNIT)


def _mcising(size: int, temperature: float) -> Callable[[int], Any]:
    """Metropolis of mcising on a lattice of the same size."""
    from mcising import _core

    simulation = _core.IsingSimulation(size, 1.0, 0.0, 0.0, 0.0, 0)
    return lambda sweeps: simulation.sweep(sweeps, temperature=temperature)


def _int8_sweeps(
    spins: np.ndarray, t: np.ndarray, h: np.ndarray, j: np.ndarray, streams: np.ndarray, sweeps: int
) -> None:
    sweep_uniform(spins, t, h, j, j, streams, sweeps, False)


def section() -> Section:
    """Every kernel at L = 64, 256 and 1024, and 64 lattices of 32 x 32 with their own (T, h)."""
    t = critical_temperature()
    one, zero = np.ones(1), np.zeros(1)
    contestants: dict[str, Callable[[], float]] = {}
    ratios = []
    best = vectors()
    # gcc uses every vector of the machine, and so must Numba to be compared with it.
    equal = best == vectors(binding.get_host_cpu_features().flatten())
    for size in SIZES:
        sites, at = size * size, f", L = {size}"
        spins = _random_spins(1, size)
        plain, table_spins, stream = spins[0].copy(), spins.copy(), _streams(1)
        big, metropolis = BigLattice(spins[0]), BigLattice(spins[0])
        states, more_states = _streams(BIG_STREAMS), _streams(BIG_STREAMS)
        textbook, bits, c = f"textbook{at}", f"bit-sliced{at}", f"C, gcc -O3{at}"
        contestants[textbook] = _timed(partial(textbook_sweeps, plain, 1.0 / t), sites, 0.035)
        contestants[f"int8 table{at}"] = _timed(
            partial(_int8_sweeps, table_spins, t * one, zero, one, stream), sites, 0.37
        )
        contestants[bits] = _timed(partial(big.sweep, t, 0.0, states), sites, 20.0)
        contestants[f"bit-sliced Metropolis{at}"] = _timed(
            partial(metropolis.sweep, t, 0.0, more_states, rule="metropolis"), sites, 20.0
        )
        wanted = WANTED.get(best or "") if size == 1024 else None
        ratios.append(Ratio(f"bit-sliced / textbook{at}", bits, textbook, wanted))
        sweeper = c_sweeper(spins[0], t)
        if sweeper is not None:
            contestants[c] = _timed(sweeper, sites, 20.0)
            wanted = 0.85 if size > 64 and equal else None
            ratios.append(Ratio(f"bit-sliced / C{at}", bits, c, wanted))
        if find_spec("mcising"):
            package = f"mcising{at}"
            contestants[package] = _timed(_mcising(size, t), sites, 0.2)
            ratios.append(Ratio(f"bit-sliced / mcising{at}", bits, package))
    lanes, size = 64, 32
    batch, own = LatticeBatch(_random_spins(lanes, size)), _streams(lanes)
    temperature, field = np.linspace(1.5, 3.5, lanes), np.linspace(-0.5, 0.5, lanes)
    many, single = "bit-sliced, 64 of 32 x 32", "textbook, L = 32"
    small = _random_spins(1, size)[0]
    contestants[single] = _timed(lambda n: textbook_sweeps(small, 1.0 / t, n), size**2, 0.035)
    contestants[many] = _timed(
        lambda n: batch.sweep(temperature, field, own, n), lanes * size**2, 20.0
    )
    contestants[f"{many}, a sweep a call"] = timed(
        lambda: batch.sweep(temperature, field, own, 1), lanes * size**2, UNIT
    )
    wanted = 400.0 if best == "avx512f" else None
    ratios.append(Ratio("64 environments / textbook", many, single, wanted))
    lattices, sums = _random_spins(lanes, size), np.empty((lanes, 3), np.int64)
    ones = np.ones(lanes)

    def int8_sweep() -> None:
        sweep_uniform(lattices, temperature, field, ones, ones, own, 1, False)
        spin_sums(lattices, sums)

    contestants["int8 table, 64 of 32 x 32, a sweep a call"] = timed(
        int8_sweep, lanes * size**2, UNIT
    )
    growths = [
        Growth(
            f"exponent of time in sites, {kernel}",
            {f"{kernel}, L = {size}": float(size * size) for size in SIZES},
            LINEAR,
        )
        for kernel in ("textbook", "int8 table", "bit-sliced", "bit-sliced Metropolis")
    ]
    return Section("ising", UNIT, contestants, tuple(ratios), tuple(growths))
