"""Checks of what users pass: an error names the parameter, the value, what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mattergym.envs.old_base import BatchEnv

# Rounding past a bound of a Box that is accepted, e.g. from tanh or a float64 policy.
ROUNDING = 1e-6


@njit(cache=True)
def first_outside(values: Any, limit: float) -> int:
    """Flat index of the first value that is not finite or outside -limit..limit, or -1."""
    flat = values.ravel()
    for i in range(flat.size):
        if not abs(flat[i]) <= limit:
            return i
    return -1


def checked_choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return a string that is one of ``allowed``, or raise ValueError."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} = {value!r} is not one of {', '.join(map(repr, allowed))}")
    return value


def is_whole(value: Any) -> bool:
    """Whether a value is an int of Python or numpy (a 0-d array too), and no bool."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def checked_positive_int(name: str, value: Any) -> int:
    """Return an int above 0, or raise ValueError."""
    if not is_whole(value) or value < 1:
        raise ValueError(f"{name} = {value!r} is not a whole number above 0")
    return int(value)


def checked_seed(name: str, value: Any) -> int:
    """Return an int in 0..2^63 - 1, or raise ValueError."""
    if not is_whole(value):
        raise ValueError(f"{name} = {value!r} is not a whole number")
    if not 0 <= int(value) < 2**63:
        raise ValueError(f"{name} = {value} is outside 0..2^63 - 1")
    return int(value)


def checked_lane(lane: Any, lanes: int) -> int:
    """Return the index of a lane, or raise ValueError."""
    if not is_whole(lane) or not 0 <= lane < lanes:
        raise ValueError(f"lane = {lane!r} is not one of the lanes 0..{lanes - 1}")
    return int(lane)


def checked_seeds(seed: Any, lanes: int) -> list[int | None] | None:
    """Return one seed (or None) a lane, or None if no seed was given."""
    if seed is None:
        return None
    if is_whole(seed):
        first = checked_seed("seed", seed)
        return [checked_seed("seed", first + lane) for lane in range(lanes)]
    if not isinstance(seed, list | tuple | np.ndarray) or (
        isinstance(seed, np.ndarray) and seed.ndim == 0
    ):
        raise ValueError(f"seed = {seed!r} is neither a whole number, a list of them, nor None")
    if len(seed) != lanes:
        raise ValueError(f"seed has {len(seed)} entries; this environment has {lanes} lanes")
    return [None if s is None else checked_seed(f"seed[{k}]", s) for k, s in enumerate(seed)]


def checked_mask(options: Any, lanes: int) -> NDArray[np.bool_]:
    """Return the lanes to reset from ``options``, which is left as it was."""
    if options is None:
        return np.ones(lanes, np.bool_)
    if not isinstance(options, dict):
        raise ValueError(f"options = {options!r} is not a dict")
    unknown = [key for key in options if key != "reset_mask"]
    if unknown:
        raise ValueError(f"options has unknown keys {unknown}; known is 'reset_mask'")
    if not options:
        return np.ones(lanes, np.bool_)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (lanes,):
        raise ValueError(
            f"options['reset_mask'] = {mask!r} is not a bool array of shape ({lanes},)"
        )
    if not mask.any():
        raise ValueError("options['reset_mask'] selects no lane")
    return mask.copy()


def checked_action(env: BatchEnv, actions: Any) -> NDArray[Any]:
    """Return actions in the dtype of the space, or raise ValueError and name what is wrong."""
    shape = env.action_space.shape
    array = np.asarray(actions)
    if array.shape != shape:
        raise ValueError(
            f"action has shape {array.shape}; {type(env).__name__} takes {shape} "
            f"({env.num_envs} lanes of {env.single_action_space})"
        )
    if isinstance(env.single_action_space, spaces.Box):  # a batched MultiDiscrete is one, too
        if array.dtype.kind != "f":
            raise ValueError(f"action has dtype {array.dtype}; needed is float32 or float64")
        bad = first_outside(array, 1.0 + ROUNDING)
        if bad >= 0:
            raise ValueError(_outside(env, array, bad))
        if array.dtype != np.float32:
            array = array.astype(np.float32)
        if first_outside(array, 1.0) >= 0:
            array = np.clip(array, np.float32(-1.0), np.float32(1.0))
        return array
    if array.dtype.kind not in "iu":
        raise ValueError(f"action has dtype {array.dtype}; needed is a whole number type")
    counts = np.broadcast_to(_choices(env.single_action_space), shape)
    outside = np.flatnonzero((array < 0).ravel() | (array >= counts).ravel())
    if outside.size:
        index = np.unravel_index(outside[0], shape)
        raise ValueError(
            f"action[{', '.join(map(str, index))}] = {array[index]} is outside "
            f"0..{counts[index] - 1} ({type(env).__name__})"
        )
    return array.astype(np.int64, copy=False)


def _choices(space: Any) -> NDArray[np.int64]:
    return np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec, np.int64)


def _outside(env: BatchEnv, array: NDArray[Any], flat: int) -> str:
    index = np.unravel_index(flat, array.shape)
    lane, component = index[0], index[-1]
    value = float(array[index])
    text = f"action[{component}] = {value:g} is outside -1..1"
    if len(env.action_parameters) > component:
        parameter = env.action_parameters[component]
        text += f", which stands for {parameter}"
        if np.isfinite(value):
            asked = parameter.low + 0.5 * (parameter.high - parameter.low) * (value + 1.0)
            text += f"; {parameter.name} = {asked:g} {parameter.unit}".rstrip() + " was asked"
    return f"{text} ({type(env).__name__}, lane {lane})"
