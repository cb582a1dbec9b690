"""Statistics of scores: interquartile mean, stratified bootstrap, normalisation.

References
----------
Agarwal, R. et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice",
NeurIPS 34, arXiv:2108.13264.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray


def interquartile_mean(values: ArrayLike, axis: int | None = None) -> Any:
    """Mean of the middle half of the values (25 % trimmed from each end).

    Parameters
    ----------
    values : array_like
    axis : int, optional
        Axis to average over; default: all values.

    Returns
    -------
    float, or ndarray of float64 without that axis
    """
    return stats.trim_mean(np.asarray(values, float), 0.25, axis=axis)


def stratified_bootstrap(
    strata: Sequence[NDArray[np.float64]],
    statistic: Callable[..., Any] = interquartile_mean,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a statistic of pooled values, resampled within each stratum.

    Parameters
    ----------
    strata : sequence of ndarray, each of shape (n_i,)
        One array a training seed (or task).
    statistic : callable
        Of the pooled values, ``statistic(values, axis)``, as :func:`interquartile_mean`.
    confidence : float
        In (0, 1).
    resamples, seed : int

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        np.asarray(stratum)[rng.integers(len(stratum), size=(resamples, len(stratum)))]
        for stratum in strata
    ]
    values = statistic(np.concatenate(drawn, axis=1), axis=1)
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)


def probability_of_improvement(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Probability that a value of x exceeds one of y, ties counted half (Mann-Whitney U)."""
    return float(stats.mannwhitneyu(x, y).statistic) / (len(x) * len(y))


def normalized_score(
    score: NDArray[np.float64] | float, scripted: float, expert: float
) -> NDArray[np.float64]:
    """Scale scores so that the scripted agent has 0 and the expert 1, whatever the direction.

    Raises
    ------
    ValueError
        If scripted and expert are equal.
    """
    if scripted == expert:
        raise ValueError(f"scripted = expert = {scripted}: the scale has no length")
    return (np.asarray(score, float) - scripted) / (expert - scripted)
