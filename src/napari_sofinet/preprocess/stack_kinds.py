"""Detection of stacks that are no movies: structured illumination and series through the focus."""

from __future__ import annotations

import numpy as np

PATTERN_PEAK = 40.0
"""Power of a grating in the spectrum of a frame, relative to the median at its frequency."""
PATTERN_FRAMES = 0.7
"""Fraction of the frames that must show a grating of the same period."""
PERIODS_PX = 2.2, 12.0
FEWEST, MOST = 6, 60
SMOOTH = 0.8
"""Covariance of successive frames relative to that within a frame, without noise."""
FOCUS_RANGE = 1.7
"""Ratio of the finest to the coarsest detail along a series through the focus."""
FOLLOWS = 0.75
"""Fraction of the change of detail that a single rise and fall explains."""


def grating_period(frames: np.ndarray) -> float:
    """Return the period of a grating that moves from frame to frame, 0 if there is none.

    Stacks of structured illumination show it: each frame differs from the mean by the structure
    times a grating; times the mean once more, its spectrum peaks at the frequency of the grating.
    Blinking has a spectrum without peaks.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames; the first 60 are used.

    Returns
    -------
    float
        Period in pixels.
    """
    d = np.asarray(frames[:MOST], np.float64)
    if len(d) < FEWEST or min(d.shape[1:]) < 24:
        return 0.0
    window = np.hanning(d.shape[1])[:, None] * np.hanning(d.shape[2])
    mean = d.mean(axis=0)
    # Times the structure, every part of it adds to the peak with the same phase.
    for light in (1.0, mean - np.median(mean)):
        period = _common_peak(np.abs(np.fft.fft2((d - mean) * light * window)) ** 2)
        if period:
            return period
    return 0.0


def _common_peak(power: np.ndarray) -> float:
    """Period at which most of some power spectra have a high peak, else 0."""
    count, *shape = power.shape
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])).ravel()
    seen = np.flatnonzero((radius > 1 / PERIODS_PX[1]) & (radius < 1 / PERIODS_PX[0]))
    rings = (radius[seen] * min(shape)).astype(int)
    relative = power.reshape(count, -1)[:, seen]
    for ring in np.unique(rings):
        inside = rings == ring
        typical = np.median(relative[:, inside], axis=1, keepdims=True)
        relative[:, inside] /= np.maximum(typical, 1e-12)
    strength, frequency = relative.max(axis=1), radius[seen][relative.argmax(axis=1)]
    usual = float(np.median(frequency))
    same = np.abs(frequency - usual) < 1.5 / min(shape)
    return 1 / usual if np.mean(same & (strength > PATTERN_PEAK)) >= PATTERN_FRAMES else 0.0


def goes_through_focus(frames: np.ndarray) -> bool:
    """Return whether a stack is a series of planes through the focus.

    Its frames change smoothly, and their detail becomes finer and then coarser again; products of
    successive frames are used, in which noise averages out.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames.
    """
    from scipy.ndimage import gaussian_filter1d

    f = np.asarray(frames, np.float64)
    if len(f) < FEWEST or min(f.shape[1:]) < 8:
        return False
    d = f - f.mean(axis=0)
    within = (d[:, :, 1:] * d[:, :, :-1]).mean()
    after = (d[1:, :, 1:] * d[:-1, :, :-1]).mean()
    if within <= 0 or after < SMOOTH * within:
        return False
    level = f - f.mean(axis=(1, 2), keepdims=True)
    light = (level[1:] * level[:-1]).mean(axis=(1, 2))
    slopes = [np.diff(level, axis=axis) for axis in (1, 2)]
    fine = sum((s[1:] * s[:-1]).mean(axis=(1, 2)) for s in slopes)
    if light.min() <= 0:
        return False
    detail = gaussian_filter1d(np.asarray(fine) / light, max(len(f) / 20, 0.5), mode="nearest")
    if detail.min() <= 0 or detail.max() < FOCUS_RANGE * detail.min():
        return False
    logarithm, top = np.log(detail), int(detail.argmax())
    # The best curve that rises up to the top and falls after it.
    risen = np.maximum.accumulate(logarithm[: top + 1])
    fallen = np.maximum.accumulate(logarithm[:top:-1])[::-1]
    rest = logarithm - np.concatenate([risen, fallen])
    return bool(1 - (rest**2).sum() / ((logarithm - logarithm.mean()) ** 2).sum() > FOLLOWS)
