"""Optics of abTEM: ``python -m mattergym.benchmarks.validation.abtem_optics`` remakes the arrays.

Three voltages, each with its own non-zero aberrations of all fourteen terms. Needs abTEM 1.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.physics.optics import aberrations as optics_aberrations
from mattergym.physics.optics import waves as optics_waves

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = Path(__file__).parent / "data" / "abtem_optics.npz"
VOLTAGES = (60e3, 80e3, 200e3)
APERTURE = 0.030  # rad
LARGEST_ANGLE = 0.040  # rad, of the aberration function
PIXELS, SAMPLING, CROP = 512, 0.1, 64
# A; each term reaches a few tenths to a few rad at 30 mrad.
MAGNITUDES = {
    "C10": -25.0, "C12": 15.0, "C21": 600.0, "C23": 900.0, "C30": -3e4, "C32": 2e4, "C34": 2.5e4,
    "C41": 7e5, "C43": 1e6, "C45": 8e5, "C50": 2e7, "C52": -1.5e7, "C54": 1e7, "C56": 2e7,
}  # fmt: skip


def aberrations(index: int) -> dict[str, float]:
    """Named aberrations of the voltage with this index: magnitudes as above, other angles."""
    generator = np.random.default_rng(index)
    named = {name: value * generator.uniform(0.5, 1.0) for name, value in MAGNITUDES.items()}
    for name in MAGNITUDES:
        if name[2] != "0":
            named[f"phi{name[1:]}"] = generator.uniform(-np.pi, np.pi) / int(name[2])
    return named


def angles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (alpha, phi) within 40 mrad at which the aberration function is compared."""
    generator = np.random.default_rng(7)
    alpha = LARGEST_ANGLE * np.sqrt(generator.uniform(0, 1, 400))
    return alpha, generator.uniform(-np.pi, np.pi, 400)


def our_wave(index: int) -> NDArray[np.complex128]:
    """Evaluate our exp(-i chi) at :func:`angles`, (400,)."""
    alpha, phi = angles()
    r = alpha / APERTURE
    lens = optics_aberrations.coefficients(**aberrations(index))
    phases = optics_aberrations.edge_phases(lens, VOLTAGES[index], APERTURE)
    wave: NDArray[np.complex128] = np.exp(
        -1j * optics_aberrations.aberration_function(phases, r * np.cos(phi), r * np.sin(phi))
    )
    return wave


def our_probe(index: int) -> NDArray[np.float32]:
    """Compute the central part of our probe, (64, 64)."""
    lens = optics_aberrations.coefficients(**aberrations(index))[None]
    probe = optics_waves.probes(lens, VOLTAGES[index], APERTURE, PIXELS, SAMPLING)[0]
    part = slice(PIXELS // 2 - CROP // 2, PIXELS // 2 + CROP // 2)
    return probe[part, part]


def compute() -> dict[str, Any]:
    """Compute aberration functions exp(-i chi) and central parts of probes by abTEM."""
    import abtem
    from abtem.transfer import Aberrations

    waves, probes, wavelengths = [], [], []
    with abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False}):
        for index, voltage in enumerate(VOLTAGES):
            named = aberrations(index)
            lens = Aberrations(aberration_coefficients=named, energy=voltage)
            waves.append(lens._evaluate_from_angular_grid(*angles()))
            wavelengths.append(lens.wavelength)
            probe = abtem.Probe(
                energy=voltage,
                semiangle_cutoff=1e3 * APERTURE,
                soft=False,
                gpts=PIXELS,
                sampling=SAMPLING,
                aberrations=named,
            )
            centre = (PIXELS * SAMPLING / 2,) * 2
            image = np.squeeze(probe.build(scan=centre, lazy=False).intensity().array)
            part = slice(PIXELS // 2 - CROP // 2, PIXELS // 2 + CROP // 2)
            probes.append((image / image.sum())[part, part])
    return {
        "waves": np.array(waves, np.complex128),
        "probes": np.array(probes, np.float32),
        "wavelengths": np.array(wavelengths),
    }


if __name__ == "__main__":
    np.savez_compressed(FILE, **compute())
