"""Picture of a hysteresis loop: polarisation against bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from mattergym.envs.rendering import write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
