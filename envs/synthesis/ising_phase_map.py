"""IsingPhaseMap-v0: find the line between order and disorder in a composition-spread library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.objectives import improvement
from mattergym.envs.old_base import BatchEnv, SingleEnv
from mattergym.envs.old_instruments import Furnace, Parameter
from mattergym.envs.synthesis.phase_boundary import reconstruct_boundary
from mattergym.physics.ising.library import draw_libraries, measure_ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 32
COMPOSITIONS = 24
TEMPERATURES = np.linspace(0.8, 4.0, 24)
CELLS = COMPOSITIONS * len(TEMPERATURES)
AXIS = float(TEMPERATURES[-1] - TEMPERATURES[0])
# Sweeps of the three fidelities: equilibration, then measured.
EQUILIBRATION, MEASURED = np.array([10, 40, 100]), np.array([20, 80, 300])
SWEEPS = EQUILIBRATION + MEASURED
BUDGETS = {"easy": 12_000.0, "standard": 8_000.0, "hard": 5_000.0}
# Standard deviations of the cosines of ln J: smooth lines, and rougher ones.
SMOOTH = 0.3 / np.arange(1, 4)
ROUGH = 0.3 / np.sqrt(np.arange(1, 7))
SUCCESS_SCORE = 2.0
TEMPERATURE = Parameter("temperature", float(TEMPERATURES[0]), float(TEMPERATURES[-1]), "J/kB")
# Scales of the observation: largest possible values of ln(1 + chi) and ln(1 + sweeps), and J.
CHI_SCALE = float(np.log1p(SIZE**2 / 4 / TEMPERATURES[0]))
SWEEPS_SCALE = float(np.log1p(max(BUDGETS.values())))
ENERGY_SCALE, LOWEST_ENERGY = 4.0, -4.0


@njit(cache=True)
def record(cell: Any, weight: Any, result: Any, maps: Any, sweeps: Any, nearest: Any) -> None:
    """Add measurements to the maps: average by sweeps, and claim the cells that they are next to.

    cell int64 (B,), a flat index; weight int64 (B,), 0 for no measurement; result float64 (B, 3);
    maps float64 (B, 3, n); sweeps int64 (B, n); nearest int64 (B, n), the measured cell that is
    closest to each, the later one of two as close, -1 before any measurement.
    """
    rows = TEMPERATURES.shape[0]
    for b in range(cell.shape[0]):
        c = cell[b]
        if weight[b] == 0:
            continue
        sweeps[b, c] += weight[b]
        for k in range(3):
            maps[b, k, c] += (result[b, k] - maps[b, k, c]) * weight[b] / sweeps[b, c]
        for other in range(nearest.shape[1]):
            n = nearest[b, other]
            if n < 0 or distance_squared(other, c, rows) <= distance_squared(other, n, rows):
                nearest[b, other] = c


@njit(cache=True)
def distance_squared(a: int, b: int, rows: int) -> int:
    """Squared distance of two cells of the map, in cells."""
    return (a // rows - b // rows) ** 2 + (a % rows - b % rows) ** 2


@njit(cache=True)
def write_maps(maps: Any, sweeps: Any, nearest: Any, out: Any) -> None:
    """Write the five maps of every lane, one after the other, to ``out``, float32 (B, >= 5 n)."""
    rows = TEMPERATURES.shape[0]
    n = nearest.shape[1]
    for b in range(nearest.shape[0]):
        for cell in range(n):
            c = nearest[b, cell]
            if c < 0:
                for k in range(5):
                    out[b, k * n + cell] = 0.0
                continue
            out[b, cell] = maps[b, 0, c]
            out[b, n + cell] = np.log1p(maps[b, 1, c]) / CHI_SCALE
            out[b, 2 * n + cell] = max(LOWEST_ENERGY, maps[b, 2, c] / ENERGY_SCALE)
            out[b, 3 * n + cell] = 1.0 / (1.0 + np.sqrt(distance_squared(cell, c, rows)))
            out[b, 4 * n + cell] = np.log1p(sweeps[b, c]) / SWEEPS_SCALE


class IsingPhaseMapVectorEnv(BatchEnv):
    """Batch of :class:`IsingPhaseMapEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "measure"
    domain: ClassVar[str] = "synthesis"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "%"

    def __init__(self, num_envs: int = 1, **kwargs: Any) -> None:
        low = np.zeros(5 * CELLS + 3, np.float32)
        low[2 * CELLS : 3 * CELLS] = LOWEST_ENERGY
        super().__init__(
            num_envs,
            spaces.Box(low, np.ones_like(low)),
            spaces.MultiDiscrete([COMPOSITIONS, len(TEMPERATURES), len(SWEEPS)]),
            **kwargs,
        )
        self.instrument = Furnace(TEMPERATURE, Parameter("field", 0.0, 0.0, "J"), int(SWEEPS[-1]))
        self._budget = BUDGETS[self.difficulty]
        self._spins = np.ones((num_envs, SIZE, SIZE), np.int8)
        self._jx, self._jy, self._boundary, self._estimate = np.ones((4, num_envs, COMPOSITIONS))
        self._maps = np.zeros((num_envs, 3, CELLS))
        self._sweeps = np.zeros((num_envs, CELLS), np.int64)
        self._nearest = np.full((num_envs, CELLS), -1)
        # Sample in the furnace (-1: none) and row of its temperature.
        self._composition, self._row = np.full(num_envs, -1), np.zeros(num_envs, np.int64)
        self._last_loaded = np.zeros(num_envs, np.bool_)
        self._last_sweeps = np.zeros((num_envs, 2), np.int64)

    _configuration = BatchEnv._configuration | {"_budget"}

    @property
    def boundary(self) -> NDArray[np.float64]:
        """True critical temperatures, hidden from the agent, float64 (B, 24)."""
        return self._boundary.copy()

    @property
    def estimate(self) -> NDArray[np.float64]:
        """Critical temperatures as reconstructed so far, float64 (B, 24)."""
        return self._estimate.copy()

    @property
    def budget(self) -> float:
        """Seconds that an episode may take."""
        return self._budget

    def _misclassified(self) -> NDArray[np.float64]:
        """Percentage of the map between the true and the reconstructed boundary, (B,)."""
        return 100.0 * np.abs(self._estimate - self._boundary).mean(axis=1) / AXIS

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        streams = self.streams[lanes]
        jx, jy, boundary = np.empty((3, len(lanes), COMPOSITIONS))
        draw_libraries(ROUGH if self.split == "shift" else SMOOTH, streams, jx, jy, boundary)
        self.streams[lanes] = streams
        self._jx[lanes], self._jy[lanes], self._boundary[lanes] = jx, jy, boundary
        self._estimate[lanes] = 0.5 * (TEMPERATURES[0] + TEMPERATURES[-1])
        self._maps[lanes] = 0.0
        self._sweeps[lanes] = 0
        self._nearest[lanes] = -1
        self._composition[lanes] = -1
        self._row[lanes] = 0
        self._last_loaded[lanes] = False
        self._last_sweeps[lanes] = 0
        self.ledger.table[2, lanes] = self._misclassified()[lanes]

    def _step(
        self, action: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        composition, row, fidelity = action.T
        load = composition != self._composition
        seconds = (
            Furnace.SECONDS_PER_SAMPLE * load
            + Furnace.SECONDS_PER_UNIT_TEMPERATURE
            * np.abs(TEMPERATURES[row] - TEMPERATURES[self._row])
            + Furnace.SECONDS_PER_SWEEP * SWEEPS[fidelity]
        )
        affordable = self.ledger.elapsed_s + seconds <= self._budget
        self._last_loaded = load & affordable
        sweeps = np.stack([EQUILIBRATION[fidelity], MEASURED[fidelity]], axis=1)
        self._last_sweeps = sweeps * affordable[:, None]
        self._composition = np.where(affordable, composition, self._composition)
        self._row = np.where(affordable, row, self._row)
        self.ledger.charge(np.where(affordable, seconds, 0.0))

        lanes = np.arange(self.num_envs)
        result = np.zeros((self.num_envs, 3))
        weight = self._last_sweeps[:, 1].copy()
        measure_ordered(
            self._spins,
            TEMPERATURES[row],
            self._jx[lanes, composition],
            self._jy[lanes, composition],
            self.streams,
            self._last_sweeps[:, 0].copy(),
            weight,
            result,
        )
        cell = composition * len(TEMPERATURES) + row
        record(cell, weight, result, self._maps, self._sweeps, self._nearest)
        grid = (self.num_envs, COMPOSITIONS, len(TEMPERATURES))
        magnetization, measured = self._maps[:, 0].reshape(grid), self._sweeps.reshape(grid)
        reconstruct_boundary(magnetization, measured, TEMPERATURES, self._estimate)

        previous, score = self.ledger.table[2].copy(), self._misclassified()
        self.ledger.assess(score, score < SUCCESS_SCORE)
        reward = improvement(previous, score)
        # The cheapest instruction is to repeat a short measurement.
        broke = self.ledger.elapsed_s + Furnace.SECONDS_PER_SWEEP * SWEEPS[0] > self._budget
        return reward, ~affordable | broke, {"improvement": reward.copy()}

    def _observe(self) -> NDArray[np.float32]:
        out = np.empty(self.observation_space.shape or (), np.float32)
        write_maps(self._maps, self._sweeps, self._nearest, out)
        out[:, -3] = (self._composition + 1) / COMPOSITIONS
        out[:, -2] = self._row / (len(TEMPERATURES) - 1)
        out[:, -1] = 1.0 - self.ledger.elapsed_s / self._budget
        return out

    def program(self, lane: int = 0) -> list[str]:
        """Write the loading, ramp and measurement of the last action of a lane as text."""
        equilibration, measured = self._last_sweeps[lane]
        if not measured:
            return [self.instrument["hold"].text(sweeps=0)]
        x = self._composition[lane] / (COMPOSITIONS - 1)
        load = [self.instrument["new_sample"].text(composition=x)]
        return [
            *(load if self._last_loaded[lane] else []),
            self.instrument["set_temperature"].text(temperature=TEMPERATURES[self._row[lane]]),
            self.instrument["hold"].text(sweeps=equilibration),
            self.instrument["measure"].text(sweeps=measured),
        ]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        from mattergym.envs.synthesis.phase_map_picture import draw_phase_map

        grid = (COMPOSITIONS, len(TEMPERATURES))
        return draw_phase_map(
            self._maps[lane, 0].reshape(grid),
            self._sweeps[lane].reshape(grid) > 0,
            TEMPERATURES,
            self._boundary[lane],
            self._estimate[lane],
            f"{self.ledger.table[2, lane]:.1f} % misclassified",
            1.0 - self.ledger.elapsed_s[lane] / self._budget,
        )


class IsingPhaseMapEnv(SingleEnv):
    r"""Map the boundary between order and disorder of a library before the furnace time runs out.

    Description
    -----------
    A library of 24 compositions x = 0..1 of an Ising ferromagnet, whose couplings Jx and Jy vary
    smoothly and independently along it: ln J = ln 0.95 + N(0, 0.2) + sum over k = 1..3 of
    N(0, 0.3/k) cos(k pi x), hidden. Each composition orders below its own critical temperature,
    sinh(2 Jx/Tc) sinh(2 Jy/Tc) = 1. The agent chooses where to measure, and how long. Measurements
    near the boundary tell most, but fluctuate most and relax slowest.

    Instrument and costs
    --------------------
    The furnace: ``new_sample`` (300 s, when the composition changes), ``set_temperature`` (60 s
    per unit of T), ``hold`` and ``measure`` (1 s a sweep of a 32 x 32 lattice). Every measurement
    starts from an ordered lattice, since a disordered one freezes in stripes. An episode has
    8,000 s and begins with an empty furnace at T = 0.8. The clock is a convention.

    Action Space
    ------------
    ``MultiDiscrete([24, 24, 3])``: composition, temperature (24 equidistant values 0.8..4.0 J/kB)
    and fidelity (10 + 20, 40 + 80 or 100 + 300 sweeps of equilibration + measurement).

    Observation Space
    -----------------
    ``Box((2883,), float32)``: five maps of 24 x 24 cells, composition by temperature, flattened,
    then three numbers. Cells without a measurement show the nearest one (a Voronoi map, as
    proposed for sparse sensors by Fukami et al. 2021); the fourth map tells the difference. All
    zero before the first measurement.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0..575 | mean \|m\|, repeated cells averaged by sweeps | 1 | 0..1 |
    | 576..1151 | ln(1 + chi) of \|m\| / 5.77 | 1 | 0..1 |
    | 1152..1727 | energy per site / 4 | J | -4..1 |
    | 1728..2303 | visited: 1/(1 + distance to the nearest measured cell) | 1 | 0..1 |
    | 2304..2879 | fidelity: ln(1 + measured sweeps) / 9.39 | 1 | 0..1 |
    | 2880 | (index of the composition in the furnace + 1) / 24, 0 if none | 1 | 0..1 |
    | 2881 | index of its temperature / 23 | 1 | 0..1 |
    | 2882 | fraction of the budget left | 1 | 0..1 |

    Reward
    ------
    The drop of the score. It telescopes: an episode earns the first score minus the last.

    Success and score
    -----------------
    Score: percentage of the map that a fixed reconstruction puts into the wrong phase, the mean
    over compositions of \|Tc_estimate - Tc\| over the length of the temperature axis. The
    reconstruction fits \|m\| of each measured composition by a falling (isotonic) function of T,
    places Tc where it crosses 0.66, its value at Tc on this lattice, and interpolates linearly
    in x; points on one side only are extrapolated. Success: less than 2 %.

    Starting State
    --------------
    A new library at every reset, kept if all its Tc lie in 1.1..3.7 and span more than 0.6.
    ``split="shift"`` draws rougher lines: k = 1..6 with N(0, 0.3/sqrt k).

    Episode End
    -----------
    ``terminated`` when less than the cheapest measurement (30 s) is left, or by an action that
    costs more than what is left; that measurement is not made.

    Arguments
    ---------
    split : {"train", "test", "shift"}
    difficulty : {"easy", "standard", "hard"}
        Budget of 12,000, 8,000 or 5,000 s.

    Baselines
    ---------
    random, raster (a coarse grid), scripted (bisection in T at every third composition), expert
    (knows the true line and measures along it, slightly below, then where the estimate is worst),
    ppo.

    References
    ----------
    Onsager, L. (1944), Phys. Rev. 65, 117.
    Kusne, A. G. et al. (2020), Nat. Commun. 11, 5966 (autonomous phase mapping).
    Fukami, K. et al. (2021), Nat. Mach. Intell. 3, 945.

    Version History
    ---------------
    v0: initial version.
    """

    batch_class = IsingPhaseMapVectorEnv
