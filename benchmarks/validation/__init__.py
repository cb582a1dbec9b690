"""Validation: simulated physics against exact results, as numbers and figures."""

from __future__ import annotations

import json
from pathlib import Path

from mattergym.benchmarks.validation import (
    analyst,
    beam,
    ferroelectric,
    imaging,
    ising,
    optics,
    probe,
)
from mattergym.benchmarks.validation.check import Check

VALIDATIONS = (ising, optics, imaging, beam, analyst, probe, ferroelectric)

__all__ = ["Check", "run"]


def run(directory: Path, quick: bool = False) -> list[Check]:
    """Run every validation and write figures and ``validation.json`` to a directory.

    Parameters
    ----------
    directory : Path
    quick : bool
        Fewer samples, the same checks.

    Returns
    -------
    list of Check
    """
    directory.mkdir(parents=True, exist_ok=True)
    checks = [check for module in VALIDATIONS for check in module.run(directory, quick)]
    content = [check.to_json() for check in checks]
    (directory / "validation.json").write_text(json.dumps(content, indent=1) + "\n")
    return checks
