"""Domains and walls of a polarisation map: where they are, how long, how large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wall_distance(polarization: NDArray[Any]) -> NDArray[np.float64]:
    """Distance in pixels of every pixel to the nearest wall, shape (H, W); inf without walls.

    A wall runs half a pixel before the first pixel of the other sign.
    """
    up = np.asarray(polarization) > 0.0
    if up.all() or not up.any():
        return np.full(up.shape, np.inf)
    distance = ndimage.distance_transform_edt(up) + ndimage.distance_transform_edt(~up)
    return np.asarray(distance - 0.5)


@njit(cache=True)
def wall_length(polarization: Any) -> float:
    """Length in pixels of the contour P = 0 of a map (H, W), by marching squares."""
    length = 0.0
    x, y = np.empty(4), np.empty(4)
    for i in range(polarization.shape[0] - 1):
        for j in range(polarization.shape[1] - 1):
            p00, p01 = polarization[i, j], polarization[i, j + 1]
            p10, p11 = polarization[i + 1, j], polarization[i + 1, j + 1]
            n = 0
            if (p00 > 0) != (p01 > 0):
                x[n], y[n] = p00 / (p00 - p01), 0.0
                n += 1
            if (p01 > 0) != (p11 > 0):
                x[n], y[n] = 1.0, p01 / (p01 - p11)
                n += 1
            if (p10 > 0) != (p11 > 0):
                x[n], y[n] = p10 / (p10 - p11), 1.0
                n += 1
            if (p00 > 0) != (p10 > 0):
                x[n], y[n] = 0.0, p00 / (p00 - p10)
                n += 1
            for s in range(0, n - 1, 2):
                length += np.hypot(x[s + 1] - x[s], y[s + 1] - y[s])
    return length


def domain_sizes(polarization: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Areas in pixels of the up and of the down domains (four-connected), ascending."""
    sizes = []
    for sign in (np.asarray(polarization) > 0.0, np.asarray(polarization) <= 0.0):
        labels, count = ndimage.label(sign)
        sizes.append(np.sort(np.bincount(labels.ravel(), minlength=count + 1)[1:]))
    return sizes[0], sizes[1]


def domain_size(polarization: NDArray[Any]) -> float:
    """Mean size in pixels: area over wall length, times two."""
    return 2.0 * polarization.size / max(wall_length(np.asarray(polarization)), 1e-12)
