"""Layers have the bonds, densities and coordination of their materials."""

from __future__ import annotations

import numpy as np
import pytest

from mattergym.physics.layers import crystals


def inner(crystal, width, height, margin=5.0):
    x, y = crystal.positions.T
    return (x > margin) & (x < width - margin) & (y > margin) & (y < height - margin)


@pytest.mark.parametrize("material", crystals.MATERIALS)
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_every_inner_column_has_three_neighbours_at_a_bond(material, angle):
    crystal = crystals.layer(material, 60.0, 50.0, angle, (1.0, 2.0))
    bond = crystals.lattice_constant(material) / np.sqrt(3.0)
    graph = crystals.neighbours(crystal, 1.1 * bond)
    inside = inner(crystal, 60.0, 50.0)
    assert graph.shape[1] == 3
    assert (graph[inside] >= 0).all()
    steps = crystal.positions[graph[inside]] - crystal.positions[inside, None]
    np.testing.assert_allclose(np.linalg.norm(steps, axis=2), bond, rtol=1e-12)
    np.testing.assert_allclose(steps.sum(axis=1), 0.0, atol=1e-12)
    assert (crystal.site[graph[inside]] == 1 - crystal.site[inside, None]).all()


@pytest.mark.parametrize("material", crystals.MATERIALS)
def test_density_is_two_columns_a_cell(material):
    a = crystals.lattice_constant(material)
    crystal = crystals.layer(material, 300.0, 300.0, 0.1)
    assert len(crystal.numbers) * a**2 * np.sqrt(0.75) / 300.0**2 == pytest.approx(2.0, rel=5e-3)
    _, numbers, atoms = crystals.MATERIALS[material]
    for site in (0, 1):
        assert set(crystal.numbers[crystal.site == site]) == {numbers[site]}
        assert set(crystal.atoms[crystal.site == site]) == {atoms[site]}


def test_graphene_bond_is_the_literatures():
    crystal = crystals.layer("graphene", 20.0, 20.0)
    first = crystals.neighbours(crystal, 1.6)[50, 0]
    bond = np.linalg.norm(crystal.positions[first] - crystal.positions[50])
    assert bond == pytest.approx(1.42, abs=0.002)


def test_defects():
    crystal = crystals.layer("WS2", 30.0, 30.0)
    sulfur = np.flatnonzero(crystal.site == 1)[:2]
    defective = crystals.with_vacancies(crystal, np.array([sulfur[0], sulfur[0], sulfur[1]]))
    assert defective.atoms[sulfur].tolist() == [0, 1]
    assert crystal.atoms[sulfur].tolist() == [2, 2]
    with pytest.raises(ValueError, match="no atom to remove"):
        crystals.with_vacancies(defective, sulfur[:1])
    doped = crystals.with_dopants(crystal, np.array([0]), crystals.MOLYBDENUM)
    assert doped.numbers[0] == 42
    assert (doped.numbers[1:] == crystal.numbers[1:]).all()


def test_grain_boundary_keeps_columns_apart_and_grains_whole():
    crystal = crystals.grain_boundary("graphene", 80.0, 60.0, (0.0, np.deg2rad(21.8)))
    graph = crystals.neighbours(crystal, 1.6)
    distance = np.linalg.norm(crystal.positions[graph[:, 0]] - crystal.positions, axis=1)
    assert distance[graph[:, 0] >= 0].min() > 0.75 * 1.42
    x = crystal.positions[:, 0]
    grains = inner(crystal, 80.0, 60.0) & (abs(x - 40.0) > 4.0)
    assert (graph[grains, :3] >= 0).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"material = 'gold'; allowed are graphene"):
        crystals.layer("gold", 10.0, 10.0)
    with pytest.raises(ValueError, match="positive"):
        crystals.layer("WS2", -1.0, 10.0)
