"""Checks of what users pass: an error names the parameter, the value, what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
