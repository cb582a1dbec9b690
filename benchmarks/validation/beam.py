"""What the beam does to atoms: knock-on cross-sections, and the hops of silicon in graphene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg, stats

from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.physics.layers import damage, walk

# Voltage in kV, cross-section in barn and relative tolerance, of carbon in graphene.
TABLE = (
    (80, 4e-6, 0.5),
    (90, 5e-3, 0.2),
    (95, 0.060, 0.1),
    (100, 0.345, 0.05),
    (110, 2.5, 0.05),
    (120, 5.5, 0.1),
)
# True positions of the beam from the silicon in A, for the hops.
BEAMS = np.array([[0.2, 0.5], [-0.3, 0.4], [0.0, 0.0], [0.7, -0.4]])
TIMES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])  # over the mean waiting time
REACH = 4  # cells around the silicon that the exact chain knows


def _knock_on(panel: Any) -> list[Check]:
    """Largest transfers and cross-sections, and the curve of both against voltage."""
    checks = []
    for kilovolts, energy in ((60, 11.61), (80, 15.76), (200, 43.69), (300, 70.90)):
        value = float(damage.max_transfer(1e3 * kilovolts, damage.CARBON_MASS))
        name = f"largest energy transfer to carbon, {kilovolts} kV"
        checks.append(Check(name, value, energy, 0.02, "eV", "2E(E + 2mc^2)/Mc^2"))
    for kilovolts, barn, tolerance in TABLE:
        value = float(damage.displacement_cross_section(1e3 * kilovolts))
        checks.append(
            Check(
                f"displacement of carbon from graphene, {kilovolts} kV, over {barn:g} barn",
                value / barn,
                1.0,
                tolerance,
                "1",
                "McKinley-Feshbach with vibrations, Meyer et al. 2012, Susi et al. 2016",
            )
        )
    value = float(damage.max_transfer(86e3, damage.CARBON_MASS))
    checks.append(Check("threshold at rest of 86 kV", value, 16.9, 0.15, "eV", "Meyer et al. 2012"))
    rate = float(damage.event_rate(0.1, 60.0))
    checks.append(Check("rate of 0.1 barn at 60 pA on 1 A^2", rate, 0.37, 0.006, "1/s", "I/e"))
    voltage = np.linspace(60e3, 200e3, 500)
    vibrating = damage.displacement_cross_section(voltage)
    static = damage.displacement_cross_section(voltage, velocity_squared=0.0)
    with np.errstate(divide="ignore"):
        panel.semilogy(voltage / 1e3, vibrating, label="vibrating, <v²> = 3.17e5 m²/s²")
        panel.semilogy(voltage / 1e3, static, "--", color="0.5", label="at rest")
    kilovolts, barn, tolerance = np.array(TABLE).T
    panel.errorbar(
        kilovolts, barn, tolerance * barn, fmt="o", markersize=4, color="C1", label="table"
    )
    panel.set(
        xlabel="voltage / kV",
        ylabel="displacement of carbon / barn",
        ylim=(1e-7, 30),
        title="knock-on damage of graphene",
    )
    panel.legend(fontsize=7)
    return checks


def hop_chain(beam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sites about the silicon, (S, 3), the first its own, and the generator of its hops, (S, S).

    Without damage, in units of k0; hops that would leave the sites are left out.
    """
    cells = range(-REACH, REACH + 1)
    sites = np.array([(i, j, t) for i in cells for j in cells for t in (0, 1)])
    sites = sites[np.argsort((sites != 0).any(axis=1), kind="stable")]
    place = {tuple(site): k for k, site in enumerate(sites.tolist())}
    generator, rates = np.zeros((len(sites), len(sites))), np.empty(3)
    for k, (i, j, t) in enumerate(sites.tolist()):
        sign = 1 - 2 * t
        x, y = walk.position(i, j, t)
        walk.hop_rates(beam[0] - x, beam[1] - y, sign, rates)
        for (di, dj), rate in zip(walk.STEPS.tolist(), rates, strict=True):
            there = place.get((i + sign * di, j + sign * dj, 1 - t))
            if there is not None:
                generator[k, there] += rate
                generator[k, k] -= rate
    return sites, generator


def _hopped(beam: np.ndarray, seconds: float, lanes: int, purpose: int, seed: int) -> np.ndarray:
    """Sites (lanes, 3) after an exposure, k0 = 1/s, without damage."""
    site, lost = np.zeros((lanes, 3), np.int64), np.zeros(lanes, np.bool_)
    streams = lane_streams(lanes, purpose, seed)
    ones = np.ones(lanes)
    walk.expose(np.tile(beam, (lanes, 1)), seconds * ones, ones, 0.0 * ones, site, streams, lost)
    return site


def _hops(panels: Any, quick: bool, seed: int) -> list[Check]:
    """Where the silicon is after an exposure, against the exact chain of its rates.

    Right for all times only if both the direction and the waiting time of every hop are.
    """
    lanes = 100_000 if quick else 400_000
    checks = []
    direction, waiting = panels
    rates = np.empty(3)
    for n, beam in enumerate(BEAMS):
        total = walk.hop_rates(beam[0], beam[1], 1, rates)
        sites, generator = hop_chain(beam)
        index = np.full((2 * REACH + 1, 2 * REACH + 1, 2), -1)
        index[sites[:, 0] + REACH, sites[:, 1] + REACH, sites[:, 2]] = np.arange(len(sites))
        statistic, freedom, seen = 0.0, 0, []
        for m, time in enumerate(TIMES / total):
            law = linalg.expm(generator * time)[0]
            i, j, t = _hopped(beam, time, lanes, 100 * n + m, seed).T
            there = index[np.clip(i, -REACH, REACH) + REACH, np.clip(j, -REACH, REACH) + REACH, t]
            counts = np.bincount(there, minlength=len(sites))
            rare = law * lanes < 10.0
            expected = lanes * np.append(law[~rare], law[rare].sum())
            observed = np.append(counts[~rare], counts[rare].sum())
            keep = expected > 1.0
            statistic += ((observed - expected)[keep] ** 2 / expected[keep]).sum()
            freedom += int(keep.sum()) - 1
            seen.append(counts)
        chance = stats.chi2.sf(statistic, freedom)
        checks.append(
            Check(
                f"hops under a beam {beam.tolist()} A from the silicon: chi-square, standardised",
                float((statistic - freedom) / np.sqrt(2.0 * freedom)),
                0.0,
                4.5,
                "1",
                f"master equation of the rate law, {freedom} degrees, p = {chance:.3f}",
            )
        )
        here = np.array(seen)[:, 0] / lanes
        fine = np.linspace(0.0, TIMES[-1], 60)
        exact = [linalg.expm(generator * t / total)[0, 0] for t in fine]
        label = f"beam at ({beam[0]:g}, {beam[1]:g}) A"
        waiting.plot(fine, exact, color=f"C{n}", linewidth=1)
        waiting.plot(TIMES, here, "o", color=f"C{n}", markersize=4, label=label)
        # First hops: the shortest exposure.
        first = [seen[0][index[i + REACH, j + REACH, 1]] for i, j in walk.STEPS.tolist()]
        x = np.arange(3) + 0.2 * (n - 1.5)
        direction.bar(x, rates / total, 0.18, color=f"C{n}", alpha=0.4)
        share = np.array(first) / sum(first)
        error = np.sqrt(share * (1.0 - share) / sum(first))
        direction.errorbar(x, share, 3 * error, fmt="o", color=f"C{n}", markersize=3)
    waiting.plot(fine, np.exp(-fine), "--", color="0.6", linewidth=1, label="without return")
    waiting.set(
        xlabel="exposure x total rate", ylabel="silicon at its first site", title="waiting times"
    )
    waiting.legend(fontsize=7)
    direction.set(
        xticks=range(3),
        xticklabels=["up", "left", "right"],
        ylabel="share of first hops",
        title="directions: rates (bars), hops (3 s.d.)",
    )
    return checks


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check damage and hops, and draw them: ``beam.png``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    one, two, three = figure.subplots(1, 3)
    checks = [*_knock_on(one), *_hops((two, three), quick, seed)]
    figure.savefig(directory / "beam.png", dpi=120)
    return checks
