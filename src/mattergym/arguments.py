"""What the commands have in common: names with their nearest, paths checked first, progress."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup

console = Console()
# Bars and errors leave standard output to what was asked for.
_stderr = Console(stderr=True)

Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Root of all random numbers.", show_default=True)
]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="Task, as `mattergym list` names it.")]
TrackOption = Annotated[str | None, typer.Option(help="Track of the task; default: its first.")]
LoadOption = Annotated[Path | None, typer.Option(help="File written by train.")]


class Commands(TyperGroup):
    """Commands whose trouble with files, memory, packages ends in a sentence and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (OSError, MemoryError) as error:
            _stderr.print(f"Error: {error}", style="red", soft_wrap=True, markup=False)
            raise typer.Exit(1) from error
        except ModuleNotFoundError as error:
            hint = "install the learners by: pip install 'mattergym[agents]'"
            _stderr.print(f"Error: {error}; {hint}", style="red", soft_wrap=True, markup=False)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            _stderr.print("Interrupted; files that were finished are kept.")
            raise


def nearest(kind: str, name: str, known: Iterable[str], of: str = "") -> str:
    """Return ``name`` if it is known among those ``of`` something, e.g. " of this task".

    Raises
    ------
    typer.BadParameter
        If it is not; the sentence names the nearest that are, or all.
    """
    names = list(known)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, cutoff=0.5)
    words = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}"
    raise typer.BadParameter(f"no {kind} {name!r}{of}; {words}")


def task_of(name: str) -> Any:
    """Find a task by its id, ours without the namespace; ``module:id`` imports a module first.

    Raises
    ------
    typer.BadParameter
        If there is no such module or task.
    """
    from mattergym.envs import TASKS

    module, _, rest = name.rpartition(":")
    if module:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise typer.BadParameter(f"module of {name!r}: {error}") from error
        name = rest
    tasks = {env_id.removeprefix("mattergym/"): task for env_id, task in TASKS.items()}
    return tasks[nearest("task", name.removeprefix("mattergym/"), tasks)]


def track_of(task: Any, name: str | None) -> Any:
    """Find a track of a task; None gives its first."""
    tracks = {track.name: track for track in task.tracks}
    if name is None:
        return task.tracks[0]
    return tracks[nearest("track", name, tracks, f" of {task.id}")]


def agent_of(task: Any, track: Any, name: str) -> Any:
    """Make an agent by name for a track."""
    import gymnasium as gym

    from mattergym.agents import agent_names, make_agent

    nearest("agent", name, agent_names(task.id), f" of {task.id}")
    try:
        return make_agent(name, gym.make_vec(task.id, num_envs=1, **track.kwargs))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def player_of(task: Any, track: Any, name: str, load: Path | None) -> Any:
    """Make an agent that can act: one that learns needs the file that ``train`` wrote for it."""
    import gymnasium as gym

    agent = agent_of(task, track, name)
    if load is None:
        if agent.trainable:
            raise typer.BadParameter(f"agent {name!r} has to be trained; pass --load FILE")
        return agent
    if not agent.trainable:
        raise typer.BadParameter(f"agent {name!r} does not learn, so that it has nothing to load")
    if not load.is_file():
        raise typer.BadParameter(f"load = {load} is not a file")
    try:
        agent.load(load)
        # A policy of another task is found out by its first action.
        env = gym.make_vec(task.id, num_envs=1, **track.kwargs)
        observation, _ = env.reset(seed=0)
        env.step(agent.predict(observation)[0])
    except Exception as error:  # formats differ by agent, and so do the errors of their readers
        raise typer.BadParameter(
            f"load = {load} is not what train writes for {name} on {task.id}, track "
            f"{track.name}: {error}"
        ) from error
    return agent


def checked_file(path: Path, *endings: str, option: str = "out") -> Path:
    """Return a path that a file can be written to; long work should not end in an error.

    Raises
    ------
    typer.BadParameter
        If it is a folder, has none of the ``endings``, or its folder cannot be written to.
    """
    if endings and path.suffix not in endings:
        raise typer.BadParameter(f"{option} = {path}: the ending is not {' or '.join(endings)}")
    if path.is_dir():
        raise typer.BadParameter(f"{option} = {path} is a folder; needed is a file")
    checked_folder(path.parent, option)
    return path


def checked_folder(path: Path, option: str = "out") -> Path:
    """Return a folder that files can be written to, made if need be; raises BadParameter."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise typer.BadParameter(f"{option} = {path} cannot be written to: {reason}") from error
    return path


@contextmanager
def progress(text: str) -> Iterator[Callable[..., None]]:
    """Show a bar with time left; yields a function of (done, total, text or metrics)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_stderr, transient=True) as bar:
        row = bar.add_task(text, total=None)

        def update(done: int, total: int, more: str | dict[str, float] = "") -> None:
            if not isinstance(more, str):
                more = "  ".join(f"{name} {value:.4g}" for name, value in more.items())
            bar.update(row, completed=done, total=total, description=f"{text}  {more}".rstrip())

        yield update


def say(sentence: str, error: bool = False) -> None:
    """Print the line that a command ends with, in one piece."""
    (_stderr if error else console).print(sentence, soft_wrap=True, markup=False, highlight=False)
