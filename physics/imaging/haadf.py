"""HAADF images of two-dimensional crystals: incoherent convolution, scan, dose and detector.

The detector's signal is the probe's intensity convolved with the atomic columns, each weighted by
its cross-section for scattering onto the detector, tabulated from abTEM. That holds for layers of a
few atoms only: in thicker crystals the probe channels.

References
----------
Loane, R. F., Xu, P. & Silcox, J. (1992), Ultramicroscopy 40, 121 (incoherent imaging).
Krivanek, O. L. et al. (2010), Nature 464, 571 (single atoms in a monolayer by their intensity).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from mattergym.physics.fourier import plan
from mattergym.physics.imaging.convolution import convolve, padded_sizes, work_size
from mattergym.physics.optics import aberrations as optics_aberrations
from mattergym.physics.optics import waves
from mattergym.physics.simd import FLOATS

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE = Path(__file__).parents[1] / "data" / "haadf.json"
DETECTOR = (80.0, 200.0)  # mrad
# Standard deviation in A by which an atom is wider than a point: the range of scattering onto the
# detector. Fits to abTEM's static images of silicon in graphene give 0.05-0.07 A.
ATOM_WIDTH = 0.07
# Tails of a probe beyond this distance are left out of a frame, in A.
MARGIN = 4.0
# Edge in A of the field in which the probe is computed.
WIDE = 100.0
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@cache
def _table() -> dict[tuple[int, float, float, float], float]:
    content = json.loads(TABLE.read_text())
    return {(int(z), v, inner, outer): section for z, v, inner, outer, section in content["rows"]}


@cache
def cross_section(
    number: int, voltage: float, inner: float = DETECTOR[0], outer: float = DETECTOR[1]
) -> float:
    """Cross-section in A^2 for scattering onto an annular detector, tabulated from abTEM.

    Parameters
    ----------
    number : int
        Atomic number: 6, 7, 14, 16, 42 or 74.
    voltage : float
        60e3, 80e3, 200e3 or 300e3 V.
    inner, outer : float
        Of the detector in mrad: 80..200 or 50..200.

    Raises
    ------
    ValueError
        If the table has no such entry; the sentence names what it has.
    """
    key = (number, float(voltage), float(inner), float(outer))
    if key not in _table():
        known = [sorted({entry[k] for entry in _table()}) for k in range(4)]
        raise ValueError(
            f"no cross-section for Z, voltage, inner, outer = {key}; "
            f"tabulated are Z {known[0]}, {known[1]} V, {known[2]} and {known[3]} mrad"
        )
    return _table()[key]


def contrast_exponent(low: int, high: int, voltage: float, **detector: float) -> float:
    """Exponent x of Z^x between two elements."""
    ratio = cross_section(high, voltage, **detector) / cross_section(low, voltage, **detector)
    return float(np.log(ratio) / np.log(high / low))


class Haadf:
    """Noise-free HAADF frames of a fixed probe and field, for many lanes at once.

    Parameters
    ----------
    pixels : int
        Along one edge of the square frame.
    pixel_size : float
        In A.
    voltage, aperture : float
        In V and rad.
    aberrations : ndarray of float64, shape (14, 2), optional
        See :func:`mattergym.physics.optics.aberrations.coefficients`.
    source_size : float
        Full width at half maximum of the effective source, in A.
    atom_width : float
        Standard deviation of an atom's own width, in A.

    Raises
    ------
    ValueError
        If a length is not positive.
    """

    def __init__(
        self,
        pixels: int,
        pixel_size: float,
        voltage: float,
        aperture: float,
        aberrations: NDArray[np.float64] | None = None,
        source_size: float = 0.0,
        atom_width: float = ATOM_WIDTH,
    ) -> None:
        if not (pixels > 0 and pixel_size > 0.0):
            raise ValueError(
                f"pixels = {pixels!r}, pixel_size = {pixel_size!r}; both must be positive"
            )
        self.pixels, self.pixel_size = pixels, pixel_size
        # The intensity has no frequencies above 2 aperture/wavelength; the splines need a margin.
        finest = 0.75 * float(optics_aberrations.wavelength(voltage)) / (4.0 * aperture)
        self._finer = int(np.ceil(pixel_size / finest))
        self._step = pixel_size / self._finer
        self._margin = int(np.ceil(MARGIN / self._step))
        size = scipy.fft.next_fast_len(pixels * self._finer + 2 * self._margin, real=True)
        self._size = size + size % 2
        if aberrations is None:
            aberrations = np.zeros((len(optics_aberrations.TERMS), 2))
        # A field so wide that the pupil is sampled well; its every n-th frequency is ours.
        wide = self._size * int(np.ceil(WIDE / (self._size * self._step)))
        probe = waves.probes(aberrations[None], voltage, aperture, wide, self._step)[0]
        # With the probe at r a column at c scatters the intensity at c - r: a correlation.
        transfer = np.conj(scipy.fft.fft2(scipy.fft.ifftshift(probe.T.astype(np.float64))))
        stride = wide // self._size
        transfer = transfer[::stride, ::stride][:, : self._size // 2 + 1]
        ky = scipy.fft.fftfreq(self._size, self._step)[:, None]
        kx = scipy.fft.rfftfreq(self._size, self._step)[None]
        width2 = atom_width**2 + (source_size / FWHM_PER_SIGMA) ** 2
        transfer *= np.exp(-2.0 * np.pi**2 * width2 * (kx**2 + ky**2))
        spline = (np.sinc(kx * self._step) * np.sinc(ky * self._step)) ** 4
        response = scipy.fft.irfft2(transfer / spline / self._step**2, (self._size, self._size))
        self._response = self._arrange(response.T)
        # Kept: fresh pages cost more than the transforms.
        self._work = np.empty(work_size(self._size, self.pixels), np.float32)

    def _arrange(self, response: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
        """Transfer function of a response, [x, y], as :func:`convolve` wants it."""
        n = self._size
        transfer = scipy.fft.rfft2(response) / n**2
        low = np.zeros((n, padded_sizes(n, self.pixels)[1]), np.complex128)
        low[:, : n // 2] = 0.5 * transfer[:, : n // 2]
        low = low.reshape(n, -1, FLOATS).transpose(1, 0, 2)
        edges = transfer[:, [0, n // 2]].T / 2.0
        parts = (low.real.astype(np.float32).ravel(), low.imag.astype(np.float32).ravel())
        return (*parts, np.ascontiguousarray(edges, np.complex64))

    def __call__(
        self,
        lanes: NDArray[np.intp],
        positions: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Fraction of the beam on the detector at every pixel.

        Parameters
        ----------
        lanes : ndarray of int64, shape (n,)
        positions : ndarray of float64, shape (B, N, 2)
            (x, y) of the columns in A; the centre of pixel [0, 0] is the origin.
        weights : ndarray of float64, shape (B, N)
            Their cross-sections in A^2; zero for none.

        Returns
        -------
        ndarray of float32, shape (n, pixels, pixels)
            [lane, y, x]; never negative.
        """
        out = np.empty((len(lanes), self.pixels, self.pixels), np.float32)
        factors, twiddles = plan(self._size)
        low_re, low_im, edges = self._response
        convolve(
            lanes,
            positions,
            weights,
            (self._step, self._margin, self._finer),
            (low_re, low_im, edges),
            (factors, twiddles),
            self._work,
            out,
        )
        return out
