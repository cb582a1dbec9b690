"""Tables of results: every agent of a track with its mean score, and README's overview."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mattergym.benchmarks.fingerprint import is_stale
from mattergym.benchmarks.run import FORMAT, read_cell, write_whole
from mattergym.benchmarks.statistics import (
    Played,
    interquartile_mean,
    mean_difference,
    mean_interval,
    mean_score,
    no_interval,
    normalized_score,
    probability_of_improvement,
)
from mattergym.benchmarks.sweep import Cell
from mattergym.envs import TASKS

ORDER = {"observation": 0, "model": 1, "hidden": 2}
FIXED = ("random", "scripted", "expert")
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
RARE, STALE = "†", "‡"
RARE_NOTE = (
    f"{RARE} Events rarer than 1 in 50 episodes carry this mean: no interval made of these "
    "episodes covers."
)
STALE_NOTE = f"{STALE} stale: made by another version of the sources"

# Agent to its result files' contents, one a seed.
Results = dict[str, list[dict[str, Any]]]


def mean_text(mean: float, low: float, high: float, why: str = "") -> str:
    """Write a mean with its 95 % interval, or with why it has none."""
    return f"{mean:.4g} [{low:.4g}, {high:.4g}]" if np.isfinite(low) else f"{mean:.4g} ({why})"


def verdict(scores_by_seed: list[Any], learner: bool, unit: str, direction: str) -> str:
    """Headline of an agent in one line: statistic, value, interval, unit, direction."""
    low, high = mean_interval(scores_by_seed, learner)
    why = no_interval(scores_by_seed, learner)
    text = mean_text(mean_score(scores_by_seed), low, high, f"{why}: no interval")
    return f"mean score {text} {unit} ({direction})"


def cell_verdict(content: dict[str, Any]) -> str:
    """Headline of a result file in one line, as :func:`verdict` writes it."""
    cell, card = content["cell"], TASKS[content["cell"]["env_id"]]
    scores = [content["records"]["scores"]]
    return verdict(scores, cell["steps"] > 0, card.unit, card.direction)


def load_results(directory: Path) -> dict[tuple[str, str], Results]:
    """Read all result files of a directory: (task, track) -> agent -> results by seed.

    Raises
    ------
    ValueError
        If the directory has no result file.
    """
    found: dict[tuple[str, str], Results] = defaultdict(lambda: defaultdict(list))
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            continue
        try:
            cell = Cell(**content["cell"])
        except (KeyError, TypeError):
            continue
        # Truncated results and those of other versions' cells are left out.
        known = cell.env_id in TASKS and path.name == cell.filename
        if known and read_cell(path, cell) is not None:
            found[cell.env_id, cell.track][cell.agent].append(content)
    if not found:
        raise ValueError(f"{directory} has no result files; run `mattergym benchmark` first")
    return found


def stale_results(found: dict[tuple[str, str], Results]) -> list[str]:
    """Names of the result files that another version of the sources made."""
    every = (
        content for agents in found.values() for results in agents.values() for content in results
    )
    return [Cell(**content["cell"]).filename for content in every if is_stale(content)]


def played(results: list[dict[str, Any]]) -> Played:
    """Scores and episodes of an agent's results."""
    records = {r["cell"]["seed"]: r["records"] for r in results}
    return Played(
        {seed: np.asarray(r["scores"], float) for seed, r in records.items()},
        {seed: np.asarray(r["episode_seed"], np.int64) for seed, r in records.items()},
        any(r["cell"]["steps"] for r in results),
    )


@dataclass(frozen=True)
class Row:
    """An agent in the table of a track.

    Attributes
    ----------
    agent, knows : str
    mean, low, high : float
        Mean score and its 95 % interval, nan where there is none.
    why : str
        Why there is no interval.
    stale : bool
        Whether a result was made by another version of the sources.
    seeds : tuple of float
        Mean of every training run, in the order of the seeds; empty for agents that do not learn.
    iqm : float
        Interquartile mean over all episodes.
    normalized, better, difference : str
        0 = scripted and 1 = expert; chance that an episode is better than one of the scripted
        agent; mean score minus the scripted agent's, paired by seed, with its 95 % interval.
    success, elapsed : float
        Share of episodes; mean seconds on the instrument.
    episodes : int
    """

    agent: str
    knows: str
    mean: float
    low: float
    high: float
    why: str
    stale: bool
    seeds: tuple[float, ...]
    iqm: float
    normalized: str
    better: str
    difference: str
    success: float
    elapsed: float
    episodes: int

    @property
    def score(self) -> str:
        """Mean, interval and marks."""
        if self.why == "rare events":
            text = f"{self.mean:.4g} {RARE}"
        else:
            text = mean_text(self.mean, self.low, self.high, self.why)
        return f"{text} {STALE}" if self.stale else text

    @property
    def cells(self) -> list[str]:
        """Text of the row, in the order of :data:`HEADER`."""
        seeds = ", ".join(f"{mean:.4g}" for mean in self.seeds) or "-"
        return [
            *(self.agent, self.knows, self.score, seeds, f"{self.iqm:.4g}", self.normalized),
            *(self.difference, self.better, f"{self.success:.3f}", f"{self.elapsed:.0f}"),
            str(self.episodes),
        ]


HEADER = (
    *("agent", "knows", "mean score [95 %]", "mean of each seed", "IQM", "normalized"),
    *("minus scripted [95 %]", "P(> scripted)", "success", "instrument s", "episodes"),
)


def rows(agents: Results, direction: str) -> list[Row]:
    """Rows of a track: by what the agents know, then the best mean score first."""
    games = {name: played(results) for name, results in agents.items()}
    means = {name: mean_score(list(game.scores.values())) for name, game in games.items()}
    upward = direction == "maximize"
    found = []
    for name, results in agents.items():
        scores, learner = list(games[name].scores.values()), games[name].learner
        pooled = np.concatenate(scores)
        low, high = mean_interval(scores, learner)
        normalized = better = difference = "-"
        scaled = {"scripted", "expert"} <= set(means) and means["scripted"] != means["expert"]
        if scaled and name != "random":
            value = float(normalized_score(means[name], means["scripted"], means["expert"]))
            normalized = f"{max(value, -1.0):.2f}".replace("-0.00", "0.00")
        if "scripted" in games and name != "scripted":
            other = games["scripted"]
            pair = (pooled, np.concatenate(list(other.scores.values())))
            better = f"{probability_of_improvement(*(pair if upward else pair[::-1])):.2f}"
            difference = mean_text(*mean_difference(games[name], other), "no interval")
        records = [r["records"] for r in results]
        found.append(
            Row(
                agent=name,
                knows=results[0]["knows"],
                mean=means[name],
                low=low,
                high=high,
                why=no_interval(scores, learner),
                stale=any(map(is_stale, results)),
                seeds=tuple(float(s.mean()) for s in scores) if learner else (),
                iqm=float(interquartile_mean(pooled)),
                normalized=normalized,
                better=better,
                difference=difference,
                success=float(np.mean([np.mean(r["success"]) for r in records])),
                elapsed=float(np.mean([np.mean(r["elapsed_s"]) for r in records])),
                episodes=len(pooled),
            )
        )
    return sorted(found, key=lambda row: (ORDER[row.knows], -row.mean if upward else row.mean))


def summarize(directory: Path) -> list[dict[str, Any]]:
    """Rows of every task and track that has results, in the order of the task table.

    Returns
    -------
    list of dict
        One a task: ``task``, and ``tracks``: ``track``, ``unit``, ``direction``, ``rows``,
        ``agents``.
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
                    "rows": rows(agents, task.direction),
                    "agents": agents,
                }
            )
        if tracks:
            tasks.append({"task": task, "tracks": tracks})
    return tasks


OVERVIEW = ("task, track", "mean score", "random", "scripted", "best of the others", "expert")


def overview(tasks: list[dict[str, Any]]) -> list[list[str]]:
    """One row a track, as text in the order of :data:`OVERVIEW`.

    The best of the others is the best agent that sees no hidden state, by its mean; ``tasks`` is
    what :func:`summarize` returns.
    """
    lines = []
    for entry in tasks:
        name = entry["task"].id.split("/")[-1]
        for track in entry["tracks"]:
            by_agent = {row.agent: row for row in track["rows"]}
            others = [r for r in track["rows"] if r.knows != "hidden" and r.agent not in FIXED]
            choose = max if track["direction"] == "maximize" else min
            best = choose(others, key=lambda row: float(row.mean), default=None)
            random, scripted, expert = (
                by_agent[agent].score if agent in by_agent else "" for agent in FIXED
            )
            lines.append(
                [
                    f"{name} {track['track'].name}",
                    f"{track['unit']}, {track['direction']}",
                    *(random, scripted, f"{best.agent} {best.score}" if best else "", expert),
                ]
            )
    return lines


def footnotes(tasks: list[dict[str, Any]]) -> list[str]:
    """Explain the marks that the rows bear, and list stale agents by name."""
    stale, rare = [], False
    for entry in tasks:
        name = entry["task"].id.split("/")[-1]
        for track in entry["tracks"]:
            rare = rare or any(row.why == "rare events" for row in track["rows"])
            agents = [row.agent for row in track["rows"] if row.stale]
            if agents:
                stale.append(f"{name} {track['track'].name} ({', '.join(agents)})")
    notes = [RARE_NOTE] if rare else []
    return [*notes, f"{STALE_NOTE}: {'; '.join(stale)}."] if stale else notes


def escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def readme_table(directory: Path) -> str:
    """Return the overview of a directory's results as one Markdown table with its footnotes."""
    tasks = summarize(directory)
    lines = [f"| {' | '.join(OVERVIEW)} |", f"|{'---|' * len(OVERVIEW)}"]
    for name, *cells in overview(tasks):
        task, track = name.split()
        lines.append(f"| `{task}` {track} | {' | '.join(map(escaped, cells))} |")
    for note in footnotes(tasks):
        lines += ["", note]
    return "\n".join(lines) + "\n"


def write_readme(directory: Path, readme: Path) -> None:
    """Put the table between the two markers of a README.

    Raises
    ------
    ValueError
        If the file has no markers; it is left alone.
    """
    text = readme.read_text(encoding="utf-8")
    if END not in text.partition(BEGIN)[2]:
        raise ValueError(f"{readme} has no lines {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    write_whole(readme, f"{head}{BEGIN}\n{readme_table(directory)}{END}{tail}".encode())
