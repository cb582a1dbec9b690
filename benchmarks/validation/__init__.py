"""Validation: simulated physics against exact results, as numbers and figures."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def run(
    directory: Path,
    quick: bool = False,
    progress: Callable[[str], None] | None = None,
    seed: int = 0,
) -> list[Check]:
    """Run every validation and write figures and ``validation.json`` to a directory.

    Parameters
    ----------
    directory : Path
    quick : bool
        Fewer samples, the same checks.
    progress : callable, optional
        Called with the name of each validation that has run.
    seed : int
        Of the samples behind the checks.

    Returns
    -------
    list of Check
    """
    directory.mkdir(parents=True, exist_ok=True)
    checks: list[Check] = []
    for module in VALIDATIONS:
        checks += module.run(directory, quick, seed)
        if progress is not None:
            progress(module.__name__.split(".")[-1])
    content = [check.to_json() for check in checks]
    (directory / "validation.json").write_text(json.dumps(content, indent=1) + "\n")
    return checks
