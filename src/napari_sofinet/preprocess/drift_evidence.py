"""Evidence of a drift: two parts of the field, each with its own emitters, must show it alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from napari_sofinet.preprocess.block_registration import FARTHEST, likeness, register
from napari_sofinet.preprocess.drift_path import position_error
from napari_sofinet.preprocess.simple_courses import CourseSearch
from napari_sofinet.preprocess.smooth_path import PathSmoother

TILE_PX, MOST_TILES = 12.0, 6
"""Least side in camera pixels, and most per side, of the tiles of which the two parts consist."""
SOFT = 3.0
"""Width of the parts' edges in samples."""
FARTHER, NEAREST_PX = 1.5, 1.0
"""Shifts that are searched in the parts: relative to those in the whole field, and in addition."""
PLACE_PX, MOST_PLACES = 8.0, 12
"""The same of the places whose evidence counts as independent."""
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the field shows of a drift.

    Parameters
    ----------
    at : numpy.ndarray
        (n, 2) smooth position of the sample in each block in camera pixels, by the whole field or
        by the mean of the parts, whichever makes the blocks more alike.
    apart_px : float
        Distance (rms) between the smooth positions by one part of the field and by the other.
    at_gain : float
        Gain of this path by `BlockImages.gain`.
    shared_gain : float
        The same for each part along the path of the other part; above 0 where the parts share a
        drift.
    certainty : float
        Shared gain in units of its scatter between places in the field.
    """

    at: np.ndarray
    apart_px: float
    at_gain: float
    shared_gain: float
    certainty: float


class BlockImages:
    """Sharp images of blocks of frames, of which a drift makes two parts of the field alike.

    Parameters
    ----------
    images : ndarray of shape (n, Y, X)
        Two samples per camera pixel.
    edges : ndarray of shape (n + 1,)
        First frame of each block, and the one after the last.
    """

    def __init__(self, images: np.ndarray, edges: np.ndarray) -> None:
        self._images, self._edges = images, edges
        self._times = (edges[:-1] + edges[1:] - 1) / 2
        self.at = register(list(images)) / 2
        self._parts = two_parts(np.square(images.mean(axis=0)))
        # Parts have fewer emitters, and with a wide search more peaks by chance. How far they may
        # move says nothing of the way.
        apart = np.abs(self.at[:, None] - self.at[None]).max()
        self._reach = 2 * min(FARTHER * apart + NEAREST_PX, FARTHEST / 2)
        self._at_parts = [register(list(images * part), self._reach) / 2 for part in self._parts]
        self._rest = likeness(images, np.zeros_like(self.at))
        self._place = tiles(images.shape[1:], PLACE_PX, MOST_PLACES)

    def gain(self, path_px: np.ndarray) -> float:
        """Return how much more alike the blocks are along a path of shape (T, 2), than at rest.

        It is the excess of the sum of all products of two blocks, relative to that at rest.
        """
        return self._gain(np.stack([path_px[a:b].mean(axis=0) for a, b in pairwise(self._edges)]))

    def _gain(self, at: np.ndarray) -> float:
        moved = likeness(self._images, at - np.median(at, axis=0)).sum()
        return float(moved / max(self._rest.sum(), TINY)) - 1

    def evidence(self, jumps: list[int]) -> Evidence:
        """Return the evidence of a path that is smooth but for jumps before some of the blocks.

        A path that only one part shows makes the other one less sharp than rest does, and so does
        a path that follows from chance.
        """
        smoother = PathSmoother(self._times, jumps)
        paths = [_smooth_path(at, smoother) for at in self._at_parts]
        return self._evidence(paths, [_smooth_path(self.at, smoother), (paths[0] + paths[1]) / 2])

    def straight(self) -> Evidence:
        """Return the evidence of the likeliest drift of constant speed."""
        course = (self._times - self._times[0]) / (self._times[-1] - self._times[0])
        ways = [np.outer(course, search.line()) / 2 for search in self._searches]
        return self._evidence(ways[1:], ways[:1])

    def jump(self) -> tuple[int, Evidence]:
        """Return the number of the block before the likeliest jump, and the evidence of it."""
        k, whole = self._searches[0].step()
        after = np.arange(len(self._times)) >= k
        steps = [whole, *(search.step(k)[1] for search in self._searches[1:])]
        ways = [np.outer(after, step) / 2 for step in steps]
        return k, self._evidence(ways[1:], ways[:1])

    @cached_property
    def _searches(self) -> list[CourseSearch]:
        """Searches in the whole field and in its parts."""
        return [CourseSearch(self._images, self._reach, part) for part in (None, *self._parts)]

    def _evidence(self, paths: list[np.ndarray], ways: list[np.ndarray]) -> Evidence:
        """Return the evidence of paths of the two parts, and the best of some ways."""
        changes, rests = [], 0.0
        for part, path in zip(self._parts, paths[::-1], strict=True):
            rest = self._rest * part
            moved = likeness(self._images, path - np.median(path, axis=0)) * part
            changes.append(np.bincount(self._place.ravel(), (moved - rest).ravel()))
            rests += float(rest.sum())
        gain = np.concatenate(changes)
        scatter = max(float(np.sqrt(np.square(gain).sum())), TINY)
        apart = paths[0] - paths[1] - (paths[0] - paths[1]).mean(axis=0)
        gains = [self._gain(way) for way in ways]
        best = int(np.argmax(gains))
        return Evidence(
            ways[best],
            float(np.sqrt(np.square(apart).sum(axis=1).mean())),
            gains[best],
            float(gain.sum()) / max(rests, TINY),
            float(gain.sum()) / scatter,
        )


def tiles(shape: tuple[int, ...], side_px: float, most: int) -> np.ndarray:
    """Return the number of the tile that each sample of a field lies in, of shape (Y, X)."""
    count = int(np.clip(min(shape) / 2 // side_px, 2, most))
    y, x = (np.arange(n) * count // n for n in shape)
    return np.asarray(y[:, None] * count + x)


def two_parts(power: np.ndarray) -> list[np.ndarray]:
    """Return the weights of two parts of a field, made of tiles of which both have bright ones."""
    from scipy.ndimage import gaussian_filter

    number = tiles(power.shape, TILE_PX, MOST_TILES)
    sums = np.bincount(number.ravel(), power.ravel())
    first = np.zeros(len(sums), bool)
    # The brightest is of the first part, the next two are of the second, and so on.
    first[np.argsort(-sums)] = (np.arange(len(sums)) + 1) // 2 % 2 == 0
    inside = [gaussian_filter((first == k)[number].astype(float), SOFT) for k in (True, False)]
    return [np.clip(2 * part - 1, 0, 1) for part in inside]


def _smooth_path(at: np.ndarray, smoother: PathSmoother) -> np.ndarray:
    error = position_error(at)
    return np.stack([smoother.smooth(values, error)[0] for values in at.T], axis=1)
