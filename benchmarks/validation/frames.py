"""Frames as a microscope gives them: crystals, defects, drift, dose, aberrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mattergym.physics.imaging import detector, haadf
from mattergym.physics.layers import crystals
from mattergym.physics.optics import aberrations
from mattergym.physics.rng import seed_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS, CURRENT, APERTURE, SOURCE_SIZE = 320, 40.0, 0.031, 0.8
FLYBACK_SECONDS = 60e-6
# Levels of the detector: of no signal, of its noise, of the brightest columns.
DARK, READ_NOISE, BRIGHT = 12.0, 2.5, 225.0
GAP, TITLE = 6, 34  # px


class Frame(NamedTuple):
    """A crystal and how it is scanned.

    Attributes
    ----------
    title : str
    crystal : Crystal
        Over the field and 5 A around it.
    pixel_size : float
        In A.
    voltage : float
        In V.
    electrons : float
        Dose in e/A^2.
    drift : tuple of float
        In A/s.
    flyback : float
        Lag at a line's start, in A; it decays over 3 A.
    lens : dict
        Aberrations by name, in A and rad.
    """

    title: str
    crystal: crystals.Crystal
    pixel_size: float
    voltage: float
    electrons: float
    drift: tuple[float, float] = (0.0, 0.0)
    flyback: float = 0.0
    lens: dict[str, float] = {}  # noqa: RUF012


def acquire(frame: Frame, seed: int) -> NDArray[np.uint8]:
    """Scan a frame: (320, 320) levels, [y, x]."""
    crystal, size = frame.crystal, frame.pixel_size
    dwell = frame.electrons / detector.dose(CURRENT, 1.0, size)  # us
    row_seconds = PIXELS * dwell * 1e-6 + FLYBACK_SECONDS
    sections = np.array([haadf.cross_section(int(z), frame.voltage) for z in crystal.numbers])
    camera = haadf.Haadf(
        PIXELS,
        size,
        frame.voltage,
        APERTURE,
        aberrations.coefficients(**frame.lens) if frame.lens else None,
        SOURCE_SIZE,
    )
    seen = detector.scanned_positions(
        (crystal.positions - 5.0)[None],
        np.array([frame.drift]),
        row_seconds,
        size,
        frame.flyback,
        3.0,
    )
    fractions = camera(np.arange(1), seen, (sections * crystal.atoms.astype(np.float64))[None])
    streams = seed_streams(np.array([seed], np.uint64), np.zeros(1, np.uint64), 1)
    electrons = frame.electrons * size**2
    counts = detector.expose(fractions, electrons, streams).reshape(1, -1)
    gain = BRIGHT / (electrons * float(np.percentile(fractions, 99.8)) + 2.0)
    levels = np.empty(counts.shape, np.uint8)
    detector.digitize(counts, gain, DARK, READ_NOISE, streams, levels)
    return levels.reshape(PIXELS, PIXELS)


def _defective(
    crystal: crystals.Crystal, vacancies: float, dopants: float, number: int, seed: int
) -> crystals.Crystal:
    """Take an atom from a part of site 1's columns and replace a part of site 0's."""
    generator = np.random.default_rng(seed)
    chance = generator.uniform(size=len(crystal.site))
    missing = np.flatnonzero((crystal.site == 1) & (chance < vacancies))
    foreign = np.flatnonzero((crystal.site == 0) & (chance < dopants))
    return crystals.with_dopants(crystals.with_vacancies(crystal, missing), foreign, number)


def frames() -> list[Frame]:
    """Eight frames of the figure."""
    size = 0.125
    edge = PIXELS * size + 10.0
    tungsten = crystals.layer("WS2", edge, edge, 0.21)
    doped = _defective(tungsten, 0.05, 0.04, crystals.MOLYBDENUM, 3)
    molybdenum = crystals.layer("MoS2", edge, edge, 0.9)
    foreign = _defective(molybdenum, 0.04, 0.03, crystals.TUNGSTEN, 1)
    small = 0.08
    width = PIXELS * small + 10.0
    graphene = _defective(
        crystals.layer("graphene", width, width, 0.12), 0.012, 0.012, crystals.SILICON, 5
    )
    boundary = crystals.grain_boundary("MoS2", edge, edge, (0.1, 0.1 + np.deg2rad(21.8)))
    blurred = {"C10": 22.0, "C12": 24.0, "phi12": 0.5, "C21": 250.0, "phi21": 1.2}
    return [
        Frame("WS2, S vacancies, Mo; 60 kV, 2e5 e/A²", doped, size, 60e3, 2e5),
        Frame("MoS2, S vacancies, W; 80 kV, 1e5 e/A²", foreign, size, 80e3, 1e5),
        Frame("graphene, Si, vacancies; 60 kV, 5e6 e/A²", graphene, small, 60e3, 5e6),
        Frame("MoS2, 21.8° boundary; 80 kV, 2e5 e/A²", boundary, size, 80e3, 2e5),
        Frame("WS2, 2e3 e/A²", doped, size, 60e3, 2e3),
        Frame("WS2, 2e4 e/A²", doped, size, 60e3, 2e4),
        Frame("drift 3 A/s and flyback, 1e5 e/A²", doped, size, 60e3, 1e5, (3.0, -1.0), 2.0),
        Frame("MoS2, C10 2.2 nm, C12 2.4 nm, 2e5 e/A²", foreign, size, 80e3, 2e5, lens=blurred),
    ]


def draw(path: Path) -> None:
    """Draw the frames pixel by pixel, each with a scale bar of a nanometre, as a PNG."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    dpi = 100
    width = 4 * PIXELS + 5 * GAP
    height = 2 * (PIXELS + TITLE) + GAP
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
    for k, frame in enumerate(frames()):
        row, column = divmod(k, 4)
        left = GAP + column * (PIXELS + GAP)
        bottom = height - (row + 1) * (PIXELS + TITLE)
        panel: Any = figure.add_axes(
            (left / width, bottom / height, PIXELS / width, PIXELS / height)
        )
        panel.imshow(
            acquire(frame, k), cmap="gray", vmin=0, vmax=255, interpolation="none", origin="lower"
        )
        panel.set_axis_off()
        panel.set_title(frame.title, fontsize=9, pad=4)
        bar = 10.0 / frame.pixel_size
        panel.add_patch(Rectangle((10, 10), bar, 5, facecolor="white", edgecolor="black"))
        panel.text(10 + bar / 2, 20, "1 nm", color="white", fontsize=9, ha="center", weight="bold")
    figure.savefig(path, dpi=dpi)
