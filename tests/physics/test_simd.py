"""Vectors of Numba kernels: they add lane by lane, and take no array that they would misread."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from mattergym.physics.simd import FLOATS, WORDS, load, store


@njit
def add(a, b, out):
    store(out, 0, load(a, 0) + load(b, 0))


@pytest.mark.parametrize(("dtype", "lanes"), [(np.uint64, WORDS), (np.float32, FLOATS)])
def test_sums(dtype, lanes):
    a, b, out = np.arange(lanes, dtype=dtype), np.full(lanes, 3, dtype), np.zeros(lanes + 1, dtype)
    add(a, b, out)
    assert np.array_equal(out[:lanes], a + b)
    assert out[lanes] == 0


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(16, np.float64),
        np.zeros(16, np.int64),
        np.zeros(32, np.float32)[::2],
        np.zeros((16, 16), np.float32),
        np.zeros(16, np.uint64)[::-1],
    ],
    ids=["float64", "int64", "strided", "matrix", "reversed"],
)
def test_arrays_that_vectors_would_misread_do_not_compile(array):
    with pytest.raises(TypingError, match="array"):
        add(array, array, array)
