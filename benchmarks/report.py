"""Report: result files to one self-contained HTML page, the same as Markdown, and PNG figures."""

from __future__ import annotations

import base64
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.benchmarks.run import FORMAT, track_kwargs
from mattergym.benchmarks.statistics import (
    interquartile_mean,
    normalized_score,
    stratified_bootstrap,
)
from mattergym.envs import TASKS

ORDER = {"observation": 0, "model": 1, "hidden": 2}


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
        except ValueError:
            continue
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            continue
        cell = content["cell"]
        found[cell["env_id"], cell["track"]][cell["agent"]].append(content)
    if not found:
        raise ValueError(f"{directory} has no result files; run `mattergym benchmark` first")
    return found


def _rows(agents: dict[str, list[dict[str, Any]]], direction: str) -> list[dict[str, Any]]:
    scores = {
        name: [np.asarray(r["records"]["scores"]) for r in results]
        for name, results in agents.items()
    }
    centre = {name: interquartile_mean(np.concatenate(s)) for name, s in scores.items()}
    rows = []
    for name, results in agents.items():
        low, high = stratified_bootstrap(scores[name])
        normalized = "-"
        if {"scripted", "expert"} <= set(centre) and name != "random":
            value = float(normalized_score(centre[name], centre["scripted"], centre["expert"]))
            normalized = f"{max(value, -1.0):.2f}"
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
                "sort": centre[name] if direction == "minimize" else -centre[name],
            }
        )
    return sorted(rows, key=lambda row: (ORDER[row["knows"]], row["sort"]))


def _figure(agents: dict[str, list[dict[str, Any]]], frame: Any, unit: str) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    picture, cost, learning = figure.subplots(1, 3)
    picture.imshow(frame)
    picture.set_axis_off()
    picture.set_title("the expert, half-way through an episode", fontsize=9)
    for name, results in sorted(agents.items()):
        if name == "random":  # orders of magnitude away; the table has it
            continue
        elapsed = np.concatenate([r["records"]["elapsed_s"] for r in results])
        score = np.concatenate([r["records"]["scores"] for r in results])
        cost.plot(elapsed[:200], score[:200], ".", markersize=3, label=name)
        curve = [p for p in results[0]["learning_curve"] if "score" in p or "return" in p]
        if curve:
            y = [p["score"] if "score" in p else -p["return"] for p in curve]
            learning.plot([p["steps"] for p in curve], y, label=name)
    cost.set(xlabel="instrument time / s", ylabel=f"score / {unit}")
    cost.legend(fontsize=7)
    learning.set(xlabel="training steps", ylabel=f"score / {unit}", yscale="log")
    if learning.lines:
        learning.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def episode_frames(env_id: str, agent: str, kwargs: dict[str, Any], seed: int = 0) -> list[Any]:
    """RGB frames of one episode of an agent, the first one at its reset."""
    from mattergym.agents import make_agent

    env = gym.make_vec(
        env_id, num_envs=1, render_mode="rgb_array", autoreset_mode="Disabled", **kwargs
    )
    policy = make_agent(agent, env)
    observation, _ = env.reset(seed=seed)
    frames = [(env.render() or ())[0]]
    state, start = None, np.ones(1, np.bool_)
    ended = False
    while not ended:
        action, state = policy.predict(observation, state, start)
        observation, _, terminated, truncated, _ = env.step(action)
        start = terminated | truncated
        ended = bool(start[0])
        frames.append((env.render() or ())[0])
    env.close()
    return frames


def report(directory: Path, out: Path) -> list[Path]:
    """Write the HTML page, the same tables as Markdown, and one PNG a track.

    Parameters
    ----------
    directory : Path
        Result files of :func:`mattergym.benchmarks.run.run`.
    out : Path
        The HTML file; the others lie beside it.

    Returns
    -------
    list of Path
        What was written.
    """
    from jinja2 import Environment, PackageLoader

    tasks, markdown, written = [], ["# MatterGym benchmark", ""], []
    out.parent.mkdir(parents=True, exist_ok=True)
    results = load_results(directory)
    for task in TASKS.values():
        tracks = []
        for track in task.tracks:
            agents = results.get((task.id, track.name))
            if not agents:
                continue
            env: Any = gym.make_vec(task.id, num_envs=1).unwrapped
            rows = _rows(agents, env.score_direction)
            frames = episode_frames(task.id, "expert", track_kwargs(task.id, track.name))
            png = _figure(agents, frames[len(frames) // 2], env.score_unit)
            path = out.with_name(f"{task.id.split('/')[-1]}.{track.name}.png")
            path.write_bytes(png)
            written.append(path)
            tracks.append(
                {
                    "name": track.name,
                    "note": track.note,
                    "unit": env.score_unit,
                    "direction": env.score_direction,
                    "rows": rows,
                    "figure": base64.b64encode(png).decode(),
                }
            )
            markdown += [f"## {task.id}, track {track.name}", "", track.note, ""]
            markdown += [
                f"| agent | knows | score / {env.score_unit} (IQM, 95 %) | mean | normalized "
                "| success |",
                "|---|---|---|---|---|---|",
            ]
            markdown += [
                f"| {r['agent']} | {r['knows']} | {r['iqm']} [{r['low']}, {r['high']}] "
                f"| {r['mean']} "
                f"| {r['normalized']} | {r['success']} |"
                for r in rows
            ]
            markdown.append("")
        if tracks:
            tasks.append({"id": task.id, "title": task.title, "tracks": tracks})
    template = Environment(
        loader=PackageLoader("mattergym.benchmarks"), autoescape=True, keep_trailing_newline=True
    ).get_template("report.html.j2")
    out.write_text(template.render(tasks=tasks))
    out.with_suffix(".md").write_text("\n".join(markdown))
    return [out, out.with_suffix(".md"), *written]
