"""STEMAtomWalk-v0: walk a silicon atom through graphene with the electron beam."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.base import BatchEnv, SingleEnv
from mattergym.envs.instruments import Parameter
from mattergym.envs.stem.instrument import Stem
from mattergym.envs.validation import checked_choice
from mattergym.physics import atom_walk as walk
from mattergym.physics import crystals, imaging
from mattergym.physics.rng import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOLTAGE, APERTURE, CURRENT = 60e3, 0.030, 60.0
POSITION = Parameter("position", -2.0, 2.0, "A")
EXPOSURE = Parameter("seconds", 0.5, 5.0, "s")
IMAGE_S = 1.0
RATE_SCALES = (0.15, 1.0)  # 1/s
BUDGETS = (60.0, 90.0)  # over k0, s
LEAST_BUDGET = 120.0  # s
GOALS = (5.0, 20.0)  # A
DRIFT = 0.02  # A per sqrt(s)
MEMORY = 8
# Carbon hazard, offset of the beam in A.
LEVELS = {"easy": (0.01, 0.25), "standard": (0.02, 0.5), "hard": (0.05, 0.7)}
SHIFT = (2.0, 1.6)
TIME_PRICE, DAMAGE_PRICE = 2.0, 5.0
LONGEST = 600.0  # s, of all budgets
FAR, FARTHEST = 20.0, 48.0  # A, bonds: scales of observations

# The camera: 16 A across.
PIXELS, PIXEL_SIZE = 64, 0.25
GAIN, OFFSET, READ_NOISE = 0.8, 10.0, 2.0
SOURCE_SIZE = 0.5  # A
HALF_FIELD = 0.5 * (PIXELS - 1) * PIXEL_SIZE
# Where the silicon stands in a frame jitters by this much, in A.
JITTER = 0.3


@cache
def surroundings() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns around a silicon atom: positions (2, N, 2) in A by sublattice, cross-sections (N,).

    The silicon is the first.
    """
    reach = 10
    cells = [
        (i, j, t)
        for i in range(-reach, reach + 1)
        for j in range(-reach, reach + 1)
        for t in (0, 1)
    ]
    cells.sort(key=lambda cell: cell != (0, 0, 0))
    positions = np.stack(walk.position(*np.array(cells, np.float64).T), axis=1)
    near = np.abs(positions).max(axis=1) < HALF_FIELD + imaging.MARGIN + 1.0
    positions = positions[near]
    sections = np.full(len(positions), imaging.cross_section(crystals.CARBON, VOLTAGE))
    sections[0] = imaging.cross_section(crystals.SILICON, VOLTAGE)
    return np.stack([positions, -positions]), sections


@cache
def microscope() -> imaging.Haadf:
    """Return the camera: its probe and field."""
    return imaging.Haadf(PIXELS, PIXEL_SIZE, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)


@cache
def goal_sites() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sites within reach of sublattice 0's origin, (G, 3), and their distances in A, ascending."""
    reach = range(-10, 11)
    sites = np.array([(i, j, t) for i in reach for j in reach for t in (0, 1)])
    distance = np.hypot(*walk.position(*sites.T))
    order = np.argsort(distance, kind="stable")
    order = order[(distance[order] >= GOALS[0]) & (distance[order] <= GOALS[1])]
    return sites[order], distance[order]


@njit(cache=True)
def draw_episodes(
    lanes: Any,
    spread: float,
    sites: Any,
    distances: Any,
    streams: Any,
    hidden: Any,
    site: Any,
    goal: Any,
) -> None:
    """Draw k0, offset, budget and the goal of some lanes, and the sublattice they start from.

    ``hidden`` has rows k0 in 1/s, offset x, offset y in A, budget in s. Goals have distances
    uniform in their range. From sublattice 1 the picture is turned by 180 degrees.
    """
    for lane in lanes:
        s = streams[lane]
        low, high = np.log(RATE_SCALES[0]), np.log(RATE_SCALES[1])
        scale = np.exp(low + (high - low) * uniform(s))
        hidden[lane, 0] = scale
        hidden[lane, 1] = spread * normal(s)
        hidden[lane, 2] = spread * normal(s)
        budget = (BUDGETS[0] + (BUDGETS[1] - BUDGETS[0]) * uniform(s)) / scale
        hidden[lane, 3] = max(LEAST_BUDGET, budget)
        wanted = GOALS[0] + (GOALS[1] - GOALS[0]) * uniform(s)
        # Any of the sites in a shell of 1 A about the wanted distance.
        first = np.searchsorted(distances, wanted - 0.5)
        last = max(first + 1, np.searchsorted(distances, wanted + 0.5))
        pick = min(first + int(uniform(s) * (last - first)), len(distances) - 1)
        start = int(2.0 * uniform(s))
        sign = 1 - 2 * start
        site[lane, 0], site[lane, 1], site[lane, 2] = 0, 0, start
        goal[lane, 0], goal[lane, 1] = sign * sites[pick, 0], sign * sites[pick, 1]
        goal[lane, 2] = (sites[pick, 2] + start) % 2


@njit(cache=True)
def fill_jitter(streams: Any, jitter: Any) -> None:
    """Draw where the silicon stands in a frame, (n, 2) in A."""
    for k in range(jitter.shape[0]):
        for axis in range(2):
            jitter[k, axis] = JITTER * (2.0 * uniform(streams[k]) - 1.0)


@njit(cache=True)
def wander(seconds: Any, streams: Any, hidden: Any) -> None:
    """Let the beam's offset drift for some seconds in every lane."""
    for b in range(hidden.shape[0]):
        for axis in (1, 2):
            hidden[b, axis] += DRIFT * np.sqrt(seconds[b]) * normal(streams[b])


class STEMAtomWalkVectorEnv(BatchEnv):
    """Batch of :class:`STEMAtomWalkEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "make"
    domain: ClassVar[str] = "stem"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "budget"

    def __init__(self, num_envs: int = 1, observation: str = "features", **kwargs: Any) -> None:
        self.observation = checked_choice("observation", observation, ("features", "image"))
        self._imaging = observation == "image"
        memory = np.tile([1.0, 1.0, 1.0, 4.0, 4.0], MEMORY)
        high = np.concatenate([[4.0, 4.0, 1.0, 1.0], memory, [1.0, 1.0]]).astype(np.float32)
        low = -high
        low[[3, -2, -1]] = 0.0
        low[6 : 4 + 5 * MEMORY : 5] = 0.0
        space: spaces.Space[Any] = spaces.Box(low, high)
        # The image shows the sublattice.
        self._panel = seen = np.array([0, 1, *range(4, len(high))])
        if self._imaging:
            space = spaces.Dict(
                {
                    "haadf": spaces.Box(0, 255, (1, PIXELS, PIXELS), np.uint8),
                    "panel": spaces.Box(low[seen], high[seen]),
                }
            )
        axes = tuple(Parameter(n, POSITION.low, POSITION.high, "A") for n in ("x", "y"))
        super().__init__(
            num_envs,
            space,
            spaces.Box(-1.0, 1.0, (3,), np.float32),
            action_parameters=(*axes, EXPOSURE),
            **kwargs,
        )
        self.instrument: Stem = Stem(current=CURRENT, position=POSITION, exposure=EXPOSURE)
        self._hazard, self._spread = LEVELS[self.difficulty]
        if self.split == "shift":
            self._hazard *= SHIFT[0]
            self._spread *= SHIFT[1]
        field = PIXELS * PIXEL_SIZE / 10.0
        lines = Stem.FLYBACK_S * PIXELS
        self._dwell = (IMAGE_S - lines) / PIXELS**2 * 1e6  # us
        cost = self.instrument.cost
        self._image_dose = cost(
            "acquire", pixels=PIXELS**2, dwell=self._dwell, field_of_view=field
        )[1]
        self._electrons = self._image_dose * PIXEL_SIZE**2
        self._distances = walk.graph_distances()
        self._site, self._goal = np.zeros((2, num_envs, 3), np.int64)
        self._hidden = np.zeros((num_envs, 4))
        self._distance, self._way, self._seconds = np.zeros((3, num_envs))
        self._ejected = np.zeros(num_envs, np.bool_)
        # Beam x, y, seconds, move x, y of the last steps, newest first, in units of observations.
        self._memory = np.zeros((num_envs, MEMORY, 5))
        self._image = np.zeros((num_envs, 1, PIXELS, PIXELS), np.uint8)

    _configuration = BatchEnv._configuration | set(
        "observation _imaging _panel _hazard _spread _dwell _image_dose _electrons "
        "_distances".split()
    )

    @property
    def site(self) -> NDArray[np.int64]:
        """Cell and sublattice of the silicon, (B, 3)."""
        return self._site.copy()

    @property
    def goal(self) -> NDArray[np.int64]:
        """Cell and sublattice of the goal, (B, 3)."""
        return self._goal.copy()

    @property
    def hidden(self) -> NDArray[np.float64]:
        """Rate scale k0 in 1/s, beam offset x and y in A, budget in s, (B, 4)."""
        return self._hidden.copy()

    @property
    def hazard(self) -> float:
        """Carbon hazard h, over k0."""
        return self._hazard

    @property
    def offset_spread(self) -> float:
        """Standard deviation in A of the beam's offset, an axis, at the start."""
        return self._spread

    def _graph_distance(self) -> NDArray[np.float64]:
        """Bonds from the silicon to the goal, (B,)."""
        cells = self._goal[:, :2] - self._site[:, :2] + walk.SPAN
        i, j = np.clip(cells, 0, 2 * walk.SPAN).T
        return self._distances[self._site[:, 2], i, j, self._goal[:, 2]].astype(np.float64)

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        draw_episodes(
            lanes,
            self._spread,
            *goal_sites(),
            self.streams,
            self._hidden,
            self._site,
            self._goal,
        )
        self._memory[lanes] = 0.0
        self._ejected[lanes] = False
        self._distance[lanes] = self._graph_distance()[lanes]
        self._seconds[lanes] = 0.0
        self._way[lanes] = self._distance[lanes]
        self.ledger.table[2, lanes] = 2.0
        if self._imaging:
            self._acquire(lanes)

    def _acquire(self, lanes: NDArray[np.intp]) -> None:
        """Scan a frame about the silicon in some lanes."""
        offsets, sections = surroundings()
        streams = self.streams[lanes]
        jitter = np.empty((len(lanes), 2))
        fill_jitter(streams, jitter)
        columns = offsets[self._site[lanes, 2]] + HALF_FIELD + jitter[:, None]
        weights = np.broadcast_to(sections, columns.shape[:2])
        fractions = microscope()(np.arange(len(lanes)), columns, weights)
        counts = imaging.expose(fractions, self._electrons, streams)
        image = np.empty((len(lanes), PIXELS * PIXELS), np.uint8)
        flat = counts.reshape(len(lanes), -1)
        imaging.digitize(flat, GAIN, OFFSET, READ_NOISE, streams, image)
        self._image[lanes, 0] = image.reshape(-1, PIXELS, PIXELS)
        self.streams[lanes] = streams

    def _step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        beam = POSITION.from_action(action[:, :2])
        self._seconds = EXPOSURE.from_action(action[:, 2])
        before = self._site.copy()
        scale, offset, budget = self._hidden[:, 0], self._hidden[:, 1:3], self._hidden[:, 3]
        start = np.stack(walk.position(*before.T), axis=1)
        hazard = np.full(self.num_envs, self._hazard)
        walk.expose(
            start + beam + offset,
            self._seconds,
            scale,
            hazard,
            self._site,
            self.streams,
            self._ejected,
        )
        spent = self._seconds + IMAGE_S
        wander(spent, self.streams, self._hidden)
        parked = self._seconds * self.instrument.electrons_per_second / Stem.PARKED_AREA
        self.ledger.charge(spent, parked + self._image_dose)

        move = (np.stack(walk.position(*self._site.T), axis=1) - start) / walk.BOND
        entry = np.concatenate(
            [beam / POSITION.high, self._seconds[:, None] / EXPOSURE.high, move], axis=1
        )
        self._memory = np.concatenate([entry[:, None], self._memory[:, :-1]], axis=1)
        previous, self._distance = self._distance, self._graph_distance()
        progress = previous - self._distance
        time = -TIME_PRICE * spent / budget
        damage = np.where(self._ejected, -DAMAGE_PRICE, 0.0)
        arrived = (self._distance == 0.0) & ~self._ejected
        elapsed = self.ledger.elapsed_s
        way_left = np.minimum(self._distance / self._way, 1.0)
        score = np.where(arrived, np.minimum(elapsed / budget, 1.0), 1.0 + way_left)
        self.ledger.assess(score, arrived, self._ejected.astype(np.float64))
        terminated = arrived | self._ejected | (elapsed >= budget)
        terms = {"progress": progress, "time": time, "damage": damage}
        if self._imaging:
            self._acquire(np.arange(self.num_envs))
        return progress + time + damage, terminated, terms

    def _observe(self) -> Any:
        position = np.stack(walk.position(*(self._goal - self._site).T), axis=1)
        left = np.maximum(self._hidden[:, 3] - self.ledger.elapsed_s, 0.0)
        columns = (
            np.clip(position / FAR, -4.0, 4.0),
            1.0 - 2.0 * self._site[:, 2:],
            np.minimum(self._distance / FARTHEST, 1.0)[:, None],
            np.clip(self._memory.reshape(self.num_envs, -1), -4.0, 4.0),
            np.minimum(left / LONGEST, 1.0)[:, None],
            (left / self._hidden[:, 3])[:, None],
        )
        features = np.concatenate(columns, axis=1).astype(np.float32)
        if self._imaging:
            return {"haadf": self._image.copy(), "panel": features[:, self._panel]}
        return features

    def program(self, lane: int = 0) -> list[str]:
        """Exposure and frame of the last action of a lane, as text."""
        x, y, seconds = self._memory[lane, 0, :3]
        beam = {"x": x * POSITION.high, "y": y * POSITION.high}
        park = self.instrument["place_beam"].text(**beam, seconds=seconds * EXPOSURE.high)
        frame = self.instrument["acquire"].text(pixels=PIXELS**2, dwell=self._dwell)
        return [park, frame] if self._seconds[lane] > 0.0 else [frame]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        from mattergym.envs.stem.atom_walk_picture import draw_walk

        site, goal = self._site[lane], self._goal[lane]
        centre = np.array(walk.position(*site))
        text = f"{self._distance[lane]:.0f} bonds to go"
        text += "  carbon lost" if self._ejected[lane] else ""
        return draw_walk(
            centre,
            int(site[2]),
            np.array(walk.position(*goal)) - centre,
            self._memory[lane],
            self._electrons,
            f"{text}  {self.ledger.elapsed_s[lane]:.0f} s",
            1.0 - self.ledger.elapsed_s[lane] / self._hidden[lane, 3],
        )


class STEMAtomWalkEnv(SingleEnv):
    r"""Walk a silicon atom through graphene to a goal, hop by hop, with the electron beam.

    Description
    -----------
    A silicon atom has replaced a carbon of graphene at 60 kV. Under the beam it swaps places with
    one of its three neighbours, most readily with the one towards which the beam is parked: the
    rate for neighbour n is k0 [0.9 exp(-d^2/2w^2) + 0.1 exp(-d^2/2W^2)], d the distance of the
    beam from the point 0.85 A from the silicon towards n, w = 0.5 A, W = 0.9 A. k0 is hidden,
    0.15-1 /s. While the beam stays, hops go on from where the silicon then is. Each carbon is
    ejected at rate h k0 exp(-d^2/2s^2), d its distance from the beam, s = 0.3 A, h = 0.02: that
    ends the episode. The beam is not where it is commanded: a hidden offset, normal with 0.5 A an
    axis, drifts by 0.02 A per sqrt(s). The rates are a model with a measured peak and scale; that
    atoms under a 60 kV beam stay (carbon's knock-on threshold in graphene is far above, see
    :mod:`mattergym.physics.damage`) but near an impurity do not, is why h is a parameter.

    Instrument and costs
    --------------------
    The STEM: ``place_beam`` (0.5-5 s) at 60 pA, then ``acquire`` of 64 x 64 px (1 s), whose own
    dose, 1/256 of a second's parked beam an A^2, is taken to move nothing. Dose is counted over
    1 A^2 about the parked beam.

    Action Space
    ------------
    ``Box(-1, 1, (3,), float32)``.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0, 1 | commanded position x, y of the beam, from the silicon | A | -2..2 |
    | 2 | exposure | s | 0.5..5 |

    Observation Space
    -----------------
    ``observation="features"``: ``Box((46,), float32)``.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0, 1 | goal x, y from the silicon / 20 | A | -4..4 |
    | 2 | sublattice: 1 if a neighbour lies in +y, -1 if one lies in -y | 1 | -1, 1 |
    | 3 | bonds to the goal / 48 | 1 | 0..1 |
    | 4-43 | last eight steps, newest first: five numbers each, see below | 1 | -4..4 |
    | 44 | seconds left / 600 | s | 0..1 |
    | 45 | fraction of the budget left | 1 | 0..1 |

    Of a step: commanded x, y / 2 A, exposure / 5 s, the silicon's move x, y in bonds (1.42 A).

    ``observation="image"``: ``Dict(haadf=Box(0, 255, (1, 64, 64), uint8), panel=Box((44,)))``: a
    frame of 16 x 16 A about the silicon, and the features without sublattice and bonds.

    Reward
    ------
    Drop of the number of bonds to the goal (a potential difference), minus 2 times the seconds
    over the budget, minus 5 if a carbon is lost. Terms: ``progress``, ``time``, ``damage``.

    Success and score
    -----------------
    Success: the silicon is at the goal after a step. Score: the fraction of the budget that took,
    to be minimised; without success 1 plus the part of the way that is left, at most 2.

    Starting State
    --------------
    Goals are 5-20 A away, uniform in distance. k0 is log-uniform in 0.15-1 /s. The budget is
    uniform in 60-90 / k0 seconds, at least 120 s. ``split="shift"``: hazard twice, offset 1.6
    times as large.

    Episode End
    -----------
    Terminated at the goal, when a carbon is lost, or when the budget is spent.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (h 0.01 | 0.02 | 0.05, offset
    0.25 | 0.5 | 0.7 A), ``render_mode``.

    Baselines
    ---------
    | agent | features: score, success | image: score, success |
    |---|---|---|
    | random | 1.91, 0.01 | 1.90, 0.01 |
    | scripted: parks towards the neighbour nearest to the goal, 2 s | 1.15, 0.47 | 1.16, 0.46 |
    | ppo, 8 million steps | 1.00, 0.56 | |
    | particle-filter: infers offset and rate, then the expert's table | 0.77, 0.77 | 0.78, 0.77 |
    | expert: value iteration that knows rates and offset | 0.46, 0.95 | 0.50, 0.92 |

    Means of 1,000 test episodes, standard errors below 0.02.

    References
    ----------
    Susi, T. et al. (2014), Phys. Rev. Lett. 113, 115501.
    Dyck, O. et al. (2017), Appl. Phys. Lett. 111, 113104.
    Tripathi, M. et al. (2018), Nano Lett. 18, 5319.

    Version History
    ---------------
    v0: initial version.
    """

    batch_class = STEMAtomWalkVectorEnv
