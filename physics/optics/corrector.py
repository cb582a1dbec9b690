"""An aberration corrector: hidden phases, coupled knobs, drift, and what a camera sees.

Aberrations are twelve numbers, the edge phases in rad (see
:mod:`mattergym.physics.optics.aberrations`) of the seven terms to third order, with cosine and
sine parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.optics.aberrations import NAMES, ORDER, SYMMETRY, TERMS
from mattergym.physics.rng import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Term of TERMS and part (0 cosine, 1 sine) of the twelve components.
TERM = np.array([k for k, (n, m) in enumerate(TERMS) if n <= 3 for _ in range(2 if m else 1)])
PART = np.array([part for n, m in TERMS if n <= 3 for part in range(2 if m else 1)])
COMPONENTS = len(TERM)
LABELS = tuple(
    NAMES[k] + ("ab"[part] if SYMMETRY[k] else "") for k, part in zip(TERM, PART, strict=True)
)
COMPONENT_ORDER = ORDER[TERM]
COMPONENT_SYMMETRY = SYMMETRY[TERM]
# Redraw couplings that are harder to invert than this.
WORST_CONDITION = 15.0


def all_phases(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edge phases of all terms, (B, 14, 2), from the twelve components, (B, 12), in rad."""
    phases = np.zeros((len(components), len(TERMS), 2))
    phases[:, TERM, PART] = components
    return phases


@njit(cache=True)
def draw_errors(scale: Any, streams: Any, out: Any) -> None:
    """Write independent normal numbers of standard deviation ``scale`` (K,) to ``out`` (B, K)."""
    for b in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[b, k] = scale[k] * normal(streams[b])


def coupling_law(off_diagonal: float, downward: float) -> NDArray[np.float64]:
    """Return the standard deviations (12, 12) of the coupling's entries about the identity.

    0.1 on the diagonal, ``downward`` where the knob (column) is of higher order than what it
    disturbs (row), ``off_diagonal`` elsewhere.
    """
    higher = COMPONENT_ORDER[None, :] > COMPONENT_ORDER[:, None]
    law = np.where(higher, downward, off_diagonal)
    np.fill_diagonal(law, 0.1)
    return law


def draw_couplings(law: NDArray[np.float64], streams: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Draw a coupling a lane: identity plus normal numbers, redrawn while ill-conditioned.

    Parameters
    ----------
    law : ndarray of float64, shape (12, 12)
        As :func:`coupling_law` gives it.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.

    Returns
    -------
    ndarray of float64, shape (B, 12, 12)
        Phase of component i in rad per rad of knob j.
    """
    out = np.empty((len(streams), COMPONENTS, COMPONENTS))
    todo = np.arange(len(streams))
    while todo.size:
        own = streams[todo]
        drawn = np.empty((len(todo), COMPONENTS * COMPONENTS))
        draw_errors(law.ravel(), own, drawn)
        streams[todo] = own
        drawn = drawn.reshape(-1, COMPONENTS, COMPONENTS) + np.eye(COMPONENTS)
        out[todo] = drawn
        todo = todo[np.linalg.cond(drawn) > WORST_CONDITION]
    return out


@njit(cache=True)
def turn_knobs(
    components: Any, coupling: Any, change: Any, drift: float, limit: float, streams: Any
) -> None:
    """Add coupling @ change and a random-walk step to the components, in place.

    components, change float64 (B, 12) in rad; coupling float64 (B, 12, 12); drift: standard
    deviation of the step in rad; limit: where the supplies saturate, in rad; streams (B, 4).
    """
    for b in range(components.shape[0]):
        for i in range(components.shape[1]):
            value = components[b, i] + drift * normal(streams[b])
            for j in range(components.shape[1]):
                value += coupling[b, i, j] * change[b, j]
            components[b, i] = min(max(value, -limit), limit)


@njit(cache=True)
def place_patches(film: Any, streams: Any, out: Any) -> None:
    """Copy a random patch of a periodic film to every lane, wrapped so that FFTs see no seam.

    film complex64 (N, N); streams uint64 (B, 4); out complex64 (B, n, n), the middle of the patch
    at index 0, where the probe is.
    """
    size, n = film.shape[0], out.shape[1]
    half = (n + 1) // 2
    for b in range(out.shape[0]):
        top, left = int(size * uniform(streams[b])), int(size * uniform(streams[b]))
        for i in range(n):
            row = film[(top + (i if i < half else i - n)) % size]
            for j in range(n):
                out[b, i, j] = row[(left + (j if j < half else j - n)) % size]


@njit(cache=True)
def expose_camera(
    intensity: Any,
    electrons: float,
    gain: float,
    offset: float,
    read: float,
    streams: Any,
    out: Any,
) -> None:
    """Turn intensities into camera counts with shot and read noise, uint8.

    Shot noise in its normal limit (counts of some hundred electrons a pixel). intensity float32
    (B, n, n) relative to ``electrons`` a pixel; gain: counts an electron; offset: dark level in
    counts; read: read noise in electrons; streams (B, 4); out uint8 (B, n, n).
    """
    for b in range(intensity.shape[0]):
        stream = streams[b]
        n = intensity.shape[1] * intensity.shape[2]
        source, target = intensity[b].ravel(), out[b].reshape(n)
        for k in range(0, n, 2):
            radius = np.sqrt(-2.0 * np.log(1.0 - uniform(stream)))
            angle = 2.0 * np.pi * uniform(stream)
            for step in range(min(2, n - k)):
                draw = radius * (np.cos(angle) if step == 0 else np.sin(angle))
                mean = electrons * source[k + step]
                count = offset + gain * (mean + draw * np.sqrt(mean + read * read))
                target[k + step] = np.uint8(min(max(count + 0.5, 0.0), 255.0))
