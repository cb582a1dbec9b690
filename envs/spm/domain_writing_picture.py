"""Picture of a film that is being written: its PFM image, and the outline of the pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZOOM = 6
REACH = 1.6  # of the colours, in units of P
OUTLINE = (255, 90, 60)


def draw_writing(
    picture: NDArray[Any],
    target: NDArray[np.bool_],
    pixel_nm: float,
    text: str,
    budget_left: float,
) -> NDArray[np.uint8]:
    """Draw a PFM image and the outline of its pattern, (H, W) each, with a line of text.

    Returns
    -------
    ndarray of uint8, shape (6 H + 24, 6 W, 3)
        Row 0 of the film is at the bottom.
    """
    frame = image_to_rgb(picture, -REACH, REACH, "cividis", len(picture) * ZOOM)
    inside = target.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    outline = np.zeros_like(inside)
    outline[1:] |= inside[1:] != inside[:-1]
    outline[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    outline[:-1] |= outline[1:]
    frame[outline] = OUTLINE
    frame = np.ascontiguousarray(frame[::-1])
    add_scale_bar(frame, round(100.0 / pixel_nm * ZOOM), "100 nm")
    return add_status_strip(frame, text, budget_left)
