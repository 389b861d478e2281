"""Three-dimensional structures for the simulation of SIM stacks, as clouds of points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHROMATIN_POINTS = 137
CHROMATIN_REACH_UM = 10.0
"""Largest coordinate of a random walk of chromatin, seen from its middle."""
SPHERE_RADIUS_UM = 5.0
FILAMENT_STEP_UM = 0.02


@dataclass(frozen=True)
class Box:
    """Space that a stack shows.

    Parameters
    ----------
    depth_um, height_um, width_um : float
        Lengths along z, y and x; it begins at 0.
    """

    depth_um: float
    height_um: float
    width_um: float

    @property
    def size_um(self) -> np.ndarray:
        """Lengths (3,) along z, y and x."""
        return np.array([self.depth_um, self.height_um, self.width_um])


def chromatin(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return random walks of 137 points, each scaled to reach 10 um from its middle.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    box : Box
        The space; walks larger than it reach beyond.
    count : int
        Number of walks.

    Returns
    -------
    ndarray
        (N, 3) positions along z, y and x in um.
    """
    walks = []
    for _ in range(count):
        walk = np.cumsum(rng.normal(size=(CHROMATIN_POINTS, 3)), axis=0)
        walk -= walk.mean(0)
        walk *= CHROMATIN_REACH_UM / np.abs(walk).max()
        middle = box.size_um / 2
        if count > 1:
            middle = rng.uniform(0, box.size_um)
        walks.append(walk + middle)
    return np.concatenate(walks)


def sphere(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return evenly distributed points in a ball of 5 um radius, half as high.

    Parameters
    ----------
    rng, box, count
        See `chromatin`; ``count`` points.

    Returns
    -------
    ndarray
        (N, 3) positions in um.
    """
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    at = direction * SPHERE_RADIUS_UM * rng.random((count, 1)) ** (1 / 3)
    return np.asarray(at * [0.5, 1, 1] + box.size_um / 2)


def filaments(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return smooth filaments through the box, with a point each 20 nm.

    Parameters
    ----------
    rng, box, count
        See `chromatin`; ``count`` filaments.

    Returns
    -------
    ndarray
        (N, 3) positions in um.
    """
    length = 1.5 * float(max(box.height_um, box.width_um))
    steps = int(length / FILAMENT_STEP_UM)
    out = []
    for _ in range(count):
        persistence_um = np.exp(rng.uniform(np.log(2), np.log(40)))
        turn = np.sqrt(2 * FILAMENT_STEP_UM / persistence_um)
        tilt = np.cumsum(rng.normal(0, turn / 2, steps)) + rng.normal(0, 0.2)
        course = np.cumsum(rng.normal(0, turn, steps)) + rng.uniform(0, 2 * np.pi)
        rise = np.sin(np.clip(tilt, -1, 1))
        level = np.sqrt(1 - rise**2)
        path = np.cumsum(np.stack([rise, level * np.sin(course), level * np.cos(course)], 1), 0)
        path *= FILAMENT_STEP_UM
        # Some point of it lies in the box.
        start = rng.uniform(0, box.size_um)
        out.append(path - path[rng.integers(steps)] + start)
    return _inside(np.concatenate(out), box)


def membranes(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return closed membranes: shells of ellipsoids with bumps, 300 to 3000 points per um².

    Parameters
    ----------
    rng, box, count
        See `chromatin`; ``count`` shells.

    Returns
    -------
    ndarray
        (N, 3) positions in um.
    """
    density = np.exp(rng.uniform(np.log(300), np.log(3000)))
    out = []
    for _ in range(count):
        axes = np.exp(rng.uniform(np.log(0.25), np.log(0.5 * box.size_um.max()), 3))
        axes[0] = min(axes[0], box.depth_um)
        area = 4 * np.pi * ((axes[0] * axes[1]) ** 1.6 + (axes[0] * axes[2]) ** 1.6) ** 0.625 / 1.5
        direction = rng.normal(size=(int(min(area * density, 60_000)), 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        bumps = 1 + rng.uniform(0, 0.15) * np.sin(direction @ rng.normal(0, 4, 3))
        out.append(direction * axes * bumps[:, None] + rng.uniform(0, box.size_um))
    return _inside(np.concatenate(out), box)


def volumes(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return filled bodies with holes, 30 to 1000 points per um³.

    Parameters
    ----------
    rng, box, count
        See `chromatin`; ``count`` bodies.

    Returns
    -------
    ndarray
        (N, 3) positions in um.
    """
    density = np.exp(rng.uniform(np.log(30), np.log(1000)))
    out = []
    for _ in range(count):
        axes = np.exp(rng.uniform(np.log(0.2), np.log(0.4 * box.size_um.max()), 3))
        axes[0] = min(axes[0], box.depth_um)
        number = int(min(4.2 * axes.prod() * density, 60_000))
        at = rng.normal(size=(number, 3))
        at *= rng.random((number, 1)) ** (1 / 3) / np.linalg.norm(at, axis=1, keepdims=True)
        for _ in range(rng.integers(0, 6)):
            hole, radius = rng.uniform(-0.7, 0.7, 3), rng.uniform(0.1, 0.5)
            at = at[((at - hole) ** 2).sum(1) > radius**2]
        out.append(at * axes + rng.uniform(0, box.size_um))
    return _inside(np.concatenate(out), box)


def scattered(rng: np.random.Generator, box: Box, count: int) -> np.ndarray:
    """Return points at random.

    Parameters
    ----------
    rng, box, count
        See `chromatin`; ``count`` points.

    Returns
    -------
    ndarray
        (N, 3) positions in um.
    """
    return np.asarray(rng.uniform(0, 1, (count, 3)) * box.size_um)


STRUCTURES: dict[str, Callable[[np.random.Generator, Box, int], np.ndarray]] = {
    "chromatin": chromatin,
    "sphere": sphere,
    "filaments": filaments,
    "membranes": membranes,
    "volumes": volumes,
    "points": scattered,
}
"""Structures by name; each takes a source of randomness, the box and a number of objects."""


def _inside(positions_um: np.ndarray, box: Box) -> np.ndarray:
    """Return the points in the box and a margin of 2 um around it, whose blur still reaches it."""
    inside = (positions_um > -2) & (positions_um < box.size_um + 2)
    return positions_um[inside.all(1)]
