"""Picture of an atom walk: the frame the microscope sees, the goal, the beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.physics.imaging import haadf
from mattergym.physics.layers import crystals, walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS, PIXEL_SIZE, ZOOM = 192, 0.25, 2
VOLTAGE, APERTURE, SOURCE_SIZE = 60e3, 0.030, 0.5


def draw_walk(
    centre: NDArray[np.float64],
    sublattice: int,
    goal: NDArray[np.float64],
    memory: NDArray[np.float64],
    electrons: float,
    text: str,
    budget_left: float,
) -> NDArray[np.uint8]:
    """Draw 48 x 48 A about the silicon, goal circled, last commanded beam as a cross.

    Parameters
    ----------
    centre : ndarray, shape (2,)
        Position of the silicon in A; it seeds the frame's noise.
    sublattice : int
    goal : ndarray, shape (2,)
        From the silicon, in A.
    memory : ndarray, shape (8, 5)
        Of the environment.
    electrons : float
        A pixel.
    text : str
    budget_left : float

    Returns
    -------
    ndarray of uint8, shape (408, 384, 3)
    """
    half = 0.5 * (PIXELS - 1) * PIXEL_SIZE
    reach = range(-24, 25)
    cells = np.array([(i, j, t) for i in reach for j in reach for t in (0, 1)], np.float64)
    columns = np.stack(walk.position(*cells.T), axis=1) * (1 - 2 * sublattice)
    near = np.abs(columns).max(axis=1) < half + haadf.MARGIN
    columns, cells = columns[near], cells[near]
    weights = np.full(len(columns), haadf.cross_section(crystals.CARBON, VOLTAGE))
    weights[(cells == 0.0).all(axis=1)] = haadf.cross_section(crystals.SILICON, VOLTAGE)
    camera = haadf.Haadf(PIXELS, PIXEL_SIZE, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)
    fractions = camera(np.arange(1), columns[None] + half, weights[None])[0]
    generator = np.random.default_rng(np.abs(np.round(1e3 * centre)).astype(np.uint64))
    image = np.sqrt(generator.poisson(fractions * electrons))
    frame = image_to_rgb(image[::-1], 0.0, np.sqrt(electrons * 5e-3), "gray", PIXELS * ZOOM)
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]] / ZOOM * PIXEL_SIZE - half
    ring = np.abs(np.hypot(x - goal[0], -y - goal[1]) - 1.4) < 0.2
    frame[ring] = (90, 220, 120)
    beam = memory[0, :2] * 2.0 - memory[0, 3:] * walk.BOND  # from where the silicon is now
    cross = (np.minimum(abs(x - beam[0]), abs(-y - beam[1])) < 0.1) & (
        np.maximum(abs(x - beam[0]), abs(-y - beam[1])) < 0.9
    )
    if memory[0, 2] > 0.0:
        frame[cross] = (250, 120, 60)
    add_scale_bar(frame, round(10.0 / PIXEL_SIZE * ZOOM), "1 nm")
    return add_status_strip(frame, text, budget_left)
