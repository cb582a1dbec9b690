"""Frames of what a furnace shows: a gauge for every number of its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.envs.rendering import write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mattergym.envs.task import Panel

SIZE = 256
DARK, GROOVE, LIT = 24, 60, (240, 190, 60)


def draw_gauges(panel: Panel, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw every field of a panel as a bar between its bounds, with its name and value.

    Parameters
    ----------
    panel : Panel
        Of scalar fields.
    values : ndarray of float32, shape (n,)
        As observed.

    Returns
    -------
    ndarray of uint8, shape (256, 256, 3)
    """
    frame = np.full((SIZE, SIZE, 3), DARK, np.uint8)
    height = SIZE // len(panel.fields)
    for k, (name, field) in enumerate(panel.fields.items()):
        low, high, value = panel.low[k], panel.high[k], values[k]
        top, filled = k * height, round((SIZE - 8) * float((value - low) / (high - low)))
        write_text(frame, f"{name} = {value * np.asarray(field.scale):.3g} {field.unit}", top, 4)
        frame[top + 16 : top + height - 4, 4 : SIZE - 4] = GROOVE
        frame[top + 16 : top + height - 4, 4 : 4 + filled] = LIT
    return frame


def beside(*frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set frames side by side with dark gaps; lower ones are filled up at their bottom."""
    height = max(len(frame) for frame in frames)
    parts = []
    for frame in frames:
        whole = np.full((height, frame.shape[1] + 8, 3), DARK, np.uint8)
        whole[: len(frame), :-8] = frame
        parts.append(whole)
    return np.concatenate(parts, axis=1)[:, :-8]
