"""SPMDomainWriting-v0: write a pattern of ferroelectric domains with the tip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.objectives import intersection_over_union
from mattergym.envs.old_base import BatchEnv, SingleEnv
from mattergym.envs.old_instruments import Parameter
from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.envs.spm.instrument import ScanningProbe
from mattergym.envs.validation import checked_choice
from mattergym.physics.film import landau, writing
from mattergym.physics.film.writing import SIZE
from mattergym.physics.rng import fill_normal, normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

PULSES = 50
PIXEL_NM = 5.0
EDGE_NM = (SIZE - 1) * PIXEL_NM
X, Y = (Parameter(name, 0.0, EDGE_NM, "nm") for name in ("x", "y"))
VOLTAGE = Parameter("voltage", -9.0, 9.0, "V")
# Decades of the pulse's duration in s; the instruction itself takes seconds.
LOG_DURATION = Parameter("log10_duration", -4.0, 0.0, "log10 s")
FRAME_RATE = 8.0  # Hz
SUCCESS_IOU = 0.9
# Standard deviation of the log gain from pulse to pulse.
CONTACT_JITTER = 0.05
# Standard deviation of the tip's log gain; noise of the image; factor on the disorder.
LEVELS = {
    "easy": (0.10, 0.15, 0.75),
    "standard": (0.25, 0.25, 1.0),
    "hard": (0.35, 0.35, 1.25),
}
SHIFT = (1.6, 1.4, 1.5)
# Levels of the observed image: P = 0 is 128.
LEVEL, OFFSET = 70.0, 128.0
# Levels a pixel of distance from the pattern's edge, 128 at the edge.
DISTANCE_LEVEL = 2.0
BLOCKS = 8
REGIONS = 6


@njit(cache=True)
def analyse(
    image: Any, target: Any, signed: Any, smooth: Any, mask: Any, work: Any, out: Any
) -> None:
    """Find what is missing and what is too much in a noisy image: the fixed analyst.

    Parameters
    ----------
    image : ndarray of float32, shape (B, H, W)
    target : ndarray of bool, shape (B, H, W)
    signed : ndarray of float32, shape (B, H, W)
        Distance to the pattern's edge in pixels, positive inside.
    smooth, mask, work : ndarray, shapes (H, W), (H, W) bool, (H + 4, W + 4) float32
        Work space.
    out : ndarray of float64, shape (B, 6 + 2 * 64)
        x, y, radius in pixels of the largest disc of missing domain, then of excess domain; then
        sums over 8 x 8 blocks of up domain and of ``signed``.
    """
    size = image.shape[1] // BLOCKS
    for b in range(image.shape[0]):
        writing.box_filter(image[b], smooth)
        for wrong in range(2):
            for i in range(image.shape[1]):
                for j in range(image.shape[2]):
                    up = smooth[i, j] > 0.0
                    mask[i, j] = up != target[b, i, j] and up == (wrong == 1)
            x, y, radius = writing.largest_inside(mask, work)
            out[b, 3 * wrong], out[b, 3 * wrong + 1], out[b, 3 * wrong + 2] = x, y, radius
        for block in range(BLOCKS * BLOCKS):
            top, left = block // BLOCKS * size, block % BLOCKS * size
            up, distance = 0, 0.0
            for i in range(top, top + size):
                for j in range(left, left + size):
                    up += smooth[i, j] > 0.0
                    distance += float(signed[b, i, j])
            out[b, REGIONS + block] = up
            out[b, REGIONS + BLOCKS * BLOCKS + block] = distance


@njit(cache=True)
def draw_gains(lanes: Any, spread: float, streams: Any, gain: Any) -> None:
    """Draw the tip's gain in some lanes, lognormal with median 1."""
    for lane in lanes:
        gain[lane] = np.exp(spread * normal(streams[lane]))


@njit(cache=True)
def jitter_gains(spread: float, streams: Any, gain: Any, out: Any) -> None:
    """Draw the gain of one pulse in every lane: the contact varies from pulse to pulse."""
    for lane in range(len(gain)):
        out[lane] = gain[lane] * np.exp(spread * normal(streams[lane]))


@njit(cache=True)
def draw_films(lanes: Any, streams: Any, targets: Any, signed: Any, white: Any, work: Any) -> None:
    """Draw patterns (B, H, W) and white noise (n, 2, H, W) for the disorder of some lanes."""
    for k in range(len(lanes)):
        lane = lanes[k]
        writing.draw_target(streams[lane], targets[lane])
        writing.signed_distance(targets[lane], work, signed[lane])
        fill_normal(streams[lane], white[k].reshape(white[k].size))


class SPMDomainWritingVectorEnv(BatchEnv):
    """Batch of :class:`SPMDomainWritingEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "make"
    domain: ClassVar[str] = "spm"
    score_direction: ClassVar[str] = "maximize"
    score_unit: ClassVar[str] = "IoU"

    def __init__(self, num_envs: int = 1, observation: str = "features", **kwargs: Any) -> None:
        self.observation = checked_choice("observation", observation, ("features", "image"))
        self._imaging = observation == "image"
        low = np.zeros(REGIONS + 2 * BLOCKS**2 + 1, np.float32)
        low[REGIONS + BLOCKS**2 : -1] = -1.0
        space: spaces.Space[Any] = spaces.Box(low, np.ones_like(low))
        if self._imaging:
            space = spaces.Dict(
                {
                    "panel": spaces.Box(0.0, 1.0, (1,), np.float32),
                    "pfm": spaces.Box(0, 255, (2, SIZE, SIZE), np.uint8),
                }
            )
        super().__init__(
            num_envs,
            space,
            spaces.Box(-1.0, 1.0, (4,), np.float32),
            action_parameters=(X, Y, VOLTAGE, LOG_DURATION),
            **kwargs,
        )
        self.instrument = ScanningProbe(X, Y, VOLTAGE)
        levels = np.multiply(LEVELS[self.difficulty], SHIFT if self.split == "shift" else 1.0)
        self._spread, self._noise, self._disorder = (float(level) for level in levels)
        shape = (num_envs, SIZE, SIZE)
        self._polarization = np.zeros(shape, np.float32)
        self._a, self._field = np.zeros((2, *shape), np.float32)
        self._target = np.zeros(shape, np.bool_)
        self._signed, self._picture = np.zeros((2, *shape), np.float32)
        self._gain = np.ones(num_envs)
        self._pulse = np.zeros((num_envs, 4))
        self._iou = np.zeros(num_envs)

    _configuration = BatchEnv._configuration | set(
        "observation _imaging _spread _noise _disorder".split()
    )

    @property
    def target(self) -> NDArray[np.bool_]:
        """Pattern to be written, (B, 64, 64); row y, column x."""
        return self._target.copy()

    @property
    def film(self) -> tuple[NDArray[Any], ...]:
        """Hidden: polarisation, a(x), random field, each (B, 64, 64), and the gain, (B,)."""
        return self._polarization.copy(), self._a.copy(), self._field.copy(), self._gain.copy()

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        draw_gains(lanes, self._spread, self.streams, self._gain)
        white = np.empty((len(lanes), 2, SIZE, SIZE))
        work = np.empty((SIZE + 4, SIZE + 4), np.float32)
        draw_films(lanes, self.streams, self._target, self._signed, white, work)
        smooth = landau.correlated_noise
        varied = smooth(white[:, 0], writing.DISORDER_LENGTH) * np.float32(writing.DISORDER)
        biased = smooth(white[:, 1], writing.RANDOM_FIELD_LENGTH) * np.float32(writing.RANDOM_FIELD)
        self._a[lanes] = np.float32(-1.0) + varied * np.float32(self._disorder)
        self._field[lanes] = biased * np.float32(self._disorder)
        self._polarization[lanes] = -1.0
        self._pulse[lanes] = 0.0
        self._rest(lanes)
        self._image(lanes)
        self._iou[lanes] = intersection_over_union(self._polarization > 0.0, self._target)[lanes]
        self.ledger.table[2, lanes] = self._iou[lanes]

    def _rest(self, lanes: NDArray[np.intp]) -> None:
        """Let the poled film of some lanes relax in its disorder."""
        none = np.zeros(self.num_envs)
        steps = np.full(self.num_envs, writing.REST_STEPS)
        tips = np.zeros_like(self._polarization)
        landau.relax(
            lanes,
            self._polarization,
            self._a,
            self._field,
            tips,
            none,
            steps,
            writing.LANDAU,
            self.streams,
        )

    def _image(self, lanes: NDArray[np.intp]) -> None:
        """Scan a PFM image of some lanes."""
        writing.image(lanes, self._polarization, self._noise, self.streams, self._picture)

    def _step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        x, y = X.from_action(action[:, 0]), Y.from_action(action[:, 1])
        volts = VOLTAGE.from_action(action[:, 2])
        seconds = 10.0 ** LOG_DURATION.from_action(action[:, 3])
        self._pulse = np.stack([x, y, volts, seconds], axis=1)
        lanes, gain = np.arange(self.num_envs), np.empty(self.num_envs)
        jitter_gains(CONTACT_JITTER, self.streams, self._gain, gain)
        writing.write(
            lanes,
            self._polarization,
            self._a,
            self._field,
            self._pulse[:, :2] / PIXEL_NM,
            volts,
            seconds,
            gain,
            self.streams,
        )
        self._image(lanes)
        frame = self.instrument.cost("scan_frame", lines=SIZE, rate=FRAME_RATE)[0]
        self.ledger.charge(self.instrument.cost("pulse", duration=0.0)[0] + seconds + frame)
        before = self._iou
        self._iou = intersection_over_union(self._polarization > 0.0, self._target)
        rise = self._iou - before
        self.ledger.assess(self._iou, self._iou > SUCCESS_IOU)
        return rise, self._steps + 1 >= PULSES, {"iou": rise.copy()}

    def _observe(self) -> Any:
        left = (1.0 - self._steps / PULSES)[:, None]
        if self._imaging:
            levels = np.clip(self._picture * LEVEL + OFFSET, 0.0, 255.0)
            pattern = np.clip(self._signed * DISTANCE_LEVEL + 128.0, 0.0, 255.0)
            pfm = np.stack([levels, pattern], axis=1).astype(np.uint8)
            return {"panel": left.astype(np.float32), "pfm": pfm}
        out = np.empty((self.num_envs, REGIONS + 2 * BLOCKS**2))
        smooth, mask = np.empty((SIZE, SIZE)), np.empty((SIZE, SIZE), np.bool_)
        work = np.empty((SIZE + 4, SIZE + 4), np.float32)
        analyse(self._picture, self._target, self._signed, smooth, mask, work, out)
        out[:, :REGIONS] /= SIZE
        out[:, REGIONS:] /= (SIZE // BLOCKS) ** 2
        out[:, REGIONS + BLOCKS**2 :] /= SIZE
        return np.concatenate([np.clip(out, -1.0, 1.0), left], axis=1).astype(np.float32)

    def program(self, lane: int = 0) -> list[str]:
        """Pulse and frame of the last action of a lane, as text."""
        x, y, volts, seconds = self._pulse[lane]
        frame = self.instrument["scan_frame"].text(lines=SIZE, rate=FRAME_RATE)
        if seconds == 0.0:
            return [frame]
        pulse = self.instrument["pulse"].text(x=x, y=y, voltage=volts, duration=seconds)
        return [pulse, frame]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        zoom = 6
        frame = image_to_rgb(self._picture[lane], -1.6, 1.6, "cividis", SIZE * zoom)
        inside = self._target[lane].repeat(zoom, axis=0).repeat(zoom, axis=1)
        outline = np.zeros_like(inside)
        outline[1:] |= inside[1:] != inside[:-1]
        outline[:, 1:] |= inside[:, 1:] != inside[:, :-1]
        outline[:-1] |= outline[1:]
        frame[outline] = (255, 90, 60)
        x, y, volts, seconds = self._pulse[lane]
        frame = np.ascontiguousarray(frame[::-1])
        add_scale_bar(frame, round(100.0 / PIXEL_NM * zoom), "100 nm")
        text = f"IoU {self._iou[lane]:.2f}"
        if seconds > 0.0:
            text += f"  {volts:+.1f} V {1e3 * seconds:.3g} ms at {x:.0f}, {y:.0f} nm"
        return add_status_strip(frame, text, 1.0 - self._steps[lane] / PULSES)


class SPMDomainWritingEnv(SingleEnv):
    r"""Write a pattern of up domains into a film poled down, by voltage pulses of the tip.

    Description
    -----------
    A ferroelectric film of 320 x 320 nm (64 x 64 px), a Ginzburg-Landau model with disorder (see
    :mod:`mattergym.physics.film.writing`), is poled down. A pulse of positive voltage writes an
    up domain whose radius grows with the voltage and the logarithm of the duration, 2 px at 3 V
    and 0.1 ms, 6.6 px at 9 V and 1 s with the nominal tip; a negative one erases. How strong the
    tip is, is hidden: a gain, lognormal with 0.25, and 0.05 more from pulse to pulse. Domains stay:
    after 50 idle pulses 98 % of their area are left. The wall is half a pixel wide, so that the
    lattice pins it as well as the disorder. Patterns: discs, rings, stripes, checkers, blobs.

    Instrument and costs
    --------------------
    The scanning probe: ``pulse`` (1.35 s and its duration), then ``scan_frame`` of 64 lines at 8
    Hz. An episode has 50 pulses.

    Action Space
    ------------
    ``Box(-1, 1, (4,), float32)``.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0, 1 | x, y of the tip | nm | 0..315 |
    | 2 | voltage | V | -9..9 |
    | 3 | logarithm (base 10) of the duration | s | -4..0 |

    Observation Space
    -----------------
    ``observation="features"``: ``Box((135,), float32)``, by a fixed analyst that averages
    over 3 x 3 px of the noisy image.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0-2 | x, y, radius of the largest disc of missing up domain / 64 | px | 0..1 |
    | 3-5 | the same of up domain that should not be there | px | 0..1 |
    | 6-69 | share of up domain in 8 x 8 blocks, row by row | 1 | 0..1 |
    | 70-133 | distance from the pattern's edge / 64, inside positive, block by block | px | -1..1 |
    | 134 | fraction of the pulses left | 1 | 0..1 |

    ``observation="image"``: ``Dict(pfm=Box(0, 255, (2, 64, 64), uint8), panel=Box(0, 1, (1,)))``:
    the PFM image, amplitude times sign with noise of 0.25, P = 0 at 128 and 70 levels a unit; the
    pattern, as the distance from its edge, 128 there and 2 levels a px, inside more; the fraction
    of the pulses left.

    Reward
    ------
    Change of the intersection over union of the up domain with the pattern.

    Success and score
    -----------------
    Score: that intersection over union, of the true polarisation, to be maximised. Success: above
    0.9.

    Starting State
    --------------
    Film, gain and pattern are drawn anew. ``split="shift"``: 1.6 times the spread of the gain, 1.4
    times the noise, 1.5 times the disorder.

    Episode End
    -----------
    Terminated after 50 pulses.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (gain 0.1 | 0.25 | 0.35, noise
    0.15 | 0.25 | 0.35, disorder 0.75 | 1 | 1.25 times), ``render_mode``.

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
    v0: initial version.
    """

    batch_class = SPMDomainWritingVectorEnv
