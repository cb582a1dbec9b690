"""Agents of SPMDomainWriting: fill the largest gap by a nominal law, or search on the true film."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mattergym.agents.base import Agent, Recipe, Shelf, lane_generators
from mattergym.envs.objectives import intersection_over_union
from mattergym.envs.spm.domain_writing import (
    BLOCKS,
    DURATIONS,
    LEVEL,
    OFFSET,
    PIXEL_NM,
    VOLTAGE,
    analyse,
)
from mattergym.physics.film import writing
from mattergym.physics.film.writing import SIZE
from mattergym.physics.rng import seed_streams

# Pulses of which the radius is tabulated.
VOLTS = np.linspace(3.0, VOLTAGE, 7)
SECONDS = 10.0 ** np.linspace(np.log10(DURATIONS[0]), np.log10(DURATIONS[1]), 9)


@cache
def radius_law() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii in pixels that the nominal tip writes into a perfect film, and their pulses.

    Returns
    -------
    radii : ndarray of float64, shape (N,)
        Ascending.
    pulses : ndarray of float64, shape (N, 2)
        Voltage in V and duration in s.
    """
    volts, seconds = (grid.ravel() for grid in np.meshgrid(VOLTS, SECONDS, indexing="ij"))
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
        seconds,
        np.ones(lanes),
        seed_streams(np.zeros(lanes, np.uint64), np.zeros(lanes, np.uint64), 0),
    )
    radii = np.sqrt((film > 0.0).sum(axis=(1, 2)) / np.pi)
    order = np.argsort(radii, kind="stable")
    return radii[order], np.stack([volts, seconds], axis=1)[order]


class Writer(Agent):
    """Places pulses by pixels of the film."""

    def pulse(self, x: Any, y: Any, volts: Any, seconds: Any) -> NDArray[Any]:
        """Make actions of places in pixels, voltages in V and durations in s, (B,) each."""
        return self.action(x=PIXEL_NM * x, y=PIXEL_NM * y, voltage=volts, duration=seconds)


class NominalWriter(Writer):
    """What an operator does: a pulse into the largest gap, its radius by the nominal law.

    Where more is too much than missing, a negative pulse takes it away. Regions smaller than
    ``smallest`` pixels are left alone, for they are noise: then the shortest pulse of no voltage is
    applied, which changes nothing.
    """

    name = "nominal"
    factor: ClassVar[float] = 1.0
    smallest: ClassVar[float] = 1.0

    def regions(self, observation: Any) -> NDArray[np.float64]:
        """Largest discs of missing and of excess domain: x, y, radius in pixels, (B, 2, 3).

        Pictures are read by the analyst that makes the features.
        """
        if not isinstance(observation, dict):
            found = [self.read(observation, name) for name in ("missing", "excess")]
            return np.stack(found, axis=1)
        levels, pattern = self.read(observation, "pfm").swapaxes(0, 1).astype(np.float32)
        # A level holds distances up to the next.
        distance = pattern - np.float32(OFFSET - 0.5)
        discs = np.empty((len(levels), 2, 3))
        blocks = np.empty((len(levels), 2, BLOCKS, BLOCKS))
        analyse((levels - np.float32(OFFSET)) / LEVEL, distance > 0.0, distance, discs, blocks)
        return discs

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Write or erase the largest wrong disc."""
        missing, excess = self.regions(observation).swapaxes(0, 1)
        erase = excess[:, 2] > missing[:, 2]
        x, y, radius = np.where(erase[:, None], excess, missing).T
        radii, pulses = radius_law()
        best = np.abs(radii - self.factor * radius[:, None]).argmin(axis=1)
        volts, seconds = pulses[best].T
        idle = radius < self.smallest
        volts = np.where(idle, 0.0, np.where(erase, -volts, volts))
        return self.pulse(x, y, volts, np.where(idle, DURATIONS[0], seconds)), state


class OperatorWriter(NominalWriter):
    """The same with 1.15 times the radius, for gaps are rarely round."""

    name = "scripted"
    factor = 1.15


class GreedyWriter(Writer):
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
        self._seed = seed

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Search lane by lane; a lane's candidates are stepped as one batch."""
        hidden = self.bench.state
        films = zip(
            hidden.polarization, hidden.a, hidden.field, hidden.gain, hidden.target, strict=True
        )
        draws = lane_generators(self._seed, observation)
        pulses = np.array([self._search(*film, d) for film, d in zip(films, draws, strict=True)])
        return self.pulse(*pulses.T), state

    def _search(
        self,
        film: Any,
        a: Any,
        field: Any,
        gain: float,
        target: NDArray[np.bool_],
        draw: np.random.Generator,
    ) -> NDArray[np.float64]:
        n = self.CANDIDATES
        up = film > 0.0
        wrong = np.argwhere(up != target)
        if len(wrong) == 0:
            return np.array([0.0, 0.0, 0.0, DURATIONS[0]])
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
        volts = sign * np.clip(pulses[index, 0] / gain, 0.0, VOLTAGE)
        seconds = pulses[index, 1]
        # The last candidate does nothing.
        volts[-1], seconds[-1] = 0.0, DURATIONS[0]
        places = np.clip(np.stack([columns, rows], axis=1), 0.0, SIZE - 1.0)
        films = np.repeat(film[None], n, axis=0)
        streams = seed_streams(np.arange(n), np.zeros(n, np.int64), 0)
        writing.write(
            np.arange(n),
            films,
            np.repeat(a[None], n, axis=0),
            np.repeat(field[None], n, axis=0),
            places,
            volts,
            seconds,
            np.full(n, gain),
            streams,
        )
        best = int(np.argmax(intersection_over_union(films > 0.0, target[None])))
        return np.array([*places[best], volts[best], seconds[best]])


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
