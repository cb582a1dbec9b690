"""Picture of a scan under feedback: the image so far, and the signals of the last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb, write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZOOM, PIXEL_NM = 3, 5.0
PANEL_HEIGHT = 144  # px
TRACE, RETRACE, ERROR = (255, 190, 60), (90, 140, 255), (120, 220, 120)


def draw_scan(
    image: NDArray[np.float32],
    done: int,
    signals: NDArray[np.float64],
    text: str,
    lines_left: float,
) -> NDArray[np.uint8]:
    """Draw the scanned lines, each levelled, above trace, retrace and error of the last one.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W)
        Traces in nm.
    done : int
        Lines that are scanned.
    signals : ndarray of float64, shape (3, W)
        Trace, retrace and error signal in nm.
    text : str
    lines_left : float
        Fraction.

    Returns
    -------
    ndarray of uint8, shape (3 H + 168, 3 W, 3)
    """
    lines, width = image.shape
    levelled = image - np.median(image, axis=1, keepdims=True)
    shown = np.where(np.arange(lines)[:, None] < done, levelled, 0.0)
    limit = max(float(np.percentile(np.abs(shown[:done]), 99.0)), 0.5)
    picture = image_to_rgb(shown, -limit, limit, cmap="afmhot", size=ZOOM * lines)
    add_scale_bar(picture, round(100.0 / PIXEL_NM * ZOOM), "100 nm")
    panel = np.full((PANEL_HEIGHT, picture.shape[1], 3), 16, np.uint8)
    trace, retrace, error = signals
    middle = np.median(trace)
    reach = max(float(np.abs(trace - middle).max()), 1.0)
    x = np.linspace(0, width - 1, picture.shape[1])
    for values, centre, colour in (
        (retrace - middle, 50, RETRACE),
        (trace - middle, 50, TRACE),
        (error, 115, ERROR),
    ):
        height = np.interp(x, np.arange(width), values) / reach
        rows = np.clip(centre - 40 * height, 1, PANEL_HEIGHT - 2).astype(int)
        for column in range(1, len(rows)):
            top, bottom = sorted((rows[column - 1], rows[column]))
            panel[top : bottom + 1, column] = colour
    write_text(panel, f"trace, retrace (+-{reach:.1f} nm), error", 2, 4)
    return add_status_strip(np.concatenate([picture, panel]), text, lines_left)
