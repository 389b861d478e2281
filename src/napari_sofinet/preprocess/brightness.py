"""Frames of the same brightness: flicker, laser hops, warm-up and bleaching of any shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie

BLUR_PX = 1.5
"""Standard deviation of the blur of the mean image that frames are compared with."""
GAIN_MAX = 20.0
"""Largest factor by which a frame is brightened; darker frames contain only noise."""


class BrightnessCorrection(Settings):
    """Settings of the brightness correction."""

    correct: bool = parameter(
        False,
        "Scale every frame to the same brightness and offset. This removes flicker, jumps of the "
        "laser power, warm-up and bleaching of any shape, which otherwise count as fluctuations.",
        label="Correct brightness",
    )


@dataclass(frozen=True, eq=False)
class FrameBrightness:
    """Brightness of every frame relative to the mean image.

    Parameters
    ----------
    scale : numpy.ndarray
        Factor of the light above `floor`, of shape (T,); its mean is 1.
    offset : numpy.ndarray
        Counts that are added to the whole frame, of shape (T,); their mean is 0.
    floor : float
        Counts of the darkest pixels.
    """

    scale: np.ndarray
    offset: np.ndarray
    floor: float


@dataclass(frozen=True, eq=False)
class LevelFrames:
    """Bring frames to the brightness of the mean image.

    Parameters
    ----------
    start : int
        Number of the first frame that was measured.
    measured : FrameBrightness
        Brightness of each frame from there on.
    """

    start: int
    measured: FrameBrightness

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        m = self.measured
        at = np.clip(first - self.start + np.arange(len(frames)), 0, len(m.scale) - 1)
        gain = np.minimum(1 / np.maximum(m.scale[at], 1e-12), GAIN_MAX).astype(np.float32)
        level = (m.floor + m.offset[at]).astype(np.float32)
        return np.asarray(
            (frames - level[:, None, None]) * gain[:, None, None] + np.float32(m.floor), np.float32
        )


def measure_brightness(movie: Movie, report: Report = silent) -> FrameBrightness:
    """Measure scale and offset of every frame. The movie is read twice.

    Parameters
    ----------
    movie : Movie
        A movie of at least 3 frames.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    FrameBrightness
        By comparison with the blurred mean image, with less weight for pixels that fluctuate
        independently.

    Raises
    ------
    InputError
        The movie has no light above its darkest pixels.
    """
    frames = movie.shape[0]
    mean, changes = _mean_and_changes(movie, lambda done: report(0.5 * done, "brightness"))
    floor = float(np.percentile(mean, 1))
    light = mean - floor
    if not light.max() > 0:
        raise InputError(
            f"{movie.name} has no light above its darkest pixels, so the brightness of its frames "
            "cannot be corrected; switch off brightness.correct."
        )
    weights = 1 / np.maximum(changes, 1e-3 * np.median(changes) + 1e-9)
    weights /= weights.sum()
    # The noise of a frame is part of the mean; in a blurred one it hardly counts.
    template = gaussian_filter(light, BLUR_PX, mode="nearest")
    template = weights * (template - (weights * template).sum())
    found, done = [], 0
    for block in time_blocks(movie):
        frames_now = np.asarray(block, np.float64) - floor
        scale = np.tensordot(frames_now, template, 2)
        level = np.tensordot(frames_now, weights, 2)
        found.append(np.stack([scale, level], axis=1))
        done += len(block)
        report(0.5 + 0.5 * done / frames, "brightness")
    scale, level = np.concatenate(found).T
    mean_scale = scale.mean()
    if not mean_scale > 0:
        return FrameBrightness(np.ones(frames), level - level.mean(), floor)
    scale = scale / mean_scale
    offset = level - scale * float((weights * light).sum())
    return FrameBrightness(scale, offset - offset.mean(), floor)


def _mean_and_changes(
    movie: Movie, report: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each pixel, and its mean squared change from frame to frame."""
    frames = movie.shape[0]
    total, squares = np.zeros(movie.shape[1:]), np.zeros(movie.shape[1:])
    last, done = None, 0
    for block in time_blocks(movie):
        block = np.asarray(block, np.float64)
        total += block.sum(axis=0)
        joined = block if last is None else np.concatenate([last, block])
        squares += np.square(np.diff(joined, axis=0)).sum(axis=0)
        last = block[-1:]
        done += len(block)
        report(done / frames)
    return total / frames, squares / max(frames - 1, 1)


def level_frames(movie: Movie, report: Report = silent) -> tuple[Movie, FrameBrightness]:
    """Return a movie with frames of the same brightness, and the brightness before."""
    measured = measure_brightness(movie, report)
    return movie.corrected(LevelFrames(movie.first_frame, measured)), measured
