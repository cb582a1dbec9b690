"""Make a feedback policy for the expert of IsingReversal: the best of some long runs of ppo.

``python -m mattergym.benchmarks.reversal_policy agents/data/ising_reversal_full.npz`` trains a run
a seed, keeps the one of lowest mean score over 2,000 episodes of the training split, and writes its
mean network. The policy that is shipped now comes from an earlier, shorter run of ppo.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.agents import make_agent
from mattergym.benchmarks.evaluate import evaluate, training_seed

TASK = "mattergym/IsingReversal-v0"
STEPS, SEEDS, EPISODES = 12_000_000, 2, 2000


def layers(model: Any) -> dict[str, Any]:
    """Weights and biases of the mean of a Gaussian actor: two tanh layers and a linear one."""
    linear = [model.policy.mlp_extractor.policy_net[k] for k in (0, 2)] + [model.policy.action_net]
    found = {}
    for k, layer in enumerate(linear):
        found[f"w{k}"] = layer.weight.detach().numpy()
        found[f"b{k}"] = layer.bias.detach().numpy()
    return found


def main(path: Path) -> None:
    """Train, choose, write whenever a better run has ended."""
    best = np.inf
    env = gym.make_vec(TASK, num_envs=1, observation="full")
    for seed in range(SEEDS):
        agent: Any = make_agent("ppo", env)
        agent.train(STEPS, training_seed(100 + seed))
        scores = evaluate(TASK, agent, EPISODES, seed, env_kwargs={"split": "train"}).scores
        error = scores.std() / np.sqrt(EPISODES)
        print(f"seed {seed}: sigma {scores.mean():.2f} +- {error:.2f} nats", flush=True)
        if scores.mean() < best:
            best = scores.mean()
            np.savez(path, **layers(agent.model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
