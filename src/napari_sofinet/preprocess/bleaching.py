"""Bleaching: its half-life, and scaling of frames to the brightness of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie

LEAST_LOSS = 0.03
"""Fraction of the light above the darkest pixels below which a loss does not count as bleaching."""
PARTS = 20
SUREST = 6.0
"""Least significant loss of brightness, in units of the scatter of the parts' means."""
SLOWEST = 3.0
"""Longest decay time in units of the movie's length; slower decays look straight."""
LARGEST_GAIN = 20.0
"""Largest brightening of a frame; more would only amplify noise."""


class BleachingCorrection(Settings):
    """Settings of the bleaching correction."""

    correct: bool = parameter(
        False,
        "Correct for slow loss of brightness, which otherwise counts as fluctuation: SOFI works "
        "in short sub-sequences, other methods brighten the frames.",
        label="Correct bleaching",
    )


@dataclass(frozen=True)
class RescaleFrames:
    """Scale the light that bleaches in every frame to its brightness in the first.

    Parameters
    ----------
    start : int
        Number of the first frame.
    still : float
        Mean counts that do not bleach.
    bleaching : float
        Mean counts that bleach, in the first frame.
    tau : float
        Decay time in frames.
    """

    start: int
    still: float
    bleaching: float
    tau: float

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        t = np.arange(first - self.start, first - self.start + len(frames))
        gain = np.exp(np.minimum(t / self.tau, np.log(LARGEST_GAIN))).astype(np.float32)
        floor = np.float32(self.still)
        return np.asarray((frames - floor) * gain[:, None, None] + floor, np.float32)


def mean_trace(movie: Movie, report: Report = silent) -> tuple[np.ndarray, float]:
    """Measure the brightness of every frame; the movie is read once.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    trace : ndarray
        (T,) mean count of each frame, float64.
    floor : float
        Mean count of the darkest pixels.
    """
    parts, done = [], 0
    total = np.zeros(movie.shape[1:])
    for block in time_blocks(movie):
        parts.append(block.mean(axis=(1, 2), dtype=np.float64))
        total += block.sum(axis=0, dtype=np.float64)
        done += len(block)
        report(done / movie.shape[0], "brightness of the frames")
    return np.concatenate(parts), float(np.percentile(total / done, 1))


def half_life(trace: np.ndarray, floor: float = 0.0) -> float | None:
    """Return the half-life of bleaching in frames.

    Parameters
    ----------
    trace : ndarray
        (T,) mean count of each frame.
    floor : float, optional
        Counts of the darkest pixels, relative to which the loss is judged.

    Returns
    -------
    float or None
        Number of frames in which half of the bleaching light is lost; None if nothing bleaches.

    Notes
    -----
    The function a + b exp(-t / tau) is fitted; a contains the camera's offset and light that does
    not bleach. If the decay is so slow that it looks straight, tau is limited to ten times the
    movie.

    Examples
    --------
    >>> import numpy as np
    >>> round(half_life(100 + 50 * np.exp2(-np.arange(300) / 80)), 1)
    80.0
    """
    frames = len(trace)
    if frames < 10:
        return None
    start, end = trace[: max(frames // 20, 1)].mean(), trace[-max(frames // 10, 1) :].mean()
    if start - end < LEAST_LOSS * max(start - floor, 1e-12) or not _falls(trace):
        return None
    try:
        return decay_of(trace)[2] * float(np.log(2))
    except RuntimeError:
        return None


def is_exponential(trace: np.ndarray) -> bool:
    """Return whether a loss of light follows an exponential with a measurable decay time.

    Parameters
    ----------
    trace : ndarray
        (T,) mean count of each frame.

    Examples
    --------
    >>> t = np.arange(300)
    >>> is_exponential(100 + 50 * np.exp2(-t / 80)), is_exponential(150 - t / 4)
    (True, False)
    """
    try:
        still, bleaching, tau = decay_of(trace)
    except RuntimeError:
        return False
    t = np.arange(len(trace))
    parts = np.array_split(trace - still - bleaching * np.exp(-t / tau), min(PARTS, len(trace)))
    apart = float(np.std([part.mean() for part in parts]))
    return tau < SLOWEST * len(trace) and apart < 0.05 * float(np.ptp(smooth_trace(trace)))


def smooth_trace(trace: np.ndarray) -> np.ndarray:
    """Return the brightness of the frames without flicker, of shape (T,)."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(trace, max(len(trace) // PARTS, 3), mode="nearest"))


def frames_of_loss(trace: np.ndarray, floor: float, fraction: float = 0.13) -> int:
    """Return the number of frames in which a fraction of the light is lost where it falls fastest.

    Parameters
    ----------
    trace : ndarray
        (T,) mean count of each frame.
    floor : float
        Counts without light.
    fraction : float, optional
        Lost fraction of the light; by default the loss in a fifth of a half-life.
    """
    smooth = smooth_trace(trace)
    light = np.maximum(smooth - floor, 1e-3 * max(float(smooth.max() - floor), 1e-12))
    steepest = float((-np.gradient(smooth) / light).max())
    return len(trace) if steepest <= 0 else max(int(fraction / steepest), 1)


def _falls(trace: np.ndarray) -> bool:
    """Return whether means of parts of the movie fall by far more than they scatter."""
    parts = min(PARTS, len(trace) // 2)
    means = np.array([part.mean() for part in np.array_split(trace, parts)])
    steps = np.diff(means)
    # Successive differences scatter by the noise, whatever the shape of the decay.
    noise = float(np.std(np.diff(steps))) / np.sqrt(6) if parts > 3 else 0.0
    return float(means[0] - means[-1]) > SUREST * noise


def decay_of(trace: np.ndarray) -> tuple[float, float, float]:
    """Fit an exponential decay.

    Parameters
    ----------
    trace : ndarray
        (T,) mean count of each frame.

    Returns
    -------
    still, bleaching, tau : float
        Counts that stay, counts that bleach, and their decay time in frames.

    Raises
    ------
    RuntimeError
        No exponential fits.
    """
    from scipy.optimize import curve_fit

    frames = len(trace)
    t = np.arange(frames) / frames
    start, end = trace[: max(frames // 20, 1)].mean(), trace[-max(frames // 10, 1) :].mean()

    def decay(t: np.ndarray, a: float, b: float, tau: float) -> np.ndarray:
        return np.asarray(a + b * np.exp(-t / tau))

    (still, bleaching, tau), _ = curve_fit(
        decay,
        t,
        trace,
        p0=(end, max(start - end, 1e-12), 0.4),
        bounds=([-np.inf, 0, 1e-3], [np.inf, np.inf, 10]),
    )
    return float(still), float(bleaching), float(tau * frames)
