"""Fingerprints: what changes a result changes them, what does not leaves them as they are."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import gymnasium as gym
import pytest

from mattergym.agents import make_agent, register_agent, shelf
from mattergym.benchmarks import evaluate
from mattergym.benchmarks import fingerprint as prints
from mattergym.benchmarks import run as runs
from mattergym.benchmarks.fingerprint import closure, data_files, fingerprint, source_digest
from mattergym.benchmarks.run import read_cell, run
from mattergym.benchmarks.sweep import Cell
from mattergym.envs import TASKS

REVERSAL, CORRECTOR = "mattergym/IsingReversal-v0", "mattergym/STEMCorrector-v0"


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Let the fingerprint see a source of the package as a function of its text leaves it."""
    original = prints._source

    def replace(module, change):
        text = original(module).read_text(encoding="utf-8")
        assert change(text) != text
        path = tmp_path / f"{module}.py"
        path.write_text(change(text), encoding="utf-8")
        seen = prints._source
        monkeypatch.setattr(prints, "_source", lambda name: path if name == module else seen(name))
        prints._read.cache_clear()

    yield replace
    prints._read.cache_clear()


def test_comments_layout_and_docstrings_do_not_count():
    source = 'def f(x):\n    """Double x."""\n    return 2 * x\n'
    same = '"""A module."""\n# why\ndef f( x ):\n    """Twice x."""\n\n    return (2 * x)  # so\n'
    assert source_digest(source) == source_digest(same)
    for other in ("2 * y", "3 * x", "2.0 * x", "2 + x"):
        assert source_digest(source) != source_digest(source.replace("2 * x", other))
    assert source_digest('x = "a"') != source_digest('x = "b"')


def test_an_edited_kernel_makes_the_tasks_that_run_it_stale_and_no_other(edit):
    before = [fingerprint(REVERSAL, "scripted"), fingerprint(CORRECTOR, "scripted")]
    edit("mattergym.physics.ising.batch", lambda text: text + "\nEXTRA = 1\n")
    after = [fingerprint(REVERSAL, "scripted"), fingerprint(CORRECTOR, "scripted")]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_an_edited_comment_makes_nothing_stale(edit):
    before = fingerprint(REVERSAL, "scripted")
    edit("mattergym.physics.ising.batch", lambda text: text + "\n# a comment\n")
    assert fingerprint(REVERSAL, "scripted") == before


def test_an_edited_agent_makes_its_own_results_stale(edit):
    before = {name: fingerprint(REVERSAL, name) for name in ("scripted", "random", "ppo")}
    edit("mattergym.agents.ising_reversal", lambda text: text + "\nEXTRA = 1\n")
    after = {name: fingerprint(REVERSAL, name) for name in before}
    assert after["scripted"] != before["scripted"]
    assert (after["random"], after["ppo"]) == (before["random"], before["ppo"])
    edit("mattergym.agents.sb3", lambda text: text + "\nEXTRA = 1\n")
    assert fingerprint(REVERSAL, "ppo") != before["ppo"]


def test_parameters_of_a_learner_count(monkeypatch):
    before = fingerprint(REVERSAL, "ppo")
    (shelved,) = [item for item in _shelf(REVERSAL)["full"] if getattr(item, "agent", "") == "ppo"]
    monkeypatch.setitem(shelved.parameters, "learning_rate", 1.0)
    assert fingerprint(REVERSAL, "ppo") != before


def _shelf(env_id):
    return import_module(TASKS[env_id].agents).SHELF


def test_the_closure_reaches_kernels_and_leaves_the_catalogue():
    found = closure(("mattergym.envs.synthesis.ising_reversal",))
    assert {"mattergym.physics.ising.batch", "mattergym.physics.rng"} <= set(found)
    assert "mattergym.envs.registration" not in found
    assert all(import_module(name) for name in found)


def test_every_shipped_data_file_counts_for_some_result():
    counted = {
        path.name
        for card in TASKS.values()
        for path in data_files(closure((card.task.partition(":")[0], card.agents)))
    }
    root = Path(__file__).parents[2]
    shipped = [*root.glob("physics/data/*"), *root.glob("agents/data/*")]
    assert {path.name for path in shipped} == counted


def test_every_cell_of_the_suites_has_a_fingerprint_of_its_own_agent():
    for card in TASKS.values():
        for track in card.tracks:
            names = list(shelf(card.id, track.name))
            found = {fingerprint(card.id, name, track.name) for name in names}
            assert len(found) == len(names)


def test_an_agent_on_no_shelf_is_held_to_the_task_alone():
    class Mine:
        name = "scripted"

        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return [[0.0, 0.0]] * len(observation), None

    assert fingerprint(REVERSAL, Mine()) == fingerprint(REVERSAL, "nobody")
    assert fingerprint(REVERSAL, Mine()) != fingerprint(REVERSAL, "scripted")
    ours = make_agent("scripted", gym.make_vec(REVERSAL, num_envs=1))
    assert fingerprint(REVERSAL, ours) == fingerprint(REVERSAL, "scripted")


def test_a_registered_agent_of_another_package_counts_with_what_it_imports(tmp_path, monkeypatch):
    package = tmp_path / "someones"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "gains.py").write_text("GAIN = 1.0\n")
    (package / "agents.py").write_text(
        "from mattergym.agents.base import RandomAgent\n"
        "from .gains import GAIN\n"
        "class Lucky(RandomAgent):\n    name = 'lucky'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("mattergym.agents._REGISTERED", {})
    register_agent(import_module("someones.agents").Lucky, REVERSAL)
    before = fingerprint(REVERSAL, "lucky")
    assert "someones.gains" in closure(("someones.agents",))
    (package / "gains.py").write_text("GAIN = 2.0\n")
    prints._read.cache_clear()
    assert fingerprint(REVERSAL, "lucky") != before
    assert before != fingerprint(REVERSAL, "random")


def test_evaluate_and_the_sweep_write_the_same_fingerprint(tmp_path):
    cell = Cell(REVERSAL, "clock", "random", 0, 0, 3)
    (path,) = run([cell], tmp_path)
    expected = fingerprint(REVERSAL, "random", "clock")
    assert read_cell(path, cell)["records"]["fingerprint"] == expected
    records = evaluate(REVERSAL, "random", 3, env_kwargs={"observation": "clock"})
    assert records.to_json()["fingerprint"] == expected


def sweep(plan, folder, **arguments):
    seen = []
    run(plan, folder, report=lambda cell, status: seen.append((cell.agent, status)), **arguments)
    return seen


def age(path):
    """Let a result be one of other sources."""
    content = json.loads(path.read_text())
    del content["records"]["fingerprint"]
    path.write_text(json.dumps(content))


def test_a_sweep_makes_stale_results_anew_and_keeps_what_was_trained(tmp_path, monkeypatch):
    plan = [Cell(REVERSAL, "clock", "random", 0, 0, 3), Cell(REVERSAL, "clock", "ppo", 0, 64, 3)]
    run(plan[:1], tmp_path)
    content = json.loads((tmp_path / plan[0].filename).read_text())

    def trained(cell, folder):
        records = {**content["records"], "fingerprint": fingerprint(REVERSAL, cell.agent, "clock")}
        path = folder / cell.filename
        path.write_text(json.dumps({**content, "cell": cell.to_json(), "records": records}))
        return path

    monkeypatch.setattr(runs, "run_cell", trained)
    assert sweep(plan, tmp_path) == [("random", "kept"), ("ppo", "done")]
    for cell in plan:
        age(tmp_path / cell.filename)
    first = [("random", "renewed"), ("ppo", "stale"), ("random", "done")]
    assert sweep(plan, tmp_path) == first
    assert sweep(plan, tmp_path) == [("random", "kept"), ("ppo", "stale")]
    again = sweep(plan, tmp_path, retrain=True)
    assert again == [("random", "kept"), ("ppo", "renewed"), ("ppo", "done")]
    assert sweep(plan, tmp_path) == [("random", "kept"), ("ppo", "kept")]
