"""How good a probe is: rms phase and Strehl ratio of its aberrations, FWHM of its image.

Aberrations are edge phases in rad, images intensities, as
:mod:`mattergym.physics.optics.aberrations` and its neighbours have them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.optics.aberrations import TERMS, aberration_function
from mattergym.physics.optics.waves import chi_turns, row_polynomial, sincos_turns, wave_turns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows, and nodes a row, of the quadrature over the aperture.
NODES = 24


@cache
def _aperture_nodes() -> tuple[NDArray[np.float64], ...]:
    """Quadrature over the unit disc, row by row: x, half chords, weights of rows, of columns.

    Gauss-Chebyshev rows (weight sqrt(1 - x^2)) times Gauss-Legendre columns on each chord; weights
    sum to 1, exact for polynomials below degree 2 NODES.
    """
    theta = np.pi * np.arange(1, NODES + 1) / (NODES + 1)
    node, weight = np.polynomial.legendre.leggauss(NODES)
    return np.cos(theta), node, 2.0 / (NODES + 1) * np.sin(theta) ** 2, 0.5 * weight


@cache
def wavefront_gram() -> NDArray[np.float64]:
    """Gram matrix (28, 28) of the terms over the aperture, piston and tilt removed.

    ``p @ gram @ p`` is the mean square phase of edge phases p (28,), in rad^2.
    """
    rows, columns, row_weights, column_weights = _aperture_nodes()
    x = np.repeat(rows, NODES)
    y = np.outer(np.sqrt(1.0 - rows**2), columns).ravel()
    weights = np.outer(row_weights, column_weights).ravel()
    terms = np.eye(28).reshape(28, 14, 2)
    chi = aberration_function(terms, x, y)
    plane = np.stack([np.ones_like(x), 2.0 * x, 2.0 * y])  # orthonormal over the disc
    projection = np.einsum("iq,pq,q->ip", chi, plane, weights)
    chi = chi - np.einsum("ip,pq->iq", projection, plane)
    gram: NDArray[np.float64] = np.einsum("iq,jq,q->ij", chi, chi, weights)
    return gram


def rms_phase(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square of chi over the aperture without piston and tilt; rad, (B, 14, 2) to (B,).

    Every lane is summed in the same order, whatever its batch.
    """
    rows = np.asarray(phases, np.float64).reshape(-1, 28)
    mean_square = np.einsum("bi,ij,bj->b", rows, wavefront_gram(), rows, optimize=False)
    return np.sqrt(np.maximum(mean_square, 0.0))


@njit(cache=True)
def sum_waves(
    turns: Any, rows: Any, columns: Any, row_weights: Any, column_weights: Any, out: Any
) -> None:
    """Write abs(sum of weights exp(-i chi))^2 over the aperture's nodes to ``out`` (B,).

    turns float64 (B, 7, 7); nodes float64 (Q,) in x, float32 (Q,) along a chord; their weights.
    """
    waves = np.empty((2, columns.shape[0]), np.float32)
    for b in range(turns.shape[0]):
        re, im = 0.0, 0.0
        for i in range(rows.shape[0]):
            p = row_polynomial(turns[b], rows[i])
            row = (p[0], p[1], p[2], p[3], p[4], p[5], p[6])
            chord = np.float32(np.sqrt(1.0 - rows[i] * rows[i]))
            for j in range(columns.shape[0]):
                cosine, sine = sincos_turns(wave_turns(row, chord * columns[j]))
                waves[0, j] = cosine
                waves[1, j] = sine
            for j in range(columns.shape[0]):
                weight = row_weights[i] * column_weights[j]
                re += weight * waves[0, j]
                im += weight * waves[1, j]
        out[b] = re * re + im * im


def strehl(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strehl ratio: the probe's intensity on axis over that of the perfect probe.

    abs(mean of exp(-i chi) over the aperture)^2, after the plane that fits chi best in the sense
    of least squares was removed: a tilt only shifts the probe.

    Parameters
    ----------
    phases : ndarray of float64, shape (B, 14, 2)
        Edge phases in rad.

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    turns = chi_turns(phases)
    # The plane that fits r^(n+1) cos(phi) best over the disc is 4 / (n + 4) r cos(phi).
    phases = np.asarray(phases, np.float64).reshape(-1, len(TERMS), 2) / (2.0 * np.pi)
    tilt = 2.0 / 3.0 * phases[:, 2] + 0.5 * phases[:, 7]
    turns[:, 0, 1] -= tilt[:, 0]
    turns[:, 1, 0] -= tilt[:, 1]
    rows, columns, row_weights, column_weights = _aperture_nodes()
    out = np.empty(len(turns))
    sum_waves(turns, rows, columns.astype(np.float32), row_weights, column_weights, out)
    return out


def fwhm(intensity: NDArray[np.float32], sampling: float) -> NDArray[np.float64]:
    """Diameter in A of the disc with the area where intensity exceeds half its maximum.

    The area is taken between pixels, by the gradient's distance to the contour.

    Parameters
    ----------
    intensity : ndarray of float32, shape (B, n, n)
        Probes, finely sampled (some eight pixels across).
    sampling : float
        Pixel in A.
    """
    image = np.asarray(intensity, np.float64)
    above = image - 0.5 * image.max(axis=(1, 2), keepdims=True)
    dx, dy = np.gradient(image, axis=(1, 2))
    slope = np.hypot(dx, dy) + np.finfo(np.float64).tiny
    with np.errstate(over="ignore"):
        area = np.clip(above / slope + 0.5, 0.0, 1.0).sum(axis=(1, 2))
    return 2.0 * sampling * np.sqrt(area / np.pi)
