"""Agents of SPMDiscovery: grids, an operator's eye, Gaussian processes on what the image shows."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mattergym.agents.base import Agent, Shelf
from mattergym.envs.spm.discovery import (
    AREA_SCALE,
    END,
    FIRST,
    GRID,
    LEVEL,
    OFFSET,
    PLACES,
    STRIDE,
    WALL_SCALE,
)
from mattergym.physics.film import domains

# Row and column of every place, (576, 2), in 0..1.
PLACE_FEATURES = np.stack(np.divmod(np.arange(PLACES), GRID), axis=1) / (GRID - 1.0)


class DiscoveryAgent(Agent):
    """Common to all: chooses the place of highest merit not yet measured."""

    def maps(self, observation: Any) -> tuple[NDArray[Any], ...]:
        """Read PFM signal, px to the nearest wall, areas in V, and what is measured, (B, 576) each.

        In pictures the walls are those of the noisy image.
        """
        if not isinstance(observation, dict):
            signal, walls, areas, measured = (
                self.read(observation, name).reshape(-1, PLACES).astype(np.float64)
                for name in ("signal", "walls", "areas", "measured")
            )
            return signal, walls, areas, measured > 0.5
        image = (self.read(observation, "pfm")[:, 0].astype(np.float64) - OFFSET) / LEVEL
        part = (slice(FIRST, END, STRIDE),) * 2
        signal = np.stack([one[part].ravel() for one in image])
        walls = np.stack([domains.wall_distance(one)[part].ravel() for one in image])
        loops = self.read(observation, "loops")[:, :, ::STRIDE, ::STRIDE] / 255.0
        areas, measured = loops.reshape(-1, 2, PLACES).swapaxes(0, 1)
        return signal, np.minimum(walls, WALL_SCALE), AREA_SCALE * areas, measured > 0.5

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """How much each place is wanted, (B, 576)."""
        raise NotImplementedError

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Measure the most wanted place."""
        maps = self.maps(observation)
        place = np.where(maps[3], -np.inf, self.merit(*maps)).argmax(axis=1)
        return self.action(y=place // GRID, x=place % GRID), state


class GridDiscovery(DiscoveryAgent):
    """A regular grid of fifty places, row by row."""

    name = "grid"

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """Places of the grid, the first one first."""
        rows = np.round(np.linspace(1, GRID - 2, 7)).astype(np.int64)
        grid = (rows[:, None] * GRID + rows).ravel()
        wanted = np.zeros(PLACES)
        wanted[grid] = np.arange(len(grid), 0, -1)
        return np.broadcast_to(wanted, signal.shape)


class WallsFirstDiscovery(DiscoveryAgent):
    """Places on domain walls first, in a fixed random order."""

    name = "walls-first"

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """On a wall or not, ties by a fixed order."""
        order = np.random.default_rng(0).random(PLACES)
        return np.asarray((walls < 1.5) + 0.5 * order)


class OperatorDiscovery(DiscoveryAgent):
    """What an operator's eye does: bright places within five pixels of a wall."""

    name = "scripted"

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """Brightness, of places near walls first."""
        return np.asarray(np.abs(signal) + 10.0 * (walls < 5.0))


class ExpertDiscovery(DiscoveryAgent):
    """Knows the true areas."""

    name = "expert"
    knows = "hidden"

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """Rank by true areas."""
        truth: NDArray[np.float64] = self.bench.state.truth
        return truth


class GaussianProcessDiscovery(DiscoveryAgent):
    """Upper confidence bound of a Gaussian process (Srinivas et al. 2010) by BoTorch.

    BoTorch's own kernel and priors on features in the unit cube; hyperparameters by maximum
    a posteriori every fifth loop; all lanes are one batch. The first ``initial`` places are spread
    over the features by farthest points.
    """

    initial: ClassVar[int] = 6
    refit: ClassVar[int] = 5
    beta: ClassVar[float] = 2.0

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._states: dict[int, Any] = {}

    def features(self, signal: Any, walls: Any) -> NDArray[np.float64]:
        """Return what the process knows of a place, in 0..1, (B, 576, D)."""
        raise NotImplementedError

    def merit(self, signal: Any, walls: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        """Upper confidence bound, lane by lane of equal numbers of loops."""
        features = self.features(signal, walls)
        merit = np.zeros(measured.shape)
        counts = measured.sum(axis=1)
        for count in np.unique(counts):
            lanes = np.flatnonzero(counts == count)
            if count < self.initial:
                merit[lanes] = spread(features[lanes], measured[lanes])
            else:
                merit[lanes] = self._bound(features[lanes], areas[lanes], measured[lanes])
        return merit

    def _bound(self, features: Any, areas: Any, measured: Any) -> NDArray[np.float64]:
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        lanes, count = len(features), int(measured[0].sum())
        index = np.nonzero(measured)[1].reshape(lanes, count)
        rows = np.arange(lanes)[:, None]
        x = torch.as_tensor(features[rows, index], dtype=torch.double)
        y = torch.as_tensor(areas[rows, index], dtype=torch.double)[..., None]
        model = SingleTaskGP(x, y)
        kept = self._states.get(lanes)
        if kept is None or kept[0] > count or count >= kept[0] + self.refit:
            mll = ExactMarginalLogLikelihood(model.likelihood, model)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of fits that stop at the iteration limit
                fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": 40}})
            self._states[lanes] = (count, hyperparameters_of(model))
        else:
            model.load_state_dict(kept[1], strict=False)
        model.eval()
        with torch.no_grad():
            posterior = model.posterior(torch.as_tensor(features, dtype=torch.double))
            bound = posterior.mean + self.beta * posterior.variance.sqrt()
        return np.asarray(bound[..., 0].numpy())


def hyperparameters_of(model: Any) -> dict[str, Any]:
    """Return the fitted hyperparameters, without the scaling of the data."""
    return {k: v for k, v in model.state_dict().items() if "outcome_transform" not in k}


def spread(features: NDArray[np.float64], measured: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance in features of every place to the nearest measured one, (B, 576)."""
    out = np.empty(measured.shape)
    for lane in range(len(features)):
        seen = features[lane, measured[lane]]
        gaps = features[lane][:, None] - seen[None]
        out[lane] = np.sqrt((gaps**2).sum(axis=2)).min(axis=1)
    return out


class PositionProcess(GaussianProcessDiscovery):
    """Gaussian process on x and y: knows nothing of the image."""

    name = "gp-xy"

    def features(self, signal: Any, walls: Any) -> NDArray[np.float64]:
        """Row and column."""
        return PLACE_FEATURES[None].repeat(len(signal), axis=0)


class PatchProcess(GaussianProcessDiscovery):
    """Gaussian process on image patches, as deep-kernel experiments use them, and on the place.

    Patches of 5 x 5 places times the sign of their centre, averaged over the eight rotations and
    reflections, so that equal surroundings look alike; their first principal components, on one
    common scale, so that the weak ones stay weak.
    """

    name = "bo"
    components: ClassVar[int] = 4

    def features(self, signal: Any, walls: Any) -> NDArray[np.float64]:
        """Principal components of symmetrised patches, row, column."""
        maps = np.pad(signal.reshape(-1, GRID, GRID), ((0, 0), (2, 2), (2, 2)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(maps, (5, 5), axis=(1, 2))
        windows = windows * np.sign(windows[..., 2:3, 2:3] + 1e-12)
        turns = [np.rot90(windows, k, axes=(3, 4)) for k in range(4)]
        mean = np.mean([*turns, *(turn[..., ::-1] for turn in turns)], axis=0)
        flat = mean.reshape(len(signal), PLACES, 25)
        flat = flat - flat.mean(axis=1, keepdims=True)
        vectors = np.linalg.svd(flat, full_matrices=False)[2][:, : self.components]
        scores = np.einsum("bpk,bck->bpc", flat, vectors)
        scores /= np.ptp(scores, axis=1, keepdims=True).max(axis=2, keepdims=True)
        scores -= scores.min(axis=1, keepdims=True)
        return np.concatenate([scores, PLACE_FEATURES[None].repeat(len(scores), axis=0)], axis=2)


class WallProcess(GaussianProcessDiscovery):
    """Gaussian process on what physics suggests.

    Distance to the nearest wall, brightness, the brightness of the surroundings, and the place
    itself, for the disorder is correlated.
    """

    name = "gp-walls"

    def features(self, signal: Any, walls: Any) -> NDArray[np.float64]:
        """Wall distance, |P| here, mean |P| of 3 x 3 places, row, column."""
        bright = np.abs(signal)
        maps = np.pad(bright.reshape(-1, GRID, GRID), ((0, 0), (1, 1), (1, 1)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(1, 2))
        around = windows.mean(axis=(3, 4)).reshape(bright.shape)
        features = np.stack([np.minimum(walls, 8.0), bright, around], axis=2)
        low, high = (end(features, axis=1, keepdims=True) for end in (np.min, np.max))
        features = (features - low) / np.maximum(high - low, 1e-9)
        return np.concatenate([features, PLACE_FEATURES[None].repeat(len(bright), axis=0)], axis=2)


SHELF: Shelf = {
    "features": (
        GridDiscovery,
        WallsFirstDiscovery,
        OperatorDiscovery,
        PositionProcess,
        PatchProcess,
        WallProcess,
        ExpertDiscovery,
    ),
    "image": (
        OperatorDiscovery,
        PatchProcess,
        ExpertDiscovery,
    ),
}
