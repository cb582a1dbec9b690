"""The HAADF frames of STEMAtomWalk: 16 A of graphene about the silicon atom, with noise."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.envs.stem import microscope
from mattergym.physics.imaging import detector, haadf
from mattergym.physics.layers import crystals, walk
from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOLTAGE, APERTURE, CURRENT = 60e3, 0.030, 60.0
IMAGE_S = 1.0
# The camera: 16 A across.
PIXELS, PIXEL_SIZE = 64, 0.25
GAIN, OFFSET, READ_NOISE = 0.8, 10.0, 2.0
SOURCE_SIZE = 0.5  # A
DWELL = microscope.dwell_of(IMAGE_S, PIXELS**2)
IMAGE_DOSE = microscope.frame_dose(PIXELS**2, DWELL, PIXELS * PIXEL_SIZE / 10.0, CURRENT)
ELECTRONS = IMAGE_DOSE * PIXEL_SIZE**2  # a pixel
HALF_FIELD = 0.5 * (PIXELS - 1) * PIXEL_SIZE
# Where the silicon stands in a frame jitters by this much, in A.
JITTER = 0.3


@cache
def surroundings() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns around a silicon atom: positions (2, N, 2) in A by sublattice, cross-sections (N,).

    The silicon is the first.
    """
    reach = 10
    cells = [
        (i, j, t)
        for i in range(-reach, reach + 1)
        for j in range(-reach, reach + 1)
        for t in (0, 1)
    ]
    cells.sort(key=lambda cell: cell != (0, 0, 0))
    positions = np.stack(walk.position(*np.array(cells, np.float64).T), axis=1)
    near = np.abs(positions).max(axis=1) < HALF_FIELD + haadf.MARGIN + 1.0
    positions = positions[near]
    sections = np.full(len(positions), haadf.cross_section(crystals.CARBON, VOLTAGE))
    sections[0] = haadf.cross_section(crystals.SILICON, VOLTAGE)
    return np.stack([positions, -positions]), sections


@cache
def camera() -> haadf.Haadf:
    """Return the camera: its probe and field."""
    return haadf.Haadf(PIXELS, PIXEL_SIZE, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)


@njit(cache=True)
def fill_jitter(streams: Any, jitter: Any) -> None:
    """Draw where the silicon stands in a frame, (n, 2) in A."""
    for k in range(jitter.shape[0]):
        for axis in range(2):
            jitter[k, axis] = JITTER * (2.0 * uniform(streams[k]) - 1.0)


def scan(site: NDArray[np.int64], streams: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Scan a frame about the silicon in every lane, (B, 1, 64, 64)."""
    offsets, sections = surroundings()
    lanes = len(site)
    jitter = np.empty((lanes, 2))
    fill_jitter(streams, jitter)
    columns = offsets[site[:, 2]] + HALF_FIELD + jitter[:, None]
    fractions = camera()(np.arange(lanes), columns, np.broadcast_to(sections, columns.shape[:2]))
    counts = detector.expose(fractions, ELECTRONS, streams)
    image = np.empty((lanes, PIXELS * PIXELS), np.uint8)
    detector.digitize(counts.reshape(lanes, -1), GAIN, OFFSET, READ_NOISE, streams, image)
    return image.reshape(-1, 1, PIXELS, PIXELS)
