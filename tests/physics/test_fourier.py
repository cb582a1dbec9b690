"""Transforms of blocks of columns against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics import fourier


def transformed(block, inverse=False):
    plan = fourier.plan(len(block))
    re, im = (np.ascontiguousarray(part).ravel() for part in (block.real, block.imag))
    work = np.empty_like(re), np.empty_like(im)
    if inverse:
        im, re = fourier.transform(*plan, im, re, *work)
    else:
        re, im = fourier.transform(*plan, re, im, *work)
    return (re + 1j * im).reshape(block.shape)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 8, 11, 15, 64, 96, 180, 256, 270, 343])
def test_columns_are_transformed_as_numpy_does(size):
    parts = np.random.default_rng(size).normal(size=(2, size, 16)).astype(np.float32)
    block = parts[0] + 1j * parts[1]
    wanted = np.fft.fft(block, axis=0)
    assert np.abs(transformed(block) - wanted).max() < 1e-6 * np.abs(wanted).max()
    back = transformed(transformed(block), inverse=True) / size
    assert np.abs(back - block).max() < 5e-6


def test_a_column_does_not_see_its_neighbours():
    block = np.random.default_rng(0).normal(size=(96, 16)).astype(np.complex64)
    alone = np.zeros_like(block)
    alone[:, 5] = block[:, 5]
    np.testing.assert_array_equal(transformed(alone)[:, 5], transformed(block)[:, 5])


def test_no_length_raises():
    with pytest.raises(ValueError, match="size = 0"):
        fourier.plan(0)
