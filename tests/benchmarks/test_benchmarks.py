"""Evaluation, statistics, result files, report and command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mattergym.benchmarks import evaluate
from mattergym.benchmarks.report import report
from mattergym.benchmarks.run import read_cell, run
from mattergym.benchmarks.sweep import Cell, cells
from mattergym.benchmarks.table import write_readme
from mattergym.benchmarks.validation import Check, beam
from mattergym.cli import app

ID = "mattergym/IsingReversal-v0"


def test_episodes_do_not_depend_on_the_number_of_lanes():
    a = evaluate(ID, "scripted", episodes=7, seed=3, num_envs=7)
    b = evaluate(ID, "scripted", episodes=7, seed=3, num_envs=2)
    assert np.array_equal(a.scores, b.scores)
    assert np.array_equal(a.episode_seed, b.episode_seed)
    np.testing.assert_allclose(a.returns, -a.scores, rtol=1e-9)
    assert (a.length == 100).all()
    with pytest.raises(ValueError, match="episodes = 0"):
        evaluate(ID, "scripted", episodes=0)


def test_a_sweep_resumes_and_never_trusts_a_broken_file(tmp_path):
    plan = [Cell(ID, "clock", agent, 0, 0, 6) for agent in ("random", "scripted", "expert")]
    run(plan, tmp_path)
    first = {cell.agent: read_cell(tmp_path / cell.filename, cell)["records"] for cell in plan}
    stamps = {cell.agent: (tmp_path / cell.filename).stat().st_mtime_ns for cell in plan}
    broken = tmp_path / plan[1].filename
    broken.write_text(broken.read_text()[:100])
    (tmp_path / f".{plan[2].filename}.123").write_text("left by a killed process")
    seen = []
    run(plan, tmp_path, report=lambda cell, status: seen.append((cell.agent, status)))
    assert seen == [
        ("random", "kept"),
        ("scripted", "recomputed"),
        ("expert", "kept"),
        ("scripted", "done"),
    ]
    for cell in plan:
        assert read_cell(tmp_path / cell.filename, cell)["records"] == first[cell.agent]
    assert (tmp_path / plan[0].filename).stat().st_mtime_ns == stamps["random"]
    other = Cell(ID, "clock", "random", 0, 0, 7)
    assert read_cell(tmp_path / plan[0].filename, other) is None

    pages = []
    for name in ("a", "b"):
        written = report(tmp_path, tmp_path / name / "report.html")
        pages.append(written[0].read_bytes())
        assert "scripted" in written[1].read_text()
        assert b"3 result files of commit " in pages[-1]
        assert b"<td>IsingReversal-v0 clock</td><td>nats, minimize</td>" in pages[-1]
    assert pages[0] == pages[1]


def test_suites_name_tracks_apart():
    names = [cell.filename for cell in cells("quick")]
    assert len(names) == len(set(names))
    with pytest.raises(ValueError, match="suite"):
        cells("gigantic")


def test_command_line(tmp_path):
    runner = CliRunner()
    listing = runner.invoke(app, ["list", "--json"])
    assert listing.exit_code == 0
    assert ID in {task["id"] for task in json.loads(listing.stdout)}
    assert "Version History" in runner.invoke(app, ["show", "IsingReversal-v0"]).stdout
    typo = runner.invoke(app, ["show", "IsingReversl-v0"])
    assert typo.exit_code != 0
    out = tmp_path / "records.json"
    done = runner.invoke(app, ["evaluate", ID, "--episodes", "3", "--out", str(out)])
    assert done.exit_code == 0
    assert "IsingReversal-v0 (full): mean score " in done.stdout
    assert "] nats (minimize), success 1.000, 3 episodes" in done.stdout
    assert len(json.loads(out.read_text())["scores"]) == 3
    strip = tmp_path / "strip.png"
    assert runner.invoke(app, ["render", ID, "--out", str(strip)]).exit_code == 0
    assert strip.stat().st_size > 1000
    assert runner.invoke(app, ["report", "--results", str(tmp_path / "none")]).exit_code != 0


def test_a_readme_without_markers_is_left_alone(tmp_path):
    run([Cell(ID, "clock", "scripted", 0, 0, 4)], tmp_path / "results")
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="results"):
        write_readme(tmp_path / "results", readme)
    assert readme.read_text() == "no markers"


def test_checks_of_numpy_numbers_are_written_as_json():
    numbers = (np.float32(1.5), np.float64(1.0), np.float64(0.4))
    for value, passed in zip((numbers[1], numbers[0]), (True, False), strict=True):
        check = Check("x", value, np.float64(1.0), numbers[2], "1", "by hand")
        assert json.loads(json.dumps(check.to_json()))["passed"] is passed


def test_another_seed_gives_other_samples():
    sites = [beam._hopped(np.zeros(2), 0.5, 64, 1, seed) for seed in (0, 0, 1)]
    assert np.array_equal(sites[0], sites[1])
    assert not np.array_equal(sites[0], sites[2])


@pytest.mark.slow
def test_every_validation_passes(tmp_path):
    assert CliRunner().invoke(app, ["validate", "--quick", "--out", str(tmp_path)]).exit_code == 0
    assert all(check["passed"] for check in json.loads((tmp_path / "validation.json").read_text()))
