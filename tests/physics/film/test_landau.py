"""Films against closed forms: bulk, wall, switching, growth, modes, energy, tip."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.benchmarks.validation.spectral_film import SpectralFilm
from mattergym.physics.film import domains
from mattergym.physics.film import landau as fe
from mattergym.physics.rng import seed_streams


def streams_of(lanes):
    return seed_streams(np.arange(lanes, dtype=np.uint64), np.zeros(lanes, np.uint64), 1)


def relax(p, steps, field=0.0, a=-1.0, kernel=fe.relax, streams=None, **landau):
    """Evolve (B, H, W) maps in a uniform field; returns new maps."""
    p = np.ascontiguousarray(p, np.float32).copy()
    lanes = len(p)
    streams = streams_of(lanes) if streams is None else streams
    kernel(
        np.arange(lanes), p, np.full_like(p, a), np.full_like(p, field), np.zeros_like(p),
        np.zeros(lanes), np.full(lanes, steps), fe.Landau(**landau), streams,
    )  # fmt: skip
    return p


@pytest.mark.parametrize(("a", "b"), [(-1.0, 1.0), (-1.85, 1.25)])
def test_spontaneous_polarization(a, b):
    p = relax(np.full((1, 8, 8), 0.3), 2000, a=a, b=b, dt=0.1)
    assert p.mean(dtype=np.float64) == pytest.approx(np.sqrt(-a / b), abs=1e-6)


def plain_step(p, a, field, landau):
    """One step in numpy, as the equation is written."""
    mode = "edge" if landau.edges == fe.NEUMANN else "wrap"
    q = np.pad(p, 1, mode=mode)
    around = q[:-2, 1:-1] + q[2:, 1:-1] + q[1:-1, :-2] + q[1:-1, 2:]
    laplace = (around - 4.0 * p) / landau.dx**2
    force = landau.kappa * laplace - a * p - landau.b * p**3 + field - landau.alpha * p.mean()
    return p + landau.dt * force


@pytest.mark.parametrize("edges", [fe.NEUMANN, fe.PERIODIC])
@pytest.mark.parametrize("shape", [(5, 3), (7, 16), (4, 79), (6, 80), (3, 81)])
def test_a_step_is_the_equation(shape, edges):
    generator = np.random.default_rng(7)
    film, a, field, tip = generator.normal(size=(4, 2, *shape)).astype(np.float32)
    landau = fe.Landau(b=0.8, kappa=0.7, alpha=0.4, dx=1.3, dt=0.05, edges=edges)
    volts, expected = np.array([0.5, -2.0]), film.astype(np.float64)
    for _ in range(3):
        expected = np.stack(
            [
                plain_step(expected[lane], a[lane], field[lane] + volts[lane] * tip[lane], landau)
                for lane in range(2)
            ]
        )
    fe.relax(np.arange(2), film, a, field, tip, volts, np.full(2, 3), landau, streams_of(2))
    np.testing.assert_allclose(film, expected, atol=3e-6)


@pytest.mark.parametrize(("kappa", "tolerance"), [(2.0, 0.03), (8.0, 0.01)])
def test_wall_profile_and_energy(kappa, tolerance):
    # xi = sqrt(2 kappa/|a|) = 2 and 4 pixels.
    n, xi = 96, np.sqrt(2.0 * kappa)
    x = np.arange(n) - (n - 1) / 2
    start = np.tile(np.sign(x), (1, 4, 1))
    settings = {"kappa": kappa, "dt": 0.9 * fe.longest_step(kappa, 1.0, -1.0), "edges": fe.NEUMANN}
    p = relax(start, 8000, **settings)[0, 1]
    assert np.abs(p - np.tanh(x / xi)).max() < tolerance
    wall = fe.free_energy(p[None, None], -1.0, 0.0, fe.Landau(**settings))[0] + 0.25 * n
    assert wall == pytest.approx(2.0 * np.sqrt(2.0) / 3.0 * np.sqrt(kappa), rel=0.01)


def test_coercive_field_and_its_excess_in_a_ramp():
    coercive, dt = 2.0 / (3.0 * np.sqrt(3.0)), 0.2
    rates = np.array([1e-5, 8e-5])
    p = relax(np.full((2, 1, 4), -1.0), 500, field=0.36, dt=dt)
    own, none, field = np.full_like(p, -1.0), np.zeros_like(p), np.empty_like(p)
    landau, one, volts = fe.Landau(dt=dt), np.ones(2, np.int64), np.zeros(2)
    streams, switched, step = streams_of(2), np.full(2, np.nan), 0
    while np.isnan(switched).any():
        lanes = np.flatnonzero(np.isnan(switched))
        field[:] = 0.36 + (rates * dt * step)[:, None, None]
        fe.relax(lanes, p, own, field, none, volts, one, landau, streams)
        up = lanes[p[lanes, 0, 0] > 0.0]
        switched[up] = field[up, 0, 0]
        step += 1
    excess = switched / coercive - 1.0
    assert 0.0 < excess[0] < 0.005
    # A fold passed at a finite rate, P' = rate t + sqrt(3) x^2, is late by Airy's first zero.
    np.testing.assert_allclose(
        excess * coercive, 2.338 * rates ** (2 / 3) / 3.0 ** (1 / 6), rtol=0.03
    )
    below = relax(np.full((1, 4, 4), -1.0), 20_000, field=0.99 * coercive, dt=0.1)
    above = relax(np.full((1, 4, 4), -1.0), 20_000, field=1.01 * coercive, dt=0.1)
    assert below.max() < 0.0 < above.min()


def test_wall_velocity():
    kappa, field = 8.0, 0.1
    roots = np.sort(np.roots([1.0, 0.0, -1.0, -field]).real)
    speed = np.sqrt(kappa / 2.0) * abs(roots[0] + roots[2] - 2.0 * roots[1])
    x = np.arange(300) - 60.0
    p = np.tile(np.where(x < 0, roots[2], roots[0]), (1, 3, 1))
    dt = 0.02
    settings = {"kappa": kappa, "dt": dt, "edges": fe.NEUMANN, "field": field}
    places = []
    for _ in range(2):
        p = relax(p, 1500, **settings)
        row = p[0, 1]
        last = np.flatnonzero(row > 0.0)[-1]
        places.append(last + row[last] / (row[last] - row[last + 1]))
    assert (places[1] - places[0]) / (1500 * dt) == pytest.approx(speed, rel=0.04)


def test_a_disc_collapses_at_two_kappa():
    kappa, radius, n = 4.0, 28.0, 96
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    p = np.tanh((radius - np.hypot(x, y)) / np.sqrt(2 * kappa))[None]
    dt, areas = 0.05, []
    for _ in range(4):
        p = relax(p, 400, kappa=kappa, dt=dt, edges=fe.NEUMANN)
        areas.append(domains.wall_length(p[0]) ** 2 / (4 * np.pi**2))
    slope = np.diff(areas).mean() / (400 * dt)
    assert slope == pytest.approx(-2.0 * kappa, rel=0.04)


def test_domains_coarsen_as_the_root_of_time():
    n, lanes = 256, 6
    p = 0.1 * np.random.default_rng(0).normal(size=(lanes, n, n))
    times, sizes, done = np.array([200, 400, 800, 1600, 3200]), [], 0
    for time in times:
        p = relax(p, time - done, kappa=1.0, dt=0.1)
        done = time
        sizes.append(np.mean([domains.domain_size(one) for one in p]))
    exponent = np.polyfit(np.log(times), np.log(sizes), 1)[0]
    assert exponent == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("wave", [(0, 3), (2, 0), (2, 3)])
def test_linear_modes_of_the_spectral_film(wave):
    n, a, kappa, g, dt, steps = 32, 1.0, 0.7, 2.0, 1e-3, 400
    k = 2.0 * np.pi * np.array(wave) / n
    y, x = np.mgrid[:n, :n]
    phase = k[0] * y + k[1] * x
    direction = np.array([k[1], k[0]]) / np.hypot(*k)
    for vector, charge in ((direction, g), (np.array([-direction[1], direction[0]]), 0.0)):
        p = (1e-3 * vector[:, None, None] * np.cos(phase)).astype(np.float32)
        film = SpectralFilm((n, n), a=a, kappa=kappa, g=g, dt=dt, b=1.0, c=1.0)
        out = film(p, np.zeros_like(p), steps)
        rate = -np.log((out * p).sum() / (p * p).sum()) / (steps * dt)
        assert rate == pytest.approx(a + kappa * (k @ k) + charge, rel=2e-3)


def test_depolarization_acts_along_the_wave():
    """A wave of P along x decays by a + kappa k^2 + g cos^2 of its angle with k."""
    n, a, kappa, g, dt = 32, 1.0, 0.7, 2.0, 2e-4
    y, x = np.mgrid[:n, :n]
    film = SpectralFilm((n, n), a=a, kappa=kappa, g=g, dt=dt)
    for i, j in ((3, 1), (2, 2), (1, 3)):
        wave = np.cos(2.0 * np.pi * (i * x + j * y) / n)
        p = np.stack([1e-3 * wave, 0.0 * wave]).astype(np.float32)
        out = film(p, np.zeros_like(p), 1).astype(np.float64)
        rate = -np.log((out * p).sum() / (p.astype(np.float64) ** 2).sum()) / dt
        k2 = (2.0 * np.pi / n) ** 2 * (i**2 + j**2)
        assert rate == pytest.approx(a + kappa * k2 + g * i**2 / (i**2 + j**2), rel=2e-3)


def test_linear_modes_of_the_explicit_film():
    n, kappa, dt = 64, 0.8, 1e-3
    x = np.arange(n)
    for m in (1, 4):
        k = 2.0 * np.sin(np.pi * m / n)  # of the 5-point Laplacian
        p = np.tile(1e-3 * np.cos(2 * np.pi * m * x / n), (1, 8, 1))
        out = relax(p, 500, a=1.0, kappa=kappa, dt=dt)
        rate = -np.log((out * p).sum() / (p * p).sum()) / 0.5
        assert rate == pytest.approx(1.0 + kappa * k**2, rel=2e-3)


def test_free_energy_never_rises():
    generator = np.random.default_rng(1)
    p = 0.5 * generator.normal(size=(2, 32, 32))
    for edges in (fe.NEUMANN, fe.PERIODIC):
        settings = {"kappa": 0.6, "alpha": 0.2, "dt": 0.05, "edges": edges}
        now, energies = p, []
        for _ in range(200):
            now = relax(now, 1, field=0.1, **settings)
            energies.append(fe.free_energy(now, -1.0, 0.1, fe.Landau(**settings)))
        assert (np.diff(energies, axis=0) < 0.0).all()
        assert (energies[-1] < energies[0] - 1.0).all()


def test_the_longest_step_is_the_longest():
    kappa = 1.0
    limit = fe.longest_step(kappa, 1.0, -1.0)
    y, x = np.mgrid[:16, :16]
    # The fastest mode, a chequerboard on a film at P = 1.
    start = (1.0 + 1e-3 * (-1.0) ** (x + y))[None]
    calm = relax(start, 300, kappa=kappa, dt=0.99 * limit)
    wild = relax(start, 300, kappa=kappa, dt=1.1 * limit)
    assert np.abs(calm - 1.0).max() < 1e-3
    assert not np.abs(wild - 1.0).max() < 0.1


def test_mean_field_depolarization_balances_domains():
    p = 0.1 * np.random.default_rng(2).normal(size=(1, 64, 64)) + 0.05
    free, balanced = (relax(p, 3000, alpha=alpha, dt=0.1, kappa=1.0) for alpha in (0.0, 0.5))
    assert abs(balanced.mean()) < 0.3 < abs(free.mean()) + 0.3
    assert np.abs(balanced).mean() > 0.7


def test_thermal_noise_has_its_variance():
    # About P = 1 a pixel without neighbours is a spring of stiffness 2: variance T/2.
    p = relax(np.ones((4, 64, 64)), 400, kappa=0.0, noise=1e-3, dt=0.05)
    assert p.var() == pytest.approx(1e-3 / 2.0, rel=0.08)
    # Depolarisation counts the noise too: the mean of 64 pixels has stiffness 2 + alpha.
    held = {"field": 14.0, "alpha": 14.0}
    means = relax(np.ones((600, 8, 8)), 200, kappa=0.0, noise=1e-3, dt=0.02, **held)
    assert means.mean(axis=(1, 2)).var() == pytest.approx(1e-3 / 64 / 16.0, rel=0.25)


def test_tip_field_is_that_of_a_point_charge():
    out = np.zeros((41, 41), np.float32)
    depth = 5.0
    fe.tip_field(20.0, 20.0, depth, out)

    def potential(rho, z):
        return depth / np.sqrt(rho**2 + (z + depth) ** 2)

    step = 1e-4
    for rho in (0.0, 3.0, 11.0):
        slope = (potential(rho, -step) - potential(rho, step)) / (2 * step) * depth
        assert out[20, 20 + int(rho)] == pytest.approx(slope, abs=1e-6)
    line = np.zeros((1, 1200), np.float32)
    fe.tip_field(0.0, 0.0, 1000.0, line)
    half = np.interp(-0.5, -line[0].astype(np.float64), np.arange(1200) / 1000.0)
    assert half == pytest.approx(np.sqrt(2.0 ** (2.0 / 3.0) - 1.0), abs=1e-6)


def test_correlated_noise_has_unit_variance_and_its_length():
    white = np.random.default_rng(3).normal(size=(40, 64, 64))
    for length in (0.8, 2.0):
        smooth = fe.correlated_noise(white, length)
        assert smooth.var() == pytest.approx(1.0, rel=0.03)
        lag = (smooth * np.roll(smooth, 3, axis=2)).mean()
        assert lag == pytest.approx(np.exp(-9.0 / (4.0 * length**2)), abs=0.03)


def test_both_integrators_agree():
    p = 0.3 * np.random.default_rng(4).normal(size=(1, 48, 48))
    explicit = relax(p, 4000, kappa=2.0, dt=0.005)[0]
    film = SpectralFilm((48, 48), kappa=2.0, dt=0.005, components=1)
    spectral = film(p[0].astype(np.float32), np.zeros((48, 48), np.float32), 4000)
    assert np.abs(explicit - spectral).mean() < 0.02


def test_plain_python_and_lanes_apart():
    p = np.random.default_rng(5).normal(size=(2, 8, 8))
    settings = {"alpha": 0.3, "noise": 1e-3, "edges": fe.NEUMANN}
    fast = relax(p, 12, **settings)
    plain = relax(p, 12, kernel=fe.relax.py_func, **settings)
    np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-5)
    alone = relax(p[1:], 12, streams=streams_of(2)[1:].copy(), **settings)
    np.testing.assert_array_equal(alone[0], fast[1])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="components = 3; allowed are 1 and 2"):
        SpectralFilm((8, 8), components=3)
    with pytest.raises(ValueError, match=r"g = 1\.0 needs two components"):
        SpectralFilm((8, 8), components=1, g=1.0)


def test_a_checkerboard_of_one_component_leaves_the_other_alone():
    p = np.zeros((2, 2, 2), np.float32)
    p[0] = [[0.5, -0.5], [-0.5, 0.5]]
    moved = SpectralFilm((2, 2), g=1.0, dt=0.05)(p, 0 * p, 1)
    assert np.abs(moved[1]).max() < 1e-6


@pytest.mark.parametrize("shape", [(15, 15), (16, 15), (15, 16), (16, 16)])
@pytest.mark.parametrize("axis", [1, 2])
def test_the_spectral_film_commutes_with_mirrors(shape, axis):
    film = SpectralFilm(shape, kappa=0.3, c=0.5, g=2.0)
    p = (0.5 * np.random.default_rng(0).standard_normal((2, *shape))).astype(np.float32)

    def mirror(q):
        m = np.roll(np.flip(q, axis), 1, axis).copy()
        m[2 - axis] *= -1
        return m

    np.testing.assert_allclose(mirror(film(p, 0 * p, 1)), film(mirror(p), 0 * p, 1), atol=1e-5)
