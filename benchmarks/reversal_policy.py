"""Make what the expert and the ``protocol`` agent of IsingReversal play, by cross-entropy searches.

``python -m mattergym.benchmarks.reversal_policy clock agents/data/ising_reversal_clock.json``
improves the protocols in a file, ``... feedback agents/data/ising_reversal_feedback.json`` makes
linear feedback from those protocols; names of settings, such as ``hard.shift``, may follow. The
knots start from a protocol, all other gains from zero. Feedback is then polished: more lanes a
candidate and a small spread, since a few disastrous episodes weigh on a mean. What is found is
written if its mean over 8,192 episodes is below that of the polished search's start; judge it on
others. A setting takes some minutes on one core.

The shipped feedback of the shifted split was found on the wider range J ~ U(1.5, 3), and so were
the starts of its protocols.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mattergym.agents.cross_entropy import cross_entropy
from mattergym.agents.ising_reversal import (
    LOG_COUPLING,
    ReversalAgent,
    linear_feedback,
    protocol_from_knots,
    shipped,
)
from mattergym.envs.synthesis.ising_reversal import FIELD, TEMPERATURES

TASK = "mattergym/IsingReversal-v0"
SETTINGS = tuple(f"{d}.{s}" for d in ("easy", "standard", "hard") for s in ("train", "shift"))
LEARNING_RATE, EPISODES = 0.25, 8192
# Population, lanes a candidate, generations, factor of the spread.
Stage = tuple[int, int, int, float]
CLOCK: Stage = (320, 8, 100, 1.0)
SEARCH: Stage = (256, 16, 200, 1.0)
POLISH: Stage = (96, 64, 50, 0.15)
# Times of the feedback's gains, and the first spreads of its numbers.
TIMES = 9
SPREAD = np.array([0.25, 0.25, 0.25, 0.15, 0.15])
FIELD_SPREAD = 0.8
# First spreads of the knots of a protocol, in ln T and in J.
CLOCK_SPREAD = (0.2, 0.5)


def batch(setting: str, lanes: int, track: str) -> Any:
    """Make a batch of a setting."""
    difficulty, split = setting.split(".")
    return gym.make_vec(
        TASK,
        num_envs=lanes,
        autoreset_mode="Disabled",
        observation=track,
        difficulty=difficulty,
        split=split,
    )


def play_protocols(env: Any, knots: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Play protocols (P, 2, K), each on its share of the lanes; sigma of the lanes, (B,)."""
    base = env.unwrapped
    points = protocol_from_knots(knots, base.task.horizon)
    points = points.repeat(base.num_envs // len(knots), axis=0)
    actions = base.task.program.encode(temperature=points[..., 0], field=points[..., 1])
    env.reset(seed=seed)
    for sweep in range(base.task.horizon):
        info = env.step(actions[:, sweep])[-1]
    score: NDArray[np.float64] = info["score"]
    return score


def play_feedback(env: Any, weights: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Play feedback (P, 2, K, F), each on its share of the lanes; sigma of the lanes, (B,)."""
    agent, task = ReversalAgent(env), env.unwrapped.task
    own = weights.repeat(env.num_envs // len(weights), axis=0)
    observation, _ = env.reset(seed=seed)
    coupling = agent.coupling(observation, None)
    log_coupling = np.log(coupling) - LOG_COUPLING
    for sweep in range(task.horizon):
        m = task.read(observation, "magnetization")
        bonds = task.read(observation, "correlation")
        every = [np.ones(len(m)), m, bonds, log_coupling, log_coupling * m]
        features = np.stack(every[: own.shape[-1]], axis=1)
        time = np.full(len(m), (sweep + 0.5) / task.horizon)
        chosen = linear_feedback(own, features, time)
        action = task.program.encode(temperature=chosen[:, 0], field=chosen[:, 1])
        observation, _, _, _, info = env.step(action)
    score: NDArray[np.float64] = info["score"]
    return score


def search(
    setting: str, start: NDArray[np.float64], spread: NDArray[np.float64], stage: Stage, seed: int
) -> NDArray[np.float64]:
    """Improve a protocol (2, K) or feedback (2, K, F) of a setting by one stage."""
    population, replicas, generations, factor = stage
    play = play_protocols if start.ndim == 2 else play_feedback
    env = batch(setting, population * replicas, "clock" if start.ndim == 2 else "full")
    rng = np.random.default_rng(seed)

    def score(candidates: NDArray[np.float64]) -> NDArray[np.float64]:
        policies = candidates.reshape(population, *start.shape)
        sigma = play(env, policies, int(rng.integers(2**62)))
        mean: NDArray[np.float64] = sigma.reshape(population, replicas).mean(axis=1)
        return mean

    moves = factor * spread.ravel()
    steps = cross_entropy(score, start.ravel(), moves, population, generations, rng, LEARNING_RATE)
    for generation, (average, scores) in enumerate(steps):
        found = average
        print(f"{setting} {generation}: population {scores.mean():.1f} nats", flush=True)
    return found.reshape(start.shape)


def feedback_of_protocol(knots: NDArray[np.float64], features: int) -> NDArray[np.float64]:
    """Feedback (2, 9, F) that pays no heed and follows a protocol (2, K)."""
    weights = np.zeros((2, TIMES, features))
    time, node = np.linspace(0, 1, TIMES), np.linspace(0, 1, knots.shape[1])
    low, high = TEMPERATURES
    temperature = np.interp(time, node, np.exp(knots[0]))
    weights[0, :, 0] = (2.0 * temperature - low - high) / (high - low)
    weights[1, :, 0] = np.interp(time, node, knots[1]) / FIELD
    return weights


def mean_sigma(setting: str, policy: NDArray[np.float64], seed: int) -> float:
    """Mean over fresh episodes, reported with its standard error."""
    play = play_protocols if policy.ndim == 2 else play_feedback
    sigma = play(
        batch(setting, EPISODES, "clock" if policy.ndim == 2 else "full"), policy[None], seed
    )
    error = sigma.std() / np.sqrt(EPISODES)
    print(f"{setting}: sigma {sigma.mean():.2f} +- {error:.2f} nats, worst {sigma.max():.0f}")
    return float(sigma.mean())


def main(track: str, path: Path, settings: tuple[str, ...]) -> None:
    """Search for the settings in turn, and write after each."""
    for setting in settings:
        protocol = shipped("clock")[setting]
        knots = np.array([protocol["log_temperature"], protocol["field"]])
        if track == "clock":
            start = knots
            spread = np.repeat([CLOCK_SPREAD], knots.shape[1], axis=0).T
            found = search(setting, start, spread, CLOCK, seed=21)
        else:
            features = 5 if setting.endswith("shift") else 3
            spread = np.tile(SPREAD[:features], (2, TIMES, 1))
            spread[1] *= FIELD_SPREAD
            first = feedback_of_protocol(knots, features)
            start = search(setting, first, spread, SEARCH, seed=5)
            found = search(setting, start, spread, POLISH, seed=77)
        best = min((start, found), key=lambda policy: mean_sigma(setting, policy, 4321))
        content = json.loads(path.read_text()) if path.exists() else {}
        new: Any = best.round(4).tolist()
        if track == "clock":
            new = {"log_temperature": new[0], "field": new[1]}
        content[setting] = new
        lines = (f" {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("clock", "feedback"):
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:]) or SETTINGS)
