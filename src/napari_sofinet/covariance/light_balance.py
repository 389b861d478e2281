"""Amounts of the picture by the mean image, where few blinks make the variance uncertain.

The variance of an emitter is known only as well as its blinks are many. Where emitters are alike,
it is proportional to their mean light, which is known far better. How alike they are is measured:
two halves of the frames differ by chance, the variance and the light of a place do not.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

RUNS = 2
"""Runs of frames, of which every other makes a half: longer than blinks."""
FEWEST_PLACES = 8
"""Fewest areas of a PSF from which the scatter can be measured."""
AREA_SIGMAS = 4 * np.pi
"""Area in sigma**2 within which neighbouring values of a smoothed image are alike."""
BRIGHT = 0.1
"""Light over that of the brightest places, below which a place does not count."""
MOST = 10.0
"""Largest factor by which an amount is changed."""
BACKGROUND_SIGMAS = 10.0


class HalfVariances:
    """Variance of the light of places, in two halves of the frames, without the noise of pixels.

    Parameters
    ----------
    field : (int, int)
        Rows and columns.
    frames : int
        Number of frames.
    sigma_px : float
        Standard deviation of a Gaussian within which pixels are summed up, in camera pixels.
    """

    def __init__(self, field: tuple[int, int], frames: int, sigma_px: float) -> None:
        self._sigma, self._run = sigma_px, max(frames // RUNS, 1)
        # Of each half: sums of smoothed frames and of pixels, and of their squares.
        self._sums = np.zeros((2, 4, *field))
        self._total = np.zeros((2, 2, *field))
        self._count, self._freedom = np.zeros(2, int), np.zeros(2, int)
        self._pivot: np.ndarray | None = None

    def add(self, frames: np.ndarray, before: int) -> None:
        """Add frames (t, Y, X) of the current sub-sequence, the first of which has a number."""
        if self._pivot is None:
            self._pivot = frames.mean(axis=0)
        rest = np.asarray(frames - self._pivot, np.float32)
        smooth = gaussian_filter(rest, (0, self._sigma, self._sigma), mode="constant")
        half = (before + np.arange(len(frames))) // self._run % 2
        for h in (0, 1):
            chosen = half == h
            for k, part in enumerate((smooth[chosen], rest[chosen])):
                self._sums[h, k] += part.sum(axis=0, dtype=np.float64)
                self._sums[h, 2 + k] += np.square(part).sum(axis=0, dtype=np.float64)
            self._count[h] += int(chosen.sum())

    def end_sub_sequence(self) -> None:
        """Take off the means of the sub-sequence that ends."""
        for h, count in enumerate(self._count):
            if count:
                self._total[h] += self._sums[h, 2:] - self._sums[h, :2] ** 2 / count
                self._freedom[h] += count - 1
        self._sums[:], self._count[:], self._pivot = 0, 0, None

    def value(self) -> np.ndarray:
        """Return the variances (2, Y, X) of smoothed frames less those of single pixels."""
        if self._freedom.min() < 1:
            return np.zeros((2, *self._total.shape[2:]))
        smooth, own = np.moveaxis(self._total / self._freedom[:, None, None, None], 1, 0)
        # The square of a Gaussian is a narrower one, whose sum is 1 / (4 pi sigma**2).
        sigma = self._sigma / np.sqrt(2)
        noise = gaussian_filter(own, (0, sigma, sigma), mode="constant")
        return np.asarray(smooth - noise / (4 * np.pi * self._sigma**2))


def light_above_background(
    mean: np.ndarray, still: np.ndarray, floor: float, sigma_px: float
) -> np.ndarray:
    """Return the mean image without the light between the blinking structures.

    Parameters
    ----------
    mean : ndarray
        (Y, X) mean image.
    still : ndarray
        (Y, X) bool: where nothing blinks.
    floor : float
        Mean of the darkest place, which is the background where no still place is near.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    """
    wide = BACKGROUND_SIGMAS * sigma_px
    near = gaussian_filter(still.astype(float), wide)
    above = gaussian_filter(np.where(still, mean - floor, 0.0), wide)
    background = np.divide(above, near, out=np.zeros_like(near), where=near > 1e-3)
    return np.asarray(np.maximum(mean - floor - np.maximum(background, 0), 0))


def weight_of_light(
    halves: np.ndarray, light: np.ndarray, blinks: np.ndarray, smoothed_px: float, sigma_px: float
) -> float:
    """Return how much the mean image tells about the variances, from 0 to 1.

    The ratio of variance and light differs between places by chance and because emitters are not
    alike. Only the latter is the same in both halves. The weight is the part of the scatter that is
    chance, once the halves are taken together: the mean squared error of ``(1 - w) * ratio + w *
    average`` is then smallest.

    Parameters
    ----------
    halves : ndarray
        (2, Y, X) from `HalfVariances`.
    light : ndarray
        (Y, X) mean light above the background.
    blinks : ndarray
        (Y, X) bool: where something blinks.
    smoothed_px, sigma_px : float
        Standard deviations of the smoothing of the frames and of the PSF in camera pixels.
    """
    light = gaussian_filter(light, smoothed_px)
    # An emitter appears as the square of the smoothed PSF in a variance.
    wide = float(np.hypot(smoothed_px, sigma_px))
    halves = gaussian_filter(halves, (0, wide / np.sqrt(2), wide / np.sqrt(2)))
    bright = blinks & (light > BRIGHT * np.percentile(light, 99))
    places = bright.sum() / (AREA_SIGMAS * wide**2)
    if places < FEWEST_PLACES:
        return 0.0
    first, second = (half[bright] / light[bright] for half in halves)
    # Brighter places are more certain, and count more in the picture.
    share = light[bright] ** 2 / (light[bright] ** 2).sum()
    means = [float((share * one).sum()) for one in (first, second)]
    if min(means) <= 0:
        return 0.0
    first, second = (one / mean - 1 for one, mean in zip((first, second), means, strict=True))
    scatter = float((share * (first**2 + second**2)).sum()) / 2
    lasting = float(np.clip((share * first * second).sum(), 0, scatter))
    chance = (scatter - lasting) / 2
    return chance / (chance + lasting) if chance > 0 else 0.0


def balanced_by_light(
    picture: np.ndarray, light: np.ndarray, weight: float, sigma_px: float
) -> np.ndarray:
    """Return a picture whose amounts within each PSF are partly those of the mean image.

    Parameters
    ----------
    picture : ndarray
        (fine * Y, fine * X) variance of the light.
    light : ndarray
        (Y, X) mean light above the background.
    weight : float
        From `weight_of_light`.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.

    Returns
    -------
    ndarray
        Picture of the same sum.
    """
    total = float(picture.sum(dtype=np.float64))
    if not (weight > 0 and total > 0):
        return picture
    fine = picture.shape[0] // light.shape[0]
    amounts = gaussian_filter(picture, fine * sigma_px)
    by_light = zoom(light, fine, order=1, mode="nearest", grid_mode=True)
    by_light = by_light * (picture > 0)
    drawn = float((amounts * (picture > 0)).sum(dtype=np.float64))
    by_light *= drawn / max(float(by_light.sum()), 1e-30)
    least = 1e-6 * float(amounts.max())
    ratio = ((1 - weight) * amounts + weight * by_light + least) / (amounts + least)
    out = picture * np.clip(ratio, 1 / MOST, MOST)
    return np.asarray(out * (total / out.sum(dtype=np.float64)), picture.dtype)
