"""Tests of noise and counts that show whether frames were processed after the camera."""

from __future__ import annotations

import numpy as np

FINE_MIN = 0.5
"""Power of the finest noise, over that of coarser noise, below which frames were smoothed."""
FINE_USUAL, SHARED_USUAL = 0.85, 0.2
"""Power above which frames count as processed only if neighbours in the dark correlate, too."""
SHARED_MAX = 0.48
"""Correlation of neighbours in the dark above which the noise is not that of a camera."""


def noise_left(frames: np.ndarray) -> float | None:
    """Return the fraction of a camera's finest noise that is left in processed frames.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames.

    Returns
    -------
    float or None
        Fraction between 0 and 1; None if the noise of the pixels is independent, as in a camera.

    Examples
    --------
    >>> from scipy.ndimage import median_filter
    >>> noise = np.random.default_rng(0).normal(100, 3, (20, 48, 48))
    >>> noise_left(noise), noise_left(median_filter(noise, (1, 3, 3))) < 1
    (None, True)
    """
    fine, shared = fine_noise(frames), shared_in_the_dark(frames)
    little = fine < FINE_MIN or (fine < FINE_USUAL and shared > SHARED_USUAL)
    return min(fine, 1 - shared) if little or shared > SHARED_MAX else None


def shared_in_the_dark(frames: np.ndarray) -> float:
    """Return the correlation of neighbouring pixels' changes where a movie is dark.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames.
    """
    frames = np.asarray(frames, np.float64)
    mean = frames.mean(axis=0)
    dark = mean <= np.percentile(mean, 40)
    changes = np.diff(frames, axis=0)
    power = np.square(changes).mean(axis=0)
    found = []
    # The less of both directions: rows or columns may share noise of the readout.
    for a, b in ((np.s_[..., 1:], np.s_[..., :-1]), (np.s_[..., 1:, :], np.s_[..., :-1, :])):
        both = dark[a] & dark[b]
        together = changes[a] * changes[b]
        alone = power[a][both].sum()
        found.append(float(together.mean(axis=0)[both].sum() / alone) if alone > 0 else 0.0)
    return min(found)


def fine_noise(frames: np.ndarray) -> float:
    """Return the power of the finest spatial frequencies over that of somewhat lower ones.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames, of which differences are taken.

    Returns
    -------
    float
        1 for the noise of a camera, and less if frames were blurred, compressed, moved or enlarged;
        NaN if there is no noise or the field is smaller than 8 px.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> noise = np.random.default_rng(0).normal(100, 3, (20, 32, 32))
    >>> round(fine_noise(noise)), round(fine_noise(gaussian_filter(noise, (0, 1, 1))))
    (1, 0)
    """
    changes = np.diff(np.asarray(frames, np.float64), axis=0)
    _, rows, columns = changes.shape
    if min(rows, columns) < 8 or not len(changes):
        return float("nan")
    window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
    power = np.zeros((rows, columns // 2 + 1))
    for change in changes:
        power += np.abs(np.fft.rfft2((change - change.mean()) * window)) ** 2
    fy = np.abs(np.fft.fftfreq(rows))[:, None]
    fx = np.fft.rfftfreq(columns)[None]
    # Medians, since single frequencies may hold a pattern.
    finest = float(np.median(power[(fy > 0.4) & (fx > 0.4)]))
    coarser = float(np.median(power[(np.hypot(fy, fx) > 0.38) & (np.hypot(fy, fx) < 0.48)]))
    if not coarser > 0:
        return float("nan")
    return finest / coarser


def piles_up(frames: np.ndarray) -> float:
    """Return the fraction of values at the highest one, if they pile up there; otherwise 0.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Counts of the camera.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(100, (20, 32, 32))
    >>> piles_up(counts), round(piles_up(np.minimum(counts, 110)), 2)
    (0.0, 0.17)
    """
    highest = float(frames.max())
    spread = highest - float(np.median(frames))
    at_top = int(np.count_nonzero(frames == highest))
    below = int(np.count_nonzero((frames < highest) & (frames >= highest - 0.05 * spread - 1)))
    if at_top < 20 or at_top < 2 * below or not spread > 0:
        return 0.0
    return at_top / frames.size
