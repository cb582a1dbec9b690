"""The command ``mattergym speed``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mattergym.arguments import checked_file, console, nearest, progress, say, task_of


def speed(
    sections: Annotated[
        list[str] | None, typer.Argument(metavar="[SECTION]...", help="Sections; default: all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 9,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Compare the working tree with this git revision instead, steps a second of "
            "environments or tasks.",
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="With --against: only this task; may be repeated. Default: all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON file for the figures; default: in runs/speed/.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="PNG file for the bars; default: beside the JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure kernels and environments against lean yardsticks, one thread, interleaved."""
    if against is not None:
        if plot is not None:
            raise typer.BadParameter("plot: no bars are drawn of a comparison with --against")
        _compare(against, sections or [], task or [], rounds, out, as_json)
    elif task:
        raise typer.BadParameter("task is for --against REV; without it, name sections")
    else:
        _measure(sections or [], rounds, out, plot, as_json)


def _measure(
    sections: list[str], rounds: int, out: Path | None, plot: Path | None, as_json: bool
) -> None:
    from mattergym.benchmarks import speed as speeds
    from mattergym.benchmarks.speed.display import draw, table_of

    chosen = [nearest("section", name, speeds.SECTIONS) for name in sections or speeds.SECTIONS]
    path = checked_file(
        out or Path("runs/speed") / f"{'-'.join(sections) or 'speed'}.json", ".json"
    )
    picture = checked_file(plot or path.with_suffix(".png"), ".png", option="plot")
    results = []
    for name in chosen:
        with progress(name) as update:
            results += speeds.run(rounds, (name,), update)
        if not as_json:
            console.print(table_of(results[-1]))
    _write(path, {"rounds": rounds, "sections": results}, as_json)
    draw(results, picture)
    demands = list(speeds.verdicts(results))
    met = sum(verdict["met"] for _, verdict in demands)
    say(
        f"{met} of {len(demands)} demands on speed are met; figures in {path}, bars in {picture}",
        error=as_json,
    )


def _compare(
    revision: str,
    sections: list[str],
    tasks: list[str],
    rounds: int,
    out: Path | None,
    as_json: bool,
) -> None:
    from mattergym.benchmarks.speed.against import SECTIONS, compare
    from mattergym.benchmarks.speed.display import comparison_line, comparison_verdict
    from mattergym.benchmarks.speed.trees import TreeError
    from mattergym.envs import TASKS

    for name in sections:
        nearest("section", name, SECTIONS, " that --against compares")
    cards = list({name: task_of(name) for name in tasks or TASKS}.values())
    path = checked_file(out or Path("runs/speed/against.json"), ".json")

    def report(result: dict[str, Any]) -> None:
        say(comparison_line(result), error=as_json)

    try:
        with progress(f"against {revision}") as update:
            results = compare(revision, cards, rounds, report, update)
    except TreeError as error:
        raise typer.BadParameter(str(error)) from error
    _write(path, {"rounds": rounds, "against": revision, "results": results}, as_json)
    say(f"{comparison_verdict(results)}; figures in {path}", error=as_json)


def _write(path: Path, content: dict[str, Any], as_json: bool) -> None:
    from mattergym.benchmarks.run import machine, write_json

    content = {"machine": machine(), **content}
    write_json(path, content)
    if as_json:
        typer.echo(json.dumps(content, indent=1))
