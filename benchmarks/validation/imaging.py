"""HAADF images against abTEM, Poisson's law and the count of dose; frames as one sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import stats

from mattergym.benchmarks.validation import abtem_haadf, abtem_optics, frames
from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.envs.stem import microscope
from mattergym.physics.imaging import detector, haadf
from mattergym.physics.optics import aberrations
from mattergym.physics.poisson import poisson_counts

ELEMENTS = (6, 7, 14, 16, 42, 74)
MEANS = (0.3, 1.0, 5.0, 9.7, 50.0, 500.0, 3000.0)


def _abtem_optics() -> list[Check]:
    """Aberration functions and probes of fourteen aberrations at three voltages."""
    checks = []
    with np.load(abtem_optics.FILE) as arrays:
        for index, voltage in enumerate(abtem_optics.VOLTAGES):
            at = f"all aberrations to 5th order, {voltage / 1e3:g} kV"
            error = np.abs(abtem_optics.our_wave(index) - arrays["waves"][index]).max()
            checks.append(
                Check(
                    f"largest error of exp(-i chi) within 40 mrad, {at}",
                    float(error),
                    0.0,
                    1e-5,
                    "1",
                    "abTEM 1.0.11",
                )
            )
            wanted = arrays["probes"][index]
            error = np.abs(abtem_optics.our_probe(index) - wanted).max() / wanted.max()
            checks.append(
                Check(
                    f"largest error of the probe, {at}",
                    float(error),
                    0.0,
                    1e-3,
                    "its maximum",
                    "abTEM 1.0.11",
                )
            )
    return checks


def _abtem_haadf(directory: Path) -> list[Check]:
    """Silicon in graphene: multislice and ours side by side, their profile and difference."""
    from matplotlib.figure import Figure

    with np.load(abtem_haadf.FILE) as arrays:
        wanted = arrays["images"]
    images = np.array([abtem_haadf.our_image(*case) for case in abtem_haadf.CASES])
    checks = []
    figure = Figure(figsize=(9.5, 9), layout="constrained")
    panels = figure.subplots(len(images), 4, width_ratios=(1, 1, 1.15, 1.5))
    middle = images.shape[1] // 2
    reach = abtem_haadf.STEP * middle
    x = np.linspace(-reach, reach, images.shape[1])
    for (voltage, lens), ours, theirs, row in zip(
        abtem_haadf.CASES, images, wanted, panels, strict=True
    ):
        name = f"{voltage / 1e3:g} kV" + (", aberrated" if lens else "")
        rms = float(np.sqrt(((ours - theirs) ** 2).mean()) / theirs.max())
        checks.append(
            Check(
                f"rms error of the HAADF image of silicon in graphene, {name}",
                rms,
                0.0,
                0.01,
                "its maximum",
                "abTEM 1.0.11, multislice",
            )
        )
        extent = (-reach, reach, -reach, reach)
        for panel, image, title in ((row[0], theirs, "abTEM"), (row[1], ours, "MatterGym")):
            panel.imshow(
                image.T, cmap="gray", vmin=0, vmax=theirs.max(), origin="lower", extent=extent
            )
            panel.set_title(f"{title}, {name}", fontsize=8)
            panel.plot([-3.0, -1.0], [-3.0, -3.0], color="white", linewidth=3)
            panel.text(-2.0, -2.8, "2 A", color="white", fontsize=8, ha="center")
            panel.set_axis_off()
        difference = 100.0 * (ours - theirs) / theirs.max()
        picture = row[2].imshow(
            difference.T, cmap="RdBu_r", vmin=-10, vmax=10, origin="lower", extent=extent
        )
        row[2].set_title(f"difference / % of maximum, rms {100 * rms:.2f}", fontsize=8)
        row[2].set_axis_off()
        figure.colorbar(picture, ax=row[2]).ax.tick_params(labelsize=7)
        scale = 100.0 / theirs.max()
        row[3].plot(x, scale * theirs[:, middle], "o", markersize=3, label="abTEM")
        row[3].plot(x, scale * ours[:, middle], linewidth=1.2, label="MatterGym")
        row[3].set_ylabel("% of maximum", fontsize=8)
        row[3].tick_params(labelsize=7)
    panels[0, 3].legend(fontsize=8)
    panels[-1, 3].set_xlabel("x through the silicon / A", fontsize=8)
    figure.savefig(directory / "haadf.png", dpi=120)
    return checks


def _z_contrast() -> list[Check]:
    """Exponent of the cross-section against atomic number, over six elements."""
    checks = []
    for voltage in (60e3, 80e3, 200e3, 300e3):
        sections = [haadf.cross_section(number, voltage) for number in ELEMENTS]
        slope = float(np.polyfit(np.log(ELEMENTS), np.log(sections), 1)[0])
        checks.append(
            Check(
                f"Z-contrast exponent, {voltage / 1e3:g} kV, 80-200 mrad",
                slope,
                1.7,
                0.2,
                "1",
                "1.5 to 1.9, Krivanek et al. 2010",
            )
        )
    return checks


def _chi_square(counts: np.ndarray, mean: float) -> float:
    """Chi-square of counts against Poisson's law, in standard deviations from its mean."""
    total = counts.size
    low, high = stats.poisson.ppf([20 / total, 1 - 20 / total], mean).astype(int)
    values = np.arange(low, high + 1)
    law = stats.poisson.pmf(values, mean)
    law[0], law[-1] = stats.poisson.cdf(low, mean), stats.poisson.sf(high - 1, mean)
    observed = np.bincount(np.clip(counts, low, high) - low, minlength=len(values))
    statistic = ((observed - total * law) ** 2 / (total * law)).sum()
    freedom = len(values) - 1
    return float((statistic - freedom) / np.sqrt(2.0 * freedom))


def _noise(quick: bool, seed: int) -> list[Check]:
    """Check the whole law of counts, its variance, and signal over noise against dose."""
    draws = 1_000_000 if quick else 4_000_000
    checks = []
    for k, mean in enumerate(MEANS):
        counts = np.zeros((1, draws), np.int64)
        poisson_counts(
            np.arange(1), np.full((1, draws), mean), lane_streams(1, 10 + k, seed), counts
        )
        at = f"Poisson counts, mean {mean:g}"
        checks.append(
            Check(
                f"{at}: variance over mean",
                float(counts.var() / counts.mean()),
                1.0,
                0.01,
                "1",
                "Poisson's law",
            )
        )
        checks.append(
            Check(
                f"{at}: chi-square, standardised",
                _chi_square(counts[0], mean),
                0.0,
                4.5,
                "1",
                "Poisson's law",
            )
        )
    doses = np.geomspace(1e2, 1e6, 9)
    fraction = np.full((1, 256, 256), 2e-3, np.float32)
    streams = lane_streams(1, 3, seed)
    ratio = []
    for electrons in doses:
        exposed = detector.expose(fraction, electrons, streams)
        ratio.append(exposed.mean() / exposed.std())
    exponent = float(np.polyfit(np.log(doses), np.log(ratio), 1)[0])
    checks.append(
        Check("exponent of signal over noise against dose", exponent, 0.5, 0.005, "1", "Poisson")
    )
    return checks


def _dose(quick: bool, seed: int) -> list[Check]:
    """Dose of a pixel, of the instrument's frame, and the counts that a dose brings."""
    pixels, size, dwell = 128, 0.15, 10.0
    of_frame = microscope.frame_dose(pixels**2, dwell, pixels * size / 10.0, 50.0)
    dose = detector.dose(50.0, dwell, size)
    camera = haadf.Haadf(pixels, size, 60e3, 0.030)
    section = haadf.cross_section(74, 60e3)
    place = np.full((1, 1, 2), 0.5 * (pixels - 1) * size)
    fraction = camera(np.arange(1), place, np.full((1, 1), section))
    v = 2.0 * np.pi * 0.030 * (pixels * size / 2.0) / float(aberrations.wavelength(60e3))
    lanes = 100 if quick else 1000
    counts = detector.expose(
        np.repeat(fraction, lanes, axis=0), dose * size**2, lane_streams(lanes, 5, seed)
    ).sum(axis=(1, 2))
    return [
        Check(
            "dose of 50 pA for 20 us on 0.05 A^2",
            detector.dose(50.0, 20.0, float(np.sqrt(0.05))) / 1e5,
            1.25,
            0.003,
            "1e5 e/A^2",
            "50e-12/e * 20e-6 / 0.05",
        ),
        Check(
            "dose of the instrument's frame over that of its pixels",
            of_frame / dose,
            1.0,
            1e-12,
            "1",
            "definition",
        ),
        Check(
            "counts from one tungsten atom over dose times cross-section",
            float(counts.mean() / (dose * section)),
            1.0 - 2.0 / (np.pi * v),
            0.01,
            "1",
            "tails of the probe beyond the frame: 2/(pi v), Born & Wolf 8.5.2",
        ),
    ]


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check images, noise and dose; draw ``haadf.png`` and ``frames.png``."""
    frames.draw(directory / "frames.png")
    return [
        *_abtem_optics(),
        *_abtem_haadf(directory),
        *_z_contrast(),
        *_noise(quick, seed),
        *_dose(quick, seed),
    ]
