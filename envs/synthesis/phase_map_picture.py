"""The picture of a phase map: measured cells, the true boundary and the reconstructed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mattergym.envs.rendering import add_status_strip, colour_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = 16
LEFT, TOP, RIGHT, BOTTOM = 44, 26, 62, 34
GROUND, INK, UNVISITED = (250, 250, 250), (30, 30, 30), (222, 222, 222)
TRUE_LINE, ESTIMATED_LINE = (20, 20, 20), (214, 40, 40)


def draw_phase_map(
    magnetization: NDArray[np.float64],
    measured: NDArray[np.bool_],
    temperatures: NDArray[np.float64],
    boundary: NDArray[np.float64] | None,
    estimate: NDArray[np.float64],
    caption: str,
    budget_left: float,
) -> NDArray[np.uint8]:
    """Draw a phase map with axes, colour bar and boundaries.

    Parameters
    ----------
    magnetization : ndarray of float64, shape (n, m)
        |m| by composition and temperature.
    measured : ndarray of bool, shape (n, m)
        Other cells are grey.
    temperatures : ndarray of float64, shape (m,)
    boundary, estimate : ndarray of float64, shape (n,)
        True and reconstructed critical temperatures; the true ones may be left out.
    caption : str
    budget_left : float
        Fraction in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    columns, rows = magnetization.shape
    width, height = columns * CELL, rows * CELL
    table = colour_table("cividis")
    cells = table[(255 * np.clip(magnetization, 0, 1)).astype(np.uint8)]
    cells = np.where(measured[..., None], cells, np.array(UNVISITED, np.uint8))
    upright = cells.transpose(1, 0, 2)[::-1]  # temperature rises upwards
    image = Image.new("RGB", (LEFT + width + RIGHT, TOP + height + BOTTOM), GROUND)
    image.paste(Image.fromarray(upright.repeat(CELL, 0).repeat(CELL, 1)), (LEFT, TOP))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=12)

    low, step = temperatures[0], temperatures[1] - temperatures[0]

    def y_of(temperature: float) -> float:
        return TOP + height - ((temperature - low) / step + 0.5) * CELL

    def points(line: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [(LEFT + (i + 0.5) * CELL, y_of(t)) for i, t in enumerate(line)]

    draw.rectangle((LEFT - 1, TOP - 1, LEFT + width, TOP + height), outline=INK)
    lines = {"estimate": (estimate, ESTIMATED_LINE, 84)}
    if boundary is not None:
        lines = {"true": (boundary, TRUE_LINE, 148), **lines}
    for line, colour, _ in lines.values():
        draw.line(points(line), colour, 2)
    for t in np.arange(1.0, 4.01, 0.5):
        draw.line((LEFT - 5, y_of(t), LEFT - 1, y_of(t)), INK)
        draw.text((LEFT - 8, y_of(t)), f"{t:.1f}", INK, font, anchor="rm")
    for x in np.linspace(0.0, 1.0, 5):
        column = LEFT + (x * (columns - 1) + 0.5) * CELL
        draw.line((column, TOP + height, column, TOP + height + 4), INK)
        draw.text((column, TOP + height + 6), f"{x:g}", INK, font, anchor="ma")
    draw.text((LEFT + width / 2, TOP + height + 20), "composition x", INK, font, anchor="ma")
    draw.text((6, TOP - 6), "T (J/kB)", INK, font, anchor="ls")

    edge = LEFT + width
    for label, (_, colour, right) in lines.items():
        draw.line((edge - right, 13, edge - right + 20, 13), colour, 2)
        draw.text((edge - right + 24, 13), label, INK, font, anchor="lm")
    bar = table[::-1].repeat(12, axis=0).reshape(256, 12, 3)
    image.paste(Image.fromarray(bar).resize((12, height)), (edge + 14, TOP))
    draw.rectangle((edge + 13, TOP - 1, edge + 26, TOP + height), outline=INK)
    draw.text((edge + 20, TOP - 6), "|m|", INK, font, anchor="ms")
    for value in (0.0, 0.5, 1.0):
        y = TOP + (1.0 - value) * height
        draw.text((edge + 31, y), f"{value:.1f}", INK, font, anchor="lm")
    return add_status_strip(np.asarray(image), caption, budget_left)
