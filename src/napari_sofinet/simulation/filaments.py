"""Filaments: worm-like chains through a field."""

from __future__ import annotations

import numpy as np

Field = tuple[float, float]
"""Height and width in µm."""


def microtubules(
    field_um: Field,
    count: int,
    rng: np.random.Generator,
    *,
    persistence_um: float = 20.0,
    length_um: float = 25.0,
    step_um: float = 0.02,
) -> list[np.ndarray]:
    """Draw filaments that end at their length or at the edge of the field.

    Each is a worm-like chain: the variance of its heading grows by ``2 step / persistence`` with
    every step, so that the mean cosine between tangents a distance s apart is
    exp(-s / persistence).

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of filaments that start in the field. Others come in from outside.
    rng : numpy.random.Generator
        Source of randomness.
    persistence_um : float, default 20
        Persistence length in µm.
    length_um : float, default 25
        Length of a filament in µm.
    step_um : float, default 0.02
        Distance between the points of a filament in µm.

    Returns
    -------
    list of ndarray
        Each (n, 2) points y, x in µm.
    """
    start, outside = chain_starts(field_um, count, length_um, rng)
    heading = rng.uniform(0, 2 * np.pi, len(start))
    return worm_like_chains(
        field_um, start, heading, rng, persistence_um, length_um, step_um, outside
    )


def actin(
    field_um: Field,
    count: int,
    rng: np.random.Generator,
    *,
    persistence_um: float = 30.0,
    length_um: float = 12.0,
    step_um: float = 0.02,
) -> list[np.ndarray]:
    """Draw bundles of three to eight filaments side by side, in one or two directions of the cell.

    Bundles head within 10 degrees of such a direction, their filaments within 2 degrees of the
    bundle, 0.1 µm apart (standard deviations).

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Approximate number of filaments that start in the field, on average five in a bundle.
    rng : numpy.random.Generator
        Source of randomness.
    persistence_um : float, default 30
        Persistence length in µm.
    length_um : float, default 12
        Length of a filament in µm.
    step_um : float, default 0.02
        Distance between the points of a filament in µm.

    Returns
    -------
    list of ndarray
        Each (n, 2) points y, x in µm.
    """
    bundles = rng.integers(3, 9, max(count // 5, min(count, 1)))
    starts, outside = chain_starts(field_um, len(bundles), length_um, rng)
    bundles = np.resize(bundles, len(starts))
    main = rng.uniform(0, 2 * np.pi, 2)
    ways = main[rng.integers(0, rng.integers(1, 3), len(starts))] + rng.normal(0, 0.17, len(starts))
    which = np.repeat(np.arange(len(starts)), bundles)
    heading = ways[which] + rng.normal(0, 0.035, len(which))
    along = np.stack([np.sin(ways), np.cos(ways)], axis=1)[which]
    across = along[:, ::-1] * (1, -1)
    start = starts[which] + rng.normal(0, 0.1, (len(which), 1)) * across
    start += rng.uniform(0, 2, (len(which), 1)) * along
    return worm_like_chains(
        field_um, start, heading, rng, persistence_um, length_um, step_um, outside
    )


def chain_starts(
    field_um: Field, count: int, length_um: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw starting points of chains in the field and around it.

    Around the field they are as dense as in it, so that its edges are as full as its middle.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of starting points in the field.
    length_um : float
        Length of a chain in µm.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    start : ndarray
        (n, 2) y, x in µm, the first ``count`` of them in the field.
    outside_um : float
        Distance to the field within which chains start.
    """
    outside = min(length_um, 0.3 * max(field_um))
    larger = [side + 2 * outside for side in field_um]
    ratio = larger[0] * larger[1] / (field_um[0] * field_um[1])
    total = int(rng.poisson(count * (ratio - 1))) + count
    start = rng.uniform((-outside, -outside), np.asarray(field_um) + outside, (total, 2))
    start[:count] = rng.uniform((0.0, 0.0), field_um, (count, 2))
    for k in range(count, total):
        while np.all((start[k] >= 0) & (start[k] <= field_um)):
            start[k] = rng.uniform((-outside, -outside), np.asarray(field_um) + outside)
    return start, outside


def worm_like_chains(
    field_um: Field,
    start: np.ndarray,
    heading: np.ndarray,
    rng: np.random.Generator,
    persistence_um: float,
    length_um: float,
    step_um: float,
    outside_um: float = 0.0,
) -> list[np.ndarray]:
    """Draw worm-like chains and cut them to the field.

    A chain ends at its length or where it leaves the field by more than ``outside_um``. One that
    comes in again gives several curves.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    start : ndarray
        (n, 2) starting points y, x in µm.
    heading : ndarray
        (n,) first directions in radians, from the x axis to the y axis.
    rng : numpy.random.Generator
        Source of randomness.
    persistence_um, length_um, step_um : float
        Persistence length, length and distance between points in µm.
    outside_um : float, default 0
        Distance to the field up to which chains go on.

    Returns
    -------
    list of ndarray
        Each (n, 2) points y, x in µm.
    """
    count, steps = len(start), max(int(length_um / step_um), 2)
    # Chains leave a small field long before their end: they are made in pieces.
    piece = min(steps, max(int(1.5 * max(field_um) / step_um), 2))
    point, angle, alive = start.copy(), heading.copy(), np.arange(count)
    low, high = -outside_um, np.asarray(field_um) + outside_um
    found: list[list[np.ndarray]] = [[] for _ in range(count)]
    for first in range(0, steps, piece):
        n = min(piece, steps - first)
        turns = rng.normal(0.0, np.sqrt(2 * step_um / persistence_um), (len(alive), n))
        angles = angle[alive, None] + np.cumsum(turns, axis=1)
        steps_taken = step_um * np.stack([np.sin(angles), np.cos(angles)], axis=2)
        points = point[alive, None] + np.cumsum(steps_taken, axis=1)
        inside = np.all((points >= low) & (points <= high), axis=2)
        ends = np.where(inside.all(axis=1), n, inside.argmin(axis=1))
        for k, end, chain in zip(alive, ends, points, strict=True):
            found[k].append(chain[:end])
        go_on = ends == n
        alive = alive[go_on]
        point[alive], angle[alive] = points[go_on, -1], angles[go_on, -1]
        if not len(alive):
            break
    return [curve for parts in found for curve in _cut(np.concatenate(parts), field_um)]


def _cut(chain: np.ndarray, field_um: Field) -> list[np.ndarray]:
    """Return the stretches of a chain (n, 2) that lie in the field."""
    inside = np.all((chain >= 0) & (chain <= np.asarray(field_um)), axis=1)
    stretches = np.split(chain, np.flatnonzero(np.diff(inside)) + 1)
    begins_inside = bool(inside[0]) if len(inside) else False
    return [c for c in stretches[0 if begins_inside else 1 :: 2] if len(c) > 1]
