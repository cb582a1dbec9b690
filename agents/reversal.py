"""Agents of IsingReversal-v0: protocols of temperature and field against time."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from scipy.interpolate import CubicSpline

from mattergym.agents.base import Agent, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

KNOTS = 10


def protocol_from_knots(knots: NDArray[np.float64], sweeps: int) -> NDArray[np.float64]:
    """Interpolate ln T and h through knots by cubic splines.

    Parameters
    ----------
    knots : ndarray of float64, shape (..., 2, K)
        ln T and h at K equidistant times of the protocol, its ends included.
    sweeps : int

    Returns
    -------
    ndarray of float64, shape (..., sweeps, 2)
        T and h of every sweep, within the furnace's bounds.
    """
    node = np.linspace(0, 1, knots.shape[-1])
    time = (np.arange(sweeps) + 0.5) / sweeps
    curve = np.moveaxis(CubicSpline(node, knots, axis=-1)(time), -2, -1)
    temperature = np.clip(np.exp(curve[..., 0]), 0.05, 12.0)
    return np.stack([temperature, np.clip(curve[..., 1], -10.0, 10.0)], axis=-1)


class ProtocolAgent(Agent):
    """Plays a fixed protocol by the time left, which every observation carries last."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._horizon: int = env.unwrapped._horizon  # type: ignore[attr-defined]
        self.knots = self.initial_knots()

    def initial_knots(self) -> NDArray[np.float64]:
        """Knots (2, K) before any training."""
        raise NotImplementedError

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Look up the set-points of the coming sweep."""
        sweep = np.rint((1.0 - observation[:, -1]) * self._horizon).astype(int)
        protocol = protocol_from_knots(self.knots, self._horizon)
        chosen = protocol[np.clip(sweep, 0, self._horizon - 1)]
        unwrapped: Any = self.env.unwrapped
        return unwrapped.action_of(chosen[:, 0], chosen[:, 1]), None


class ScriptedReversal(ProtocolAgent):
    """What an operator does: ramp the field through zero while heating to T = 4.6 and cooling."""

    name = "scripted"

    def initial_knots(self) -> NDArray[np.float64]:
        """Return knots of a straight field ramp and a triangle of temperature."""
        x = np.linspace(0, 1, 101)
        temperature = 0.7 + (4.6 - 0.7) * (1 - np.abs(2 * x - 1))
        return np.stack([np.log(temperature), 2 * x - 1])


class CrossEntropyReversal(ProtocolAgent):
    """Cross-entropy method over spline knots of a protocol, with the task as its model.

    Every generation draws protocols from a Gaussian over all knots, runs each on a few lanes of the
    task, and moves mean and covariance towards the best quarter, weighted by rank. Many protocols
    with few lanes each see a gain better than few protocols with many, and the full covariance
    matters: temperature and field of one moment trade off against each other. What is kept is an
    exponential average of the mean over generations. It plans open loop: on the full track too.

    References
    ----------
    Rubinstein, R. Y. (1999), Methodol. Comput. Appl. Probab. 1, 127.
    Hansen, N. & Ostermeier, A. (2001), Evol. Comput. 9, 159 (weights by rank).
    """

    name = "cem"
    knows = "model"
    trainable = True
    population, replicas, elite = 640, 8, 160

    def initial_knots(self) -> NDArray[np.float64]:
        """Return a constant temperature of 4.5 under a straight field ramp from -3 to 3."""
        x = np.linspace(0, 1, KNOTS)
        return np.stack([np.full(KNOTS, np.log(4.5)), 3.0 * (2.0 * x - 1.0)])

    def train(self, steps: int, seed: int, callback: Progress | None = None) -> None:
        """Improve the knots for about ``steps`` environment steps."""
        rng = np.random.default_rng(seed)
        lanes = self.population * self.replicas
        model = gym.make_vec(
            self.env_id, num_envs=lanes, autoreset_mode="Disabled", **self.env_kwargs
        )
        unwrapped: Any = model.unwrapped
        mean = self.knots.ravel()
        covariance = np.diag(np.repeat([0.4**2, 1.5**2], KNOTS))
        weights = np.log(self.elite + 0.5) - np.log(np.arange(1, self.elite + 1))
        weights /= weights.sum()
        generations = max(1, steps // (lanes * self._horizon))
        for generation in range(generations):
            noise = rng.standard_normal((self.population, mean.size))
            moves = np.einsum("pj,ij->pi", noise, np.linalg.cholesky(covariance))
            candidates = (mean + moves).reshape(self.population, 2, KNOTS)
            protocols = protocol_from_knots(candidates, self._horizon).repeat(self.replicas, axis=0)
            actions = unwrapped.action_of(protocols[..., 0], protocols[..., 1])
            model.reset(seed=int(rng.integers(2**62)))
            for sweep in range(self._horizon):
                info = model.step(actions[:, sweep])[-1]
            score = info["score"].reshape(self.population, self.replicas).mean(1)
            best = moves[np.argsort(score)[: self.elite]]
            mean = mean + weights @ best
            covariance = 0.7 * covariance + 0.3 * np.einsum("p,pi,pj->ij", weights, best, best)
            memory = max(0.1, 1.0 / (generation + 1) ** 0.5)
            self.knots = (1.0 - memory) * self.knots + memory * mean.reshape(2, KNOTS)
            if callback is not None:
                done = (generation + 1) * lanes * self._horizon
                metrics = {"score": float(score.mean()), "return": -float(score.mean())}
                callback(done, generations * lanes * self._horizon, metrics)
        model.close()

    def save(self, path: Path) -> None:
        """Write the knots as JSON."""
        content = {"log_temperature": self.knots[0].tolist(), "field": self.knots[1].tolist()}
        path.write_text(json.dumps(content, indent=1) + "\n")

    def load(self, path: Path) -> None:
        """Read knots written by :meth:`save`."""
        content = json.loads(path.read_text())
        self.knots = np.array([content["log_temperature"], content["field"]])


class ExpertReversal(ProtocolAgent):
    """Plays the best policy known: a shipped protocol (clock), a shipped feedback policy (full).

    Both are learned by agents of this project: the protocol by ``cem`` on the clock track,
    the feedback policy by ``ppo`` on the full track. A feedback policy is the mean of a
    Gaussian actor: two tanh layers on the observation.
    """

    name = "expert"

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._layers: dict[str, NDArray[np.float32]] = {}
        source = resources.files("mattergym.agents") / "data" / "ising_reversal_full.npz"
        if self.env_kwargs.get("observation", "full") == "full" and source.is_file():
            with resources.as_file(source) as path, np.load(path) as data:
                self._layers = {name: data[name] for name in data.files}

    def initial_knots(self) -> NDArray[np.float64]:
        """Read the shipped protocol."""
        source = resources.files("mattergym.agents") / "data" / "ising_reversal_clock.json"
        content = json.loads(source.read_text())
        return np.array([content["log_temperature"], content["field"]])

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Run the feedback policy, or look up the protocol."""
        if not self._layers:
            return super().predict(observation)
        x = observation
        for layer in ("0", "1"):
            x = np.tanh(x @ self._layers[f"w{layer}"].T + self._layers[f"b{layer}"])
        action = x @ self._layers["w2"].T + self._layers["b2"]
        return np.clip(action, -1.0, 1.0).astype(np.float32), None
