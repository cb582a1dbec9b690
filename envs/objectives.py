"""Objectives: pure functions over arrays with a leading batch axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def switch_entropy(
    energy_before: float, temperature_before: float, energy_after: float, temperature_after: float
) -> Any:
    r"""Entropy production of switching the control parameters at fixed spins, in nats.

    .. math:: \Delta\sigma = E(s; \lambda') / T' - E(s; \lambda) / T

    Summed over all switches of a protocol, the final one to its end point included, this is

    .. math:: \sigma = E_f/T_f - E_0/T_0 - \sum_k \Delta E_k / T_k

    with heats :math:`\Delta E_k` of the sweeps at constant control, because the energies
    telescope.

    Parameters
    ----------
    energy_before, energy_after : float or ndarray of float64, shape (B,)
        Total energy of the same spins under the old and the new control parameters, units of J.
    temperature_before, temperature_after : float or ndarray of float64, shape (B,)
        In units of J / kB.

    Returns
    -------
    float or ndarray of float64, shape (B,)

    References
    ----------
    Rotskoff, G. M. & Crooks, G. E. (2015), Phys. Rev. E 92, 060102.
    """
    return energy_after / temperature_after - energy_before / temperature_before


def improvement(
    previous: np.ndarray[Any, np.dtype[np.float64]], current: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Drop of a figure that is to become small: ``previous - current``, shape (B,)."""
    return previous - current


def dose_efficiency(
    area: np.ndarray[Any, np.dtype[np.float64]],
    spent: np.ndarray[Any, np.dtype[np.float64]],
    value: np.ndarray[Any, np.dtype[np.float64]],
    budget: float,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    r"""Area under a value against dose, over the budget (DEC-AUC).

    .. math:: \frac{1}{D} \left( \sum_k v_k \Delta d_k + v (D - d) \right)

    The value is constant while a frame is taken, and from the last frame to the budget's end.

    Parameters
    ----------
    area : ndarray of float64, shape (B,)
        Sum of value before a frame times the frame's dose.
    spent : ndarray of float64, shape (B,)
        Dose of all frames, at most ``budget``.
    value : ndarray of float64, shape (B,)
        After the last frame, e.g. the fraction found.
    budget : float
        D, in the unit of ``spent``.

    Returns
    -------
    ndarray of float64, shape (B,)
        In the unit of ``value``.
    """
    return (area + value * (budget - spent)) / budget


def intersection_over_union(
    written: np.ndarray[Any, np.dtype[np.bool_]], target: np.ndarray[Any, np.dtype[np.bool_]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Intersection over union of masks (B, H, W), shape (B,); 1 if both are empty."""
    both = (written & target).sum(axis=(1, 2))
    either = (written | target).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)
