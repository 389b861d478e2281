"""Detection of stacks that are no movies but series through the focus."""

from __future__ import annotations

import numpy as np

FEWEST = 6
SMOOTH = 0.8
"""Covariance of successive frames relative to that within a frame, without noise."""
FOCUS_RANGE = 1.7
"""Ratio of the finest to the coarsest detail along a series through the focus."""
FOLLOWS = 0.75
"""Fraction of the change of detail that a single rise and fall explains."""


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
