"""IsingPhaseMap-v0: find the line between order and disorder in a composition-spread library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.envs.objectives import improvement
from mattergym.envs.program import Program
from mattergym.envs.synthesis import furnace
from mattergym.envs.synthesis.phase_boundary import reconstruct_boundary
from mattergym.envs.task import Clock, Field, Outcome, Panel, Standing, Task, Term
from mattergym.physics.ising.library import draw_libraries, measure_ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 32
COMPOSITIONS = np.linspace(0.0, 1.0, 24)
TEMPERATURES = np.linspace(0.8, 4.0, 24)
GRID = (len(COMPOSITIONS), len(TEMPERATURES))
CELLS = GRID[0] * GRID[1]
AXIS = float(TEMPERATURES[-1] - TEMPERATURES[0])
# Sweeps of the three fidelities: equilibration, then measured.
EQUILIBRATION, MEASURED = np.array([10, 40, 100]), np.array([20, 80, 300])
SWEEPS = EQUILIBRATION + MEASURED
BUDGETS = {"easy": 8_000.0, "standard": 6_000.0, "hard": 4_000.0}
# Standard deviations of the cosines of ln J: smooth lines, and rougher ones.
SMOOTH = 0.3 / np.arange(1, 4)
ROUGH = 0.3 / np.sqrt(np.arange(1, 7))
SUCCESS_SCORE = 2.0
# Scales of the observation: largest possible values of ln(1 + chi) and ln(1 + sweeps), and J.
CHI_SCALE = float(np.log1p(SIZE**2 / 4 / TEMPERATURES[0]))
SWEEPS_SCALE = float(np.log1p(max(BUDGETS.values())))
ENERGY_SCALE, LOWEST_ENERGY = 4.0, -4.0


class State(NamedTuple):
    """Libraries, and what has been measured of them; cells are composition by temperature."""

    jx: NDArray[np.float64]  # couplings of the compositions, J, (B, 24)
    jy: NDArray[np.float64]
    boundary: NDArray[np.float64]  # their critical temperatures, J/kB, (B, 24)
    estimate: NDArray[np.float64]  # as reconstructed so far
    score: NDArray[np.float64]  # % of the map between the two
    means: NDArray[np.float64]  # |m|, chi and energy of the measured cells, (B, 3, 576)
    sweeps: NDArray[np.int64]  # behind them, 0 without a measurement, (B, 576)
    nearest: NDArray[np.int64]  # measured cell that is closest to each, -1 before any, (B, 576)
    composition: NDArray[np.int64]  # index of the sample in the furnace, -1 if it is empty
    row: NDArray[np.int64]  # index of the furnace's temperature
    refused: NDArray[np.bool_]  # whether the last action cost more than was left


@njit(cache=True)
def distance_squared(a: int, b: int, rows: int) -> int:
    """Squared distance of two cells of the map, in cells."""
    return (a // rows - b // rows) ** 2 + (a % rows - b % rows) ** 2


@njit(cache=True)
def record(cell: Any, weight: Any, result: Any, means: Any, sweeps: Any, nearest: Any) -> None:
    """Add measurements to the map: average by sweeps, and claim the cells that they are next to.

    cell int64 (B,), a flat index; weight int64 (B,), measured sweeps, 0 for no measurement;
    result float64 (B, 3); means, sweeps, nearest of :class:`State`. Of two measured cells that are
    equally close to another, the later one claims it.
    """
    rows = TEMPERATURES.shape[0]
    for b in range(cell.shape[0]):
        c = cell[b]
        if weight[b] == 0:
            continue
        sweeps[b, c] += weight[b]
        for k in range(3):
            means[b, k, c] += (result[b, k] - means[b, k, c]) * weight[b] / sweeps[b, c]
        for other in range(nearest.shape[1]):
            n = nearest[b, other]
            if n < 0 or distance_squared(other, c, rows) <= distance_squared(other, n, rows):
                nearest[b, other] = c


@njit(cache=True)
def write_maps(means: Any, sweeps: Any, nearest: Any, out: Any) -> None:
    """Write what every cell shows to ``out``, float32 (5, B, 576), in the order of the panel."""
    rows = TEMPERATURES.shape[0]
    for b in range(nearest.shape[0]):
        for cell in range(nearest.shape[1]):
            c = nearest[b, cell]
            if c < 0:
                out[:, b, cell] = 0.0
                continue
            out[0, b, cell] = means[b, 0, c]
            out[1, b, cell] = np.log1p(means[b, 1, c]) / CHI_SCALE
            out[2, b, cell] = max(LOWEST_ENERGY, means[b, 2, c] / ENERGY_SCALE)
            out[3, b, cell] = 1.0 / (1.0 + np.sqrt(distance_squared(cell, c, rows)))
            out[4, b, cell] = np.log1p(sweeps[b, c]) / SWEEPS_SCALE


def misclassified(
    estimate: NDArray[np.float64], boundary: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Percentage of the map between two boundaries (B, 24), (B,)."""
    return 100.0 * np.abs(estimate - boundary).mean(axis=1) / AXIS


class IsingPhaseMap(Task):
    """Map the boundary between order and disorder of a library before the furnace time runs out.

    Description
    -----------
    A library of 24 compositions x = 0..1 of an Ising ferromagnet, whose couplings Jx and Jy vary
    smoothly and independently along it: ln J = ln 0.95 + N(0, 0.2) + sum over k = 1..3 of
    N(0, 0.3/k) cos(k pi x), hidden. Each composition orders below its own critical temperature Tc,
    which solves sinh(2 Jx/Tc) sinh(2 Jy/Tc) = 1. The agent chooses where to measure, and how long.
    Measurements near the boundary tell most, but there the magnetization fluctuates most and
    relaxes slowest.

    Instrument and costs
    --------------------
    The furnace. One step is one measurement of a 32 x 32 lattice. It starts from an ordered
    lattice, since a disordered one freezes in stripes. An episode has 6,000 s and begins with an
    empty furnace at T = 0.8. The clock is a convention.

    Action Space
    ------------
    ``MultiDiscrete([24, 24, 3])``: indices of the composition, of the temperature and of the
    fidelity. The fidelities are 10 + 20, 40 + 80 and 100 + 300 sweeps of equilibration +
    measurement. In text compositions and temperatures are written to four decimals.

    Observation Space
    -----------------
    ``Box((2883,), float32)``: five maps of 24 x 24 cells, composition by temperature, flattened,
    then three numbers. A cell without a measurement shows the nearest measured one, as in the
    Voronoi maps that Fukami et al. (2021) proposed for sparse sensors; ``visited`` tells which
    cells were measured. All maps are zero before the first measurement.

    Reward
    ------
    The drop of the score. It telescopes: an episode earns the first score minus the last.

    Success and score
    -----------------
    Score: the percentage of the map that a fixed reconstruction puts into the wrong phase, which is
    the mean over compositions of |Tc_estimate - Tc|, divided by the length of the temperature
    axis. The reconstruction fits |m| of each measured composition by a falling (isotonic)
    function of T and places Tc where that crosses 0.66, the value of |m| at Tc on this lattice.
    Where all points lie on one side of 0.66, it extrapolates. Between measured compositions Tc is
    linear in x. Success: less than 2 %.

    Starting State
    --------------
    A new library at every reset. A library is kept if all its Tc lie in 1.1..3.7 and span more
    than 0.6. ``split="shift"`` draws rougher lines: k = 1..6 with N(0, 0.3/sqrt k).

    Episode End
    -----------
    ``terminated`` when less than the cheapest measurement (30 s) is left, or by an action that
    costs more than what is left; such an action does nothing and costs nothing.

    Arguments
    ---------
    split : {"train", "test", "shift"}
    difficulty : {"easy", "standard", "hard"}
        Budget of 8,000, 6,000 or 4,000 s.

    Baselines
    ---------
    Mean % of 300 test libraries at easy / standard / hard, and standard under shift: random
    9.82 / 9.91 / 10.67, 11.12 (+- 0.2); raster, a coarse grid, 2.25 / 4.38 / 9.31, 6.83 (+- 0.04 to
    0.26); scripted, bisection in T at every third composition, 1.76 / 2.39 / 6.35, 5.39 (+- 0.03 to
    0.21); strong, compositions from coarse to fine, 1.58 / 1.83 / 2.50, 2.90 (+- 0.03 to 0.07);
    expert, which knows the line and plans within the budget, 1.02 / 1.12 / 1.17, 1.36 (+- 0.02).
    ppo learns.

    References
    ----------
    Onsager, L. (1944), Phys. Rev. 65, 117.
    Kusne, A. G. et al. (2020), Nat. Commun. 11, 5966 (autonomous phase mapping).
    Fukami, K. et al. (2021), Nat. Mach. Intell. 3, 945.

    Version History
    ---------------
    v0: initial version.
    """

    program = Program(
        furnace.new_sample(tuple(COMPOSITIONS.round(4).tolist())),
        furnace.choose_temperature(tuple(TEMPERATURES.round(4).tolist())),
        furnace.measure(tuple(MEASURED.tolist()), tuple(EQUILIBRATION.tolist())),
    )
    panel = Panel(
        Field("magnetization", 0, 1, "mean abs(m), repeats averaged by sweeps", shape=GRID),
        Field("susceptibility", 0, 1, "ln(1 + chi) of abs(m)", "", CHI_SCALE, GRID),
        Field("energy", LOWEST_ENERGY, 1, "energy per site", "J", ENERGY_SCALE, GRID),
        Field("visited", 0, 1, "1/(1 + distance to the nearest measured cell)", shape=GRID),
        Field("fidelity", 0, 1, "ln(1 + measured sweeps)", "", SWEEPS_SCALE, GRID),
        Field("composition", 0, 1, "1 + index of the sample in the furnace, or 0", "", GRID[0]),
        Field("row", 0, 1, "index of the furnace's temperature", "", GRID[1] - 1),
        Field("left", 0, 1, "fraction of the budget left"),
    )
    display = ("composition", "row")
    terms = (Term("improvement", "drop of the score"),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.budget = BUDGETS[self.difficulty]  # s

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw libraries; the furnace is empty and cold."""
        lanes = len(streams)
        jx, jy, boundary = np.empty((3, lanes, GRID[0]))
        draw_libraries(ROUGH if self.split == "shift" else SMOOTH, streams, jx, jy, boundary)
        estimate = np.full((lanes, GRID[0]), 0.5 * (TEMPERATURES[0] + TEMPERATURES[-1]))
        return State(
            jx=jx,
            jy=jy,
            boundary=boundary,
            estimate=estimate,
            score=misclassified(estimate, boundary),
            means=np.zeros((lanes, 3, CELLS)),
            sweeps=np.zeros((lanes, CELLS), np.int64),
            nearest=np.full((lanes, CELLS), -1),
            composition=np.full(lanes, -1),
            row=np.zeros(lanes, np.int64),
            refused=np.zeros(lanes, np.bool_),
        )

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Load, ramp and measure where it is affordable; the reward is the drop of the score."""
        composition, row, fidelity = command
        temperature, lanes = TEMPERATURES[row], np.arange(len(streams))
        seconds = (
            furnace.SAMPLE_S * (composition != state.composition)
            + furnace.ramp_seconds(TEMPERATURES[state.row], temperature)
            + furnace.SWEEP_S * SWEEPS[fidelity]
        )
        affordable = clock.elapsed_s + seconds <= self.budget
        np.logical_not(affordable, out=state.refused)
        np.copyto(state.composition, composition, where=affordable)
        np.copyto(state.row, row, where=affordable)
        sweeps = affordable * MEASURED[fidelity]
        result = np.zeros((len(lanes), 3))
        measure_ordered(
            *(np.empty((len(lanes), SIZE, SIZE), np.int8), temperature),
            *(state.jx[lanes, composition], state.jy[lanes, composition], streams),
            *(affordable * EQUILIBRATION[fidelity], sweeps, result),
        )
        cell = composition * GRID[1] + row
        record(cell, sweeps, result, state.means, state.sweeps, state.nearest)
        magnetization = state.means[:, 0].reshape(-1, *GRID)
        measured = state.sweeps.reshape(-1, *GRID)
        reconstruct_boundary(magnetization, measured, TEMPERATURES, state.estimate)
        score = misclassified(state.estimate, state.boundary)
        drop = improvement(state.score, score)
        state.score[:] = score
        return Outcome({"improvement": drop}, np.where(affordable, seconds, 0.0))

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the reconstruction; the cheapest instruction repeats a short measurement."""
        broke = clock.elapsed_s + furnace.SWEEP_S * SWEEPS[0] > self.budget
        return Standing(state.score, state.score < SUCCESS_SCORE, state.refused | broke)

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show the nearest measurement in every cell, what is in the furnace, and the budget."""
        maps = np.empty((5, len(clock.steps), CELLS), np.float32)
        write_maps(state.means, state.sweeps, state.nearest, maps)
        return {
            **dict(zip(self.panel.fields, maps, strict=False)),
            "composition": (state.composition + 1) / GRID[0],
            "row": state.row / (GRID[1] - 1),
            "left": 1.0 - clock.elapsed_s / self.budget,
        }

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the measured cells and what is made of them; with the truth also the boundary."""
        from mattergym.envs.synthesis.phase_map_picture import draw_phase_map

        return draw_phase_map(
            state.means[lane, 0].reshape(GRID),
            state.sweeps[lane].reshape(GRID) > 0,
            TEMPERATURES,
            state.boundary[lane] if self.render_truth else None,
            state.estimate[lane],
            f"{state.score[lane]:.1f} % misclassified" if self.render_truth else "",
            1.0 - clock.elapsed_s[lane] / self.budget,
        )
