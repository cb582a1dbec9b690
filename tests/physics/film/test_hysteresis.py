"""Loops of the fast kernel against a readable one; coercivity against theory."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.film import hysteresis, landau


def film(lanes=1, seed=0, spread=0.2):
    white = np.random.default_rng(seed).normal(size=(3, lanes, 40, 40))
    smooth = landau.correlated_noise
    a = (-1.0 + spread * smooth(white[0], 1.5)).astype(np.float32)
    field = (0.2 * spread * smooth(white[1], 1.5)).astype(np.float32)
    return np.sign(smooth(white[2], 4.0)).astype(np.float32), a, field


def areas(p, a, field, lanes, places, laws, gains=None):
    out = np.empty(len(lanes))
    gains = np.ones(len(lanes)) if gains is None else gains
    hysteresis.loop_areas(p, a, field, lanes, places, laws, gains, out)
    return out


def area_of(curve, law):
    volts, seen = curve
    phase = hysteresis.CYCLES * np.arange(len(volts)) / law[hysteresis.STEPS]
    last = phase[1:] > hysteresis.CYCLES - 1.0
    return -(0.5 * (seen[1:] + seen[:-1]) * np.diff(volts))[last].sum()


def test_fast_loops_are_the_readable_ones():
    p, a, field = film(2)
    generator = np.random.default_rng(1)
    laws = np.array([[2.0, 8.0, 0.5, 500.0, 0.3], [1.6, 9.5, 0.7, 431.0, 0.3]])
    lanes = generator.integers(2, size=19)
    places = generator.integers(8, 32, size=(19, 2))
    fast = areas(p, a, field, lanes, places, laws)
    for n in range(19):
        lane = lanes[n]
        curve = hysteresis.loop_curve(p[lane], a[lane], field[lane], tuple(places[n]), laws[lane])
        assert fast[n] == pytest.approx(area_of(curve, laws[lane]), rel=1e-4, abs=1e-4)
    assert (fast > 0.0).all()


def test_a_loop_does_not_depend_on_what_is_measured_beside_it():
    p, a, field = film()
    law = np.array([[2.0, 8.0, 0.5, 500.0, 0.3]])
    places = np.random.default_rng(2).integers(8, 32, size=(11, 2))
    together = areas(p, a, field, np.zeros(11, np.int64), places, law)
    alone = [areas(p, a, field, np.zeros(1, np.int64), places[n : n + 1], law)[0] for n in (0, 10)]
    assert together[[0, 10]].tolist() == alone


def test_film_is_unaltered_and_weaker_tips_give_narrower_loops():
    p, a, field = film()
    before = p.copy()
    law = np.array([[2.0, 8.0, 0.5, 500.0, 0.3]])
    places = np.full((3, 2), 20)
    out = areas(p, a, field, np.zeros(3, np.int64), places, law, np.array([0.05, 1.0, 1.0]))
    np.testing.assert_array_equal(p, before)
    assert out[0] < 0.1 * out[1]
    assert out[1] == out[2]


def test_a_broad_tip_switches_the_film_as_a_whole():
    """In a field as wide as the window, hardly held by its rim, P is that of a single pixel."""
    p = np.full((40, 40), -1.0, np.float32)
    a, field = np.full_like(p, -1.0), np.zeros_like(p)
    law = np.array([1e4, 10.0, 1e-5, 20_000.0, 0.06])
    volts, seen = hysteresis.loop_curve(p, a, field, (20, 20), law)
    single, alone = -1.0, []
    for bias in volts:
        alone.append(single)
        single += float(hysteresis.DT) * (single - single**3 + 0.06 * bias)
    up, expected = np.flatnonzero(seen > 0.0)[0], np.flatnonzero(np.array(alone) > 0.0)[0]
    assert volts[up] == pytest.approx(volts[expected], rel=2e-3)
    # At this rate, 4 volts in 600 of time, the ramp overshoots the coercive field by 5 %.
    coercive = 2.0 / (3.0 * np.sqrt(3.0))
    assert 1.0 < 0.06 * volts[up] / coercive < 1.09
    fast = areas(
        p[None], a[None], field[None], np.zeros(1, np.int64), np.full((1, 2), 20), law[None]
    )
    assert fast[0] == pytest.approx(area_of((volts, np.array(alone)), law), rel=2e-3)


def test_bias_is_a_triangle():
    phases = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.25])
    values = [hysteresis.bias_of(phase) for phase in phases]
    assert values == pytest.approx([0.0, 0.5, 1.0, 0.0, -1.0, 0.0, 1.0])


def test_plain_python_agrees(monkeypatch):
    p, a, field = film()
    law = np.array([[2.0, 8.0, 0.5, 12.0, 0.3]])
    fast, plain = np.empty((2, 1))
    arguments = (p, a, field, np.zeros(1, np.int64), np.full((1, 2), 20), law, np.ones(1))
    hysteresis.loop_areas(*arguments, fast)
    hysteresis.loop_areas.py_func(*arguments, plain)
    np.testing.assert_allclose(fast, plain, rtol=1e-5)
