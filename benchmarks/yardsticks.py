"""Lean yardsticks for speed: what a careful author would write for one task and nothing else."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from mattergym.physics.ising.checkerboard import sweep_uniform
from mattergym.physics.ising.observables import spin_sums


class LeanIsing(gym.Env[Any, Any]):
    """A 32 x 32 Ising lattice, one sweep a step by the int8 kernel: no ledger, no checks.

    IsingReversal itself runs bit-sliced, so that a ratio to this yardstick includes that gain.
    """

    observation_space = spaces.Box(-12.5, 12.5, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self) -> None:
        self._spins = np.full((1, 32, 32), -1, np.int8)
        self._streams = np.arange(1, 5, dtype=np.uint64).reshape(1, 4)
        self._sums = np.empty((1, 3), np.int64)
        self._t, self._h, self._j = np.ones(1), np.zeros(1), np.ones(1)
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """All spins down."""
        self._spins[:] = -1
        self._steps = 0
        return np.array([-1.0, -2.0], np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One sweep."""
        self._t[0] = 6.025 + 5.975 * action[0]
        self._h[0] = 10.0 * action[1]
        sweep_uniform(self._spins, self._t, self._h, self._j, self._j, self._streams, 1, False)
        spin_sums(self._spins, self._sums)
        m, row, column = self._sums[0].tolist()
        self._steps += 1
        observation = np.array([m / 1024, -(row + column) / 1024], np.float32)
        return observation, m / 1024, self._steps >= 100, False, {}
