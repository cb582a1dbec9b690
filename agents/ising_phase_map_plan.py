"""Plans of the expert of IsingPhaseMap-v0, who knows the boundary of a library."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mattergym.envs.synthesis import furnace
from mattergym.envs.synthesis.ising_phase_map import GRID, SWEEPS, TEMPERATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS, ROWS = GRID
FIDELITIES = ("short", "medium", "long")
# Of the budget, for the first plan; the rest repairs what the measurements then leave wrong.
SHARE = 0.7
# Fidelities of a plan; the short one never wins.
PLANNED = (1, 2)
# Compositions that a plan may hold, and worst ones that are considered for a repair.
KNOTS, CANDIDATES = range(2, 17), 8
# A composition that was measured before gains this much less by another measurement.
REPEATED = 0.5


class Cell(NamedTuple):
    """A measurement: indices of composition, row and fidelity."""

    column: int
    row: int
    fidelity: int


def seconds(column: int, row: int, fidelity: int, in_furnace: int, furnace_row: int) -> float:
    """Cost of a measurement with a sample in the furnace, -1 for none, that is at a row."""
    sample = furnace.SAMPLE_S * (column != in_furnace)
    ramp = furnace.ramp_seconds(TEMPERATURES[furnace_row], TEMPERATURES[row])
    return float(sample + ramp + furnace.SWEEP_S * SWEEPS[fidelity])


@cache
def error_table() -> dict[str, list[float]]:
    """Read the shipped errors of Tc by relative distance, and by the names of the fidelities."""
    source = resources.files("mattergym.agents") / "data" / "ising_phase_map.json"
    table: dict[str, list[float]] = json.loads(source.read_text())
    return table


def expected_errors(boundary: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean error of Tc to expect from one measurement of each cell.

    The shipped table by relative distance to Tc is made by
    :mod:`mattergym.benchmarks.phase_map_errors`.

    Parameters
    ----------
    boundary : ndarray of float64, shape (B, 24)
        Critical temperatures.

    Returns
    -------
    ndarray of float64, shape (3, B, 24, 24)
        By fidelity, composition and row, in J/kB.
    """
    table = error_table()
    relative = TEMPERATURES / boundary[..., None] - 1.0
    return np.stack([np.interp(relative, table["distance"], table[name]) for name in FIDELITIES])


def plan_measurements(
    boundary: NDArray[np.float64], errors: NDArray[np.float64], budget: float
) -> list[list[Cell]]:
    """Choose compositions, rows and one fidelity that tell most of known boundaries.

    For every number of compositions and every fidelity, those are taken that interpolate the
    boundary best, each at its row of least expected error, in the order of x; of the plans whose
    cost is within a share of the budget the one of least expected error counts.

    Parameters
    ----------
    boundary : ndarray of float64, shape (B, 24)
    errors : ndarray of float64, shape (3, B, 24, 24)
        Of :func:`expected_errors`.
    budget : float
        In s.

    Returns
    -------
    list of list of Cell
        A plan a lane.
    """
    lanes = len(boundary)
    least = np.full(lanes, np.inf)
    plans: list[list[Cell]] = [[] for _ in range(lanes)]
    every, chords = np.arange(COLUMNS), chord_errors(boundary)
    for fidelity in PLANNED:
        rows_of = errors[fidelity].argmin(axis=2)
        error_of = errors[fidelity].min(axis=2)
        for count in KNOTS:
            fixed = count * (furnace.SAMPLE_S + furnace.SWEEP_S * SWEEPS[fidelity])
            if fixed > SHARE * budget:
                break
            weight = COLUMNS / count  # compositions that hang on a measured one
            knots = best_knots(boundary, weight * error_of, count, chords)
            rows = np.take_along_axis(rows_of, knots, axis=1)
            path = np.column_stack([np.zeros(lanes, np.intp), rows])
            ramps = furnace.ramp_seconds(TEMPERATURES[path[:, :-1]], TEMPERATURES[path[:, 1:]])
            cost = fixed + ramps.sum(axis=1)
            for b in np.flatnonzero(cost <= SHARE * budget):
                own = knots[b]
                line = np.interp(every, own, boundary[b, own])
                error = np.abs(line - boundary[b]).sum() + weight * error_of[b, own].sum()
                if error < least[b]:
                    least[b] = error
                    cells = zip(own.tolist(), rows[b].tolist(), strict=True)
                    plans[b] = [Cell(column, row, fidelity) for column, row in cells]
    return plans


def interpolate_anew(
    estimate: NDArray[np.float64], measured: NDArray[np.bool_], column: int, value: float
) -> tuple[NDArray[np.float64], int]:
    """Redraw an estimated boundary as if its value at a composition were known.

    Parameters
    ----------
    estimate : ndarray of float64, shape (24,)
    measured : ndarray of bool, shape (24,)
        Compositions with a measurement.
    column : int
    value : float
        Tc there, J/kB.

    Returns
    -------
    line : ndarray of float64, shape (24,)
        Linear between the composition and its measured neighbours, constant beyond the last.
    hanging : int
        Compositions between these neighbours.
    """
    before, after = np.flatnonzero(measured[:column]), np.flatnonzero(measured[column + 1 :])
    knots = [column]
    if len(before):
        knots.insert(0, int(before[-1]))
    if len(after):
        knots.append(column + 1 + int(after[0]))
    first, last = (knots[0] if len(before) else 0), (knots[-1] if len(after) else COLUMNS - 1)
    line = estimate.copy()
    line[column] = value
    between = np.arange(first, last + 1)
    line[between] = np.interp(between, knots, line[knots])
    return line, last - first


def best_repair(
    boundary: NDArray[np.float64],
    estimate: NDArray[np.float64],
    errors: NDArray[np.float64],
    measured: NDArray[np.bool_],
    in_furnace: int,
    furnace_row: int,
    left: float,
) -> Cell:
    """Choose the measurement of one library that corrects its estimate most per second.

    Parameters
    ----------
    boundary, estimate : ndarray of float64, shape (24,)
    errors : ndarray of float64, shape (3, 24, 24)
    measured : ndarray of bool, shape (24, 24)
    in_furnace, furnace_row : int
        Index of the sample, -1 for none, and of the temperature.
    left : float
        Budget in s.

    Returns
    -------
    Cell
        Where nothing that can be paid helps, a long measurement of what is in the furnace: it ends
        the episode if it costs more than is left.
    """
    gap = np.abs(estimate - boundary)
    had: NDArray[np.bool_] = np.asarray(measured.any(axis=1))
    most, found = 0.0, Cell(max(in_furnace, 0), furnace_row, len(FIDELITIES) - 1)
    for column in np.argsort(-gap)[:CANDIDATES].tolist():
        line, hanging = interpolate_anew(estimate, had, column, boundary[column])
        corrected = gap.sum() - np.abs(line - boundary).sum()
        for fidelity in reversed(range(len(FIDELITIES))):
            expected = np.where(measured[column], np.inf, errors[fidelity, column])
            row = int(expected.argmin())
            cost = seconds(column, row, fidelity, in_furnace, furnace_row)
            if cost > left:
                continue
            gain = corrected - 0.5 * hanging * expected[row]
            gain *= REPEATED if had[column] else 1.0
            if gain / cost > most:
                most, found = gain / cost, Cell(column, row, fidelity)
    return found


def chord_errors(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the absolute errors of lines (B, n) against their chords from i to j, (B, n, n).

    Infinite unless i < j.
    """
    lanes, n = lines.shape
    errors = np.full((lanes, n, n), np.inf)
    for i in range(n):
        for j in range(i + 1, n):
            share = np.arange(1, j - i) / (j - i)
            chord = lines[:, i, None] + share * (lines[:, j] - lines[:, i])[:, None]
            errors[:, i, j] = np.abs(chord - lines[:, i + 1 : j]).sum(axis=1)
    return errors


def best_knots(
    lines: NDArray[np.float64],
    costs: NDArray[np.float64],
    count: int,
    chords: NDArray[np.float64] | None = None,
) -> NDArray[np.intp]:
    """Choose the knots whose piecewise linear interpolation is closest to lines, in the mean.

    Constant beyond the outer knots. Solved exactly, as a shortest path: minimises the sum of
    absolute errors and of the chosen knots' costs.

    Parameters
    ----------
    lines, costs : ndarray of float64, shape (B, n)
    count : int
        Knots, 1 to n.
    chords : ndarray of float64, shape (B, n, n), optional
        Of :func:`chord_errors`, where they are known.

    Returns
    -------
    ndarray of intp, shape (B, count)
        Rising indices.
    """
    lanes, n = lines.shape
    segment = chord_errors(lines) if chords is None else chords
    ends = np.abs(lines[:, :, None] - lines[:, None, :])
    error = np.tril(ends).sum(axis=2) + costs  # all before the first knot
    came_from = np.zeros((count, lanes, n), np.intp)
    for k in range(1, count):
        through = error[:, :, None] + segment
        came_from[k] = through.argmin(axis=1)
        error = through.min(axis=1) + costs
    knots = np.empty((lanes, count), np.intp)
    knots[:, -1] = (error + np.triu(ends).sum(axis=2)).argmin(axis=1)
    for k in range(count - 1, 0, -1):
        knots[:, k - 1] = came_from[k, np.arange(lanes), knots[:, k]]
    return knots
