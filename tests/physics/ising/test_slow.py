"""Statistics of minutes: Kaufman's energy to 5e-4, and the autocorrelation time at Tc."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.ising import checkerboard, cluster, exact, observables
from mattergym.physics.rng import seed_streams

pytestmark = pytest.mark.slow
SIZE = 64
TC = exact.critical_temperature()


def equilibrated(temperature):
    lanes = len(temperature)
    count = np.arange(lanes, dtype=np.uint64)
    streams = seed_streams(count, np.zeros_like(count), 0)
    spins = np.ones((lanes, SIZE, SIZE), np.int8)
    cluster.wolff_updates(spins, temperature, streams, 1000)
    return spins, streams


@pytest.mark.parametrize("temperature", [1.5, 2.0, TC, 2.5, 3.5])
def test_energy_is_kaufmans(temperature):
    """64 lanes; Wolff clusters between samples, so that the error is small at Tc as well."""
    t = np.full(64, temperature)
    spins, streams = equilibrated(t)
    samples = []
    for _ in range(400):
        checkerboard.checkerboard_sweeps(spins, t, 0.0, streams, 3)
        cluster.wolff_updates(spins, t, streams, 8)
        samples.append(-observables.directional_correlations(spins).sum(1))
    lanes = np.mean(samples, axis=0)
    error = lanes.std(ddof=1) / 8
    assert error <= 5e-4
    assert abs(lanes.mean() - exact.kaufman_energy(SIZE, temperature)) < 4 * error


def integrated_time(series):
    """Integrated autocorrelation time of (samples, lanes), Sokal's window of 6 tau.

    Source: Sokal, A. (1997), Monte Carlo methods in statistical mechanics, section 3.
    """
    n = len(series)
    x = series - series.mean()
    power = np.abs(np.fft.rfft(x, 2 * n, axis=0)) ** 2
    covariance = np.fft.irfft(power, axis=0)[:n].mean(1) / np.arange(n, 0, -1)
    tau = 0.5 + np.cumsum(covariance[1:] / covariance[0])
    window = np.argmax(np.arange(1, n) >= 6 * tau)
    return tau[window]


@pytest.mark.parametrize(("rule", "expected"), [("heat_bath", 585), ("metropolis", 190)])
def test_autocorrelation_time_of_the_moment_at_tc(rule, expected):
    t = np.full(64, TC)
    spins, streams = equilibrated(t)
    every, samples = 5, []
    for _ in range(5000):
        checkerboard.checkerboard_sweeps(spins, t, 0.0, streams, every, rule=rule)
        samples.append(np.abs(observables.magnetization(spins)))
    assert every * integrated_time(np.array(samples)) == pytest.approx(expected, rel=0.1)
