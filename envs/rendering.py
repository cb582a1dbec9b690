"""Rendering: arrays to RGB frames by colour-map tables, without a plotting library per frame."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIP_HEIGHT = 24


@cache
def colour_table(name: str) -> NDArray[np.uint8]:
    """256 RGB rows of a matplotlib colour map, uint8 (256, 3)."""
    from matplotlib import colormaps

    table: NDArray[np.uint8] = (colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return table


def image_to_rgb(
    image: NDArray[Any], low: float, high: float, cmap: str = "cividis", size: int = 256
) -> NDArray[np.uint8]:
    """Colour an image and magnify it by whole pixels to at least ``size``.

    Parameters
    ----------
    image : ndarray, shape (H, W)
    low, high : float
        Values at the ends of the colour map.
    cmap : str
        A perceptually uniform matplotlib colour map.
    size : int
        Wanted number of rows, in px.

    Returns
    -------
    ndarray of uint8, shape (k H, k W, 3)
    """
    scale = 255.0 / (high - low)
    index = np.clip((image - low) * scale, 0, 255).astype(np.uint8)
    factor = max(1, round(size / image.shape[0]))
    rgb = colour_table(cmap)[index]
    return rgb.repeat(factor, axis=0).repeat(factor, axis=1)


@cache
def _label(text: str) -> NDArray[np.uint8]:
    font = ImageFont.load_default(size=11)
    width = int(font.getlength(text)) + 2
    label = Image.new("L", (width, 14))
    ImageDraw.Draw(label).text((0, 0), text, fill=255, font=font)
    return np.asarray(label)


def write_text(frame: NDArray[np.uint8], text: str, row: int, column: int) -> None:
    """Write white text into an RGB frame, in place; what does not fit is cut."""
    label = _label(text)
    target = frame[row : row + label.shape[0], column : column + label.shape[1]]
    mask = label[: target.shape[0], : target.shape[1], None]
    np.maximum(target, mask, out=target)


def add_scale_bar(frame: NDArray[np.uint8], pixels: int, text: str) -> None:
    """Draw a scale bar of a length in px with its label at the lower left, in place."""
    bottom = frame.shape[0] - 8
    frame[bottom - 20 : bottom + 3, 5 : 11 + pixels] //= 3  # dark ground on any colour
    frame[bottom - 3 : bottom, 8 : 8 + pixels] = 255
    write_text(frame, text, bottom - 20, 8)


def add_status_strip(frame: NDArray[np.uint8], text: str, budget_left: float) -> NDArray[np.uint8]:
    """Return the frame with a strip below: a line of text and a bar of the budget left.

    Parameters
    ----------
    frame : ndarray of uint8, shape (H, W, 3)
    text : str
    budget_left : float
        Fraction in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (H + 24, W, 3)
    """
    height, width, _ = frame.shape
    out = np.zeros((height + STRIP_HEIGHT, width, 3), np.uint8)
    out[:height] = frame
    out[height:] = 24
    write_text(out[height:], text, 2, 4)
    out[-5:-1, 2 : 2 + int((width - 4) * min(max(budget_left, 0.0), 1.0))] = (240, 190, 60)
    return out
