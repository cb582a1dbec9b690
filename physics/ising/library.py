"""Composition-spread libraries of Ising ferromagnets: a line of samples whose couplings vary.

    ln J(x) = ln 0.95 + N(0, 0.2) + sum_k N(0, a_k) cos(k pi x)

independently for Jx (along a row) and Jy (along a column), with x in [0, 1] along the library.
The boundary between order and disorder is exact: sinh(2 Jx/Tc) sinh(2 Jy/Tc) = 1 (Onsager 1944).
All temperatures are in units of J / kB.

References
----------
Onsager, L. (1944), Phys. Rev. 65, 117.
Koinuma, H. & Takeuchi, I. (2004), Nat. Mater. 3, 429 (composition-spread libraries).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from mattergym.physics.ising.checkerboard import sweep_uniform
from mattergym.physics.ising.observables import spin_sums
from mattergym.physics.rng import normal

LOG_MEAN_COUPLING = math.log(0.95)
OFFSET_DEVIATION = 0.2
# A library is kept if its boundary lies within these, and spans more than that.
LOWEST_TC, HIGHEST_TC, LEAST_SPAN = 1.1, 3.7, 0.6


@njit(cache=True)
def solve_critical_temperature(jx: float, jy: float) -> float:
    """Solve sinh(2 jx/T) sinh(2 jy/T) = 1 for T > 0, couplings above 0, to rounding.

    In k = 1/T the logarithm of the left-hand side rises and is concave, so that Newton's method
    from below, where both factors are at most 1, rises to the root without overshooting.
    """
    k = math.asinh(1.0) / (2.0 * max(jx, jy))
    for _ in range(60):
        u, v = 2.0 * jx * k, 2.0 * jy * k
        # ln sinh u = u + ln(1 - exp(-2u)) - ln 2
        excess = u + math.log(-math.expm1(-2.0 * u)) + v + math.log(-math.expm1(-2.0 * v))
        excess -= 2.0 * math.log(2.0)
        step = excess / (2.0 * jx / math.tanh(u) + 2.0 * jy / math.tanh(v))
        k -= step
        if abs(step) < 1e-14 * k:
            break
    return 1.0 / k


@njit(cache=True)
def draw_libraries(deviations: Any, streams: Any, jx: Any, jy: Any, boundary: Any) -> None:
    """Draw one library a lane, by rejection, with its boundary.

    Parameters
    ----------
    deviations : ndarray of float64, shape (K,)
        Standard deviations a_k of the cosines k = 1..K.
    streams : ndarray of uint64, shape (B, 4)
    jx, jy, boundary : ndarray of float64, shape (B, n)
        Couplings and critical temperatures of the n samples; written to.
    """
    count = jx.shape[1]
    for b in range(jx.shape[0]):
        kept = False
        while not kept:
            for couplings in (jx, jy):
                couplings[b, :] = LOG_MEAN_COUPLING + OFFSET_DEVIATION * normal(streams[b])
                for k in range(deviations.shape[0]):
                    amplitude = deviations[k] * normal(streams[b])
                    for i in range(count):
                        phase = (k + 1) * math.pi * i / (count - 1)
                        couplings[b, i] += amplitude * math.cos(phase)
            lowest, highest = math.inf, 0.0
            for i in range(count):
                jx[b, i], jy[b, i] = math.exp(jx[b, i]), math.exp(jy[b, i])
                boundary[b, i] = solve_critical_temperature(jx[b, i], jy[b, i])
                lowest, highest = min(lowest, boundary[b, i]), max(highest, boundary[b, i])
            kept = lowest > LOWEST_TC and highest < HIGHEST_TC and highest - lowest > LEAST_SPAN


@njit(cache=True)
def measure_ordered(
    spins: Any,
    temperature: Any,
    jx: Any,
    jy: Any,
    streams: Any,
    equilibration: Any,
    sweeps: Any,
    out: Any,
) -> None:
    """Measure every lattice from an ordered start, each with its own number of sweeps.

    A start from order reaches equilibrium sooner than one from disorder, which freezes in stripes.

    Parameters
    ----------
    spins : ndarray of int8, shape (B, L, L)
        Overwritten with the final configurations.
    temperature, jx, jy : ndarray of float64, shape (B,)
    streams : ndarray of uint64, shape (B, 4)
    equilibration, sweeps : ndarray of int64, shape (B,)
        Sweeps before and during the measurement; a lane with ``sweeps`` 0 is left alone.
    out : ndarray of float64, shape (B, 3)
        Mean abs(m), susceptibility N (<m^2> - <abs(m)>^2) / T, energy a site; written to.
    """
    size = spins.shape[1]
    sites = size * size
    field, t, jx_b, jy_b = np.zeros(1), np.empty(1), np.empty(1), np.empty(1)
    sums = np.empty((1, 3), np.int64)
    for b in range(spins.shape[0]):
        if sweeps[b] == 0:
            continue
        # Slices would not be contiguous for the compiler, and the sweep half as fast.
        s, stream = spins[b].reshape(1, size, size), streams[b].reshape(1, 4)
        t[0], jx_b[0], jy_b[0] = temperature[b], jx[b], jy[b]
        s[:] = 1
        sweep_uniform(s, t, field, jx_b, jy_b, stream, equilibration[b], False)
        first, second, energy = 0.0, 0.0, 0.0
        for _ in range(sweeps[b]):
            sweep_uniform(s, t, field, jx_b, jy_b, stream, 1, False)
            spin_sums(s, sums)
            m = abs(sums[0, 0]) / sites
            first += m
            second += m * m
            energy -= (jx_b[0] * sums[0, 1] + jy_b[0] * sums[0, 2]) / sites
        mean = first / sweeps[b]
        out[b, 0] = mean
        out[b, 1] = sites * max(0.0, second / sweeps[b] - mean * mean) / t[0]
        out[b, 2] = energy / sweeps[b]
