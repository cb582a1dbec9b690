"""The analyst of point defects: how often it is right and wrong, against dose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import stats

from mattergym.benchmarks.validation.check import Check
from mattergym.envs.objectives import dose_efficiency
from mattergym.envs.stem.survey import THRESHOLD
from mattergym.physics.layers import survey
from mattergym.physics.rng import seed_streams

DOSES = np.array([500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 32000.0])  # e/A^2
FIELD, LANES = 42, 500
KINDS = ("S vacancy in WS2", "Mo in WS2")
# Kind and dose at which both rates are neither 0 nor 1.
COMPARED = ((0, 4000.0), (0, 8000.0), (0, 16000.0), (1, 1000.0), (1, 2000.0), (1, 4000.0))


def _moments(
    layer: survey.Layer, sites: np.ndarray, dose: float, defective: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the log-likelihood ratio of sites, exact, (S,) each."""
    ratio, loss = layer.log_ratio[sites].astype(float), layer.loss[sites].astype(float)
    mean = loss / -np.expm1(ratio)
    electrons = dose * survey.PIXEL**2
    counts = electrons * (mean - loss if defective else mean)
    centre = (counts * ratio).sum(axis=1) + electrons * layer.total_loss[sites]
    return centre, np.sqrt((counts * ratio**2).sum(axis=1))


def predicted_rate(
    layer: survey.Layer, sites: np.ndarray, dose: float, defective: bool, threshold: np.ndarray
) -> np.ndarray:
    """Chance of a call above thresholds, (T,), in the mean over sites: normal approximation."""
    mean, deviation = _moments(layer, sites, dose, defective)
    rate: np.ndarray = stats.norm.sf((threshold[:, None] - mean) / deviation).mean(axis=1)
    return rate


def levels(
    layer: survey.Layer, sites: np.ndarray, dose: float, defective: bool, frames: int, seed: int = 0
) -> np.ndarray:
    """Log-likelihood ratios, (frames, S), of sites that are defective, or not.

    ``frames`` is a multiple of 500, or less.
    """
    lanes, count = min(frames, LANES), len(layer.vacancy)
    seen = []
    means = np.zeros((lanes, survey.PIXELS**2))
    seeds = np.arange(seed * lanes, (seed + 1) * lanes, dtype=np.uint64)
    for turn in range(frames // lanes):
        present = np.zeros((lanes, count), np.int8)
        present[:, sites] = defective
        evidence = np.zeros((lanes, count), np.float32)
        survey.scan_fields(
            np.full(lanes, FIELD),
            np.full(lanes, dose * survey.PIXEL**2),
            np.zeros(lanes),
            layer.first,
            layer.mean,
            layer.corner,
            layer.loss,
            layer.log_ratio,
            layer.total_loss,
            layer.vacancy,
            present,
            evidence,
            seed_streams(seeds, np.full(lanes, turn, np.uint64), 1 + defective),
            means,
            np.zeros(means.shape, np.int32),
        )
        seen.append(evidence[:, sites])
    return np.concatenate(seen)


def far_apart(layer: survey.Layer, vacancy: bool) -> np.ndarray:
    """Sites of a kind in one field, whose defects do not see each other."""
    sites = np.arange(layer.first[FIELD], layer.first[FIELD + 1])
    chosen: list[int] = []
    for site in sites[layer.vacancy[sites] == vacancy]:
        gaps = layer.positions[chosen] - layer.positions[site]
        if not chosen or np.hypot(*gaps.T).min() > 7.0:
            chosen.append(int(site))
    return np.array(chosen)


def _rates(directory: Path, quick: bool, seed: int) -> list[Check]:
    """Count true and false calls of both kinds of defects at every dose; ROC curves."""
    from matplotlib.figure import Figure

    lanes = 1000 if quick else 6000
    layer = survey.perfect_layer()
    figure = Figure(figsize=(14, 3.6), layout="constrained")
    panels = figure.subplots(1, 4)
    cut = np.array([THRESHOLD])
    checks = []
    for kind, name in enumerate(KINDS):
        sites = far_apart(layer, vacancy=kind == 0)
        hits, alarms = [], []
        for dose in DOSES:
            there = levels(layer, sites, dose, True, lanes, seed)
            nothing = levels(layer, sites, dose, False, lanes, seed)
            hits.append((there > THRESHOLD).mean())
            alarms.append((nothing > THRESHOLD).mean())
            if (kind, dose) in COMPARED:
                at = f"{name}, {dose:g} e/A^2"
                for title, rate, defective, threshold in (
                    ("true calls above 6", hits[-1], True, cut),
                    ("false calls above 0", (nothing > 0.0).mean(), False, 0.0 * cut),
                ):
                    wanted = predicted_rate(layer, sites, dose, defective, threshold)[0]
                    error = np.sqrt(wanted * (1.0 - wanted) / there.size)
                    checks.append(
                        Check(
                            f"{title}, {at}",
                            float(rate),
                            float(wanted),
                            float(0.015 + 4.5 * error),
                            "1",
                            "Neyman-Pearson, normal approximation",
                        )
                    )
                thresholds = np.linspace(-60.0, 60.0, 241)
                fine = np.linspace(-60.0, 60.0, 1000)
                curve = [predicted_rate(layer, sites, dose, d, fine) for d in (False, True)]
                seen = [(x.ravel()[:, None] > thresholds).mean(axis=0) for x in (nothing, there)]
                panels[kind].semilogx(*curve, color="0.7", linewidth=1)
                panels[kind].semilogx(*seen, ".", markersize=4, label=f"{dose:g} e/A²")
        checks.append(
            Check(
                f"false calls above 6, {name}: most at any dose",
                float(max(alarms)),
                0.0,
                float(np.exp(-THRESHOLD)),
                "1",
                "Wald's bound exp(-6)",
            )
        )
        for panel, rates, defective in ((panels[2], hits, True), (panels[3], alarms, False)):
            dose = np.geomspace(DOSES[0], DOSES[-1], 60)
            law = [predicted_rate(layer, sites, d, defective, cut)[0] for d in dose]
            panel.semilogx(dose, law, color=f"C{kind}", linewidth=1)
            panel.semilogx(DOSES, rates, "o", color=f"C{kind}", markersize=4, label=name)
        panels[kind].set(
            xlabel="false calls", ylabel="true calls", xlim=(1e-4, 1.2), title=f"ROC, {name}"
        )
        panels[kind].legend(fontsize=7, title="lines: normal law", title_fontsize=7)
    panels[3].axhline(np.exp(-THRESHOLD), color="0.6", linestyle="--", label="exp(-6)")
    panels[3].set(ylim=(1e-5, 1e-2), yscale="log")
    for panel, title in ((panels[2], "true calls above 6"), (panels[3], "false calls above 6")):
        panel.set(xlabel="dose / (e/A²)", title=title)
        panel.legend(fontsize=7)
    figure.savefig(directory / "analyst.png", dpi=120)
    return checks


def _dose_efficiency() -> list[Check]:
    """Two frames that find one and two of four defects, the third a false one."""
    area = np.array([0.0 * 2.0 + 0.25 * 3.0 + 0.75 * 1.0])
    value = dose_efficiency(area, np.array([6.0]), np.array([0.5]), 10.0)
    exact = (0.0 * 2.0 + 0.25 * 3.0 + 0.75 * 1.0 + 0.5 * 4.0) / 10.0
    return [Check("DEC-AUC of a known curve", float(value[0]), exact, 1e-12, "1", "by hand")]


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Check the rates of calls and the score, and draw the former: ``analyst.png``."""
    return [*_rates(directory, quick, seed), *_dose_efficiency()]
