"""Labelled membranes, seen from above: mitochondria and vesicles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_sofinet.simulation.filaments import Field, chain_starts, worm_like_chains
from napari_sofinet.simulation.labels import (
    Labels,
    join,
    label_curves_with_directions,
    no_labels,
    one_object,
)

STEP_UM = 0.02
"""Distance between the points of the axis of a mitochondrion."""


def mitochondria(
    field_um: Field,
    count: int,
    density_per_um2: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.4,
    persistence_um: float = 6.0,
    length_um: float = 3.0,
) -> Labels:
    """Label outer membranes of mitochondria: bent tubes with round ends, and a tenth of spheres.

    The standard deviation of the diameters of tubes is a fifth of their mean.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of mitochondria that start in the field.
    density_per_um2 : float
        Emitters per µm² of membrane.
    rng : numpy.random.Generator
        Source of randomness.
    diameter_um : float, default 0.4
        Mean diameter of a tube in µm.
    persistence_um : float, default 6
        Persistence length of a tube in µm.
    length_um : float, default 3
        Length of the longest tubes in µm; the shortest have a third of it.

    Returns
    -------
    Labels
        Every mitochondrion is one object.
    """
    spheres = rng.random(count) < 0.1
    start, outside = chain_starts(field_um, int((~spheres).sum()), length_um, rng)
    heading = rng.uniform(0, 2 * np.pi, len(start))
    axes = worm_like_chains(
        field_um, start, heading, rng, persistence_um, length_um, STEP_UM, outside
    )
    radii = 0.5 * diameter_um * np.clip(rng.normal(1, 0.2, len(axes)), 0.5, 1.6)
    lengths = rng.uniform(0.3, 1.0, len(axes))
    axes = [a[: max(int(part * len(a)), 2)] for a, part in zip(axes, lengths, strict=True)]
    parts = [_tubes(axes, radii, density_per_um2, rng), *_caps(axes, radii, density_per_um2, rng)]
    centres = rng.uniform((0.0, 0.0), field_um, (int(spheres.sum()), 2))
    for k, centre in enumerate(centres):
        radius = diameter_um / 2 * rng.uniform(0.8, 1.8)
        parts.append(one_object(_sphere(centre, radius, density_per_um2, rng), len(axes) + k))
    return join(parts)


def vesicles(
    field_um: Field,
    count: int,
    density_per_um2: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.12,
) -> Labels:
    """Label the membranes of vesicles, half of which are clustered.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of vesicles.
    density_per_um2 : float
        Emitters per µm² of membrane.
    rng : numpy.random.Generator
        Source of randomness.
    diameter_um : float, default 0.12
        Mean diameter in µm; vesicles are up to 30 % smaller or larger.

    Returns
    -------
    Labels
        Every vesicle is one object.
    """
    centres = rng.uniform((0.0, 0.0), field_um, (count, 2))
    together = rng.random(count) < 0.5
    if count:
        seeds = centres[rng.integers(0, max(count // 6, 1), count)]
        centres[together] = (seeds + rng.normal(0, 0.4, (count, 2)))[together]
    parts = [no_labels()]
    for k, centre in enumerate(centres):
        radius = 0.5 * diameter_um * rng.uniform(0.7, 1.3)
        parts.append(one_object(_sphere(centre, radius, density_per_um2, rng), k))
    return join(parts)


def _tubes(
    axes: list[np.ndarray], radii: np.ndarray, density_per_um2: float, rng: np.random.Generator
) -> Labels:
    """Label tubes of given radii around their axes.

    Seen from above, an emitter at the angle φ on a tube lies cos(φ) radii beside the axis.
    """
    labels, direction = label_curves_with_directions(axes, 2 * np.pi * radii * density_per_um2, rng)
    beside = radii[labels.object] * np.cos(rng.uniform(0, 2 * np.pi, len(labels)))
    normal = np.stack([direction[:, 1], -direction[:, 0]], axis=1)
    return Labels(labels.positions_um + beside[:, None] * normal, labels.object)


def _caps(
    axes: list[np.ndarray], radii: np.ndarray, density_per_um2: float, rng: np.random.Generator
) -> Iterator[Labels]:
    """Yield the labels of the half spheres that close tubes at both ends."""
    for k, axis in enumerate(axes):
        for end, before in ((axis[-1], axis[-2]), (axis[0], axis[1])):
            cap = _sphere(end, radii[k], density_per_um2, rng)
            outward = end - before
            yield one_object(cap[(cap - end) @ outward > 0], k)


def _sphere(
    centre: np.ndarray, radius: float, density_per_um2: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the positions (n, 2) of emitters on a sphere; uniform heights cover it evenly."""
    n = rng.poisson(4 * np.pi * radius**2 * density_per_um2)
    z = rng.uniform(-1, 1, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    flat = radius * np.sqrt(1 - z**2)
    offset = flat[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return np.asarray(centre + offset)
