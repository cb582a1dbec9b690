r"""Two-component films and dipolar depolarisation: semi-implicit steps in Fourier space.

.. math:: f = \frac a2 |P|^2 + \frac b4 (P_x^4 + P_y^4) + \frac c2 P_x^2 P_y^2
              + \frac\kappa2 |\nabla P|^2 - E \cdot P, \qquad
          F_d = \frac g2 \sum_k \frac{|k \cdot P_k|^2}{k^2}

The quadratic gradient and depolarisation terms are treated implicitly, so that the step is bounded
by the local terms alone (Chen, L.-Q. & Shen, J. (1998), Comput. Phys. Commun. 108, 147). Edges are
periodic. With one component there is no in-plane charge; its depolarisation is the mean-field one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@njit(cache=True)
def _local_step_1(p: Any, field: Any, a: Any, b: Any, dt: Any, out: Any) -> None:
    for i in range(p.shape[0]):
        for j in range(p.shape[1]):
            x = p[i, j]
            out[i, j] = x + dt * (field[i, j] - (a + b * x * x) * x)


@njit(cache=True)
def _local_step_2(p: Any, field: Any, a: Any, b: Any, c: Any, dt: Any, out: Any) -> None:
    for i in range(p.shape[1]):
        for j in range(p.shape[2]):
            x, y = p[0, i, j], p[1, i, j]
            x2, y2 = x * x, y * y
            out[0, i, j] = x + dt * (field[0, i, j] - (a + b * x2 + c * y2) * x)
            out[1, i, j] = y + dt * (field[1, i, j] - (a + b * y2 + c * x2) * y)


@njit(cache=True)
def _couple(spectrum: Any, matrix: Any) -> None:
    """Multiply both components by the symmetric 2 x 2 matrix of every wave vector, in place.

    The complex numbers are given as pairs of floats, so that the matrix has everything twice.
    """
    for i in range(spectrum.shape[1]):
        for j in range(spectrum.shape[2]):
            x, y = spectrum[0, i, j], spectrum[1, i, j]
            spectrum[0, i, j] = matrix[0, i, j] * x + matrix[1, i, j] * y
            spectrum[1, i, j] = matrix[1, i, j] * x + matrix[2, i, j] * y


class SpectralFilm:
    """A periodic film of one or two components.

    Parameters
    ----------
    shape : tuple of int
        (H, W).
    a, b, kappa : float
    c : float
        Coupling of the components.
    g : float
        Depolarisation of in-plane charge; only with two components.
    dt : float
        Time step.
    components : {1, 2}

    Raises
    ------
    ValueError
        If there are other than one or two components, or one with ``g``.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        a: float = -1.0,
        b: float = 1.0,
        kappa: float = 1.0,
        c: float = 0.0,
        g: float = 0.0,
        dt: float = 0.05,
        components: int = 2,
    ) -> None:
        if components not in (1, 2):
            raise ValueError(f"components = {components!r}; allowed are 1 and 2")
        if components == 1 and g != 0.0:
            raise ValueError(f"g = {g!r} needs two components; one has no in-plane charge")
        self.shape, self.components = shape, components
        self._constants = tuple(np.float32(v) for v in (a, b, c, dt))
        ky = 2.0 * np.pi * scipy.fft.fftfreq(shape[0])[:, None]
        kx = 2.0 * np.pi * scipy.fft.rfftfreq(shape[1])[None]
        k2 = kx**2 + ky**2
        gradient = 1.0 + dt * kappa * k2
        if components == 1:
            self._factor = (1.0 / gradient).astype(np.float32)
            return
        unit = np.where(k2 == 0.0, 1.0, k2)
        xx = gradient + dt * g * kx * kx / unit
        yy = gradient + dt * g * ky * ky / unit
        # At the Nyquist frequency of an even grid kx and -kx are one: the mixed term, odd in both,
        # is 0 there.
        odd_x = np.where(2 * np.arange(kx.size) == shape[1], 0.0, kx)
        odd_y = np.where(2 * np.arange(ky.size)[:, None] == shape[0], 0.0, ky)
        xy = dt * g * odd_x * odd_y / unit
        inverse = np.stack([yy, -xy, xx]) / (xx * yy - xy * xy)
        self._factor = inverse.astype(np.float32).repeat(2, axis=2)

    def __call__(
        self, polarization: NDArray[np.float32], field: NDArray[np.float32], steps: int
    ) -> NDArray[np.float32]:
        """Return the polarisation after some steps.

        Parameters
        ----------
        polarization, field : ndarray of float32, shape (H, W) or (2, H, W)
            Components x (along columns), y (along rows).
        """
        a, b, c, dt = self._constants
        p, work = polarization, np.empty_like(polarization)
        for _ in range(steps):
            if self.components == 1:
                _local_step_1(p, field, a, b, dt, work)
                spectrum = scipy.fft.rfft2(work, workers=1)
                spectrum *= self._factor
            else:
                _local_step_2(p, field, a, b, c, dt, work)
                spectrum = scipy.fft.rfft2(work, workers=1)
                _couple(spectrum.view(np.float32), self._factor)
            p = scipy.fft.irfft2(spectrum, s=self.shape, workers=1, overwrite_x=True)
        return p
