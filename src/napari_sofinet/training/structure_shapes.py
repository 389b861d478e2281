"""Filaments and mitochondria for training data of networks for moving structures.

Lengths are in samples of a quarter of a camera pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.training.distributions import log_uniform
from napari_sofinet.training.settings import DynamicsTrainingSettings
from napari_sofinet.training.structure_motion import Motion, unit_vectors

MARGIN_PX = 24
"""Distance in samples outside a crop from which structures may move in."""
STEP_PX = 0.25
"""Distance in samples between the points of a curve."""
FILLED = 0.3
"""Rate at which a sample of a filled shape blinks, relative to that of a line."""
REFERENCE = 128.0**2
"""Samples of the field that densities refer to, that of the paper."""
MOST_SHAPES = 40
MOST_CURVES = 100


@dataclass(frozen=True)
class Structure:
    """Structure at the time of a picture.

    Parameters
    ----------
    places : ndarray
        (N, 2) positions y, x in samples where emitters may sit, all equally likely.
    object : ndarray
        (N,) number of the object that each belongs to.
    amount : float
        Number of samples of structure, those outside the field included.
    picture : ndarray
        (Y, X) bool, true where structure is.
    shine : float, default 1
        Rate at which its samples blink, relative to those of a filament.
    filled : ndarray, optional
        (M, 2) samples that filled shapes cover; none for curves.
    filled_object : ndarray, optional
        (M,) number of the object that covers each of them.
    """

    places: np.ndarray
    object: np.ndarray
    amount: float
    picture: np.ndarray
    shine: float = 1.0
    filled: np.ndarray | None = None
    filled_object: np.ndarray | None = None


@dataclass(frozen=True)
class _Shape:
    """Tube or sphere with a radius around a line (N, 2), or a polygon with N corners."""

    line: np.ndarray
    radius: float | None

    def mask(self, wide: int) -> np.ndarray:
        """Return the samples (wide, wide) that the shape covers."""
        from scipy.ndimage import distance_transform_edt
        from skimage.draw import polygon2mask

        if self.radius is None:
            return np.asarray(polygon2mask((wide, wide), self.line))
        away = np.ones((wide, wide), bool)
        near = np.clip(np.round(self.line).astype(int), 0, wide - 1)
        away[near[:, 0], near[:, 1]] = False
        return np.asarray(distance_transform_edt(away) <= self.radius)

    def places(self, inside: np.ndarray, membrane: bool, rng: np.random.Generator) -> np.ndarray:
        """Draw places of emitters, four times as many as there are samples ``inside`` (M, 2)."""
        count = 4 * len(inside)
        if membrane and self.radius is not None:
            return _membrane(self.line, self.radius, count, rng)
        chosen = inside[rng.integers(0, len(inside), count)]
        return np.asarray(chosen + rng.uniform(-0.5, 0.5, (count, 2)))


def draw_structure(
    kind: str, settings: DynamicsTrainingSettings, side: int, rng: np.random.Generator
) -> Structure:
    """Draw filaments or mitochondria, in 4 % of the cases nothing.

    Parameters
    ----------
    kind : {"filaments", "mitochondria"}        Kind of structure. settings :
    DynamicsTrainingSettings
        Limits of the density of filaments.
    side : int
        Side of the field in samples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Structure
        Structure whose picture covers the field and whose places extend beyond it.
    """
    if rng.random() < 0.04:
        return _nothing(np.zeros((side, side), bool))
    if kind == "filaments":
        return filaments(side, log_uniform(rng, settings.density_min, settings.density_max), rng)
    return mitochondria(side, log_uniform(rng, 0.01, 0.25), rng)


def filaments(side: int, density: float, rng: np.random.Generator) -> Structure:
    """Draw curves that are one sample wide.

    Parameters
    ----------
    side : int
        Side of the field in samples.
    density : float
        Total length in samples of the curves in a field of 128 x 128 samples, within 40 %.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Structure
        Every curve is one object.
    """
    wide = side + 2 * MARGIN_PX
    wanted = density * wide**2 / REFERENCE * rng.uniform(0.6, 1.4)
    curves: list[np.ndarray] = []
    total = 0.0
    stiffness = log_uniform(rng, 40, 1200)
    longest = log_uniform(rng, 40, 600)
    heading = rng.uniform(0, np.pi) if rng.random() < 0.15 else None  # all of them alike
    while total < wanted and len(curves) < MOST_CURVES:
        curve = _curve(wide, longest * rng.uniform(0.5, 1), stiffness, heading, rng)
        if total + len(curve) * STEP_PX > 1.5 * wanted + 20 and curves:
            break
        curves.append(curve)
        if rng.random() < 0.08:  # a second one beside it
            curves.append(curve + rng.uniform(-5, 5, 2))
        total = STEP_PX * sum(map(len, curves))
    places = np.concatenate(curves) - MARGIN_PX
    objects = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    return Structure(places, objects, STEP_PX * len(places), rasterize(places, side))


def mitochondria(side: int, covered: float, rng: np.random.Generator) -> Structure:
    """Draw filled shapes: bent tubes, spheres, and the shapes with lobes of the DBlink paper.

    Parameters
    ----------
    side : int
        Side of the field in samples.
    covered : float
        Approximate fraction of the field that they cover.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Structure
        Every shape is one object.
    """
    wide = side + 2 * MARGIN_PX
    picture = np.zeros((wide, wide), bool)
    places, objects, filled, filled_objects = [], [], [], []
    # Light comes from all of a tube, or from its membrane, which is densest at the sides.
    membrane = rng.random() < 0.5
    for number in range(MOST_SHAPES):
        if picture.mean() >= covered:
            break
        shape = _draw_shape(wide, rng)
        mask = shape.mask(wide)
        if number and picture.mean() + mask.mean() > 2 * covered:
            break
        inside = np.argwhere(mask)
        if not len(inside):
            continue
        places.append(shape.places(inside, membrane, rng))
        objects.append(np.full(len(places[-1]), number))
        filled.append(inside - MARGIN_PX)
        filled_objects.append(np.full(len(inside), number))
        picture |= mask
    seen = picture[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    if not places:
        return _nothing(seen)
    return Structure(
        np.concatenate(places) - MARGIN_PX,
        np.concatenate(objects),
        float(picture.sum()),
        seen,
        FILLED,
        np.concatenate(filled),
        np.concatenate(filled_objects),
    )


def picture_at(structure: Structure, move: Motion, time: float, side: int) -> np.ndarray:
    """Return the picture of a structure at another time.

    Parameters
    ----------
    structure : Structure
        The structure at time 0.
    move : Motion        Motion of the structure. time : float
        Time in windows.
    side : int
        Side of the picture in samples.

    Returns
    -------
    ndarray
        (side, side) bool: samples that a curve passes, or that filled shapes cover by half or more.
    """
    if structure.filled is None or structure.filled_object is None:
        places, objects = structure.places, structure.object
        return rasterize(move(places, objects, np.full(len(places), time)), side)
    parts = (np.argwhere(np.ones((3, 3))) - 1) / 3
    places = (structure.filled[:, None] + parts).reshape(-1, 2)
    objects = np.repeat(structure.filled_object, len(parts))
    at = np.round(move(places, objects, np.full(len(places), time))).astype(int)
    at = at[((at >= 0) & (at < side)).all(axis=1)]
    covered = np.bincount(at @ (side, 1), minlength=side**2)
    return (covered > len(parts) / 2).reshape(side, side)


def rasterize(points: np.ndarray, side: int) -> np.ndarray:
    """Return the samples whose centre lies within half a sample of a point.

    Their number is about the length of a curve in samples.

    Parameters
    ----------
    points : ndarray
        (N, 2) positions y, x in samples, dense along curves.
    side : int
        Side of the picture in samples.

    Returns
    -------
    ndarray
        (side, side) bool.

    Examples
    --------
    >>> import numpy as np
    >>> rasterize(np.array([[0.0, 1.2], [1.0, 1.0]]), 3).astype(int)
    array([[0, 1, 0],
           [0, 1, 0],
           [0, 0, 0]])
    """
    points = points[((points > -2) & (points < side + 1)).all(axis=1)]
    out = np.zeros((side + 4, side + 4), bool)
    near = np.round(points).astype(int)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            at = near + np.array([dy, dx])
            hit = ((points - at) ** 2).sum(axis=1) <= 0.25
            out[at[hit, 0] + 2, at[hit, 1] + 2] = True
    return out[2:-2, 2:-2]


def _nothing(picture: np.ndarray) -> Structure:
    return Structure(np.zeros((0, 2)), np.zeros(0, int), 0.0, picture)


def _curve(
    wide: int, length: float, stiffness: float, heading: float | None, rng: np.random.Generator
) -> np.ndarray:
    """Draw points (N, 2) of a worm-like chain, ``STEP_PX`` apart, as far as it is in the field."""
    steps = max(int(length / STEP_PX), 8)
    turns = rng.normal(0, np.sqrt(2 * STEP_PX / stiffness), steps)
    start = rng.uniform(0, 2 * np.pi) if heading is None else heading + rng.normal(0, 0.15)
    angle = start + np.cumsum(turns)
    points = np.cumsum(STEP_PX * unit_vectors(angle), axis=0)
    # Any of its points is equally likely to be the one that is somewhere in the field.
    points += rng.uniform(0, wide, 2) - points[rng.integers(0, steps)]
    inside = ((points >= 0) & (points < wide)).all(axis=1)
    return points[inside]


def _draw_shape(wide: int, rng: np.random.Generator) -> _Shape:
    kind = rng.choice(["tube", "sphere", "lobes"], p=[0.55, 0.1, 0.35])
    if kind == "lobes":
        corners = rng.integers(30, 50)
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        if rng.random() < 0.5:
            angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        lobe = rng.uniform(10, 18) * np.abs(np.sin(angle + rng.uniform(0, np.pi)) ** 20)
        distance = rng.integers(2, 6) + lobe
        return _Shape(rng.uniform(0, wide, 2) + distance[:, None] * unit_vectors(angle), None)
    if kind == "sphere":
        return _Shape(rng.uniform(0, wide, (1, 2)), rng.uniform(3, 9))
    radius = rng.uniform(2, 9)
    length, stiffness = rng.uniform(20, 160), log_uniform(rng, 40, 400)
    return _Shape(_curve(wide, length, stiffness, None, rng), radius)


def _membrane(
    middle: np.ndarray, radius: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw places (count, 2) on the surface of a tube, or of a sphere, as seen from above."""
    if len(middle) == 1:  # uniform in height, as on any sphere
        out = radius * np.sqrt(1 - rng.uniform(-1, 1, count) ** 2)
        return np.asarray(middle + out[:, None] * unit_vectors(rng.uniform(0, 2 * np.pi, count)))
    along = np.gradient(middle, axis=0)
    across = along[:, ::-1] * (1, -1) / np.linalg.norm(along, axis=1, keepdims=True)
    sideways = radius * np.sin(rng.uniform(0, 2 * np.pi, count))
    at = rng.integers(0, len(middle), count)
    return np.asarray(middle[at] + sideways[:, None] * across[at])
