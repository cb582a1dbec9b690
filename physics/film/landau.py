r"""Ferroelectric films by the time-dependent Ginzburg-Landau equation.

.. math:: f = \frac a2 P^2 + \frac b4 P^4 + \frac\kappa2 |\nabla P|^2 - E P,
          \qquad \partial_t P = -\frac{\delta F}{\delta P}

P is the out-of-plane polarisation, in units of the film's own; lengths are pixels unless ``dx``
says otherwise. Disorder is a map a(x) ("random bond", or random temperature) and a random field. A
film in a circuit that screens its charge incompletely feels a depolarising field, -alpha <P>.
The equation is integrated by explicit steps on a 5-point Laplacian, stable up to
:func:`longest_step`.

References
----------
Landau, L. D. & Khalatnikov, I. M. (1954), Dokl. Akad. Nauk SSSR 96, 469.
Tagantsev, A. K., Cross, L. E. & Fousek, J. (2010), "Domains in Ferroic Crystals and Thin Films".
Kalinin, S. V. et al. (2004), Phys. Rev. B 70, 184101 (the tip as a point charge).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.fft
from numba import njit

from mattergym.physics.rng import normal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NEUMANN, PERIODIC = range(2)
# Columns before the film's first in a padded row: 64 bytes, so that vectors are read in one go.
MARGIN = 16


class Landau(NamedTuple):
    """Constants of a film.

    Attributes
    ----------
    b, kappa : float
        Quartic and gradient coefficients.
    alpha : float
        Mean-field depolarisation.
    dx, dt : float
        Pixel and time step.
    noise : float
        Temperature: the variance of the thermal noise is 2 noise dt a step and pixel.
    edges : int
        ``NEUMANN`` or ``PERIODIC``.
    """

    b: float = 1.0
    kappa: float = 1.0
    alpha: float = 0.0
    dx: float = 1.0
    dt: float = 0.1
    noise: float = 0.0
    edges: int = PERIODIC


def longest_step(kappa: float, dx: float, a: float) -> float:
    """Largest stable explicit time step about P = sqrt(-a/b): 2/(8 kappa/dx^2 + 2 |a|)."""
    return 2.0 / (8.0 * kappa / dx**2 + 2.0 * abs(a))


@njit(cache=True)
def _fill_rim(p: Any, w: int, edges: int) -> None:
    """Copy the pixels that surround the film, or those from its other side, into the padding."""
    h, first, last = p.shape[0] - 2, MARGIN, MARGIN + w - 1
    top, bottom = (1, h) if edges == NEUMANN else (h, 1)
    left, right = (first, last) if edges == NEUMANN else (last, first)
    for j in range(first, last + 1):
        p[0, j] = p[top, j]
        p[h + 1, j] = p[bottom, j]
    for i in range(h + 2):
        p[i, first - 1] = p[i, left]
        p[i, last + 1] = p[i, right]


@njit(cache=True)
def _step(p: Any, q: Any, a: Any, push: Any, k: Any, b: Any, bias: Any, sums: Any) -> None:
    """One explicit step from padded ``p`` into ``q``; sums of columns of the result in ``sums``.

    The coefficients contain the time step, and ``a`` the centre of the Laplacian.
    """
    h, w = push.shape
    sums[:] = 0
    for i in range(h):
        for j in range(w):
            m = j + MARGIN
            c = p[i + 1, m]
            around = p[i, m] + p[i + 2, m] + (p[i + 1, m - 1] + p[i + 1, m + 1])
            local = (a[i, j] + b * c * c) * c
            new = c + (k * around - local + (push[i, j] + bias))
            q[i + 1, m] = new
            sums[j] += new


@njit(cache=True)
def _add_noise(q: Any, strength: float, stream: Any, sums: Any) -> None:
    """Add white noise to padded ``q`` and to the sums of its columns."""
    for i in range(1, q.shape[0] - 1):
        for j in range(len(sums)):
            kick = np.float32(strength * normal(stream))
            q[i, j + MARGIN] += kick
            sums[j] += kick


@njit(cache=True)
def relax(
    lanes: Any,
    polarization: Any,
    a: Any,
    field: Any,
    tip: Any,
    volts: Any,
    steps: Any,
    landau: Any,
    streams: Any,
) -> None:
    """Let films evolve in a constant field.

    Parameters
    ----------
    lanes : ndarray of int64, shape (n,)
        Films to evolve.
    polarization : ndarray of float32, shape (B, H, W)
        Changed in place.
    a, field : ndarray of float32, shape (B, H, W)
        Quadratic coefficient, and fields that are always there.
    tip : ndarray of float32, shape (B, H, W)
        Field a volt; ``zeros`` for none.
    volts : ndarray of float64, shape (B,)
    steps : ndarray of int64, shape (B,)
    landau : Landau
    streams : ndarray of uint64, shape (B, 4)
        Advanced if there is noise.
    """
    h, w = polarization.shape[1], polarization.shape[2]
    shape = (h + 2, MARGIN * (w // MARGIN + 2))
    p, q = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    inner = (slice(1, h + 1), slice(MARGIN, MARGIN + w))
    own, push = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
    sums = np.empty(w, np.float32)
    dt, b = np.float32(landau.dt), np.float32(landau.dt * landau.b)
    k = np.float32(landau.dt * landau.kappa / landau.dx**2)
    alpha = np.float32(-landau.dt * landau.alpha)
    noise = np.sqrt(2.0 * landau.noise * landau.dt)
    for lane in lanes:
        p[inner] = polarization[lane]
        own[:] = dt * a[lane] + np.float32(4.0) * k
        push[:] = dt * (field[lane] + np.float32(volts[lane]) * tip[lane])
        bias = alpha * p[inner].mean()
        for _ in range(steps[lane]):
            _fill_rim(p, w, landau.edges)
            _step(p, q, own, push, k, b, np.float32(bias), sums)
            if noise > 0.0:
                _add_noise(q, noise, streams[lane], sums)
            bias = alpha * sums.sum() / np.float32(h * w)
            p, q = q, p
        polarization[lane] = p[inner]


def free_energy(
    polarization: NDArray[Any],
    a: ArrayLike,
    field: ArrayLike,
    landau: Landau,
) -> NDArray[np.float64]:
    """Free energy, in units of dx^2, of the discrete film that :func:`relax` descends.

    Parameters
    ----------
    polarization : ndarray, shape (B, H, W)
    a, field : array_like that broadcasts with it
        The field is all that acts but depolarisation.

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    p = np.asarray(polarization, np.float64)
    local = 0.5 * np.asarray(a) * p**2 + 0.25 * landau.b * p**4 - np.asarray(field) * p
    energy = local.sum(axis=(-2, -1))
    for axis in (-2, -1):
        if landau.edges == PERIODIC:
            rise = np.roll(p, -1, axis) - p
        else:
            rise = np.diff(p, axis=axis)
        energy += 0.5 * landau.kappa / landau.dx**2 * (rise**2).sum(axis=(-2, -1))
    pixels = p.shape[-1] * p.shape[-2]
    return np.asarray(energy + 0.5 * landau.alpha * pixels * p.mean(axis=(-2, -1)) ** 2)


@njit(cache=True)
def tip_field(x: float, y: float, depth: float, out: Any) -> None:
    """Relative field of a point charge at a depth above pixel (row y, column x), maximum 1.

    The potential V d/sqrt(rho^2 + (z/gamma + d)^2) has the field (d/sqrt(rho^2 + d^2))^3 at the
    surface, in units of V/(gamma d); its half-width at half maximum is 0.766 d.

    Parameters
    ----------
    x, y, depth : float
        In pixels.
    out : ndarray of float32, shape (H, W)
        Filled.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            rho2 = (i - y) ** 2 + (j - x) ** 2
            cosine = depth / np.sqrt(rho2 + depth * depth)
            out[i, j] = np.float32(cosine * cosine * cosine)


def correlated_noise(white: NDArray[Any], length: float) -> NDArray[np.float32]:
    """Give white noise a Gaussian correlation, unit variance kept; the map is periodic.

    Parameters
    ----------
    white : ndarray, shape (B, H, W)
        Independent standard normal numbers.
    length : float
        Standard deviation of the smoothing kernel in pixels.

    Returns
    -------
    ndarray of float32, shape (B, H, W)
    """
    h, w = white.shape[-2:]
    ky = scipy.fft.fftfreq(h)[:, None]
    kx = scipy.fft.rfftfreq(w)[None]
    kernel = np.exp(-2.0 * (np.pi * length) ** 2 * (kx**2 + ky**2))
    # Every frequency but the first and (for even widths) the last stands for two.
    twice = np.full(kernel.shape[1], 2.0)
    twice[0] = 1.0
    if w % 2 == 0:
        twice[-1] = 1.0
    scale = np.sqrt(h * w / (kernel**2 * twice).sum())
    spectrum = scipy.fft.rfft2(np.asarray(white, np.float32), workers=1)
    spectrum *= (scale * kernel).astype(np.float32)
    return scipy.fft.irfft2(spectrum, s=(h, w), workers=1)
