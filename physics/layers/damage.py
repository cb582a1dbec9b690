"""Knock-on damage: cross-sections of displacing an atom, at rest and vibrating.

References
----------
McKinley, W. A. & Feshbach, H. (1948), Phys. Rev. 74, 1759 (the cross-section).
Meyer, J. C. et al. (2012), Phys. Rev. Lett. 108, 196102 (vibrations open a tail below threshold).
Susi, T. et al. (2016), Nat. Commun. 7, 13040 (displacement threshold and velocities of graphene).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import constants

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ELECTRON_REST_EV = constants.physical_constants["electron mass energy equivalent in MeV"][0] * 1e6
DALTON_EV = constants.physical_constants["atomic mass constant energy equivalent in MeV"][0] * 1e6
# e^2 / (4 pi eps0 m c^2) in m.
ELECTRON_RADIUS = constants.physical_constants["classical electron radius"][0]
BARN = 1e-28
CARBON_MASS = 12.011
# Of carbon in graphene: threshold in eV, mean square out-of-plane velocity in m^2/s^2 (Susi 2016).
GRAPHENE_THRESHOLD, GRAPHENE_VELOCITY_SQUARED = 21.14, 3.17e5
# Out-of-plane velocities are averaged over +- this many standard deviations.
_SPAN, _NODES = 8.0, 4001


def max_transfer(voltage: ArrayLike, mass: float, velocity: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Largest energy that an electron can give to an atom, in eV.

    A backscattered electron transfers twice its momentum p, so with the atom moving at v along
    the beam :math:`T = (2p + Mv)^2 / 2M`, which is :math:`2E(E + 2mc^2)/Mc^2` at rest.

    Parameters
    ----------
    voltage : array_like of float
        Acceleration voltage in V.
    mass : float
        Of the atom, in dalton.
    velocity : array_like of float
        In m/s, positive along the beam.
    """
    energy = np.asarray(voltage, np.float64)
    rest = mass * DALTON_EV
    momentum = np.sqrt(energy * (energy + 2.0 * ELECTRON_REST_EV))
    own = rest * np.asarray(velocity, np.float64) / constants.c
    return np.asarray((2.0 * momentum + own) ** 2 / (2.0 * rest))


def mckinley_feshbach(
    voltage: ArrayLike, number: int, threshold: float, transfer: ArrayLike
) -> NDArray[np.float64]:
    r"""Cross-section of transferring at least the threshold, in barn.

    .. math:: \sigma = \pi Z^2 r_e^2 \frac{1 - \beta^2}{\beta^4} \left[ t - 1 - \beta^2 \ln t
              + \pi \frac{Z}{137} \beta \left( 2 \sqrt t - 2 - \ln t \right) \right]

    with t the largest transfer over the threshold; zero where t < 1.

    Parameters
    ----------
    voltage : array_like of float
        In V.
    number : int
        Atomic number Z.
    threshold : float
        Displacement threshold in eV.
    transfer : array_like of float
        Largest transfer in eV, of :func:`max_transfer`.
    """
    gamma = 1.0 + np.asarray(voltage, np.float64) / ELECTRON_REST_EV
    beta2 = 1.0 - 1.0 / gamma**2
    t = np.maximum(np.asarray(transfer, np.float64) / threshold, 1.0)
    log = np.log(t)
    mott = np.pi * constants.fine_structure * number * np.sqrt(beta2)
    bracket = t - 1.0 - beta2 * log + mott * (2.0 * np.sqrt(t) - 2.0 - log)
    scale = np.pi * (number * ELECTRON_RADIUS) ** 2 * (1.0 - beta2) / beta2**2
    return np.asarray(scale * bracket / BARN)


def displacement_cross_section(
    voltage: ArrayLike,
    number: int = 6,
    mass: float = CARBON_MASS,
    threshold: float = GRAPHENE_THRESHOLD,
    velocity_squared: float = GRAPHENE_VELOCITY_SQUARED,
) -> NDArray[np.float64]:
    """Displacement cross-section of a vibrating atom, in barn; by default carbon in graphene.

    Parameters
    ----------
    voltage : array_like of float, any shape
        In V.
    number, mass, threshold
        Atomic number, mass in dalton, threshold in eV.
    velocity_squared : float
        Mean square velocity along the beam in m^2/s^2, of a normal distribution; 0 for an atom
        at rest.
    """
    voltage = np.asarray(voltage, np.float64)
    if velocity_squared == 0.0:
        return mckinley_feshbach(voltage, number, threshold, max_transfer(voltage, mass))
    nodes = np.linspace(-_SPAN, _SPAN, _NODES)
    weights = np.exp(-0.5 * nodes**2)
    weights /= weights.sum()
    transfer = max_transfer(voltage[..., None], mass, nodes * np.sqrt(velocity_squared))
    return mckinley_feshbach(voltage[..., None], number, threshold, transfer) @ weights


def event_rate(cross_section: ArrayLike, current: float, area: float = 1.0) -> NDArray[np.float64]:
    """Events a second of a cross-section in barn under a current in pA spread over A^2."""
    electrons = current * 1e-12 / constants.e
    return np.asarray(np.asarray(cross_section) * BARN * 1e20 * electrons / area)
