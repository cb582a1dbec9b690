"""The cross-entropy method with a full covariance, for agents and for policies that are shipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def cross_entropy(
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    population: int,
    generations: int,
    rng: np.random.Generator,
    learning_rate: float = 0.3,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Minimise a noisy score by moving a Gaussian towards its best quarter, weighted by rank.

    What is kept is an exponential average of the means over generations, with a memory of
    1/sqrt(generation), at least 0.1.

    Parameters
    ----------
    score : callable
        Takes candidates float64 (population, n), returns their scores, float64 (population,).
    mean, spread : ndarray of float64, shape (n,)
        Of the first Gaussian; spreads are standard deviations.
    population, generations : int
    rng : numpy.random.Generator
    learning_rate : float
        Share of a generation in the covariance.

    Yields
    ------
    average : ndarray of float64, shape (n,)
        What is kept so far.
    scores : ndarray of float64, shape (population,)
        Of the generation.

    References
    ----------
    Rubinstein, R. Y. (1999), Methodol. Comput. Appl. Probab. 1, 127.
    Hansen, N. & Ostermeier, A. (2001), Evol. Comput. 9, 159 (weights by rank).
    """
    average, covariance = mean.copy(), np.diag(spread**2)
    elite = population // 4
    weights = np.log(elite + 0.5) - np.log(np.arange(1, elite + 1))
    weights /= weights.sum()
    for generation in range(generations):
        noise = rng.standard_normal((population, mean.size))
        moves = np.einsum("pj,ij->pi", noise, np.linalg.cholesky(covariance))
        scores = score(mean + moves)
        best = moves[np.argsort(scores)[:elite]]
        mean = mean + weights @ best
        outer = np.einsum("p,pi,pj->ij", weights, best, best)
        covariance = (1.0 - learning_rate) * covariance + learning_rate * outer
        memory = max(0.1, 1.0 / (generation + 1) ** 0.5)
        average = (1.0 - memory) * average + memory * mean
        yield average, scores
