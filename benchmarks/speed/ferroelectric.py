"""Ferroelectric films: nanoseconds a pixel and step, against published equations in plain Python.

The yardstick is not a package but its published equations, in our own words: a lattice of sites
that relax one after the other, as FerroSim (github.com/ramav87/FerroSim) integrates the discrete
Landau-Khalatnikov model of Ricinschi, D. et al. (1998), J. Phys.: Condens. Matter 10, 477.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mattergym.benchmarks.speed import Growth, Ratio, Section
from mattergym.benchmarks.speed.timing import timed
from mattergym.benchmarks.validation.spectral_film import SpectralFilm
from mattergym.physics.film import hysteresis
from mattergym.physics.film.landau import PERIODIC, Landau, relax
from mattergym.physics.rng import seed_streams

SIZES = (64, 128, 256)
UNIT = "ns/px"
# FerroSim's uniaxial defaults: alpha, beta, coupling, kinetic coefficient; 1000 steps of a
# thousandth; on a lattice of the size of its examples.
ALPHA, BETA, COUPLING, GAMMA, TIME_STEP, LATTICE = -1.85, 1.25, 1.0, 2.0, 1e-3, 20
# A loop as SPMDiscovery measures it: depth, volts, kappa, steps, field a volt.
LOOP = (2.0, 8.5, 0.6, 540.0, 0.27)
MOVING = (hysteresis.WINDOW - 2) ** 2


class Site:
    """A dipole that remembers its polarisation at all times, and knows its neighbours."""

    def __init__(self, start: float, steps: int) -> None:
        self.history = np.zeros(steps + 1)
        self.history[0] = start
        self.neighbours: list[Site] = []


def plain_lattice(start: np.ndarray, steps: int) -> list[Site]:
    """Sites of a periodic lattice (H, W), row by row."""
    height, width = start.shape
    sites = [Site(value, steps) for value in start.ravel().tolist()]
    for n, site in enumerate(sites):
        i, j = divmod(n, width)
        around = ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
        site.neighbours = [sites[(k % height) * width + m % width] for k, m in around]
    return sites


def plain_relax(sites: list[Site], steps: int, field: float = 0.0) -> None:
    """Relax the sites by dP/dt = -gamma [alpha P + beta P^3 + k (P - mean of neighbours) - E]."""
    for t in range(1, steps + 1):
        for site in sites:
            p = site.history[t - 1]
            around = np.sum([other.history[t - 1] for other in site.neighbours])
            force = BETA * p**3 + ALPHA * p + COUPLING * (p - around / 4.0) - field
            site.history[t] = p - GAMMA * force * TIME_STEP


def start_of(size: int, components: int = 1) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Unpoled film with small fluctuations, (components, size, size)."""
    noise = np.random.default_rng(size).normal(size=(components, size, size))
    return (0.3 * noise).astype(np.float32)


def compiled_relax(film: np.ndarray, steps: int, a: float, landau: Landau) -> None:
    """Relax one film (1, H, W) in place without field."""
    none = np.zeros_like(film)
    relax(
        np.arange(1),
        film,
        np.full_like(film, a),
        none,
        none,
        np.zeros(1),
        np.full(1, steps),
        landau,
        seed_streams(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0),
    )


def published_landau() -> tuple[float, Landau]:
    """Translate the published parameters: time in units of 1/gamma, kappa a quarter of k."""
    return ALPHA, Landau(b=BETA, kappa=COUPLING / 4.0, dt=GAMMA * TIME_STEP, edges=PERIODIC)


def loops(count: int) -> Callable[[], float]:
    """Hysteresis loops at random places of a film, per moving pixel and step."""
    film = np.sign(start_of(64))
    generator = np.random.default_rng(0)
    places = generator.integers(hysteresis.RIM, 64 - hysteresis.RIM, (count, 2))
    arguments = (
        film,
        (-1.0 + start_of(64)).astype(np.float32),
        0.2 * start_of(64),
        np.zeros(count, np.int64),
        places,
        np.array([LOOP]),
        np.ones(count),
        np.empty(count),
    )
    return timed(
        partial(hysteresis.loop_areas, *arguments), count * MOVING * LOOP[hysteresis.STEPS], UNIT
    )


def section() -> Section:
    """Films of three sizes, with one and two components; loops; and the yardstick."""
    contestants: dict[str, Callable[[], float]] = {}
    wanted: dict[str, float] = {}
    explicit = {}
    for n in SIZES:
        # About two milliseconds a call, so that the call itself does not count.
        steps = max(8, 2**23 // n**2)
        name = f"explicit step, {n} x {n}"
        landau = Landau(kappa=0.5, alpha=0.03, dt=0.1)
        contestants[name] = timed(
            partial(compiled_relax, start_of(n), steps, -1.0, landau), steps * n * n, UNIT
        )
        explicit[name], wanted[name] = float(n * n), 0.4
    for n in SIZES:
        name = f"two components with depolarisation, spectral step, {n} x {n}"
        steps = max(1, 2**18 // n**2)
        plane = SpectralFilm((n, n), kappa=0.5, c=1.0, g=1.0)
        p = start_of(n, 2)
        contestants[name] = timed(partial(plane, p, np.zeros_like(p), steps), steps * n * n, UNIT)
        wanted[name] = 15.0
    contestants["one hysteresis loop, 15 x 15 px that move"] = loops(1)
    contestants["576 hysteresis loops"] = loops(576)
    ours = f"explicit step, published parameters, {LATTICE} x {LATTICE}"
    plain = f"published equations site by site in Python, {LATTICE} x {LATTICE}"
    film = start_of(LATTICE)
    a, landau = published_landau()
    contestants[ours] = timed(
        partial(compiled_relax, film, 5000, a, landau), 5000 * LATTICE**2, UNIT
    )
    sites = plain_lattice(film[0], 20)
    contestants[plain] = timed(partial(plain_relax, sites, 20), 20 * LATTICE**2, UNIT)
    return Section(
        "ferroelectric films",
        UNIT,
        contestants,
        (Ratio("published equations in Python / ours", plain, ours, 5000.0),),
        (Growth("explicit step: time against pixels", explicit, 1.1),),
        wanted,
    )
