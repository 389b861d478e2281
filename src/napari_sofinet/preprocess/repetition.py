"""Detection of movies that repeat themselves, such as stacks of structured illumination."""

from __future__ import annotations

import numpy as np


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
    d = np.asarray(frames, np.float64).reshape(len(frames), -1)
    d = d - d.mean(axis=0)
    lags = np.arange(1, min(lag_max, len(d) // 3) + 1)
    if len(lags) < 3:
        return 0
    alike = np.array([(d[lag:] * d[:-lag]).mean() for lag in lags])
    alike /= max(float((d * d).mean()), 1e-12)
    for k in range(1, len(lags)):
        before = alike[:k].min()
        # It must rise far above all that lies between, and come again after the same time.
        if alike[k] - before > max(0.1, 0.5 * abs(alike[0] - before)):
            again = 2 * lags[k] - 1
            if again >= len(lags) or alike[again] - before > 0.5 * (alike[k] - before):
                peak = k + int(np.argmax(alike[k : k + 2]))
                return int(lags[peak])
    return 0
