"""HAADF images of abTEM: ``python -m mattergym.benchmarks.validation.abtem_haadf`` remakes them.

A silicon atom in graphene, multislice with the independent-atom potential, at three voltages
without aberrations and at 60 kV with some. Needs abTEM 1.0 (and ASE, which it brings).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.physics.imaging import haadf
from mattergym.physics.layers import crystals
from mattergym.physics.optics import aberrations as optics_aberrations

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = Path(__file__).parent / "data" / "abtem_haadf.npz"
LATTICE = 2.46  # A
REPEATS = (10, 6)  # orthogonal cells of LATTICE x sqrt(3) LATTICE
APERTURE, DETECTOR = 30.0, (80.0, 200.0)  # mrad
# Voltage in V, aberrations in A.
CASES: tuple[tuple[float, dict[str, float]], ...] = (
    (60e3, {}),
    (80e3, {}),
    (200e3, {}),
    (60e3, {"C10": -20.0, "C12": 15.0, "phi12": 0.4, "C21": 400.0, "phi21": 1.0, "C30": 2e4}),
)
STEP = 0.2  # A between probe positions
# Of the potential, in A: waves reach 209 mrad at 200 kV. One of 0.025 A brightens the silicon by 2,
# 3 and 9 % at 60, 80 and 200 kV, towards our image.
SAMPLING = 0.04


def sites() -> tuple[NDArray[np.float64], int, NDArray[np.float64]]:
    """Positions (N, 2) in A, index of the silicon, and edges of the cell in A."""
    a, b = LATTICE, LATTICE * np.sqrt(3.0)
    cell = np.array([[0.0, 0.0], [a / 2, b / 6], [a / 2, b / 2], [0.0, 2 * b / 3]])
    shifts = [(i * a, j * b) for i in range(REPEATS[0]) for j in range(REPEATS[1])]
    positions = np.concatenate([cell + shift for shift in shifts])
    edges = np.array([REPEATS[0] * a, REPEATS[1] * b])
    silicon = int(np.argmin(((positions - edges / 2) ** 2).sum(axis=1)))
    return positions, silicon, edges


def scan_points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probe positions along x and y: the middle 7 A of the cell."""
    _, _, edges = sites()
    offsets = np.arange(-17, 18) * STEP
    return edges[0] / 2 + offsets, edges[1] / 2 + offsets


def our_image(voltage: float, aberrations: dict[str, float]) -> NDArray[np.float32]:
    """Fractions of the beam on the detector by our convolution, (35, 35), first axis x."""
    positions, silicon, _ = sites()
    x, y = scan_points()
    weights = np.full(len(positions), haadf.cross_section(crystals.CARBON, voltage))
    weights[silicon] = haadf.cross_section(crystals.SILICON, voltage)
    lens = optics_aberrations.coefficients(**aberrations)
    camera = haadf.Haadf(len(x), STEP, voltage, 1e-3 * APERTURE, lens)
    return camera(np.arange(1), (positions - (x[0], y[0]))[None], weights[None])[0].T


def compute() -> dict[str, Any]:
    """Fractions of the beam on the detector by abTEM, ``images`` (cases, 35, 35), first axis x."""
    import abtem
    import ase

    positions, silicon, edges = sites()
    numbers = np.full(len(positions), 6)
    numbers[silicon] = 14
    flat = np.column_stack([positions, np.full(len(positions), 1.0)])
    atoms = ase.Atoms(numbers, positions=flat, cell=(*edges, 2.0))
    images = []
    with abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(atoms, sampling=SAMPLING, slice_thickness=2.0).build(lazy=False)
        x, y = scan_points()
        points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        detector = abtem.AnnularDetector(*DETECTOR)
        for voltage, aberrations in CASES:
            probe = abtem.Probe(energy=voltage, semiangle_cutoff=APERTURE, aberrations=aberrations)
            probe.grid.match(potential)
            signal = []
            # abTEM holds the waves of all positions of a scan.
            for part in np.array_split(points, len(x)):
                scanned = probe.scan(
                    potential, scan=abtem.CustomScan(part), detectors=detector, lazy=False
                )
                signal.append(np.asarray(scanned.array))
            images.append(np.concatenate(signal).reshape(len(x), len(y)))
    return {"images": np.array(images, np.float32)}


if __name__ == "__main__":
    np.savez_compressed(FILE, **compute())
