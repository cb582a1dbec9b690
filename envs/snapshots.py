"""All that changes while lanes are played, and the check of a state that comes from elsewhere."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.physics.rng import seed_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mattergym.envs.task import Clock, Task


@dataclass(slots=True)
class Run:
    """All that changes while lanes are played.

    Attributes
    ----------
    state : named tuple of arrays, or None before the first reset
    streams : ndarray of uint64, shape (B, 4)
    clock : Clock
    values : ndarray, shape (P, B)
        Of the parameters of the last action.
    seeds, episodes : ndarray of int64, shape (B,)
    ended : ndarray of bool, shape (B,)
    """

    state: Any
    streams: NDArray[np.uint64]
    clock: Clock
    values: NDArray[Any]
    seeds: NDArray[np.int64]
    episodes: NDArray[np.int64]
    ended: NDArray[np.bool_]


def made_by(task: Task) -> str:
    """Name a task and its arguments, as states carry them."""
    plain = (str, int, float, bool)
    arguments = {
        name: value
        for name, value in vars(task).items()
        if isinstance(value, plain) and name[0] != "_" and name != "render_truth"
    }
    return f"{type(task).__module__}:{type(task).__name__} {sorted(arguments.items())}"


def checked_run(state: Any, own: Run, task: Task) -> Run:
    """Copy a state of :meth:`Bench.get_state` once it is sure to be one of such a bench.

    Parameters
    ----------
    state : dict
    own : Run
        What the bench plays now.
    task : Task

    Raises
    ------
    ValueError
        If it is anything else; the sentence names the field.
    """
    names = {f.name for f in fields(Run)} | {"made_by"}
    if not isinstance(state, dict) or set(state) != names:
        raise ValueError(f"state is not one of {type(task).__name__}'s get_state()")
    if state["made_by"] != made_by(task):
        raise ValueError(f"state is of {state['made_by']}; this environment has {made_by(task)}")
    run = Run(**copy.deepcopy({name: state[name] for name in names - {"made_by"}}))
    lanes = len(own.seeds)
    for f in fields(Run):
        if f.name not in ("state", "clock"):
            _check_like(f.name, getattr(run, f.name), getattr(own, f.name))
    _check_like("clock", run.clock, own.clock)
    if run.state is None:
        if (run.episodes >= 0).any():
            raise ValueError("state has no specimens though episodes have begun")
        return run
    model = own.state
    if model is None:
        model = task.draw(seed_streams(np.arange(lanes), np.zeros(lanes, np.int64), 0))
    _check_like("state", run.state, model)
    if not run.streams.any(axis=1).all():
        raise ValueError("state['streams'] has a row of zeros, from which nothing can be drawn")
    if (run.episodes < 0).any() or (run.seeds < 0).any() or (run.clock.steps < 0).any():
        raise ValueError("state has negative seeds, episodes or steps")
    return run


def _check_like(name: str, value: Any, model: Any) -> None:
    """Raise ValueError unless value has the structure, shapes and dtypes of a model."""
    if isinstance(model, tuple):
        if type(value) is not type(model):
            raise ValueError(f"state: {name} is {type(value).__name__}, not {type(model).__name__}")
        for field, own, wanted in zip(model._fields, value, model, strict=True):  # type: ignore[attr-defined]
            _check_like(f"{name}.{field}", own, wanted)
        return
    if not isinstance(value, np.ndarray):
        raise ValueError(f"state: {name} is no array")
    if value.shape != model.shape or value.dtype != model.dtype or not value.flags.c_contiguous:
        raise ValueError(
            f"state: {name} is {value.dtype} {value.shape}; needed is {model.dtype} {model.shape}, "
            "C-contiguous"
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"state: {name} has numbers that are not finite")
