"""How speed is summed up: growth exponents, verdicts, files. Nothing here times anything."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mattergym.benchmarks import speed
from mattergym.benchmarks.speed import Growth, Ratio, Section, growth_exponent, measure, verdicts
from mattergym.cli import app

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


def test_command_writes_figures_and_plot(tmp_path, monkeypatch):
    result = measure(section("ns/px"), 1)
    monkeypatch.setattr(speed, "run", lambda rounds, names, progress: [result])
    out = tmp_path / "deep" / "speed.json"
    done = CliRunner().invoke(app, ["speed", "poisson", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "1 of 2 demands on speed are met" in done.output
    assert json.loads(out.read_text())["sections"] == [result]
    assert out.with_suffix(".png").stat().st_size > 1000
    printed = CliRunner().invoke(app, ["speed", "poisson", "--json", "--out", str(out)]).stdout
    assert json.loads(printed)["sections"] == [result]
    assert "poisson" in CliRunner().invoke(app, ["speed", "poison"]).output
