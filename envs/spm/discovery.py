"""SPMDiscovery-v0: find where on a ferroelectric film the hysteresis loop is widest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.envs.program import Program
from mattergym.envs.spm import discovery_films as films
from mattergym.envs.spm import scanning_probe
from mattergym.envs.spm.discovery_films import SIZE
from mattergym.envs.task import Clock, Field, Image, Outcome, Panel, Standing, Task, Term
from mattergym.envs.validation import checked_choice
from mattergym.physics.film import domains, hysteresis
from mattergym.physics.rng import fill_normal, normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID, STRIDE = 24, 2  # places, px from place to place
PLACES = GRID * GRID
PIXEL_NM = 5
LOOPS = 50
# Row and column of the first place on the film, and of the first pixel beyond the last one.
FIRST = 9
END = FIRST + STRIDE * GRID
# Pixels, row and column, of the places 24 row + column.
PIXELS = FIRST + STRIDE * np.stack(np.divmod(np.arange(PLACES), GRID), axis=1)
# Part of the ranges, noise of the image, jitter of the tip's field from loop to loop.
LEVELS = {"easy": (0.5, 0.08, 0.01), "standard": (1.0, 0.15, 0.03), "hard": (1.0, 0.3, 0.06)}
SHIFT = (1.0, 2.0, 3.0)
REWARD_SCALE = 3.0  # V
SUCCESS_REGRET = 0.25
# Scales of observations in V and px; the largest signal; levels of pictures: P = 0, a unit of P.
AREA_SCALE, WALL_SCALE, SIGNAL = 30.0, 12.0, 2.0
OFFSET, LEVEL = 128.0, 60.0


class State(NamedTuple):
    """Films, what is true of their places, and what was measured there; places are flat."""

    polarization: NDArray[np.float32]  # (B, 64, 64), row y, column x, as all maps
    a: NDArray[np.float32]  # quadratic coefficient of the film, (B, 64, 64)
    field: NDArray[np.float32]  # random field, (B, 64, 64)
    law: NDArray[np.float64]  # of a loop, columns as in physics.hysteresis, (B, 5)
    picture: NDArray[np.float32]  # PFM image, (B, 64, 64)
    signal: NDArray[np.float32]  # of the image at the places, at most 2, (B, 576)
    walls: NDArray[np.float64]  # px to the nearest wall, at most 12, (B, 576)
    truth: NDArray[np.float64]  # loop areas without jitter, V, (B, 576)
    spread: NDArray[np.float64]  # standard deviation of the truth, V
    areas: NDArray[np.float64]  # averages of what was measured, V, (B, 576)
    visits: NDArray[np.int64]  # loops measured, (B, 576)
    place: NDArray[np.int64]  # of the last loop
    best: NDArray[np.float64]  # largest average so far, V
    regret: NDArray[np.float64]  # of the place that looks best, standard deviations


@njit(cache=True)
def draw_places(streams: Any, places: Any) -> None:
    """Draw a place in every lane, int64 (B,)."""
    for b in range(len(streams)):
        places[b] = int(PLACES * uniform(streams[b]))


@njit(cache=True)
def draw_gains(spread: float, streams: Any, gains: Any) -> None:
    """Draw the factor on the tip's field of one loop in every lane, float64 (B,)."""
    for b in range(len(streams)):
        gains[b] = np.exp(spread * normal(streams[b]))


@njit(cache=True)
def enter_loops(found: Any, *arrays: Any) -> None:
    """Average the areas found, float64 (B,), at ``place`` in; update ``best`` and ``regret``."""
    state = State(*arrays)
    for b in range(len(found)):
        areas, visits, truth = state.areas[b], state.visits[b], state.truth[b]
        incumbent, top = state.place[b], truth[0]
        n = visits[incumbent]
        areas[incumbent] = (n * areas[incumbent] + found[b]) / (n + 1)
        visits[incumbent] = n + 1
        for place in range(PLACES):
            if visits[place] > 0 and areas[place] > areas[incumbent]:
                incumbent = place
            top = max(top, truth[place])
        state.best[b] = max(state.best[b], areas[incumbent])
        state.regret[b] = (top - truth[incumbent]) / max(state.spread[b], 1e-9)


class SPMDiscovery(Task):
    """Find the place with the widest hysteresis loop on a ferroelectric film, in fifty loops.

    Description
    -----------
    A film of 320 x 320 nm (64 x 64 px) with relaxed domains is imaged by PFM. At any of 24 x 24
    places, 10 nm apart, the microscope can run a hysteresis loop: the bias goes up, down and up
    under the tip, and the polarisation there, weighted by the tip's field, is recorded while the
    Ginzburg-Landau equation is integrated in a window of 17 x 17 px (see
    :mod:`mattergym.physics.film.hysteresis`). The film is unaltered. What makes a loop wide is
    physics that is hidden and new in every episode: the tip's depth (1.5-2.6 px), the largest bias
    (7-10 V), the stiffness of walls (kappa 0.4-0.8), how fast the bias is ramped (400-680 steps a
    loop) and the film's disorder. The standard deviation of the coefficient a(x) is 0.12-0.35, that
    of the random field 0.03-0.12, and both are correlated over 1.3-2.5 px. The tip's field varies
    by 3 % from loop to loop.

    Instrument and costs
    --------------------
    The scanning probe. A step is a loop; the first, at a random place, is measured before and free.

    Action Space
    ------------
    ``MultiDiscrete([24, 24])``: row (y) and column (x) of the place.

    Observation Space
    -----------------
    ``observation="features"``: ``Box((2307,), float32)``, four maps of 24 x 24 places, row by row,
    and three numbers. The PFM signal has a noise of 0.15. ``observation="image"``: a ``Dict`` of
    pictures and of a panel with the three numbers. The PFM image is 128 at zero and has 60 levels a
    unit. The maps of loops are magnified twice; they begin at row and column 8 of the PFM image.

    Reward
    ------
    Increase of the largest area measured so far, over 3 V.

    Success and score
    -----------------
    Score: simple regret, to be minimised. It is the largest true area of the 576 places, minus the
    true area of the place whose measured area is largest, over the standard deviation of the true
    areas. Success: it is less than 0.25.

    Starting State
    --------------
    Film, tip and ramp are drawn anew. ``split="shift"``: the disorder is 1.5 times as strong and
    0.7 times as long, the noise 2 times and the jitter 3 times as large.

    Episode End
    -----------
    Terminated after 50 loops.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (the middle half | all | all
    of the ranges, noise 0.08 | 0.15 | 0.3, jitter 1 | 3 | 6 %), ``render_mode``.

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

    Means of 200 test episodes on features, standard errors 0.02-0.05. The expert's regret comes
    from the jitter.

    References
    ----------
    Vasudevan, R. K. et al. (2021), ACS Nano 15, 11253; arXiv:2011.13050 (loops at places chosen by
    a Gaussian process).
    Liu, Y. et al. (2022), Nat. Mach. Intell. 4, 341 (deep kernel learning on image patches).

    Version History
    ---------------
    v0: initial version.
    """

    program = Program(
        scanning_probe.spectroscopy(tuple(STRIDE * PIXEL_NM * k for k in range(GRID)))
    )
    panel = Panel(
        Field("signal", -SIGNAL, SIGNAL, "PFM signal", shape=(GRID, GRID)),
        Field("walls", 0, 1, "distance to the nearest wall", "px", WALL_SCALE, (GRID, GRID)),
        Field("areas", -1, 1, "mean area where measured, else 0", "V", AREA_SCALE, (GRID, GRID)),
        Field("measured", 0, 1, "1 where a loop was measured", shape=(GRID, GRID)),
        Field("best", 0, 1, "largest area so far", "V", AREA_SCALE),
        Field("last", 0, 1, "area at the place of the last loop", "V", AREA_SCALE),
        Field("left", 0, 1, "fraction of the loops left"),
    )
    display = ("place", "areas", "visits", "best")
    terms = (Term("improvement", "increase of the largest area measured so far, over 3 V"),)

    def __init__(self, observation: str = "features", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation = checked_choice("observation", observation, ("features", "image"))
        if observation == "image":
            self.panel = self.panel.without("signal", "walls", "areas", "measured")
            edge = GRID * STRIDE
            self.images = (
                Image("loops", (2, edge, edge), "areas from 0 to 30 V, then measured places"),
                Image("pfm", (1, SIZE, SIZE), "the PFM image"),
            )
        part, self.noise, self.jitter = LEVELS[self.difficulty]
        scale: Any = 1.0
        if self.split == "shift":
            part, self.noise, self.jitter = np.multiply(LEVELS[self.difficulty], SHIFT)
            scale = films.SHIFT
        middle = 0.5 * (films.LOW + films.HIGH)
        half = 0.5 * part * (films.HIGH - films.LOW)
        self.low, self.high = (middle - half) * scale, (middle + half) * scale

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw and relax films, take an image, find the truth, and measure a first loop."""
        lanes = len(streams)
        polarization, a, field, law = films.draw_films(self.low, self.high, streams)
        picture = np.empty_like(polarization)
        for lane, stream in zip(picture, streams, strict=True):
            fill_normal(stream, lane.reshape(-1))
        picture[:] = polarization + self.noise * picture
        signal = picture[:, FIRST:END:STRIDE, FIRST:END:STRIDE]
        distances = [domains.wall_distance(one)[tuple(PIXELS.T)] for one in polarization]
        truth, film = np.empty((lanes, PLACES)), (polarization, a, field)
        every, where = np.repeat(np.arange(lanes), PLACES), np.tile(PIXELS, (lanes, 1))
        hysteresis.loop_areas(*film, every, where, law, np.ones(len(every)), truth.reshape(-1))
        state = State(
            polarization=polarization,
            a=a,
            field=field,
            law=law,
            picture=picture,
            signal=np.clip(signal.reshape(lanes, PLACES), -SIGNAL, SIGNAL),
            walls=np.minimum(np.stack(distances), WALL_SCALE),
            truth=truth,
            spread=truth.std(axis=1),
            areas=np.zeros((lanes, PLACES)),
            visits=np.zeros((lanes, PLACES), np.int64),
            place=np.empty(lanes, np.int64),
            best=np.zeros(lanes),
            regret=np.empty(lanes),
        )
        draw_places(streams, state.place)
        self.measure(state, streams)
        return state

    def measure(self, state: State, streams: NDArray[np.uint64]) -> None:
        """Run a loop at the place of every lane, and enter it."""
        gains, found = np.empty((2, len(streams)))
        draw_gains(self.jitter, streams, gains)
        film = (state.polarization, state.a, state.field)
        every = np.arange(len(streams))
        hysteresis.loop_areas(*film, every, PIXELS[state.place], state.law, gains, found)
        enter_loops(found, *state)

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Measure a loop; the reward is the rise of the largest area."""
        before = state.best.copy()
        state.place[:] = GRID * command.y + command.x
        self.measure(state, streams)
        seconds = np.full(len(before), scanning_probe.SPECTROSCOPY_S)
        return Outcome({"improvement": (state.best - before) / REWARD_SCALE}, seconds)

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the regret."""
        return Standing(state.regret, state.regret < SUCCESS_REGRET, clock.steps >= LOOPS)

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show the film and what was measured there, as maps of places or as pictures."""
        areas, measured = state.areas / AREA_SCALE, state.visits > 0
        last = areas[np.arange(len(areas)), state.place]
        seen: dict[str, Any] = {
            "best": np.minimum(state.best / AREA_SCALE, 1.0),
            "last": np.minimum(np.maximum(last, 0.0), 1.0),
            "left": 1.0 - clock.steps / LOOPS,
        }
        if self.images:
            maps = 255.0 * np.stack([np.clip(areas, 0.0, 1.0), measured], axis=1)
            loops = maps.astype(np.uint8).reshape(-1, 2, GRID, GRID)
            seen["loops"] = loops.repeat(STRIDE, axis=2).repeat(STRIDE, axis=3)
            levels = np.clip(state.picture[:, None] * LEVEL + OFFSET, 0.0, 255.0)
            seen["pfm"] = levels.astype(np.uint8)
            return seen
        seen["signal"] = state.signal
        seen["walls"] = state.walls / WALL_SCALE
        seen["areas"] = np.minimum(np.maximum(areas, -1.0), 1.0)
        seen["measured"] = measured
        return seen

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the PFM image with the places measured, and the last loop beside it."""
        from mattergym.envs.spm.discovery_picture import draw_discovery

        measured, truth = np.flatnonzero(state.visits[lane]), state.truth[lane]
        pixel = PIXELS[state.place[lane]]
        film = (state.polarization[lane], state.a[lane], state.field[lane])
        return draw_discovery(
            state.picture[lane],
            PIXELS[measured],
            (state.areas[lane, measured] - truth.min()) / (truth.max() - truth.min()),
            pixel,
            hysteresis.loop_curve(*film, tuple(pixel), state.law[lane]),
            PIXEL_NM,
            f"regret {state.regret[lane]:.2f} sd  best {state.best[lane]:.1f}",
            1.0 - clock.steps[lane] / LOOPS,
        )
