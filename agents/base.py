"""What every agent offers: ``predict`` as stable-baselines3 has it, batched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Progress = Callable[[int, int, dict[str, float]], None]


class Agent:
    """Chooses the next instruction of every lane.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        A native batch of a task, for its spaces and arguments. Only agents that declare
        ``knows = "hidden"`` read its state.

    Attributes
    ----------
    knows : {"observation", "model", "hidden"}
        What the agent may use; tables group by it.
    trainable : bool
        Whether :meth:`train` does something.
    """

    name: ClassVar[str]
    knows: ClassVar[str] = "observation"
    trainable: ClassVar[bool] = False

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        self.env = env
        if env.spec is None:
            raise ValueError("the environment has no spec; make it by gymnasium.make_vec")
        self.env_id = env.spec.id
        skip = ("num_envs", "vectorization_mode", "autoreset_mode", "render_mode")
        self.env_kwargs = {k: v for k, v in env.spec.kwargs.items() if k not in skip}
        self.action_space = env.single_action_space

    def attach(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        """Act in another batch of the same task from here on."""
        self.env = env

    def seed(self, seed: int) -> None:
        """Seed the agent's own randomness, if it has any."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Return an action a lane, and the state to pass to the next call."""
        raise NotImplementedError

    def train(self, steps: int, seed: int, callback: Progress | None = None) -> None:
        """Learn for about ``steps`` environment steps; ``callback(done, total, metrics)``."""

    def save(self, path: Path) -> None:
        """Write what was learned."""

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""


class RandomAgent(Agent):
    """Uniformly random actions: the floor."""

    name = "random"

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Restart the agent's generator."""
        self._rng = np.random.default_rng(seed)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Draw every lane's action from its space."""
        first = next(iter(observation.values())) if isinstance(observation, dict) else observation
        lanes = len(first)
        space = self.action_space
        if isinstance(space, gym.spaces.Box):
            shape = (lanes, *space.shape)
            return self._rng.uniform(space.low, space.high, shape).astype(np.float32), None
        if isinstance(space, gym.spaces.Discrete):
            return self._rng.integers(0, space.n, lanes), None
        return self._rng.integers(0, space.nvec, (lanes, *space.nvec.shape)), None  # type: ignore[attr-defined]
