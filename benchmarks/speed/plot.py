"""Plot of the figures of ``mattergym speed``: bars on logarithmic axes, what is wanted as marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw a panel a section; the format follows from the ending of the path."""
    from matplotlib.figure import Figure

    heights = [1.0 + 0.22 * len(result["median"]) for result in results]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    panels = figure.subplots(len(results), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, result in zip(panels, results, strict=True):
        names = list(result["median"])
        rows = np.arange(len(names))
        panel.barh(rows, list(result["median"].values()), color="#35608d", height=0.65)
        for name, verdict in result["wanted"].items():
            row = names.index(name)
            colour = "#22a884" if verdict["met"] else "#d1495b"
            panel.plot(2 * [verdict["wanted"]], [row - 0.45, row + 0.45], color=colour, linewidth=2)
        panel.set_yticks(rows, names, fontsize=7)
        panel.set(xscale="log", title=f"{result['title']} / {result['unit']}")
        panel.invert_yaxis()
        panel.grid(axis="x", color="0.9")
        panel.set_axisbelow(True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
