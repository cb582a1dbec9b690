"""Command line: a wrong value gets a sentence and the nearest names, never a traceback."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mattergym import cli
from mattergym.benchmarks import validation
from mattergym.benchmarks.validation import Check
from mattergym.cli import app

ID = "IsingReversal-v0"


def invoke(*arguments):
    """Run a command; anything but a clean exit is raised here."""
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    # Boxes around errors break lines.
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.txt").write_text("neither a folder nor a result")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lst"], "list"),
        (["show", "IsingReversl-v0"], "did you mean IsingReversal-v0"),
        (["show", "Zebra"], "there are IsingReversal-v0"),
        (["evaluate", ID, "--agent", "scriptd"], "did you mean scripted?"),
        (["evaluate", ID, "--track", "clok"], "did you mean clock?"),
        (["evaluate", ID, "--agent", "ppo"], "--load FILE"),
        (["evaluate", ID, "--agent", "ppo", "--load", "nowhere"], "load = nowhere is not a file"),
        (["evaluate", ID, "--agent", "ppo", "--load", "plain.txt"], "not what train writes"),
        (["evaluate", ID, "--agent", "cem", "--load", "plain.txt"], "not what train writes"),
        (["evaluate", ID, "--load", "plain.txt"], "nothing to load"),
        (["evaluate", ID, "--episodes", "0"], "greater than or equal to 1"),
        (["evaluate", ID, "--seed", "-1"], "greater than or equal to 0"),
        (["evaluate", ID, "--out", "plain.txt/x.json"], "cannot be written to"),
        (["evaluate", ID, "--out", "."], "is a folder; needed is a file"),
        (["train", ID, "--agent", "scripted"], "does not learn"),
        (["train", ID, "--steps", "-1"], "greater than or equal to 0"),
        (["train", "STEMSurvey-v0", "--agent", "sac"], "sac needs actions in a Box"),
        (["train", ID, "--out", "plain.txt/x"], "cannot be written to"),
        (["benchmark", "--suite", "quik"], "did you mean quick?"),
        (["benchmark", "--task", "IsingAneal-v0"], "did you mean IsingAnneal-v0"),
        (["benchmark", "--agent", "scripte"], "did you mean scripted"),
        (["benchmark", "--task", ID, "--agent", "rppo"], "does not run rppo"),
        (["benchmark", "--out", "plain.txt", "--agent", "raster"], "cannot be written to"),
        (["report", "--results", "plain.txt"], "has no result files"),
        (["validate", "--out", "plain.txt"], "cannot be written to"),
        (["speed", "isng"], "did you mean ising"),
        (["speed", "ising", "--out", "x.txt"], "the ending is not .json"),
        (["speed", "--out", "x.json", "--plot", "plain.txt/x.png"], "plot = plain.txt cannot be"),
        (["render", ID, "--agent", "ppo"], "--load FILE"),
        (["render", ID, "--out", "x.bmp"], "the ending is not .gif or .png"),
        (["render", ID, "--seed", str(2**40)], "less than or equal to"),
    ],
)
def test_wrong_values_get_a_sentence(folder, arguments, words):
    code, output = invoke(*arguments)
    assert code == 2
    assert words in output
    assert [path.name for path in folder.iterdir()] == ["plain.txt"]


def test_trouble_with_files_ends_in_a_sentence(folder, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mattergym.benchmarks.run.write_whole", full)
    code, output = invoke("evaluate", ID, "--episodes", "1", "--out", "x.json")
    assert code == 1
    assert "Error: [Errno 28] No space left on device" in output


def test_a_policy_of_another_task_is_refused(folder):
    code, output = invoke("train", ID, "--steps", "64", "--out", "policy")
    assert code == 0
    assert output.endswith("saved to policy.agent")
    assert (folder / "policy.agent").stat().st_size > 1000
    play = ("--agent", "ppo", "--load", "policy.agent")
    assert invoke("evaluate", ID, *play, "--episodes", "2", "--out", "x.json")[0] == 0
    for other in ((ID, "--track", "clock"), ("STEMCorrector-v0",)):
        code, output = invoke("evaluate", *other, *play)
        assert code == 2
        assert "not what train writes for ppo" in output
    assert invoke("render", ID, *play, "--out", "strip.png")[0] == 0


def test_a_suite_among_foreign_files(folder):
    command = ("benchmark", "--task", ID, "--agent", "scripted", "--out", "cells")
    code, output = invoke(*command, "--jobs", "1")
    assert code == 0
    assert output.endswith("All 2 cells of suite 'quick' are in cells")
    cell = folder / "cells" / f"{ID}.clock.scripted.s0.json"
    content = json.loads(cell.read_text())
    cell.write_text(json.dumps({**content, "records": {"scores": None}}))
    foreign = {**content, "cell": {**content["cell"], "color": "red"}}
    (folder / "cells" / "foreign.json").write_text(json.dumps(foreign))
    (folder / "cells" / "format.json").write_text(json.dumps({"format": 1}))
    (folder / "cells" / "binary.json").write_bytes(bytes([0xFF, 0xFE, 0x00]))
    (folder / "cells" / "folder.json").mkdir()
    code, output = invoke("report", "--results", "cells")
    assert code == 0
    assert "## mattergym/IsingReversal-v0, track full" in (folder / "cells/report.md").read_text()
    assert "track clock" not in (folder / "cells/report.md").read_text()
    code, output = invoke(*command, "--jobs", "1")
    assert code == 0
    assert "clock scripted s0: the result file is truncated or foreign; recomputed" in output
    assert "full scripted s0: kept" in output


@pytest.mark.parametrize(("off", "code"), [(0.0, 0), (1.0, 1)])
def test_validation_fails_with_its_checks(folder, monkeypatch, off, code):
    def run(directory, quick, progress, seed):
        return [Check("energy", 1.0 + off, 1.0, 0.1, "J", "by hand")]

    monkeypatch.setattr(validation, "run", run)
    found, output = invoke("validate", "--out", "figures")
    assert found == code
    assert output.endswith(f"{1 - code} of 1 checks passed; figures in figures")


def test_every_command_has_help():
    for command in cli.app.registered_commands:
        name = command.name or command.callback.__name__
        code, output = invoke(name, "--help")
        assert code == 0
        assert command.callback.__doc__.splitlines()[0].split(",")[0] in output
