"""Agents of STEMAtomWalk: an operator's rule, and planners that infer or know what is hidden."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mattergym.agents import atom_walk_model as model
from mattergym.agents.base import Agent
from mattergym.envs.stem.atom_walk import (
    BUDGETS,
    DRIFT,
    EXPOSURE,
    FAR,
    IMAGE_S,
    LEAST_BUDGET,
    LONGEST,
    PIXEL_SIZE,
    PIXELS,
    POSITION,
    RATE_SCALES,
)
from mattergym.physics import atom_walk as walk

# k0 for which values are tabulated; the nearest in ln k0 serves.
LEVELS = (0.2, 0.45, 0.9)
PATIENCE = 30.0  # 1/k0
PARTICLES, LOOKED_AT = 400, 16


def sublattice_of(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Read from frames (B, 1, 64, 64) whether a neighbour lies in +y (1) or in -y (-1).

    Finds the silicon as the brightest spot near the middle and compares the mean signal where
    either sublattice would have its neighbours.
    """
    image = gaussian_filter(frames[:, 0].astype(np.float64), (0.0, 1.0, 1.0))
    middle, reach = PIXELS // 2, 4
    part = image[:, middle - reach : middle + reach, middle - reach : middle + reach]
    row, column = np.divmod(part.reshape(len(part), -1).argmax(axis=1), 2 * reach)
    lanes = np.arange(len(image))[:, None]
    signal = []
    for sign in (1, -1):
        dx, dy = np.round(sign * walk.BOND * walk.DIRECTIONS / PIXEL_SIZE).astype(np.int64).T
        y, x = row[:, None] + middle - reach + dy, column[:, None] + middle - reach + dx
        signal.append(image[lanes, y, x].mean(axis=1))
    return np.where(signal[0] > signal[1], 1.0, -1.0)


def as_features(observation: Any) -> NDArray[np.float32]:
    """Features of either kind of observation, (B, 46); from images without the bonds to go."""
    if not isinstance(observation, dict):
        return np.asarray(observation)
    panel = observation["panel"]
    read = np.stack([sublattice_of(observation["haadf"]), np.zeros(len(panel))], axis=1)
    return np.concatenate([panel[:, :2], read.astype(np.float32), panel[:, 2:]], axis=1)


def site_and_goal(observation: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sublattice of the silicon, (B,), and the goal's cell and sublattice from it, (B, 3)."""
    x, y = FAR * observation[:, :2].T.astype(np.float64)
    sublattice = np.where(observation[:, 2] > 0.0, 0, 1)
    # From sublattice 0 a goal lies on lattice vectors, or one bond above them; from 1, below.
    best = np.full(len(x), np.inf)
    goal = np.zeros((len(x), 3), np.int64)
    for other in (0, 1):
        rise = y - walk.BOND * (other - sublattice)
        j = np.round(rise / walk.A2[1])
        i = np.round(x / walk.LATTICE - 0.5 * j)
        error = np.hypot(walk.LATTICE * (i + 0.5 * j) - x, j * walk.A2[1] - rise)
        better = error < best
        best = np.where(better, error, best)
        goal[better] = np.stack([i, j, np.full(len(x), other)], axis=1)[better].astype(np.int64)
    return sublattice, goal


def to_action(beam: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Make actions of positions (B, 2) in A and exposures (B,) in s, cut to what is allowed."""
    place = POSITION.to_action(np.clip(beam, POSITION.low, POSITION.high))
    time = EXPOSURE.to_action(np.clip(seconds, EXPOSURE.low, EXPOSURE.high))
    return np.clip(np.concatenate([place, time[:, None]], axis=1), -1.0, 1.0)


class GreedyWalk(Agent):
    """An operator's rule: park the beam on the way to the best neighbour for two seconds.

    0.85 A towards the neighbour from which the goal is fewest bonds away; trusts the beam.
    """

    name = "scripted"
    SECONDS = 2.0

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Park towards the neighbour nearest to the goal."""
        sublattice, goal = site_and_goal(as_features(observation))
        sign = 1 - 2 * sublattice
        distances = walk.graph_distances()
        fewest = np.full(len(goal), np.iinfo(np.int16).max)
        choice = np.zeros(len(goal), np.int64)
        for n, (di, dj) in enumerate(walk.STEPS):
            i = np.clip(goal[:, 0] - sign * di + walk.SPAN, 0, 2 * walk.SPAN)
            j = np.clip(goal[:, 1] - sign * dj + walk.SPAN, 0, 2 * walk.SPAN)
            bonds = distances[1 - sublattice, i, j, goal[:, 2]]
            choice = np.where(bonds < fewest, n, choice)
            fewest = np.minimum(bonds, fewest)
        beam = walk.PEAK_DISTANCE * sign[:, None] * walk.DIRECTIONS[choice]
        return to_action(beam, np.full(len(goal), self.SECONDS)), state


@njit(cache=True)
def look_ahead(
    sublattice: Any,
    goal: Any,
    offsets: Any,
    scales: Any,
    sites: Any,
    chances: Any,
    values: Any,
    options: Any,
    patience: float,
    beams: Any,
    seconds: Any,
) -> None:
    """Choose beam and exposure of highest mean value over samples of offset and k0.

    Parameters
    ----------
    sublattice : ndarray of int64, shape (B,)
    goal : ndarray of int64, shape (B, 3)
        As :func:`site_and_goal` gives them.
    offsets, scales : ndarray of float64, shape (B, P, 2) and (B, P)
        Samples of the offset in A and of k0 in 1/s.
    sites, chances, values, options
        Tables of :mod:`mattergym.agents.atom_walk_model`; ``values`` has a leading axis of
        :data:`LEVELS`.
    patience : float
    beams, seconds : ndarray of float64, shape (B, 2) and (B,)
        Filled with the commanded position in A and the exposure in s.
    """
    middle = model.GRID // 2
    exposures = model.EXPOSURES
    count, samples = len(sites), scales.shape[1]
    reached = np.empty((len(LEVELS), count))
    for b in range(len(sublattice)):
        sign = 1 - 2 * sublattice[b]
        turn = 1 - 2 * goal[b, 2]
        for s in range(count):
            # The site from the goal, as if the goal were on sublattice 0.
            i = turn * (sign * sites[s, 0] - goal[b, 0])
            j = turn * (sign * sites[s, 1] - goal[b, 1])
            u = sublattice[b] + sign * sites[s, 2]
            t = turn * (u - goal[b, 2])
            for level in range(len(LEVELS)):
                reached[level, s] = model.site_value(values[level], i, j, t)
        best = -1.0
        for c in range(len(options)):
            for e in range(len(exposures)):
                total, used = 0.0, 0.0
                for p in range(samples):
                    scale = scales[b, p]
                    # The exposure in s of the first sample serves all.
                    lasting = exposures[e] / scales[b, 0]
                    if lasting < 0.499 or lasting > 5.001:
                        continue
                    x = sign * offsets[b, p, 0] / model.GRID_STEP + options[c, 0]
                    y = sign * offsets[b, p, 1] / model.GRID_STEP + options[c, 1]
                    gx = middle + int(np.floor(x + 0.5))
                    gy = middle + int(np.floor(y + 0.5))
                    used += 1.0
                    if gx < 0 or gy < 0 or gx >= model.GRID or gy >= model.GRID:
                        continue
                    scaled = lasting * scale
                    k = np.searchsorted(exposures, scaled)
                    k = min(max(k, 0), len(exposures) - 1)
                    if k > 0 and scaled - exposures[k - 1] < exposures[k] - scaled:
                        k -= 1
                    level = 0
                    for other in range(1, len(LEVELS)):
                        if abs(np.log(scale / LEVELS[other])) < abs(np.log(scale / LEVELS[level])):
                            level = other
                    q = 0.0
                    row = chances[gx, gy, k]
                    for s in range(count):
                        q += row[s] * reached[level, s]
                    total += q * np.exp(-(lasting + IMAGE_S) * scale / patience)
                if used > 0.0 and total / used > best:
                    best = total / used
                    beams[b, 0] = sign * options[c, 0] * model.GRID_STEP
                    beams[b, 1] = sign * options[c, 1] * model.GRID_STEP
                    seconds[b] = exposures[e] / scales[b, 0]


class PlannedWalk(Agent):
    """Common to the planners: one step of look-ahead on the values of the exact model."""

    def attach(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        """Act in another batch of the same task from here on."""
        super().attach(env)
        self._task: Any = env.unwrapped

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.attach(env)

    def choose(
        self, observation: Any, offsets: NDArray[np.float64], scales: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Best action for samples of offset, (B, P, 2) in A, and k0, (B, P) in 1/s."""
        hazard = self._task.hazard
        values = np.stack([model.value_table(hazard, level, PATIENCE) for level in LEVELS])
        sublattice, goal = site_and_goal(as_features(observation))
        beams, seconds = np.zeros((len(goal), 2)), np.zeros(len(goal))
        look_ahead(
            sublattice,
            goal,
            offsets,
            scales,
            *model.plan(hazard),
            values,
            model.candidates(),
            PATIENCE,
            beams,
            seconds,
        )
        return to_action(beams, seconds)


class ExpertWalk(PlannedWalk):
    """Value iteration that knows k0 and the offset of the beam, and corrects for it."""

    name = "expert"
    knows = "hidden"

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Choose where the beam is to be, and command it there."""
        hidden = self._task.hidden
        none = np.zeros((len(hidden), 1, 2))
        action = self.choose(observation, none, hidden[:, :1].copy())
        beam = POSITION.from_action(action[:, :2]) - hidden[:, 1:3]
        return to_action(beam, EXPOSURE.from_action(action[:, 2])), state


class ParticleFilterWalk(PlannedWalk):
    """Value iteration on a particle filter of k0 and the beam's offset.

    Knows the model and its priors. Every observed move, or its absence, weighs the particles by its
    probability under the exact model; systematic resampling; the offset drifts as the task's.
    """

    name = "particle-filter"
    knows = "model"

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Seed the particles."""
        self._generator = np.random.default_rng(seed)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Update the particles by the last step, then plan on some of them."""
        draw, observation = self._generator, as_features(observation)
        lanes = len(observation)
        if state is None:
            fresh = np.ones(lanes, np.bool_)
            offsets, scales = np.zeros((lanes, PARTICLES, 2)), np.ones((lanes, PARTICLES))
        else:
            fresh = np.zeros(lanes, np.bool_) if episode_start is None else episode_start
            offsets, scales = (part.copy() for part in state)
        if fresh.any():
            count = int(fresh.sum())
            spread = self._task.offset_spread
            offsets[fresh] = spread * draw.standard_normal((count, PARTICLES, 2))
            # The budget, seen at the start, is uniform in 60-90 / k0 unless at its floor.
            budget = LONGEST * observation[fresh, -2:-1].astype(np.float64)
            low = np.where(
                budget > LEAST_BUDGET + 0.5, BUDGETS[0] / budget, BUDGETS[0] / LEAST_BUDGET
            )
            high = np.where(budget > LEAST_BUDGET + 0.5, BUDGETS[1] / budget, RATE_SCALES[1])
            low, high = np.clip(low, *RATE_SCALES), np.clip(high, *RATE_SCALES)
            share = draw.random((count, PARTICLES))
            scales[fresh] = low * (high / low) ** share
        seen = ~fresh
        if seen.any():
            self._update(observation, seen, offsets, scales)
        some = draw.integers(PARTICLES, size=(lanes, LOOKED_AT))
        rows = np.arange(lanes)[:, None]
        chosen = scales[rows, some]
        chosen[:, 0] = np.exp(np.log(scales).mean(axis=1))
        picked = offsets[rows, some]
        picked[:, 0] = offsets.mean(axis=1)
        action = self.choose(observation, picked, chosen)
        return action, (offsets, scales)

    def _update(
        self,
        observation: NDArray[np.float32],
        seen: NDArray[np.bool_],
        offsets: NDArray[np.float64],
        scales: NDArray[np.float64],
    ) -> None:
        draw = self._generator
        lanes = np.flatnonzero(seen)
        last = observation[lanes, 4:9].astype(np.float64)
        beam, seconds, move = last[:, :2] * POSITION.high, last[:, 2] * EXPOSURE.high, last[:, 3:]
        # The sublattice before the move, from that after it: odd moves change it.
        after = np.where(observation[lanes, 2] > 0.0, 0, 1)
        tables = model.plan(self._task.hazard)
        places = np.stack(walk.position(*tables.sites.T), axis=1) / walk.BOND
        weights = np.ones((len(lanes), offsets.shape[1]))
        before = np.zeros(len(lanes), np.int64)
        outcome = np.zeros(len(lanes), np.int64)
        for k in range(len(lanes)):
            found = 9.0
            for sublattice in np.arange(2):
                error = np.abs((1 - 2 * sublattice) * places - move[k]).max(axis=1)
                error[(sublattice + tables.sites[:, 2]) % 2 != after[k]] = 9.0
                if error.min() < found:
                    nearest = error.argmin()
                    found, before[k], outcome[k] = error[nearest], sublattice, nearest
            if found > 0.1:
                outcome[k] = -1
        sign = (1 - 2 * before)[:, None, None]
        true = sign * (beam[:, None] + offsets[lanes]) / model.GRID_STEP
        grid = np.clip(np.round(true).astype(np.int64) + model.GRID // 2, 0, model.GRID - 1)
        scaled = seconds[:, None] * scales[lanes]
        edges = np.sqrt(model.EXPOSURES[1:] * model.EXPOSURES[:-1])
        exposure = np.searchsorted(edges, scaled)
        known = outcome >= 0
        weights[known] = tables.chances[
            grid[known, :, 0], grid[known, :, 1], exposure[known], outcome[known, None]
        ]
        weights += 1e-6
        ladder = np.cumsum(weights, axis=1)
        ladder /= ladder[:, -1:]
        steps = (np.arange(PARTICLES) + draw.random((len(lanes), 1))) / PARTICLES
        for k, lane in enumerate(lanes):
            kept = np.minimum(np.searchsorted(ladder[k], steps[k]), PARTICLES - 1)
            blur = DRIFT * np.sqrt(seconds[k] + IMAGE_S) + 0.01
            offsets[lane] = offsets[lane, kept] + blur * draw.standard_normal((PARTICLES, 2))
            scales[lane] = scales[lane, kept] * np.exp(0.02 * draw.standard_normal(PARTICLES))
