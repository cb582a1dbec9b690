"""Agents of IsingPhaseMap-v0: where to measure next on a map of composition and temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.envs.synthesis.ising_phase_map import GRID, SWEEPS, TEMPERATURES
from mattergym.envs.synthesis.phase_boundary import CRITICAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS, ROWS = GRID
# Indices of the fidelities.
SHORT, MEDIUM, LONG = range(len(SWEEPS))


class PhaseMapAgent(Agent):
    """Reads the map, and measures cells."""

    def measured(self, observation: Any) -> NDArray[np.bool_]:
        """Cells that have a measurement, (B, 24, 24) by composition and temperature."""
        return self.read(observation, "visited") == 1.0

    def measure(self, cells: NDArray[np.intp], fidelity: Any) -> NDArray[np.int64]:
        """Make actions of cells, composition and row (B, 2), and fidelities, (B,) or one."""
        return self.action(composition=cells[:, 0], temperature=cells[:, 1], sweeps=fidelity)


class PlanAgent(PhaseMapAgent):
    """Works through a list of cells, each measured once."""

    fidelity: int = SHORT

    def plan(self, lanes: int) -> NDArray[np.intp]:
        """Return compositions and rows in their order, (B, n, 2)."""
        raise NotImplementedError

    def next_cells(self, observation: Any) -> NDArray[np.intp]:
        """Return the first cell of the list that has no measurement yet, (B, 2)."""
        measured = self.measured(observation)
        lanes = np.arange(len(measured))
        plan = self.plan(len(lanes))
        done = measured[lanes[:, None], plan[..., 0], plan[..., 1]]
        cells: NDArray[np.intp] = plan[lanes, np.argmin(done, axis=1)]
        return cells

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Measure the next cell."""
        return self.measure(self.next_cells(observation), self.fidelity), None


class RasterPhaseMap(PlanAgent):
    """A coarse grid over the whole map, up and down in T to save ramps."""

    name = "raster"
    columns = np.linspace(1, 22, 6).round().astype(int)
    rows = np.linspace(3, 20, 7).round().astype(int)
    fidelity = MEDIUM

    def plan(self, lanes: int) -> NDArray[np.intp]:
        """Return the same grid for every lane."""
        cells = [
            (column, row)
            for k, column in enumerate(self.columns)
            for row in (self.rows if k % 2 == 0 else self.rows[::-1])
        ]
        return np.broadcast_to(np.array(cells), (lanes, len(cells), 2))


class BisectionPhaseMap(PhaseMapAgent):
    """What a person does: bracket the boundary at every third composition and bisect.

    A composition starts at the temperature where its neighbour changed; it is done when two
    adjacent temperatures, or one that is clearly neither, bracket the change.
    """

    name = "scripted"
    columns = np.arange(1, COLUMNS, 3)
    first_row, stride = 11, 1
    fidelity, confirmation, enough = MEDIUM, MEDIUM, 70.0

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Choose each lane's next cell."""
        magnetization = self.read(observation, "magnetization")
        sweeps = np.expm1(self.read(observation, "fidelity")) * self.measured(observation)
        chosen = [self.next_cell(*maps) for maps in zip(sweeps, magnetization, strict=True)]
        actions = np.array(chosen)
        return self.measure(actions[:, :2], actions[:, 2]), None

    def next_cell(
        self, sweeps: NDArray[np.float64], magnetization: NDArray[np.float32]
    ) -> tuple[int, int, int]:
        """Composition, row and fidelity from one lane's maps (24, 24); 0 sweeps: not measured."""
        start = self.first_row
        for column in self.columns:
            rows = np.flatnonzero(sweeps[column])
            if not len(rows):
                return int(column), start, self.fidelity
            ordered = magnetization[column, rows] > CRITICAL
            cold = int(rows[ordered].max(initial=-1))
            hot = int(rows[~ordered].min(initial=ROWS))
            if hot - cold > 1:
                reach = self.stride * 2 ** (len(rows) - 1)
                if cold < 0:
                    row = max(0, hot - reach)
                elif hot >= ROWS:
                    row = min(ROWS - 1, cold + reach)
                else:
                    row = (cold + hot) // 2
                return int(column), row, self.fidelity
            for row in (cold, hot):
                if 0 <= row < ROWS and sweeps[column, row] < self.enough:
                    return int(column), row, self.confirmation
            start = max(cold, 0)
        return int(self.columns[-1]), start, LONG


class ExpertPhaseMap(PlanAgent):
    """Knows the boundary and measures along it, where that helps the reconstruction most.

    A little below Tc, where the lattice relaxes fast, one long measurement places Tc twice as
    well as at Tc itself. The compositions are those that interpolate the boundary best; what is
    left of the budget goes to where the reconstruction is worst.
    """

    name = "expert"
    knows: ClassVar[str] = "hidden"
    count = 8
    fidelity = LONG
    # Mean error of Tc from one long measurement at a relative distance from it, in 3,000 samples.
    distance = np.array([-0.09, -0.07, -0.06, -0.045, -0.03, -0.01, 0.01, 0.03, 0.06])
    error = np.array([0.97, 0.20, 0.030, 0.028, 0.037, 0.053, 0.065, 0.095, 0.17])

    def expected_error(self) -> NDArray[np.float64]:
        """Error of Tc to expect from one long measurement in each cell, (B, 24, 24)."""
        relative = TEMPERATURES / self.bench.state.boundary[..., None] - 1.0
        return np.interp(relative, self.distance, self.error)

    def plan(self, lanes: int) -> NDArray[np.intp]:
        """Return the best row of each chosen composition."""
        expected = self.expected_error()
        weight = COLUMNS / self.count  # compositions that hang on a measured one
        columns = best_knots(self.bench.state.boundary, weight * expected.min(axis=2), self.count)
        rows = np.take_along_axis(expected.argmin(axis=2), columns, axis=1)
        return np.stack([columns, rows], axis=-1)

    def next_cells(self, observation: Any) -> NDArray[np.intp]:
        """Follow the plan, then spend what is left where the estimate is worst."""
        cells = super().next_cells(observation)
        measured = self.measured(observation)
        lanes = np.arange(len(cells))
        complete = measured[lanes, cells[:, 0], cells[:, 1]]
        hidden = self.bench.state
        worst = np.abs(hidden.estimate - hidden.boundary).argmax(axis=1)
        expected = np.where(measured, np.inf, self.expected_error())[lanes, worst]
        repair = np.column_stack([worst, expected.argmin(axis=1)])
        return np.where(complete[:, None], repair, cells)


def best_knots(
    lines: NDArray[np.float64], costs: NDArray[np.float64], count: int
) -> NDArray[np.intp]:
    """Choose the knots whose piecewise linear interpolation is closest to lines, in the mean.

    Constant beyond the outer knots. Solved exactly, as a shortest path: minimises the sum of
    absolute errors and of the chosen knots' costs.

    Parameters
    ----------
    lines, costs : ndarray of float64, shape (B, n)
    count : int
        Knots, 1 to n.

    Returns
    -------
    ndarray of intp, shape (B, count)
        Rising indices.
    """
    lanes, n = lines.shape
    segment = np.full((lanes, n, n), np.inf)  # error between knots i < j
    for i in range(n):
        for j in range(i + 1, n):
            share = np.arange(1, j - i) / (j - i)
            chord = lines[:, i, None] + share * (lines[:, j] - lines[:, i])[:, None]
            segment[:, i, j] = np.abs(chord - lines[:, i + 1 : j]).sum(axis=1)
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


SHELF: Shelf = {
    "standard": (
        RasterPhaseMap,
        BisectionPhaseMap,
        ExpertPhaseMap,
        Recipe(
            "ppo",
            400_000,
            {
                "num_envs": 64,
                "n_steps": 64,
                "batch_size": 1024,
                "n_epochs": 4,
                "learning_rate": 1e-3,
                "gamma": 0.995,
                "gae_lambda": 0.95,
                "ent_coef": 0.003,
                "policy_kwargs": {
                    "net_arch": [128],
                    "features_extractor_class": "MapExtractor",
                    "features_extractor_kwargs": {
                        "maps": 5,
                        "rows": COLUMNS,
                        "columns": ROWS,
                    },
                },
            },
        ),
    ),
}
