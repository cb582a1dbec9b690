"""Random streams against an independent implementation in Python's integers."""

from __future__ import annotations

import numpy as np

from mattergym.physics import rng

MASK = 2**64 - 1


def reference_xoshiro256pp(state, count):
    s = [int(x) for x in state]
    out = []
    for _ in range(count):
        total = (s[0] + s[3]) & MASK
        out.append((((total << 23 | total >> 41) & MASK) + s[0]) & MASK)
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = (s[3] << 45 | s[3] >> 19) & MASK
    return out


def test_xoshiro_equals_the_reference():
    state = rng.seed_streams(np.array([1], np.uint64), np.array([2], np.uint64), 3)[0]
    expected = reference_xoshiro256pp(state, 100)
    assert [int(rng.next_uint64(state)) for _ in range(100)] == expected


def test_splitmix64_gives_its_published_first_output():
    # First output of SplitMix64 seeded with 1234567 (Vigna's reference implementation).
    assert int(rng.splitmix64(np.array([1234567], np.uint64))[0]) == 6457827717110365317


def test_streams_of_different_keys_differ_and_do_not_depend_on_the_batch():
    seeds = np.arange(50, dtype=np.uint64)
    many = rng.seed_streams(seeds, seeds, 1)
    assert np.array_equal(many[7:8], rng.seed_streams(seeds[7:8], seeds[7:8], 1))
    others = [rng.seed_streams(seeds, seeds + np.uint64(1), 1), rng.seed_streams(seeds, seeds, 2)]
    rows = np.concatenate([many, *others])
    assert len(np.unique(rows, axis=0)) == 150


def test_uniform_numbers_are_uniform():
    state = rng.seed_streams(np.array([5], np.uint64), np.array([0], np.uint64), 0)[0]
    x = np.array([rng.uniform(state) for _ in range(20_000)])
    assert 0 <= x.min()
    assert x.max() < 1
    counts = np.histogram(x, 50, (0, 1))[0]
    chi_square = ((counts - 400) ** 2 / 400).sum()
    assert chi_square < 49 + 5 * np.sqrt(98)


def test_blocks_of_draws_are_those_drawn_one_by_one():
    for count in (1, 127, 1000):
        one, many, plain = (rng.seed_streams(np.arange(1, dtype="u8"), np.zeros(1, "u8"), 4)[0]
                            for _ in range(3))  # fmt: skip
        single = np.array([rng.normal(one) for _ in range(count)])
        block, python = np.empty((2, count))
        rng.fill_normal(many, block)
        rng.fill_normal.py_func(plain, python)
        np.testing.assert_allclose(block, single, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(block, python)
        np.testing.assert_array_equal(many, one)
        draws = np.empty(count, np.uint64)
        rng.fill_uint64(many, draws)
        assert [rng.next_uint64(one) for _ in range(count)] == draws.tolist()
        np.testing.assert_array_equal(many, one)
