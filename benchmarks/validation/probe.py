"""The scanning probe's loop, cantilever and tip against theory, with traces as one sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mattergym.benchmarks.validation import cantilever
from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.physics.probe import feedback, topography
from mattergym.physics.rng import seed_streams

RATE, WIDTH = 4000.0, 128


class _Loop:
    """Lanes of one loop with their settings; flat surfaces unless given."""

    def __init__(self, gain: Any, surface: Any = None, **plant: Any) -> None:
        lanes = len(gain)
        ones = np.ones(lanes)
        self.surface = np.zeros((lanes, WIDTH)) if surface is None else surface
        self.setpoint = ones * plant.get("setpoint", 50.0)
        self.propagator = np.zeros((lanes, 2, 2))
        if "f0" in plant:
            self.propagator = feedback.resonator_propagator(
                plant["f0"] * ones, plant["quality"] * ones, RATE
            )
        self.state = np.zeros((lanes, feedback.STATE_SIZE))
        for lane in range(lanes):
            feedback.engage(self.state[lane], self.surface[lane, 0], self.setpoint[lane])
        self.streams = lane_streams(lanes, seed=plant.get("seed", 0))
        self.images, self.statistics = np.empty((lanes, 3, WIDTH)), np.empty((lanes, 5))
        self.gain, self.noise = ones * gain, ones * plant.get("noise", 0.0)
        self.delay = np.full(lanes, plant.get("delay", 0))
        self.samples = np.full(lanes, plant.get("samples", 8192))

    def line(self) -> None:
        """Scan there and back."""
        lanes, zeros = len(self.gain), np.zeros(len(self.gain))
        feedback.scan_lines(
            np.arange(lanes),
            self.surface,
            self.surface,
            self.samples,
            self.gain,
            zeros,
            zeros + 1.0,
            self.setpoint,
            self.delay,
            self.propagator,
            self.noise,
            1e6,
            self.state,
            self.streams,
            self.images,
            self.statistics,
        )


def _limit(expected: float, lines: int, **plant: Any) -> float:
    """Gain beyond which a kick of a picometre grows, by refined grids."""
    low, high = 0.5 * expected, 1.5 * expected
    for _ in range(4):
        gains = np.linspace(low, high, 16)
        loop = _Loop(gains, **plant)
        loop.state[:, feedback.POSITION] += 1e-3
        for _ in range(lines):
            loop.line()
        edge = int(np.argmax(loop.statistics[:, feedback.RMS_ERROR] > 1e-3))
        low, high = gains[edge - 1], gains[edge]
    return 0.5 * (low + high)


def _stability(directory: Path, quick: bool) -> list[Check]:
    """Gain limits by delay and by resonance."""
    from matplotlib.figure import Figure

    delays = np.arange(4 if quick else 9)
    exact = feedback.integral_gain_limit(delays)
    found = [_limit(float(k), 3, delay=int(d)) for d, k in zip(delays, exact, strict=True)]
    checks = [
        Check(
            f"largest stable gain, delay of {d} samples",
            found[d],
            float(exact[d]),
            1e-3,
            "1",
            "2 sin(pi/(2(2d + 1)))",
        )
        for d in range(4)
    ]
    frequencies = np.array([30.0, 60.0, 120.0] if quick else [30.0, 60.0, 120.0, 240.0, 480.0])
    theory = feedback.resonance_gain_limit(frequencies, 20.0, RATE)
    measured = np.array(
        [_limit(float(k), 8, f0=f, quality=20.0) for f, k in zip(frequencies, theory, strict=True)]
    )
    checks.append(
        Check(
            "gain limit of a slow resonance over omega0/(Q fs), f0 = 30 Hz, Q = 20",
            float(measured[0] / theory[0]),
            1.0,
            0.01,
            "1",
            "Routh's criterion",
        )
    )
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(delays, exact, color="0.5", label=r"$2 \sin(\pi/(4d + 2))$")
    left.plot(delays, found, "o", markersize=4, label="onset of ringing")
    left.set(xlabel="delay / samples", ylabel="largest stable gain", yscale="log")
    right.loglog(frequencies, theory, color="0.5", label=r"$\omega_0 / (Q f_s)$, Q = 20")
    right.loglog(frequencies, measured, "o", markersize=4, label="onset of ringing")
    right.set(xlabel="piezo resonance / Hz", ylabel="largest stable gain")
    for panel in (left, right):
        panel.legend(fontsize=8)
    figure.savefig(directory / "probe_stability.png", dpi=130)
    return checks


def _traces(directory: Path) -> None:
    """Lines over one surface: gain too low, right, too high, and a set-point too low."""
    from matplotlib.figure import Figure

    surface, scratch = np.empty((128, WIDTH)), np.empty((128, WIDTH))
    stream = seed_streams(np.array([5], np.uint64), np.zeros(1, np.uint64), 1)[0]
    topography.draw_surface(surface, scratch, 4.0, stream)
    cases = (
        ("gain 0.01", 0.01, 8.0),
        ("gain 0.06", 0.06, 8.0),
        ("gain 0.14", 0.14, 8.0),
        ("gain 0.06, set-point 0.7 nm", 0.06, 0.7),
    )
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    panels = figure.subplots(2, 4, height_ratios=(1.5, 1))
    x = np.arange(WIDTH) * 5.0
    for (title, gain, setpoint), (top, below) in zip(cases, panels.T, strict=True):
        image = np.empty_like(surface)
        loop = _Loop(
            np.full(1, gain),
            surface[:1],
            setpoint=setpoint,
            f0=400.0,
            quality=12.0,
            delay=2,
            noise=0.2,
            samples=2000,
        )
        for row in range(len(surface)):
            loop.surface = surface[row : row + 1]
            loop.line()
            image[row] = loop.images[0, 0]
            if row == 60:
                below.plot(x, surface[row], color="0.75", label="surface")
                below.plot(x, loop.images[0, 0], linewidth=1, label="trace")
                below.plot(x, loop.images[0, 1], linewidth=1, label="retrace")
        image -= np.median(image, axis=1, keepdims=True)
        top.imshow(image, cmap="afmhot", extent=(0, 640, 640, 0), vmin=-10, vmax=12)
        top.set_title(title, fontsize=9)
        top.tick_params(labelsize=7)
        below.tick_params(labelsize=7)
        below.set(xlabel="x / nm", ylim=(-14, 16))
    panels[1, 0].set_ylabel("height / nm")
    panels[1, 0].legend(fontsize=6)
    figure.savefig(directory / "probe_traces.png", dpi=130)


def _cantilever(directory: Path, seed: int) -> list[Check]:
    """Resonance of the driven cantilever, and piezoresponse across domain walls."""
    from matplotlib.figure import Figure

    f0, quality, rate = 353e3, 120.0, 4e6
    generator = np.random.default_rng([3, seed])
    sweep = np.linspace(335e3, 371e3, 60)
    n = np.arange(24_000)
    amplitude = np.array(
        [
            cantilever.lock_in(
                cantilever.ring(np.cos(2 * np.pi * f / rate * n), f0, quality, rate)[16_000:],
                f,
                rate,
            )
            * np.exp(-2j * np.pi * f / rate * 16_000)
            for f in sweep
        ]
    )
    amplitude += 0.4 * (generator.normal(size=(2, 60)).T @ np.array([1, 1j]))
    delay = np.sinc(sweep / rate) * np.exp(-1j * np.pi * sweep / rate)
    fitted, fitted_q, _ = cantilever.fit_resonance(sweep, amplitude / delay)
    field = np.empty((128, 128))
    stream = seed_streams(np.array([8], np.uint64), np.zeros(1, np.uint64), 1)[0]
    topography.correlated_field(field, 8.0, stream)
    domains = np.tanh(4.0 * field)
    strength, phase = cantilever.pfm(domains, 351e3, f0, quality, 3.0, generator)
    _, exact = cantilever.pfm(np.array([-1.0, 1.0]), 351e3, f0, quality, 0.0, generator)
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    one, two, three = figure.subplots(1, 3)
    one.plot(sweep / 1e3, np.abs(amplitude), "o", markersize=3, label="lock-in")
    fine = np.linspace(sweep[0], sweep[-1], 400)
    one.plot(fine / 1e3, np.abs(cantilever.response(fine, fitted, fitted_q)), label="fit")
    one.set(xlabel="drive / kHz", ylabel="amplitude / static")
    one.legend(fontsize=8)
    for panel, image, title, cmap in (
        (two, strength, "PFM amplitude", "inferno"),
        (three, np.mod(phase + 0.5, 2 * np.pi), "PFM phase / rad", "twilight"),
    ):
        picture = panel.imshow(image, cmap=cmap, extent=(0, 640, 640, 0))
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("nm")
        figure.colorbar(picture, ax=panel)
    figure.savefig(directory / "probe_pfm.png", dpi=130)
    return [
        Check("recovered resonance", fitted / 1e3, 353.0, 0.353, "kHz", "set value, 0.1 %"),
        Check("PFM phase across a wall", float(abs(np.ptp(exact))), np.pi, 1e-9, "rad", "sign"),
    ]


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check loop and cantilever; draw ``probe_stability``, ``probe_traces``, ``probe_pfm``."""
    gain = 0.2
    loop = _Loop(np.full(64, gain), noise=0.5, seed=seed)
    for _ in range(2):
        loop.line()
    rms = float(np.sqrt((loop.statistics[:, feedback.RMS_TRACKING] ** 2).mean()))
    noise = Check(
        "rms height noise of a loop of gain 0.2 on detector noise of 0.5 nm",
        rms,
        0.5 * float(np.sqrt(gain / (2.0 - gain))),
        2e-3,
        "nm",
        "autoregressive process",
    )
    _traces(directory)
    return [*_stability(directory, quick), *_cantilever(directory, seed), noise]
