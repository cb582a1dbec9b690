"""The driven cantilever: response, time trace, lock-in, and the piezoresponse of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy.optimize import least_squares

from mattergym.physics.probe.feedback import resonator_propagator

if TYPE_CHECKING:
    from numpy.typing import NDArray


def response(frequency: Any, f0: Any, quality: Any, amplitude: Any = 1.0) -> NDArray[np.complex128]:
    r"""Complex steady amplitude of a driven damped oscillator.

    .. math:: A(f) = A_d \frac{f_0^2}{f_0^2 - f^2 + i f f_0 / Q}

    Parameters
    ----------
    frequency, f0 : float or ndarray, in Hz
    quality : float or ndarray
    amplitude : float or ndarray
        Static amplitude A_d; its sign is the polarization's.

    Returns
    -------
    ndarray of complex128
    """
    f, f0 = np.asarray(frequency, np.float64), np.asarray(f0, np.float64)
    return np.asarray(amplitude * f0**2 / (f0**2 - f**2 + 1j * f * f0 / quality))


@njit(cache=True)
def _held(drive: Any, propagator: Any, out: Any) -> None:
    z = w = 0.0
    for n in range(drive.size):
        out[n] = z
        u = drive[n]
        lag = z - u
        z = u + propagator[0, 0] * lag + propagator[0, 1] * w
        w = propagator[1, 0] * lag + propagator[1, 1] * w


def ring(
    drive: NDArray[np.float64], f0: float, quality: float, sample_rate: float
) -> NDArray[np.float64]:
    """Motion from rest under a sampled drive, by the exact zero-order-hold update.

    Parameters
    ----------
    drive : ndarray of float64, shape (N,)
        Held between samples.
    f0, sample_rate : float
        Hz.
    quality : float
        Above 1/2.

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    out = np.empty_like(drive)
    _held(drive, resonator_propagator(f0, quality, sample_rate), out)
    return out


def lock_in(
    signal: NDArray[np.float64], frequency: float, sample_rate: float
) -> NDArray[np.complex128]:
    r"""Amplitude and phase at a frequency over the whole record, windowed by Hann's function.

    .. math:: X = 2 \sum_n w_n s_n e^{-2 \pi i f n / f_s} / \sum_n w_n

    Parameters
    ----------
    signal : ndarray of float64, shape (..., N)
    frequency, sample_rate : float
        Hz.

    Returns
    -------
    ndarray of complex128, shape (...)
        ``abs`` is the amplitude of a sinusoid, ``angle`` its phase against a cosine.
    """
    n = np.arange(signal.shape[-1])
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (n + 0.5) / signal.shape[-1])
    reference = 2.0 * window / window.sum() * np.exp(-2j * np.pi * frequency / sample_rate * n)
    return np.asarray(np.sum(signal * reference, axis=-1))


def fit_resonance(
    frequency: NDArray[np.float64], amplitude: NDArray[np.complex128]
) -> tuple[float, float, complex]:
    r"""Resonance frequency, Q and static amplitude from a sweep, by least squares.

    Starts at the largest amplitude with the Q of its half-power width, then fits :func:`response`
    with the static amplitude eliminated, since the model is linear in it.

    Parameters
    ----------
    frequency : ndarray of float64, shape (N,)
        Hz, in any order.
    amplitude : ndarray of complex128, shape (N,)

    Returns
    -------
    f0 : float, in Hz
    quality : float
    static : complex
    """
    power = np.abs(amplitude) ** 2
    peak = int(np.argmax(power))
    above = frequency[power > 0.5 * power[peak]]
    step = np.ptp(frequency) / (len(frequency) - 1)
    start = frequency[peak] / max(np.ptp(above), step)

    def shape_and_static(values: NDArray[np.float64]) -> tuple[NDArray[np.complex128], complex]:
        shape = response(frequency, values[0] * frequency[peak], np.exp(values[1]))
        return shape, complex(np.vdot(shape, amplitude) / np.vdot(shape, shape))

    def residual(values: NDArray[np.float64]) -> NDArray[np.float64]:
        shape, static = shape_and_static(values)
        off = static * shape - amplitude
        return np.concatenate([off.real, off.imag])

    fit = least_squares(
        residual,
        (1.0, np.log(start)),
        x_scale=(1.0 / start, 1.0),
        xtol=1e-14,
        ftol=1e-14,
        gtol=None,
    )
    _, static = shape_and_static(fit.x)
    return float(fit.x[0] * frequency[peak]), float(np.exp(fit.x[1])), static


def pfm(
    polarization: NDArray[np.float64],
    frequency: float,
    f0: float,
    quality: float,
    noise: float,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Amplitude and phase of the piezoresponse: the sign of P turns the phase by pi.

    Parameters
    ----------
    polarization : ndarray of float64, any shape
        Response at rest, with its sign.
    frequency, f0 : float
        Drive and contact resonance, Hz.
    quality : float
    noise : float
        Standard deviation of each lock-in quadrature, in the unit of the polarization.
    generator : numpy.random.Generator

    Returns
    -------
    amplitude, phase : ndarray of float64
        Phase in radians, in -pi..pi.
    """
    signal = polarization * response(frequency, f0, quality)
    signal = signal + noise * generator.normal(size=signal.shape)
    signal = signal + 1j * noise * generator.normal(size=signal.shape)
    return np.abs(signal), np.angle(signal)
