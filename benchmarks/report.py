"""Report: result files to one self-contained HTML page, the same as Markdown, and PNG figures."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mattergym.benchmarks.figures import episode_frames, film, score_figure
from mattergym.benchmarks.run import FORMAT, read_cell
from mattergym.benchmarks.statistics import (
    interquartile_mean,
    normalized_score,
    probability_of_improvement,
    stratified_bootstrap,
)
from mattergym.benchmarks.sweep import Cell
from mattergym.envs import TASKS, Card, Track

ORDER = {"observation": 0, "model": 1, "hidden": 2}
FIXED = ("random", "scripted", "expert")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def load_results(directory: Path) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """Read all result files of a directory: (task, track) -> agent -> results by seed.

    Raises
    ------
    ValueError
        If the directory has no result file.
    """
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            continue
        try:
            cell = Cell(**content["cell"])
        except (KeyError, TypeError):
            continue
        # Truncated results and those of other versions' cells are left out.
        if path.name == cell.filename and read_cell(path, cell) is not None:
            found[cell.env_id, cell.track][cell.agent].append(content)
    if not found:
        raise ValueError(f"{directory} has no result files; run `mattergym benchmark` first")
    return found


def _rows(agents: dict[str, list[dict[str, Any]]], direction: str) -> list[dict[str, Any]]:
    scores = {
        name: [np.asarray(r["records"]["scores"]) for r in results]
        for name, results in agents.items()
    }
    upward = direction == "maximize"
    centre = {name: float(interquartile_mean(np.concatenate(s))) for name, s in scores.items()}
    rows = []
    for name, results in agents.items():
        low, high = stratified_bootstrap(scores[name])
        normalized = "-"
        scaled = {"scripted", "expert"} <= set(centre) and centre["scripted"] != centre["expert"]
        if scaled and name != "random":
            value = float(normalized_score(centre[name], centre["scripted"], centre["expert"]))
            normalized = f"{max(value, -1.0):.2f}".replace("-0.00", "0.00")
        better = "-"
        if "scripted" in scores and name != "scripted":
            pair = (np.concatenate(scores[name]), np.concatenate(scores["scripted"]))
            better = f"{probability_of_improvement(*(pair if upward else pair[::-1])):.2f}"
        records = [r["records"] for r in results]
        rows.append(
            {
                "agent": name,
                "knows": results[0]["knows"],
                "iqm": f"{centre[name]:.4g}",
                "low": f"{low:.4g}",
                "high": f"{high:.4g}",
                "mean": f"{np.mean(np.concatenate(scores[name])):.4g}",
                "normalized": normalized,
                "success": f"{np.mean([np.mean(r['success']) for r in records]):.3f}",
                "elapsed": f"{np.mean([np.mean(r['elapsed_s']) for r in records]):.0f}",
                "episodes": sum(len(r["scores"]) for r in records),
                "better": better,
                "sort": -centre[name] if upward else centre[name],
            }
        )
    return sorted(rows, key=lambda row: (ORDER[row["knows"]], row["sort"]))


def _films(
    directory: Path, task: Card, track: Track, agents: dict[str, list[dict[str, Any]]]
) -> list[dict[str, str]]:
    """Films of all agents that need no training or whose training is in the directory."""
    films = []
    for name, results in agents.items():
        cell = Cell(**results[0]["cell"])
        learned = (directory / cell.filename).with_suffix(".agent")
        if cell.steps and not learned.exists():
            continue
        load = learned if cell.steps else None
        frames = episode_frames(task.id, name, dict(track.kwargs), load=load)
        films.append({"agent": name, "webp": base64.b64encode(film(frames)).decode()})
    return films


def _escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _markdown(track: dict[str, Any]) -> list[str]:
    """Table of a track as Markdown lines."""
    header = (
        f"| agent | knows | score / {_escaped(track['unit'])} (IQM, 95 %), "
        f"{track['direction']} | mean | normalized | P(> scripted) | success |"
    )
    lines = [header, "|---|---|---|---|---|---|---|"]
    for r in track["rows"]:
        score = f"{r['iqm']} [{r['low']}, {r['high']}]"
        names = ("mean", "normalized", "better", "success")
        cells = (r["agent"], r["knows"], score, *(r[name] for name in names))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def summarize(directory: Path) -> list[dict[str, Any]]:
    """Rows of every task and track that has results, in the order of the task table.

    Returns
    -------
    list of dict
        One a task: ``task``, and ``tracks``: ``track``, ``unit``, ``direction``, ``rows``.
    """
    results = load_results(directory)
    tasks = []
    for task in TASKS.values():
        tracks = []
        for track in task.tracks:
            agents = results.get((task.id, track.name))
            if not agents:
                continue
            tracks.append(
                {
                    "track": track,
                    "unit": task.unit,
                    "direction": task.direction,
                    "rows": _rows(agents, task.direction),
                    "agents": agents,
                }
            )
        if tracks:
            tasks.append({"task": task, "tracks": tracks})
    return tasks


def overview(tasks: list[dict[str, Any]]) -> list[list[str]]:
    """One row a track: task, score, random, scripted, best of the others, expert, as text.

    The best of the others is the best agent that sees no hidden state; ``tasks`` is what
    :func:`summarize` returns.
    """
    lines = []
    for entry in tasks:
        name = entry["task"].id.split("/")[-1]
        for track in entry["tracks"]:
            by_agent = {row["agent"]: row for row in track["rows"]}
            fair = [row for row in track["rows"] if row["knows"] != "hidden"]
            others = [row for row in fair if row["agent"] not in FIXED]
            best = min(others, key=lambda row: float(row["sort"]), default=None)
            if best is not None:
                best = {**best, "iqm": f"{best['agent']} {best['iqm']}"}
            random, scripted, expert = (by_agent.get(agent) for agent in FIXED)
            lines.append(
                [
                    f"{name} {track['track'].name}",
                    f"{track['unit']}, {track['direction']}",
                    *(
                        "" if row is None else "{iqm} [{low}, {high}]".format(**row)
                        for row in (random, scripted, best, expert)
                    ),
                ]
            )
    return lines


def readme_table(directory: Path) -> str:
    """Return the overview of a directory's results as one Markdown table."""
    lines = [
        "| task, track | score | random | scripted | best of the others | expert |",
        "|---|---|---|---|---|---|",
    ]
    for name, *cells in overview(summarize(directory)):
        task, track = name.split()
        lines.append(f"| `{task}` {track} | {' | '.join(map(_escaped, cells))} |")
    return "\n".join(lines) + "\n"


def _provenance(tasks: list[dict[str, Any]]) -> str:
    """Name commits, package versions and kinds of machines that the results come from."""
    every = [
        content
        for entry in tasks
        for track in entry["tracks"]
        for results in track["agents"].values()
        for content in results
    ]
    commits = sorted({content["commit"][:10] for content in every})
    packages: dict[str, set[str]] = defaultdict(set)
    for content in every:
        for package, version in content["versions"].items():
            packages[package].add(version)
    versions = ", ".join(f"{name} {' or '.join(sorted(v))}" for name, v in packages.items())
    machines = {"{processor}, {cores} cores".format(**content["machine"]) for content in every}
    return (
        f"{len(every)} result files of {'commits' if len(commits) > 1 else 'commit'} "
        f"{', '.join(commits)}; {versions}; {' or '.join(sorted(machines))}."
    )


def write_readme(directory: Path, readme: Path) -> None:
    """Put the table between the two markers of a README.

    Raises
    ------
    ValueError
        If the file has no markers; it is left alone.
    """
    text = readme.read_text()
    if END not in text.partition(BEGIN)[2]:
        raise ValueError(f"{readme} has no lines {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    readme.write_text(f"{head}{BEGIN}\n{readme_table(directory)}{END}{tail}")


def report(
    directory: Path, out: Path, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write the HTML page, its tables of scores as Markdown, and one PNG a track.

    Parameters
    ----------
    directory : Path
        Result files of :func:`mattergym.benchmarks.run.run`.
    out : Path
        The HTML file; the others lie beside it.
    progress : callable, optional
        Called with (tracks drawn, tracks) after each.

    Returns
    -------
    list of Path
        What was written.
    """
    from jinja2 import Environment, PackageLoader

    out.parent.mkdir(parents=True, exist_ok=True)
    markdown, written = ["# MatterGym benchmark", ""], []
    tasks, done = summarize(directory), 0
    for entry in tasks:
        task = entry["task"]
        for track in entry["tracks"]:
            png = score_figure(track["agents"], track["unit"])
            path = out.with_name(f"{task.id.split('/')[-1]}.{track['track'].name}.png")
            path.write_bytes(png)
            written.append(path)
            track["figure"] = base64.b64encode(png).decode()
            track["films"] = _films(directory, task, track["track"], track["agents"])
            markdown += [f"## {task.id}, track {track['track'].name}", "", track["track"].note, ""]
            markdown += _markdown(track)
            done += 1
            if progress is not None:
                progress(done, sum(len(entry["tracks"]) for entry in tasks))
    template = Environment(
        loader=PackageLoader("mattergym.benchmarks"), autoescape=True, keep_trailing_newline=True
    ).get_template("report.html.j2")
    page = template.render(tasks=tasks, overview=overview(tasks), provenance=_provenance(tasks))
    out.write_text(page)
    out.with_suffix(".md").write_text("\n".join(markdown))
    return [out, out.with_suffix(".md"), *written]
