"""SPMDomainWriting-v0: write a pattern of ferroelectric domains with the tip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.envs.objectives import intersection_over_union
from mattergym.envs.program import Program
from mattergym.envs.spm import scanning_probe
from mattergym.envs.task import Clock, Field, Image, Outcome, Panel, Standing, Task, Term
from mattergym.envs.validation import checked_choice
from mattergym.physics.film import landau, writing
from mattergym.physics.film.writing import SIZE
from mattergym.physics.rng import fill_normal, normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

PULSES = 50
PIXEL_NM = 5.0
VOLTAGE = 9.0  # V, the strongest
DURATIONS = (1e-4, 1.0)  # s
FRAME_RATE = 8.0  # Hz
SUCCESS_IOU = 0.9
# Standard deviation of the log gain from pulse to pulse.
CONTACT_JITTER = 0.05
# Standard deviation of the tip's log gain; noise of the image; factor on the disorder.
LEVELS = {"easy": (0.1, 0.15, 0.75), "standard": (0.25, 0.25, 1.0), "hard": (0.35, 0.35, 1.25)}
SHIFT = (1.6, 1.4, 1.5)
# Levels of the pictures: at P = 0 and at the pattern's edge; a unit of P; a pixel of distance.
OFFSET, LEVEL, DISTANCE_LEVEL = 128.0, 70.0, 2.0
BLOCKS = 8


class State(NamedTuple):
    """Films under the tip, all of them hidden but for what observations show."""

    polarization: NDArray[np.float32]  # (B, 64, 64), row y, column x, as all maps
    a: NDArray[np.float32]  # quadratic coefficient of the film, (B, 64, 64)
    field: NDArray[np.float32]  # random field, (B, 64, 64)
    target: NDArray[np.bool_]  # pattern to be written, (B, 64, 64)
    distance: NDArray[np.float32]  # from the pattern's edge, px, inside positive, (B, 64, 64)
    gain: NDArray[np.float64]  # of the tip
    picture: NDArray[np.float32]  # last PFM image, (B, 64, 64)
    iou: NDArray[np.float64]
    pulse: NDArray[np.float64]  # the last: x, y in nm, V, s, (B, 4); 0 s before the first


@njit(cache=True)
def analyse(image: Any, target: Any, distance: Any, discs: Any, blocks: Any) -> None:
    """Find what is missing and what is too much in a noisy image: the fixed analyst.

    Parameters
    ----------
    image : ndarray of float32, shape (B, H, W)
    target : ndarray of bool, shape (B, H, W)
    distance : ndarray of float32, shape (B, H, W)
        From the pattern's edge in pixels, positive inside.
    discs : ndarray of float64, shape (B, 2, 3)
        Filled with x, y, radius in pixels of the largest disc of missing, then of excess domain.
    blocks : ndarray of float64, shape (B, 2, 8, 8)
        Filled with means over blocks of up domain (its share), then of ``distance``.
    """
    h, w = image.shape[1:]
    tall, wide = h // BLOCKS, w // BLOCKS
    smooth, mask = np.empty((h, w)), np.empty((h, w), np.bool_)
    work = np.empty((h + 4, w + 4), np.float32)
    for b in range(image.shape[0]):
        writing.box_filter(image[b], smooth)
        for wrong in range(2):
            for i in range(h):
                for j in range(w):
                    up = smooth[i, j] > 0.0
                    mask[i, j] = up != target[b, i, j] and up == (wrong == 1)
            x, y, radius = writing.largest_inside(mask, work)
            discs[b, wrong, 0], discs[b, wrong, 1], discs[b, wrong, 2] = x, y, radius
        for row in range(BLOCKS):
            for column in range(BLOCKS):
                up, total = 0, 0.0
                for i in range(row * tall, (row + 1) * tall):
                    for j in range(column * wide, (column + 1) * wide):
                        up += smooth[i, j] > 0.0
                        total += float(distance[b, i, j])
                blocks[b, 0, row, column] = up / (tall * wide)
                blocks[b, 1, row, column] = total / (tall * wide)


@njit(cache=True)
def draw_films(
    spread: float, streams: Any, white: Any, gain: Any, target: Any, distance: Any
) -> None:
    """Draw lognormal gains of median 1, patterns, and white noise for the disorder.

    Fills white float64 (B, 2, H, W), and the others as of :class:`State`.
    """
    work = np.empty((SIZE + 4, SIZE + 4), np.float32)
    for b in range(len(gain)):
        gain[b] = np.exp(spread * normal(streams[b]))
        writing.draw_target(streams[b], target[b])
        writing.signed_distance(target[b], work, distance[b])
        fill_normal(streams[b], white[b].reshape(white[b].size))


@njit(cache=True)
def jitter_gains(spread: float, streams: Any, gain: Any, out: Any) -> None:
    """Draw the gain of one pulse in every lane: the contact varies from pulse to pulse."""
    for b in range(len(gain)):
        out[b] = gain[b] * np.exp(spread * normal(streams[b]))


class SPMDomainWriting(Task):
    """Write a pattern of up domains into a film poled down, by voltage pulses of the tip.

    Description
    -----------
    A ferroelectric film of 320 x 320 nm (64 x 64 px), a Ginzburg-Landau model with disorder (see
    :mod:`mattergym.physics.film.writing`), is poled down. A pulse of positive voltage writes an
    up domain, whose radius grows with the voltage and with the logarithm of the duration: with the
    nominal tip it is 2 px after 0.1 ms at 3 V, and 6.6 px after 1 s at 9 V. A pulse of negative
    voltage erases. The strength of the tip is a hidden gain, lognormal with a standard deviation of
    0.25 in its logarithm; from pulse to pulse the logarithm varies by another 0.05. Domains stay:
    after 50 idle pulses 98 % of their area are left. A domain wall is half a pixel wide, so that it
    is pinned by the lattice as well as by the disorder. A pattern is a disc, a ring, stripes, a
    checkerboard, or a blob of a few discs.

    Instrument and costs
    --------------------
    The scanning probe. One step is a pulse, then a frame.

    Action Space
    ------------
    ``Box(-1, 1, (4,), float32)``: the place, voltage and duration of the pulse.

    Observation Space
    -----------------
    ``observation="features"``: ``Box((135,), float32)``, what a fixed analyst finds in the noisy
    PFM image after averaging it over 3 x 3 px. Maps are means over 8 x 8 blocks, row by row;
    distances are positive inside the pattern. ``observation="image"``: a ``Dict`` of two pictures
    and of a panel with the fraction of the pulses left. The PFM image is amplitude times sign, 128
    at P = 0 and 70 levels a unit of P; the pattern is shown by the distance from its edge, 128
    there and 2 levels a pixel, more inside.

    Reward
    ------
    Change of the intersection over union of the up domain with the pattern.

    Success and score
    -----------------
    Score: that intersection over union, of the true polarisation, to be maximised. Success: it is
    above 0.9.

    Starting State
    --------------
    Film, gain and pattern are drawn anew; the whole film is down. ``split="shift"``: the spread of
    the gain is 1.6 times, the noise 1.4 times and the disorder 1.5 times as large.

    Episode End
    -----------
    Terminated after 50 pulses.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (spread of the gain
    0.1 | 0.25 | 0.35, noise of the image 0.15 | 0.25 | 0.35, disorder 0.75 | 1 | 1.25 times),
    ``render_mode``.

    Baselines
    ---------
    | agent | features: IoU | image: IoU |
    |---|---|---|
    | random | 0.14 | 0.14 |
    | nominal: a pulse into the largest gap, by the nominal radius law | 0.78 | 0.78 |
    | scripted: the same with 1.15 times the radius | 0.81 | 0.81 |
    | ppo, 1.5 and 0.4 million steps | 0.79 | 0.50 |
    | expert: tries 96 pulses on the true film | 0.96 | 0.96 |

    Means of 200 test episodes, standard errors below 0.02. On images all but ppo use the analyst.

    References
    ----------
    Kalinin, S. V. et al. (2004), Phys. Rev. B 70, 184101 (writing by a point charge).
    Paruch, P., Tybell, T. & Triscone, J.-M. (2001), Appl. Phys. Lett. 79, 530 (radius, log t).

    Version History
    ---------------
    v0: initial version. A voltage is 9 V times its component of the action since tasks are
    descriptions: below a microvolt it differs by rounding from what it was, and nothing else does.
    """

    program = Program(
        scanning_probe.pulse((SIZE - 1) * PIXEL_NM, VOLTAGE, *DURATIONS),
        scanning_probe.scan_frame(SIZE, FRAME_RATE),
    )
    panel = Panel(
        Field("missing", 0, 1, "x, y, radius of the largest disc still to write", "px", SIZE, (3,)),
        Field("excess", 0, 1, "x, y, radius of the largest disc to erase", "px", SIZE, (3,)),
        Field("up", 0, 1, "share of up domain, block by block", shape=(BLOCKS, BLOCKS)),
        Field("distance", -1, 1, "distance from the pattern's edge", "px", SIZE, (BLOCKS, BLOCKS)),
        Field("left", 0, 1, "fraction of the pulses left"),
    )
    terms = (Term("iou", "change of the intersection over union"),)

    def __init__(self, observation: str = "features", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation = checked_choice("observation", observation, ("features", "image"))
        if observation == "image":
            self.panel = self.panel.without("missing", "excess", "up", "distance")
            self.images = (Image("pfm", (2, SIZE, SIZE), "the PFM image, then the pattern"),)
        levels = np.multiply(LEVELS[self.difficulty], SHIFT if self.split == "shift" else 1.0)
        self.spread, self.noise, self.disorder = levels.tolist()

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw tip, pattern and film; pole it down, let it rest, and take an image."""
        lanes, shape = len(streams), (len(streams), SIZE, SIZE)
        gain, white = np.empty(lanes), np.empty((lanes, 2, SIZE, SIZE))
        target, distance = np.empty(shape, np.bool_), np.empty(shape, np.float32)
        draw_films(self.spread, streams, white, gain, target, distance)
        smooth, disorder = landau.correlated_noise, np.float32(self.disorder)
        varied = smooth(white[:, 0], writing.DISORDER_LENGTH) * np.float32(writing.DISORDER)
        biased = smooth(white[:, 1], writing.RANDOM_FIELD_LENGTH) * np.float32(writing.RANDOM_FIELD)
        state = State(
            polarization=np.full(shape, -1.0, np.float32),
            a=np.float32(-1.0) + varied * disorder,
            field=biased * disorder,
            target=target,
            distance=distance,
            gain=gain,
            picture=np.empty(shape, np.float32),
            iou=np.empty(lanes),
            pulse=np.zeros((lanes, 4)),
        )
        every, none = np.arange(lanes), np.zeros(lanes)
        steps, tips = np.full(lanes, writing.REST_STEPS), np.zeros(shape, np.float32)
        film = (state.polarization, state.a, state.field)
        landau.relax(every, *film, tips, none, steps, writing.LANDAU, streams)
        self.scan(state, streams)
        return state

    def scan(self, state: State, streams: NDArray[np.uint64]) -> None:
        """Take a PFM image of every film, and compare the film with its pattern."""
        every = np.arange(len(streams))
        writing.image(every, state.polarization, self.noise, streams, state.picture)
        state.iou[:] = intersection_over_union(state.polarization > 0.0, state.target)

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Pulse, then scan; the reward is the rise of the intersection over union."""
        state.pulse[:] = np.stack(command, axis=1)
        gain = np.empty_like(state.gain)
        jitter_gains(CONTACT_JITTER, streams, state.gain, gain)
        film = (state.polarization, state.a, state.field)
        pulse = (state.pulse[:, :2] / PIXEL_NM, command.voltage, command.duration, gain)
        writing.write(np.arange(len(gain)), *film, *pulse, streams)
        before = state.iou.copy()
        self.scan(state, streams)
        seconds = scanning_probe.pulse_seconds(command.duration)
        seconds += scanning_probe.frame_seconds(SIZE, FRAME_RATE)
        return Outcome({"iou": state.iou - before}, seconds)

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the intersection over union."""
        return Standing(state.iou, state.iou > SUCCESS_IOU, clock.steps >= PULSES)

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show the image beside the pattern, or what the analyst finds in them."""
        left = 1.0 - clock.steps / PULSES
        if self.images:
            levels = np.clip(state.picture * LEVEL + OFFSET, 0.0, 255.0)
            pattern = np.clip(state.distance * DISTANCE_LEVEL + OFFSET, 0.0, 255.0)
            return {"left": left, "pfm": np.stack([levels, pattern], axis=1).astype(np.uint8)}
        lanes = len(left)
        discs, blocks = np.empty((lanes, 2, 3)), np.empty((lanes, 2, BLOCKS, BLOCKS))
        analyse(state.picture, state.target, state.distance, discs, blocks)
        return {
            "missing": discs[:, 0] / SIZE,
            "excess": discs[:, 1] / SIZE,
            "up": blocks[:, 0],
            "distance": np.clip(blocks[:, 1] / SIZE, -1.0, 1.0),
            "left": left,
        }

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the PFM image, the outline of the pattern and the last pulse."""
        from mattergym.envs.spm.domain_writing_picture import draw_writing

        x, y, volts, seconds = state.pulse[lane].tolist()
        text = f"IoU {state.iou[lane]:.2f}"
        if seconds > 0.0:
            text += f"  {volts:+.1f} V {1e3 * seconds:.3g} ms at {x:.0f}, {y:.0f} nm"
        left = 1.0 - clock.steps[lane] / PULSES
        return draw_writing(state.picture[lane], state.target[lane], PIXEL_NM, text, left)
