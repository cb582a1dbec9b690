"""What was measured, as a table for the terminal and as bars on a logarithmic axis."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from rich.table import Table

from mattergym.benchmarks.run import write_whole
from mattergym.benchmarks.speed.timing import is_time

# Colour-blind safe: nothing demanded, met, not met.
COLOURS = {None: "#9aa5b1", True: "#2a78b5", False: "#d55e00"}
VERDICTS = {None: "", True: "met", False: "NOT MET"}
ROW_INCHES = 0.21
# A picture taller than two of these is cut in two columns.
COLUMN_INCHES = 5.0


def number(value: float, like: float | None = None) -> str:
    """Write three figures, or all that stand before the point; or as many decimals as another."""
    scale = abs(value if like is None else like)
    decimals = 0 if scale == 0 else max(0, 2 - math.floor(math.log10(scale)))
    return f"{value:,.{decimals}f}"


def table_of(result: dict[str, Any]) -> Table:
    """Lay out the figures of a section, :func:`mattergym.benchmarks.speed.measure`."""
    most, least = "at most", "at least"
    bound = most if is_time(result["unit"]) else least
    table = Table(result["title"], result["unit"], "spread", "wanted", "")
    for name, value in result["median"].items():
        spread = number(result["spread"][name], like=value)
        table.add_row(name, number(value), spread, *_wanted(result["wanted"].get(name), bound))
    table.add_section()
    for name, ratio in result["ratios"].items():
        table.add_row(name, f"{number(ratio['value'])} x", "", *_wanted(ratio, least, " x"))
    table.add_section()
    for name, growth in result["growths"].items():
        table.add_row(name, f"{growth['value']:.3f}", "", *_wanted(growth, most))
    return table


def _wanted(verdict: dict[str, Any] | None, bound: str, unit: str = "") -> tuple[str, str]:
    if verdict is None or verdict["wanted"] is None:
        return "", ""
    return f"{bound} {verdict['wanted']:,.5g}{unit}", VERDICTS[verdict["met"]]


def columns_of(results: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Sections in two columns of about the same height, in order; a few in one."""
    heights = [_height(result) for result in results]
    if sum(heights) < 2 * COLUMN_INCHES:
        return [results]
    tallest = [max(sum(heights[:cut]), sum(heights[cut:])) for cut in range(1, len(results))]
    cut = 1 + tallest.index(min(tallest)) if tallest else len(results)
    return [column for column in (results[:cut], results[cut:]) if column]


def _height(result: dict[str, Any]) -> float:
    return ROW_INCHES * len(result["median"]) + 0.75


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw a panel a section: a bar a contestant, a tick where it should be; write a PNG."""
    from matplotlib.figure import Figure

    columns = columns_of(results)
    height = max(sum(map(_height, column)) for column in columns) + 0.2
    figure = Figure(figsize=(9.5 * len(columns), height), layout="constrained")
    parts = figure.subfigures(1, len(columns), squeeze=False)[0]
    for part, column in zip(parts, columns, strict=True):
        heights = [_height(result) for result in column]
        rest = max(height - sum(heights), 0.01)
        panels = part.subplots(len(column) + 1, 1, height_ratios=[*heights, rest])
        panels[-1].set_axis_off()
        for panel, result in zip(panels, column, strict=False):
            draw_section(panel, result)
    figure.suptitle(
        "blue: as demanded, orange: not so, black: the demand, grey: nothing demanded",
        fontsize=8,
        x=0.005,
        ha="left",
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_whole(path, buffer.getvalue())


def draw_section(panel: Any, result: dict[str, Any]) -> None:
    """Draw the bars of one section into a panel of matplotlib."""
    names, values = list(result["median"]), list(result["median"].values())
    wanted = result["wanted"]
    met = [wanted[name]["met"] if name in wanted else None for name in names]
    panel.barh(range(len(names)), values, color=[COLOURS[m] for m in met], height=0.72)
    marks = [wanted[name]["wanted"] for name in names if name in wanted]
    low, high = min([*values, *marks]), max([*values, *marks])
    # Room for the numbers to the right of the longest bar.
    panel.set_xscale("log")
    panel.set_xlim(low / 3.0, high * (high / low * 3.0) ** 0.13)
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        panel.annotate(
            number(value), (value, row), (3, 0), textcoords="offset points", va="center", fontsize=7
        )
        if name in wanted:
            mark = wanted[name]["wanted"]
            panel.plot([mark, mark], [row - 0.46, row + 0.46], color="black", linewidth=1.6)
    panel.set_yticks(range(len(names)), names, fontsize=7.5)
    panel.set_ylim(len(names) - 0.4, -0.6)
    better = "less is better" if is_time(result["unit"]) else "more is better"
    panel.set_title(f"{result['title']}: {result['unit']}, {better}", fontsize=9, loc="left")
    panel.tick_params(axis="x", labelsize=7.5)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="0.88", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)


def comparison_line(result: dict[str, Any]) -> str:
    """Write a result of :func:`mattergym.benchmarks.speed.against.compare` in one line."""
    if "skipped" in result:
        return f"{result['name']}: skipped; {result['skipped']}"
    return (
        f"{result['name']}: {result['value']:.3f} x ({result['least']:.3f}..{result['most']:.3f}), "
        f"{number(result['new'])} new, {number(result['old'])} old steps/s, "
        f"{VERDICTS[result['met']]}"
    )


def comparison_verdict(results: list[dict[str, Any]]) -> str:
    """Sum up how many ratios are as wanted, and which is the least."""
    measured = [result for result in results if "skipped" not in result]
    skipped = len(results) - len(measured)
    more = f"; {skipped} skipped" if skipped else ""
    if not measured:
        return f"nothing was compared{more}"
    met = sum(result["met"] for result in measured)
    least = min(measured, key=lambda result: result["value"])
    return (
        f"{met} of {len(measured)} ratios new/old are at least {least['wanted']:g}, "
        f"the least is {least['value']:.3f} x of {least['name']}{more}"
    )
