r"""The feedback loop of a scanning probe: PI control with delay, piezo resonance, contact, noise.

Lengths are in nm, and the cantilever's deflection stands for the force. The tip's base is at height
z; in contact the deflection is h - z, and above the surface it is zero, so a low set-point loses
the surface on its way down ("parachuting") and comes back no faster than gain times set-point.

References
----------
Abramovitch, D. Y. et al. (2007), "A tutorial on the mechanisms, dynamics, and control of atomic
force microscopes", American Control Conference, 3488.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.physics.rng import next_uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Samples that the loop can be late, at most.
MAX_DELAY = 15
# Columns of the state of a lane: piezo position, its velocity over omega0, integral, filtered
# deflection, place in the delay line; the delay line follows.
POSITION, VELOCITY, INTEGRAL, FILTERED, CURSOR, DELAY_LINE = range(6)
STATE_SIZE = DELAY_LINE + MAX_DELAY + 1
# Columns of the statistics of a line.
RMS_TRACKING, RMS_ERROR, MEAN_DEFLECTION, MAX_DEFLECTION, LOST = range(5)
_U16 = np.uint64(16)
_U32 = np.uint64(32)
_U48 = np.uint64(48)
_LOW = np.uint64(0xFFFF)
# Four uniform 16-bit numbers have mean 4 * 65535/2 and variance 4 * (2^32 - 1)/12.
_MEAN = 131070.0
_SCALE = 1.0 / np.sqrt((2.0**32 - 1.0) / 3.0)


def integral_gain_limit(delay: NDArray[np.int64] | int) -> Any:
    r"""Largest stable gain of an integrator with a delay of d samples, without resonance.

    .. math:: K_{max} = 2 \sin\frac{\pi}{2 (2 d + 1)}

    for :math:`z_{n+1} = z_n + K (h - z_{n-d})`: the characteristic polynomial
    :math:`x^{d+1} - x^d + K` leaves the unit circle there.

    Parameters
    ----------
    delay : int or ndarray of int
        Samples.

    Returns
    -------
    float or ndarray of float64
    """
    return 2.0 * np.sin(np.pi / (2.0 * (2.0 * np.asarray(delay) + 1.0)))


def resonance_gain_limit(f0: Any, quality: Any, sample_rate: float) -> Any:
    r"""Largest stable integral gain a sample when a resonance limits the loop, not the delay.

    .. math:: K_{max} = \frac{\omega_0}{Q f_s}

    by Routh's criterion for :math:`K f_s \omega_0^2 / (s (s^2 + \omega_0 s / Q + \omega_0^2))`.

    Parameters
    ----------
    f0, sample_rate : float, in Hz
    quality : float

    Returns
    -------
    float or ndarray of float64
    """
    return 2.0 * np.pi * np.asarray(f0) / (np.asarray(quality) * sample_rate)


def resonator_propagator(f0: Any, quality: Any, sample_rate: float) -> NDArray[np.float64]:
    r"""Exact zero-order-hold update of a damped oscillator that follows a piecewise constant drive.

    With :math:`\ddot z + (\omega_0/Q) \dot z + \omega_0^2 (z - u) = 0`, the pair
    :math:`(z - u, \dot z/\omega_0)` is multiplied by the returned matrix each sample.

    Parameters
    ----------
    f0 : float or ndarray, shape (B,)
        Resonance in Hz.
    quality : float or ndarray, shape (B,)
        Q, above 1/2.
    sample_rate : float
        Hz.

    Returns
    -------
    ndarray of float64, shape (B, 2, 2) or (2, 2)

    Raises
    ------
    ValueError
        If a Q is not above 1/2.
    """
    omega = 2.0 * np.pi * np.asarray(f0, np.float64)
    q = np.asarray(quality, np.float64)
    if np.any(q <= 0.5):
        raise ValueError(f"quality = {q.min():g} is not above 0.5 (an underdamped oscillator)")
    decay = omega / (2.0 * q)
    ringing = np.sqrt(omega**2 - decay**2)
    phase = ringing / sample_rate
    c, s = np.cos(phase), np.sin(phase) / ringing
    rows = [[c + decay * s, omega * s], [-omega * s, c - decay * s]]
    matrix = np.exp(-decay / sample_rate) * np.array(rows)
    return np.ascontiguousarray(np.moveaxis(matrix, (0, 1), (-2, -1)))


def filter_coefficient(bandwidth: Any, sample_rate: float) -> Any:
    """Weight of a new sample in a first-order low-pass of a bandwidth in Hz, in 0..1."""
    return -np.expm1(-2.0 * np.pi * np.asarray(bandwidth) / sample_rate)


@njit(cache=True)
def detector_noise(stream: Any) -> float:
    """Draw nearly normal noise of mean 0 and variance 1: a sum of four 16-bit uniform numbers.

    Its excess kurtosis is -0.3; it costs one draw of 64 bits. The state row advances in place.
    """
    bits = next_uint64(stream)
    total = (bits & _LOW) + ((bits >> _U16) & _LOW) + ((bits >> _U32) & _LOW) + (bits >> _U48)
    return (np.float64(total) - _MEAN) * _SCALE


@njit(cache=True)
def engage(state: Any, height: float, setpoint: float) -> None:
    """Put the tip on a surface of a height in steady state; ``state`` is (STATE_SIZE,) float64."""
    state[:] = 0.0
    state[POSITION] = height - setpoint
    state[INTEGRAL] = height - setpoint
    state[FILTERED] = setpoint
    state[DELAY_LINE:] = setpoint


@njit(cache=True)
def scan_lines(
    lanes: Any,
    felt: Any,
    true: Any,
    samples: Any,
    integral: Any,
    proportional: Any,
    smoothing: Any,
    setpoint: Any,
    delay: Any,
    propagator: Any,
    noise: Any,
    travel: float,
    state: Any,
    streams: Any,
    images: Any,
    statistics: Any,
) -> None:
    """Scan one line there and back in every lane, sample by sample.

    Parameters
    ----------
    lanes : ndarray of int, shape (n,)
        Lanes to scan; all other arrays have B lanes, the rest of which is left alone.
    felt, true : ndarray of float64, shape (B, W)
        Heights in nm, as the tip feels them and as they are.
    samples : ndarray of int64, shape (B,)
        Samples of one pass, at least W.
    integral, proportional : ndarray of float64, shape (B,)
        Gains a sample; the loop is u = I + P e, I += K e with e = delayed deflection - set-point.
    smoothing : ndarray of float64, shape (B,)
        :func:`filter_coefficient` of the detector; 1 is none.
    setpoint, noise : ndarray of float64, shape (B,)
        Wanted deflection and detector noise in nm (standard deviation a sample).
    delay : ndarray of int64, shape (B,)
        Samples, 0..MAX_DELAY.
    propagator : ndarray of float64, shape (B, 2, 2)
        Of :func:`resonator_propagator`; zeros bypass the piezo.
    travel : float
        The piezo reaches -travel..travel nm; there it stops, and so does the integral.
    state : ndarray of float64, shape (B, STATE_SIZE)
    streams : ndarray of uint64, shape (B, 4)
    images : ndarray of float64, shape (B, 3, W)
        Filled with trace and retrace (heights plus the set-point, nm) and the trace's error signal.
    statistics : ndarray of float64, shape (B, 5)
        Filled with the rms of height minus true height over both passes, the rms of the error
        signal, mean and maximal deflection, all in nm, and the fraction of samples off the surface.
    """
    width = felt.shape[1]
    for lane in lanes:
        row, real, stream = felt[lane], true[lane], streams[lane]
        ki, kp, alpha = integral[lane], proportional[lane], smoothing[lane]
        wanted, sigma, late, n = setpoint[lane], noise[lane], delay[lane], samples[lane]
        a, b = propagator[lane, 0, 0], propagator[lane, 0, 1]
        c, d = propagator[lane, 1, 0], propagator[lane, 1, 1]
        z, w = state[lane, POSITION], state[lane, VELOCITY]
        summed, filtered = state[lane, INTEGRAL], state[lane, FILTERED]
        cursor = int(state[lane, CURSOR])
        line = state[lane, DELAY_LINE:]
        tracking = squared = force = peak = 0.0
        lost = 0
        for way in range(2):
            begin = 0
            for pixel in range(width):
                end = (pixel + 1) * n // width
                column = pixel if way == 0 else width - 1 - pixel
                # A pixel lies between two grid points and is crossed both ways.
                first = column + way * (column + 1 < width)
                last = column + (1 - way) * (column + 1 < width)
                here, slope = row[first], row[last] - row[first]
                h0, slope0 = real[first], real[last] - real[first]
                share = 1.0 / (end - begin)
                height = error_sum = 0.0
                for k in range(end - begin):
                    part = k * share
                    h = here + slope * part
                    deflection = h - z
                    if deflection < 0.0:
                        deflection = 0.0
                        lost += 1
                    force += deflection
                    peak = max(peak, deflection)
                    off = z + wanted - h0 - slope0 * part
                    tracking += off * off
                    filtered += alpha * (deflection + sigma * detector_noise(stream) - filtered)
                    line[cursor] = filtered
                    error = line[(cursor - late) & MAX_DELAY] - wanted
                    cursor = (cursor + 1) & MAX_DELAY
                    squared += error * error
                    error_sum += error
                    height += z
                    summed = min(max(summed + ki * error, -travel), travel)
                    u = min(max(summed + kp * error, -travel), travel)
                    lag = z - u
                    z = u + a * lag + b * w
                    w = c * lag + d * w
                    if abs(z) > travel:
                        z, w = math.copysign(travel, z), 0.0
                images[lane, way, column] = height * share + wanted
                if way == 0:
                    images[lane, 2, column] = error_sum * share
                begin = end
        state[lane, POSITION], state[lane, VELOCITY] = z, w
        state[lane, INTEGRAL], state[lane, FILTERED] = summed, filtered
        state[lane, CURSOR] = cursor
        count = 2.0 * n
        statistics[lane, RMS_TRACKING] = np.sqrt(tracking / count)
        statistics[lane, RMS_ERROR] = np.sqrt(squared / count)
        statistics[lane, MEAN_DEFLECTION] = force / count
        statistics[lane, MAX_DEFLECTION] = peak
        statistics[lane, LOST] = lost / count
