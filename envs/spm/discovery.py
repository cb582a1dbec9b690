"""SPMDiscovery-v0: find where on a ferroelectric film the hysteresis loop is widest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.objectives import improvement
from mattergym.envs.old_base import BatchEnv, SingleEnv
from mattergym.envs.old_instruments import Parameter
from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.envs.spm.instrument import ScanningProbe
from mattergym.envs.validation import checked_choice
from mattergym.physics.film import domains, hysteresis
from mattergym.physics.film import landau as film_landau
from mattergym.physics.rng import fill_normal, normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE, GRID, STRIDE = 64, 24, 2
PLACES = GRID * GRID
PIXEL_NM = 5.0
LOOPS = 50
# Row and column of the first place on the film.
FIRST = 9
FIELD_PER_VOLT = 0.27
RELAXATION, START_LENGTH = 600, 3.0
DEPOLARIZATION = 0.03
# Ranges of what is hidden: tip depth in px, Vmax in V, kappa, steps of a loop, sd of a(x), sd of
# the random field, correlation length in px.
LOW = np.array([1.5, 7.0, 0.4, 400.0, 0.12, 0.03, 1.3])
HIGH = np.array([2.6, 10.0, 0.8, 680.0, 0.35, 0.12, 2.5])
# Part of the ranges, noise of the image, jitter of the tip's field from loop to loop.
LEVELS = {"easy": (0.5, 0.08, 0.01), "standard": (1.0, 0.15, 0.03), "hard": (1.0, 0.3, 0.06)}
SHIFT = (1.0, 2.0, 3.0)
# The shifted films: stronger disorder of shorter range.
SHIFT_LAW = np.array([1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 0.7])
AREA_SCALE, REWARD_SCALE, WALL_SCALE = 30.0, 3.0, 12.0
SUCCESS_REGRET = 0.25
LEVEL = 60.0
EDGE_NM = (GRID - 1) * STRIDE * PIXEL_NM


# Pixels, row and column, of the places 24 row + column.
PIXELS = FIRST + STRIDE * np.stack(np.divmod(np.arange(PLACES), GRID), axis=1)


def rows_and_columns(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels (n, 2) of places 24 row + column."""
    return PIXELS[places]


@njit(cache=True)
def draw_laws(
    lanes: Any, low: Any, high: Any, streams: Any, laws: Any, disorder: Any, white: Any
) -> None:
    """Draw hidden laws (B, 5), disorder (n, 3) and white noise (n, 3, H, W) of some lanes."""
    for k in range(len(lanes)):
        s = streams[lanes[k]]
        for column in range(7):
            value = low[column] + (high[column] - low[column]) * uniform(s)
            if column == hysteresis.STEPS:
                value = np.floor(value)
            if column < 4:
                laws[lanes[k], column] = value
            else:
                disorder[k, column - 4] = value
        laws[lanes[k], hysteresis.FIELD_PER_VOLT] = FIELD_PER_VOLT
        fill_normal(s, white[k].reshape(white[k].size))


@njit(cache=True)
def draw_places(lanes: Any, streams: Any, places: Any) -> None:
    """Draw a place in some lanes."""
    for lane in lanes:
        places[lane] = int(PLACES * uniform(streams[lane]))


@njit(cache=True)
def draw_gains(lanes: Any, spread: float, streams: Any, gains: Any) -> None:
    """Draw the factor (n,) on the tip's field of one loop in some lanes."""
    for k in range(len(lanes)):
        gains[k] = np.exp(spread * normal(streams[lanes[k]]))


@njit(cache=True)
def judge(
    lanes: Any,
    spots: Any,
    found: Any,
    truth: Any,
    spread: Any,
    areas: Any,
    visits: Any,
    best: Any,
    regret: Any,
) -> None:
    """Enter the loops found (n,) at spots (n,) of some lanes; update best area and regret.

    Parameters
    ----------
    truth, areas : ndarray of float64, shape (B, 576)
        Without jitter, hidden; and averages of what was measured.
    visits : ndarray of int64, shape (B, 576)
    spread, best, regret : ndarray of float64, shape (B,)
        Standard deviation of the truth; largest average so far; the gap between the largest truth
        and that of the place that looks best, in that deviation.
    """
    for k in range(len(lanes)):
        lane, spot = lanes[k], spots[k]
        n = visits[lane, spot]
        areas[lane, spot] = (n * areas[lane, spot] + found[k]) / (n + 1)
        visits[lane, spot] = n + 1
        incumbent, top = spot, truth[lane, 0]
        for place in range(PLACES):
            seen = visits[lane, place] > 0
            if seen and areas[lane, place] > areas[lane, incumbent]:
                incumbent = place
            top = max(top, truth[lane, place])
        best[lane] = max(best[lane], areas[lane, incumbent])
        regret[lane] = (top - truth[lane, incumbent]) / max(spread[lane], 1e-9)


@njit(cache=True)
def fill_maps(pictures: Any, walls: Any, areas: Any, visits: Any, out: Any) -> None:
    """Fill the maps of the feature observation (B, 4 * 576 + ...)."""
    for lane in range(len(out)):
        for place in range(PLACES):
            row, column = FIRST + STRIDE * (place // GRID), FIRST + STRIDE * (place % GRID)
            signal, area = pictures[lane, row, column], areas[lane, place] / AREA_SCALE
            out[lane, place] = min(max(signal, -2.0), 2.0)
            out[lane, PLACES + place] = min(walls[lane, place] / WALL_SCALE, 1.0)
            out[lane, 2 * PLACES + place] = min(max(area, -1.0), 1.0)
            out[lane, 3 * PLACES + place] = visits[lane, place] > 0


class SPMDiscoveryVectorEnv(BatchEnv):
    """Batch of :class:`SPMDiscoveryEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "discover"
    domain: ClassVar[str] = "spm"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "sd"

    def __init__(self, num_envs: int = 1, observation: str = "features", **kwargs: Any) -> None:
        self.observation = checked_choice("observation", observation, ("features", "image"))
        self._imaging = observation == "image"
        low = np.zeros(4 * PLACES + 3, np.float32)
        low[:PLACES] = -2.0
        low[2 * PLACES : 3 * PLACES] = -1.0
        high = np.ones_like(low)
        high[:PLACES] = 2.0
        space: spaces.Space[Any] = spaces.Box(low, high)
        if self._imaging:
            edge = GRID * STRIDE
            space = spaces.Dict(
                {
                    "loops": spaces.Box(0, 255, (2, edge, edge), np.uint8),
                    "panel": spaces.Box(low[-3:], high[-3:]),
                    "pfm": spaces.Box(0, 255, (1, SIZE, SIZE), np.uint8),
                }
            )
        super().__init__(num_envs, space, spaces.MultiDiscrete([GRID, GRID]), **kwargs)
        x, y = (Parameter(name, 0.0, EDGE_NM, "nm") for name in ("x", "y"))
        self.instrument = ScanningProbe(x, y, Parameter("voltage", 0.0, HIGH[1], "V"))
        part, self._noise, self._jitter = LEVELS[self.difficulty]
        scale: Any = 1.0
        if self.split == "shift":
            part, self._noise, self._jitter = np.multiply(LEVELS[self.difficulty], SHIFT)
            scale = SHIFT_LAW
        middle, half = 0.5 * (LOW + HIGH), 0.5 * part * (HIGH - LOW)
        self._low, self._high = (middle - half) * scale, (middle + half) * scale
        shape = (num_envs, SIZE, SIZE)
        self._films, self._a, self._field, self._picture = np.zeros((4, *shape), np.float32)
        self._laws = np.ones((num_envs, 5))
        self._truth, self._areas, self._walls = np.zeros((3, num_envs, PLACES))
        self._visits = np.zeros((num_envs, PLACES), np.int64)
        self._last = np.zeros(num_envs, np.int64)
        self._best, self._spread = np.zeros((2, num_envs))

    _configuration = BatchEnv._configuration | set(
        "observation _imaging _noise _jitter _low _high".split()
    )

    @property
    def truth(self) -> NDArray[np.float64]:
        """Hidden: loop areas of all places without jitter, (B, 576)."""
        return self._truth.copy()

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        white = np.empty((len(lanes), 3, SIZE, SIZE))
        disorder = np.empty((len(lanes), 3))
        draw_laws(lanes, self._low, self._high, self.streams, self._laws, disorder, white)
        smooth = film_landau.correlated_noise
        for k, lane in enumerate(lanes):
            spread, bias, length = disorder[k]
            self._a[lane] = -1.0 + spread * smooth(white[k, :1], length)[0]
            self._field[lane] = bias * smooth(white[k, 1:2], length)[0]
        self._films[lanes] = 0.3 * smooth(white[:, 2], START_LENGTH)
        none, still = np.zeros(self.num_envs), np.zeros_like(self._films)
        steps = np.full(self.num_envs, RELAXATION)
        for lane in lanes:
            landau = film_landau.Landau(
                kappa=float(self._laws[lane, hysteresis.KAPPA]),
                alpha=DEPOLARIZATION,
                dt=float(hysteresis.DT),
            )
            one = np.array([lane])
            films = (self._films, self._a, self._field, still)
            film_landau.relax(one, *films, none, steps, landau, self.streams)
            fill_normal(self.streams[lane], self._picture[lane].reshape(-1))
        self._picture[lanes] = self._films[lanes] + self._noise * self._picture[lanes]
        for lane in lanes:
            self._walls[lane] = domains.wall_distance(self._films[lane])[tuple(PIXELS.T)]
        every = np.tile(np.arange(PLACES), len(lanes))
        truth = self._measure(np.repeat(lanes, PLACES), every, np.ones(len(every)))
        self._truth[lanes] = truth.reshape(-1, PLACES)
        self._spread[lanes] = self._truth[lanes].std(axis=1)
        self._areas[lanes] = 0.0
        self._visits[lanes] = 0
        self._best[lanes] = 0.0
        first = np.zeros(self.num_envs, np.int64)
        draw_places(lanes, self.streams, first)
        self._visit(lanes, first)

    def _measure(
        self, lanes: NDArray[np.intp], places: NDArray[np.int64], gains: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Areas of loops at some places, one of each lane listed."""
        areas = np.empty(len(lanes))
        hysteresis.loop_areas(
            self._films,
            self._a,
            self._field,
            lanes,
            rows_and_columns(places),
            self._laws,
            gains,
            areas,
        )
        return areas

    def _visit(self, lanes: NDArray[np.intp], places: NDArray[np.int64]) -> None:
        """Measure a loop in some lanes and judge them; places are given for all lanes."""
        gains = np.empty(len(lanes))
        draw_gains(lanes, self._jitter, self.streams, gains)
        spots = places[lanes]
        judge(
            lanes,
            spots,
            self._measure(lanes, spots, gains),
            self._truth,
            self._spread,
            self._areas,
            self._visits,
            self._best,
            self.ledger.table[2],
        )
        self._last[lanes] = spots
        self.ledger.table[4, lanes] = self.ledger.table[2, lanes] < SUCCESS_REGRET

    def _step(
        self, action: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        before = self._best.copy()
        self._visit(np.arange(self.num_envs), action[:, 0] * GRID + action[:, 1])
        self.ledger.charge(self.instrument.cost("spectroscopy")[0])
        found = improvement(-before, -self._best) / REWARD_SCALE
        return found, self._steps + 1 >= LOOPS, {"improvement": found.copy()}

    def _panel(self) -> NDArray[np.float64]:
        """Best area, the last one, and the fraction of the loops left, (B, 3)."""
        panel = np.empty((self.num_envs, 3))
        panel[:, 0] = self._best / AREA_SCALE
        panel[:, 1] = self._areas[np.arange(self.num_envs), self._last] / AREA_SCALE
        panel[:, 2] = 1.0 - self._steps / LOOPS
        return np.minimum(np.maximum(panel, 0.0), 1.0)

    def _observe(self) -> Any:
        panel = self._panel().astype(np.float32)
        if self._imaging:
            pfm = np.clip(self._picture[:, None] * LEVEL + 128.0, 0.0, 255.0)
            areas, visited = self._areas / AREA_SCALE, self._visits > 0
            maps = np.stack([np.clip(areas, 0.0, 1.0), visited], axis=1) * 255.0
            loops = maps.astype(np.uint8).reshape(-1, 2, GRID, GRID)
            loops = loops.repeat(STRIDE, axis=2).repeat(STRIDE, axis=3)
            return {"loops": loops, "panel": panel, "pfm": pfm.astype(np.uint8)}
        out = np.empty((self.num_envs, 4 * PLACES + 3), np.float32)
        fill_maps(self._picture, self._walls, self._areas, self._visits, out)
        out[:, 4 * PLACES :] = panel
        return out

    def program(self, lane: int = 0) -> list[str]:
        """Loop of the last action of a lane, as text."""
        row, column = divmod(int(self._last[lane]), GRID)
        spectroscopy = self.instrument["spectroscopy"]
        x, y = (STRIDE * PIXEL_NM * k for k in (column, row))
        return [spectroscopy.text(x=x, y=y, voltage=self._laws[lane, hysteresis.VOLTS])]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        from mattergym.envs.spm.discovery_picture import draw_loop

        zoom = 6
        frame = image_to_rgb(self._picture[lane], -1.5, 1.5, "cividis", SIZE * zoom)
        visited = np.flatnonzero(self._visits[lane])
        low, high = self._truth[lane].min(), self._truth[lane].max()
        for place in visited:
            y, x = rows_and_columns(np.array([place]))[0] * zoom + zoom // 2
            share = (self._areas[lane, place] - low) / (high - low)
            colour = image_to_rgb(np.array([[share]]), 0.0, 1.0, "inferno", 1)[0, 0]
            frame[y - 5 : y + 6, x - 5 : x + 6] = 255 if place == self._last[lane] else 0
            frame[y - 4 : y + 5, x - 4 : x + 5] = colour
        frame = np.ascontiguousarray(frame[::-1])
        add_scale_bar(frame, round(100.0 / PIXEL_NM * zoom), "100 nm")
        place = rows_and_columns(self._last[lane : lane + 1])[0]
        film = self._films[lane], self._a[lane], self._field[lane]
        curve = hysteresis.loop_curve(*film, tuple(place), self._laws[lane])
        right = draw_loop(*curve, frame.shape[0])
        gap = np.full((frame.shape[0], 8, 3), 24, np.uint8)
        text = f"regret {self.ledger.table[2, lane]:.2f} sd  best {self._best[lane]:.1f}"
        whole = np.concatenate([frame, gap, right], axis=1)
        return add_status_strip(whole, text, 1.0 - self._steps[lane] / LOOPS)


class SPMDiscoveryEnv(SingleEnv):
    r"""Find the place with the widest hysteresis loop on a ferroelectric film, in fifty loops.

    Description
    -----------
    A film of 320 x 320 nm (64 x 64 px) with relaxed domains is imaged by PFM. At any of 24 x 24
    places, 10 nm apart, the microscope can run a hysteresis loop: the bias goes up, down and up
    under the tip, and the polarisation there, weighted by the tip's field, is recorded while the
    Ginzburg-Landau equation is integrated in a window of 17 x 17 px (see
    :mod:`mattergym.physics.film.hysteresis`). The film is unaltered. What makes a loop wide is physics
    that is hidden and new in every episode: the tip's depth (1.5-2.6 px), the bias (7-10 V), the
    wall stiffness (kappa 0.4-0.8), how fast the bias is ramped (400-680 steps a loop) and the
    film's disorder (a(x) 0.12-0.35, random field 0.03-0.12, correlated over 1.3-2.5 px). The
    tip's field varies by 3 % from loop to loop.

    Instrument and costs
    --------------------
    The scanning probe: ``spectroscopy``, 1.73 s a loop with its move. The first loop, at
    a random place, is measured before the episode begins.

    Action Space
    ------------
    ``MultiDiscrete([24, 24])``: row (y) and column (x) of the place.

    Observation Space
    -----------------
    ``observation="features"``: ``Box((2307,), float32)``, maps of 24 x 24 places row by row.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0-575 | PFM signal, noise 0.15 | 1 | -2..2 |
    | 576-1151 | distance to the nearest wall / 12 | px | 0..1 |
    | 1152-1727 | loop area / 30, repeats averaged, 0 where not measured | V | -1..1 |
    | 1728-2303 | measured | 1 | 0, 1 |
    | 2304-2306 | best area / 30, last area / 30, fraction of the loops left | V, V, 1 | 0..1 |

    ``observation="image"``: ``Dict(pfm=Box(0, 255, (1, 64, 64), uint8), loops=Box(0, 255, (2, 48,
    48), uint8), panel=Box(0, 1, (3,)))``: the PFM image (128 at zero, 60 levels a unit), the maps
    of area and measured places magnified twice (they begin at pixel 8 of the image), the last
    three numbers.

    Reward
    ------
    Increase of the largest area measured so far, over 3 V.

    Success and score
    -----------------
    Score: simple regret, to be minimised: the largest true area of the 576 places less that of the
    place whose measured area is largest, over the standard deviation of the map. Success: less
    than 0.25.

    Starting State
    --------------
    Film, tip and ramp are drawn anew. ``split="shift"``: disorder 1.5 times as strong and 0.7
    times as long, 2 times the noise, 3 times the jitter.

    Episode End
    -----------
    Terminated after 50 loops.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (half | all | all of the
    ranges, noise 0.08 | 0.15 | 0.3, jitter 1 | 3 | 6 %), ``render_mode``.

    Baselines
    ---------
    | agent | regret |
    |---|---|
    | walls-first: places on walls | 0.92 |
    | random | 0.72 |
    | grid of 7 x 7 places | 0.62 |
    | scripted: bright places less than 5 px from a wall | 0.29 |
    | gp-xy: Gaussian process (UCB) on the place | 0.21 |
    | bo: on the place and symmetrised patches | 0.18 |
    | gp-walls: on the place, wall distance and brightness | 0.17 |
    | expert: knows the areas | 0.01 |

    Means of 200 test episodes on features, standard errors 0.02-0.05. What is left to the expert is
    jitter.

    References
    ----------
    Vasudevan, R. K. et al. (2021), ACS Nano 15, 11253; arXiv:2011.13050 (loops at places chosen by
    a Gaussian process).
    Liu, Y. et al. (2022), Nat. Mach. Intell. 4, 341 (deep kernel learning on image patches).

    Version History
    ---------------
    v0: initial version.
    """

    batch_class = SPMDiscoveryVectorEnv
