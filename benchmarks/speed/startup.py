"""Start-up: seconds to import the package and to the first answer of a kernel, in new processes.

Numba reads its own type tables when the first compiled function of a process is called, whichever
it is; that is a contestant of its own, and the kernels' first calls come after it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial

from mattergym.benchmarks.speed import Section

TIMED = """
import time
{before}
begin = time.perf_counter()
{timed}
print(time.perf_counter() - begin)
"""
NUMBA = """
import numpy as np
from mattergym.envs.validation import first_outside
"""
START = "first_outside(np.zeros((1, 2), np.float32), 1.0)"
KERNEL = """
from mattergym.physics.ising.batch import LatticeBatch
from mattergym.physics.rng import seed_streams
lanes = np.arange(64, dtype=np.uint64)
streams = seed_streams(lanes, lanes, 0)
batch = LatticeBatch(np.ones((64, 32, 32), np.int8))
"""
ENVIRONMENT = """
import gymnasium as gym, mattergym
env = gym.make_vec("mattergym/IsingReversal-v0", num_envs=64)
"""
# Contestant: what runs before the clock starts, what is timed, and seconds it may take.
STAGES: dict[str, tuple[str, str, float | None]] = {
    "import mattergym": ("", "import mattergym", 1.0),
    "import of the Ising kernels, after it": (
        "import mattergym",
        "import mattergym.physics.ising.batch",
        None,
    ),
    "Numba's own start": (NUMBA, START, None),
    "first sweep of the batch kernel": (
        NUMBA + START + KERNEL,
        "batch.sweep(2.0, 0.1, streams, 1)",
        0.05,
    ),
    "first reset and step of IsingReversal-v0": (
        NUMBA + START + ENVIRONMENT,
        "env.reset(seed=0); env.step(np.zeros((64, 2), np.float32))",
        0.05,
    ),
}


def seconds(before: str, timed: str) -> float:
    """Time some statements in a new process."""
    command = [sys.executable, "-c", TIMED.format(before=before, timed=timed)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def section() -> Section:
    """One new process a contestant and round; the first round leaves Numba's cache warm."""
    contestants: dict[str, Callable[[], float]] = {
        name: partial(seconds, before, timed) for name, (before, timed, _) in STAGES.items()
    }
    wanted = {name: most for name, (_, _, most) in STAGES.items() if most is not None}
    return Section("start-up, warm Numba cache", "s", contestants, wanted=wanted)
