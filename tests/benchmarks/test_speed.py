"""How speed is summed up: growth exponents, verdicts, files. Nothing here times anything."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from importlib import import_module

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

from mattergym.benchmarks import speed
from mattergym.benchmarks.speed import (
    Growth,
    Ratio,
    Section,
    display,
    growth_exponent,
    ising,
    measure,
    scaling,
    tasks,
    timing,
    verdicts,
)
from mattergym.cli import app
from mattergym.envs import TASKS
from mattergym.physics.ising.lattice import BIG_STREAMS, BigLattice

SIZES = {"small": 10.0, "middle": 100.0, "large": 1000.0}


@pytest.mark.parametrize(
    ("unit", "figures"),
    [
        ("ns", {"small": 3.0, "middle": 300.0, "large": 30_000.0}),
        ("ns/px", {"small": 1.0, "middle": 10.0, "large": 100.0}),
        ("steps/s", {"small": 100.0, "middle": 10.0, "large": 1.0}),
    ],
)
def test_quadratic_growth_has_exponent_two(unit, figures):
    growth = Growth("in size", SIZES)
    assert growth_exponent(growth, figures, unit) == pytest.approx(2.0)


def test_units_that_are_neither_times_nor_rates_and_single_sizes_raise():
    with pytest.raises(ValueError, match="furlong"):
        growth_exponent(Growth("x", SIZES), dict.fromkeys(SIZES, 1.0), "furlong")
    with pytest.raises(ValueError, match="two different sizes"):
        growth_exponent(Growth("x", {"small": 1.0}), {"small": 1.0}, "s")


def section(unit):
    return Section(
        "toys",
        unit,
        {"slow": lambda: 1.0, "fast": lambda: 8.0},
        (Ratio("fast / slow", "fast", "slow", 10.0),),
        (Growth("in size", {"slow": 1.0, "fast": 2.0}),),
        {"slow": 2.0},
    )


def test_rates_are_wanted_at_least_and_times_at_most():
    rate, time = measure(section("steps/s"), 2), measure(section("ns/px"), 2)
    assert rate["wanted"]["slow"]["met"] is False
    assert time["wanted"]["slow"]["met"] is True
    assert rate["ratios"]["fast / slow"] == {"value": 8.0, "wanted": 10.0, "met": False}
    assert [name for name, _ in verdicts([rate])] == ["slow", "fast / slow"]


def test_the_first_round_warms_up_and_sections_may_ask_for_fewer_rounds():
    figures, calls, closed = iter([100.0, 1.0, 2.0, 3.0]), [], []
    resources = ExitStack()
    resources.callback(closed.append, "closed")
    toys = Section("toys", "s", {"a": lambda: next(figures)}, resources=resources, rounds=3)
    result = measure(toys, 9, lambda done, total: calls.append((done, total)))
    assert result["median"] == {"a": 2.0}
    assert result["spread"] == {"a": 1.0}
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert closed == ["closed"]


def test_what_a_section_holds_is_closed_when_a_contestant_fails():
    closed, resources = [], ExitStack()
    resources.callback(closed.append, "closed")
    with pytest.raises(ZeroDivisionError):
        measure(Section("toys", "s", {"a": lambda: 1 / 0}, resources=resources))
    assert closed == ["closed"]


class Countdown(gym.Env):
    """Episodes of ten steps."""

    action_space = gym.spaces.Discrete(2)
    observation_space = gym.spaces.Box(0.0, 1.0, (1,))
    resets, steps = 0, 0

    def reset(self, *, seed=None, options=None):
        self.resets += 1
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(1, np.float32), 0.0, self.steps % 10 == 0, False, {}


def test_a_contestant_plays_whole_episodes(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 1e-9)
    env = Countdown()
    assert timing.stepper(env, horizon=29)() > 0
    assert (env.steps, env.resets) == (30, 1 + 3)


def test_a_player_goes_on_where_it_stopped():
    env = Countdown()
    player = timing.Player(env, horizon=29)
    player.play(7)
    player.play(5)
    assert (env.steps, env.resets) == (12, 1 + 1)


@pytest.mark.parametrize(
    ("unit", "expected"), [("s", 0.5), ("ns/px", 5e6), ("steps/s", 200.0), ("flips/ns", 2e-7)]
)
def test_figures_have_the_unit_of_their_section(unit, expected):
    items = 1 if unit == "s" else 100
    assert timing.figure(unit, items, 0.5) == pytest.approx(expected)


def test_runs_are_counted_until_the_clock_says_enough():
    ticks = iter([0.0, 0.06, 0.12])
    runs = []
    run = timing.timed(lambda: runs.append(1), 30, "px/s", clock=lambda: next(ticks))
    assert run() == pytest.approx(2 * 30 / 0.12)
    assert len(runs) == 2


def test_floors_follow_the_tracks():
    corrector = TASKS["mattergym/STEMCorrector-v0"]
    assert [tasks.floors(track) for track in corrector.tracks] == [
        (2000.0, None),
        (500.0, 3000.0),
    ]


def test_vectors_are_those_that_numba_may_use():
    assert ising.vectors("+sse2,+avx2,+avx512f") == "avx512f"
    assert ising.vectors("+avx2,-avx512f") == "avx2"
    assert ising.vectors("+sse2") is None


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the yardstick is compiled by gcc")
def test_yardstick_in_c_sweeps_bit_for_bit_as_the_kernel_does(monkeypatch):
    made = []

    class Kept(BigLattice):
        def __init__(self, spins):
            super().__init__(spins)
            made.append(self)

    monkeypatch.setattr(ising, "BigLattice", Kept)
    spins = ising._random_spins(1, 128)[0]
    ising.c_sweeper(spins, 2.2)(7)
    ours = BigLattice(spins)
    ours.sweep(2.2, 0.0, ising._streams(BIG_STREAMS), 7)
    assert np.array_equal(made[0].spins, ours.spins)


@pytest.mark.slow
@pytest.mark.parametrize("name", speed.SECTIONS)
def test_sections_compare_contestants_that_they_have(name):
    made = import_module(f"mattergym.benchmarks.speed.{name}").section()
    with made.resources:
        used = {r.numerator for r in made.ratios} | {r.denominator for r in made.ratios}
        used |= {name for growth in made.growths for name in growth.sizes} | set(made.wanted)
        assert used <= set(made.contestants)
        speed.is_time(made.unit)


def test_processes_step_at_once_and_add_up(monkeypatch):
    workers = scaling.Workers(2)
    try:
        kwargs = {"observation": "clock"}
        assert workers.steps_per_second("mattergym/IsingReversal-v0", kwargs, 2) > 0
        alive = list(workers._processes)
        assert all(process.is_alive() for process in alive)
    finally:
        workers.close()
    assert not any(process.is_alive() for process in alive)


@pytest.mark.parametrize(
    ("value", "like", "text"),
    [
        (5_382_633.0, None, "5,382,633"),
        (26.14, None, "26.1"),
        (0.0142, None, "0.0142"),
        (0.0, None, "0"),
        (0.5, 1234.0, "0"),
        (0.031, 5.4, "0.03"),
    ],
)
def test_numbers_have_three_figures(value, like, text):
    assert display.number(value, like) == text


def test_tall_pictures_are_cut_in_two_columns():
    def result(rows):
        return {"median": dict.fromkeys(range(rows), 1.0)}

    assert display.columns_of([result(3), result(4)]) == [[result(3), result(4)]]
    many = [result(20), result(20), result(40)]
    assert display.columns_of(many) == [many[:2], many[2:]]
    assert display.columns_of([result(100)]) == [[result(100)]]


def test_command_writes_figures_and_plot(tmp_path, monkeypatch):
    result = measure(section("ns/px"), 1)
    monkeypatch.setattr(speed, "run", lambda rounds, names, progress: [result])
    out = tmp_path / "deep" / "speed.json"
    done = CliRunner().invoke(app, ["speed", "poisson", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "1 of 2 demands on speed are met" in done.output
    assert "NOT MET" in done.output
    assert json.loads(out.read_text())["sections"] == [result]
    assert out.with_suffix(".png").stat().st_size > 1000
    plot = tmp_path / "bars.png"
    command = ["speed", "poisson", "--json", "--out", str(out), "--plot", str(plot)]
    printed = json.loads(CliRunner().invoke(app, command).stdout)
    assert printed == json.loads(out.read_text())
    assert plot.stat().st_size > 1000
