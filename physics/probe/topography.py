"""What the tip moves over: surfaces, dilation by a blunt tip, creep and drift of the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

ISLANDS = 24


@njit(cache=True)
def correlated_field(field: Any, length: float, stream: Any) -> None:
    """Fill (H, W) float64 with noise of mean 0 and variance 1, correlated over ``length`` px.

    White noise runs twice through a first-order recursive filter to and fro along both axes; twice,
    because once would leave the axes visible.
    """
    rows, columns = field.shape
    keep = np.exp(-1.0 / length)
    for i in range(rows):
        for j in range(columns):
            field[i, j] = uniform(stream) - 0.5
    for _ in range(2):
        for i in range(rows):
            for j in range(1, columns):
                field[i, j] += keep * (field[i, j - 1] - field[i, j])
            for j in range(columns - 2, -1, -1):
                field[i, j] += keep * (field[i, j + 1] - field[i, j])
        for i in range(1, rows):
            for j in range(columns):
                field[i, j] += keep * (field[i - 1, j] - field[i, j])
        for i in range(rows - 2, -1, -1):
            for j in range(columns):
                field[i, j] += keep * (field[i + 1, j] - field[i, j])
    standardise(field, 1.0)


@njit(cache=True)
def standardise(field: Any, sigma: float) -> None:
    """Shift and scale (H, W) float64 in place to mean 0 and a standard deviation."""
    rows, columns = field.shape
    mean = square = 0.0
    for i in range(rows):
        for j in range(columns):
            mean += field[i, j]
            square += field[i, j] * field[i, j]
    mean /= rows * columns
    scale = sigma / np.sqrt(max(square / (rows * columns) - mean * mean, 1e-12))
    for i in range(rows):
        for j in range(columns):
            field[i, j] = (field[i, j] - mean) * scale


@njit(cache=True)
def draw_surface(surface: Any, scratch: Any, sigma: float, stream: Any) -> None:
    """Draw a surface of standard deviation ``sigma`` nm: terraces, islands, fine roughness.

    Parameters
    ----------
    surface, scratch : ndarray of float64, shape (H, W)
        The surface is filled; the scratch is overwritten.
    sigma : float
        nm.
    stream : ndarray of uint64, shape (4,)
    """
    rows, columns = surface.shape
    angle = np.pi * (uniform(stream) - 0.5)
    terrace = 20.0 + 50.0 * uniform(stream)
    phase = uniform(stream)
    wobble = 0.05 + 0.25 * uniform(stream)
    share = 0.3 + 0.7 * uniform(stream)
    dx, dy = np.cos(angle) / terrace, np.sin(angle) / terrace
    correlated_field(scratch, 4.0 + 6.0 * uniform(stream), stream)
    for i in range(rows):
        for j in range(columns):
            where = i * dy + j * dx + phase + wobble * scratch[i, j]
            step = np.floor(where)
            # An edge is a few px wide, as a tip of finite radius draws it.
            edge = min((where - step) * terrace / 3.0, 1.0)
            surface[i, j] = share * (step + edge - where * 0.8)
    size = 3.0 + 6.0 * uniform(stream)
    islands = int(ISLANDS * uniform(stream))
    for _ in range(islands):
        y, x = rows * uniform(stream), columns * uniform(stream)
        radius = size * (0.6 + 0.8 * uniform(stream))
        top = (1.0 - 0.5 * share) * (0.6 + 0.8 * uniform(stream))
        reach = int(radius) + 3
        for i in range(max(0, int(y) - reach), min(rows, int(y) + reach + 1)):
            for j in range(max(0, int(x) - reach), min(columns, int(x) + reach + 1)):
                flat = (radius - np.sqrt((i - y) ** 2 + (j - x) ** 2)) / 2.0 + 0.5
                # A flank two px wide; where islands meet the higher one counts.
                cap = top * min(max(flat, 0.0), 1.0)
                if cap > 0.0:
                    surface[i, j] += cap * 0.9
    rough = 0.02 + 0.15 * uniform(stream) ** 2
    correlated_field(scratch, 0.4 + 1.6 * uniform(stream), stream)
    for i in range(rows):
        for j in range(columns):
            surface[i, j] += rough * scratch[i, j]
    standardise(surface, sigma)


@njit(cache=True)
def dilate_line(line: Any, radius: float, pixel: float, out: Any) -> None:
    r"""Heights that a parabolic tip feels along a line.

    .. math:: h'(x) = \max_s [h(x + s) - s^2 / (2 R)]

    Parameters
    ----------
    line, out : ndarray of float64, shape (W,)
        nm.
    radius : float
        R in nm; 0 copies the line.
    pixel : float
        Width of a pixel in nm.
    """
    width = line.shape[0]
    if radius <= 0.0:
        out[:] = line
        return
    step = pixel * pixel / (2.0 * radius)
    highest = line.max()
    for j in range(width):
        best = line[j]
        reach = int(np.sqrt((highest - best) / step)) + 1
        for i in range(max(0, j - reach), min(width, j + reach + 1)):
            best = max(best, line[i] - step * (i - j) * (i - j))
        out[j] = best


@njit(cache=True)
def draw_surfaces(lanes: Any, surfaces: Any, sigma: Any, streams: Any) -> None:
    """Call :func:`draw_surface` in some lanes of (B, H, W), with ``sigma`` (B,) in nm."""
    scratch = np.empty(surfaces.shape[1:])
    for lane in lanes:
        draw_surface(surfaces[lane], scratch, sigma[lane], streams[lane])


@njit(cache=True)
def dilate_lines(lanes: Any, lines: Any, radius: Any, pixel: float, out: Any) -> None:
    """Call :func:`dilate_line` in some lanes of (B, W), with ``radius`` (B,) in nm."""
    for lane in lanes:
        dilate_line(lines[lane], radius[lane], pixel, out[lane])


def creep(
    step: NDArray[np.float64] | float, seconds: NDArray[np.float64], strength: float = 0.02
) -> NDArray[np.float64]:
    r"""Position of a piezo stage after a step, creeping on with the logarithm of time.

    .. math:: x(t) = x_0 [1 + \gamma \log_{10}(t / 0.1\,\mathrm{s})], \quad t > 0.1\,\mathrm{s}

    and :math:`x_0` before; :math:`\gamma` of 1-2 % a decade is usual for lead zirconate titanate.

    Parameters
    ----------
    step : float or ndarray
        Size of the step, any length unit.
    seconds : ndarray of float64
        Time since the step.
    strength : float
        gamma.

    Returns
    -------
    ndarray of float64

    References
    ----------
    Vieira, S. (1986), "The behavior and calibration of some piezoelectric ceramics used in the
    STM", IBM J. Res. Dev. 30, 553.
    """
    time = np.maximum(np.asarray(seconds, np.float64) / 0.1, 1.0)
    return np.asarray(step * (1.0 + strength * np.log10(time)))


def drift(
    velocity: NDArray[np.float64], seconds: NDArray[np.float64], settling_s: float = np.inf
) -> NDArray[np.float64]:
    r"""Displacement of a stage that warms up: velocity decays exponentially, or never.

    .. math:: x(t) = v_0 \tau (1 - e^{-t/\tau})

    Parameters
    ----------
    velocity : ndarray of float64
        v0, any length unit a second.
    seconds : ndarray of float64
        Broadcasts against ``velocity``.
    settling_s : float
        tau in s; infinity for constant drift.

    Returns
    -------
    ndarray of float64
    """
    if np.isinf(settling_s):
        return np.asarray(velocity * seconds)
    return np.asarray(-velocity * settling_s * np.expm1(-seconds / settling_s))
