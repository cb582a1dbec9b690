"""Reads aberrations off a Ronchigram: ridge regression on the log power spectra of its tiles.

In a small tile a defocused Ronchigram is a shadow image whose power spectrum shows the local
defocus and astigmatism, i.e. the second derivatives of chi. Around the known defocus the log
spectra depend on the aberrations almost linearly. The weights are shipped;
``python -m mattergym.agents.corrector_analyst`` fits them anew from simulated frames of the
training split.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.envs.base import BatchEnv
from mattergym.envs.stem.corrector import STEMCorrector

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE, STRIDE = 16, 8
# Highest frequency kept along an axis, of 8; above is mostly shot noise.
HIGHEST = 6
# Counts^2; keeps the logarithm of a dark tile's spectrum finite and flat.
FLOOR = 100.0
FILE = "stem_corrector_analyst.npz"
# Fit: frames, frames held out, and the strength of the ridge.
FRAMES, HELD_OUT, RIDGE = 24_000, 3_200, 3e4


def tile_spectra(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Log power spectra of overlapping tiles under a Hann window.

    Parameters
    ----------
    images : ndarray of uint8, shape (B, 64, 64)

    Returns
    -------
    ndarray of float32, shape (B, 4459)
        49 tiles of 16 x 16, half a plane of 13 x 7 frequencies each.
    """
    window = np.hanning(TILE + 2)[1:-1].astype(np.float32)
    tiles = np.lib.stride_tricks.sliding_window_view(
        images.astype(np.float32), (TILE, TILE), axis=(1, 2)
    )[:, ::STRIDE, ::STRIDE]
    tiles = tiles - tiles.mean(axis=(3, 4), keepdims=True)
    wave = np.fft.rfft2(tiles * window[:, None] * window)[..., : HIGHEST + 1]
    wave = np.delete(wave, slice(HIGHEST + 1, TILE - HIGHEST), axis=-2)
    power = wave.real**2 + wave.imag**2
    spectra: NDArray[np.float32] = np.log(power + FLOOR).reshape(len(images), -1)
    return spectra.astype(np.float32)


@cache
def _weights() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Mean spectrum (4459,), weights (4459, 12), and the readings' errors (12,) in rad."""
    source = resources.files("mattergym.agents") / "data" / FILE
    with resources.as_file(source) as path, np.load(path) as data:
        weights = data["weights"].astype(np.float32) * data["scale"].astype(np.float32)
        return data["mean"].astype(np.float32), weights, data["error"].astype(np.float64)


def read_ronchigrams(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the twelve aberrations in rad, (B, 12), of Ronchigrams (B, 64, 64)."""
    mean, weights, _ = _weights()
    # Not by BLAS, whose rounding depends on the number of lanes.
    reading = np.einsum("bi,io->bo", tile_spectra(images) - mean, weights).astype(np.float64)
    return reading


def reading_error() -> NDArray[np.float64]:
    """Return the standard deviation of a reading's error in rad, (12,), on held-out frames."""
    return _weights()[2]


def simulate(frames: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Spectra (frames, 4459) and true aberrations (frames, 12), at all distances from the goal."""
    lanes = 400
    task = STEMCorrector(observation="image")
    env = BatchEnv(task, lanes)
    generator = np.random.default_rng(seed)
    spectra, truth = [], []
    for batch in range(frames // lanes):
        env.reset(seed=seed + batch * lanes)
        # Shrink the start towards the corrected microscope by a different factor a lane.
        state = env.state
        state.phases[:] *= generator.uniform(0.0, 1.1, (lanes, 1))
        task.measure(state, env.streams)
        spectra.append(tile_spectra(state.ronchigram[:, 0]))
        truth.append(state.phases.copy())
    return np.concatenate(spectra), np.concatenate(truth)


def fit() -> dict[str, Any]:
    """Fit the analyst and judge it on frames it has not seen; arrays of the shipped file."""
    spectra, truth = simulate(FRAMES, seed=0)
    mean = spectra.mean(axis=0)
    spectra -= mean
    gram = spectra.T @ spectra
    gram[np.diag_indices_from(gram)] += RIDGE
    weights = np.linalg.solve(gram, spectra.T @ truth.astype(np.float32))
    spectra, truth = simulate(HELD_OUT, seed=10**9)
    residual = (spectra - mean) @ weights - truth
    scale = np.abs(weights).max(axis=0)
    return {
        "mean": mean.astype(np.float16),
        "weights": (weights / scale).astype(np.float16),
        "scale": scale,
        "error": residual.std(axis=0),
        "r2": 1.0 - residual.var(axis=0) / truth.var(axis=0),
    }


if __name__ == "__main__":
    arrays = fit()
    target = resources.files("mattergym.agents") / "data" / FILE
    with resources.as_file(target) as path:
        np.savez_compressed(path, **arrays)
    print("R2", arrays["r2"].round(2), "error / rad", arrays["error"].round(2))
