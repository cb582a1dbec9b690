"""Electron optics against exact results and abTEM's conventions, with pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mattergym.benchmarks.validation.check import Check
from mattergym.physics.optics import aberrations, quality, ronchigram, waves

VOLTAGE, APERTURE = 60e3, 0.030


def _constants() -> list[Check]:
    """Wavelength and interaction parameter at four voltages."""
    checks = []
    table = (
        (60, 0.0486606, 1.1357),
        (80, 0.0417572, 1.0087),
        (200, 0.0250793, 0.7288),
        (300, 0.0196875, 0.6526),
    )
    for kilovolts, lam, sigma in table:
        v = 1e3 * kilovolts
        value = float(aberrations.wavelength(v))
        checks.append(
            Check(f"wavelength, {kilovolts} kV", value, lam, 1e-6, "A", "Kirkland 2020, table")
        )
        value = 1e3 * float(aberrations.interaction_parameter(v))
        checks.append(
            Check(
                f"interaction parameter, {kilovolts} kV",
                value,
                sigma,
                1e-4,
                "rad/(kV A)",
                "Kirkland 2020, table",
            )
        )
    return checks


def _probes(directory: Path, quick: bool) -> list[Check]:
    """Width of the perfect probe, Scherzer's Strehl, and probes with single aberrations."""
    from matplotlib.figure import Figure

    pixels, sampling = (1024, 0.08)
    airy = float(aberrations.wavelength(VOLTAGE)) / APERTURE
    perfect = waves.probes(np.zeros((1, 14, 2)), VOLTAGE, APERTURE, pixels, sampling)
    width = float(quality.fwhm(perfect, sampling)[0]) / airy
    lam, cs = float(aberrations.wavelength(200e3)), 1e7
    scherzer = 1.34 * (lam / cs) ** 0.25
    lens = aberrations.coefficients(C30=[cs], C10=[-0.87 * np.sqrt(cs * lam)])
    ratio = float(quality.strehl(aberrations.edge_phases(lens, 200e3, scherzer))[0])
    checks = [
        Check("FWHM of the perfect probe", width, 0.515, 0.002, "lambda/alpha", "Airy pattern"),
        Check("sum of a probe", float(perfect.sum()), 1.0, 1e-5, "1", "definition"),
        Check("Strehl at Scherzer's conditions", ratio, 0.863, 0.002, "1", "numerical integral"),
    ]
    names = ("none", "C10", "C12", "C21", "C23", "C30", "C34", "C56")
    phases = np.zeros((len(names), 14, 2))
    for lane, name in enumerate(names[1:], 1):
        phases[lane, aberrations.NAMES.index(name), 0] = 4.0
    scale = aberrations.edge_phases(np.ones((14, 2)), VOLTAGE, APERTURE)
    images = waves.probes(phases / scale, VOLTAGE, APERTURE, 256 if quick else 512, 0.08)
    strehl = quality.strehl(phases)
    half = images.shape[1] // 2
    part = slice(half - 64, half + 64)
    figure = Figure(figsize=(9, 5), layout="constrained")
    for panel, name, image, s in zip(
        figure.subplots(2, 4).ravel(), names, images, strehl, strict=True
    ):
        panel.imshow(image[part, part].T, cmap="inferno", origin="lower", extent=(-5.1, 5.1) * 2)
        panel.set_title(f"{name}, Strehl {s:.2f}", fontsize=9)
        panel.tick_params(labelsize=7)
    figure.suptitle("probes at 60 kV, 30 mrad; one term of 4 rad at the rim; A", fontsize=10)
    figure.savefig(directory / "probes.png", dpi=130)
    return checks


def _ronchigrams(directory: Path, seed: int) -> list[Check]:
    """Electrons are conserved; in focus the sign of an aberration is lost, defocused it is not."""
    from matplotlib.figure import Figure

    n = 512
    step = 2.2 / n
    sampling = float(aberrations.wavelength(VOLTAGE)) / (n * step * APERTURE)
    generator = np.random.default_rng([4, seed])
    film = ronchigram.amorphous_film(n, sampling, VOLTAGE, 100.0, generator)
    grating = np.exp(1j * film)[None]
    phases = np.zeros((4, 14, 2))
    c10, c12, c30 = (aberrations.NAMES.index(name) for name in ("C10", "C12", "C30"))
    phases[:, c10, 0] = 0.0, 30.0, 60.0, 25.0
    phases[1:3, c30, 0] = -8.0, -55.0
    phases[3, c12, 0] = 12.0
    images = ronchigram.ronchigrams(phases, grating, step)
    empty = ronchigram.ronchigrams(phases, np.ones_like(grating), step)
    checks = [
        Check(
            "electrons behind a film",
            float((images.sum((1, 2)) / empty.sum((1, 2))).mean()),
            1.0,
            1e-4,
            "1",
            "a phase grating absorbs nothing",
        )
    ]
    titles = ("corrected", "underfocus", "spherical aberration", "astigmatism, underfocus")
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    rim = 1e3 * APERTURE * step * n / 2
    for panel, title, image in zip(figure.subplots(1, 4), titles, images, strict=True):
        noisy = generator.poisson(300.0 * image)
        panel.imshow(noisy.T, cmap="gray", vmax=900, origin="lower", extent=(-rim, rim) * 2)
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=7)
    figure.suptitle("Ronchigrams of 10 nm of amorphous carbon, 60 kV; mrad", fontsize=10)
    figure.savefig(directory / "ronchigrams.png", dpi=130)
    return checks


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check the optics, and draw ``probes.png`` and ``ronchigrams.png``."""
    return [*_constants(), *_probes(directory, quick), *_ronchigrams(directory, seed)]
