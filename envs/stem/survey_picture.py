"""Picture of a survey: the fields scanned so far as a HAADF mosaic, and what was called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.physics.layers.survey import FIELD, FIELDS, PATCH, PIXEL, PIXELS, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEP = 2  # pixels of a frame that one of the mosaic's shows
TRUE, FALSE = (90, 220, 120), (250, 90, 60)


def draw_survey(
    layer: Layer,
    present: NDArray[np.int8],
    called: NDArray[np.bool_],
    doses: NDArray[np.float64],
    frame: NDArray[np.int32],
    text: str,
    budget_left: float,
) -> NDArray[np.uint8]:
    """Draw the mosaic with calls marked, true ones green, and the last frame beside it.

    The mosaic shows, field by field, the image at the dose applied, with noise of a fixed seed.

    Parameters
    ----------
    layer : Layer
    present : ndarray of int8, shape (S,)
        1 where a defect is; 2 where the beam made it.
    called : ndarray of bool, shape (S,)
    doses : ndarray of float64, shape (100,)
        Of every field, in e/A^2.
    frame : ndarray of int32, shape (64, 64)
        Counts of the last frame.
    text : str
    budget_left : float
        Fraction, 0..1.

    Returns
    -------
    ndarray of uint8, shape (344, 648, 3)
    """
    fractions = layer.mean.astype(np.float64).reshape(FIELDS**2, PIXELS, PIXELS).copy()
    field = np.searchsorted(layer.first, np.arange(len(present)), side="right") - 1
    for s in np.flatnonzero(present):
        row, column = layer.corner[s]
        patch = layer.loss[s].reshape(PATCH, PATCH)
        fractions[field[s], row : row + PATCH, column : column + PATCH] -= patch
    electrons = doses[:, None, None] * PIXEL**2
    counts = np.random.default_rng(0).poisson(np.maximum(fractions, 0.0) * electrons)
    binned = counts.reshape(FIELDS**2, PIXELS // STEP, STEP, PIXELS // STEP, STEP).sum((2, 4))
    shown = binned / np.maximum(electrons * STEP**2, 1e-9) / layer.mean.max()
    shown[doses == 0.0] = 0.0
    mosaic = shown.reshape(FIELDS, FIELDS, PIXELS // STEP, PIXELS // STEP).transpose(0, 2, 1, 3)
    size = FIELDS * PIXELS // STEP
    left = image_to_rgb(mosaic.reshape(size, size), 0.0, 0.8, "gray", size)
    scale = size / (FIELDS * FIELD)
    for s in np.flatnonzero(called):
        x, y = (layer.positions[s] * scale).astype(np.int64)
        colour = TRUE if present[s] == 1 else FALSE
        left[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = colour
    left = np.ascontiguousarray(left[::-1])
    top = max(6.0, np.percentile(frame, 99.5))
    right = image_to_rgb(frame[::-1] / top, 0.0, 1.0, "gray", size)
    add_scale_bar(left, round(50.0 * scale), "5 nm")
    add_scale_bar(right, round(5.0 / PIXEL * (size // PIXELS)), "0.5 nm")
    gap = np.full((size, 8, 3), 24, np.uint8)
    return add_status_strip(np.concatenate([left, gap, right], axis=1), text, budget_left)
