"""Report: result files to one self-contained HTML page, the same as Markdown, and PNG figures."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mattergym.benchmarks.figures import episode_frames, film, score_figure
from mattergym.benchmarks.sweep import Cell
from mattergym.benchmarks.table import (
    HEADER,
    OVERVIEW,
    Results,
    escaped,
    footnotes,
    overview,
    summarize,
)
from mattergym.envs import Card, Track

STATISTICS = (
    "Scores are means over episodes with 95 % intervals: for an agent that learns Student's t over "
    "the means of its training seeds, all of which are shown, for any other over episodes, "
    "corrected for skewness. IQM is the interquartile mean over the same episodes. Normalized: 0 "
    "is the scripted workflow of a person, 1 the expert; below -1 is cut at -1. Minus scripted: "
    "difference of the means in common episodes, or of independent ones where a training seed "
    "played others. P(> scripted): chance that an episode is better than one of the scripted "
    "agent. Tracks of a task are never compared with each other."
)


def _films(directory: Path, task: Card, track: Track, agents: Results) -> list[dict[str, str]]:
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


def _markdown(track: dict[str, Any]) -> list[str]:
    """Table of a track as Markdown lines."""
    lines = [
        f"Scores in {track['unit']}, {track['direction']}.",
        "",
        f"| {' | '.join(HEADER)} |",
        f"|{'---|' * len(HEADER)}",
    ]
    lines += [f"| {' | '.join(map(escaped, row.cells))} |" for row in track["rows"]]
    return [*lines, ""]


def _provenance(tasks: list[dict[str, Any]]) -> str:
    """Name commits, package versions and kinds of machines that the results come from."""
    contents = [
        content
        for entry in tasks
        for track in entry["tracks"]
        for results in track["agents"].values()
        for content in results
    ]
    commits = sorted({content["commit"][:10] for content in contents})
    packages: dict[str, set[str]] = defaultdict(set)
    for content in contents:
        for package, version in content["versions"].items():
            packages[package].add(version)
    versions = ", ".join(f"{name} {' or '.join(sorted(v))}" for name, v in packages.items())
    machines = {"{processor}, {cores} cores".format(**content["machine"]) for content in contents}
    return (
        f"{len(contents)} result files of {'commits' if len(commits) > 1 else 'commit'} "
        f"{', '.join(commits)}; {versions}; {' or '.join(sorted(machines))}."
    )


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
    markdown, written = ["# MatterGym benchmark", "", STATISTICS, ""], []
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
    notes = footnotes(tasks)
    page = template.render(
        tasks=tasks,
        statistics=STATISTICS,
        columns=OVERVIEW,
        overview=overview(tasks),
        header=HEADER,
        notes=notes,
        provenance=_provenance(tasks),
    )
    out.write_text(page, encoding="utf-8")
    for note in notes:
        markdown += [note, ""]
    out.with_suffix(".md").write_text("\n".join(markdown), encoding="utf-8")
    return [out, out.with_suffix(".md"), *written]
