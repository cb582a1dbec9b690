"""Agents of SPMDomainWriting: fill the largest gap by a nominal law, or search on the true film."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.envs.objectives import intersection_over_union
from mattergym.envs.spm.domain_writing import (
    LEVEL,
    LOG_DURATION,
    OFFSET,
    PIXEL_NM,
    REGIONS,
    VOLTAGE,
    X,
    Y,
    analyse,
)
from mattergym.physics.film import writing
from mattergym.physics.film.writing import SIZE
from mattergym.physics.rng import seed_streams

VOLTS = np.array([3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
LOG_SECONDS = np.linspace(-4.0, 0.0, 9)


@cache
def radius_law() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii in pixels that the nominal tip writes into a perfect film, and their pulses.

    Returns
    -------
    radii : ndarray of float64, shape (N,)
        Ascending.
    pulses : ndarray of float64, shape (N, 2)
        Voltage in V and logarithm of the duration in s.
    """
    volts, logs = (grid.ravel() for grid in np.meshgrid(VOLTS, LOG_SECONDS, indexing="ij"))
    lanes = len(volts)
    film = np.full((lanes, SIZE, SIZE), -1.0, np.float32)
    middle = np.full((lanes, 2), SIZE / 2 - 0.5)
    writing.write(
        np.arange(lanes),
        film,
        np.full_like(film, -1.0),
        np.zeros_like(film),
        middle,
        volts,
        10.0**logs,
        np.ones(lanes),
        seed_streams(np.zeros(lanes, np.uint64), np.zeros(lanes, np.uint64), 0),
    )
    radii = np.sqrt((film > 0.0).sum(axis=(1, 2)) / np.pi)
    order = np.argsort(radii, kind="stable")
    return radii[order], np.stack([volts, logs], axis=1)[order]


def regions(observation: Any) -> NDArray[np.float64]:
    """Largest discs of missing and excess domain, x, y, radius in pixels each, (B, 6)."""
    if not isinstance(observation, dict):
        return SIZE * observation[:, :REGIONS].astype(np.float64)
    image = (observation["pfm"][:, 0].astype(np.float32) - OFFSET) / LEVEL
    out = np.empty((len(image), REGIONS + 128))
    smooth, mask = np.empty((SIZE, SIZE)), np.empty((SIZE, SIZE), np.bool_)
    work = np.empty((SIZE + 4, SIZE + 4))
    signed = observation["pfm"][:, 1].astype(np.float32) - 127.5
    analyse(image, signed > 0.0, signed, smooth, mask, work, out)
    return out[:, :REGIONS]


def to_action(x: Any, y: Any, volts: Any, logs: Any) -> NDArray[np.float32]:
    """Make actions of places in pixels, volts and log durations, (B,) each."""
    columns = (
        X.to_action(PIXEL_NM * x),
        Y.to_action(PIXEL_NM * y),
        VOLTAGE.to_action(volts),
        LOG_DURATION.to_action(logs),
    )
    return np.clip(np.stack(columns, axis=1), -1.0, 1.0)


class NominalWriter(Agent):
    """What an operator does: a pulse into the largest gap, its radius by the nominal law.

    Where more is too much than missing, a negative pulse takes it away. Regions smaller than
    ``smallest`` pixels are left alone, for they are noise; then the shortest, weakest pulse is
    applied outside the pattern, which changes nothing.
    """

    name = "nominal"
    factor: ClassVar[float] = 1.0
    smallest: ClassVar[float] = 1.0

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Write or erase the largest wrong disc."""
        found = regions(observation)
        missing, excess = found[:, :3], found[:, 3:]
        erase = excess[:, 2] > missing[:, 2]
        x, y, radius = np.where(erase[:, None], excess, missing).T
        radii, pulses = radius_law()
        best = np.abs(radii - self.factor * radius[:, None]).argmin(axis=1)
        volts = np.where(erase, -1.0, 1.0) * pulses[best, 0]
        logs = pulses[best, 1]
        idle = radius < self.smallest
        volts, logs = np.where(idle, 0.0, volts), np.where(idle, -4.0, logs)
        return to_action(x, y, volts, logs), state


class OperatorWriter(NominalWriter):
    """The same with 1.15 times the radius, for gaps are rarely round."""

    name = "scripted"
    factor = 1.15


class GreedyWriter(Agent):
    """Tries pulses on the true film, of every lane, and applies the best one.

    Candidates lie in and about the wrong regions, with radii about their depth there, corrected for
    the true gain.
    """

    name = "expert"
    knows = "hidden"
    CANDIDATES = 96

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Seed the candidates."""
        self._generator = np.random.default_rng(seed)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Search lane by lane; a lane's candidates are stepped as one batch."""
        task: Any = self.env.unwrapped
        films, a, fields, gains = task.film
        targets = task.target
        actions = np.empty((len(films), 4))
        for lane in range(len(films)):
            actions[lane] = self._search(
                films[lane], a[lane], fields[lane], gains[lane], targets[lane]
            )
        return to_action(*actions.T), state

    def _search(
        self, film: Any, a: Any, field: Any, gain: float, target: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        draw, n = self._generator, self.CANDIDATES
        up = film > 0.0
        wrong = np.argwhere(up != target)
        if len(wrong) == 0:
            return np.array([0.0, 0.0, 0.0, -4.0])
        # Pixels deep inside wrong regions are likelier.
        depth = distance_inside(up != target)[tuple(wrong.T)]
        chosen = draw.choice(len(wrong), n, p=depth**2 / (depth**2).sum())
        rows, columns = wrong[chosen].T.astype(np.float64)
        sign = np.where(target[tuple(wrong[chosen].T)], 1.0, -1.0)
        wanted = depth[chosen] * draw.uniform(0.7, 1.6, n)
        rows += draw.normal(0.0, 0.7, n)
        columns += draw.normal(0.0, 0.7, n)
        radii, pulses = radius_law()
        index = np.abs(radii - wanted[:, None]).argmin(axis=1)
        volts = sign * np.clip(pulses[index, 0] / gain, 0.0, VOLTAGE.high)
        logs = pulses[index, 1]
        # The last candidate does nothing.
        volts[-1], logs[-1] = 0.0, -4.0
        places = np.clip(np.stack([columns, rows], axis=1), 0.0, SIZE - 1.0)
        films = np.repeat(film[None], n, axis=0)
        streams = np.zeros((n, 4), np.uint64)
        writing.write(
            np.arange(n),
            films,
            np.repeat(a[None], n, axis=0),
            np.repeat(field[None], n, axis=0),
            places,
            volts,
            10.0**logs,
            np.full(n, gain),
            streams,
        )
        best = int(np.argmax(intersection_over_union(films > 0.0, target[None])))
        return np.array([*places[best], volts[best], logs[best]])


def distance_inside(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance in pixels of every pixel of a mask to the nearest outside, (H, W)."""
    padded = np.pad(mask, 1, mode="edge")
    return np.asarray(distance_transform_edt(padded)[1:-1, 1:-1])


READY = (NominalWriter, OperatorWriter, GreedyWriter)
SHELF: Shelf = {
    "features": (
        *READY,
        Recipe(
            "ppo",
            1_500_000,
            {
                "num_envs": 64,
                "n_steps": 50,
                "batch_size": 800,
                "n_epochs": 8,
                "learning_rate": 1e-3,
                "gamma": 0.9,
                "gae_lambda": 0.9,
                "log_std_init": -1.0,
                "policy_kwargs": {
                    "net_arch": [128, 128],
                },
            },
        ),
    ),
    "image": (
        *READY,
        Recipe(
            "ppo",
            400_000,
            {
                "num_envs": 64,
                "n_steps": 50,
                "batch_size": 800,
                "n_epochs": 4,
                "learning_rate": 1e-3,
                "gamma": 0.9,
                "gae_lambda": 0.9,
                "log_std_init": -1.0,
                "sample_actions": True,
                "policy_kwargs": {
                    "net_arch": [128, 128],
                    "features_extractor_class": "KeypointExtractor",
                },
            },
        ),
    ),
}
