"""Ferroelectric films as a microscope shows them: domains, local loops, and written dots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from mattergym.benchmarks.validation import cantilever
from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.physics.film import hysteresis, writing
from mattergym.physics.film import landau as fe

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL_NM = 5.0
F0, QUALITY, DRIVE = 353e3, 60.0, 350e3
# Standard deviation in pixels of what the tip blurs: a resolution of 10 nm.
RESOLUTION = 0.85


def disordered(
    white: NDArray[np.float64], spread: float, bias: float, length: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Quadratic coefficient and random field, (B, H, W) each, from white noise (2, B, H, W)."""
    a = -1.0 + spread * fe.correlated_noise(white[0], length)
    field = bias * fe.correlated_noise(white[1], length)
    return a.astype(np.float32), field.astype(np.float32)


def relax(
    film: NDArray[np.float32],
    a: NDArray[np.float32],
    field: NDArray[np.float32],
    steps: int,
    landau: fe.Landau,
) -> None:
    """Relax films (B, H, W) without tip, in place."""
    lanes, no_tip = len(film), np.zeros_like(film)
    fe.relax(
        np.arange(lanes), film, a, field, no_tip, np.zeros(lanes), np.full(lanes, steps), landau,
        lane_streams(lanes),
    )  # fmt: skip


def scale_bar(panel: Any, nanometres: float) -> None:
    """Draw a bar with its length into the lower left corner of an image."""
    from matplotlib.patheffects import withStroke

    left, right = panel.get_xlim()
    bottom, top = panel.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.07 * (top - bottom)
    width = nanometres / PIXEL_NM
    panel.plot([x, x + width], [y, y], color="white", linewidth=3, solid_capstyle="butt",
               path_effects=[withStroke(linewidth=5, foreground="black")])  # fmt: skip
    panel.text(x + width / 2, y + 0.025 * (top - bottom), f"{nanometres:.0f} nm", color="white",
               ha="center", va="bottom", fontsize=8,
               path_effects=[withStroke(linewidth=2.5, foreground="black")])  # fmt: skip
    panel.set(xticks=[], yticks=[], xlim=(left, right), ylim=(bottom, top))


def box_in_box(n: int) -> NDArray[np.float32]:
    """Polarisation of a film (n, n) poled up in a square and down in a smaller one, by the tip."""
    a, field = disordered(
        np.random.default_rng(4).normal(size=(2, 1, n, n)), writing.DISORDER, 0.03, 1.0
    )
    film = -np.ones((1, n, n), np.float32)
    relax(film, a, field, 100, writing.LANDAU)
    one = np.ones(1)
    for volts, low, high in ((7.0, 0.17, 0.83), (-7.0, 0.37, 0.63)):
        places = np.arange(low * n, high * n, 6.0)
        for y in places:
            for x in places:
                where = np.array([[x, y]])
                arguments = (where, volts * one, 1e-3 * one, one, lane_streams(1))
                writing.write(np.arange(1), film, a, field, *arguments)
    return film[0]


def draw_domains(directory: Path) -> None:
    """Draw PFM amplitude and phase of three films: ``film_domains.png``."""
    from matplotlib.figure import Figure

    n = 192
    generator = np.random.default_rng(11)
    films, titles = [], []
    cases = (
        ("as grown, weak disorder", 0.10, 0.02, 2.0, 2500, 1.0),
        ("as grown, strong disorder", 0.35, 0.16, 2.0, 2500, 0.6),
    )
    for title, spread, bias, length, steps, kappa in cases:
        a, field = disordered(generator.normal(size=(2, 1, n, n)), spread, bias, length)
        film = 0.3 * fe.correlated_noise(generator.normal(size=(1, n, n)), 3.0)
        relax(film, a, field, steps, fe.Landau(kappa=kappa, alpha=0.03, dt=0.15))
        films.append(film[0])
        titles.append(title)
    films.append(box_in_box(n))
    titles.append("poled by the tip, +7 V, then -7 V")
    figure = Figure(figsize=(10.2, 6.6), layout="constrained")
    panels = figure.subplots(2, 3)
    for column, (film, title) in enumerate(zip(films, titles, strict=True)):
        seen = ndimage.gaussian_filter(film.astype(np.float64), RESOLUTION, mode="nearest")
        strength, phase = cantilever.pfm(seen, DRIVE, F0, QUALITY, 3.0, generator)
        degrees = np.degrees(np.mod(phase + 0.5 * np.pi, 2.0 * np.pi)) - 90.0
        shown = (
            (strength, "inferno", 0.0, 1.15 * float(np.percentile(strength, 98))),
            (degrees, "twilight", -90.0, 270.0),
        )
        labels = ("amplitude / static", "phase / degrees")
        for row, (image, colours, low, high) in enumerate(shown):
            panel = panels[row, column]
            picture = panel.imshow(
                image, cmap=colours, vmin=low, vmax=high, interpolation="nearest"
            )
            scale_bar(panel, 200.0)
            if column == 2:
                figure.colorbar(picture, ax=panels[row], label=labels[row], shrink=0.9)
        panels[0, column].set_title(title, fontsize=10)
    figure.savefig(directory / "film_domains.png", dpi=130)


def draw_loops(directory: Path) -> None:
    """Draw a film, the areas of its local loops, and some of them: ``film_loops.png``."""
    from matplotlib.figure import Figure

    n = 96
    generator = np.random.default_rng(3)
    a, field = disordered(generator.normal(size=(2, 1, n, n)), 0.3, 0.1, 2.0)
    film = 0.3 * fe.correlated_noise(generator.normal(size=(1, n, n)), 3.0)
    relax(film, a, field, 600, fe.Landau(kappa=0.6, alpha=0.03, dt=0.15))
    law = np.array([2.0, 8.5, 0.6, 540.0, 0.27])
    span = np.arange(hysteresis.RIM, n - hysteresis.RIM)
    rows, columns = (grid.ravel() for grid in np.meshgrid(span, span, indexing="ij"))
    areas, lanes = np.empty(rows.size), np.zeros(rows.size, np.int64)
    hysteresis.loop_areas(
        film, a, field, lanes, np.stack([rows, columns], axis=1), law[None], np.ones(rows.size),
        areas,
    )  # fmt: skip
    order = np.argsort(areas)
    chosen = order[np.round(np.array([0.003, 0.25, 0.75, 0.997]) * rows.size).astype(int)]
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    seen = ndimage.gaussian_filter(film[0].astype(np.float64), RESOLUTION, mode="wrap")
    strength, phase = cantilever.pfm(seen, DRIVE, F0, QUALITY, 2.0, generator)
    free = cantilever.response(DRIVE, F0, QUALITY)
    signal = strength * np.cos(phase - np.angle(free)) / abs(free)
    image = left.imshow(signal, cmap="cividis", vmin=-1.4, vmax=1.4)
    figure.colorbar(image, ax=left, label="piezoresponse / P$_0$", shrink=0.85)
    edge = (span[0] - 0.5, span[-1] + 0.5, span[-1] + 0.5, span[0] - 0.5)
    shown = middle.imshow(areas.reshape(len(span), -1), cmap="inferno", extent=edge)
    left.set(xlim=edge[:2], ylim=edge[2:])
    figure.colorbar(shown, ax=middle, label="loop area / V", shrink=0.85)
    for index, colour in zip(chosen, ("#2a7fff", "#00a087", "#e68a00", "#d62768"), strict=True):
        place = int(rows[index]), int(columns[index])
        for panel in (left, middle):
            panel.plot(place[1], place[0], "o", markersize=8, markerfacecolor=colour,
                       markeredgecolor="white", markeredgewidth=1.2)  # fmt: skip
        volts, seen = hysteresis.loop_curve(film[0], a[0], field[0], place, law)
        noisy = seen + generator.normal(0.0, 0.015, seen.size)
        right.plot(volts, noisy, color=colour, linewidth=1.2, label=f"{areas[index]:.1f} V")
    for panel, title in ((left, "film"), (middle, "loop areas")):
        scale_bar(panel, 100.0)
        panel.set_title(title, fontsize=10)
    right.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
    right.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    right.set(xlabel="bias / V", ylabel="piezoresponse / P$_0$")
    right.set_title("local loops, by their area", fontsize=10)
    right.legend(fontsize=8)
    figure.savefig(directory / "film_loops.png", dpi=130)


def radius_law(volts: NDArray[np.float64], r_c: float, r_0: float, v_c: float) -> Any:
    """Radius of a written domain, r_c + r_0 [(V/V_c)^2 - 1]^(1/3)."""
    return r_c + r_0 * np.cbrt((volts / v_c) ** 2 - 1.0)


def fit_radius_law(
    volts: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[float, float, float]:
    """r_c, r_0 and V_c by least squares; V_c by trial, for the law is linear in the others."""
    best, fitted = np.inf, (0.0, 0.0, 0.0)
    for v_c in np.linspace(0.4 * volts[0], volts[0], 200, endpoint=False):
        shape = np.stack([np.ones_like(volts), np.cbrt((volts / v_c) ** 2 - 1.0)], axis=1)
        (r_c, r_0), *_ = np.linalg.lstsq(shape, radii, rcond=None)
        error = float(((shape @ (r_c, r_0) - radii) ** 2).sum())
        if error < best:
            best, fitted = error, (float(r_c), float(r_0), float(v_c))
    return fitted


def written_radii(
    volts: NDArray[np.float64], seconds: float, films: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Radii in pixels of dots written into ``films`` films by each voltage, and the first films."""
    lanes = len(volts) * films
    white = np.random.default_rng([5, seed]).normal(size=(2, films, writing.SIZE, writing.SIZE))
    a = -1.0 + writing.DISORDER * fe.correlated_noise(white[0], writing.DISORDER_LENGTH)
    field = writing.RANDOM_FIELD * fe.correlated_noise(white[1], writing.RANDOM_FIELD_LENGTH)
    shape = (len(volts), 1, 1)
    film = np.full((lanes, writing.SIZE, writing.SIZE), -1.0, np.float32)
    ones = np.ones(lanes)
    writing.write(
        np.arange(lanes),
        film,
        np.tile(a, shape).astype(np.float32),
        np.tile(field, shape).astype(np.float32),
        np.full((lanes, 2), writing.SIZE / 2 - 0.5),
        np.repeat(volts, films),
        seconds * ones,
        ones,
        lane_streams(lanes),
    )
    area = (film > 0.0).sum(axis=(1, 2)).reshape(len(volts), films)
    return np.sqrt(area / np.pi), film.reshape(len(volts), films, *film.shape[1:])[:, 0]


def draw_writing(directory: Path, quick: bool, seed: int) -> list[Check]:
    """Fit the law of the written radius, and draw dots and radii: ``film_writing.png``."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    durations = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    volts = np.arange(1.5, 9.01, 0.25)
    many = 8 if quick else 24
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    dots, left, right = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    checks, rows, means = [], [], []
    colours = colormaps["viridis"](np.linspace(0.0, 0.9, len(durations)))
    for seconds, colour in zip(durations, colours, strict=True):
        radii, films = written_radii(volts, seconds, many, seed)
        mean = radii.mean(axis=1)
        written = (radii > 0.5).all(axis=1)
        law = fit_radius_law(volts[written], mean[written])
        off = radius_law(volts[written], *law) - mean[written]
        name = f"rms deviation from the radius law, pulses of {seconds:g} s"
        source = f"r_c + r_0 [(V/V_c)^2 - 1]^(1/3): {law[0]:.2f}, {law[1]:.2f} px, {law[2]:.2f} V"
        checks.append(Check(name, float(np.sqrt((off**2).mean())), 0.0, 0.1, "px", source))
        scatter = radii.std(axis=1)
        left.errorbar(
            volts[written], PIXEL_NM * mean[written], PIXEL_NM * scatter[written], fmt="o",
            markersize=3, color=colour, linewidth=0.8, label=f"{1e3 * seconds:g} ms",
        )  # fmt: skip
        fine = np.linspace(law[2], volts[-1], 200)
        left.plot(fine, PIXEL_NM * radius_law(fine, *law), color=colour, linewidth=1)
        means.append(mean)
        half = writing.SIZE // 2
        part = slice(half - 9, half + 9)
        rows.append(np.concatenate([films[n, part, part] for n in range(6, len(volts), 4)], axis=1))
    picture = np.concatenate(rows[::-1]).astype(np.float64)
    noise = np.random.default_rng(2).normal(0.0, 0.12, picture.shape)
    image = dots.imshow(picture + noise, cmap="cividis", vmin=-1.4, vmax=1.4)
    figure.colorbar(image, ax=dots, label="piezoresponse / P$_0$", shrink=0.75)
    centres = 8.5 + 18.0 * np.arange(len(rows))
    dots.set(yticks=centres, yticklabels=[f"{1e3 * s:g}" for s in durations[::-1]])
    columns = volts[6::4]
    dots.set(xticks=8.5 + 18.0 * np.arange(len(columns)), xlabel="pulse / V", ylabel="pulse / ms")
    dots.set_xticklabels([f"{v:g}" for v in columns])
    dots.plot([2, 22], [87.2, 87.2], color="white", linewidth=3, solid_capstyle="butt")
    dots.text(24, 87.2, "100 nm", color="white", ha="left", va="center", fontsize=8)
    left.set(xlabel="pulse / V", ylabel="radius / nm")
    left.legend(fontsize=8)
    for value in (3.0, 5.0, 7.0, 9.0):
        index = int(np.abs(volts - value).argmin())
        right.semilogx(durations, PIXEL_NM * np.array(means)[:, index], "o-", markersize=4,
                       linewidth=1, label=f"{value:g} V")  # fmt: skip
    right.set(xlabel="pulse / s", ylabel="radius / nm")
    right.legend(fontsize=8)
    for panel, title in (
        (dots, "dots on one film"),
        (left, r"$r_c + r_0\,[(V/V_c)^2 - 1]^{1/3}$"),
        (right, "growth with time"),
    ):
        panel.set_title(title, fontsize=10)
    figure.savefig(directory / "film_writing.png", dpi=130)
    return checks
