"""Detection of movies that repeat themselves, such as stacks of structured illumination."""

from __future__ import annotations

import numpy as np

MOST_BY_CHANCE = 6.0
"""Rise, in standard deviations of the likeness, that chance does not reach in 30 lags."""


def repeats_after(frames: np.ndarray, lag_max: int = 30) -> int:
    """Return the number of frames after which a movie repeats itself, 0 where it does not.

    Stacks of structured illumination and channels that alternate do; blinking does not.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames.
    lag_max : int, optional
        Longest period that is looked for.

    Examples
    --------
    >>> phases = np.random.default_rng(0).poisson(50, (9, 16, 16))
    >>> repeats_after(np.concatenate([phases] * 5))
    9
    """
    d = np.asarray(frames, np.float32).reshape(len(frames), -1)
    d = d - d.mean(axis=0)
    lags = np.arange(1, min(lag_max, len(d) // 3) + 1)
    if len(lags) < 3:
        return 0
    products = (d @ d.T).astype(np.float64)
    products /= max(float(products.diagonal().mean()), 1e-12)
    likeness = [float(products.diagonal(lag).mean()) for lag in range(2 * len(lags) + 1)]
    # Frames of few emitters are alike by chance.
    chance = float(products[np.triu_indices(len(d), 1)].std()) / np.sqrt(len(d))
    for lag in lags[1:]:
        before = min(likeness[1:lag])
        # It must rise far above all that lies between, and come again after the same time.
        rise = likeness[lag] - before
        if rise > max(0.1, 0.5 * abs(likeness[1] - before), MOST_BY_CHANCE * chance):
            peak = int(lag)
            while peak < len(lags) and likeness[peak + 1] > likeness[peak]:
                peak += 1
            if likeness[2 * peak] - before > 0.5 * rise:
                return peak
    return 0
