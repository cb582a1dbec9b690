"""SPMFeedback-v0: tune the feedback loop of a scanning probe on an unknown plant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.envs.instruments import Parameter
from mattergym.envs.program import Program
from mattergym.envs.spm import feedback_plants as plants
from mattergym.envs.spm import scanning_probe
from mattergym.envs.task import Clock, Field, Outcome, Panel, Standing, Task, Term
from mattergym.physics.probe import feedback
from mattergym.physics.probe.topography import dilate_lines, draw_surfaces
from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINES = 60
PIXELS = 128
BINS = (32,)  # of an observed line
SAMPLE_RATE = 4000.0  # Hz
PIXEL_NM = 5.0
TRAVEL = 200.0  # nm
# The integrator's gain a sample, the bandwidth of the detector's low-pass, the set-point, and lines
# a second: their ranges, and where an episode starts but for a jitter of the logarithms.
KNOBS = (
    Parameter("gain", 1e-3, 1.0, log=True),
    Parameter("bandwidth", 20.0, 2000.0, "Hz", log=True),
    Parameter("setpoint", 1.0, 30.0, "nm", log=True),
    Parameter("rate", 0.5, 8.0, "Hz", log=True),
)
LOW = np.array([knob.low for knob in KNOBS])
HIGH = np.array([knob.high for knob in KNOBS])
START = np.array([0.03, 500.0, 8.0, 2.0])
START_SPREAD = 0.3
# Weights of a line's loss.
FORCE_WEIGHT, TIME_WEIGHT, DAMAGE_WEIGHT = 0.3, 0.15, 0.1
# Blunting of the tip, in nm of radius a unit of damage, and the bluntest tip.
WEAR_NM, BLUNTEST_NM = 200.0, 400.0
# Success: the last lines lose no more than this each, on average.
LAST_LINES, GOOD_LOSS = 10, 0.4
# Scale of observed heights; what is added to lengths before their logarithm.
HEIGHT_SCALE, SOFTENING = 10.0, 1e-3  # nm


class State(NamedTuple):
    """Scans of L = 61 lines of W = 128 pixels; but for the settings all is hidden."""

    surface: NDArray[np.float64]  # nm, (B, L, W)
    plant: NDArray[np.float64]  # columns as feedback_plants names them, (B, 6)
    propagator: NDArray[np.float64]  # of the piezo, (B, 2, 2)
    logs: NDArray[np.float64]  # natural logarithms of the settings, (B, 4)
    settings: NDArray[np.float64]  # as KNOBS order them, (B, 4)
    loop: NDArray[np.float64]  # state of the feedback, as of feedback.scan_lines
    radius: NDArray[np.float64]  # of the tip, nm
    damage: NDArray[np.float64]  # done to the tip so far
    signals: NDArray[np.float64]  # trace, retrace, error of the last line, nm, (B, 3, W)
    statistics: NDArray[np.float64]  # of the last line, as of feedback.scan_lines, (B, 5)
    image: NDArray[np.float32]  # traces so far, nm, (B, L, W)
    losses: NDArray[np.float64]  # of the lines so far, the one before the first step included


@njit(cache=True)
def jitter(streams: Any, logs: Any) -> None:
    """Add uniform noise to where the logarithms of the settings (B, 4) start, in place."""
    for b in range(logs.shape[0]):
        for k in range(logs.shape[1]):
            logs[b, k] += START_SPREAD * (2.0 * uniform(streams[b]) - 1.0)


def engage(
    surface: NDArray[np.float64], plant: NDArray[np.float64], logs: NDArray[np.float64]
) -> State:
    """Engage sharp tips on the first pixel of the first line; the arguments go into the state."""
    lanes, lines, width = surface.shape
    resonator = plant[:, plants.RESONANCE], plant[:, plants.QUALITY]
    state = State(
        surface=surface,
        plant=plant,
        propagator=feedback.resonator_propagator(*resonator, SAMPLE_RATE),
        logs=logs,
        settings=np.exp(logs),
        loop=np.zeros((lanes, feedback.STATE_SIZE)),
        radius=np.zeros(lanes),
        damage=np.zeros(lanes),
        signals=np.zeros((lanes, 3, width)),
        statistics=np.zeros((lanes, 5)),
        image=np.zeros((lanes, lines, width), np.float32),
        losses=np.zeros((lanes, lines)),
    )
    for b in range(lanes):
        feedback.engage(state.loop[b], surface[b, 0, 0], state.settings[b, 2])
    return state


def scan_line(state: State, line: NDArray[np.int64], streams: NDArray[np.uint64]) -> None:
    """Scan a line, an index (B,), there and back with the present settings."""
    lanes = np.arange(len(line))
    true = state.surface[lanes, line]
    felt = np.empty_like(true)
    dilate_lines(lanes, true, state.radius, PIXEL_NM, felt)
    gain, bandwidth, setpoint, rate = state.settings.T
    samples = np.round(0.5 * SAMPLE_RATE / rate).astype(np.int64)
    delay = state.plant[:, plants.DELAY].astype(np.int64)
    scan: Any = feedback.scan_lines
    scan(
        *(lanes, felt, true, samples),
        *(gain, np.zeros(len(lanes))),
        *(feedback.filter_coefficient(bandwidth, SAMPLE_RATE), setpoint),
        *(delay, state.propagator, state.plant[:, plants.NOISE], TRAVEL),
        *(state.loop, streams, state.signals, state.statistics),
    )
    state.image[lanes, line] = state.signals[:, 0]


def line_loss(state: State) -> dict[str, NDArray[np.float64]]:
    """Terms of the loss of the last line, each (B,), in the order of the manual's formula."""
    statistics, limit = state.statistics, state.plant[:, plants.FORCE_LIMIT]
    rms, sigma = statistics[:, feedback.RMS_TRACKING], 0.25 * state.plant[:, plants.HEIGHT]
    excess = statistics[:, feedback.MAX_DEFLECTION] / limit - 2.0
    return {
        "tracking": rms / (rms + 0.5 * sigma),
        "force": FORCE_WEIGHT * np.minimum(statistics[:, feedback.MEAN_DEFLECTION] / limit, 2.0),
        "time": TIME_WEIGHT / state.settings[:, 3],
        "damage": DAMAGE_WEIGHT * np.clip(excess, 0.0, 3.0),
    }


class SPMFeedback(Task):
    """Tune the feedback loop of a scanning probe while it scans an unknown surface.

    Description
    -----------
    A tip follows a surface of terraces, islands and roughness by an integrating controller at
    4 kHz. The plant is hidden and new in every episode, log-uniform in each of: height (four
    standard deviations) 2-30 nm, delay 1-8 samples, piezo resonance 120-900 Hz, its Q 2-40,
    detector noise 0.05-1 nm, force limit of the sample 5-40 nm of deflection. The detector has a
    first-order low-pass of adjustable bandwidth. Off the surface the deflection is zero, so the tip
    comes back no faster than gain times set-point. Deflections beyond twice the force limit blunt
    the tip, by 200 nm of radius a unit of damage, and a blunt tip draws the surface too wide.

    The bandwidth takes the place of a proportional knob: a filter below the resonance takes the
    resonance out of the loop; one above it lets the loop be fast.

    Instrument and costs
    --------------------
    The scanning probe. One step changes the settings, then scans a line of 128 px of 5 nm.

    Action Space
    ------------
    ``Box(-1, 1, (4,), float32)``: changes of the natural logarithms of the settings: the gain of
    the integrator a sample, the bandwidth of the detector's low-pass, the set-point, the line rate.
    The settings stop at the ends of their ranges, which the table of the observation has.

    Observation Space
    -----------------
    ``Box((107,), float32)``: the last line, averaged over 4 px, heights against the mean of its
    trace; its numbers, with 0.001 nm added to lengths before their logarithm; the settings.

    Reward
    ------
    A line earns -[r/(r + sigma/2) + 0.3 min(F/Fc, 2) + 0.15/rate + 0.1 clip(Fmax/Fc - 2, 0, 3)].
    Here r is the rms of recorded minus true height at the full rate, sigma the standard deviation
    of the surface, F and Fmax mean and maximal deflection, Fc the force limit, the rate is in Hz.

    Success and score
    -----------------
    Score: mean loss of a line so far, to be minimised. Success: the last ten lost at most 0.4 each.

    Starting State
    --------------
    A new plant and surface; settings near 0.03, 500 Hz, 8 nm, 2 Hz (a factor of up to 1.35 off),
    one line already scanned. ``split="shift"``: higher surfaces (15-45 nm), delays 6-12 samples,
    resonances 60-240 Hz with Q 20-80, noise 0.5-2 nm, force limits 2.5-10 nm.

    Episode End
    -----------
    Terminated after 60 lines.

    Arguments
    ---------
    ``split``, ``difficulty`` (plants from the middle half of the ranges, of their logarithms | all
    | 1.3 times as much), ``render_mode``, ``render_truth``.

    Baselines
    ---------
    random, fixed (the best single setting), scripted (gain turned up until the loop rings, as
    Ziegler and Nichols have it, then fixed), expert (optimum of the hidden plant by search), ppo.

    Mean loss of a line over 1,000 test episodes, errors below 0.01: random 1.030, fixed 0.560,
    scripted 0.517, ppo (2 M steps) 0.479, expert 0.444.

    References
    ----------
    Liu, Y. et al. (2025), ACS Nano, on autonomous tuning of scanning probe feedback.
    Ziegler, J. G. & Nichols, N. B. (1942), Trans. ASME 64, 759.

    Version History
    ---------------
    v0: initial version.
    """

    program = Program(
        scanning_probe.change_feedback(gain=0.7, bandwidth=0.7, setpoint=0.5, rate=0.5),
        scanning_probe.scan_line(),
    )
    panel = Panel(
        Field("trace", -50, 50, "heights on the way there", "nm", HEIGHT_SCALE, BINS),
        Field("retrace", -50, 50, "heights on the way back", "nm", HEIGHT_SCALE, BINS),
        Field("error", -50, 50, "error signal on the way there", "nm", HEIGHT_SCALE, BINS),
        Field("log_error", -12, 8, "ln of the error signal's rms in nm, at the full rate"),
        Field("log_height", -12, 8, "ln of the trace's standard deviation in nm"),
        Field("log_difference", -12, 8, "ln of that of trace minus retrace in nm"),
        Field("log_mean_deflection", -12, 8, "ln of the mean deflection in nm"),
        Field("log_max_deflection", -12, 8, "ln of the maximal deflection in nm"),
        Field("lost", 0, 1, "fraction of samples off the surface"),
        *(Field(knob.name, -1, 1, f"{knob}, mapped to -1..1") for knob in KNOBS),
        Field("left", 0, 1, "fraction of the lines left"),
    )
    display = ("settings",)
    terms = (
        Term("tracking", "-r/(r + sigma/2)"),
        Term("force", "-0.3 min(F/Fc, 2)"),
        Term("time", "-0.15/rate"),
        Term("damage", "-0.1 clip(Fmax/Fc - 2, 0, 3)"),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limits = plants.plant_limits(self.split, self.difficulty)

    def draw(self, streams: NDArray[np.uint64]) -> State:
        """Draw plants and surfaces, engage, and scan the first line."""
        lanes = len(streams)
        plant, logs = plants.draw_plants(*self.limits, streams), np.tile(np.log(START), (lanes, 1))
        jitter(streams, logs)
        surface = np.empty((lanes, LINES + 1, PIXELS))
        draw_surfaces(np.arange(lanes), surface, 0.25 * plant[:, plants.HEIGHT], streams)
        state = engage(surface, plant, logs)
        scan_line(state, np.zeros(lanes, np.int64), streams)
        state.losses[:, 0] = sum(line_loss(state).values())
        return state

    def act(self, state: State, command: Any, clock: Clock, streams: NDArray[np.uint64]) -> Outcome:
        """Change the settings and scan a line; the reward is minus its loss."""
        wanted = state.logs + np.stack(command, axis=1)
        np.clip(wanted, np.log(LOW), np.log(HIGH), out=state.logs)
        np.exp(state.logs, out=state.settings)
        line = np.minimum(clock.steps + 1, LINES)
        scan_line(state, line, streams)
        loss = line_loss(state)
        state.losses[np.arange(len(line)), line] = sum(loss.values())
        state.damage[:] += loss["damage"]
        np.minimum(state.radius + WEAR_NM * loss["damage"], BLUNTEST_NM, out=state.radius)
        seconds = scanning_probe.COMMAND_S + scanning_probe.line_seconds(state.settings[:, 3])
        return Outcome({name: -term for name, term in loss.items()}, seconds)

    def assess(self, state: State, clock: Clock) -> Standing:
        """Score the lines of the steps so far; before the first step, the line before it."""
        mean = state.losses[:, 1:].sum(axis=1) / np.maximum(clock.steps, 1)
        over = clock.steps >= LINES
        good = over & (state.losses[:, -LAST_LINES:].mean(axis=1) <= GOOD_LOSS)
        score = np.where(clock.steps > 0, mean, state.losses[:, 0])
        return Standing(score, good, over, state.damage)

    def observe(self, state: State, clock: Clock) -> dict[str, Any]:
        """Show the last line, its numbers and the settings."""
        lanes, s = len(clock.steps), state.statistics
        lines = state.signals.reshape(lanes, 3, *BINS, -1).mean(axis=3)
        lines[:, :2] -= lines[:, 0].mean(axis=1)[:, None, None]
        lines = np.clip(lines / HEIGHT_SCALE, -50.0, 50.0)
        levelled = state.signals[:, :2] - state.signals[:, :2].mean(axis=2, keepdims=True)
        there, back = levelled[:, 0], levelled[:, 1]
        placed = 2.0 * (state.logs - np.log(LOW)) / np.log(HIGH / LOW) - 1.0
        return {
            "trace": lines[:, 0],
            "retrace": lines[:, 1],
            "error": lines[:, 2],
            "log_error": np.log(s[:, feedback.RMS_ERROR] + SOFTENING),
            "log_height": np.log(there.std(axis=1) + SOFTENING),
            "log_difference": np.log((there - back).std(axis=1) + SOFTENING),
            "log_mean_deflection": np.log(s[:, feedback.MEAN_DEFLECTION] + SOFTENING),
            "log_max_deflection": np.log(s[:, feedback.MAX_DEFLECTION] + SOFTENING),
            "lost": s[:, feedback.LOST],
            **{k.name: x for k, x in zip(KNOBS, np.clip(placed, -1.0, 1.0).T, strict=True)},
            "left": 1.0 - clock.steps / LINES,
        }

    def render(self, state: State, clock: Clock, lane: int) -> NDArray[np.uint8]:
        """Draw the image so far, and the signals of the last line."""
        from mattergym.envs.spm.feedback_picture import draw_scan

        done = int(clock.steps[lane])
        seen = state.image[lane, :LINES], min(done + 1, LINES), state.signals[lane]
        text = "I={:.3f} B={:.0f} Hz s={:.1f} nm {:.1f} Hz".format(*state.settings[lane])
        return draw_scan(*seen, text, 1.0 - done / LINES)
