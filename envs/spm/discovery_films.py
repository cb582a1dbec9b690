"""Films of SPMDiscovery: domains that relaxed in a disorder that is new in every episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.film import hysteresis
from mattergym.physics.film import landau as film_landau
from mattergym.physics.rng import fill_normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 64  # px
FIELD_PER_VOLT = 0.27
# Steps from smooth noise of this correlation length in px to domains.
RELAXATION, START_LENGTH = 600, 3.0
DEPOLARIZATION = 0.03
# Ranges of what is hidden: tip depth in px, Vmax in V, kappa, steps of a loop, sd of a(x), sd of
# the random field, correlation length in px.
LOW = np.array([1.5, 7.0, 0.4, 400.0, 0.12, 0.03, 1.3])
HIGH = np.array([2.6, 10.0, 0.8, 680.0, 0.35, 0.12, 2.5])
# The shifted films: stronger disorder of shorter range.
SHIFT = np.array([1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 0.7])


@njit(cache=True)
def draw_laws(low: Any, high: Any, streams: Any, law: Any, disorder: Any, white: Any) -> None:
    """Draw what is hidden.

    Parameters
    ----------
    low, high : ndarray of float64, shape (7,)
        Ranges, in the order of :data:`LOW`.
    streams : ndarray of uint64, shape (B, 4)
    law : ndarray of float64, shape (B, 5)
        Filled with columns as in :mod:`mattergym.physics.film.hysteresis`.
    disorder : ndarray of float64, shape (B, 3)
        Filled with the sd of a(x), the sd of the random field, and their length in px.
    white : ndarray of float64, shape (B, 3, H, W)
        Filled with standard normal numbers.
    """
    for b in range(len(streams)):
        s = streams[b]
        for column in range(7):
            value = low[column] + (high[column] - low[column]) * uniform(s)
            if column == hysteresis.STEPS:
                value = np.floor(value)
            if column < 4:
                law[b, column] = value
            else:
                disorder[b, column - 4] = value
        law[b, hysteresis.FIELD_PER_VOLT] = FIELD_PER_VOLT
        fill_normal(s, white[b].reshape(white[b].size))


def draw_films(
    low: NDArray[np.float64], high: NDArray[np.float64], streams: NDArray[np.uint64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Draw films and the laws of their loops, one a stream.

    Parameters
    ----------
    low, high : ndarray of float64, shape (7,)
        Ranges, in the order of :data:`LOW`.
    streams : ndarray of uint64, shape (B, 4)
        Advanced.

    Returns
    -------
    polarization, a, field : ndarray of float32, shape (B, 64, 64)
        Relaxed polarisation, quadratic coefficient, random field.
    law : ndarray of float64, shape (B, 5)
        As :func:`mattergym.physics.film.hysteresis.loop_areas` takes them.
    """
    lanes, smooth = len(streams), film_landau.correlated_noise
    law, disorder = np.empty((lanes, 5)), np.empty((lanes, 3))
    white = np.empty((lanes, 3, SIZE, SIZE))
    draw_laws(low, high, streams, law, disorder, white)
    polarization = 0.3 * smooth(white[:, 2], START_LENGTH)
    a, field = np.empty_like(polarization), np.empty_like(polarization)
    still, none = np.zeros_like(polarization), np.zeros(lanes)
    steps = np.full(lanes, RELAXATION)
    for b, (varied, biased, length) in enumerate(disorder):
        a[b] = -1.0 + varied * smooth(white[b, :1], length)[0]
        field[b] = biased * smooth(white[b, 1:2], length)[0]
        landau = film_landau.Landau(
            kappa=float(law[b, hysteresis.KAPPA]), alpha=DEPOLARIZATION, dt=float(hysteresis.DT)
        )
        films = (polarization, a, field, still)
        film_landau.relax(np.array([b]), *films, none, steps, landau, streams)
    return polarization, a, field, law
