"""Walls of known shapes."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.film import domains


def disc(radius, n=64):
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return np.tanh((radius - np.hypot(x, y)) / 2.0)


@pytest.mark.parametrize("radius", [8.0, 20.0])
def test_length_of_a_circle(radius):
    p = disc(radius)
    assert domains.wall_length(p) == pytest.approx(2 * np.pi * radius, rel=0.01)


def test_straight_wall():
    p = np.where(np.arange(32) < 12, -1.0, 1.0) * np.ones((32, 1))
    assert domains.wall_length(p) == pytest.approx(31.0)
    assert domains.wall_distance(p)[5].tolist()[10:14] == [1.5, 0.5, 0.5, 1.5]
    assert domains.domain_size(p) == pytest.approx(2 * 32 * 32 / 31.0)


def test_domains_are_counted():
    p = -np.ones((20, 20))
    p[2:5, 2:5] = 1.0
    p[10:14, 10:16] = 1.0
    up, down = domains.domain_sizes(p)
    assert up.tolist() == [9, 24]
    assert down.tolist() == [400 - 33]
    assert np.isinf(domains.wall_distance(np.ones((4, 4)))).all()
