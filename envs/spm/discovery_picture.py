"""Picture of a film with the places that were measured, and of the last hysteresis loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from mattergym.envs.rendering import (
    add_scale_bar,
    add_status_strip,
    image_to_rgb,
    write_text,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZOOM = 6
REACH = 1.5  # of the colours, in units of P
GAP = 8
BACKGROUND = 24


def draw_discovery(
    picture: NDArray[Any],
    pixels: NDArray[np.int64],
    shares: NDArray[np.float64],
    last: NDArray[np.int64],
    loop: tuple[NDArray[Any], NDArray[Any]],
    pixel_nm: float,
    text: str,
    budget_left: float,
) -> NDArray[np.uint8]:
    """Draw a PFM image with a coloured square at every measured place, and the last loop.

    Parameters
    ----------
    picture : ndarray, shape (H, W)
    pixels : ndarray of int64, shape (n, 2)
        Row and column of the measured places.
    shares : ndarray of float64, shape (n,)
        Their areas, 0..1 on the colour map.
    last : ndarray of int64, shape (2,)
        Row and column of the last loop; its square has a white frame.
    loop : tuple of ndarray, shape (m,) each
        Bias in V and polarisation of the last loop.
    pixel_nm : float
    text : str
    budget_left : float

    Returns
    -------
    ndarray of uint8, shape (6 H + 24, 6 W + 8 + 6 H, 3)
        Row 0 of the film is at the bottom.
    """
    frame = image_to_rgb(picture, -REACH, REACH, "cividis", len(picture) * ZOOM)
    colours = image_to_rgb(shares[None], 0.0, 1.0, "inferno", 1)[0]
    for (y, x), colour in zip(pixels * ZOOM + ZOOM // 2, colours, strict=True):
        here = (y // ZOOM, x // ZOOM) == tuple(last)
        frame[y - 5 : y + 6, x - 5 : x + 6] = 255 if here else 0
        frame[y - 4 : y + 5, x - 4 : x + 5] = colour
    frame = np.ascontiguousarray(frame[::-1])
    add_scale_bar(frame, round(100.0 / pixel_nm * ZOOM), "100 nm")
    gap = np.full((len(frame), GAP, 3), BACKGROUND, np.uint8)
    whole = np.concatenate([frame, gap, draw_loop(*loop, len(frame))], axis=1)
    return add_status_strip(whole, text, budget_left)


def draw_loop(volts: NDArray[Any], polarization: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Draw a curve with axes through the origin, uint8 (size, size, 3)."""
    picture = Image.new("RGB", (size, size), (16, 16, 20))
    draw = ImageDraw.Draw(picture)
    half, reach = size / 2, 0.42 * size
    draw.line([(0.05 * size, half), (0.95 * size, half)], fill=(110, 110, 110))
    draw.line([(half, 0.05 * size), (half, 0.95 * size)], fill=(110, 110, 110))
    x = half + reach * volts / np.abs(volts).max()
    y = half - reach * polarization / max(1.2, np.abs(polarization).max())
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=(250, 190, 60), width=2)
    frame = np.asarray(picture).copy()
    write_text(frame, f"{np.abs(volts).max():.1f} V", int(half) + 6, int(0.88 * size))
    write_text(frame, "P", int(0.04 * size), int(half) + 6)
    return frame
