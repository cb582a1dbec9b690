"""Make the table of HAADF cross-sections: ``python -m mattergym.benchmarks.haadf_table``.

Needs abTEM (Madsen, J. & Susi, T. (2021), Open Research Europe 1, 24). A single atom is scanned by
an aberration-free probe of 30 mrad and the signal of the detector integrated over the scan: the
cross-section in A^2 is then the same for every other probe, as long as imaging is incoherent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parents[1] / "physics" / "data" / "haadf.json"
ELEMENTS = {"C": 6, "N": 7, "Si": 14, "S": 16, "Mo": 42, "W": 74}
VOLTAGES = (60e3, 80e3, 200e3, 300e3)
DETECTORS = ((80.0, 200.0), (50.0, 200.0))  # mrad
APERTURE = 30.0  # mrad
CELL, SAMPLING, STEP = 14.0, 0.025, 0.1  # A


def radial_signal(symbol: str, voltage: float) -> tuple[Any, Any]:
    """Radii in A and fraction of the beam on each detector, (D, R), of one atom in vacuum."""
    import abtem
    import ase

    centre = CELL / 2
    atoms = ase.Atoms(symbol, positions=[(centre, centre, 1.0)], cell=(CELL, CELL, 2.0))
    potential = abtem.Potential(atoms, sampling=SAMPLING, slice_thickness=2.0)
    probe = abtem.Probe(energy=voltage, semiangle_cutoff=APERTURE, soft=False)
    probe.grid.match(potential)
    radii = np.arange(0.0, centre, STEP)
    scan = abtem.CustomScan(np.stack([centre + radii, np.full_like(radii, centre)], axis=1))
    signals = [
        probe.scan(
            potential, scan=scan, detectors=abtem.AnnularDetector(*detector), lazy=False
        ).array
        for detector in DETECTORS
    ]
    return radii, np.array(signals)


def main() -> None:
    """Compute the table and write it as JSON with its provenance."""
    import abtem

    rows = []
    with abtem.config.set({"precision": "float64", "diagnostics.progress_bar": False}):
        for voltage in VOLTAGES:
            for symbol, number in ELEMENTS.items():
                radii, signals = radial_signal(symbol, voltage)
                sections = 2.0 * np.pi * np.trapezoid(signals * radii, radii, axis=1)
                for detector, section in zip(DETECTORS, sections, strict=True):
                    rows.append([number, voltage, *detector, float(f"{section:.5g}")])
                print(symbol, voltage, sections, flush=True)
    made_by = (
        f"abTEM {abtem.__version__}, python -m mattergym.benchmarks.haadf_table; one atom, "
        f"independent-atom potential (Lobato & Van Dyck 2014), probe {APERTURE:g} mrad, "
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
