"""How fast a movie bleaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.movie import time_blocks
from napari_sofinet.settings import Report, silent

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie

LEAST_LOSS = 0.03
"""Share of the light above the darkest pixels that must go, or a movie is not said to bleach."""


def mean_trace(movie: Movie, report: Report = silent) -> np.ndarray:
    """Mean count of every frame (T,), float64; the movie is read once."""
    parts, done = [], 0
    for block in time_blocks(movie):
        parts.append(block.mean(axis=(1, 2), dtype=np.float64))
        done += len(block)
        report(done / movie.shape[0], "brightness of the frames")
    return np.concatenate(parts)


def half_life(trace: np.ndarray, floor: float = 0.0) -> float | None:
    """Frames until half of what bleaches has gone, None where nothing does.

    Parameters
    ----------
    trace
        (T,) mean count of each frame.
    floor
        Counts in the dark (offset of the camera), to judge how large the loss is.

    Notes
    -----
    Fits a + b exp(-t / tau): the camera's offset and light that does not bleach are in a. Where the
    decay is so slow that it looks straight, tau is limited to ten times the movie.
    """
    from scipy.optimize import curve_fit

    frames = len(trace)
    if frames < 10:
        return None
    t = np.arange(frames) / frames
    start, end = trace[: max(frames // 20, 1)].mean(), trace[-max(frames // 10, 1) :].mean()
    if start - end < LEAST_LOSS * max(start - floor, 1e-12):
        return None

    def decay(t: np.ndarray, a: float, b: float, tau: float) -> np.ndarray:
        return np.asarray(a + b * np.exp(-t / tau))

    try:
        (_, _, tau), _ = curve_fit(
            decay,
            t,
            trace,
            p0=(end, start - end, 0.4),
            bounds=([-np.inf, 0, 1e-3], [np.inf, np.inf, 10]),
        )
    except RuntimeError:
        return None
    return float(tau * frames * np.log(2))
