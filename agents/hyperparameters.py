"""Hyper-parameters of the learning agents: one table, task by task and track by track."""

from __future__ import annotations

from typing import Any

# steps: default training budget; num_envs: lanes of the native batch.
TABLE: dict[tuple[str, str, str], dict[str, Any]] = {
    ("mattergym/IsingReversal-v0", "clock", "cem"): {"steps": 61_440_000},
    ("mattergym/IsingReversal-v0", "full", "ppo"): {
        "steps": 4_000_000,
        "num_envs": 128,
        "n_steps": 100,
        "batch_size": 1600,
        "n_epochs": 8,
        "learning_rate": 1e-3,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "log_std_init": -1.5,
    },
    ("mattergym/IsingReversal-v0", "clock", "ppo"): {
        "steps": 4_000_000,
        "num_envs": 128,
        "n_steps": 100,
        "batch_size": 1600,
        "n_epochs": 8,
        "learning_rate": 1e-3,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "log_std_init": -1.5,
    },
    ("mattergym/IsingReversal-v0", "full", "sac"): {
        "steps": 100_000,
        "num_envs": 16,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "gamma": 0.99,
        "learning_starts": 3_200,
    },
    ("mattergym/IsingAnneal-v0", "standard", "ppo"): {
        "steps": 2_000_000,
        "num_envs": 128,
        "n_steps": 50,
        "batch_size": 1600,
        "n_epochs": 8,
        "learning_rate": 1e-3,
        "gamma": 0.98,
        "gae_lambda": 0.95,
        "log_std_init": -1.0,
    },
    ("mattergym/STEMCorrector-v0", "features", "ppo"): {
        "steps": 3_000_000,
        "num_envs": 128,
        "n_steps": 40,
        "batch_size": 1280,
        "n_epochs": 8,
        "learning_rate": 1e-3,
        "gamma": 0.97,
        "gae_lambda": 0.9,
        "log_std_init": -1.0,
    },
    ("mattergym/STEMCorrector-v0", "features", "rppo"): {
        "steps": 1_500_000,
        "num_envs": 128,
        "n_steps": 40,
        "batch_size": 1280,
        "n_epochs": 4,
        "learning_rate": 1e-3,
        "gamma": 0.97,
        "gae_lambda": 0.9,
        "log_std_init": -1.0,
        "policy_kwargs": {"lstm_hidden_size": 128},
    },
    ("mattergym/STEMSurvey-v0", "clusters", "ppo"): {
        "steps": 3_000_000,
        "num_envs": 128,
        "n_steps": 64,
        "batch_size": 2048,
        "n_epochs": 4,
        "learning_rate": 5e-4,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "ent_coef": 0.002,
        "policy_kwargs": {"net_arch": [256, 256]},
    },
    ("mattergym/STEMAtomWalk-v0", "features", "ppo"): {
        "steps": 8_000_000,
        "num_envs": 128,
        "n_steps": 64,
        "batch_size": 2048,
        "n_epochs": 6,
        "learning_rate": 1e-3,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "log_std_init": -0.5,
        "policy_kwargs": {"net_arch": [128, 128]},
    },
    ("mattergym/SPMFeedback-v0", "standard", "ppo"): {
        "steps": 2_000_000,
        "num_envs": 128,
        "n_steps": 60,
        "batch_size": 1920,
        "n_epochs": 8,
        "learning_rate": 1e-3,
        "gamma": 0.9,
        "gae_lambda": 0.95,
        "log_std_init": -1.0,
    },
    ("mattergym/IsingPhaseMap-v0", "standard", "ppo"): {
        "steps": 600_000,
        "num_envs": 64,
        "n_steps": 64,
        "batch_size": 1024,
        "n_epochs": 5,
        "learning_rate": 5e-4,
        "gamma": 0.995,
        "gae_lambda": 0.95,
        "ent_coef": 0.005,
    },
}
FALLBACK: dict[str, dict[str, Any]] = {
    "ppo": {"steps": 1_000_000, "num_envs": 64, "n_steps": 64, "batch_size": 512},
    "sac": {"steps": 100_000, "num_envs": 16},
    "cem": {"steps": 1_000_000},
}


def hyperparameters(env_id: str, track: str, agent: str) -> dict[str, Any]:
    """Return a copy of the parameters of an agent on a task's track."""
    return dict(TABLE.get((env_id, track, agent), FALLBACK.get(agent, {})))
