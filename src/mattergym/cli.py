"""Command line: ``mattergym list | show | train | evaluate | benchmark | report | ...``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from mattergym.arguments import (
    Commands,
    LoadOption,
    Seed,
    TaskId,
    TrackOption,
    agent_of,
    checked_file,
    checked_folder,
    console,
    nearest,
    player_of,
    progress,
    say,
    task_of,
    track_of,
)
from mattergym.attack import attack
from mattergym.speed import speed

app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, help=__doc__)


@app.command("list")
def list_tasks(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """List the tasks."""
    from mattergym.envs import TASKS

    if as_json:
        from mattergym.agents import shelf

        content = [
            {
                "id": t.id,
                "title": t.title,
                "objective": t.objective,
                "domain": t.domain,
                "horizon": t.horizon,
                "tracks": {track.name: list(shelf(t.id, track.name)) for track in t.tracks},
            }
            for t in TASKS.values()
        ]
        typer.echo(json.dumps(content, indent=1))
        return
    table = Table(Column("id", no_wrap=True), "title", "objective", "domain", "tracks")
    for t in TASKS.values():
        table.add_row(
            t.id.removeprefix("mattergym/"),
            t.title,
            t.objective,
            t.domain,
            ", ".join(x.name for x in t.tracks),
        )
    console.print(table)
    say(f"{len(TASKS)} tasks; `mattergym show ID` prints the manual of one")


@app.command()
def show(task_id: TaskId) -> None:
    """Print the manual of a task."""
    import gymnasium as gym

    env: Any = gym.make(task_of(task_id).id).unwrapped
    typer.echo(env.manual)


@app.command()
def train(
    task_id: TaskId,
    agent: Annotated[str, typer.Option(help="A learning agent or planner.")] = "ppo",
    track: TrackOption = None,
    steps: Annotated[
        int, typer.Option(min=0, help="Environment steps; 0: the table's budget.")
    ] = 0,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="File of the trained agent; default: in runs/.")
    ] = None,
) -> None:
    """Train an agent from scratch and save it."""
    from mattergym.agents import recipe
    from mattergym.benchmarks.evaluate import training_seed

    task = task_of(task_id)
    chosen = track_of(task, track)
    learner = agent_of(task, chosen, agent)
    if not learner.trainable:
        raise typer.BadParameter(f"agent {agent!r} does not learn")
    budget = steps or recipe(task.id, chosen.name, agent).steps
    path = out or Path("runs") / f"{task.id.split('/')[-1]}.{chosen.name}.{agent}.s{seed}.agent"
    # Savers give a name without an ending one of their own.
    path = checked_file(path if path.suffix else path.with_suffix(".agent"))
    done = 0
    with progress(f"{agent} on {task.id}") as update:
        update(0, budget)

        def count(steps_done: int, total: int, metrics: dict[str, float]) -> None:
            nonlocal done
            done = steps_done
            update(steps_done, total)

        learner.train(budget, training_seed(seed), count)
    learner.save(path)
    say(f"Trained {agent} on {task.id} ({chosen.name}) for {done:,} steps; saved to {path}")


@app.command()
def evaluate(
    task_id: TaskId,
    agent: Annotated[str, typer.Option(help="Name of an agent.")] = "scripted",
    track: TrackOption = None,
    load: LoadOption = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to play.")] = 200,
    num_envs: Annotated[int, typer.Option(min=1, help="Lanes at once.")] = 64,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="JSON file for the records; default: in runs/.")
    ] = None,
) -> None:
    """Evaluate an agent on the test split."""
    from mattergym.benchmarks.evaluate import evaluate as run
    from mattergym.benchmarks.run import write_json
    from mattergym.benchmarks.table import verdict

    task = task_of(task_id)
    chosen = track_of(task, track)
    player = player_of(task, chosen, agent, load)
    name = f"{task.id.split('/')[-1]}.{chosen.name}.{agent}.evaluation.json"
    path = checked_file(out or Path("runs") / name)
    with progress(f"{agent} on {task.id}") as update:
        update(0, episodes)
        records = run(task.id, player, episodes, seed, num_envs, dict(chosen.kwargs), update)
    write_json(path, records.to_json())
    say(
        f"{agent} on {task.id} ({chosen.name}): "
        f"{verdict([records.scores], player.trainable, task.unit, task.direction)}, "
        f"success {records.success.mean():.3f}, {episodes} episodes; records in {path}"
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
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train again what another version trained.")
    ] = False,
) -> None:
    """Run a suite; finished cells of these sources are kept, so that a second start goes on."""
    from mattergym.agents import agent_names
    from mattergym.benchmarks.run import read_cell, run
    from mattergym.benchmarks.sweep import SUITES, cells
    from mattergym.benchmarks.table import cell_verdict
    from mattergym.envs import TASKS

    nearest("suite", suite, SUITES)
    tasks = [task_of(name).id for name in task or ()]
    known = dict.fromkeys(name for env_id in tasks or TASKS for name in agent_names(env_id))
    for name in agent or ():
        nearest("agent", name, known)
    plan = [cell for cell in cells(suite, seed, tasks, seeds) if not agent or cell.agent in agent]
    if not plan:
        raise typer.BadParameter(f"suite {suite!r} does not run {', '.join(agent or ())} there")
    checked_folder(out)
    again = {
        "recomputed": "the result file is truncated or foreign; recomputed",
        "renewed": "stale: made by another version; recomputed",
    }
    finished, stale = 0, []
    with progress(f"suite {suite!r}") as update:
        update(0, len(plan))

        def report(cell: Any, status: str) -> None:
            nonlocal finished
            name = f"{cell.env_id} {cell.track} {cell.agent} s{cell.seed}"
            if status in again:
                say(f"{name}: {again[status]}")
                return
            finished += 1
            update(finished, len(plan))
            if status == "stale":
                stale.append(name)
                say(f"{name}: kept; stale: made by another version")
                return
            content = read_cell(out / cell.filename, cell)
            say(f"{name}: {status}" + (f", {cell_verdict(content)}" if content else ""))

        run(plan, out, jobs, report, retrain)
    rest = f"; {len(stale)} stale, made anew by --retrain: {', '.join(stale)}" if stale else ""
    say(f"All {len(plan)} cells of suite {suite!r} are in {out}{rest}")


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of result files.")] = Path("runs/benchmark"),
    out: Annotated[
        Path | None, typer.Option(help="HTML file to write; default: among the results.")
    ] = None,
    readme: Annotated[
        Path | None, typer.Option(help="Put the summary table into this README instead.")
    ] = None,
) -> None:
    """Make one HTML page (and Markdown, PNG) of result files."""
    from mattergym.benchmarks.report import report as make
    from mattergym.benchmarks.table import load_results, stale_results, write_readme

    try:
        stale = stale_results(load_results(results))
        rest = f"; {len(stale)} results are stale, made by another version" if stale else ""
        if readme is not None:
            write_readme(results, readme)
            say(f"Table of {results}, mean scores, is in {readme}{rest}")
            return
        path = checked_file(out or results / "report.html", ".html")
        with progress("report") as update:
            written = make(results, path, update)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    say(f"Report of {results}: {written[0]} ({len(written)} files){rest}")


@app.command()
def validate(
    out: Annotated[Path, typer.Option(help="Folder for figures and numbers.")] = Path(
        "runs/validation"
    ),
    quick: Annotated[bool, typer.Option(help="Fewer samples.")] = False,
    seed: Seed = 0,
) -> None:
    """Compare the physics with exact results."""
    from mattergym.benchmarks.validation import VALIDATIONS, run

    checked_folder(out)
    done: list[str] = []

    def report(name: str) -> None:
        done.append(name)
        update(len(done), len(VALIDATIONS), name)

    with progress("validation") as update:
        update(0, len(VALIDATIONS))
        checks = run(out, quick, report, seed)
    table = Table("check", "value", "target", "tolerance", "source", "")
    for c in checks:
        verdict = "ok" if c.passed else "FAILED"
        table.add_row(
            c.name, f"{c.value:.5g}", f"{c.target:.5g}", f"{c.tolerance:.2g}", c.source, verdict
        )
    console.print(table)
    failed = sum(not c.passed for c in checks)
    say(f"{len(checks) - failed} of {len(checks)} checks passed; figures in {out}")
    raise typer.Exit(1 if failed else 0)


app.command()(attack)
app.command()(speed)


@app.command()
def render(
    task_id: TaskId,
    agent: Annotated[str, typer.Option(help="Name of an agent.")] = "scripted",
    track: TrackOption = None,
    load: LoadOption = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help=".gif for a film, .png for a strip.")] = Path(
        "runs/episode.gif"
    ),
) -> None:
    """Draw an episode as a film or a strip of six frames."""
    from mattergym.benchmarks.figures import episode_frames, strip, whole_film
    from mattergym.benchmarks.run import write_whole

    task = task_of(task_id)
    chosen = track_of(task, track)
    player_of(task, chosen, agent, load)
    checked_file(out, ".gif", ".png")
    with progress(f"{agent} on {task.id}") as update:
        frames = episode_frames(task.id, agent, dict(chosen.kwargs), seed, load, update)
    write_whole(out, strip(frames) if out.suffix == ".png" else whole_film(frames))
    say(f"{len(frames)} frames of {agent} on {task.id} ({chosen.name}); drawn in {out}")


def main() -> None:
    """Entry point of the console script."""
    app()
