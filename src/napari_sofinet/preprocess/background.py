"""Subtraction of a background that is measured in blocks of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie

MOST_KEPT_BYTES = 256 * 2**20


class BackgroundCorrection(Settings):
    """Settings of the background subtraction."""

    method: Literal["none", "percentile", "rolling-ball", "high-pass"] = parameter(
        "none",
        "'percentile' subtracts the level below which a pixel rarely falls, 'rolling-ball' "
        "subtracts background that is smoother in space than the radius; both follow slow "
        "changes. 'high-pass' subtracts smooth changes from each frame, such as moving haze.",
        label="Background removal",
    )
    frames: int = parameter(
        100,
        "Number of frames per block. The background is measured once per block and interpolated "
        "linearly in between.",
        label="Background block",
        unit="frames",
        ge=5,
        le=100_000,
        only_if={"method": ("percentile", "rolling-ball")},
    )
    percentile: float = parameter(
        10.0,
        "Percentile of each pixel over the frames of a block; 0 is the minimum.",
        label="Background percentile",
        ge=0,
        le=100,
        only_if={"method": ("percentile",)},
    )
    radius_px: float = parameter(
        15.0,
        "Radius of the ball, which should exceed the thickness of the structure. For 'high-pass', "
        "three standard deviations of the Gaussian blur.",
        label="Ball radius",
        unit="camera px",
        ge=2,
        le=200,
        only_if={"method": ("rolling-ball", "high-pass")},
    )


@dataclass(frozen=True, eq=False)
class SubtractBackground:
    """Subtract a background, interpolated linearly between frames.

    Parameters
    ----------
    at : ndarray
        (N,) frames.
    images : ndarray
        (N, Y, X) background at these frames.
    """

    at: np.ndarray
    images: np.ndarray

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        place = np.interp(first + np.arange(len(frames)), self.at, np.arange(len(self.at)))
        below = np.minimum(place.astype(int), max(len(self.at) - 2, 0))
        fractions = (place - below).astype(np.float32)
        out = np.empty_like(frames)
        for t, (k, fraction) in enumerate(zip(below, fractions, strict=True)):
            np.subtract(frames[t], self.images[k], out=out[t])
            if fraction:
                out[t] -= fraction * (self.images[k + 1] - self.images[k])
        return out


@dataclass(frozen=True, eq=False)
class HighPass:
    """Subtract changes that are smooth in space from each frame; the mean image stays.

    Parameters
    ----------
    mean : ndarray
        (Y, X) mean image, float32.
    sigma_px : float
        Standard deviation of the Gaussian blur in camera pixels. Its complement is applied three
        times, so that little of much smoother background is left.
    """

    mean: np.ndarray
    sigma_px: float

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        from scipy.ndimage import gaussian_filter

        rest = frames - self.mean
        for frame in rest:
            for _ in range(3):
                frame -= gaussian_filter(frame, self.sigma_px, mode="nearest")
        return np.asarray(rest + self.mean, np.float32)


def subtract_background(
    movie: Movie, settings: BackgroundCorrection, report: Report = silent
) -> Movie:
    """Subtract the background of a movie.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    settings : BackgroundCorrection
        Method and its settings.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Movie
        Movie that is corrected while it is read. Values without light scatter around zero or
        slightly above.

    Notes
    -----
    The backgrounds of all blocks are kept in memory; long movies have fewer and longer blocks, for
    at most 256 MB. A percentile of few frames lies above the darkest light by the noise, and
    contains part of the light of emitters with long on-times. The rolling ball (Sternberg, Computer
    16, 22 (1983), by scikit-image) is applied to the mean of a block and keeps structure that is
    thinner than its radius.
    """
    s = settings
    if s.method == "none":
        return movie
    if s.method == "high-pass":
        mean = mean_image(movie.select_whole_field(), report)
        return movie.corrected(HighPass(mean.astype(np.float32), s.radius_px / 3))
    frames = movie.shape[0]
    whole = movie.select_whole_field()
    _, rows, columns = whole.shape
    most = max(int(MOST_KEPT_BYTES // (4 * rows * columns)), 1)
    count = int(np.clip(frames // s.frames, 1, most))
    edges = np.linspace(0, frames, count + 1).round().astype(int)
    start = movie.first_frame
    images = np.empty((count, rows, columns), np.float32)
    for k in range(count):
        first, last = start + int(edges[k]), start + int(edges[k + 1])
        piece = whole.select(frames=(first, last))
        images[k] = (
            _percentile(piece, s) if s.method == "percentile" else _rolling_ball(piece, s.radius_px)
        )
        report((k + 1) / count, f"background, block {k + 1} of {count}")
    middles = start + (edges[:-1] + edges[1:] - 1) / 2
    return movie.corrected(SubtractBackground(middles, images))


def mean_image(movie: Movie, report: Report = silent) -> np.ndarray:
    """Return the mean of all frames, of shape (Y, X), float64."""
    total, done = np.zeros(movie.shape[1:]), 0
    for block in time_blocks(movie):
        total += block.sum(axis=0, dtype=np.float64)
        done += len(block)
        report(done / movie.shape[0], "mean of all frames")
    return total / movie.shape[0]


def _percentile(piece: Movie, s: BackgroundCorrection) -> np.ndarray:
    """Return the percentile over time, in long blocks of every n-th frame, at least 100.

    Each strip of rows reads the block again, so that memory stays bounded.
    """
    frames, rows, columns = piece.shape
    step = max(frames // 100, 1)
    count = -(-frames // step)
    out = np.empty((rows, columns), np.float32)
    high = max(int(MOST_KEPT_BYTES // (8 * count * columns)), 1)
    for top in range(0, rows, high):
        kept, done = [], 0
        for block in time_blocks(piece):
            kept.append(block[-done % step :: step, top : top + high])
            done += len(block)
        values = np.concatenate(kept)
        out[top : top + high] = np.percentile(values, s.percentile, axis=0, overwrite_input=True)
    return out


def _rolling_ball(piece: Movie, radius_px: float) -> np.ndarray:
    """Return the background of the mean image by a rolling ball as high as the image's range."""
    from scipy.ndimage import gaussian_filter
    from skimage.restoration import ellipsoid_kernel, rolling_ball

    total = sum(block.sum(axis=0, dtype=np.float64) for block in time_blocks(piece))
    mean = np.asarray(total / piece.shape[0])
    # In a noisy image the ball would follow the lowest points.
    smooth = gaussian_filter(mean, 1.0, mode="nearest")
    height = max(float(np.ptp(smooth)), 1e-6)
    size = 2 * radius_px + 1
    kernel = ellipsoid_kernel((size, size), 2 * height)
    return np.asarray(rolling_ball(smooth, kernel=kernel), np.float32)
