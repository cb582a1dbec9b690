"""Agents of STEMCorrector: proportional control, a Kalman filter, and one who knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.agents.corrector_analyst import read_ronchigrams, reading_error
from mattergym.envs.stem.corrector import COUPLING, DRIFT, MAX_CHANGE, NOISE, START
from mattergym.physics.optics.corrector import COMPONENT_ORDER, COMPONENTS, PART, TERM, coupling_law
from mattergym.physics.optics.quality import wavefront_gram

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Mean square phase over the aperture as a form of the twelve components.
GRAM = wavefront_gram()[np.ix_(2 * TERM + PART, 2 * TERM + PART)]


def bounded_least_squares(
    matrix: NDArray[np.float64], vector: NDArray[np.float64], sweeps: int = 30
) -> NDArray[np.float64]:
    """Minimise u' A u / 2 + b' u within the knobs' bounds by coordinate descent.

    Parameters
    ----------
    matrix : ndarray of float64, shape (B, 12, 12)
        A, symmetric and positive definite.
    vector : ndarray of float64, shape (B, 12)
        b.
    sweeps : int
        Passes over the coordinates.

    Returns
    -------
    ndarray of float64, shape (B, 12)
        Changes of the knobs in rad.
    """
    change = np.zeros_like(vector)
    for _ in range(sweeps):
        for k in range(vector.shape[1]):
            diagonal = matrix[:, k, k]
            slope = vector[:, k] + np.einsum("bj,bj->b", matrix[:, k], change)
            change[:, k] = np.clip(change[:, k] - slope / diagonal, -MAX_CHANGE, MAX_CHANGE)
    return change


class KnobAgent(Agent):
    """Turns the twelve knobs."""

    def turn(self, change: NDArray[np.float64]) -> NDArray[np.float32]:
        """Make actions of changes of the knobs in rad, (B, 12), cut to what is allowed."""
        knobs = [parameter.name for parameter in self.task.program.parameters]
        return self.action(**dict(zip(knobs, change.T, strict=True)))


class ReadingAgent(KnobAgent):
    """Acts on a reading of the twelve aberrations: measured, or read off the Ronchigram.

    Attributes
    ----------
    noise : ndarray of float64, shape (12,)
        Standard deviation of a reading in rad.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._imaging = bool(self.task.images)
        self.noise = reading_error() if self._imaging else NOISE

    def readings(self, observation: Any) -> NDArray[np.float64]:
        """Return aberrations in rad, (B, 12)."""
        if self._imaging:
            return read_ronchigrams(self.read(observation, "ronchigram")[:, 0])
        return self.read(observation, "reading")


class GainCorrector(ReadingAgent):
    """Takes back 0.4 of every reading: small enough that noise and coupling average out."""

    name = "gain-0.4"
    gain = 0.4

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Turn every knob against its reading."""
        return self.turn(-self.gain * self.readings(observation)), None


class LowOrdersFirst(ReadingAgent):
    """What an operator does: correct the lowest order that is out of its gate, by 0.7 of it.

    When all readings are within their gates, everything is corrected.
    """

    name = "scripted"
    gain = 0.7
    # In standard deviations of a reading.
    gates = 2.5

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Correct one order."""
        reading = self.readings(observation)
        outside = np.abs(reading) > self.gates * self.noise
        order = np.where(outside, COMPONENT_ORDER, COMPONENT_ORDER.max() + 1).min(axis=1)
        chosen = (COMPONENT_ORDER == order[:, None]) | (order > COMPONENT_ORDER.max())[:, None]
        return self.turn(-self.gain * reading * chosen), None


class KalmanCorrector(ReadingAgent):
    """Estimates aberrations and coupling together, and turns the knobs by what it believes.

    For known knob changes u the law p' = p + M u + drift is linear in (p, M), and its rows are
    independent: twelve exact Kalman filters with thirteen unknowns each, started from the
    published law of starts and couplings. The action minimises the expected mean square phase
    after it, part of the uncertainty of M included, within the knobs' bounds.

    References
    ----------
    Kalman, R. E. (1960), J. Basic Eng. 82, 35.
    """

    name = "kalman"
    # Weight of the coupling's variance: at 1, the least expected phase of the next step, it turns
    # the knobs too little to learn the coupling.
    caution = 0.1
    # On images the analyst's errors are smaller near the goal, and they last while the microscope
    # changes little: less noise and more drift than the readings' error alone says.
    image_noise, image_drift = 0.6, 0.35

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._variance = (self.noise * (self.image_noise if self._imaging else 1.0)) ** 2
        self._drift = self.image_drift if self._imaging else DRIFT

    def _prior(self, lanes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (B, 12, 13) and covariance (B, 12, 13, 13) of (p_i, M_i1 .. M_i12)."""
        mean = np.zeros((lanes, COMPONENTS, COMPONENTS + 1))
        mean[:, :, 1:] = np.eye(COMPONENTS)
        variance = np.concatenate([START[:, None], coupling_law(*COUPLING)], axis=1) ** 2
        covariance = np.zeros((*mean.shape, COMPONENTS + 1))
        k = np.arange(COMPONENTS + 1)
        covariance[:, :, k, k] = variance
        return mean, covariance

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Update the belief by the last change and its reading, and act on it."""
        change = self.read(observation, "change")
        lanes = len(change)
        mean, covariance = self._prior(lanes)
        if state is not None:
            known = np.ones(lanes, np.bool_) if episode_start is None else ~episode_start
            mean[known], covariance[known] = state[0][known], state[1][known]
        # p += M u: the first row of the transition is (1, u).
        step = np.concatenate([np.ones((lanes, 1)), change], axis=1)
        mean[:, :, 0] = np.einsum("bij,bj->bi", mean, step)
        mixed = np.einsum("bijk,bk->bij", covariance, step)
        variance = np.einsum("bij,bj->bi", mixed, step) + self._drift**2
        covariance[:, :, 0, :] = mixed
        covariance[:, :, :, 0] = mixed
        covariance[:, :, 0, 0] = variance
        column = covariance[:, :, :, 0]
        gain = column / (variance + self._variance)[:, :, None]
        surprise = self.readings(observation) - mean[:, :, 0]
        mean = mean + gain * surprise[:, :, None]
        covariance = covariance - gain[:, :, :, None] * column[:, :, None, :]

        coupling = mean[:, :, 1:]
        weighted = np.einsum("ij,bjk->bik", GRAM, coupling)
        matrix = np.einsum("bji,bjk->bik", coupling, weighted)
        vector = np.einsum("bji,bj->bi", weighted, mean[:, :, 0])
        weight = self.caution * np.diag(GRAM)
        matrix += np.einsum("i,bijk->bjk", weight, covariance[:, :, 1:, 1:])
        vector += np.einsum("i,bij->bj", weight, covariance[:, :, 0, 1:])
        return self.turn(bounded_least_squares(matrix, vector)), (mean, covariance)


class ExpertCorrector(KnobAgent):
    """Knows aberrations and coupling: the changes that leave the least mean square phase."""

    name = "expert"
    knows = "hidden"

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Solve for the changes."""
        hidden = self.bench.state
        weighted = np.einsum("ij,bjk->bik", GRAM, hidden.coupling)
        matrix = np.einsum("bji,bjk->bik", hidden.coupling, weighted)
        vector = np.einsum("bji,bj->bi", weighted, hidden.phases)
        return self.turn(bounded_least_squares(matrix, vector)), None


READY = (LowOrdersFirst, GainCorrector, KalmanCorrector, ExpertCorrector)
SHELF: Shelf = {
    "features": (
        *READY,
        Recipe(
            "ppo",
            3_000_000,
            {
                "num_envs": 128,
                "n_steps": 40,
                "batch_size": 1280,
                "n_epochs": 8,
                "learning_rate": 1e-3,
                "gamma": 0.97,
                "gae_lambda": 0.9,
                "log_std_init": -1.0,
            },
        ),
        Recipe(
            "rppo",
            1_500_000,
            {
                "num_envs": 128,
                "n_steps": 40,
                "batch_size": 1280,
                "n_epochs": 4,
                "learning_rate": 1e-3,
                "gamma": 0.97,
                "gae_lambda": 0.9,
                "log_std_init": -1.0,
                "policy_kwargs": {
                    "lstm_hidden_size": 128,
                },
            },
        ),
    ),
    "image": READY,
}
