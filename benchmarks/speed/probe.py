"""The feedback loop of a scanning probe: nanoseconds a sample, against a plain Python PI loop."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial

import numpy as np

from mattergym.benchmarks.speed import Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.physics.probe import feedback
from mattergym.physics.rng import seed_streams

RATE, WIDTH, SAMPLES = 4000.0, 128, 1000
F0, QUALITY, GAIN, DELAY, NOISE, SETPOINT = 400.0, 10.0, 0.05, 3, 0.2, 5.0
UNIT = "ns/sample"


def plain_loop(heights: list[float], samples: int) -> float:
    """Trace one line as a textbook has it: PI control, delay, resonance by Euler steps, noise."""
    omega, dt = 2.0 * math.pi * F0, 1.0 / RATE
    z = heights[0] - SETPOINT
    velocity, summed, squared = 0.0, z, 0.0
    delayed = [SETPOINT] * (DELAY + 1)
    for n in range(samples):
        h = heights[n * len(heights) // samples]
        deflection = max(h - z, 0.0) + random.gauss(0.0, NOISE)
        delayed.append(deflection)
        error = delayed.pop(0) - SETPOINT
        summed += GAIN * error
        velocity += dt * (omega**2 * (summed - z) - omega / QUALITY * velocity)
        z += dt * velocity
        squared += error * error
    return squared


def _compiled(lanes: int) -> Callable[[], float]:
    """Scan lines in some lanes and give nanoseconds a sample."""
    ones = np.ones(lanes)
    surface = np.cumsum(np.random.default_rng(0).normal(size=(lanes, WIDTH)), axis=1)
    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, np.uint64), 1)
    state = np.zeros((lanes, feedback.STATE_SIZE))
    images, statistics = np.empty((lanes, 3, WIDTH)), np.empty((lanes, 5))
    propagator = feedback.resonator_propagator(F0 * ones, QUALITY * ones, RATE)
    arguments = (
        np.arange(lanes),
        surface,
        surface,
        np.full(lanes, SAMPLES),
        GAIN * ones,
        0.0 * ones,
        0.5 * ones,
        SETPOINT * ones,
        np.full(lanes, DELAY),
        propagator,
        NOISE * ones,
        200.0,
        state,
        streams,
        images,
        statistics,
    )
    return timed(partial(feedback.scan_lines, *arguments), lanes * 2 * SAMPLES, UNIT)


def _plain() -> Callable[[], float]:
    heights = np.cumsum(np.random.default_rng(0).normal(size=WIDTH)).tolist()
    return timed(partial(plain_loop, heights, 2 * SAMPLES), 2 * SAMPLES, UNIT)


def section() -> Section:
    """One lane, a batch of 64, and the loop in plain Python."""
    return Section(
        "scanning probe",
        UNIT,
        {
            "AFM loop, one lane": _compiled(1),
            "AFM loop, batch of 64": _compiled(64),
            "plain Python PI loop": _plain(),
        },
        (Ratio("plain Python / ours", "plain Python PI loop", "AFM loop, batch of 64"),),
    )
