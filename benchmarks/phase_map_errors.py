"""Make the table of errors that the expert of IsingPhaseMap plans with.

``python -m mattergym.benchmarks.phase_map_errors agents/data/ising_phase_map.json`` measures one
cell in each of 3,000 libraries a fidelity (1,500 at the long one), at a relative distance to Tc
drawn from -0.13..0.1, and writes the mean error of the reconstructed Tc by that distance.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mattergym.agents.ising_phase_map_plan import COLUMNS, FIDELITIES
from mattergym.envs.synthesis.ising_phase_map import TEMPERATURES

TASK = "mattergym/IsingPhaseMap-v0"
LIBRARIES = {"short": 3000, "medium": 3000, "long": 1500}
EDGES = np.linspace(-0.13, 0.1, 16)


def measure_once(fidelity: int, libraries: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Relative distances to Tc of one measurement a library, and errors of Tc in J/kB."""
    env: Any = gym.make_vec(TASK, num_envs=libraries, split="train").unwrapped
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    lanes, column = np.arange(libraries), rng.integers(0, COLUMNS, libraries)
    tc = env.state.boundary[lanes, column].copy()
    wanted = tc * (1.0 + rng.uniform(EDGES[0], EDGES[-1], libraries))
    row = np.abs(wanted[:, None] - TEMPERATURES).argmin(axis=1)
    env.step(np.stack([column, row, np.full(libraries, fidelity)], axis=1))
    return TEMPERATURES[row] / tc - 1.0, np.abs(env.state.estimate[lanes, column] - tc)


def main(path: Path) -> None:
    """Measure, average in bins, write."""
    table = {"distance": 0.5 * (EDGES[1:] + EDGES[:-1])}
    for fidelity, name in enumerate(FIDELITIES):
        distance, error = measure_once(fidelity, LIBRARIES[name], seed=10 + fidelity)
        inside = np.digitize(distance, EDGES) - 1
        table[name] = np.array([error[inside == k].mean() for k in range(len(EDGES) - 1)])
    lines = (f' "{name}": {json.dumps(row.round(4).tolist())}' for name, row in table.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
