"""Stable-baselines3 on the native batch: the adapter and the agents that learn through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from mattergym.agents import networks
from mattergym.agents.base import Agent, Progress
from mattergym.agents.hyperparameters import hyperparameters
from mattergym.envs import track_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class BatchVecEnv(VecEnv):
    """A native batch as a stable-baselines3 VecEnv.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        Made with ``autoreset_mode="SameStep"``.

    Raises
    ------
    ValueError
        If the environment resets in another mode.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata["autoreset_mode"]
        if mode != gym.vector.AutoresetMode.SAME_STEP:
            raise ValueError(f"autoreset_mode = {mode.value!r}; BatchVecEnv needs 'SameStep'")
        self.env = env
        self.render_mode = env.render_mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._seed: int | None = None
        self._return = np.zeros(env.num_envs)
        self._length = np.zeros(env.num_envs, np.int64)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed lane i with seed + i at the next reset."""
        self._seed = seed
        return [None if seed is None else seed + lane for lane in range(self.num_envs)]

    def reset(self) -> Any:
        """Reset all lanes."""
        observation, _ = self.env.reset(seed=self._seed)
        self._seed = None
        self._return[:] = 0.0
        self._length[:] = 0
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[Any], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step the batch; an ended lane's info has what stable-baselines3 looks for."""
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        done = terminated | truncated
        self._return += reward
        self._length += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(done):
            final = info["final_info"]
            infos[lane] = {
                "terminal_observation": info["final_obs"][lane],
                "TimeLimit.truncated": bool(truncated[lane] and not terminated[lane]),
                "is_success": bool(final["is_success"][lane]),
                "score": float(final["score"][lane]),
                "episode": {"r": float(self._return[lane]), "l": int(self._length[lane]), "t": 0.0},
            }
            self._return[lane] = 0.0
            self._length[lane] = 0
        return observation, reward.astype(np.float32), done, infos

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """RGB frames of all lanes, where the batch was made with ``render_mode="rgb_array"``."""
        frames: Any = self.env.render()
        return list(frames or ())

    def close(self) -> None:
        """Close the batch."""
        self.env.close()

    def _lanes(self, indices: int | Iterable[int] | None) -> list[int]:
        return list(self._get_indices(indices))

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the batch once for each lane asked for."""
        return [getattr(self.env.unwrapped, attr_name) for _ in self._lanes(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the whole batch."""
        setattr(self.env.unwrapped, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Call a method of the batch once for each lane asked for."""
        method = getattr(self.env.unwrapped, method_name)
        return [method(*args, **kwargs) for _ in self._lanes(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Lanes of a native batch carry no wrappers."""
        return [False for _ in self._lanes(indices)]


class _Report(BaseCallback):
    """Pass progress and the mean score of recent episodes on."""

    def __init__(self, total: int, callback: Progress | None) -> None:
        super().__init__()
        self._total = total
        self._callback_out = callback

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self._callback_out is None:
            return
        buffer = self.model.ep_info_buffer
        returns = [episode["r"] for episode in buffer] if buffer else []
        metrics = {"return": float(np.mean(returns))} if returns else {}
        self._callback_out(self.num_timesteps, self._total, metrics)


def _policy_for(space: gym.Space[Any]) -> str:
    """Name of stable-baselines3's policy for an observation space."""
    if isinstance(space, gym.spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if len(space.shape or ()) == 3 else "MlpPolicy"


class SB3Agent(Agent):
    """An algorithm of stable-baselines3, trained on the native batch.

    Rewards are divided by the running deviation of the returns, or by the table's
    ``reward_scale``: what a replay buffer learns from should not shrink with its first episodes.
    """

    trainable = True
    algorithm: type[Any]
    policy: ClassVar[str] = "Policy"

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], **overrides: Any) -> None:
        super().__init__(env)
        track = track_of(self.env_id, self.env_kwargs)
        self.parameters = hyperparameters(self.env_id, track.name, self.name) | overrides
        self.default_steps: int = self.parameters.pop("steps")
        self._num_envs: int = self.parameters.pop("num_envs")
        self._reward_scale: float | None = self.parameters.pop("reward_scale", None)
        self._draws: bool = self.parameters.pop(
            "sample_actions", not isinstance(self.action_space, gym.spaces.Box)
        )
        self.model: Any = None

    def train(self, steps: int, seed: int, callback: Progress | None = None) -> None:
        """Learn from scratch for ``steps`` environment steps."""
        torch.set_num_threads(1)
        batch = gym.make_vec(
            self.env_id, num_envs=self._num_envs, autoreset_mode="SameStep", **self.env_kwargs
        )
        gamma = self.parameters.get("gamma", 0.99)
        env = VecNormalize(BatchVecEnv(batch), norm_obs=False, gamma=gamma)
        if self._reward_scale is not None:
            env.training, env.clip_reward = False, np.inf
            env.ret_rms.var = np.array(self._reward_scale**2)
        parameters = dict(self.parameters)
        rate = parameters.get("learning_rate", 3e-4)
        parameters["learning_rate"] = lambda left: rate * left
        policy_kwargs = {"net_arch": [64, 64], **parameters.pop("policy_kwargs", {})}
        if "log_std_init" in parameters:
            policy_kwargs["log_std_init"] = parameters.pop("log_std_init")
        if "features_extractor_class" in policy_kwargs:
            name = policy_kwargs["features_extractor_class"]
            policy_kwargs["features_extractor_class"] = getattr(networks, name)
        self.model = self.algorithm(
            _policy_for(self.env.single_observation_space).replace("Policy", self.policy),
            env,
            seed=seed,
            device="cpu",
            policy_kwargs=policy_kwargs,
            **parameters,
        )
        self._prepare()
        self.model.learn(steps, callback=_Report(steps, callback))
        env.close()

    def _prepare(self) -> None:
        """Change the untrained model where its algorithm has no argument for it."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Act by the trained policy.

        Discrete actions, and others where the table says ``sample_actions``, are drawn, as in
        training: the likeliest row with the likeliest column need not be a likely place, and a
        policy that always takes it repeats itself.

        Raises
        ------
        RuntimeError
            If the agent was neither trained nor loaded.
        """
        if self.model is None:
            raise RuntimeError(f"agent {self.name!r} has no policy yet; call train or load first")
        certain = deterministic and not self._draws
        action, state = self.model.predict(observation, state, episode_start, certain)
        return action, state

    def seed(self, seed: int) -> None:
        """Seed the choices that are drawn."""
        if self.model is not None:
            self.model.set_random_seed(seed)

    def save(self, path: Path) -> None:
        """Write the model as stable-baselines3's zip file."""
        self.model.save(path)

    def load(self, path: Path) -> None:
        """Read a zip file of stable-baselines3."""
        self.model = self.algorithm.load(path, device="cpu")


class PPOAgent(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347)."""

    name = "ppo"
    algorithm = PPO


class SACAgent(SB3Agent):
    """Soft actor-critic (Haarnoja et al. 2018, arXiv:1801.01290)."""

    name = "sac"
    algorithm = SAC

    def _prepare(self) -> None:
        """Start from actions that vary by exp(``log_std_init``) in every state.

        Where a jump costs orders of magnitude more than a step, uniform first actions fill the
        replay buffer with values among which the critic cannot see the difference that matters.
        """
        if "log_std_init" in self.parameters:
            actor = self.model.actor
            actor.log_std.bias.data.fill_(self.parameters["log_std_init"])
            actor.log_std.weight.data.mul_(0.1)

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], **overrides: Any) -> None:
        super().__init__(env, **overrides)
        if not isinstance(self.action_space, gym.spaces.Box):
            raise ValueError(f"sac needs actions in a Box; {self.env_id} has {self.action_space}")


class RecurrentPPOAgent(SB3Agent):
    """Proximal policy optimisation with an LSTM: a memory of its episode (sb3-contrib)."""

    name = "rppo"
    algorithm = RecurrentPPO
    policy = "LstmPolicy"
