r"""Electron optics: aberrations, probes and Ronchigrams, for a batch of lanes in one call.

Lengths are in Angstrom, angles in rad, voltages in V. Axis 0 of an image is x, axis 1 is y.

The aberration function in Krivanek's notation,

.. math:: \chi = \frac{2\pi}{\lambda} \sum_{nm} \frac{C_{nm}\alpha^{n+1}}{n+1}
          \cos m(\phi - \phi_{nm}),

enters the pupil as exp(-i chi), so that a positive C10 is an underfocus of the lens' strength
(defocus = -C10), the convention of abTEM. Inside, everything is dimensionless: the phases that
the terms reach at the edge of the aperture ("edge phases"), and coordinates in aperture radii.

References
----------
Krivanek, O. L., Dellby, N. & Lupini, A. R. (1999), Ultramicroscopy 78, 1 (notation).
Kirkland, E. J. (2020), Advanced Computing in Electron Microscopy, 3rd ed. (wavelength, sigma,
phase gratings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# CODATA 2018; all but the electron mass are exact.
PLANCK = 6.62607015e-34  # J s
LIGHT_SPEED = 299792458.0  # m/s
ELEMENTARY_CHARGE = 1.602176634e-19  # C
ELECTRON_MASS = 9.1093837015e-31  # kg
BOHR_RADIUS = 0.529177  # A

# (n, m) of the fourteen terms to fifth order. Round terms (m = 0) have no sine part.
TERMS = (
    (1, 0), (1, 2), (2, 1), (2, 3), (3, 0), (3, 2), (3, 4),
    (4, 1), (4, 3), (4, 5), (5, 0), (5, 2), (5, 4), (5, 6),
)  # fmt: skip
ORDER = np.array([n for n, _ in TERMS])
SYMMETRY = np.array([m for _, m in TERMS])
NAMES = tuple(f"C{n}{m}" for n, m in TERMS)


def wavelength(voltage: ArrayLike) -> Any:
    """Relativistic wavelength of electrons in A.

    lambda = h / sqrt(2 m e V (1 + e V / (2 m c^2))); Kirkland (2020), eq. 2.5. Any shape.
    """
    energy = ELEMENTARY_CHARGE * np.asarray(voltage, np.float64)
    rest = ELECTRON_MASS * LIGHT_SPEED**2
    momentum = np.sqrt(2.0 * ELECTRON_MASS * energy * (1.0 + energy / (2.0 * rest)))
    return 1e10 * PLANCK / momentum


def interaction_parameter(voltage: ArrayLike) -> Any:
    """Phase shift per projected potential, sigma, in rad/(V A); Kirkland (2020), eq. 5.6."""
    rest = ELECTRON_MASS * LIGHT_SPEED**2 / ELEMENTARY_CHARGE  # V
    v = np.asarray(voltage, np.float64)
    return 2.0 * np.pi / (wavelength(v) * v) * (rest + v) / (2.0 * rest + v)


def coefficients(**named: ArrayLike) -> NDArray[np.float64]:
    """Collect aberrations by name, e.g. ``coefficients(C10=-50, C12=20, phi12=0.3)``.

    Parameters
    ----------
    **named : float or array-like of shape (B,)
        ``Cnm`` in A and ``phinm`` in rad, of the terms in :data:`TERMS`.

    Returns
    -------
    ndarray of float64, shape (..., 14, 2)
        Cnm cos(m phi) and Cnm sin(m phi).

    Raises
    ------
    ValueError
        If a name is none of the terms'.
    """
    angles = {f"phi{n}{m}" for n, m in TERMS if m}
    unknown = sorted(set(named) - set(NAMES) - angles)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} are no aberrations; known are {', '.join(NAMES)}")
    values = {name: np.asarray(value, np.float64) for name, value in named.items()}
    shape = np.broadcast_shapes(*(value.shape for value in values.values()))
    out = np.zeros((*shape, len(TERMS), 2))
    for k, (n, m) in enumerate(TERMS):
        magnitude = values.get(f"C{n}{m}", np.zeros(()))
        angle = m * values.get(f"phi{n}{m}", np.zeros(()))
        out[..., k, 0] = magnitude * np.cos(angle)
        out[..., k, 1] = magnitude * np.sin(angle)
    return out


def edge_phases(
    coefficients: NDArray[np.float64], voltage: float, aperture: float
) -> NDArray[np.float64]:
    """Phase in rad that every coefficient reaches at the edge of the aperture.

    (2 pi / lambda) C alpha^(n+1) / (n+1), same shape (..., 14, 2) as the coefficients.
    """
    scale = 2.0 * np.pi / wavelength(voltage) * aperture ** (ORDER + 1.0) / (ORDER + 1.0)
    return np.asarray(coefficients, np.float64) * scale[:, None]


def aberration_function(
    phases: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Aberration function chi in rad: the readable reference of the kernels, in float64.

    Parameters
    ----------
    phases : ndarray of float64, shape (..., 14, 2)
        Edge phases in rad.
    x, y : ndarray of float64, shape (...)
        Direction in units of the aperture's half-angle.

    Returns
    -------
    ndarray of float64, shape (lanes of phases, shape of x)
    """
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    parts = np.stack(
        [[r ** (n + 1) * np.cos(m * phi), r ** (n + 1) * np.sin(m * phi)] for n, m in TERMS]
    )
    chi: NDArray[np.float64] = np.tensordot(phases, parts, axes=2)
    return chi
