"""Ferroelectric films against closed forms: bulk, wall, switching, motion, growth, modes, tip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.benchmarks.validation import ferroelectric_pictures
from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.benchmarks.validation.spectral_film import SpectralFilm
from mattergym.physics.film import domains
from mattergym.physics.film import landau as fe

if TYPE_CHECKING:
    from numpy.typing import NDArray

COERCIVE = 2.0 / (3.0 * np.sqrt(3.0))
# Minus the first zero of Airy's function: a fold passed at a finite rate is left that much late.
AIRY = 2.338107


def relax(p: NDArray[Any], steps: int, field: Any = 0.0, a: float = -1.0, **landau: Any) -> Any:
    """Evolve maps (B, H, W) in uniform fields, a number or (B,); returns new maps."""
    film = np.ascontiguousarray(p, np.float32).copy()
    lanes = len(film)
    fields = np.zeros_like(film) + np.reshape(np.asarray(field, np.float32), (-1, 1, 1))
    fe.relax(
        np.arange(lanes),
        film,
        np.full_like(film, a),
        fields,
        np.zeros_like(film),
        np.zeros(lanes),
        np.full(lanes, steps),
        fe.Landau(**landau),
        lane_streams(lanes),
    )
    return film


def _bulk() -> list[Check]:
    """Spontaneous polarisation of two films, and the longest explicit step."""
    checks = []
    for a, b in ((-1.0, 1.0), (-1.85, 1.25)):
        value = relax(np.full((1, 16, 16), 0.3), 2000, a=a, b=b, dt=0.1).mean(dtype=np.float64)
        name = f"spontaneous polarisation, a = {a}, b = {b}"
        checks.append(Check(name, float(value), np.sqrt(-a / b), 1e-6, "1", "sqrt(-a/b)"))
    limit = fe.longest_step(1.0, 1.0, -1.0)
    y, x = np.mgrid[:16, :16]
    # The fastest mode, a chequerboard on a film at P = 1.
    start = (1.0 + 1e-3 * (-1.0) ** (x + y))[None]
    low, high = 0.9, 1.1
    for _ in range(8):
        middle = 0.5 * (low + high)
        grown = not np.abs(relax(start, 2000, dt=middle * limit) - 1.0).max() < 2e-3
        low, high = (low, middle) if grown else (middle, high)
    checks.append(
        Check("largest stable step over the bound", low, 1.0, 0.01, "1", "2/(8 kappa/dx^2 + 2|a|)")
    )
    return checks


def _walls(panel: Any) -> list[Check]:
    """Profile and energy of a wall of 2 and of 4 px."""
    checks = []
    n = 96
    x = np.arange(n) - (n - 1) / 2
    for kappa, tolerance, marker in ((2.0, 0.03, "o"), (8.0, 0.01, "s")):
        xi = np.sqrt(2.0 * kappa)
        step = 0.9 * fe.longest_step(kappa, 1.0, -1.0)
        settings: dict[str, Any] = {"kappa": kappa, "dt": step, "edges": fe.NEUMANN}
        p = relax(np.tile(np.sign(x), (1, 4, 1)), 8000, **settings)[0, 1]
        energy = float(fe.free_energy(p[None, None], -1.0, 0.0, fe.Landau(**settings))[0] + n / 4)
        exact = 2.0 * np.sqrt(2.0) / 3.0 * np.sqrt(kappa)
        off = float(np.abs(p - np.tanh(x / xi)).max())
        checks += [
            Check(f"wall of {xi:.0f} px off tanh", off, 0.0, tolerance, "1", "P0 tanh(x/xi)"),
            Check(f"wall energy over its formula, {xi:.0f} px", energy / exact, 1.0, 0.01, "1",
                  "(2 sqrt 2/3) sqrt(kappa) |a|^1.5/b"),
        ]  # fmt: skip
        near = np.abs(x) < 3.2 * xi
        panel.plot(x[near] / xi, p[near], marker, markersize=4, label=rf"$\xi$ = {xi:.0f} px")
    fine = np.linspace(-3.2, 3.2, 200)
    panel.plot(fine, np.tanh(fine), color="0.5", zorder=0, label="tanh")
    panel.set(xlabel=r"place / $\xi$", ylabel="P / P$_0$", title="wall")
    return checks


def _coercivity(panel: Any, quick: bool) -> list[Check]:
    """Switching field of a uniform film in ramps of several rates."""
    dt = 0.2
    rates = 1e-5 * 4.0 ** np.arange(4 if quick else 6)
    lanes = len(rates)
    film = relax(np.full((lanes, 1, 16), -1.0), 500, field=0.3, dt=dt, kappa=0.0)
    own, no_tip = np.full_like(film, -1.0), np.zeros_like(film)
    fields, volts, one = np.empty_like(film), np.zeros(lanes), np.ones(lanes, np.int64)
    streams = np.ones((lanes, 4), np.uint64)
    landau = fe.Landau(kappa=0.0, dt=dt)
    switched = np.full(lanes, np.nan)
    n = 0
    while np.isnan(switched).any():
        field = 0.3 + rates * dt * n
        fields[:] = field[:, None, None]
        active = np.flatnonzero(np.isnan(switched))
        fe.relax(active, film, own, fields, no_tip, volts, one, landau, streams)
        up = active[film[active, 0, 0] > 0.0]
        switched[up] = field[up]
        n += 1
    excess = switched / COERCIVE - 1.0
    exponent = float(np.polyfit(np.log(rates[:4]), np.log(excess[:4]), 1)[0])
    fine = np.geomspace(rates[0], rates[-1])
    # Near the fold P' = rate t + sqrt(3) x^2.
    theory = AIRY * fine ** (2 / 3) / 3.0 ** (1 / 6) / COERCIVE
    panel.loglog(fine, 100.0 * theory, color="0.5", label="fold, rate$^{2/3}$")
    panel.loglog(rates, 100.0 * excess, "o", markersize=4, label="film")
    panel.set(xlabel="ramp rate", ylabel=r"excess over E$_c$ / %", title="switching field")
    formula = "2/(3 sqrt 3) sqrt(|a|^3/b)"
    return [
        Check("switching field at a ramp of 1e-5 over E_c", float(switched[0] / COERCIVE), 1.0,
              0.005, "1", formula),
        Check("exponent of its excess against the rate", exponent, 2.0 / 3.0, 0.05, "1",
              "saddle-node bifurcation"),
    ]  # fmt: skip


def _velocity(panel: Any) -> list[Check]:
    """Speed of a straight wall in fields up to three quarters of the coercive one."""
    kappa, dt, steps = 8.0, 0.02, 1200
    fields = COERCIVE * np.array([0.1, 0.25, 0.4, 0.55, 0.7])
    roots = np.sort([np.roots([1.0, 0.0, -1.0, -e]).real for e in fields], axis=1)
    exact = np.sqrt(kappa / 2.0) * np.abs(roots[:, 0] + roots[:, 2] - 2.0 * roots[:, 1])
    x = np.arange(320) - 60.0
    p = np.where(x < 0, roots[:, 2:], roots[:, :1])[:, None] * np.ones((1, 3, 1))
    places = []
    for _ in range(2):
        p = relax(p, steps, field=fields, kappa=kappa, dt=dt, edges=fe.NEUMANN)
        row = p[:, 1]
        last = (row > 0.0).sum(axis=1) - 1
        here, there = row[np.arange(5), last], row[np.arange(5), last + 1]
        places.append(last + here / (here - there))
    speed = (places[1] - places[0]) / (steps * dt)
    panel.plot(fields / COERCIVE, exact, color="0.5", label=r"$\sqrt{\kappa b/2}\,|p_1+p_3-2p_2|$")
    panel.plot(fields / COERCIVE, speed, "o", markersize=4, label="film")
    panel.set(xlabel=r"field / E$_c$", ylabel="speed / (px/time)", title="wall in a field")
    worst = int(np.abs(speed / exact - 1.0).argmax())
    name = "speed of a wall over its formula, worst of five fields"
    return [Check(name, float(speed[worst] / exact[worst]), 1.0, 0.04, "1", "travelling wave")]


def _collapse(panel: Any) -> list[Check]:
    """Discs of three radii shrink by their curvature."""
    kappa, dt, n = 4.0, 0.05, 128
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    radii = np.array([24.0, 32.0, 40.0])
    p = np.tanh((radii[:, None, None] - np.hypot(x, y)) / np.sqrt(2 * kappa))
    times, squares = [], []
    for k in range(14):
        p = relax(p, 100, kappa=kappa, dt=dt, edges=fe.NEUMANN)
        times.append(100 * dt * (k + 1))
        squares.append([(domains.wall_length(one) / (2 * np.pi)) ** 2 for one in p])
    t, r2 = np.array(times), np.array(squares)
    for lane, radius in enumerate(radii):
        panel.plot(t, r2[:, lane], "o", markersize=4, label=f"R$_0$ = {radius:.0f} px")
        panel.plot(t, radius**2 - 2.0 * kappa * t, color="0.5", zorder=0)
    panel.set(
        xlabel="time",
        ylabel="R$^2$ / px$^2$",
        ylim=(-40.0, 2150.0),
        title=r"discs, R$_0^2 - 2 \kappa t$",
    )
    large = r2.min(axis=1) > 200.0
    slopes = np.polyfit(t[large], r2[large], 1)[0] / (-2.0 * kappa)
    worst = float(slopes[np.abs(slopes - 1.0).argmax()])
    return [
        Check("collapse of discs over 2 kappa", worst, 1.0, 0.04, "1", "R^2 = R0^2 - 2 kappa t")
    ]


def _coarsening(panel: Any, quick: bool, seed: int) -> list[Check]:
    """Domain size of quenched films, and their energy, which must not rise."""
    n, lanes, first = (256, 6, 400) if quick else (768, 6, 800)
    p: NDArray[Any] = 0.1 * np.random.default_rng([0, seed]).normal(size=(lanes, n, n))
    counts = np.round(first * 2.0 ** np.arange(0, 3.1 if quick else 4.1, 0.5)).astype(int)
    sizes, done = [], 0
    for count in counts:
        p = relax(p, count - done, dt=0.1)
        done = count
        sizes.append([domains.domain_size(one) for one in p])
    mean, spread = np.mean(sizes, axis=1), np.std(sizes, axis=1)
    exponent = float(np.polyfit(np.log(counts), np.log(mean), 1)[0])
    t = 0.1 * counts
    panel.errorbar(t, mean, spread, fmt="o", markersize=4, label=f"t$^{{{exponent:.2f}}}$")
    panel.plot(t, mean[-1] * np.sqrt(t / t[-1]), color="0.5", zorder=0, label="t$^{1/2}$")
    panel.set(xlabel="time", ylabel="domain size / px", title="quench", xscale="log", yscale="log")
    now, energies = 0.5 * np.random.default_rng([1, seed]).normal(size=(2, 64, 64)), []
    settings: dict[str, Any] = {"kappa": 0.6, "alpha": 0.2, "dt": 0.05}
    for _ in range(400):
        now = relax(now, 1, field=0.1, **settings)
        energies.append(fe.free_energy(now, -1.0, 0.1, fe.Landau(**settings)))
    falls = np.diff(energies, axis=0)
    return [
        Check("growth exponent of domains", exponent, 0.5, 0.06, "1", "Allen & Cahn 1979"),
        Check("steps of 800 that raise the free energy", float((falls > 0.0).sum()), 0.0, 0.0,
              "1", "gradient flow"),
    ]  # fmt: skip


def _modes(panel: Any) -> list[Check]:
    """Decay of waves in a two-component film, by their direction against the polarisation."""
    n, a, kappa, g, dt = 64, 1.0, 0.7, 2.0, 2e-4
    y, x = np.mgrid[:n, :n]
    film = SpectralFilm((n, n), a=a, kappa=kappa, g=g, dt=dt, b=1.0, c=1.0)
    waves = np.array([(5, 0), (5, 1), (5, 2), (4, 3), (3, 4), (2, 5), (1, 5), (0, 5)])
    found = []
    for i, j in waves:
        wave = np.cos(2.0 * np.pi * (i * x + j * y) / n)
        p = np.stack([1e-3 * wave, 0.0 * wave]).astype(np.float32)
        out = film(p, np.zeros_like(p), 1).astype(np.float64)
        found.append(-np.log((out * p).sum() / (p.astype(np.float64) ** 2).sum()) / dt)
    k = 2.0 * np.pi * waves / n
    cosine2 = k[:, 0] ** 2 / (k**2).sum(axis=1)
    exact = a + kappa * (k**2).sum(axis=1) + g * cosine2
    angle = np.degrees(np.arccos(np.sqrt(cosine2)))
    fine = np.linspace(0.0, 90.0)
    panel.plot(fine, g * np.cos(np.radians(fine)) ** 2, color="0.5", label=r"$g\,\cos^2\theta$")
    charge = np.array(found) - a - kappa * (k**2).sum(axis=1)
    panel.plot(angle, charge, "o", markersize=4, label="film")
    panel.set(xlabel="wave against P / degrees", ylabel=r"rate $- a - \kappa k^2$")
    panel.set_title("depolarisation of waves")
    ratio = np.array(found) / exact
    worst = float(ratio[np.abs(ratio - 1.0).argmax()])
    name = "decay of waves over its formula, worst of eight directions"
    return [Check(name, worst, 1.0, 0.002, "1", "a + kappa k^2 + g cos^2 theta")]


def _tip() -> list[Check]:
    """Half-width of the field of a point charge."""
    depth = 1000.0
    line = np.zeros((1, 1200), np.float32)
    fe.tip_field(0.0, 0.0, depth, line)
    half = np.interp(-0.5, -line[0].astype(np.float64), np.arange(line.size)) / depth
    exact = np.sqrt(2.0 ** (2.0 / 3.0) - 1.0)
    return [Check("half-width of the tip's field", float(half), exact, 1e-6, "d", "0.766 d")]


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check films; draw ``film.png``, ``film_domains``, ``film_loops``, ``film_writing``."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    checks = [
        *_bulk(),
        *_walls(panels[0]),
        *_coercivity(panels[1], quick),
        *_velocity(panels[2]),
        *_collapse(panels[3]),
        *_coarsening(panels[4], quick, seed),
        *_modes(panels[5]),
        *_tip(),
    ]
    for panel in panels:
        panel.title.set_fontsize(10)
        panel.legend(fontsize=8)
        for axis in (panel.xaxis, panel.yaxis):
            if axis.get_scale() == "log":
                axis.set_minor_formatter(NullFormatter())
    for axis in (panels[1].yaxis, panels[4].xaxis, panels[4].yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
    figure.savefig(directory / "film.png", dpi=130)
    ferroelectric_pictures.draw_domains(directory)
    ferroelectric_pictures.draw_loops(directory)
    return [*checks, *ferroelectric_pictures.draw_writing(directory, quick, seed)]
