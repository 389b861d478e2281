"""Structures of the movies on which the choice of a method is tested, and of no others.

Places (N, 2) of emitters in nm in a field of 12.8 um, as `other_movies.py` gives them.
"""

from __future__ import annotations

import numpy as np
from other_movies import FIELD_NM
from scipy.ndimage import gaussian_filter

NM = 10
"""Distance of emitters along lines, before some of them are left out."""


def line(start: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Points of a path of steps of `NM` in these directions."""
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=1)
    return np.asarray(start + NM * np.cumsum(steps, axis=0))


def trees(rng: np.random.Generator) -> np.ndarray:
    """Branches that fork three times, each a little shorter than the one before."""
    found = []
    for _ in range(rng.integers(4, 20)):
        tips = [(rng.uniform(0, FIELD_NM, 2), rng.uniform(0, 2 * np.pi))]
        for length in rng.uniform(1200, 2500) * 0.75 ** np.arange(4):
            grown = []
            for at, heading in tips:
                bend = heading + np.cumsum(rng.normal(0, 0.03, int(length / NM)))
                found.append(line(at, bend))
                fork = rng.uniform(0.3, 0.8)
                grown += [(found[-1][-1], bend[-1] - fork), (found[-1][-1], bend[-1] + fork)]
            tips = grown
    return np.concatenate(found)


def spirals(rng: np.random.Generator) -> np.ndarray:
    """Coils of two to four turns, 0.4 to 1.5 um across."""
    found = []
    for _ in range(rng.integers(15, 60)):
        radius, turns = rng.uniform(200, 750), rng.uniform(2, 4)
        part = np.sqrt(np.linspace(0.01, 1, int(np.pi * radius * turns / NM)))
        angle = 2 * np.pi * turns * part + rng.uniform(0, 2 * np.pi)
        at = radius * part[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        found.append(rng.uniform(0, FIELD_NM, 2) + at)
    return np.concatenate(found)


def asters(rng: np.random.Generator) -> np.ndarray:
    """Straight rays from centres, at random angles."""
    found = []
    for _ in range(rng.integers(5, 25)):
        centre = rng.uniform(0, FIELD_NM, 2)
        for _ in range(rng.integers(4, 14)):
            steps = int(rng.uniform(400, 2000) / NM)
            found.append(line(centre, np.full(steps, rng.uniform(0, 2 * np.pi))))
    return np.concatenate(found)


def double_lines(rng: np.random.Generator) -> np.ndarray:
    """Pairs of parallel lines, 80 to 300 nm apart."""
    found = []
    for _ in range(rng.integers(8, 30)):
        heading, apart = rng.uniform(0, 2 * np.pi), rng.uniform(80, 300)
        one = line(rng.uniform(0, FIELD_NM, 2), np.full(int(rng.uniform(2000, 6000) / NM), heading))
        found += [one, one + apart * np.array([np.cos(heading), -np.sin(heading)])]
    return np.concatenate(found)


def patches(rng: np.random.Generator) -> np.ndarray:
    """Uneven areas where a smooth random field is high, with soft edges."""
    field = gaussian_filter(rng.normal(0, 1, (256, 256)), rng.uniform(2, 12), mode="wrap")
    weight = np.maximum(field - np.quantile(field, rng.uniform(0.6, 0.95)), 0)
    count = int(rng.uniform(3000, 40000))
    cells = rng.choice(weight.size, count, p=(weight / weight.sum()).ravel())
    at = np.stack(np.unravel_index(cells, weight.shape), axis=1) + rng.random((count, 2))
    return np.asarray(at * FIELD_NM / 256)


def beads(rng: np.random.Generator) -> np.ndarray:
    """Spots in rows, 150 to 400 nm apart, like beads on strings."""
    found = []
    for _ in range(rng.integers(8, 30)):
        bends = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.02, 500))
        apart = int(rng.uniform(150, 400) / NM)
        for at in line(rng.uniform(0, FIELD_NM, 2), bends)[::apart]:
            found.append(at + rng.normal(0, 20, (rng.integers(5, 40), 2)))
    return np.concatenate(found)


HELD_OUT = {
    "trees": trees,
    "spirals": spirals,
    "asters": asters,
    "double lines": double_lines,
    "patches": patches,
    "beads": beads,
}
