"""From the signal of a scan to counts: where a drifting scan looks, dose, noise, digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import fill_normal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
# Pixels whose means are made at a time, a multiple of the sampler's block.
PIECE = 4096
# Mean counts a pixel whose Poisson counts are sure to fit int32.
MOST_COUNTS = 2.1e9


def scanned_positions(
    positions: NDArray[np.float64],
    drift: NDArray[np.float64],
    row_seconds: float,
    pixel_size: float,
    flyback: float = 0.0,
    flyback_decay: float = 1.0,
) -> NDArray[np.float64]:
    """Where columns appear in a frame whose specimen drifts and whose lines start late.

    To first order: a column appears displaced by the drift at the time its row is scanned, and by
    the scan coils' lag ``flyback exp(-x / flyback_decay)`` behind a line's start.

    Parameters
    ----------
    positions : ndarray of float64, shape (B, N, 2)
        In A.
    drift : ndarray of float64, shape (B, 2)
        In A/s.
    row_seconds : float
        Of one line with its flyback.
    pixel_size : float
        In A.
    flyback, flyback_decay : float
        In A.

    Returns
    -------
    ndarray of float64, shape (B, N, 2)
    """
    seconds = np.maximum(positions[..., 1], 0.0) / pixel_size * row_seconds
    moved = positions + seconds[..., None] * drift[:, None]
    if flyback:
        moved[..., 0] += flyback * np.exp(-np.maximum(positions[..., 0], 0.0) / flyback_decay)
    return moved


@njit(cache=True)
def digitize(counts: Any, gain: float, offset: float, noise: float, streams: Any, out: Any) -> None:
    """Amplifier of the detector: gain, offset and read noise, cut to what ``out`` (uint8) holds.

    Parameters
    ----------
    counts : ndarray, shape (B, N)
    gain, offset, noise : float
        Levels a count, level of no signal, standard deviation in levels.
    streams : ndarray of uint64, shape (B, 4)
    out : ndarray of uint8, shape (B, N)
    """
    drawn = np.zeros(counts.shape[1])
    for b in range(counts.shape[0]):
        if noise > 0.0:
            fill_normal(streams[b], drawn)
        for i in range(counts.shape[1]):
            level = gain * counts[b, i] + offset + 0.5 + noise * drawn[i]
            out[b, i] = np.uint8(min(max(level, 0.0), 255.0))


@njit(cache=True)
def _count(fractions: Any, electrons: Any, streams: Any, counts: Any) -> None:
    """Fill counts (B, N) of means fractions (B, N) times electrons (B,), piece by piece."""
    lane = np.zeros(1, np.int64)
    line = np.empty(PIECE)
    means = line.reshape(1, PIECE)
    for b in range(counts.shape[0]):
        for start in range(0, counts.shape[1], PIECE):
            end = min(start + PIECE, counts.shape[1])
            source, beam = fractions[b, start:end], electrons[b]
            for i in range(end - start):
                line[i] = source[i] * beam
            row = counts[b, start:end].reshape(1, end - start)
            poisson_counts(lane, means[:, : end - start], streams[b : b + 1], row)


def expose(
    fractions: NDArray[np.float32], electrons: ArrayLike, streams: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Draw Poisson counts of frames.

    Parameters
    ----------
    fractions : ndarray of float32, shape (B, H, W)
        Of :class:`Haadf`.
    electrons : array_like of float, shape (B,) or ()
        A pixel.
    streams : ndarray of uint64, shape (B, 4)
        Advanced in place.

    Returns
    -------
    ndarray of int32, shape (B, H, W)

    Raises
    ------
    ValueError
        If a mean count is not finite, negative, or so large that counts may not fit int32.
    """
    lanes = len(fractions)
    counts = np.empty(fractions.shape, np.int32)
    beam = np.array(np.broadcast_to(electrons, lanes), np.float64)
    if fractions.size:
        flat = fractions.reshape(lanes, -1)
        ends = np.concatenate([flat.min(axis=1) * beam, flat.max(axis=1) * beam])
        if not ((ends >= 0.0) & (ends <= MOST_COUNTS)).all():
            worst = ends[~((ends >= 0.0) & (ends <= MOST_COUNTS))][0]
            raise ValueError(
                f"electrons: a mean of {worst:g} counts a pixel is not in 0..{MOST_COUNTS:g}"
            )
    _count(fractions.reshape(lanes, -1), beam, streams, counts.reshape(lanes, -1))
    return counts


def dose(current: float, dwell: float, pixel_size: float) -> float:
    """Electrons an A^2 of a scan: current in pA, dwell in us, pixel edge in A."""
    return current * 1e-12 / 1.602176634e-19 * dwell * 1e-6 / pixel_size**2
