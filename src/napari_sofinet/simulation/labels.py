"""Emitters on structures: evenly or at random along curves, some missing, others on linkers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.simulation.sample_settings import StructureSettings

WAVES = 60
"""Number of waves that make up a smooth random field."""


@dataclass(frozen=True)
class Labels:
    """Emitters at time zero, with the object, e.g. a filament or ring, that each belongs to.

    Parameters
    ----------
    positions_um : ndarray
        (n, 2) y, x in µm; the origin is the corner of the field of view unless stated otherwise.
    object : ndarray
        (n,) number of the object.
    """

    positions_um: np.ndarray
    object: np.ndarray

    def __len__(self) -> int:
        return len(self.positions_um)


def no_labels() -> Labels:
    """Return an empty set of emitters.

    Examples
    --------
    >>> len(no_labels())
    0
    """
    return Labels(np.empty((0, 2)), np.empty(0, np.int64))


def one_object(positions_um: np.ndarray, number: int) -> Labels:
    """Return emitters (n, 2) that belong to the same object."""
    return Labels(positions_um, np.full(len(positions_um), number))


def join(parts: list[Labels]) -> Labels:
    """Return the emitters of all parts, which keep the numbers of their objects."""
    return Labels(
        np.concatenate([p.positions_um for p in parts]), np.concatenate([p.object for p in parts])
    )


def label_curves(
    curves: list[np.ndarray],
    density_per_um: float,
    rng: np.random.Generator,
    *,
    even: bool = False,
) -> Labels:
    """Place emitters along curves.

    Parameters
    ----------
    curves : list of ndarray
        Each (n, 2) points y, x in µm, joined by straight lines.
    density_per_um : float
        Emitters per µm of a curve.
    rng : numpy.random.Generator
        Source of randomness.
    even : bool, default False
        Whether emitters are equally far apart. Otherwise they lie at random, and their number is
        Poisson distributed.

    Returns
    -------
    Labels
        Every curve is one object, numbered in the given order.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.array([[0.0, 0.0], [0.0, 2.0]])
    >>> made = label_curves([line], 5, np.random.default_rng(1), even=True)
    >>> np.diff(made.positions_um[:, 1]).round(3)
    array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
    """
    return label_curves_with_directions(curves, density_per_um, rng, even=even)[0]


def label_curves_with_directions(
    curves: list[np.ndarray],
    density_per_um: float | np.ndarray,
    rng: np.random.Generator,
    *,
    even: bool = False,
) -> tuple[Labels, np.ndarray]:
    """Place emitters along curves as `label_curves` does, and tell the directions of the curves.

    Parameters
    ----------
    curves, rng, even
        See `label_curves`.
    density_per_um : float or ndarray
        Emitters per µm, one value for all curves or one for each.

    Returns
    -------
    labels : Labels
        The emitters.
    directions : ndarray
        (n, 2) unit vectors y, x along the curve at each emitter.
    """
    density = np.broadcast_to(density_per_um, len(curves))
    placed, directions = [np.empty((0, 2))], [np.empty((0, 2))]
    objects = [np.empty(0, np.int64)]
    for number, points in enumerate(curves):
        steps = np.diff(points, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        arc = np.concatenate([[0.0], np.cumsum(lengths)])
        at = _along_line(arc[-1], density[number], rng, even)
        segment = np.clip(np.searchsorted(arc, at, side="right") - 1, 0, len(steps) - 1)
        fraction = (at - arc[segment]) / np.maximum(lengths[segment], 1e-12)
        placed.append(points[segment] + fraction[:, None] * steps[segment])
        directions.append(steps[segment] / np.maximum(lengths[segment], 1e-12)[:, None])
        objects.append(np.full(len(at), number))
    labels = Labels(np.concatenate(placed), np.concatenate(objects))
    return labels, np.concatenate(directions)


def _along_line(length: float, density: float, rng: np.random.Generator, even: bool) -> np.ndarray:
    """Return positions on a line from 0 to its length."""
    if not even:
        return rng.uniform(0, length, rng.poisson(density * length))
    places = (np.arange(np.ceil(density * length)) + rng.random()) / max(density, 1e-12)
    return np.asarray(places[places < length])


def label_imperfectly(
    labels: Labels, settings: StructureSettings, rng: np.random.Generator
) -> Labels:
    """Leave out the emitters that are missing and move the others to the ends of their linkers.

    Parameters
    ----------
    labels : Labels
        Emitters of a perfect label.
    settings : StructureSettings
        Fraction of missing labels, size of the patches that miss them and length of the linkers.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Labels
        The emitters that are left.
    """
    positions, objects = labels.positions_um, labels.object
    if settings.missing and len(positions):
        field = _smooth_field(positions, settings.patch_um, rng)
        keep = field > np.quantile(field, settings.missing)
        positions, objects = positions[keep], objects[keep]
    if settings.linker_um and len(positions):
        # A direction in space, seen from above.
        flat = np.sqrt(1 - rng.uniform(-1, 1, len(positions)) ** 2)
        angle = rng.uniform(0, 2 * np.pi, len(positions))
        offset = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        positions = positions + settings.linker_um * flat[:, None] * offset
    return Labels(positions, objects)


def _smooth_field(positions_um: np.ndarray, size_um: float, rng: np.random.Generator) -> np.ndarray:
    """Return the values (n,) at some positions of a random field with a Gaussian correlation."""
    k = rng.normal(0, 1 / size_um, (WAVES, 2))
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    return np.asarray(np.cos(positions_um @ k.T + phase).sum(axis=1))
