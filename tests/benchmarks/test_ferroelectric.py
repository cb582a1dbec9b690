"""The yardstick of films solves the same equation; their validation passes and draws."""

from __future__ import annotations

import numpy as np

from mattergym.benchmarks.speed import ferroelectric as speed
from mattergym.benchmarks.validation import ferroelectric


def test_the_yardstick_and_the_kernel_solve_the_same_equation():
    film = speed.start_of(6)
    sites = speed.plain_lattice(film[0], 300)
    speed.plain_relax(sites, 300)
    a, landau = speed.published_landau()
    speed.compiled_relax(film, 300, a, landau)
    plain = np.array([site.history[300] for site in sites]).reshape(6, 6)
    np.testing.assert_allclose(film[0], plain, atol=2e-5)
    assert np.abs(plain - speed.start_of(6)[0]).max() > 0.1


def test_validation_of_films_passes(tmp_path):
    failed = [check.name for check in ferroelectric.run(tmp_path, quick=True) if not check.passed]
    assert failed == []
    names = {"film.png", "film_domains.png", "film_loops.png", "film_writing.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
