"""Tables of results: ranked and headed by means, seeds shown, marks explained."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mattergym.benchmarks.fingerprint import fingerprint
from mattergym.benchmarks.report import report
from mattergym.benchmarks.table import (
    HEADER,
    RARE,
    STALE,
    footnotes,
    overview,
    readme_table,
    rows,
    summarize,
)
from mattergym.cli import app

ID = "mattergym/IsingReversal-v0"


def result(agent, scores, seed=0, steps=0, knows="observation", fresh=True):
    """Content of a result file of the clock track."""
    n = len(scores)
    cell = {"env_id": ID, "track": "clock", "agent": agent, "seed": seed}
    records = {
        "scores": list(map(float, scores)),
        "episode_seed": [1000 * seed + k for k in range(n)],
        "success": [True] * n,
        "elapsed_s": [60.0] * n,
    }
    if fresh:
        records["fingerprint"] = fingerprint(ID, agent, "clock")
    return {
        "format": 1,
        "cell": {**cell, "steps": steps, "episodes": n},
        "knows": knows,
        "records": records,
        "learning_curve": [],
        "versions": {"numpy": "2"},
        "commit": "0123456789ab",
        "machine": {"processor": "x", "cores": 2},
    }


def write(folder, *contents):
    for content in contents:
        cell = content["cell"]
        name = f"IsingReversal-v0.{cell['track']}.{cell['agent']}.s{cell['seed']}.json"
        (folder / name).write_text(json.dumps(content))


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=100)


def test_agents_are_ranked_by_mean_and_the_best_of_the_others_is_too(tmp_path, noise):
    # Better in most episodes, far worse in one of ten.
    gambler = np.where(np.arange(100) % 10 == 0, 900.0, 40.0) + noise
    steady = 60.0 + noise
    write(tmp_path, result("gambler", gambler), result("steady", steady))
    tasks = summarize(tmp_path)
    gambler_row, steady_row = sorted(tasks[0]["tracks"][0]["rows"], key=lambda row: row.agent)
    assert gambler_row.iqm < steady_row.iqm
    assert gambler_row.mean > steady_row.mean
    assert [row.agent for row in tasks[0]["tracks"][0]["rows"]] == ["steady", "gambler"]
    (line,) = overview(tasks)
    assert line[4].startswith(f"steady {np.mean(steady):.4g} [")
    best, _ = rows(tasks[0]["tracks"][0]["agents"], "maximize")
    assert best.agent == "gambler"


def test_learners_show_every_seed_and_their_interval_holds_them(noise):
    trained = [result("sac", level + noise, s, 10) for s, level in enumerate((388.0, 54.0, 55.0))]
    (row,) = rows({"sac": trained}, "minimize")
    assert row.seeds == pytest.approx([level + noise.mean() for level in (388.0, 54.0, 55.0)])
    assert row.low < min(row.seeds) < max(row.seeds) < row.high
    assert row.cells[HEADER.index("mean of each seed")] == "388.1, 54.08, 55.08"
    (one,) = rows({"sac": trained[:1]}, "minimize")
    assert one.score == "388.1 (one seed)"


def test_rows_that_rare_events_carry_say_so(noise):
    accidents = np.where(np.arange(100) == 5, 1e5, noise)
    (row,) = rows({"random": [result("random", accidents)]}, "minimize")
    assert row.score == f"{np.mean(accidents):.4g} {RARE}"


def test_stale_rows_are_marked_and_listed(tmp_path, noise):
    old = result("random", 90.0 + noise, fresh=False)
    other = result("expert", 40.0 + noise)
    other["records"]["fingerprint"] = "0" * 32
    write(tmp_path, old, other, result("scripted", 80.0 + noise))
    marked = {row.agent: row.stale for row in summarize(tmp_path)[0]["tracks"][0]["rows"]}
    assert marked == {"random": True, "expert": True, "scripted": False}
    note = f"{STALE} stale: made by another version of the sources: IsingReversal-v0 clock"
    assert footnotes(summarize(tmp_path)) == [f"{note} (expert, random)."]
    table = readme_table(tmp_path)
    assert table.count(STALE) == 3
    assert table.splitlines()[0].startswith("| task, track | mean score | random")
    shown = CliRunner().invoke(app, ["report", "--results", str(tmp_path)])
    assert "2 results are stale, made by another version" in shown.stdout


def test_a_table_of_these_sources_has_no_footnote(tmp_path, noise):
    write(tmp_path, result("scripted", 80.0 + noise))
    assert readme_table(tmp_path).count("\n") == 3


def test_the_report_names_its_statistic_and_pairs_by_seed(tmp_path, noise):
    hard = 80.0 + 50.0 * noise
    better = result("expert", hard - 30.0 + 0.01 * noise)
    write(tmp_path, result("scripted", hard), better)
    page, markdown, *_ = report(tmp_path, tmp_path / "report.html")
    for text in (page.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")):
        assert "Scores are means over episodes with 95 % intervals" in text
        assert "mean score [95 %]" in text
        assert "IQM" in text
    (line,) = [x for x in markdown.read_text(encoding="utf-8").splitlines() if "| expert |" in x]
    shown = line.split(" | ")[HEADER.index("minus scripted [95 %]")]
    assert shown == "-30 [-30, -30]"
