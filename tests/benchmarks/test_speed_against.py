"""The working tree against a revision: how ratios are summed up, and that nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mattergym.benchmarks.speed import against, display, timing, trees
from mattergym.cli import app

ANNEAL = "mattergym/IsingAnneal-v0"
ROOT = Path(__file__).parents[2]


def comparison(lanes=64, old=(), new=(), error=""):
    make = {"env_id": ANNEAL, "kwargs": {}, "lanes": lanes, "horizon": 50}
    return against.Comparison(
        ANNEAL, "standard", make, [np.array(o) for o in old], [np.array(n) for n in new], error
    )


def test_a_ratio_is_the_median_of_launches_of_medians_of_rounds():
    old = [[100.0, 100.0, 10.0], [100.0, 100.0, 100.0], [100.0, 100.0, 100.0]]
    new = [[90.0, 80.0, 10.0], [96.0, 97.0, 10.0], [99.0, 120.0, 110.0]]
    result = comparison(old=old, new=new).result()
    assert (result["least"], result["value"], result["most"]) == pytest.approx((0.9, 0.96, 1.1))
    assert result["met"] is True
    assert comparison(old=old[:1], new=new[:1]).result()["met"] is False


def test_launches_may_differ_in_rounds():
    result = comparison(old=[[100.0, 100.0], [100.0] * 3], new=[[90.0, 90.0], [110.0] * 3]).result()
    assert (result["old"], result["new"], result["value"]) == pytest.approx((100.0, 110.0, 1.0))


def test_rounds_are_whole_episodes_and_few_where_they_take_long():
    # Steps of a round, steps of a burst, rounds; an episode of 50 steps takes some seconds.
    assert against.plan(50, 0.004, 9) == (13 * 50, 125, 9)
    assert against.plan(50, 0.1, 9) == (50, 5, 9)
    assert against.plan(50, 0.25, 9) == (50, 2, 4)
    assert against.plan(50, 2.0, 9) == (50, 1, 3)
    assert against.plan(50, 2.0, 2) == (50, 1, 2)


class Recorder:
    """Plays a step in a second, or in so many."""

    def __init__(self, played, seconds=1.0):
        self.played, self.a_step = played, seconds

    def seconds(self, steps):
        self.played.append((self, steps))
        return steps * self.a_step


def test_bursts_alternate_and_both_trees_play_the_same_steps():
    played = []
    old, new = Recorder(played, 1.0), Recorder(played, 2.0)
    assert against.alternate(old, new, 10, 4, new_first=False) == (10.0, 20.0)
    assert played == [(old, 4), (new, 4), (new, 4), (old, 4), (old, 2), (new, 2)]


def test_large_batches_follow_those_that_are_fast():
    fast, slow = comparison(old=[[1e6]]), comparison(old=[[1e3]])
    found = against.with_large([comparison(None, old=[[1e6]]), fast, slow, comparison(error="x")])
    assert [c.make["lanes"] for c in found] == [None, 64, 1024, 64, 64]


def test_what_cannot_be_played_is_skipped_and_named():
    results = against.results_of([comparison(None, error="no"), comparison(error="no")])
    assert results == [{"task": ANNEAL, "name": "IsingAnneal-v0", "skipped": "no"}]
    met = comparison(old=[[100.0]], new=[[200.0]]).result()
    assert display.comparison_line(results[0]) == "IsingAnneal-v0: skipped; no"
    line = "batch of 64: 2.000 x (2.000..2.000), 200 new, 100 old steps/s, met"
    assert display.comparison_line(met) == f"IsingAnneal-v0 standard, {line}"
    assert display.comparison_verdict([met, *results]).startswith("1 of 1 ratios new/old")
    assert display.comparison_verdict(results) == "nothing was compared; 1 skipped"


def test_a_player_answers_with_seconds_or_with_a_sentence():
    make = {"env_id": ANNEAL, "kwargs": {}, "lanes": 2, "horizon": 3}
    asked = [{"make": make}, {"play": 2}, {"make": {**make, "env_id": "mattergym/Nothing-v0"}}]
    made, played, failed = timing.answers(map(json.dumps, asked))
    assert made == {}
    assert played["seconds"] > 0.0
    assert "Nothing" in failed["error"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tasks", "--against", "no-such-revision"], "is not a revision of"),
        (["ising", "--against", "HEAD"], "that --against compares"),
        (["tasks", "--against", "HEAD", "--plot", "x.png"], "no bars are drawn"),
        (["tasks", "--task", "IsingAnneal-v0"], "task is for --against"),
    ],
)
def test_what_is_asked_wrongly_ends_in_a_sentence(arguments, sentence, monkeypatch, tmp_path):
    monkeypatch.setattr(against, "working_tree", lambda: tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    out = ["--out", str(tmp_path / "x.json")]
    done = CliRunner().invoke(app, ["speed", *arguments, *out], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())


def test_a_folder_that_is_no_checkout_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(trees.TreeError, match=f"{tmp_path} is not a git checkout of MatterGym"):
        trees.working_tree()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone of this checkout, and where its temporary folders go."""
    if not (ROOT / ".git").exists():
        pytest.skip("the tests are in no checkout")
    folder, temporary = tmp_path / "clone", tmp_path / "temporary"
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(folder)], check=True)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield folder, temporary
    listed = trees.git(folder, "worktree", "list").splitlines()
    assert len(listed) == 1
    assert list(temporary.iterdir()) == []


def command(clone, out):
    arguments = ["speed", "tasks", "--against", "HEAD", "--task", "IsingAnneal-v0", "--rounds", "1"]
    run = "from mattergym.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", run, *arguments, "--out", str(out)],
        cwd=clone,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_tree_is_as_fast_as_itself(clone, tmp_path):
    process = command(clone[0], tmp_path / "out.json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    single, batch, verdict = output.splitlines()
    assert single.startswith("IsingAnneal-v0 standard, single view: ")
    assert batch.startswith("IsingAnneal-v0 standard, batch of 64: ")
    assert "of 2 ratios new/old are at least 0.95" in verdict
    for result in json.loads((tmp_path / "out.json").read_text())["results"]:
        assert 0.5 < result["value"] < 2.0


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_and_no_folder(clone, tmp_path):
    process = command(clone[0], tmp_path / "out.json")
    while not list(clone[1].glob("*/new/errors")):
        assert process.poll() is None
        time.sleep(0.05)
    (folder,) = clone[1].iterdir()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert "Interrupted" in errors
    running = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True)
    assert str(folder) not in running.stdout
