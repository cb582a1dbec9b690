"""Agents of STEMSurvey: rasters, surveys with revisits, Bayesian navigation, clairvoyance."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from mattergym.agents.base import Agent, Recipe, Shelf
from mattergym.envs.stem.survey import (
    CELLS,
    DOSES,
    MAPS,
    ODDS,
    THRESHOLD,
    ZOOM,
    Law,
    STEMSurvey,
)
from mattergym.physics.layers import survey
from mattergym.physics.rng import seed_streams

LOW, MIDDLE, TOP = range(3)
N = survey.FIELDS


def visited_at(dose: NDArray[np.float64], level: int) -> NDArray[np.bool_]:
    """Fields that have had at least the dose of a level, (B, 100)."""
    return dose >= 0.9 * DOSES[level]


class SurveyAgent(Agent):
    """Common to all: acts on the maps."""

    def map(self, observation: Any, name: str) -> NDArray[np.float64]:
        """Read a map, (B, 100), in its unit; from the picture where maps are shown as one."""
        if isinstance(observation, dict):
            picture = self.read(observation, "maps")[:, MAPS.index(name), ::ZOOM, ::ZOOM]
            values = np.asarray(STEMSurvey.panel.fields[name].scale) * (picture / 255.0)
        else:
            values = self.read(observation, name)
        return np.asarray(values).reshape(-1, CELLS)

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """Field, (B,), and level, scalar or (B,).

        Parameters
        ----------
        expected, dose : ndarray of float64, shape (B, 100)
            Expected defects of every field, and its dose in e/A^2.
        left : ndarray of float64, shape (B,)
            Dose left, e/A^2.
        """
        raise NotImplementedError

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Choose a field and its dose, lowered to what the budget allows."""
        dose = DOSES[LOW] * np.expm1(self.map(observation, "dose"))
        left = self.read(observation, "left")
        field, level = self.choose(self.map(observation, "expected"), dose, left)
        allowed = np.searchsorted(DOSES, left + 1.0, side="right") - 1
        level = np.minimum(level, np.maximum(allowed, 0))
        return self.action(row=field // N, column=field % N, dose=level), state


class RasterSurvey(SurveyAgent):
    """Field after field at the top dose, row by row."""

    name = "raster"

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """First field without a dose."""
        return visited_at(dose, LOW).argmin(axis=1), TOP


class SurveyThenRevisit(SurveyAgent):
    """A frame at low dose of some fields, then the top dose where defects are expected.

    Expectations are smoothed over neighbours, weighted by what was seen, so that a field never
    seen inherits theirs.
    """

    name = "survey-revisit"
    plan = np.arange(CELLS)
    level = LOW
    smoothing = 0.6

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """Next field of the plan, then the most promising one not yet seen at the top dose."""
        seen = visited_at(dose, self.level)
        todo = ~seen[:, self.plan]
        surveying = todo.any(axis=1)
        promise = smoothed(expected, seen, self.smoothing)
        promise[visited_at(dose, TOP)] = -np.inf
        field = np.where(surveying, self.plan[todo.argmax(axis=1)], promise.argmax(axis=1))
        return field, np.where(surveying, self.level, TOP)


def smoothed(values: Any, seen: NDArray[np.bool_], width: float) -> NDArray[np.float64]:
    """Average over neighbouring seen fields with Gaussian weights, (B, 100)."""
    shape = (-1, N, N)
    sigma = (0.0, width, width)
    weight = seen.reshape(shape).astype(np.float64) + 1e-9
    total = gaussian_filter(values.reshape(shape) * weight, sigma, mode="constant")
    norm = gaussian_filter(weight, sigma, mode="constant")
    return np.asarray((total / norm).reshape(-1, CELLS))


class HalfSurveyThenRevisit(SurveyThenRevisit):
    """What an operator does: every other field at low dose, then revisit where it looks dense."""

    name = "scripted"
    plan = np.array([k for k in range(CELLS) if (k // N + k % N) % 2 == 0])
    smoothing = 0.8


class AdaptiveClusterSurvey(SurveyAgent):
    """Adaptive cluster sampling (Thompson 1990): a coarse grid, then neighbours of dense fields.

    Every other row and column at the middle dose; then the top dose on fields that touch the
    densest ones.
    """

    name = "adaptive"
    plan = np.array([N * row + column for row in range(0, N, 2) for column in range(0, N, 2)])

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """Next field of the grid, then around what is densest."""
        seen = visited_at(dose, MIDDLE)
        todo = ~seen[:, self.plan]
        surveying = todo.any(axis=1)
        promise = smoothed(expected, seen, 0.7)
        promise[visited_at(dose, TOP)] = -np.inf
        field = np.where(surveying, self.plan[todo.argmax(axis=1)], promise.argmax(axis=1))
        return field, np.where(surveying, MIDDLE, TOP)


@cache
def strengths(material: str) -> NDArray[np.float64]:
    """Mean log-likelihood ratio per e/A^2 of a vacancy and of a dopant at their sites, (2,)."""
    layer = survey.perfect_layer(material)
    field = np.searchsorted(layer.first, np.arange(len(layer.vacancy)), side="right") - 1
    pixels = np.arange(survey.PATCH**2)
    y, x = pixels // survey.PATCH, pixels % survey.PATCH
    index = (layer.corner[:, :1] + y) * survey.PIXELS + layer.corner[:, 1:] + x
    mean = layer.mean[field[:, None], index].astype(np.float64)
    ratio = (mean - layer.loss) * layer.log_ratio + layer.loss
    each = ratio.sum(axis=1) * survey.PIXEL**2
    return np.array([each[layer.vacancy].mean(), each[~layer.vacancy].mean()])


def detection(dose: Any, strength: float) -> NDArray[np.float64]:
    """Chance that a defect is called at a total dose: the ratio is normal, variance 2 means."""
    mean = np.maximum(strength * np.asarray(dose, np.float64), 1e-12)
    return np.asarray(ndtr((mean - THRESHOLD) / np.sqrt(2.0 * mean)))


def best_value(
    vacancies: NDArray[np.float64],
    dopants: NDArray[np.float64],
    dose: Any,
    left: Any,
    material: str,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Field and level of most new calls per dose, given all defects of the fields, (B, 100)."""
    best = np.full(len(dose), -np.inf)
    field, level = np.zeros((2, len(dose)), np.int64)
    for k, extra in enumerate(DOSES):
        gain = np.zeros_like(dose)
        for count, strength in zip((vacancies, dopants), strengths(material), strict=True):
            gain += count * (detection(dose + extra, strength) - detection(dose, strength))
        gain /= extra
        top = gain.argmax(axis=1)
        value = gain[np.arange(len(dose)), top]
        better = (value > best) & (left >= extra - 1.0)
        best = np.where(better, value, best)
        field, level = np.where(better, top, field), np.where(better, k, level)
    return field, level


class ClairvoyantSurvey(SurveyAgent):
    """Knows every defect; plans doses by the chance that the analyst calls it."""

    name = "expert"
    knows = "hidden"

    def of_sites(self) -> NDArray[Any]:
        """Whether a site has a defect from the start, (B, S)."""
        return np.asarray(self.bench.state.present == 1)

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """Most new calls per dose."""
        task, defects = self.task, self.of_sites()
        vacancy, first = task.layer.vacancy, task.layer.first[:-1]
        vacancies, dopants = (
            np.add.reduceat(defects * kind, first, axis=1).astype(np.float64)
            for kind in (vacancy, ~vacancy)
        )
        return best_value(vacancies, dopants, dose, left, task.material)


class DensitySurvey(ClairvoyantSurvey):
    """Knows how many defects each field has in the mean, but not where: the honest ceiling."""

    name = "density"

    def of_sites(self) -> NDArray[Any]:
        """Chance of a defect at each site, (B, S)."""
        return np.asarray(self.bench.state.density)


class BayesSurvey(SurveyAgent):
    """Myopic Bayes: knows the law of the specimens, not the specimen.

    The densities of the fields have a prior mean and covariance, from drawn specimens. Expected
    defects of seen fields are linear in the density, with a slope and a noise by dose from
    simulated scans; the posterior mean follows by linear regression (kriging), and the next frame
    is the one of most new calls per dose.
    """

    name = "bayes"
    knows = "model"
    SPECIMENS = 512
    LEVELS = np.array([500.0, 1000.0, 2000.0, 2500.0, 4000.0, 8000.0, 8500.0, 10000.0, 16000.0])

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        task = self.task
        self._material = task.material
        self._doped = task.law.dopants
        self._calibrate(task.law)

    def _calibrate(self, law: Law) -> None:
        layer = survey.perfect_layer(self._material)
        lanes, sites = np.arange(self.SPECIMENS), len(layer.vacancy)
        streams = seed_streams(lanes.astype(np.uint64), np.zeros(len(lanes), np.uint64), 99)
        density = np.zeros((len(lanes), sites), np.float32)
        defects = np.zeros((len(lanes), sites), np.int8)
        draw: Any = survey.draw_defects
        draw(lanes, layer.positions, *law, layer.vacancy, streams, density, defects)
        self._sites = np.diff(layer.first).astype(np.float64)
        chance = np.add.reduceat(density, layer.first[:-1], axis=1) / self._sites
        self._mean, self._covariance = chance.mean(axis=0), np.cov(chance.T)
        # One field scanned in every specimen, at each dose: expected defects against density.
        few = 128
        self._slope, self._level, self._noise = np.zeros((3, len(self.LEVELS)))
        means = np.zeros((few, survey.PIXELS**2))
        counts = np.zeros(means.shape, np.int32)
        for k, dose in enumerate(self.LEVELS):
            evidence = np.zeros((few, sites), np.float32)
            summary = np.zeros((few, 4, CELLS))
            fields = (37 * np.arange(few) + 11 * k) % CELLS
            survey.scan_fields(
                fields,
                np.full(few, dose * survey.PIXEL**2),
                np.zeros(few),
                *layer[2:4],
                layer.corner,
                layer.loss,
                layer.log_ratio,
                layer.total_loss,
                layer.vacancy,
                defects[:few].copy(),
                evidence,
                streams[:few],
                means,
                counts,
            )
            survey.summarize(fields, layer.first, defects, evidence, THRESHOLD, ODDS, summary)
            row = np.arange(few)
            x = chance[row, fields]
            y = summary[row, 2, fields] / self._sites[fields]
            slope, level = np.polyfit(x, y, 1)
            self._slope[k], self._level[k] = slope, level
            self._noise[k] = np.var(y - slope * x - level) + 1e-9

    def choose(self, expected: Any, dose: Any, left: Any) -> tuple[NDArray[np.int64], Any]:
        """Most expected new calls per dose under the posterior."""
        there = np.empty_like(dose)
        for b in range(len(dose)):
            seen = np.flatnonzero(visited_at(dose[b], LOW))
            mean = self._mean.copy()
            if len(seen):
                k = np.abs(np.log(dose[b, seen, None] / self.LEVELS)).argmin(axis=1)
                slope = self._slope[k]
                gap = expected[b, seen] / self._sites[seen] - self._level[k] - slope * mean[seen]
                cross = self._covariance[:, seen] * slope
                inner = slope[:, None] * self._covariance[np.ix_(seen, seen)] * slope
                inner[np.diag_indices(len(seen))] += self._noise[k]
                mean = mean + cross @ np.linalg.solve(inner, gap)
            there[b] = np.maximum(mean, 1e-4) * self._sites
        # As many chalcogen sites as metal ones.
        vacancies = there / (1.0 + self._doped)
        return best_value(vacancies, there - vacancies, dose, left, self._material)


READY = (
    RasterSurvey,
    SurveyThenRevisit,
    HalfSurveyThenRevisit,
    AdaptiveClusterSurvey,
    BayesSurvey,
    DensitySurvey,
    ClairvoyantSurvey,
)
SHELF: Shelf = {
    "clusters": (
        *READY,
        Recipe(
            "ppo",
            3_000_000,
            {
                "num_envs": 128,
                "n_steps": 64,
                "batch_size": 2048,
                "n_epochs": 4,
                "learning_rate": 5e-4,
                "gamma": 0.99,
                "gae_lambda": 0.95,
                "ent_coef": 2e-3,
                "policy_kwargs": {
                    "net_arch": [256, 256],
                },
            },
        ),
    ),
    "uniform": READY,
    "image": (RasterSurvey, HalfSurveyThenRevisit, BayesSurvey, ClairvoyantSurvey),
}
