"""Agents of SPMFeedback: one fixed setting, a Ziegler-Nichols-like search, the plant's optimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.envs.spm import feedback as task
from mattergym.physics.rng import seed_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray


def steady_loss(
    surface: NDArray[np.float64], plant: NDArray[np.float64], logs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean loss of a line for several settings of one plant with a sharp tip.

    Parameters
    ----------
    surface : ndarray of float64, shape (L, W)
        Lines to scan, nm.
    plant : ndarray of float64, shape (6,)
        Columns as :mod:`mattergym.envs.spm.feedback_plants` names them.
    logs : ndarray of float64, shape (n, 4)
        Natural logarithms of gain, bandwidth in Hz, set-point in nm, line rate in Hz.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    n = len(logs)
    streams = seed_streams(np.zeros(n, np.uint64), np.zeros(n, np.uint64), 7)
    state = task.engage(np.tile(surface, (n, 1, 1)), np.tile(plant, (n, 1)), logs)
    total = np.zeros(n)
    for line in range(len(surface)):
        task.scan_line(state, np.full(n, line), streams)
        total += sum(task.line_loss(state).values())
    return total / len(surface)


def starting(lanes: int, state: Any, episode_start: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Lanes whose episode starts, bool (B,): all without a state, none unless told."""
    if state is None:
        return np.ones(lanes, np.bool_)
    return np.zeros(lanes, np.bool_) if episode_start is None else episode_start


class SettingsAgent(Agent):
    """Moves the settings towards wanted ones as fast as the knobs allow."""

    reads_display = True

    def towards(self, wanted: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the action that brings ln settings (B, 4) nearest to ``wanted``."""
        gain, bandwidth, setpoint, rate = (wanted - np.log(self.bench.display["settings"])).T
        return self.action(ln_gain=gain, ln_bandwidth=bandwidth, ln_setpoint=setpoint, ln_rate=rate)


class FixedFeedback(SettingsAgent):
    """The one setting that loses least on average over the training split."""

    name = "fixed"
    settings: ClassVar[tuple[float, float, float, float]] = (0.111, 84.5, 1.27, 0.83)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Go there and stay."""
        return self.towards(np.tile(np.log(self.settings), (len(observation), 1))), None


class ScriptedFeedback(SettingsAgent):
    """What an operator does: turn up the gain until the loop rings, go back, leave it.

    Bandwidth, set-point and line rate go to the best fixed setting's. The gain then rises by a
    factor a line until the error signal's rms exceeds its smallest so far by a margin (Ziegler and
    Nichols's ultimate gain, as far as a scan shows it), and falls back to a fraction of that gain.
    """

    name = "scripted"
    settle, first, factor, margin, back, most = 5, 0.06, 1.4, 1.1, 0.5, 12

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Search, then leave the settings; the state is (step, ln gain, least rms, done)."""
        lanes = len(observation)
        start = starting(lanes, state, episode_start)
        state = np.zeros((lanes, 4)) if state is None else state.copy()
        state[start] = 0.0, np.log(self.first), np.inf, 0.0
        step, gain, least, done = state.T  # views
        searching = (step >= self.settle) & (done == 0.0)
        error = self.read(observation, "log_error")
        ringing = searching & (error > least + np.log(self.margin))
        over = searching & (ringing | (step >= self.settle + self.most))
        gain[over] += np.log(self.back)
        done[over] = 1.0
        up = searching & ~over
        least[up] = np.minimum(least, error)[up]
        gain[up] += np.log(self.factor)
        step += 1.0
        wanted = np.tile(np.log(FixedFeedback.settings), (lanes, 1))
        wanted[:, 0] = gain
        return self.towards(wanted), state


class ExpertFeedback(SettingsAgent):
    """Knows plant and surface: moves to the setting that loses least on them.

    A cross-entropy search over the four knobs on lines spread over the surface, begun at the best
    fixed setting; it runs once an episode.
    """

    name = "expert"
    knows: ClassVar[str] = "hidden"
    population, elite, rounds, every = 40, 8, 6, 10
    spread: ClassVar[tuple[float, ...]] = (0.9, 0.9, 0.6, 0.5)

    def optimum(self, lane: int) -> NDArray[np.float64]:
        """Search the ln settings (4,) of a lane."""
        hidden = self.bench.state
        surface, plant = hidden.surface[lane, 5 :: self.every], hidden.plant[lane]
        generator = np.random.default_rng(0)
        low, high = np.log(task.LOW), np.log(task.HIGH)
        mean, spread = np.log(FixedFeedback.settings), np.array(self.spread)
        best, least = mean, np.inf
        for _ in range(self.rounds):
            drawn = mean + spread * generator.normal(size=(self.population, 4))
            drawn[0] = best
            drawn = np.clip(drawn, low, high)
            losses = steady_loss(surface, plant, drawn)
            order = np.argsort(losses, kind="stable")
            if losses[order[0]] < least:
                best, least = drawn[order[0]], losses[order[0]]
            chosen = drawn[order[: self.elite]]
            mean, spread = chosen.mean(axis=0), chosen.std(axis=0) + 0.02
        return best

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Search where an episode starts, then go there and stay."""
        lanes = len(observation)
        start = starting(lanes, state, episode_start)
        state = np.zeros((lanes, 4)) if state is None else state.copy()
        for lane in np.flatnonzero(start):
            state[lane] = self.optimum(int(lane))
        return self.towards(state), state


SHELF: Shelf = {
    "standard": (
        FixedFeedback,
        ScriptedFeedback,
        ExpertFeedback,
        Recipe(
            "ppo",
            2_000_000,
            {
                "num_envs": 128,
                "n_steps": 60,
                "batch_size": 1920,
                "n_epochs": 8,
                "learning_rate": 1e-3,
                "gamma": 0.9,
                "gae_lambda": 0.95,
                "log_std_init": -1.0,
            },
        ),
    ),
}
