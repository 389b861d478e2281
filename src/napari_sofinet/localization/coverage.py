"""Parts of a time series for which there are hardly any localizations."""

from __future__ import annotations

import numpy as np

from napari_sofinet.localization.events import LocalizationEvents

NEAR_WINDOWS = 2.0
"""Time constant in windows with which localizations count for a picture."""
FEWEST = 10
"""Localizations that are expected within the time constant before and after a picture."""
FEW = 0.1
"""Fraction of the usual number of localizations below which confidence falls."""


def support(events: LocalizationEvents, times: np.ndarray, window: float) -> np.ndarray:
    """Return how well each picture of a time series is supported by localizations near its time.

    Parameters
    ----------
    events : LocalizationEvents
        Localizations in the order of time.
    times : ndarray
        (T,) times of the pictures in frames.
    window : float
        Frames of one window.

    Returns
    -------
    ndarray
        (T,) from 0 to 1, which is reached by a tenth of the usual number of localizations (the
        median over pictures). Localizations count with exp(-distance / τ), τ being two windows or
        more, so that ten are expected: gaps between sparse localizations are no lack of them.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.r_[0:100, 300:400].astype(float)
    >>> events = LocalizationEvents(at, at, at, np.ones(200))
    >>> support(events, np.array([50.0, 200.0, 350.0]), 10).round(3)
    array([1.   , 0.073, 1.   ])
    """
    count = np.asarray(events.count, float)
    if not count.sum() > 0:
        return np.zeros(len(times))
    moments, first = np.unique(np.asarray(events.time, float), return_index=True)
    numbers = np.add.reduceat(count, first)
    span = max(float(times.max() - times.min()), window)
    near = max(NEAR_WINDOWS * window, FEWEST * span / count.sum() / 2)
    past = _decayed(moments, numbers, times, near)
    future = _decayed(-moments[::-1], numbers[::-1], -times[::-1], near, strictly=True)[::-1]
    around = past + future
    usual = float(np.median(around))
    return np.asarray(np.clip(around / max(FEW * usual, 1e-300), 0, 1))


def _decayed(
    moments: np.ndarray, numbers: np.ndarray, times: np.ndarray, near: float, strictly: bool = False
) -> np.ndarray:
    """Return the sum over moments up to each time of their numbers, decayed with the distance."""
    out, total, at, k = np.zeros(len(times)), 0.0, float(times[0]), 0
    for place, time in enumerate(times):
        total *= np.exp(-(time - at) / near)
        at = float(time)
        while k < len(moments) and (moments[k] < time or (moments[k] == time and not strictly)):
            total += numbers[k] * np.exp(-(time - moments[k]) / near)
            k += 1
        out[place] = total
    return out


def gaps(supported: np.ndarray, times: np.ndarray, step: float) -> list[tuple[int, int]]:
    """Return the ranges of frames whose pictures are hardly supported, see `support`.

    Parameters
    ----------
    supported : ndarray
        (T,) result of `support`.
    times : ndarray
        (T,) times of the pictures in frames.
    step : float
        Frames from one picture to the next.

    Returns
    -------
    list of (int, int)
        First and last frame of each range.

    Examples
    --------
    >>> gaps(np.array([1, 0.1, 0.1, 1, 0.2]), np.arange(5) * 10 + 4.5, 10)
    [(10, 29), (40, 49)]
    """
    low = np.r_[False, supported < 0.5, False]
    edges = np.flatnonzero(np.diff(low.astype(int))).reshape(-1, 2)
    return [
        (int(np.ceil(times[a] - step / 2)), int(np.ceil(times[b - 1] + step / 2)) - 1)
        for a, b in edges
    ]
