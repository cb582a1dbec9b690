"""Command line: ``mattergym list | show | train | evaluate | benchmark | report | ...``."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console()
Seed = Annotated[int, typer.Option(help="Root of all random numbers.")]
TrackOption = Annotated[str | None, typer.Option(help="Track of the task; default: its first.")]


def _task(name: str) -> Any:
    """Find a task by id, with or without the namespace; a typo gets the nearest names."""
    from mattergym.envs import TASKS

    full = name if "/" in name else f"mattergym/{name}"
    if full in TASKS:
        return TASKS[full]
    near = difflib.get_close_matches(full, TASKS, cutoff=0.3) or list(TASKS)
    raise typer.BadParameter(f"no task {name!r}; did you mean {', '.join(near)}?")


def _track(task: Any, name: str | None) -> Any:
    for track in task.tracks:
        if name in (None, track.name):
            return track
    known = ", ".join(track.name for track in task.tracks)
    raise typer.BadParameter(f"{task.id} has no track {name!r}; it has {known}")


def _bar(quiet: bool = False) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
    )
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet)


def _agent(task: Any, track: Any, name: str) -> Any:
    import gymnasium as gym

    from mattergym.agents import make_agent

    env = gym.make_vec(task.id, num_envs=1, **track.kwargs)
    try:
        return make_agent(name, env)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("list")
def list_tasks(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """List the tasks."""
    from mattergym.envs import TASKS

    if as_json:
        content = [
            {
                "id": t.id,
                "title": t.title,
                "objective": t.objective,
                "domain": t.domain,
                "horizon": t.horizon,
                "tracks": {track.name: list(track.agents) for track in t.tracks},
            }
            for t in TASKS.values()
        ]
        typer.echo(json.dumps(content, indent=1))
        return
    table = Table("id", "title", "objective", "domain", "tracks")
    for t in TASKS.values():
        table.add_row(t.id, t.title, t.objective, t.domain, ", ".join(x.name for x in t.tracks))
    console.print(table)


@app.command()
def show(task_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Print the manual of a task."""
    import inspect

    import gymnasium as gym

    task = _task(task_id)
    typer.echo(inspect.getdoc(type(gym.make(task.id).unwrapped)))


@app.command()
def train(
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    agent: Annotated[str, typer.Option(help="A learning agent or planner.")] = "ppo",
    track: TrackOption = None,
    steps: Annotated[int, typer.Option(help="Environment steps; 0: the table's budget.")] = 0,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="File of the trained agent.")] = None,
) -> None:
    """Train an agent from scratch and save it."""
    from mattergym.agents.hyperparameters import hyperparameters
    from mattergym.benchmarks.evaluate import training_seed

    task = _task(task_id)
    chosen = _track(task, track)
    learner = _agent(task, chosen, agent)
    if not learner.trainable:
        raise typer.BadParameter(f"agent {agent!r} does not learn")
    budget = steps or hyperparameters(task.id, chosen.name, agent)["steps"]
    path = out or Path("runs") / f"{task.id.split('/')[-1]}.{chosen.name}.{agent}.s{seed}.agent"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _bar() as bar:
        row = bar.add_task(f"{agent} on {task.id} ({chosen.name})", total=budget)

        def progress(done: int, total: int, metrics: dict[str, float]) -> None:
            text = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            bar.update(row, completed=done, total=total, description=f"{agent}  {text}")

        learner.train(budget, training_seed(seed), progress)
    learner.save(path)
    console.print(f"Trained {agent} for {budget:,} steps; saved to {path}", soft_wrap=True)


@app.command()
def evaluate(
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    agent: Annotated[str, typer.Option(help="Name of an agent.")] = "scripted",
    track: TrackOption = None,
    load: Annotated[Path | None, typer.Option(help="File written by train.")] = None,
    episodes: Annotated[int, typer.Option(min=1)] = 200,
    num_envs: Annotated[int, typer.Option(min=1, help="Lanes at once.")] = 64,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file for the records.")] = None,
) -> None:
    """Evaluate an agent on the test split."""
    import numpy as np

    from mattergym.benchmarks.evaluate import evaluate as run
    from mattergym.benchmarks.run import write_json
    from mattergym.benchmarks.statistics import stratified_bootstrap

    task = _task(task_id)
    chosen = _track(task, track)
    player = _agent(task, chosen, agent)
    if load is not None:
        player.load(load)
    elif player.trainable:
        raise typer.BadParameter(f"agent {agent!r} has to be trained; pass --load FILE")
    records = run(task.id, player, episodes, seed, num_envs, dict(chosen.kwargs))
    low, high = stratified_bootstrap([records.scores], np.mean)
    path = out or Path("runs") / f"{task.id.split('/')[-1]}.{chosen.name}.{agent}.evaluation.json"
    write_json(path, records.to_json())
    console.print(
        f"{agent} on {task.id} ({chosen.name}): score {records.scores.mean():.4g} "
        f"[{low:.4g}, {high:.4g}], success {records.success.mean():.3f}, {episodes} episodes; "
        f"records in {path}",
        soft_wrap=True,
    )


@app.command()
def benchmark(
    suite: Annotated[str, typer.Option(help="quick | full")] = "quick",
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; may be repeated. Default: all.")
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option(help="Only this agent; may be repeated. Default: all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the result files.")] = Path("runs/benchmark"),
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    seed: Seed = 0,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Training seeds a learner; default: the suite's.")
    ] = None,
) -> None:
    """Run a suite; finished cells are kept, so that a second start goes on."""
    from mattergym.benchmarks.run import run
    from mattergym.benchmarks.sweep import cells

    try:
        plan = cells(suite, seed, [_task(name).id for name in task or ()], seeds)
        plan = [cell for cell in plan if not agent or cell.agent in agent]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with _bar() as bar:
        row = bar.add_task(f"{len(plan)} cells", total=len(plan))

        def report(cell: Any, status: str) -> None:
            name = f"{cell.env_id} {cell.track} {cell.agent} s{cell.seed}"
            if status == "recomputed":
                bar.console.print(f"{name}: the result file is truncated or foreign; recomputed")
                return
            bar.advance(row)
            bar.console.print(f"{name}: {status}")

        run(plan, out, jobs, report)
    console.print(f"All {len(plan)} cells of suite {suite!r} are in {out}", soft_wrap=True)


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of result files.")] = Path("runs/benchmark"),
    out: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
    readme: Annotated[
        Path | None, typer.Option(help="Put the summary table into this README instead.")
    ] = None,
) -> None:
    """Make one HTML page (and Markdown, PNG) of result files."""
    from mattergym.benchmarks.report import report as make
    from mattergym.benchmarks.report import write_readme

    try:
        if readme is not None:
            write_readme(results, readme)
            console.print(f"Table of {results} is in {readme}", soft_wrap=True)
            return
        written = make(results, out or results / "report.html")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"Report: {written[0]} ({len(written)} files)", soft_wrap=True)


@app.command()
def validate(
    out: Annotated[Path, typer.Option(help="Folder for figures and numbers.")] = Path(
        "runs/validation"
    ),
    quick: Annotated[bool, typer.Option(help="Fewer samples.")] = False,
) -> None:
    """Compare the physics with exact results."""
    from mattergym.benchmarks.validation import VALIDATIONS, run

    with _bar() as bar:
        row = bar.add_task("validating", total=len(VALIDATIONS))
        checks = run(out, quick, lambda name: bar.update(row, advance=1, description=name))
    table = Table("check", "value", "target", "tolerance", "source", "")
    for c in checks:
        verdict = "ok" if c.passed else "FAILED"
        table.add_row(
            c.name, f"{c.value:.5g}", f"{c.target:.5g}", f"{c.tolerance:.2g}", c.source, verdict
        )
    console.print(table)
    failed = sum(not c.passed for c in checks)
    console.print(
        f"{len(checks) - failed} of {len(checks)} checks passed; figures in {out}", soft_wrap=True
    )
    raise typer.Exit(1 if failed else 0)


@app.command()
def speed(
    sections: Annotated[
        list[str] | None, typer.Argument(metavar="[SECTION]...", help="Sections; default: all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 9,
    out: Annotated[Path, typer.Option(help="JSON file for the figures.")] = Path(
        "runs/speed/speed.json"
    ),
    plot: Annotated[Path | None, typer.Option(help="PNG file; default: beside OUT.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON, no tables.")] = False,
) -> None:
    """Measure kernels and environments against lean yardsticks, one thread, interleaved."""
    from mattergym.benchmarks import speed as speeds
    from mattergym.benchmarks.speed.plot import draw

    for name in sections or ():
        if name not in speeds.SECTIONS:
            near = difflib.get_close_matches(name, speeds.SECTIONS) or speeds.SECTIONS
            raise typer.BadParameter(f"no section {name!r}; did you mean {', '.join(near)}?")
    results: list[dict[str, Any]] = []
    with _bar(quiet=as_json) as bar:
        for name in tuple(sections) if sections else speeds.SECTIONS:
            row = bar.add_task(name, total=None)
            results += speeds.run(
                rounds,
                (name,),
                lambda done, total, row=row: bar.update(row, completed=done, total=total),
            )
    text = json.dumps(results, indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n")
    picture = plot or out.with_suffix(".png")
    draw(results, picture)
    if as_json:
        typer.echo(text)
        return
    for result in results:
        console.print(speed_table(result))
    met = [verdict["met"] for _, verdict in speeds.verdicts(results)]
    console.print(
        f"{sum(met)} of {len(met)} demands met; figures in {out} and {picture}", soft_wrap=True
    )


def speed_table(result: dict[str, Any]) -> Table:
    """Lay a section's figures out as a table."""
    table = Table(result["title"], result["unit"], "spread", "wanted", "")

    def row(name: str, value: str, spread: str, verdict: dict[str, Any] | None) -> None:
        wanted = verdict["wanted"] if verdict else None
        met = {True: "ok", False: "missed", None: ""}[verdict["met"] if verdict else None]
        table.add_row(name, value, spread, "" if wanted is None else f"{wanted:,g}", met)

    for name, value in result["median"].items():
        digits = 0 if value > 1000 else 2 if value > 1 else 4
        spread = f"{result['spread'][name]:,.{digits}f}"
        row(name, f"{value:,.{digits}f}", spread, result["wanted"].get(name))
    for name, ratio in result["ratios"].items():
        row(name, f"{ratio['value']:.2f} x", "", ratio)
    for name, growth in result["growths"].items():
        row(f"exponent: {name}", f"{growth['value']:.3f}", "", growth)
    return table


@app.command()
def render(
    task_id: Annotated[str, typer.Argument(metavar="ID")],
    agent: Annotated[str, typer.Option(help="Agent that needs no training.")] = "scripted",
    track: TrackOption = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help=".gif for a film, .png for a strip.")] = Path(
        "runs/episode.gif"
    ),
) -> None:
    """Draw an episode as a film or a strip of six frames."""
    import numpy as np
    from PIL import Image

    from mattergym.benchmarks.figures import episode_frames

    task = _task(task_id)
    chosen = _track(task, track)
    if out.suffix not in (".gif", ".png"):
        raise typer.BadParameter(f"out = {out}: the ending is neither .gif nor .png")
    frames = episode_frames(task.id, agent, dict(chosen.kwargs), seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".gif":
        first, *rest = [Image.fromarray(frame) for frame in frames]
        first.save(out, save_all=True, append_images=rest, duration=100, loop=0)
    else:
        chosen_frames = [frames[i] for i in np.linspace(0, len(frames) - 1, 6).round().astype(int)]
        Image.fromarray(np.concatenate(chosen_frames, axis=1)).save(out)
    console.print(f"{len(frames)} frames of {agent} in {out}", soft_wrap=True)


def main() -> None:
    """Entry point of the console script."""
    app()
