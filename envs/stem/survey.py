"""STEMSurvey-v0: find the point defects of a layer before the dose is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mattergym.envs.objectives import dose_efficiency
from mattergym.envs.program import Program
from mattergym.envs.stem import microscope
from mattergym.envs.task import Clock, Field, Image, Outcome, Panel, Standing, Task, Term
from mattergym.envs.validation import checked_choice
from mattergym.physics.layers import survey
from mattergym.physics.layers.survey import DOPANTS, FIELDS, PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = FIELDS**2
DOSES = np.array([500.0, 2000.0, 8000.0])  # e/A^2
FRAME = (PIXELS**2, survey.FIELD / 10.0, 50.0)  # px, nm, pA
SECONDS = microscope.frame_seconds(PIXELS**2, microscope.dwell_of_dose(DOSES, *FRAME))
BUDGET = 30 * DOSES[-1]  # e/A^2, summed over fields
THRESHOLD, SUCCESS = 6.0, 0.25
ODDS = float(np.log(0.02 / 0.98))  # prior log odds of a defect, for the numbers observed
BACKGROUND = 0.01
CLUSTERS, PEAK, WIDTH = 2, 0.7, 0.9 * survey.FIELD
WALL, WALL_WIDTH = 0.15, 4.0  # A
# Chance of a dopant over that of a vacancy.
DOPED = 0.2
# Background of the control without clusters: as many defects in the mean.
UNIFORM = 0.078
# Chance to lose an atom per column and e/A^2; factor on the peaks of clusters and the boundary.
LEVELS = {"easy": (3e-8, 1.4), "standard": (1e-7, 1.0), "hard": (3e-7, 1.0)}
# On damage, chances, and the part of the beam's current that forms the image.
SHIFT = (3.0, 0.6, 0.7)
# The observation: maps of a number a field, and scales.
MAPS, MAP = ("expected", "dose", "evidence"), (FIELDS, FIELDS)
EXPECTED, EVIDENCE, CALLED = 20.0, 60.0, 300.0
DOSED = float(np.log1p(BUDGET / DOSES[0]))
ZOOM, FRAME_GAIN = 4, 8  # px a field of the picture of the maps; levels a count of the frame


class Law(NamedTuple):
    """How defects are drawn, in the order that ``survey.draw_defects`` takes it."""

    background: float  # chance of a site
    clusters: int
    peak: float  # chance at a cluster's centre
    width: float  # A, standard deviation
    wall: float  # chance at the boundary
    wall_width: float  # A, standard deviation
    dopants: float  # chance over that of vacancies


class State(NamedTuple):
    """Layers under the beam, of S sites, and what is known of them."""

    density: NDArray[np.float32]  # chance of a defect at each site, (B, S)
    present: NDArray[np.int8]  # 1: a defect; 2: one that the beam made, (B, S)
    evidence: NDArray[np.float32]  # log-likelihood ratio of a defect at each site, (B, S)
    # Of every field: true calls, false calls, expected defects, largest ratio; (B, 4, 100).
    summary: NDArray[np.float64]
    doses: NDArray[np.float64]  # of every field, e/A^2, (B, 100)
    counts: NDArray[np.int32]  # the last frame, (B, 4096)
    field: NDArray[np.int64]  # that was scanned last; -1 for none
    refused: NDArray[np.bool_]  # the last dose was more than what was left
    total: NDArray[np.float64]  # defects at the start
    finds: NDArray[np.float64]  # true calls less false ones
    area: NDArray[np.float64]  # under the fraction found against dose


class STEMSurvey(Task):
    """Find the point defects of a 20 x 20 nm layer of WS2 on a limited dose.

    Description
    -----------
    A 60 kV STEM looks at 100 fields of 2 x 2 nm. The sites are the columns of the layer: a column
    of two sulfurs may lack one, a tungsten may be a molybdenum. Two Gaussian clusters of defects
    (standard deviation 0.9 field, peak chance 0.7 a sulfur column) and a straight grain boundary
    (chance 0.15, standard deviation 4 A; the lattice goes on across it) lie over a background of
    1 %; the chance of a molybdenum is 0.2 times that of a vacancy. Frames are Poisson counts of
    the HAADF image, with cross-sections from abTEM. A fixed analyst knows the perfect layer, adds
    up the log-likelihood ratio of every site over its visits, and calls a defect above 6. A single
    vacancy is called with probability 0.53 at 8,000 e/A^2 and hardly ever at 2,000; a molybdenum
    is called with probability 0.75 at 2,000 e/A^2.

    The beam makes new vacancies, with a chance of 1e-7 a column and e/A^2: in proportion to dose,
    as radiolysis would, not by a knock-on threshold. Calling one of them counts as a false call.

    Instrument and costs
    --------------------
    The STEM at 50 pA; one step goes to a field and takes a frame of 64 x 64 px there. The budget
    is dose, summed over fields: 240,000 e/A^2, which is 30 fields at the highest dose.

    Action Space
    ------------
    ``MultiDiscrete([10, 10, 3])``: row (y) and column (x) of the field, and the dose.

    Observation Space
    -----------------
    ``observation="features"``: ``Box(0, 1, (304,), float32)``, maps row by row.
    ``observation="image"``: a ``Dict`` of the three maps as a picture in which a field is 4 x 4
    px, of the last frame, and of a panel without the maps.

    Reward
    ------
    Change of the number of true calls less false ones (a potential difference).

    Success and score
    -----------------
    Score: DEC-AUC, the area under (true - false)/N against dose, over the budget, where N is the
    number of defects at the start. What a frame finds counts from the frame's end, and the last
    value holds until the budget's end. Success: (true - false)/N is at least 0.25.

    Starting State
    --------------
    A new specimen, with new clusters and boundary, of which nothing has been seen.
    ``split="shift"``: three times the damage, 0.6 times the chances of defects, and only 0.7 of
    the current forms the image.

    Episode End
    -----------
    Terminated when less than the lowest dose is left, or when a dose is asked that is more than
    what is left; that dose is not applied.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``defects`` ("clusters" | "uniform": a chance of 7.8 %
    everywhere, the control on which navigation cannot matter), ``material`` ("WS2" | "MoS2" with
    W as the dopant | "graphene" with Si), ``split``, ``difficulty`` (damage 3e-8 | 1e-7 | 3e-7;
    chances of clusters and boundary times 1.4 | 1 | 1), ``render_mode``.

    Baselines
    ---------
    | agent | clusters | uniform |
    |---|---|---|
    | random | 0.083 | 0.080 |
    | raster: field by field at the top dose | 0.086 | 0.088 |
    | survey-revisit: all fields at the lowest dose, then the densest | 0.249 | 0.070 |
    | scripted: half of the fields at the lowest dose, then the densest | 0.270 | 0.079 |
    | adaptive: a grid at the middle dose, then around what is dense | 0.263 | 0.087 |
    | bayes: myopic, knows the law of the specimens | 0.295 | 0.088 |
    | density: knows the density of every field, not the sites | 0.435 | 0.088 |
    | expert: knows every defect | 0.445 | 0.173 |
    | ppo, 3 million steps | 0.196 | |

    Means of 1,000 test episodes, standard errors below 0.003.

    References
    ----------
    Krivanek, O. L. et al. (2010), Nature 464, 571 (atoms told by their intensity).
    Neyman, J. & Pearson, E. S. (1933), Phil. Trans. R. Soc. A 231, 289.
    arXiv:2606.29592 (STEMGym: with uniformly spread defects navigation does not matter).

    Version History
    ---------------
    v0: initial version.
    """

    program = Program(microscope.move_stage(FIELDS), microscope.acquire_dose(DOSES, *FRAME))
    panel = Panel(
        Field("expected", 0, 1, "defects expected in every field, prior 2 %", "", EXPECTED, MAP),
        Field("dose", 0, 1, "ln(1 + D/500), D the dose of every field", "", DOSED, MAP),
        Field("evidence", 0, 1, "largest log-likelihood ratio in every field", "", EVIDENCE, MAP),
        Field("row", 0, 1, "row of the last field", "", FIELDS - 1),
        Field("column", 0, 1, "column of the last field", "", FIELDS - 1),
        Field("called", 0, 1, "sites called, true or false", "", CALLED),
        Field("left", 0, 1, "dose left", "e/A^2", BUDGET),
    )
    display = ("doses",)
    terms = (Term("finds", "change of the true calls less the false ones"),)

    def __init__(
        self,
        observation: str = "features",
        defects: str = "clusters",
        material: str = "WS2",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.observation = checked_choice("observation", observation, ("features", "image"))
        self.defects = checked_choice("defects", defects, ("clusters", "uniform"))
        self.material = checked_choice("material", material, tuple(DOPANTS))
        if observation == "image":
            maps = "; ".join(self.panel.fields[name].meaning for name in MAPS)
            self.panel = self.panel.without(*MAPS)
            self.images = (
                Image("frame", (1, PIXELS, PIXELS), f"last frame, {FRAME_GAIN} levels a count"),
                Image("maps", (len(MAPS), FIELDS * ZOOM, FIELDS * ZOOM), f"maps times 255: {maps}"),
            )
        harm, fewer, self.efficiency = SHIFT if self.split == "shift" else (1.0, 1.0, 1.0)
        damage, contrast = LEVELS[self.difficulty]
        self.damage, contrast = damage * harm, contrast * fewer
        if defects == "clusters":
            peaks = (PEAK * contrast, WIDTH, WALL * contrast, WALL_WIDTH)
            self.law = Law(BACKGROUND, CLUSTERS, *peaks, DOPED)
        else:
            self.law = Law(UNIFORM * contrast, 0, 0.0, 1.0, 0.0, 1.0, DOPED)

    @property
    def layer(self) -> survey.Layer:
        """The perfect layer."""
        return survey.perfect_layer(self.material)

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw the defects; nothing is known of them yet."""
        lanes, layer = len(streams), self.layer
        density, evidence = np.zeros((2, lanes, len(layer.vacancy)), np.float32)
        present = np.zeros(density.shape, np.int8)
        sites = (layer.positions, *self.law, layer.vacancy)
        survey.draw_defects(np.arange(lanes), *sites, streams, density, present)
        summary = np.zeros((lanes, 4, CELLS))
        summary[:, 2] = np.diff(layer.first) / (1.0 + np.exp(-ODDS))
        return State(
            density=density,
            present=present,
            evidence=evidence,
            summary=summary,
            doses=np.zeros((lanes, CELLS)),
            counts=np.zeros((lanes, PIXELS**2), np.int32),
            field=np.full(lanes, -1, np.int64),
            refused=np.zeros(lanes, np.bool_),
            total=present.sum(axis=1, dtype=np.float64),
            finds=np.zeros(lanes),
            area=np.zeros(lanes),
        )

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Scan a field if the dose is left; the analyst weighs its sites, the beam harms some."""
        dose, layer = DOSES[command.dose], self.layer
        state.refused[:] = clock.dose + dose > BUDGET
        dose[state.refused] = 0.0
        state.field[:] = np.where(state.refused, -1, FIELDS * command.row + command.column)
        electrons = self.efficiency * dose * survey.PIXEL**2
        survey.scan_fields(
            *(state.field, electrons, self.damage * dose),
            *(layer.first, layer.mean, layer.corner, layer.loss, layer.log_ratio, layer.total_loss),
            layer.vacancy,
            *(state.present, state.evidence, streams, np.empty(state.counts.shape), state.counts),
        )
        scanned = (state.field, layer.first, state.present, state.evidence)
        survey.summarize(*scanned, THRESHOLD, ODDS, state.summary)
        state.doses[np.arange(len(dose)), np.maximum(state.field, 0)] += dose
        before = state.finds.copy()
        state.finds[:] = (state.summary[:, 0] - state.summary[:, 1]).sum(axis=1)
        state.area[:] += before / np.maximum(state.total, 1.0) * dose
        seconds = np.where(state.refused, 0.0, SECONDS[command.dose])
        return Outcome({"finds": state.finds - before}, seconds, dose)

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the area under the fraction found; damage is the number of new vacancies."""
        fraction = state.finds / np.maximum(state.total, 1.0)
        return Standing(
            score=dose_efficiency(state.area, clock.dose, fraction, BUDGET),
            success=state.finds >= SUCCESS * state.total,
            over=state.refused | (clock.dose + DOSES[0] > BUDGET),
            damage=(state.present == 2).sum(axis=1),
        )

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show what the analyst makes of every field, where the stage is, and what is left."""
        expected = state.summary[:, 2] / EXPECTED
        dose = np.log1p(state.doses / DOSES[0]) / DOSED
        maps = np.stack([expected, dose, state.summary[:, 3] / EVIDENCE], axis=1)
        maps = np.clip(maps, 0.0, 1.0, out=maps).reshape(-1, len(MAPS), *MAP)
        place = np.maximum(state.field, 0)
        called = state.summary[:, :2].sum(axis=(1, 2))
        seen = {
            "row": place // FIELDS / (FIELDS - 1),
            "column": place % FIELDS / (FIELDS - 1),
            "called": np.minimum(called / CALLED, 1.0),
            "left": 1.0 - clock.dose / BUDGET,
        }
        if not self.images:
            return {**seen, **{name: maps[:, k] for k, name in enumerate(MAPS)}}
        picture = np.round(255.0 * maps).astype(np.uint8)
        frame = np.minimum(state.counts * FRAME_GAIN, 255).astype(np.uint8)
        return {
            **seen,
            "frame": frame.reshape(-1, 1, PIXELS, PIXELS),
            "maps": picture.repeat(ZOOM, axis=2).repeat(ZOOM, axis=3),
        }

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the mosaic of fields with what was called, and the last frame."""
        from mattergym.envs.stem.survey_picture import draw_survey

        score = self.assess(state, clock).score[lane]
        true, false = state.summary[lane, :2].sum(axis=1)
        return draw_survey(
            self.layer,
            state.present[lane],
            state.evidence[lane] > THRESHOLD,
            state.doses[lane],
            state.counts[lane].reshape(PIXELS, PIXELS),
            f"DEC-AUC {score:.3f}  {true:.0f} true, {false:.0f} false",
            1.0 - clock.dose[lane] / BUDGET,
        )
