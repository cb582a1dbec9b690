"""Two-dimensional crystals as projected atomic columns: graphene, MoS2, WS2, and their defects.

Seen along the beam a layer of MX2 is a honeycomb of metal atoms and columns of two chalcogens.

Lattice constants: graphene 2.46 A (Castro Neto, A. H. et al. (2009), Rev. Mod. Phys. 81, 109),
MoS2 3.160 A (Wakabayashi, N. et al. (1975), Phys. Rev. B 12, 659), WS2 3.153 A (Schutte, W. J. et
al. (1987), J. Solid State Chem. 70, 207).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

CARBON, SILICON, SULFUR, MOLYBDENUM, TUNGSTEN = 6, 14, 16, 42, 74
# Lattice constant in A; atomic number and atoms a column of the two sites of a cell.
MATERIALS = {
    "graphene": (2.46, (CARBON, CARBON), (1, 1)),
    "MoS2": (3.160, (MOLYBDENUM, SULFUR), (1, 2)),
    "WS2": (3.153, (TUNGSTEN, SULFUR), (1, 2)),
}


class Crystal(NamedTuple):
    """Atomic columns of a layer.

    Attributes
    ----------
    positions : ndarray of float64, shape (N, 2)
        In A, of the projected columns.
    numbers : ndarray of int64, shape (N,)
        Atomic numbers.
    atoms : ndarray of int64, shape (N,)
        Atoms in the column: 2 for a whole chalcogen column, 0 for a vacancy.
    site : ndarray of int64, shape (N,)
        Site of the cell: 0 or 1.
    """

    positions: NDArray[np.float64]
    numbers: NDArray[np.int64]
    atoms: NDArray[np.int64]
    site: NDArray[np.int64]


def lattice_constant(material: str) -> float:
    """Lattice constant a in A.

    Raises
    ------
    ValueError
        If the material is none of the table.
    """
    if material not in MATERIALS:
        raise ValueError(f"material = {material!r}; allowed are {', '.join(MATERIALS)}")
    return MATERIALS[material][0]


def layer(
    material: str,
    width: float,
    height: float,
    angle: float = 0.0,
    shift: tuple[float, float] = (0, 0),
) -> Crystal:
    """Cut a rectangle, 0 <= x < width and 0 <= y < height, out of a perfect layer.

    Parameters
    ----------
    material : {"graphene", "MoS2", "WS2"}
    width, height : float
        In A.
    angle : float
        Rotation of the zigzag direction against x, in rad.
    shift : tuple of float
        Position of an atom of site 0, in A.

    Returns
    -------
    Crystal

    Raises
    ------
    ValueError
        If the material is unknown or an edge is not positive.
    """
    a = lattice_constant(material)
    if not (width > 0.0 and height > 0.0):
        raise ValueError(
            f"width = {width!r}, height = {height!r}; both must be positive lengths in A"
        )
    _, numbers, atoms = MATERIALS[material]
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[c, -s], [s, c]])
    vectors = a * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]]) @ rotation.T
    basis = np.array([[0.0, 0.0], [0.0, a / np.sqrt(3.0)]]) @ rotation.T
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - shift
    cells = corners @ np.linalg.inv(vectors)
    low, high = np.floor(cells.min(axis=0)) - 1, np.ceil(cells.max(axis=0)) + 2
    i, j = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), indexing="ij")
    corner = np.stack([i.ravel(), j.ravel()], axis=1) @ vectors + shift
    positions = (corner[:, None, :] + basis).reshape(-1, 2)
    site = np.tile([0, 1], len(corner))
    inside = ((positions >= 0.0) & (positions < (width, height))).all(axis=1)
    site = site[inside]
    return Crystal(positions[inside], np.array(numbers)[site], np.array(atoms)[site], site)


def grain_boundary(
    material: str,
    width: float,
    height: float,
    angles: tuple[float, float],
    closest: float = 0.75,
) -> Crystal:
    """Join two grains along x = width/2 and take out columns that come too close.

    Parameters
    ----------
    angles : tuple of float
        Rotations of the left and right grain, in rad.
    closest : float
        Of two columns nearer than this part of a bond one is removed.

    Returns
    -------
    Crystal
    """
    left = layer(material, width / 2, height, angles[0])
    right = layer(material, width / 2, height, angles[1])
    moved = right._replace(positions=right.positions + np.array([width / 2, 0.0]))
    parts: Any = (np.concatenate(both) for both in zip(left, moved, strict=True))
    joined = Crystal(*parts)
    limit = closest * lattice_constant(material) / np.sqrt(3.0)
    pairs = cKDTree(joined.positions).query_pairs(limit, output_type="ndarray")
    keep = np.ones(len(joined.numbers), np.bool_)
    for i, j in pairs:
        if keep[i]:
            keep[j] = False
    kept: Any = (part[keep] for part in joined)
    return Crystal(*kept)


def with_vacancies(crystal: Crystal, columns: NDArray[np.int64]) -> Crystal:
    """Return the crystal with one atom less in each of some columns.

    Raises
    ------
    ValueError
        If a column is empty.
    """
    atoms = crystal.atoms.copy()
    np.subtract.at(atoms, columns, 1)
    if (atoms < 0).any():
        raise ValueError(f"columns {np.flatnonzero(atoms < 0).tolist()} have no atom to remove")
    return crystal._replace(atoms=atoms)


def with_dopants(crystal: Crystal, columns: NDArray[np.int64], number: int) -> Crystal:
    """Return the crystal with the element of some columns replaced."""
    numbers = crystal.numbers.copy()
    numbers[columns] = number
    return crystal._replace(numbers=numbers)


def neighbours(crystal: Crystal, cutoff: float) -> NDArray[np.int64]:
    """Columns within a distance of each column, nearest first.

    Parameters
    ----------
    cutoff : float
        In A.

    Returns
    -------
    ndarray of int64, shape (N, K)
        K is the largest number of neighbours; rows with fewer end in -1.
    """
    tree = cKDTree(crystal.positions)
    most = max(len(near) for near in tree.query_ball_point(crystal.positions, cutoff))
    k = np.arange(1, most + 1)
    _, index = tree.query(crystal.positions, k=k, distance_upper_bound=cutoff)
    index = np.where(index == len(crystal.positions), -1, index)
    return index[:, 1:].astype(np.int64)
