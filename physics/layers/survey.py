"""A layer with point defects, scanned field by field, and an analyst who weighs each site.

Every column of the layer is a site that may hold a defect: a missing atom (site 1 of the cell) or a
foreign one (site 0). Counts are Poisson about the mean of the perfect layer less what a defect
takes away within 2 A of its column. The analyst knows the perfect layer and sums, over visits, the
logarithm of the likelihood ratio of "this defect" to "none", for each site by itself:

    L = sum_px I ln(1 - f/mu) + electrons sum_px f

(Neyman & Pearson's statistic of Poisson counts I of mean electrons (mu - f) or electrons mu).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from mattergym.physics.imaging import haadf
from mattergym.physics.layers import crystals
from mattergym.physics.poisson import poisson_counts
from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOLTAGE, APERTURE, SOURCE_SIZE = 60e3, 0.030, 0.6
FIELDS, FIELD, PIXELS = 10, 20.0, 64
PIXEL = FIELD / PIXELS  # A
PATCH = 13  # px
ROTATION = 0.23  # rad, of the layer against the scan
DOPANTS = {
    "WS2": crystals.MOLYBDENUM,
    "MoS2": crystals.TUNGSTEN,
    "graphene": crystals.SILICON,
}


class Layer(NamedTuple):
    """The perfect layer as the analyst knows it; sites are sorted by field.

    Attributes
    ----------
    positions : ndarray of float64, shape (S, 2)
        In A.
    vacancy : ndarray of bool, shape (S,)
        Whether the site's defect is a missing atom; else a foreign one.
    first : ndarray of int64, shape (101,)
        Sites of field k = 10 row + column are ``first[k]:first[k + 1]``.
    mean : ndarray of float32, shape (100, 4096)
        Fraction of the beam on the detector, without defects.
    corner : ndarray of int64, shape (S, 2)
        Row and column in the frame where a site's patch begins.
    loss : ndarray of float32, shape (S, 169)
        What its defect takes from the fraction there; negative if it adds.
    log_ratio : ndarray of float32, shape (S, 169)
        ln(1 - loss/mean).
    total_loss : ndarray of float64, shape (S,)
        Sum of ``loss``.
    """

    positions: NDArray[np.float64]
    vacancy: NDArray[np.bool_]
    first: NDArray[np.int64]
    mean: NDArray[np.float32]
    corner: NDArray[np.int64]
    loss: NDArray[np.float32]
    log_ratio: NDArray[np.float32]
    total_loss: NDArray[np.float64]


def _profile(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Image of a unit cross-section at a distance in A."""
    step, pixels = 0.05, 129
    camera = haadf.Haadf(pixels, step, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)
    middle = pixels // 2
    place = np.full((1, 1, 2), middle * step)
    row = camera(np.arange(1), place, np.ones((1, 1)))[0, middle, middle:]
    return np.interp(distance, step * np.arange(len(row)), row)


@cache
def perfect_layer(material: str = "WS2") -> Layer:
    """Make the layer of a material, once a process.

    Parameters
    ----------
    material : {"WS2", "MoS2", "graphene"}
    """
    wide, margin = FIELDS * FIELD, 10.0
    crystal = crystals.layer(material, wide + 2 * margin, wide + 2 * margin, ROTATION)
    positions = crystal.positions - margin
    sections = np.array([haadf.cross_section(int(z), VOLTAGE) for z in crystal.numbers])
    weights = (sections * crystal.atoms.astype(np.float64))[None]
    camera = haadf.Haadf(PIXELS, PIXEL, VOLTAGE, APERTURE, source_size=SOURCE_SIZE)
    corners = [(FIELD * (k % FIELDS), FIELD * (k // FIELDS)) for k in range(FIELDS**2)]
    means = []
    for corner in corners:
        seen = (positions - corner - 0.5 * PIXEL)[None]
        means.append(camera(np.arange(1), seen, weights)[0].ravel())
    mean = np.array(means)

    column, row = np.floor(positions / FIELD).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < FIELDS) & (row < FIELDS)
    chosen = np.flatnonzero(inside)
    field = row[chosen] * FIELDS + column[chosen]
    chosen, field = chosen[np.argsort(field, kind="stable")], np.sort(field, kind="stable")
    vacancy = crystal.site[chosen] == 1
    dopant = haadf.cross_section(DOPANTS[material], VOLTAGE)
    change = np.where(vacancy, sections[chosen], sections[chosen] - dopant)

    local = positions[chosen] - np.array(corners)[field]
    centre = np.floor(local[:, ::-1] / PIXEL).astype(np.int64)
    corner = np.clip(centre - PATCH // 2, 0, PIXELS - PATCH)
    y, x = np.divmod(np.arange(PATCH**2), PATCH)
    rows, columns = corner[:, :1] + y, corner[:, 1:] + x
    distance = np.hypot((columns + 0.5) * PIXEL - local[:, :1], (rows + 0.5) * PIXEL - local[:, 1:])
    under = mean[field[:, None], rows * PIXELS + columns]
    loss = np.minimum(change[:, None] * _profile(distance), 0.9 * under)
    return Layer(
        positions[chosen],
        vacancy,
        np.searchsorted(field, np.arange(FIELDS**2 + 1)),
        mean.astype(np.float32),
        corner,
        loss.astype(np.float32),
        np.log1p(-loss / under).astype(np.float32),
        loss.sum(axis=1),
    )


@njit(cache=True)
def draw_defects(
    lanes: Any,
    positions: Any,
    background: float,
    clusters: int,
    peak: float,
    width: float,
    wall: float,
    wall_width: float,
    dopants: float,
    vacancy: Any,
    streams: Any,
    density: Any,
    defects: Any,
) -> None:
    """Draw where the defects of some lanes are.

    The chance that a site is defective is ``background`` plus that of Gaussian clusters of a peak
    chance and a width (standard deviation in A) at uniform places, plus that of a straight grain
    boundary with a Gaussian profile; foreign atoms have ``dopants`` times the chance of vacancies.

    Parameters
    ----------
    lanes : ndarray of int64, shape (n,)
    positions : ndarray of float64, shape (S, 2)
    vacancy : ndarray of bool, shape (S,)
        Of :class:`Layer`.
    streams : ndarray of uint64, shape (B, 4)
    density : ndarray of float32, shape (B, S)
        Filled with the chances.
    defects : ndarray of int8, shape (B, S)
        Filled with 1 where there is a defect, else 0.
    """
    size = FIELDS * FIELD
    centres = np.empty((clusters, 2))
    for lane in lanes:
        s = streams[lane]
        for c in range(clusters):
            centres[c, 0], centres[c, 1] = size * uniform(s), size * uniform(s)
        angle = np.pi * uniform(s)
        nx, ny = np.cos(angle), np.sin(angle)
        through = nx * size * uniform(s) + ny * size * uniform(s)
        for i in range(positions.shape[0]):
            x, y = positions[i, 0], positions[i, 1]
            chance = background
            for c in range(clusters):
                d2 = (x - centres[c, 0]) ** 2 + (y - centres[c, 1]) ** 2
                if d2 < 16.0 * width * width:
                    chance += peak * np.exp(-0.5 * d2 / width**2)
            if wall > 0.0:
                d = (nx * x + ny * y - through) / wall_width
                if abs(d) < 4.0:
                    chance += wall * np.exp(-0.5 * d * d)
            if not vacancy[i]:
                chance *= dopants
            density[lane, i] = min(chance, 1.0)
            defects[lane, i] = uniform(s) < chance


@njit(cache=True)
def scan_fields(
    fields: Any,
    electrons: Any,
    damage: Any,
    first: Any,
    mean: Any,
    corner: Any,
    loss: Any,
    log_ratio: Any,
    total_loss: Any,
    vacancy: Any,
    present: Any,
    evidence: Any,
    streams: Any,
    means: Any,
    counts: Any,
) -> None:
    """Scan one field a lane, weigh its sites, then let the beam knock atoms out.

    Parameters
    ----------
    fields : ndarray of int64, shape (B,)
        Field, or -1 to scan nothing.
    electrons : ndarray of float64, shape (B,)
        A pixel.
    damage : ndarray of float64, shape (B,)
        Chance that an intact column loses an atom in this scan.
    first, mean, corner, loss, log_ratio, total_loss, vacancy
        Of :class:`Layer`.
    present : ndarray of int8, shape (B, S)
        1 where a defect is; 2 where the beam made it. Changed in place.
    evidence : ndarray of float32, shape (B, S)
        Log-likelihood ratios; added to in place.
    streams : ndarray of uint64, shape (B, 4)
    means : ndarray of float64, shape (B, 4096)
        Work space.
    counts : ndarray of int32, shape (B, 4096)
        Filled with the frame.
    """
    lane = np.empty(1, np.int64)
    for b in range(len(fields)):
        k = fields[b]
        if k < 0:
            continue
        for i in range(PIXELS * PIXELS):
            means[b, i] = electrons[b] * mean[k, i]
        for s in range(first[k], first[k + 1]):
            if present[b, s] != 0:
                start = corner[s, 0] * PIXELS + corner[s, 1]
                for y in range(PATCH):
                    for x in range(PATCH):
                        means[b, start + y * PIXELS + x] -= electrons[b] * loss[s, y * PATCH + x]
        for i in range(PIXELS * PIXELS):
            means[b, i] = max(means[b, i], 0.0)
        lane[0] = b
        poisson_counts(lane, means, streams, counts)
        for s in range(first[k], first[k + 1]):
            start = corner[s, 0] * PIXELS + corner[s, 1]
            total = np.float32(0.0)
            for y in range(PATCH):
                row = start + y * PIXELS
                for x in range(PATCH):
                    total += np.float32(counts[b, row + x]) * log_ratio[s, y * PATCH + x]
            evidence[b, s] += total + np.float32(electrons[b] * total_loss[s])
            if vacancy[s] and present[b, s] == 0 and uniform(streams[b]) < damage[b]:
                present[b, s] = 2


@njit(cache=True)
def summarize(
    fields: Any, first: Any, defects: Any, evidence: Any, threshold: float, odds: float, out: Any
) -> None:
    """Count finds, sum the posterior and find the strongest evidence in the scanned fields.

    Parameters
    ----------
    fields : ndarray of int64, shape (B,)
        Fields that changed, -1 for none.
    first : ndarray of int64, shape (101,)
    defects : ndarray of int8, shape (B, S)
        1 where the specimen had a defect from the start.
    evidence : ndarray of float32, shape (B, S)
    threshold, odds : float
        A site is called above the threshold; prior log odds of a defect.
    out : ndarray of float64, shape (B, 4, 100)
        True calls, false calls, expected defects, largest log-likelihood ratio of a field; the
        changed fields are filled.
    """
    for b in range(len(fields)):
        k = fields[b]
        if k < 0:
            continue
        true, false, expected, strongest = 0.0, 0.0, 0.0, -np.inf
        for s in range(first[k], first[k + 1]):
            level = evidence[b, s]
            if level > threshold:
                if defects[b, s] == 1:
                    true += 1.0
                else:
                    false += 1.0
            strongest = max(strongest, level)
            expected += 1.0 / (1.0 + np.exp(-min(max(level + odds, -30.0), 30.0)))
        out[b, 0, k], out[b, 1, k], out[b, 2, k], out[b, 3, k] = true, false, expected, strongest
