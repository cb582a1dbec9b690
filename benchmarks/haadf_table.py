"""Make the table of HAADF cross-sections: ``python -m mattergym.benchmarks.haadf_table``.

Needs abTEM (Madsen, J. & Susi, T. (2021), Open Research Europe 1, 24) for the potential of an atom.
Its image summed over all probe positions does not depend on the probe's phase: plane waves from
different parts of the aperture do not interfere in the sum. So the cross-section is the area of the
cell times the part of a plane wave that lands on the detector, averaged over the aperture.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "physics" / "data" / "haadf.json"
ELEMENTS = {"C": 6, "N": 7, "Si": 14, "S": 16, "Mo": 42, "W": 74}
VOLTAGES = (60e3, 80e3, 200e3, 300e3)
DETECTORS = ((80.0, 200.0), (50.0, 200.0))  # mrad
APERTURE = 30.0  # mrad
CELL, SAMPLING = 14.0, 0.025  # A
TILTS = 32


def cross_sections(symbol: str, voltage: float) -> list[float]:
    """Cross-sections in A^2 of one atom for scattering onto each detector."""
    import abtem
    import ase
    from abtem.core.energy import energy2sigma, energy2wavelength

    atoms = ase.Atoms(symbol, positions=[(CELL / 2, CELL / 2, 1.0)], cell=(CELL, CELL, 2.0))
    potential = abtem.Potential(atoms, sampling=SAMPLING, slice_thickness=2.0).build(lazy=False)
    wave = np.exp(1j * energy2sigma(voltage) * potential.array[0])
    pattern = np.abs(np.fft.fft2(wave) / wave.size) ** 2
    mrad = 1e3 * energy2wavelength(voltage) * np.fft.fftfreq(len(wave), CELL / len(wave))
    sections = np.zeros(len(DETECTORS))
    # Equal areas of the aperture; the atom is round, so tilts along x do.
    tilts = APERTURE * np.sqrt((np.arange(TILTS) + 0.5) / TILTS)
    for tilt in tilts:
        angle = np.hypot(mrad[:, None] + tilt, mrad)
        for k, (inner, outer) in enumerate(DETECTORS):
            sections[k] += pattern[(angle >= inner) & (angle < outer)].sum() * CELL**2 / TILTS
    return [float(section) for section in sections]


def main() -> None:
    """Compute the table and write it as JSON with its provenance."""
    import abtem

    rows = []
    with abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False}):
        for voltage in VOLTAGES:
            for symbol, number in ELEMENTS.items():
                sections = cross_sections(symbol, voltage)
                for detector, section in zip(DETECTORS, sections, strict=True):
                    rows.append([number, voltage, *detector, float(f"{section:.5g}")])
                print(symbol, voltage, sections, flush=True)
    made_by = (
        f"abTEM {abtem.__version__}, python -m mattergym.benchmarks.haadf_table; one atom, "
        f"independent-atom potential (Lobato & Van Dyck 2014), aperture {APERTURE:g} mrad, "
        f"cell {CELL:g} A, sampling {SAMPLING:g} A"
    )
    columns = ["Z", "voltage / V", "inner / mrad", "outer / mrad", "cross-section / A^2"]
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    FILE.write_text(
        f'{{"made_by": {json.dumps(made_by)},\n "columns": {json.dumps(columns)},\n'
        f' "rows": [\n{text}\n ]}}\n'
    )


if __name__ == "__main__":
    main()
