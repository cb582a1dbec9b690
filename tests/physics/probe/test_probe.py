"""The feedback loop against theory: stability limits, exact oscillators, contact, tips, stages."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.benchmarks.validation import cantilever
from mattergym.physics.probe import feedback, topography
from mattergym.physics.rng import seed_streams

RATE = 4000.0
WIDTH = 64


def loop(lanes, gain, *, lines=1, samples=4096, surface=None, **plant):
    """Scan lines with common settings; returns images, statistics, state."""
    ones = np.ones(lanes)
    if surface is None:
        surface = np.zeros((lanes, WIDTH))
    setpoint = ones * plant.get("setpoint", 50.0)
    f0, quality = plant.get("f0"), plant.get("quality", 10.0)
    propagator = np.zeros((lanes, 2, 2))
    if f0 is not None:
        propagator = feedback.resonator_propagator(f0 * ones, quality * ones, RATE)
    state = np.zeros((lanes, feedback.STATE_SIZE))
    for lane in range(lanes):
        feedback.engage(state[lane], surface[lane, 0], setpoint[lane])
    state[:, feedback.POSITION] += plant.get("kick", 0.0)
    streams = seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, np.uint64), 1)
    images, statistics = np.zeros((lanes, 3, WIDTH)), np.zeros((lanes, 5))
    scan = plant.get("scan", feedback.scan_lines)
    for _ in range(lines):
        scan(
            np.arange(lanes),
            surface,
            surface,
            np.full(lanes, samples),
            ones * gain,
            ones * plant.get("proportional", 0.0),
            ones * plant.get("smoothing", 1.0),
            setpoint,
            np.broadcast_to(np.asarray(plant.get("delay", 0)), lanes).copy(),
            propagator,
            ones * plant.get("noise", 0.0),
            1e6,
            state,
            streams,
            images,
            statistics,
        )
    return images, statistics, state


def measured_limit(start, **plant):
    """Largest gain for which a small kick dies out, by bisection over 64 lanes at once."""
    low, high = 0.5 * start, 1.5 * start
    for _ in range(3):
        gains = np.linspace(low, high, 32)
        left = loop(32, gains, lines=4, kick=1e-3, **plant)[1][:, feedback.RMS_ERROR]
        grows = left > 1e-3
        edge = int(np.argmax(grows))
        low, high = gains[edge - 1], gains[edge]
    return 0.5 * (low + high)


@pytest.mark.parametrize(("delay", "limit"), [(0, 2.0), (1, 1.0), (2, 0.618), (3, 0.445)])
def test_integral_gain_limit_with_delay(delay, limit):
    exact = feedback.integral_gain_limit(delay)
    assert exact == pytest.approx(limit, abs=1e-3)
    assert measured_limit(exact, delay=delay) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(("f0", "quality"), [(60.0, 40.0), (120.0, 20.0)])
def test_resonance_limits_the_gain_where_it_is_slow(f0, quality):
    """The discrete loop tends to omega0/(Q fs) when the delay is short against a period."""
    exact = feedback.resonance_gain_limit(f0, quality, RATE)
    found = measured_limit(exact, f0=f0, quality=quality, samples=16384)
    assert found == pytest.approx(exact, rel=0.02)


def test_zero_order_hold_is_exact_at_any_rate():
    """Two updates at rate 2 f are one at rate f, and a step response is the closed form."""
    slow = feedback.resonator_propagator(300.0, 5.0, 1000.0)
    fast = feedback.resonator_propagator(300.0, 5.0, 2000.0)
    np.testing.assert_allclose(fast @ fast, slow, rtol=0, atol=1e-14)
    omega, decay = 2 * np.pi * 300.0, np.pi * 300.0 / 5.0
    ringing = np.sqrt(omega**2 - decay**2)
    t = np.arange(200) / 1000.0
    closed = 1 - np.exp(-decay * t) * (np.cos(ringing * t) + decay / ringing * np.sin(ringing * t))
    np.testing.assert_allclose(
        cantilever.ring(np.ones(200), 300.0, 5.0, 1000.0), closed, atol=1e-12
    )
    with pytest.raises(ValueError, match=r"quality = 0\.4"):
        feedback.resonator_propagator(300.0, 0.4, 1000.0)


def test_the_loop_follows_a_slope_with_the_error_of_an_integrator():
    """A type-1 loop lags a ramp by slope / K; deflection differs from the set-point by that."""
    gain, samples = 0.05, 6400
    ramp = np.tile(np.linspace(0, 63, WIDTH), (1, 1))
    images, *_ = loop(1, gain, samples=samples, surface=ramp, lines=1)
    slope = 1.0 / (samples / WIDTH)
    np.testing.assert_allclose(images[0, 2, 20:60], slope / gain, rtol=1e-6)
    # Trace and retrace lag to opposite sides.
    lag = 0.5 * (images[0, 1, 20:44] - images[0, 0, 20:44])
    np.testing.assert_allclose(lag, slope / gain, rtol=0.05)


def test_low_setpoint_loses_the_surface_on_the_way_down():
    surface = np.zeros((2, WIDTH))
    surface[:, :32] = 20.0
    fraction = [
        loop(1, 0.02, surface=surface[:1], setpoint=s, samples=1000)[1][0, feedback.LOST]
        for s in (0.5, 25.0)
    ]
    assert fraction[0] > 0.2
    assert fraction[1] == 0.0


def test_detector_noise_has_unit_variance():
    stream = seed_streams(np.array([5], np.uint64), np.zeros(1, np.uint64), 1)[0]
    draws = np.array([feedback.detector_noise(stream) for _ in range(40_000)])
    assert abs(draws.mean()) < 4 / 200
    assert draws.var() == pytest.approx(1.0, abs=0.03)
    assert np.mean(draws**4) == pytest.approx(2.7, abs=0.1)


def test_closed_loop_noise_has_the_variance_of_an_autoregressive_process():
    """Integrator on white noise: var z = K / (2 - K) sigma^2."""
    for gain in (0.1, 0.8):
        _, statistics, _ = loop(64, gain, noise=0.5, samples=8192, lines=2)
        rms = np.sqrt((statistics[:, feedback.RMS_TRACKING] ** 2).mean())
        assert rms == pytest.approx(0.5 * np.sqrt(gain / (2 - gain)), rel=0.01)


def test_lanes_are_independent_and_the_kernel_runs_as_python():
    surface = np.cumsum(np.random.default_rng(0).normal(size=(3, WIDTH)), axis=1)
    plant = {
        "surface": surface,
        "f0": 400.0,
        "delay": 2,
        "noise": 0.2,
        "smoothing": 0.5,
        "proportional": 0.1,
        "samples": 128,
        "setpoint": 5.0,
    }
    compiled = loop(3, 0.1, **plant)
    plain = loop(3, 0.1, scan=feedback.scan_lines.py_func, **plant)
    alone = loop(1, 0.1, **{**plant, "surface": surface[:1]})
    for left, right, single in zip(compiled, plain, alone, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(left[:1], single)


def test_a_blunt_tip_draws_a_step_as_a_parabola():
    line, out = np.zeros(64), np.empty(64)
    line[32:] = 6.0
    topography.dilate_line(line, 40.0, 5.0, out)
    x = 5.0 * (32 - np.arange(32))
    np.testing.assert_allclose(out[:32], np.maximum(0.0, 6.0 - x**2 / 80.0), atol=1e-12)
    assert (out[32:] == 6.0).all()
    topography.dilate_line(line, 0.0, 5.0, out)
    np.testing.assert_array_equal(out, line)


def test_surfaces_have_the_height_asked_for_and_differ():
    streams = seed_streams(np.arange(4, dtype=np.uint64), np.zeros(4, np.uint64), 1)
    surfaces, sigma = np.zeros((4, 32, 64)), np.array([0.5, 1.0, 4.0, 8.0])
    topography.draw_surfaces(np.arange(4), surfaces, sigma, streams)
    np.testing.assert_allclose(surfaces.std(axis=(1, 2)), sigma)
    np.testing.assert_allclose(surfaces.mean(axis=(1, 2)), 0.0, atol=1e-9)
    shapes = (surfaces / sigma[:, None, None]).reshape(4, -1)
    assert np.abs(np.corrcoef(shapes) - np.eye(4)).max() < 0.6


def test_correlated_field_has_unit_variance():
    stream = seed_streams(np.array([2], np.uint64), np.zeros(1, np.uint64), 1)[0]
    field = np.empty((400, 400))
    topography.correlated_field(field, 3.0, stream)
    assert field.var() == pytest.approx(1.0, abs=0.1)


def test_creep_and_drift():
    t = np.array([0.05, 0.1, 1.0, 10.0])
    np.testing.assert_allclose(topography.creep(100.0, t, 0.02), [100, 100, 102, 104])
    v = np.array([0.5])
    np.testing.assert_allclose(topography.drift(v, t), 0.5 * t)
    np.testing.assert_allclose(topography.drift(v, 1e9, 60.0), 30.0)
    assert topography.drift(v, 1e-3, 60.0)[0] == pytest.approx(0.5e-3, rel=1e-4)


def test_lock_in_finds_amplitude_and_phase_of_the_ringing_cantilever():
    f0, quality, rate, drive = 353e3, 120.0, 4e6, 351e3
    n = np.arange(60_000)
    motion = cantilever.ring(np.cos(2 * np.pi * drive / rate * n), f0, quality, rate)
    found = cantilever.lock_in(motion[20_000:], drive, rate)
    # A held drive is late by half a sample and weaker by sinc(f / fs); the record starts later.
    hold = np.sinc(drive / rate) * np.exp(-1j * np.pi * drive / rate)
    start = np.exp(2j * np.pi * drive / rate * 20_000)
    assert abs(found / (cantilever.response(drive, f0, quality) * hold * start) - 1) < 1e-3


def test_resonance_is_recovered_to_a_thousandth():
    f = np.linspace(330e3, 376e3, 80)
    generator = np.random.default_rng(1)
    clean = cantilever.response(f, 353e3, 120.0, -0.7)
    noisy = clean + generator.normal(scale=0.5, size=(2, 80)).T @ np.array([1, 1j])
    f0, quality, static = cantilever.fit_resonance(f, clean)
    assert (f0, quality) == (pytest.approx(353e3, rel=1e-9), pytest.approx(120.0, rel=1e-6))
    assert static == pytest.approx(-0.7, rel=1e-6)
    assert cantilever.fit_resonance(f, noisy)[0] == pytest.approx(353e3, rel=1e-3)


@pytest.mark.parametrize(
    "order", [slice(None, None, -1), np.random.default_rng(0).permutation(201)]
)
def test_a_sweep_may_run_downward_or_anyhow(order):
    frequency = np.linspace(340e3, 366e3, 201)
    amplitude = cantilever.response(frequency, 353e3, 120.0)
    upward = cantilever.fit_resonance(frequency, amplitude)
    assert upward[:2] == pytest.approx((353e3, 120.0), rel=1e-6)
    other = cantilever.fit_resonance(frequency[order], amplitude[order])
    assert np.allclose(other, upward, rtol=1e-9)


def test_pfm_phase_flips_by_pi_across_a_wall():
    wall = np.tanh(np.linspace(-8, 8, 200) / 1.0)
    generator = np.random.default_rng(2)
    amplitude, phase = cantilever.pfm(wall, 350e3, 353e3, 120.0, 0.0, generator)
    assert abs(phase[0] - phase[-1]) == pytest.approx(np.pi, rel=1e-9)
    assert amplitude[99:101].max() < 0.05 * amplitude[0]
    gain = abs(cantilever.response(350e3, 353e3, 120.0))
    assert amplitude[0] == pytest.approx(gain * abs(wall[0]), rel=1e-12)
