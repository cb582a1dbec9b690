"""STEMCorrector-v0: bring an aberration corrector to a diffraction-limited probe."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces

from mattergym.envs.old_base import SPLITS, BatchEnv, SingleEnv
from mattergym.envs.old_instruments import Parameter
from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.envs.stem.instrument import Stem
from mattergym.envs.validation import checked_choice
from mattergym.physics.optics import aberrations, ronchigram, waves
from mattergym.physics.optics.corrector import (
    COMPONENT_ORDER,
    COMPONENT_SYMMETRY,
    COMPONENTS,
    LABELS,
    TERM,
    all_phases,
    coupling_law,
    draw_couplings,
    draw_errors,
    expose_camera,
    place_patches,
    turn_knobs,
)
from mattergym.physics.optics.quality import rms_phase, strehl

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOLTAGE, APERTURE = 60e3, 0.030
STEPS = 40
SUCCESS_STREHL = 0.8
# Standard deviations in rad at the aperture's edge of C10, C12, C21, C23, C30, C32, C34.
START = np.array([4.5, 3.0, 4.5, 2.25, 3.0, 1.8, 1.5])[TERM]
NOISE = 0.6 * np.where(COMPONENT_ORDER == 3, 1.2, np.where(COMPONENT_SYMMETRY == 1, 1.5, 1.0))
DRIFT = 0.05
# Coupling between knobs: in general, and of a knob into aberrations of lower order.
COUPLING = (0.15, 0.4)
# Where the corrector's supplies saturate; no start comes near.
LIMIT = 30.0
READING_SCALE = 10.0
MAX_CHANGE = 3.0
KNOBS = tuple(Parameter(f"d{label}", -MAX_CHANGE, MAX_CHANGE, "rad") for label in LABELS)
# Factors on noise, coupling, drift, start.
LEVELS = {
    "easy": (0.5, 0.5, 1.0, 1.0),
    "standard": (1.0, 1.0, 1.0, 1.0),
    "hard": (1.5, 1.25, 2.0, 1.0),
}
SHIFT = (1.0, 1.2, 2.0, 1.5)
SOFTENING = 0.2
STEP_PRICE = 0.03

# The Ronchigram camera.
PIXELS = 64
ANGLE_PER_PIXEL = 0.94e-3  # rad
STEP = ANGLE_PER_PIXEL / APERTURE
SAMPLING = float(aberrations.wavelength(VOLTAGE)) / (PIXELS * ANGLE_PER_PIXEL)  # A
KNOWN_DEFOCUS = 25.0  # rad at the aperture's edge
ELECTRONS = 100.0  # a pixel
CAMERA_GAIN, CAMERA_OFFSET, READ_NOISE = 0.5, 8.0, 3.0
FILM_THICKNESS, FILM_PIXELS = 100.0, 512
DEFOCUS = np.zeros((len(aberrations.TERMS), 2))
DEFOCUS[0, 0] = KNOWN_DEFOCUS
# Edge of the tilted images of a tableau, in nm.
TABLEAU_FIELD = 100.0


@cache
def film_of(split: str) -> NDArray[np.complex64]:
    """Transmission function of the amorphous film of a split, complex64 (512, 512)."""
    generator = np.random.default_rng([60, SPLITS.index(split)])
    film = ronchigram.amorphous_film(FILM_PIXELS, SAMPLING, VOLTAGE, FILM_THICKNESS, generator)
    return np.exp(1j * film)


class STEMCorrectorVectorEnv(BatchEnv):
    """Batch of :class:`STEMCorrectorEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "tune"
    domain: ClassVar[str] = "stem"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "s"

    def __init__(self, num_envs: int = 1, observation: str = "features", **kwargs: Any) -> None:
        self.observation = checked_choice("observation", observation, ("features", "image"))
        self._imaging = observation == "image"
        reading = np.full(COMPONENTS, 4.0, np.float32)
        panel = np.ones(COMPONENTS + 1, np.float32)
        floor = np.append(-panel[:-1], np.float32(0.0))
        space: spaces.Space[Any] = spaces.Box(np.append(-reading, floor), np.append(reading, panel))
        if self._imaging:
            space = spaces.Dict(
                {
                    "panel": spaces.Box(floor, panel),
                    "ronchigram": spaces.Box(0, 255, (1, PIXELS, PIXELS), np.uint8),
                }
            )
        super().__init__(
            num_envs,
            space,
            spaces.Box(-1.0, 1.0, (COMPONENTS,), np.float32),
            action_parameters=KNOBS,
            **kwargs,
        )
        self.instrument: Stem = Stem(knobs=KNOBS)
        noise, coupling, drift, start = LEVELS[self.difficulty]
        if self.split == "shift":
            noise, coupling, drift, start = np.multiply(LEVELS[self.difficulty], SHIFT)
        self._noise, self._start, self._drift = noise * NOISE, start * START, drift * DRIFT
        self._law = coupling_law(*(coupling * c for c in COUPLING))
        self._electrons = ELECTRONS / noise**2
        self._seconds, self._dose = self._cost_of_step()
        self._film = film_of(self.split)
        self._phases, self._reading, self._change = np.zeros((3, num_envs, COMPONENTS))
        self._coupling = np.zeros((num_envs, COMPONENTS, COMPONENTS))
        self._image = np.zeros((num_envs, 1, PIXELS, PIXELS), np.uint8)
        self._strehl, self._rms = np.zeros((2, num_envs))

    _configuration = BatchEnv._configuration | set(
        "observation _imaging _noise _start _drift _law _electrons _seconds _dose _film".split()
    )

    def _cost_of_step(self) -> tuple[float, float]:
        """Seconds and dose of setting the knobs and measuring."""
        settle = self.instrument.cost("set_corrector")[0]
        if not self._imaging:
            seconds, dose = self.instrument.cost("measure_tableau", field_of_view=TABLEAU_FIELD)
            return settle + seconds, dose
        # The known defocus is set and taken back.
        electrons = self._electrons * PIXELS**2
        exposure = electrons / self.instrument.electrons_per_second
        return 3.0 * settle + exposure, electrons / (PIXELS * SAMPLING) ** 2

    @property
    def budget_s(self) -> float:
        """Seconds of the forty steps."""
        return STEPS * self._seconds

    @property
    def strehl(self) -> NDArray[np.float64]:
        """True Strehl ratio of every lane, shape (B,)."""
        return self._strehl.copy()

    def _measure(self, lanes: NDArray[np.intp]) -> None:
        """Judge some lanes, read their tableau or expose the camera."""
        phases = all_phases(self._phases[lanes])
        streams = self.streams[lanes]
        self._strehl[lanes] = strehl(phases)
        self._rms[lanes] = rms_phase(phases)
        if self._imaging:
            gratings = np.empty((len(lanes), PIXELS, PIXELS), np.complex64)
            place_patches(self._film, streams, gratings)
            intensity = ronchigram.ronchigrams(phases + DEFOCUS, gratings, STEP)
            image = np.empty(intensity.shape, np.uint8)
            gain = CAMERA_GAIN * ELECTRONS / self._electrons
            expose_camera(
                intensity, self._electrons, gain, CAMERA_OFFSET, READ_NOISE, streams, image
            )
            self._image[lanes, 0] = image
        else:
            reading = np.empty((len(lanes), COMPONENTS))
            draw_errors(self._noise, streams, reading)
            self._reading[lanes] = self._phases[lanes] + reading
        self.streams[lanes] = streams
        success = self._strehl >= SUCCESS_STREHL
        spent = self.ledger.elapsed_s
        score = np.where(success, spent, self.budget_s * (2.0 - self._strehl))
        self.ledger.assess(score, success)

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        streams = self.streams[lanes]
        phases = np.empty((len(lanes), COMPONENTS))
        draw_errors(self._start, streams, phases)
        self._phases[lanes] = np.clip(phases, -LIMIT, LIMIT)
        self._coupling[lanes] = draw_couplings(self._law, streams)
        self._change[lanes] = 0.0
        self.streams[lanes] = streams
        self._measure(lanes)

    def _step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        before = np.log(self._rms + SOFTENING)
        self._change = MAX_CHANGE * action.astype(np.float64)
        turn_knobs(self._phases, self._coupling, self._change, self._drift, LIMIT, self.streams)
        self.ledger.charge(self._seconds, self._dose)
        self._measure(np.arange(self.num_envs))
        sharpened = before - np.log(self._rms + SOFTENING)
        price = np.full(self.num_envs, -STEP_PRICE)
        terminated = (self._strehl >= SUCCESS_STREHL) | (self._steps + 1 >= STEPS)
        return sharpened + price, terminated, {"sharpening": sharpened, "time": price}

    def _observe(self) -> Any:
        left = 1.0 - self._steps[:, None] / STEPS
        panel = np.concatenate([self._change / MAX_CHANGE, left], axis=1).astype(np.float32)
        if self._imaging:
            return {"panel": panel, "ronchigram": self._image.copy()}
        reading = np.clip(self._reading / READING_SCALE, -4.0, 4.0).astype(np.float32)
        return np.concatenate([reading, panel], axis=1)

    def program(self, lane: int = 0) -> list[str]:
        """Knobs and measurement of the last action of a lane, as text."""
        change = {knob.name: value for knob, value in zip(KNOBS, self._change[lane], strict=True)}
        lines = [self.instrument["set_corrector"].text(**change)]
        if not self._imaging:
            return [*lines, self.instrument["measure_tableau"].text()]
        dC10 = dict.fromkeys(change, 0.0) | {"dC10": KNOWN_DEFOCUS}
        back = dict.fromkeys(change, 0.0) | {"dC10": -KNOWN_DEFOCUS}
        exposure = self._electrons * PIXELS**2 / self.instrument.electrons_per_second
        return [
            *lines,
            self.instrument["set_corrector"].text(**dC10),
            self.instrument["place_beam"].text(x=0.0, y=0.0, seconds=exposure),
            self.instrument["set_corrector"].text(**back),
        ]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        # Left: the Ronchigram with the known defocus. Right: the probe, 10 x 10 A.
        phases = all_phases(self._phases[lane : lane + 1])
        middle = FILM_PIXELS // 2 - PIXELS // 2
        patch = self._film[middle : middle + PIXELS, middle : middle + PIXELS]
        grating = np.fft.ifftshift(patch)[None]
        camera = ronchigram.ronchigrams(phases + DEFOCUS, grating, STEP)[0]
        if self._imaging:
            camera = self._image[lane, 0] / 50.0
        lens = phases / aberrations.edge_phases(np.ones_like(phases), VOLTAGE, APERTURE)
        probe = waves.probes(lens, VOLTAGE, APERTURE, 256, 0.16)[0, 96:160, 96:160]
        left = image_to_rgb(camera.T[::-1], 0.0, 2.5, "gray", 256)
        right = image_to_rgb(probe.T[::-1] / probe.max(), 0.0, 1.0, "inferno", 256)
        add_scale_bar(left, round(10e-3 / ANGLE_PER_PIXEL * 4), "10 mrad")
        add_scale_bar(right, round(2.0 / 0.16 * 4), "2 A")
        gap = np.full((left.shape[0], 8, 3), 24, np.uint8)
        frame = np.concatenate([left, gap, right], axis=1)
        text = f"Strehl={self._strehl[lane]:.2f}  rms={self._rms[lane]:.2f} rad"
        text += f"  {self.ledger.elapsed_s[lane]:.0f} s"
        return add_status_strip(frame, text, 1.0 - self._steps[lane] / STEPS)


class STEMCorrectorEnv(SingleEnv):
    r"""Tune an aberration corrector until the probe is limited by diffraction.

    Description
    -----------
    A probe-corrected STEM at 60 kV with an aperture of 30 mrad. Seven aberrations to third order,
    C10, C12, C21, C23, C30, C32, C34, are hidden: twelve numbers, given as the phase in rad that
    each reaches at the aperture's edge, p = (2 pi/lambda) C alpha^(n+1)/(n+1); 1 rad is 1.72 nm of
    C1x, 86 nm of C2x, 3.8 um of C3x. Twelve knobs change them, p' = p + M u + drift, through a
    coupling M that is hidden and new in every episode: 1 +- 0.1 on the diagonal, +- 0.15 off it,
    +- 0.4 from a knob into aberrations of lower order (normal; condition number at most 15). What
    is measured is noisy, so an agent has to weigh readings and learn M as it goes.

    Instrument and costs
    --------------------
    The STEM: ``set_corrector`` (1 s), then ``measure_tableau`` (90 s; features), or for the image
    track a defocus of +25 rad, set and taken back (1 s each), and a Ronchigram of 100 electrons a
    pixel (``place_beam``, 1.3 ms at 50 pA). 91 s or 3 s a step: conventions, see ``Stem``. Dose
    falls on a test specimen and is counted only.

    Action Space
    ------------
    ``Box(-1, 1, (12,), float32)``: change of each knob in -3..3 rad, in the order C10, C12a, C12b,
    C21a, C21b, C23a, C23b, C30, C32a, C32b, C34a, C34b (a cosine, b sine part).

    Observation Space
    -----------------
    ``observation="features"``: ``Box((25,), float32)``.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0-11 | measured aberrations / 10; noise 0.6 (C21 x 1.5, third order x 1.2) | rad | -4..4 |
    | 12-23 | the last change of the knobs / 3 | rad | -1..1 |
    | 24 | fraction of the steps left | 1 | 0..1 |

    ``observation="image"``: ``Dict(ronchigram=Box(0, 255, (1, 64, 64), uint8), panel=Box((13,)))``
    with the last thirteen numbers. The Ronchigram is of amorphous carbon, 0.94 mrad a pixel, taken
    at a known defocus: behind such a film, whose spectrum is even, an in-focus Ronchigram is the
    same in distribution for p and -p, and cannot give the sign of any aberration.

    Reward
    ------
    ln(rms + 0.2) before minus after, with the rms of the phase over the aperture in rad (piston
    and tilt removed): a potential difference. Minus 0.03 a step. Terms: ``sharpening``, ``time``.

    Success and score
    -----------------
    Success: true Strehl ratio (tilt removed; ``mattergym.physics.optics.quality.strehl``) of at
    least 0.8. Score: seconds to success, to be minimised. An episode without success scores its
    budget times (2 - Strehl).

    Starting State
    --------------
    Normal, standard deviations 4.5, 3, 4.5, 2.25, 3, 1.8, 1.5 rad in the order of the terms:
    the median Strehl ratio is 0.05. ``split="shift"``: starts 1.5 times, drift 2 times, coupling
    1.2 times as large. Train and test differ by their random streams and films.

    Episode End
    -----------
    Terminated at success or after 40 steps. Drift: 0.05 rad a step and component. Supplies
    saturate at 30 rad.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (noise 0.5 | 1 | 1.5, coupling
    0.5 | 1 | 1.25, drift 1 | 1 | 2 times the above), ``render_mode``.

    Baselines
    ---------
    | agent | features: success, median steps | image: success, median steps |
    |---|---|---|
    | random | 0 | 0 |
    | scripted: gain 0.7 on the lowest order that is out of its gates | 0.90, 21 | 0.99, 13 |
    | gain-0.4: all knobs | 1.00, 10 | 1.00, 10 |
    | kalman: learns the coupling on line | 1.00, 7 | 1.00, 6 |
    | ppo, 3 million steps | 1.00, 10 | |
    | rppo, 1.5 million steps | 1.00, 13 | |
    | expert: knows phases and coupling | 1.00, 1 | 1.00, 1 |

    Test split, 400 episodes. On images all but expert read the aberrations by a shipped linear
    analyst.

    References
    ----------
    Krivanek, O. L., Dellby, N. & Lupini, A. R. (1999), Ultramicroscopy 78, 1.
    Pattison, A. J. et al. (2025), npj Comput. Mater.; arXiv:2410.14873 (BEACON).
    Schnitzer, N., Sung, S. H. & Hovden, R. (2020), Microsc. Microanal. 26, 921 (Ronchigrams).

    Version History
    ---------------
    v0: initial version.
    """

    batch_class = STEMCorrectorVectorEnv
