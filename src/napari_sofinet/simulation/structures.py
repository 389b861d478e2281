"""Structures in continuous coordinates (um): where the emitters sit."""

from __future__ import annotations

import numpy as np


def microtubules(
    field_um: tuple[float, float],
    count: int,
    rng: np.random.Generator,
    *,
    persistence_um: float = 20.0,
    length_um: float = 25.0,
    step_um: float = 0.01,
) -> list[np.ndarray]:
    """Filaments as persistent random walks that end at their length or at the field's edge.

    The heading does a random walk with variance ``2 step / persistence`` per step, so tangents a
    distance s apart have a mean cosine of exp(-s / persistence) (worm-like chain).

    Parameters
    ----------
    field_um
        Height and width of the field.
    count
        Number of filaments.

    Returns
    -------
    One (n, 2) array of y, x in um per filament, points ``step_um`` apart.
    """
    height, width = field_um
    steps = max(int(length_um / step_um), 2)
    filaments = []
    for _ in range(count):
        start = rng.uniform((0.0, 0.0), (height, width))
        bend = rng.normal(0.0, np.sqrt(2 * step_um / persistence_um), steps)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
        points = start + step_um * np.cumsum(
            np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0
        )
        inside = np.all((points >= 0) & (points <= (height, width)), axis=1)
        end = steps if inside.all() else int(np.argmin(inside))
        if end > 1:
            filaments.append(points[:end])
    return filaments


def label(
    filaments: list[np.ndarray], density_per_um: float, rng: np.random.Generator
) -> np.ndarray:
    """Emitters at random along filaments: Poisson in number, uniform in arc length.

    Returns (n, 2) positions y, x in um.
    """
    placed = [np.empty((0, 2))]
    for points in filaments:
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        at = rng.uniform(0, arc[-1], rng.poisson(density_per_um * arc[-1]))
        placed.append(
            np.stack([np.interp(at, arc, points[:, 0]), np.interp(at, arc, points[:, 1])], axis=1)
        )
    return np.concatenate(placed)
