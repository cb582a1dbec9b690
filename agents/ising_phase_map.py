"""Agents of IsingPhaseMap-v0: where to measure next on a map of composition and temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.agents.ising_phase_map_plan import (
    COLUMNS,
    ROWS,
    Cell,
    best_repair,
    expected_errors,
    plan_measurements,
    seconds,
)
from mattergym.envs.synthesis.ising_phase_map import GRID, SWEEPS, TEMPERATURES
from mattergym.envs.synthesis.phase_boundary import CRITICAL, reconstruct_boundary

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Indices of the fidelities.
SHORT, MEDIUM, LONG = range(len(SWEEPS))


class PhaseMapAgent(Agent):
    """Reads the map, and measures cells."""

    def measured(self, observation: Any) -> NDArray[np.bool_]:
        """Cells that have a measurement, (B, 24, 24) by composition and temperature."""
        return self.read(observation, "visited") == 1.0

    def furnace(self, observation: Any) -> tuple[NDArray[np.intp], NDArray[np.intp], Any]:
        """Index of the sample in the furnace, -1 for none, of its row, and seconds left, (B,)."""
        sample = np.rint(self.read(observation, "composition")).astype(np.intp) - 1
        row = np.rint(self.read(observation, "row")).astype(np.intp)
        # The observation is rounded to float32: a hundredth of a second is not counted on.
        left = self.read(observation, "left") * float(self.task.budget) - 0.01
        return sample, row, left

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


class StrongPhaseMap(PhaseMapAgent):
    """Refines the boundary from coarse to fine, one measurement a composition where that suffices.

    A composition is first measured a little below where the line through its measured neighbours
    places Tc: there the lattice relaxes fast, and the magnetization tells Tc by itself. It is done
    if the magnetization is neither saturated nor gone, or if two adjacent temperatures bracket the
    change; else it steps towards the change by 1, 2, 4, ... rows, or bisects. Tc of the measured
    compositions is what the task's published reconstruction makes of the observed maps.
    """

    name = "strong"
    order = (4, 19, 12, 8, 16, 1, 22, 6, 14, 10, 18, 2, 20, 3, 21, 0, 23, 5, 7, 9, 11, 13, 15, 17)
    first_row = ROWS // 2
    saturated = 0.86  # a magnetization above which it tells no temperature
    # A budget from which long measurements pay, after some compositions at the medium fidelity.
    rich, medium_first = 8000.0, 12

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Choose each lane's next cell."""
        sweeps = np.expm1(self.read(observation, "fidelity")) * self.measured(observation)
        magnetization = self.read(observation, "magnetization").astype(np.float64)
        sweeps = np.rint(sweeps).astype(np.int64)
        estimate = np.empty(sweeps.shape[:2])
        reconstruct_boundary(magnetization, sweeps, TEMPERATURES, estimate)
        in_furnace, furnace_row, left = self.furnace(observation)
        actions = np.empty((len(sweeps), 3), np.int64)
        for b in range(len(sweeps)):
            at = int(in_furnace[b]), int(furnace_row[b])
            column, row, fidelity = self.next_cell(sweeps[b], magnetization[b], estimate[b], *at)
            while fidelity > SHORT and seconds(column, row, fidelity, *at) > left[b]:
                fidelity -= 1
            actions[b] = column, row, fidelity
        return self.measure(actions[:, :2], actions[:, 2]), None

    def next_cell(
        self,
        sweeps: NDArray[np.int64],
        magnetization: NDArray[np.float64],
        estimate: NDArray[np.float64],
        in_furnace: int,
        furnace_row: int,
    ) -> Cell:
        """Choose from one lane's maps (24, 24), its estimates (24,) and what is in the furnace."""
        rich = self.task.budget >= self.rich
        below, gone = (0.045, 0.3) if rich else (0.03, 0.35)
        done: list[int] = []
        for k, column in enumerate(self.order):
            fidelity = LONG if rich and k >= self.medium_first else MEDIUM
            rows = np.flatnonzero(sweeps[column])
            if not len(rows):
                row = self.first_row
                if done:
                    known = sorted(done)
                    tc = np.interp(column, known, estimate[known])
                    row = int(np.abs(TEMPERATURES - tc * (1.0 - below)).argmin())
                return Cell(column, row, fidelity)
            m = magnetization[column, rows]
            cold = int(rows[m > CRITICAL].max(initial=-1))
            hot = int(rows[m <= CRITICAL].min(initial=ROWS))
            if ((m > gone) & (m < self.saturated)).any() or hot - cold == 1:
                done.append(column)
                continue
            reach = 2 ** (len(rows) - 1)
            if cold < 0:
                return Cell(column, max(0, hot - reach), fidelity)
            if hot >= ROWS:
                return Cell(column, min(ROWS - 1, cold + reach), fidelity)
            return Cell(column, (cold + hot) // 2, fidelity)
        return Cell(max(in_furnace, 0), furnace_row, LONG)


class ExpertPhaseMap(PhaseMapAgent):
    """Knows the boundary: plans within the budget, then repairs what the estimate has wrong.

    A little below Tc, where the lattice relaxes fast, one long measurement places Tc twice as
    well as at Tc itself. See :mod:`mattergym.agents.ising_phase_map_plan`.
    """

    name = "expert"
    knows: ClassVar[str] = "hidden"

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._planned = np.empty((0, COLUMNS))  # boundaries that the plans are for
        self._plans: list[list[Cell]] = []
        self._errors = np.empty((len(SWEEPS), 0, *GRID))

    def plan(self, boundary: NDArray[np.float64]) -> None:
        """Plan for the lanes (B, 24) that have a new boundary."""
        if self._planned.shape != boundary.shape:
            self._planned = np.full_like(boundary, np.nan)
            self._plans = [[] for _ in boundary]
            self._errors = np.empty((len(SWEEPS), len(boundary), *GRID))
        new = np.flatnonzero((self._planned != boundary).any(axis=1))
        if not len(new):
            return
        self._planned[new] = boundary[new]
        self._errors[:, new] = expected_errors(boundary[new])
        plans = plan_measurements(boundary[new], self._errors[:, new], self.task.budget)
        for b, cells in zip(new, plans, strict=True):
            self._plans[b] = cells

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Follow the plan, then repair."""
        hidden, measured = self.bench.state, self.measured(observation)
        self.plan(hidden.boundary)
        in_furnace, furnace_row, left = self.furnace(observation)
        actions = np.empty((len(measured), 3), np.int64)
        for b, cells in enumerate(self._plans):
            todo = (cell for cell in cells if not measured[b, cell.column, cell.row])
            actions[b] = next(todo, None) or best_repair(
                *(hidden.boundary[b], hidden.estimate[b], self._errors[:, b], measured[b]),
                *(int(in_furnace[b]), int(furnace_row[b]), float(left[b])),
            )
        return self.measure(actions[:, :2], actions[:, 2]), None


SHELF: Shelf = {
    "standard": (
        RasterPhaseMap,
        BisectionPhaseMap,
        StrongPhaseMap,
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
