"""STEMCorrector-v0: bring an aberration corrector to a diffraction-limited probe."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mattergym.envs.program import Program
from mattergym.envs.stem import microscope
from mattergym.envs.task import SPLITS, Clock, Field, Image, Outcome, Panel, Standing, Task, Term
from mattergym.envs.validation import checked_choice
from mattergym.physics.optics import aberrations
from mattergym.physics.optics import ronchigram as optics_ronchigram
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

VOLTAGE, APERTURE, CURRENT = 60e3, 0.030, 50.0  # V, rad, pA
STEPS = 40
SUCCESS_STREHL = 0.8
# Standard deviations in rad at the aperture's edge of C10, C12, C21, C23, C30, C32, C34.
START = np.array([4.5, 3.0, 4.5, 2.25, 3.0, 1.8, 1.5])[TERM]
NOISE = 0.6 * np.where(COMPONENT_ORDER == 3, 1.2, np.where(COMPONENT_SYMMETRY == 1, 1.5, 1.0))
DRIFT = 0.05  # rad a step
# Coupling between knobs: in general, and of a knob into aberrations of lower order.
COUPLING = (0.15, 0.4)
# Where the corrector's supplies saturate; no start comes near.
LIMIT = 30.0
READING_SCALE, MAX_CHANGE = 10.0, 3.0  # rad
# Factors on noise, coupling, drift, start.
LEVELS = {
    "easy": (0.5, 0.5, 1.0, 1.0),
    "standard": (1.0, 1.0, 1.0, 1.0),
    "hard": (1.5, 1.25, 2.0, 1.0),
}
SHIFT = (1.0, 1.2, 2.0, 1.5)
SOFTENING = 0.2
STEP_PRICE = 0.03
TABLEAU_FIELD = 100.0  # nm, edge of its tilted images

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


@cache
def film_of(split: str) -> NDArray[np.complex64]:
    """Transmission function of the amorphous film of a split, complex64 (512, 512)."""
    generator = np.random.default_rng([60, SPLITS.index(split)])
    film = optics_ronchigram.amorphous_film(
        FILM_PIXELS, SAMPLING, VOLTAGE, FILM_THICKNESS, generator
    )
    return np.exp(1j * film)


class State(NamedTuple):
    """Microscopes; phases, coupling and the probe's quality are hidden."""

    phases: NDArray[np.float64]  # aberrations at the aperture's edge, rad, (B, 12)
    coupling: NDArray[np.float64]  # rad of aberration a rad of knob, (B, 12, 12)
    change: NDArray[np.float64]  # last change of the knobs, rad, (B, 12)
    strehl: NDArray[np.float64]
    rms: NDArray[np.float64]  # of the phase over the aperture, rad
    # What is measured: one of the two; the other has no size.
    reading: NDArray[np.float64]  # aberrations, rad, (B, 12)
    ronchigram: NDArray[np.uint8]  # camera counts, (B, 1, 64, 64)


class STEMCorrector(Task):
    """Tune an aberration corrector until the probe is limited by diffraction.

    Description
    -----------
    A probe-corrected STEM at 60 kV has an aperture of 30 mrad. Its seven aberrations to third
    order, C10, C12, C21, C23, C30, C32 and C34, are hidden. They are twelve numbers, because all
    but the round ones have a cosine part a and a sine part b. Each is given as the phase in rad
    that it reaches at the aperture's edge, p = (2 pi / lambda) C alpha^(n+1) / (n+1). One rad is
    1.72 nm of C10 or C12, 86 nm of C21 or C23, and 3.8 um of the third order.

    Twelve knobs change the aberrations, p' = p + M u + drift. The coupling M is hidden and new in
    every episode. Its entries are normal: 1 +- 0.1 on the diagonal, 0 +- 0.15 off it, and 0 +- 0.4
    from a knob into aberrations of lower order; its condition number is at most 15.

    Instrument and costs
    --------------------
    The STEM at 50 pA. A step turns the knobs, then measures, by a tableau (91 s) or a Ronchigram of
    100 electrons a pixel (3 s). The dose, on a test specimen, is counted but harms nothing.

    Action Space
    ------------
    ``Box(-1, 1, (12,), float32)``: the change of each knob.

    Observation Space
    -----------------
    ``observation="features"``: ``Box((25,), float32)``. The noise of a measured aberration is
    normal with 0.6 rad, 1.5 times that for C21 and 1.2 times that for the third order.

    ``observation="image"``: a ``Dict`` of a Ronchigram and of a panel without the measured
    aberrations. It is taken at a known defocus of 25 rad: in focus p and -p give Ronchigrams of the
    same distribution, for the film's spectrum is even.

    Reward
    ------
    The drop of ln(rms + 0.2), minus 0.03 a step. The rms is that of the phase over the aperture in
    rad, without piston and tilt; its drop is a potential difference.

    Success and score
    -----------------
    Success: the true Strehl ratio is at least 0.8, tilt removed (see
    :func:`mattergym.physics.optics.quality.strehl`). Score: seconds to success, to be minimised; an
    episode without success scores its budget, the seconds of 40 steps, times (2 - Strehl).

    Starting State
    --------------
    Every aberration is normal. Its standard deviation is 4.5, 3, 4.5, 2.25, 3, 1.8 and 1.5 rad in
    the order of C10 to C34 above. ``split="shift"``: starts 1.5, drift 2 and the coupling's spread
    1.2 times as large. Train and test differ by their random streams and films.

    Episode End
    -----------
    Terminated at success or after 40 steps. The aberrations drift by 0.05 rad a step and
    component; the supplies saturate at 30 rad.

    Arguments
    ---------
    ``observation`` ("features" | "image"), ``split``, ``difficulty`` (noise 0.5 | 1 | 1.5, coupling
    0.5 | 1 | 1.25, drift 1 | 1 | 2 times the above; Ronchigrams of 400 | 100 | 44 electrons a
    pixel), ``render_mode``.

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

    Test split, 400 episodes. On images all but expert read them by a shipped linear analyst.

    References
    ----------
    Krivanek, O. L., Dellby, N. & Lupini, A. R. (1999), Ultramicroscopy 78, 1.
    Pattison, A. J. et al. (2025), npj Comput. Mater.; arXiv:2410.14873 (BEACON).
    Schnitzer, N., Sung, S. H. & Hovden, R. (2020), Microsc. Microanal. 26, 921 (Ronchigrams).

    Version History
    ---------------
    v0: initial version.
    """

    program = Program(
        microscope.set_corrector(LABELS, MAX_CHANGE),
        microscope.measure_tableau(TABLEAU_FIELD, CURRENT),
    )
    panel = Panel(
        Field("reading", -4, 4, "measured aberrations", "rad", READING_SCALE, (COMPONENTS,)),
        Field("change", -1, 1, "last change of the knobs", "rad", MAX_CHANGE, (COMPONENTS,)),
        Field("steps_left", 0, 1, "fraction of the steps left"),
    )
    display = ("change", "reading", "ronchigram")
    terms = (
        Term("sharpening", "drop of ln(rms + 0.2)"),
        Term("time", "minus 0.03 a step"),
    )

    def __init__(self, observation: str = "features", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation = checked_choice("observation", observation, ("features", "image"))
        noise, coupling, drift, start = LEVELS[self.difficulty]
        if self.split == "shift":
            noise, coupling, drift, start = np.multiply(LEVELS[self.difficulty], SHIFT)
        self.noise, self.start, self.drift = noise * NOISE, start * START, drift * DRIFT
        self.law = coupling_law(*(coupling * c for c in COUPLING))
        self.electrons = ELECTRONS / noise**2  # a pixel
        self.seconds = microscope.CORRECTOR_S + microscope.TABLEAU_S
        self.dose = microscope.tableau_dose(TABLEAU_FIELD, CURRENT)
        if observation == "image":
            self.panel = self.panel.without("reading")
            text = f"Ronchigram of amorphous carbon, {1e3 * ANGLE_PER_PIXEL:g} mrad a pixel"
            self.images = (Image("ronchigram", (1, PIXELS, PIXELS), text),)
            electrons, edge = self.electrons * PIXELS**2, PIXELS * SAMPLING
            self.program = Program(
                self.program.instructions[0],
                microscope.record_ronchigram(KNOWN_DEFOCUS, electrons, edge, CURRENT),
            )
            exposure = microscope.ronchigram_seconds(electrons, CURRENT)
            self.seconds = microscope.CORRECTOR_S + exposure
            self.dose = microscope.ronchigram_dose(electrons, edge)

    @property
    def budget_s(self) -> float:
        """Seconds of the forty steps."""
        return STEPS * self.seconds

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw aberrations and coupling, and measure."""
        lanes = len(streams)
        frame = self.images[0].shape if self.images else (0,)
        phases = np.empty((lanes, COMPONENTS))
        draw_errors(self.start, streams, phases)
        state = State(
            phases=np.clip(phases, -LIMIT, LIMIT),
            coupling=draw_couplings(self.law, streams),
            change=np.zeros((lanes, COMPONENTS)),
            strehl=np.empty(lanes),
            rms=np.empty(lanes),
            reading=np.empty((lanes, 0 if self.images else COMPONENTS)),
            ronchigram=np.empty((lanes, *frame), np.uint8),
        )
        self.measure(state, streams)
        return state

    def measure(self, state: State, streams: NDArray[np.uint64]) -> None:
        """Judge the probes, and take their tableaus or expose the camera."""
        phases = all_phases(state.phases)
        state.strehl[:] = strehl(phases)
        state.rms[:] = rms_phase(phases)
        if not self.images:
            draw_errors(self.noise, streams, state.reading)
            state.reading[:] += state.phases
            return
        gratings = np.empty((len(streams), PIXELS, PIXELS), np.complex64)
        place_patches(film_of(self.split), streams, gratings)
        intensity = optics_ronchigram.ronchigrams(phases + DEFOCUS, gratings, STEP)
        gain = CAMERA_GAIN * ELECTRONS / self.electrons  # the mean count is always the same
        camera = (self.electrons, gain, CAMERA_OFFSET, READ_NOISE)
        expose_camera(intensity, *camera, streams, state.ronchigram[:, 0])

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Turn the knobs while the aberrations drift, and measure."""
        before = np.log(state.rms + SOFTENING)
        state.change[:] = np.stack(command, axis=1)
        turn_knobs(state.phases, state.coupling, state.change, self.drift, LIMIT, streams)
        self.measure(state, streams)
        lanes, drop = len(before), before - np.log(state.rms + SOFTENING)
        terms = {"sharpening": drop, "time": np.full(lanes, -STEP_PRICE)}
        return Outcome(terms, np.full(lanes, self.seconds), np.full(lanes, self.dose))

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the seconds spent, or how far the probe is from success."""
        success = state.strehl >= SUCCESS_STREHL
        score = np.where(success, clock.elapsed_s, self.budget_s * (2.0 - state.strehl))
        return Standing(score, success, success | (clock.steps >= STEPS))

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show what was measured, the last change of the knobs, and the steps left."""
        return {
            "reading": np.clip(state.reading / READING_SCALE, -4.0, 4.0),
            "change": state.change / MAX_CHANGE,
            "steps_left": 1.0 - clock.steps / STEPS,
            "ronchigram": state.ronchigram,
        }

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the Ronchigram at the known defocus, and the probe."""
        from mattergym.envs.stem.corrector_picture import draw_corrector

        phases = all_phases(state.phases[lane : lane + 1])
        if self.images:
            camera = state.ronchigram[lane, 0] / (CAMERA_GAIN * ELECTRONS)
        else:
            middle = FILM_PIXELS // 2 - PIXELS // 2
            patch = film_of(self.split)[middle : middle + PIXELS, middle : middle + PIXELS]
            camera = optics_ronchigram.ronchigrams(
                phases + DEFOCUS, np.fft.ifftshift(patch)[None], STEP
            )[0]
        lens = phases / aberrations.edge_phases(np.ones_like(phases), VOLTAGE, APERTURE)
        quality = f"Strehl={state.strehl[lane]:.2f}  rms={state.rms[lane]:.2f} rad"
        text = f"{quality}  {clock.elapsed_s[lane]:.0f} s"
        left = 1.0 - clock.steps[lane] / STEPS
        return draw_corrector(camera, ANGLE_PER_PIXEL, lens, VOLTAGE, APERTURE, text, left)
