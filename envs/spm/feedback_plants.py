"""The hidden plants of SPMFeedback: what a feedback loop may have to cope with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.probe import feedback
from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns of a plant: peak-to-valley height of the surface (four standard deviations, nm), delay
# (samples), piezo resonance (Hz), its Q, detector noise (nm), force limit (nm of deflection).
HEIGHT, DELAY, RESONANCE, QUALITY, NOISE, FORCE_LIMIT = range(6)
LOW = np.array([2.0, 1.0, 120.0, 2.0, 0.05, 5.0])
HIGH = np.array([30.0, 9.0, 900.0, 40.0, 1.0, 40.0])
SHIFT_LOW = np.array([15.0, 6.0, 60.0, 20.0, 0.5, 2.5])
SHIFT_HIGH = np.array([45.0, 13.0, 240.0, 80.0, 2.0, 10.0])
# Fraction of the range of the logarithms, about their middle, that a difficulty draws from.
BREADTH = {"easy": 0.5, "standard": 1.0, "hard": 1.3}


def plant_limits(split: str, difficulty: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest plant of a split and a difficulty, (6,) each."""
    shift = split == "shift"
    low = np.log(SHIFT_LOW if shift else LOW)
    high = np.log(SHIFT_HIGH if shift else HIGH)
    middle, half = 0.5 * (low + high), 0.5 * (high - low) * BREADTH[difficulty]
    lowest, highest = np.exp(middle - half), np.exp(middle + half)
    lowest[DELAY] = max(lowest[DELAY], 1.0)
    highest[DELAY] = min(highest[DELAY], float(feedback.MAX_DELAY))
    return lowest, highest


@njit(cache=True)
def draw_plants(low: Any, high: Any, streams: Any) -> Any:
    """Draw a plant a stream, log-uniform between limits (6,) each, with whole delays; (n, 6)."""
    plant = np.empty((streams.shape[0], low.shape[0]))
    for b in range(plant.shape[0]):
        for k in range(plant.shape[1]):
            plant[b, k] = low[k] * (high[k] / low[k]) ** uniform(streams[b])
        plant[b, DELAY] = np.floor(plant[b, DELAY])
    return plant
