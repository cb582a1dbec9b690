"""Agents of IsingAnneal-v0: schedules of temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mattergym.agents.base import Agent

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 50
MAX_CHANGE = 0.5


def steps_done(observation: NDArray[np.float32]) -> NDArray[np.float64]:
    """Fraction of the episode's steps that are done, 0 to 1, from the steps left; shape (B,)."""
    fraction: NDArray[np.float64] = (1.0 - observation[:, -1]) * STEPS / (STEPS - 1)
    return fraction


class ScheduleAgent(Agent):
    """Follows a schedule of ln T as fast as the furnace allows, reading T from its display."""

    def wanted(self, done: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln T for a fraction of the episode, shape (B,)."""
        raise NotImplementedError

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Step towards the schedule."""
        unwrapped: Any = self.env.unwrapped
        change = self.wanted(steps_done(observation)) - np.log(unwrapped.temperature)
        return np.clip(change / MAX_CHANGE, -1.0, 1.0).astype(np.float32)[:, None], None


class GeometricAnneal(ScheduleAgent):
    """What an operator does who does not know the scale: cool geometrically from 4 to 0.3."""

    name = "scripted"

    def wanted(self, done: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a straight line in ln T."""
        return np.log(4.0) + np.log(0.3 / 4.0) * done


class AcceptanceServo(Agent):
    """Steers the acceptance along a falling set-point, as adaptive annealing does.

    ln T moves in proportion to the logarithm of wanted over observed acceptance.
    """

    name = "servo"
    first, last, gain = 0.1, 0.04, 0.5

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Correct the temperature by the acceptance of the last step."""
        done = steps_done(observation)
        wanted = np.log(self.first) + np.log(self.last / self.first) * done
        change = self.gain * (wanted - observation[:, 3])
        return np.clip(change / MAX_CHANGE, -1.0, 1.0).astype(np.float32)[:, None], None


class ExpertAnneal(ScheduleAgent):
    """Knows g and p2: a schedule of T/g, with knots tuned for both ends of p2.

    The knots were found by a cross-entropy search over all ten for the mean score on the training
    split. The optimum is not a ramp: it holds T/g near 0.9, where the glass still moves between
    valleys, and cools only at the end, since the best energy ever seen counts.
    """

    name = "expert"
    knows: ClassVar[str] = "hidden"
    # ln(T/g) at equidistant times, for p2 = 0.5 and p2 = 1.
    knots = np.log(
        np.array([[0.904, 0.959, 0.824, 0.891, 0.677], [1.365, 0.882, 0.947, 1.032, 0.773]])
    )

    def wanted(self, done: NDArray[np.float64]) -> NDArray[np.float64]:
        """Interpolate between the knots in time and in p2."""
        unwrapped: Any = self.env.unwrapped
        nodes = np.linspace(0.0, 1.0, self.knots.shape[1])
        low, high = (np.interp(done, nodes, knots) for knots in self.knots)
        weight = np.clip(2.0 * unwrapped._c2_fraction - 1.0, 0.0, 1.0)
        return (1.0 - weight) * low + weight * high + np.log(unwrapped._scale)
