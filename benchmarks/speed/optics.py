"""Ronchigrams: nanoseconds a pixel, against the formula written out in numpy, and pyTEMlib."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from mattergym.benchmarks.speed import Growth, Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.physics.optics import aberrations, ronchigram

VOLTAGE, APERTURE, FILM = 60e3, 0.030, 100.0
# A grid 1.2 times as wide as the aperture.
WIDTH = 2.4
UNIT = "ns/px"


def plain_ronchigram(
    phases: np.ndarray, grating: np.ndarray, step: float
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Compute one Ronchigram as a textbook has it: polar coordinates, complex128, numpy."""
    n = grating.shape[-1]
    k = np.fft.fftfreq(n, 1.0 / n) * step
    x, y = np.meshgrid(k, k, indexing="ij")
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    magnitude, angle = np.hypot(*phases.T), np.arctan2(*phases.T[::-1])
    chi = np.zeros_like(x)
    for (n_, m), c, a in zip(aberrations.TERMS, magnitude, angle, strict=True):
        chi += c * r ** (n_ + 1) * np.cos(m * phi - a)
    wave = np.fft.ifft2(np.exp(-1j * chi) * (r <= 1.0)) * grating
    return np.abs(np.fft.fftshift(np.fft.fft2(wave))) ** 2


def _pytemlib(pixels: int) -> Callable[[], Any]:
    """PyTEMlib's Ronchigram of the same size."""
    from pyTEMlib import probe_tools

    table = probe_tools.get_target_aberrations("NionUS200", VOLTAGE)
    table["FOV"] = pixels * 0.02  # nm
    return partial(probe_tools.get_ronchigram, pixels, table)


def section() -> Section:
    """Sizes 64 to 512, a batch of 64 small ones, and the yardsticks at 256."""
    generator = np.random.default_rng(0)
    contestants: dict[str, Callable[[], float]] = {}
    sizes: dict[str, float] = {}
    for n, lanes in ((64, 64), (128, 1), (256, 1), (512, 1)):
        phases = generator.normal(0.0, 2.0, (lanes, 14, 2))
        step = WIDTH / n
        sampling = float(aberrations.wavelength(VOLTAGE)) / (n * step * APERTURE)
        film = ronchigram.amorphous_film(n, sampling, VOLTAGE, FILM, generator)
        gratings = np.exp(1j * film)[None]
        name = f"Ronchigram {n} x {n}" + (f", batch of {lanes}" if lanes > 1 else "")
        contestants[name] = timed(
            partial(ronchigram.ronchigrams, phases, gratings, step), lanes * n * n, UNIT
        )
        if lanes == 1:
            sizes[name] = float(n * n)
        if n == 256:
            contestants["plain numpy, complex128, 256 x 256"] = timed(
                partial(plain_ronchigram, phases[0], gratings[0], step), n * n, UNIT
            )
    ours = "Ronchigram 256 x 256"
    ratios = [Ratio("plain numpy / ours", "plain numpy, complex128, 256 x 256", ours)]
    if find_spec("pyTEMlib"):
        contestants["pyTEMlib, 256 x 256"] = timed(_pytemlib(256), 256 * 256, UNIT)
        ratios.append(Ratio("pyTEMlib / ours", "pyTEMlib, 256 x 256", ours, 30.0))
    return Section(
        "optics",
        UNIT,
        contestants,
        tuple(ratios),
        (Growth("Ronchigram: time against pixels", sizes, 1.15),),
        {ours: 10.0},
    )
