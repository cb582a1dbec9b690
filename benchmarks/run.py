"""Run a sweep: one cell, one result file, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium as gym

from mattergym.agents import make_agent
from mattergym.benchmarks.evaluate import evaluate, training_seed
from mattergym.benchmarks.fingerprint import fingerprint, is_stale
from mattergym.benchmarks.sweep import Cell
from mattergym.envs import TASKS

FORMAT = 1
PACKAGES = ("mattergym", "gymnasium", "numpy", "numba", "scipy", "torch", "stable-baselines3")


def track_kwargs(env_id: str, track: str) -> dict[str, Any]:
    """Arguments of ``gym.make`` that select a track.

    Raises
    ------
    ValueError
        If the task has no such track.
    """
    for t in TASKS[env_id].tracks:
        if t.name == track:
            return dict(t.kwargs)
    names = ", ".join(t.name for t in TASKS[env_id].tracks)
    raise ValueError(f"track = {track!r}; {env_id} has {names}")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all, a key a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    write_whole(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def read_cell(path: Path, cell: Cell) -> dict[str, Any] | None:
    """Read the result of a cell; None if it is truncated, foreign or of another budget."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    if content.get("cell") != cell.to_json():
        return None
    try:
        return content if len(content["records"]["scores"]) == cell.episodes else None
    except (KeyError, TypeError):
        return None


def _commit() -> str:
    """Commit of the clone that this file is part of; "unknown" outside one."""
    root = Path(__file__).resolve().parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    top, commit = out.splitlines()
    # Installed into some folder of another repository, that one's commit says nothing.
    return commit if Path(top).resolve() == root else "unknown"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Kind of processor and number of cores."""
    return {"processor": platform.machine(), "cores": os.cpu_count()}


def run_cell(cell: Cell, directory: Path) -> Path:
    """Train (if the agent learns), evaluate, and write the result file of one cell."""
    begin = time.perf_counter()
    # Sources may be edited while it trains: what counts is what was loaded.
    made_with = fingerprint(cell.env_id, cell.agent, cell.track)
    directory.mkdir(parents=True, exist_ok=True)
    kwargs = track_kwargs(cell.env_id, cell.track)
    env = gym.make_vec(cell.env_id, num_envs=1, **kwargs)
    agent = make_agent(cell.agent, env)
    curve: list[dict[str, float]] = []
    if agent.trainable:

        def keep(done: int, total: int, metrics: dict[str, float]) -> None:
            curve.append({"steps": done, **metrics})

        agent.train(cell.steps, training_seed(cell.seed), keep)
        agent.save((directory / cell.filename).with_suffix(".agent"))
    trained = time.perf_counter()
    records = evaluate(cell.env_id, agent, cell.episodes, cell.seed, env_kwargs=kwargs)
    records.fingerprint = made_with
    thinned = curve[:: max(1, len(curve) // 100)]
    path = directory / cell.filename
    write_json(
        path,
        {
            "format": FORMAT,
            "cell": cell.to_json(),
            "knows": agent.knows,
            "records": records.to_json(),
            "learning_curve": thinned,
            "versions": _versions(),
            "commit": _commit(),
            "machine": machine(),
            "wall_s": {"train": trained - begin, "evaluate": time.perf_counter() - trained},
        },
    )
    return path


def run(
    cells: list[Cell],
    directory: Path,
    jobs: int = 1,
    report: Callable[[Cell, str], None] | None = None,
    retrain: bool = False,
) -> list[Path]:
    """Run the cells that have no valid result of these sources yet, in parallel processes.

    Stale results, made by another version of the sources, are made anew; those of agents that learn
    only with ``retrain``, since training takes long.

    Parameters
    ----------
    cells : list of Cell
    directory : Path
        Where result files are and go.
    jobs : int
        Worker processes (joblib).
    report : callable, optional
        Called with (cell, status) as the sweep goes on: "kept", "stale" (and kept), "renewed"
        (stale, will be made anew), "recomputed" (truncated or foreign, as well), "done".
    retrain : bool
        Whether stale results of agents that learn are made anew too.

    Returns
    -------
    list of Path
        Result files of all cells.
    """
    from joblib import Parallel, delayed

    say = report or (lambda cell, status: None)
    missing = []
    for cell in cells:
        path = directory / cell.filename
        content = read_cell(path, cell)
        if content is not None and not is_stale(content):
            say(cell, "kept")
            continue
        if content is not None and cell.steps and not retrain:
            say(cell, "stale")
            continue
        if path.exists():
            say(cell, "recomputed" if content is None else "renewed")
        missing.append(cell)
    # Longest first, so that no long cell is left for the end.
    missing.sort(key=lambda cell: -cell.steps)
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    by_name = {cell.filename: cell for cell in missing}
    for path in parallel(delayed(run_cell)(cell, directory) for cell in missing):
        say(by_name[path.name], "done")
    return [directory / cell.filename for cell in cells]
