"""Make the schedules of the expert of IsingAnneal, one for every split and difficulty.

``python -m mattergym.benchmarks.anneal_schedule agents/data/ising_anneal.json`` starts from the
schedules in that file and improves them by a cross-entropy search over all knots for the mean
residual energy: 24 candidates on the same 48 glasses, 12 generations a setting. What is
found is kept if it does better on 256 other glasses. Names of settings, such as ``hard.shift``, as
further arguments restrict the search to these.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mattergym.agents.cross_entropy import cross_entropy
from mattergym.agents.ising_anneal import interpolate_schedule
from mattergym.envs.synthesis.ising_anneal import (
    CHANGE,
    STEPS,
    TEMPERATURES,
    IsingAnneal,
    hold,
    residual_energy,
)
from mattergym.physics.rng import seed_streams

POPULATION, GLASSES, GENERATIONS, SPREAD = 24, 48, 12, 0.15
JUDGES, JUDGE_SEED = 256, 10**6
SETTINGS = tuple(f"{d}.{s}" for d in ("easy", "standard", "hard") for s in ("train", "shift"))


def residuals(
    task: IsingAnneal, knots: NDArray[np.float64], glasses: int, seed: int
) -> NDArray[np.float64]:
    """Anneal the same glasses by every schedule.

    Parameters
    ----------
    task : IsingAnneal
    knots : ndarray of float64, shape (P, 2, K)
        As of :func:`mattergym.agents.ising_anneal.interpolate_schedule`.
    glasses, seed : int

    Returns
    -------
    ndarray of float64, shape (P, glasses)
        Residual energies over abs(E0).
    """
    lanes = np.tile(np.arange(glasses, dtype=np.uint64), len(knots))
    streams = seed_streams(lanes + np.uint64(seed), lanes, 0)
    state = task.draw(streams)
    own = knots.repeat(glasses, axis=0)
    for step in range(STEPS):
        done = np.full(len(lanes), step / (STEPS - 1))
        wanted = interpolate_schedule(own, done, state.c2_fraction) + np.log(state.scale)
        change = np.clip(wanted - np.log(state.temperature), -CHANGE, CHANGE)
        np.clip(state.temperature * np.exp(change), *TEMPERATURES, out=state.temperature)
        hold(state, streams)
    return residual_energy(state.best, state.ground).reshape(len(knots), glasses)


def tune(setting: str, knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Improve the knots of a setting, (2, K)."""
    difficulty, split = setting.split(".")
    task = IsingAnneal(split=split, difficulty=difficulty)
    rng = np.random.default_rng(SETTINGS.index(setting))
    shape = (-1, *knots.shape)

    def score(candidates: NDArray[np.float64]) -> NDArray[np.float64]:
        seed = int(rng.integers(2**62))
        return residuals(task, candidates.reshape(shape), GLASSES, seed).mean(axis=1)

    spread = np.full(knots.size, SPREAD)
    search = cross_entropy(score, knots.ravel(), spread, POPULATION, GENERATIONS, rng)
    for average, scores in search:
        found = average
        print(f"{setting}: mean residual {scores.mean():.5f}", flush=True)
    both = np.stack([knots, found.reshape(knots.shape)])
    judged = residuals(task, both, JUDGES, JUDGE_SEED).mean(axis=1)
    print(f"{setting}: before {judged[0]:.5f}, after {judged[1]:.5f}", flush=True)
    best: NDArray[np.float64] = both[judged.argmin()]
    return best


def main(path: Path, settings: tuple[str, ...]) -> None:
    """Improve the settings in turn, and write after each."""
    for setting in settings:
        knots = tune(setting, np.log(json.loads(path.read_text())[setting]))
        content = {**json.loads(path.read_text()), setting: np.exp(knots).round(4).tolist()}
        lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or SETTINGS)
