"""Picture of a corrector's state: the Ronchigram that the camera sees, and the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.physics.optics import waves

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The probe is computed on a wide field, of which the middle is shown.
PROBE_PIXEL, PROBE_FIELD, PROBE_SHOWN = 0.16, 256, 64  # A, pixels, pixels
EDGE = 256


def draw_corrector(
    camera: NDArray[np.floating],
    pixel_angle: float,
    lens: NDArray[np.float64],
    voltage: float,
    aperture: float,
    text: str,
    steps_left: float,
) -> NDArray[np.uint8]:
    """Draw a Ronchigram, and beside it the probe on 10 x 10 A.

    Parameters
    ----------
    camera : ndarray of float, shape (n, n)
        Ronchigram in units of the beam's intensity without a specimen.
    pixel_angle : float
        Pixel of the camera in rad.
    lens : ndarray of float64, shape (1, 14, 2)
        Aberrations in A.
    voltage, aperture : float
        In V and rad.
    text : str
    steps_left : float
        Fraction.

    Returns
    -------
    ndarray of uint8, shape (280, 520, 3)
    """
    field = waves.probes(lens, voltage, aperture, PROBE_FIELD, PROBE_PIXEL)[0]
    first, last = (PROBE_FIELD - PROBE_SHOWN) // 2, (PROBE_FIELD + PROBE_SHOWN) // 2
    probe = field[first:last, first:last]
    left = image_to_rgb(camera.T[::-1], 0.0, 2.5, "gray", EDGE)
    right = image_to_rgb(probe.T[::-1] / probe.max(), 0.0, 1.0, "inferno", EDGE)
    add_scale_bar(left, round(10e-3 / pixel_angle * EDGE / len(camera)), "10 mrad")
    add_scale_bar(right, round(2.0 / PROBE_PIXEL * EDGE / PROBE_SHOWN), "2 A")
    gap = np.full((left.shape[0], 8, 3), 24, np.uint8)
    return add_status_strip(np.concatenate([left, gap, right], axis=1), text, steps_left)
