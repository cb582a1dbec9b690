"""The Ising kernels against Onsager, Yang and Kaufman."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mattergym.benchmarks.validation.check import Check, lane_streams
from mattergym.physics.ising import exact, observables
from mattergym.physics.ising.checkerboard import checkerboard_sweeps
from mattergym.physics.ising.cluster import wolff_updates

SIZE = 64
SITES = SIZE * SIZE


def _sample(
    temperatures: np.ndarray, lanes: int, samples: int, between: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Equilibrate by Wolff clusters, then sample E/N and |m| under the heat bath.

    Returns two arrays of shape (samples, temperatures, lanes).
    """
    t = np.repeat(temperatures, lanes)
    streams = lane_streams(len(t), 0, seed)
    spins = np.ones((len(t), SIZE, SIZE), np.int8)
    wolff_updates(spins, t, streams, 400)
    checkerboard_sweeps(spins, t, 0.0, streams, 200)
    energies, moments = [], []
    for _ in range(samples):
        checkerboard_sweeps(spins, t, 0.0, streams, between)
        wolff_updates(spins, t, streams, 5)
        c = observables.directional_correlations(spins)
        energies.append(-c.sum(1))
        moments.append(np.abs(observables.magnetization(spins)))
    shape = (samples, len(temperatures), lanes)
    return np.reshape(energies, shape), np.reshape(moments, shape)


def run(directory: Path, quick: bool = False, seed: int = 0) -> list[Check]:
    """Compare energy and |m| with exact results, and draw them with chi and cv: ``ising.png``."""
    from matplotlib.figure import Figure

    tc = exact.critical_temperature()
    points = np.array([1.5, 2.0, tc, 2.5, 3.5])
    temperatures = np.unique(np.concatenate([points, np.linspace(1.4, 3.6, 6 if quick else 20)]))
    lanes = 8
    energy, moment = _sample(temperatures, lanes, 60 if quick else 400, 2, seed)
    mean_energy = energy.mean(axis=0)
    error = mean_energy.std(axis=1, ddof=1) / np.sqrt(lanes)
    checks = []
    for t in points:
        i = int(np.searchsorted(temperatures, t))
        target = exact.kaufman_energy(SIZE, float(t))
        # Eight independent lanes: Student's t, 7 degrees of freedom, two-sided p = 1e-4.
        checks.append(
            Check(
                f"energy per site, L = {SIZE}, T = {t:.4f}",
                float(mean_energy[i].mean()),
                target,
                float(7.9 * error[i]),
                "J",
                "Kaufman 1949",
            )
        )
    for t in (1.5, 2.0):
        i = int(np.searchsorted(temperatures, t))
        value = moment.mean(axis=0)[i]
        checks.append(
            Check(
                f"|m|, L = {SIZE}, T = {t}",
                float(value.mean()),
                float(exact.spontaneous_magnetization(t)),
                float(7.9 * value.std(ddof=1) / np.sqrt(lanes) + 1e-4),
                "1",
                "Yang 1952",
            )
        )

    fine = np.linspace(temperatures[0], temperatures[-1], 400)
    chi = observables.susceptibility(moment, temperatures[:, None], SITES).mean(1)
    cv = observables.heat_capacity(energy * SITES, temperatures[:, None], SITES).mean(1)
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    data = (mean_energy.mean(1), moment.mean(axis=(0, 2)), chi, cv)
    labels = ("energy per site / J", "|m|", "susceptibility of |m| per site", "heat capacity / kB")
    curves = (
        exact.onsager_energy(fine),
        exact.spontaneous_magnetization(fine),
        None,
        exact.onsager_heat_capacity(fine),
    )
    for panel, y, label, curve in zip(panels, data, labels, curves, strict=True):
        if curve is not None:
            panel.plot(fine, curve, color="0.5", label="exact, infinite lattice")
        panel.plot(temperatures, y, "o", markersize=4, label=f"heat bath, L = {SIZE}")
        panel.axvline(tc, color="0.8", linewidth=1)
        panel.set(xlabel="T / (J/kB)", ylabel=label)
    panels[0].legend(fontsize=8)
    figure.savefig(directory / "ising.png", dpi=130)
    return checks
