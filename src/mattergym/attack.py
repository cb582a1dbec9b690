"""The command ``mattergym attack``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from mattergym.arguments import Seed, TaskId, TrackOption, console, say, task_of, track_of


def attack(
    task_id: TaskId,
    track: TrackOption = None,
    split: Annotated[str, typer.Option(help="train | test | shift")] = "test",
    difficulty: Annotated[str, typer.Option(help="easy | standard | hard")] = "standard",
    minutes: Annotated[
        float, typer.Option(min=0.0, help="Of CMA-ES over linear policies; 0: none.")
    ] = 5.0,
    episodes: Annotated[int, typer.Option(min=2, help="Test episodes a policy.")] = 100,
    seed: Seed = 0,
) -> None:
    """Attack a task's score by policies that should earn nothing, such as constant actions.

    Example: mattergym attack SPMFeedback-v0 --difficulty hard --minutes 1
    """
    from mattergym.benchmarks.attack import KNOWN, beaten
    from mattergym.benchmarks.attack import attack as run

    task = task_of(task_id)
    chosen = track_of(task, track)
    kwargs = {**chosen.kwargs, "split": split, "difficulty": difficulty}
    try:
        rows = run(task.id, kwargs, minutes, episodes, seed, lambda line: say(line, error=True))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    unit = f"{task.unit}, {task.direction}"
    table = Table("policy", "kind", f"mean score ({unit})", "95 % interval", "mean return")
    for row in rows:
        mean, low, high = row.interval
        returned = f"{row.records.returns.mean():.4g}"
        kind = KNOWN.get(row.kind, row.kind)
        table.add_row(row.name, kind, f"{mean:.4g}", f"{low:.4g} .. {high:.4g}", returned)
    console.print(table)
    found = beaten(rows, task.direction)
    worst = {name: attacks for name, attacks in found.items() if attacks}
    for name, attacks in worst.items():
        say(f"{name} is beaten by {', '.join(attacks)}")
    verdict = "no attack beats" if not worst else "attacks were tried against"
    say(f"{task.id} ({chosen.name}, {split}, {difficulty}): {verdict} {' or '.join(found)}")
    if worst:
        raise typer.Exit(1)
