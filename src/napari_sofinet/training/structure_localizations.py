"""Localizations of moving structures, true and false, as training data.

Lengths are in samples of a quarter of a camera pixel, times in windows after the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_sofinet.training.distributions import log_uniform
from napari_sofinet.training.settings import DynamicsTrainingSettings
from napari_sofinet.training.structure_motion import Motion
from napari_sofinet.training.structure_shapes import MARGIN_PX, Structure

FRAME = 0.1
"""Duration of a frame in windows."""
MOST_LOCALIZATIONS = 60_000
MOST_FALSE = 3.0
"""Highest number of false localizations, relative to true ones: nothing can be learned where nearly
all are false."""

TimesAndPlaces = tuple[np.ndarray, np.ndarray]
"""Times (N,) and positions (N, 2) y, x."""


@dataclass(frozen=True)
class Localizations:
    """Localizations around the time of a picture.

    Parameters
    ----------
    time : ndarray
        (N,) in windows after that of the picture.
    y, x : ndarray
        (N,) positions in samples.
    """

    time: np.ndarray
    y: np.ndarray
    x: np.ndarray


def draw_localizations(
    structure: Structure,
    move: Motion,
    before: float,
    after: float,
    settings: DynamicsTrainingSettings,
    side: int,
    rng: np.random.Generator,
) -> Localizations:
    """Draw the localizations of a structure, and false ones.

    Parameters
    ----------
    structure : Structure
        The structure at the time of the picture.
    move : Motion        Motion of the structure. before, after : float
        Duration in windows before and after the picture.
    settings : DynamicsTrainingSettings
        Limits of their number and precision.
    side : int
        Side of the field in samples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Localizations
        In no particular order.
    """
    s = settings
    error = rng.uniform(s.error_min, s.error_max)
    parts: list[TimesAndPlaces] = []
    if len(structure.places):
        true = _of_structure(structure, move, before, after, s, error, rng)
        parts.append(true)
        if rng.random() < 0.6:
            parts.append(_around(*true, s.scattered_max, rng))
    count = sum(len(time) for time, _ in parts)
    most = MOST_FALSE * count if count else MOST_LOCALIZATIONS
    for time, at in _false(s, side, before, after, most, rng):
        parts.append((time, at + rng.normal(0, error * rng.uniform(0.7, 2), at.shape)))
    time = np.concatenate([np.zeros(0), *(time for time, _ in parts)])
    at = np.concatenate([np.zeros((0, 2)), *(at for _, at in parts)])
    seen = (time >= -before) & (time <= after)
    return Localizations(time[seen], at[seen, 0], at[seen, 1])


def _of_structure(
    structure: Structure,
    move: Motion,
    before: float,
    after: float,
    s: DynamicsTrainingSettings,
    error: float,
    rng: np.random.Generator,
) -> TimesAndPlaces:
    """Draw the true localizations."""
    rate = structure.shine * log_uniform(rng, s.blinks_min, s.blinks_max)
    expected = min(rate * structure.amount * (before + after), MOST_LOCALIZATIONS)
    frames = float(rng.choice([1.0, rng.uniform(1, 8)]))  # that an emitter stays on
    chosen = _emitters(structure, rng.poisson(expected / frames), rng)
    begins = _beginnings(len(chosen), before, after, rng)
    lasts = rng.geometric(1 / frames, len(chosen))
    chosen, time = np.repeat(chosen, lasts), np.repeat(begins, lasts)
    time = time + FRAME * _count_up(lasts)
    at = move(structure.places[chosen], structure.object[chosen], time)
    if rng.random() < 0.25:  # as in the paper
        return time, np.round(at) + rng.integers(-1, 2, at.shape)
    own = error * rng.lognormal(-0.05, 0.3, len(at))
    return time, at + rng.normal(size=at.shape) * own[:, None]


def _around(
    time: np.ndarray, at: np.ndarray, most: float, rng: np.random.Generator
) -> TimesAndPlaces:
    """Draw false localizations near some of the true ones, at most a fraction ``most`` of them."""
    near = np.flatnonzero(rng.random(len(at)) < rng.uniform(0, most))
    near = np.repeat(near, rng.integers(1, 8, len(near)))
    return time[near], np.round(at[near] + rng.integers(-5, 6, (len(near), 2)))


def _false(
    s: DynamicsTrainingSettings,
    side: int,
    before: float,
    after: float,
    most: float,
    rng: np.random.Generator,
) -> Iterator[TimesAndPlaces]:
    """Draw false localizations, up to a number."""
    wide = side + 2 * MARGIN_PX
    length = before + after
    if rng.random() < 0.85:  # anywhere, for one frame or some
        rate = log_uniform(rng, 3e-5, s.false_max)
        frames = float(rng.choice([1.0, rng.uniform(1, 12)]))
        count = rng.poisson(min(rate * length * wide**2, 0.7 * most) / frames)
        lasts = rng.geometric(1 / frames, count)
        time = np.repeat(rng.uniform(-before, after, count), lasts) + FRAME * _count_up(lasts)
        yield time, np.repeat(_anywhere(count, wide, rng), lasts, axis=0)
    if rng.random() < 0.6:  # again and again at the same places
        count = rng.poisson(log_uniform(rng, 0.3, 500) * (wide / 112) ** 2)
        again = rng.integers(2, int(log_uniform(rng, 4, 80)), count)
        again = again[np.cumsum(again) <= max(0.5 * most, 80)]
        time = rng.uniform(-before, after, again.sum())
        yield time, np.repeat(_anywhere(len(again), wide, rng), again, axis=0)


def _anywhere(count: int, wide: int, rng: np.random.Generator) -> np.ndarray:
    """Draw places (count, 2) in the field, in some scenes denser in a part of it."""
    places = rng.uniform(0, wide, (count, 2))
    if rng.random() < 0.3:
        middle, width = rng.uniform(0, wide, 2), log_uniform(rng, 8, 60)
        some = rng.random(count) < rng.random()
        places[some] = middle + rng.normal(0, width, (int(some.sum()), 2))
    return places - MARGIN_PX


def _beginnings(count: int, before: float, after: float, rng: np.random.Generator) -> np.ndarray:
    """Draw times (count,) of blinks: uniform, or rarer and rarer as a dye bleaches."""
    fraction = rng.random(count)
    if rng.random() < 0.25:
        decay = rng.uniform(0.3, 3)
        fraction = -np.log1p(-fraction * (1 - np.exp(-decay))) / decay
    return np.asarray(fraction * (before + after) - before)


def _emitters(structure: Structure, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the numbers (count,) of the places that shine: any, or some again and again."""
    number = len(structure.places)
    if rng.random() < 0.4:
        return rng.integers(0, number, count)
    emitters = max(int(structure.amount * log_uniform(rng, 0.3, 4)), 1)
    weights = rng.gamma(1 / rng.uniform(0.2, 1.5), size=emitters) + 1e-9
    some = rng.integers(0, number, emitters)
    return np.asarray(some[rng.choice(emitters, count, p=weights / weights.sum())])


def _count_up(lasts: np.ndarray) -> np.ndarray:
    """Return 0, 1 ... n-1 for each n of ``lasts``, one after the other."""
    ends = np.cumsum(lasts)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lasts, lasts))
