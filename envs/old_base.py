"""What all tasks share: a batch of independent lanes as a Gymnasium vector environment.

A task subclasses :class:`BatchEnv` and implements ``_reset``, ``_step``, ``_observe`` and
``_render``; its ordinary environment is the one-lane view :class:`SingleEnv`.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from mattergym.envs.old_instruments import Ledger
from mattergym.envs.validation import (
    checked_action,
    checked_choice,
    checked_mask,
    checked_positive_int,
    checked_seeds,
)
from mattergym.physics.rng import seed_streams, splitmix64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mattergym.envs.old_instruments import Instrument, Parameter

Observation = Any
SPLITS = ("train", "test", "shift")
DIFFICULTIES = ("easy", "standard", "hard")
# Purposes of the streams of an episode; the split is added times 16, so that splits are disjoint.
SPECIMEN, DYNAMICS, FRESH_NOISE = 1, 2, 3


class BatchEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """Independent lanes of one task, stepped by one call.

    Parameters
    ----------
    num_envs : int
        Lanes B.
    observation_space, action_space : gymnasium.Space
        Of one lane. A Box of actions is [-1, 1] in every component.
    action_parameters : tuple of Parameter
        Physical meaning of every component of a Box action; error messages name them.
    split : {"train", "test", "shift"}
    difficulty : {"easy", "standard", "hard"}
    render_mode : {"rgb_array", "ansi"} or None
    max_episode_steps : int or None
        Truncates, as Gymnasium's TimeLimit does.
    autoreset_mode : {"NextStep", "SameStep", "Disabled"}

    Raises
    ------
    ValueError
        If an argument is none of the above; the sentence names what is allowed.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    instrument: Instrument
    objective: ClassVar[str]
    domain: ClassVar[str]
    score_direction: ClassVar[str]
    score_unit: ClassVar[str]
    # What get_state leaves out: it is fixed at construction.
    _configuration: ClassVar[frozenset[str]] = frozenset(
        "num_envs metadata spec render_mode observation_space action_space closed instrument "
        "single_observation_space single_action_space action_parameters split difficulty "
        "max_episode_steps autoreset_mode _np_random _np_random_seed".split()
    )

    def __init__(
        self,
        num_envs: int,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        action_parameters: tuple[Parameter, ...] = (),
        split: str = "train",
        difficulty: str = "standard",
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: str = "NextStep",
    ) -> None:
        self.num_envs = checked_positive_int("num_envs", num_envs)
        self.split = checked_choice("split", split, SPLITS)
        self.difficulty = checked_choice("difficulty", difficulty, DIFFICULTIES)
        if render_mode is not None:
            checked_choice("render_mode", render_mode, tuple(self.metadata["render_modes"]))
        self.render_mode = render_mode
        if max_episode_steps is not None:
            checked_positive_int("max_episode_steps", max_episode_steps)
        self.max_episode_steps = max_episode_steps
        if isinstance(action_space, gym.spaces.Box) and not (
            (action_space.low == -1.0).all() and (action_space.high == 1.0).all()
        ):
            raise ValueError(f"action_space = {action_space} is not a Box of -1..1")
        if isinstance(autoreset_mode, AutoresetMode):
            autoreset_mode = autoreset_mode.value
        modes = tuple(mode.value for mode in AutoresetMode)
        self.autoreset_mode = AutoresetMode(checked_choice("autoreset_mode", autoreset_mode, modes))
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}  # type: ignore[misc]
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self.action_parameters = action_parameters

        self.ledger = Ledger(num_envs)
        self.streams = np.zeros((num_envs, 4), np.uint64)
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._seeds = np.zeros(num_envs, np.int64)
        self._episodes = np.full(num_envs, -1, np.int64)
        self._steps = np.zeros(num_envs, np.int64)
        self._ended = np.zeros(num_envs, np.bool_)
        self._noise_seed: int | None = None

    # ---- what a task implements -------------------------------------------------------------

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        """Draw a new specimen in those lanes; their streams and ledger rows are fresh."""
        raise NotImplementedError

    def _step(
        self, action: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        """Run the program that the action stands for; return reward, terminated, reward terms.

        Called for the whole batch. What it does to a lane whose episode has ended is discarded.
        All three are fresh arrays of shape (B,).
        """
        raise NotImplementedError

    def _observe(self) -> Observation:
        """Return a fresh array, or dict of arrays, with a leading axis B; never a view."""
        raise NotImplementedError

    def _render(self, lane: int) -> NDArray[np.uint8]:
        """Draw a lane as an RGB frame, uint8 (H, W, 3)."""
        raise NotImplementedError

    def program(self, lane: int = 0) -> list[str]:
        """Instructions that the last action of a lane stood for, as text with units."""
        raise NotImplementedError

    # ---- randomness -------------------------------------------------------------------------

    def _purpose(self, purpose: int) -> int:
        return 16 * SPLITS.index(self.split) + purpose

    def generator(self, lane: int) -> np.random.Generator:
        """Numpy generator of a lane's specimen, made on first use in an episode."""
        generator = self._generators[lane]
        if generator is None:
            key = [int(self._seeds[lane]), int(self._episodes[lane]), self._purpose(SPECIMEN)]
            if self._noise_seed is not None:
                key += [self._noise_seed]
            generator = np.random.default_rng(np.random.SeedSequence(key))
            self._generators[lane] = generator
        return generator

    def fresh_noise(self, seed: int) -> None:
        """Give every lane new noise for the rest of its episode.

        A planner that copied a state by :meth:`set_state` calls this, so that it plans with the
        task's law but not with the task's future.
        """
        keys = splitmix64(self._seeds.astype(np.uint64)) ^ np.uint64(seed)
        lanes = np.arange(self.num_envs, dtype=np.uint64)
        self.streams = seed_streams(keys, lanes, self._purpose(FRESH_NOISE))
        self._noise_seed = int(seed)
        self._generators = [None] * self.num_envs

    # ---- Gymnasium's interface --------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin new episodes in all lanes, or in those of ``options={"reset_mask": mask}``.

        Parameters
        ----------
        seed : int, list or None
            An int seeds lane i with ``seed + i``; a list gives one a lane. A lane with a seed
            starts its episode 0; a lane without one goes on to its next episode.
        options : dict, optional
            ``reset_mask``, bool (B,), selects lanes; the others are left alone.
        """
        seeds = checked_seeds(seed, self.num_envs)
        mask = checked_mask(options, self.num_envs)
        lanes = np.flatnonzero(mask)
        if (self._episodes[~mask] < 0).any():
            raise ValueError("reset_mask leaves out lanes that were never reset; reset all first")
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
        self._begin(lanes, seeds)
        return self._observe(), self._info(mask, {})

    def _begin(self, lanes: NDArray[np.intp], seeds: list[int | None] | None = None) -> None:
        """Start the next episode of some lanes; a lane with a seed starts its episode 0."""
        if seeds is not None:
            for lane in lanes:
                if seeds[lane] is not None:
                    self._seeds[lane] = cast("int", seeds[lane])
                    self._episodes[lane] = -1
        unseeded = lanes[self._episodes[lanes] < 0]
        if seeds is None or any(seeds[lane] is None for lane in unseeded):
            for lane in unseeded:
                if seeds is None or seeds[lane] is None:
                    entropy = np.random.SeedSequence().generate_state(1, np.uint64)[0]
                    self._seeds[lane] = np.int64(entropy >> np.uint64(2))
        self._episodes[lanes] += 1
        self._steps[lanes] = 0
        self._ended[lanes] = False
        self.ledger.table[:, lanes] = 0.0
        for lane in lanes:
            self._generators[lane] = None
        self._noise_seed = None
        self.streams[lanes] = seed_streams(
            self._seeds[lanes].astype(np.uint64),
            self._episodes[lanes].astype(np.uint64),
            self._purpose(DYNAMICS),
        )
        self._reset(lanes)

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step all lanes; see :class:`gymnasium.vector.AutoresetMode` for what an end does.

        Raises
        ------
        ValueError
            If an action has a wrong shape or dtype, is not finite or out of bounds; nothing
            changes then.
        RuntimeError
            Before the first reset, and in Disabled mode if a lane's episode has ended.
        """
        action = checked_action(self, actions)
        if self._episodes[0] < 0:
            raise RuntimeError(f"{type(self).__name__}.step was called before reset")
        resetting = self._ended
        any_resetting = resetting.any()
        if any_resetting and self.autoreset_mode == AutoresetMode.DISABLED:
            over = np.flatnonzero(resetting).tolist()
            raise RuntimeError(f"the episodes of lanes {over} have ended; reset them before step")

        reward, terminated, terms = self._step(action)
        self._steps += 1
        if any_resetting:
            reward[resetting] = 0.0
            terminated[resetting] = False
            for term in terms.values():
                term[resetting] = 0.0
            self._begin(np.flatnonzero(resetting))
        if self.max_episode_steps is None:
            truncated = np.zeros(self.num_envs, np.bool_)
        else:
            truncated = self._steps >= self.max_episode_steps
        ended = terminated | truncated
        observation = self._observe()
        info = self._info(np.ones(self.num_envs, np.bool_), terms)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            final = self._final(ended, observation, info)
            self._begin(np.flatnonzero(ended))
            observation = self._observe()
            info = {**self._info(np.ones(self.num_envs, np.bool_), terms, reset=ended), **final}
        else:
            self._ended = ended
        return observation, reward, terminated, truncated, info

    def _info(
        self,
        present: NDArray[np.bool_],
        terms: dict[str, NDArray[np.float64]],
        reset: NDArray[np.bool_] | None = None,
    ) -> dict[str, Any]:
        """Make the info of the lanes in ``present``; lanes in ``reset`` show no reward terms."""
        elapsed, dose, score, cost, success = self.ledger.table.copy()
        seeds, episodes = self._seeds.copy(), self._episodes.copy()
        if reset is not None:
            terms = {name: np.where(reset, 0.0, term) for name, term in terms.items()}
        reward_terms: dict[str, Any] = {}
        for name, term in terms.items():
            reward_terms[name] = term
            reward_terms[f"_{name}"] = present
        return {
            "elapsed_s": elapsed,
            "_elapsed_s": present,
            "dose": dose,
            "_dose": present,
            "score": score,
            "_score": present,
            "cost": cost,
            "_cost": present,
            "is_success": success > 0.5,
            "_is_success": present,
            "seed": seeds,
            "_seed": present,
            "episode_index": episodes,
            "_episode_index": present,
            "reward_terms": reward_terms,
            "_reward_terms": present,
        }

    def _final(
        self, ended: NDArray[np.bool_], observation: Observation, info: dict[str, Any]
    ) -> dict[str, Any]:
        """Lay out final observations and infos as Gymnasium's SyncVectorEnv does."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for lane in np.flatnonzero(ended):
            if isinstance(observation, dict):
                final_obs[lane] = {name: array[lane].copy() for name, array in observation.items()}
            else:
                final_obs[lane] = observation[lane].copy()

        def masked(values: dict[str, Any]) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, value in values.items():
                if isinstance(value, dict):
                    out[name] = masked(value)
                elif name.startswith("_"):
                    out[name] = ended.copy()
                else:
                    out[name] = np.where(ended, value, np.zeros((), value.dtype))
            return out

        return {
            "final_obs": final_obs,
            "_final_obs": ended.copy(),
            "final_info": masked(info),
            "_final_info": ended.copy(),
        }

    def render(self) -> tuple[Any, ...] | None:
        """Frames of all lanes: RGB arrays, or programs as text in ``ansi`` mode."""
        if self.render_mode is None:
            gym.logger.warn("render was called without a render_mode; pass it to gym.make_vec")
            return None
        if self._episodes[0] < 0:
            raise RuntimeError(f"{type(self).__name__}.render was called before reset")
        if self.render_mode == "ansi":
            return tuple("\n".join(self.program(lane)) for lane in range(self.num_envs))
        return tuple(self._render(lane) for lane in range(self.num_envs))

    # ---- snapshots --------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Deep copy of everything that changes, random streams included."""
        return copy.deepcopy(
            {name: value for name, value in vars(self).items() if name not in self._configuration}
        )

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state of :meth:`get_state`, of an environment made with equal arguments.

        Raises
        ------
        ValueError
            If the state has other attributes or another number of lanes; nothing changes then.
        """
        mine = {name for name in vars(self) if name not in self._configuration}
        if not isinstance(state, dict) or set(state) != mine:
            raise ValueError(f"state is not one of {type(self).__name__}.get_state()")
        lanes = len(state["_seeds"])
        if lanes != self.num_envs:
            raise ValueError(f"state has {lanes} lanes; this environment has {self.num_envs}")
        vars(self).update(copy.deepcopy(state))


class SingleEnv(gym.Env[Any, Any]):
    """The one-lane view of a batch environment; a task sets ``batch_class``.

    Its arguments are those of the batch environment, without ``num_envs``, ``autoreset_mode``
    and ``max_episode_steps`` (Gymnasium's TimeLimit does that).
    """

    batch_class: ClassVar[type[BatchEnv]]
    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 10,
    }

    def __init__(self, render_mode: str | None = None, **kwargs: Any) -> None:
        make = cast("Any", self.batch_class)
        self.batch: BatchEnv = make(
            num_envs=1, autoreset_mode="Disabled", render_mode=render_mode, **kwargs
        )
        self.render_mode = render_mode
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space
        self._single_shape = self.action_space.shape

    @property
    def manual(self) -> str:
        """The docstring."""
        return inspect.getdoc(type(self)) or ""

    def __getattr__(self, name: str) -> Any:
        """Read what is not found here from the batch: ``instrument``, ``score_unit``, ..."""
        if name.startswith("_") or name == "batch":
            raise AttributeError(name)
        return getattr(self.batch, name)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; see :meth:`BatchEnv.reset`."""
        super().reset(seed=seed)
        observation, _ = self.batch.reset(seed=seed, options=options)
        return self._first(observation), self._scalar_info({})

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Step the lane; errors as in :meth:`BatchEnv.step`."""
        batch = self.batch
        array = checked_action(batch, np.asarray(action)[None])
        if batch._episodes[0] < 0:
            raise RuntimeError(f"{type(self).__name__}.step was called before reset")
        if batch._ended[0]:
            raise RuntimeError("the episode has ended; call reset before step")
        reward, terminated, terms = batch._step(array)
        batch._steps[0] += 1
        end = bool(terminated[0])
        batch._ended[0] = end
        observation = self._first(batch._observe())
        return observation, float(reward[0]), end, False, self._scalar_info(terms)

    def _first(self, observation: Observation) -> Observation:
        if isinstance(observation, dict):
            return {name: array[0] for name, array in observation.items()}
        return observation[0]

    def _scalar_info(self, terms: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
        batch = self.batch
        elapsed, dose, score, cost, success = batch.ledger.table[:, 0].tolist()
        return {
            "elapsed_s": elapsed,
            "dose": dose,
            "score": score,
            "cost": cost,
            "is_success": success > 0.5,
            "seed": int(batch._seeds[0]),
            "episode_index": int(batch._episodes[0]),
            "reward_terms": {name: float(term[0]) for name, term in terms.items()},
        }

    def render(self) -> Any:
        """RGB frame, or the last program as text in ``ansi`` mode."""
        frames = self.batch.render()
        return None if frames is None else frames[0]

    def program(self, lane: int = 0) -> list[str]:
        """Instructions of the last action, as text with units."""
        return self.batch.program(lane)

    def get_state(self) -> dict[str, Any]:
        """Deep copy of everything that changes."""
        return self.batch.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state of :meth:`get_state`."""
        self.batch.set_state(state)

    def fresh_noise(self, seed: int) -> None:
        """Give the episode new noise from here on; see :meth:`BatchEnv.fresh_noise`."""
        self.batch.fresh_noise(seed)
