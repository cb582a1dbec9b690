"""HAADF frames: nanoseconds a pixel with and without noise, against numpy's FFT and Generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mattergym.benchmarks.speed import Growth, Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.physics.imaging import detector, haadf
from mattergym.physics.layers import crystals
from mattergym.physics.rng import seed_streams

VOLTAGE, APERTURE, PIXEL, SOURCE_SIZE = 60e3, 0.030, 0.25, 0.5
DOSE = 5e4  # e/A^2: some 15 counts a pixel in the mean
# Standard deviation of the yardstick's probe, in A.
PROBE = 0.4
SIZES, SMALL, LANES = (128, 256, 512, 1024), 64, (1, 8, 64)
UNIT = "ns/px"


class Frames:
    """WS2 in some lanes, drifted apart a little."""

    def __init__(self, pixels: int, lanes: int) -> None:
        crystal = crystals.layer("WS2", pixels * PIXEL + 8.0, pixels * PIXEL + 8.0, 0.2)
        sections = [haadf.cross_section(int(number), VOLTAGE) for number in crystal.numbers]
        drift = np.linspace(0.0, 1.0, lanes)[:, None, None]
        self.positions = crystal.positions - 4.0 + drift
        self.weights = np.tile(sections * crystal.atoms, (lanes, 1))
        self.camera = haadf.Haadf(pixels, PIXEL, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)
        self.lanes = np.arange(lanes)
        self.streams = seed_streams(self.lanes.astype(np.uint64), np.zeros(lanes, np.uint64), 1)
        self.generator = np.random.default_rng(0)
        ky, kx = np.fft.fftfreq(pixels, PIXEL)[:, None], np.fft.rfftfreq(pixels, PIXEL)
        self.transfer = np.exp(-2.0 * np.pi**2 * PROBE**2 * (kx**2 + ky**2)) / PIXEL**2

    def clean(self) -> np.ndarray[Any, Any]:
        """Fractions of the beam."""
        return self.camera(self.lanes, self.positions, self.weights)

    def noisy(self) -> np.ndarray[Any, Any]:
        """Poisson counts."""
        return detector.expose(self.clean(), DOSE * PIXEL**2, self.streams)

    def plain(self) -> np.ndarray[Any, Any]:
        """Count as a textbook has it: histogram, product of FFTs, numpy's Poisson numbers."""
        pixels = self.camera.pixels
        edges = np.arange(pixels + 1) * PIXEL
        x, y = self.positions[0].T
        grid, _, _ = np.histogram2d(y, x, (edges, edges), weights=self.weights[0])
        image = np.fft.irfft2(np.fft.rfft2(grid) * self.transfer, (pixels, pixels))
        return self.generator.poisson(np.maximum(image, 0.0) * DOSE * PIXEL**2)


def section() -> Section:
    """Sizes 128 to 1024, batches of 64 x 64, and the yardstick at 256."""
    contestants: dict[str, Callable[[], float]] = {}
    wanted: dict[str, float] = {}
    grown: tuple[dict[str, float], ...] = ({}, {}, {})
    cases = [(n, 1, 0) for n in SIZES] + [(SMALL, lanes, 2) for lanes in LANES]
    for n, lanes, group in cases:
        frames, pixels = Frames(n, lanes), lanes * n * n
        at = f"{n} x {n}" + (f", batch of {lanes}" if group else "")
        noisy, clean = f"HAADF frame with noise, {at}", f"HAADF frame without noise, {at}"
        contestants[noisy] = timed(frames.noisy, pixels, UNIT)
        contestants[clean] = timed(frames.clean, pixels, UNIT)
        grown[group][noisy] = float(pixels)
        if not group:
            grown[1][clean] = float(pixels)
        if n in (256, 512):
            wanted[noisy] = 15.0
        if n == 256:
            contestants[f"plain numpy, {at}"] = timed(frames.plain, pixels, UNIT)
    ours = "HAADF frame with noise, 256 x 256"
    return Section(
        "HAADF imaging",
        UNIT,
        contestants,
        (Ratio("plain numpy / ours", "plain numpy, 256 x 256", ours),),
        (
            Growth("frame with noise: time against pixels", grown[0], 1.1),
            Growth("frame without noise: time against pixels", grown[1], 1.15),
            Growth("frame with noise: time against lanes", grown[2], 1.1),
        ),
        wanted,
    )
