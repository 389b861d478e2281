"""Normalization of counts for networks: background at 0, bright fluctuations near 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation

BRIGHT = 0.995
"""Quantile of the maximum over time that becomes 1."""
LEAST = 1e-4
"""Fraction of the maximum below which the quantile is a rounding error, as fewer pixels are lit at
all; the maximum becomes 1 then."""
CEILING = 4.0
"""Larger values are cut off, e.g. of a bead or a hot pixel: no network was trained on them."""


@dataclass(frozen=True)
class Normalization:
    """Normalization (frame - offset) / scale of every frame of a movie.

    Parameters
    ----------
    offset, scale : ndarray
        (T,) in counts.
    """

    offset: np.ndarray
    scale: np.ndarray

    def apply(self, block: np.ndarray, first: int) -> np.ndarray:
        """Normalize frames.

        Parameters
        ----------
        block : ndarray
            (t, Y, X) counts.
        first : int
            Number of its first frame.

        Returns
        -------
        ndarray
            (t, Y, X) float32, at most 4.

        Examples
        --------
        >>> import numpy as np
        >>> levels = Normalization(np.array([100.0, 90.0]), np.array([50.0, 50.0]))
        >>> levels.apply(np.full((1, 1, 2), 115), 1)
        array([[[0.5, 0.5]]], dtype=float32)
        """
        at = slice(first, first + len(block))
        counts = (block - self.offset[at, None, None]) / self.scale[at, None, None]
        return np.ascontiguousarray(np.minimum(counts, CEILING), np.float32)


def normalize(frames: torch.Tensor) -> torch.Tensor:
    """Normalize movies: the background of every frame to 0, bright fluctuations to about 1.

    Offset and gain do not matter, nor does an even background that bleaches.

    Parameters
    ----------
    frames : torch.Tensor
        (B, T, Y, X) counts.

    Returns
    -------
    torch.Tensor
        (B, T, Y, X); 1 is the 99.5th percentile of the maximum over time.
    """
    x = _centred(frames)
    return (x / _brightness(x)[:, None, None, None]).clamp(max=CEILING)


def brightness(frames: torch.Tensor) -> torch.Tensor:
    """Return the counts above the background (B,) that become 1 in movies (B, T, Y, X)."""
    return _brightness(_centred(frames))


def _centred(frames: torch.Tensor) -> torch.Tensor:
    """Return frames without background."""
    return frames - background_level(frames)[..., None, None]


def background_level(frames: torch.Tensor) -> torch.Tensor:
    """Return the background of frames.

    Parameters
    ----------
    frames : torch.Tensor
        (..., Y, X) counts.

    Returns
    -------
    torch.Tensor
        (...) mean of the middle half of the counts of each frame. A median of whole numbers would
        jump by 1 from frame to frame, as if the whole field fluctuated.
    """
    counts = frames.flatten(-2).sort(dim=-1).values
    beyond = counts.shape[-1] // 4
    return counts[..., beyond : counts.shape[-1] - beyond].mean(dim=-1)


def _brightness(x: torch.Tensor) -> torch.Tensor:
    """Return the counts (B,) that become 1 in movies without background."""
    peak = x.amax(dim=1).flatten(1)
    bright, most = torch.quantile(peak, BRIGHT, dim=1), peak.amax(dim=1)
    return torch.where(bright > LEAST * most, bright, most).clamp(min=1e-6)


def measure_normalization(
    movie: Movie,
    window: int | None,
    saturation: Saturation | None = None,
    report: Report = silent,
    each_block: Callable[[np.ndarray], None] | None = None,
) -> Normalization:
    """Measure the background of every frame of a movie, and its brightness.

    Parameters
    ----------
    movie : Movie
        Read once, block by block.
    window : int or None
        Frames over which the brightness is measured: windows one after the other, between which it
        is interpolated, so that a time series whose sample bleaches stays as bright. None for the
        whole movie.
    saturation : Saturation, optional
        Counts saturated pixels.
    report : Report, optional
        Receives the progress.
    each_block : callable, optional
        Called with every block (t, Y, X) of frames.

    Returns
    -------
    Normalization
        Offset and scale of every frame in counts.

    Raises
    ------
    InputError
        The movie has no frames, or is constant.
    """
    frames = movie.shape[0]
    length = min(window or frames, frames)
    brightness = _WindowBrightness(length)
    offsets: list[np.ndarray] = []
    for block in time_blocks(movie, saturation):
        if saturation is not None:
            saturation.add(block)
        if each_block is not None:
            each_block(block)
        x: np.ndarray = block.astype(float if block.dtype == np.float64 else np.float32)
        offsets.append(_background_level(x))
        x -= offsets[-1][:, None, None]
        brightness.add(x)
        report(sum(map(len, offsets)) / frames, "brightness")
    scales = brightness.scales
    if not scales:
        raise InputError("The movie has no frames.")
    if max(scales) <= 0:
        raise InputError("The movie is constant; there is nothing to reconstruct.")
    least = max(scales) * 1e-3
    centres = (np.arange(len(scales)) + 0.5) * length
    scale = np.interp(np.arange(frames) + 0.5, centres, np.maximum(scales, least))
    return Normalization(np.concatenate(offsets), scale)


def _background_level(frames: np.ndarray) -> np.ndarray:
    """Return the same as `background_level` (T,), for frames (T, Y, X)."""
    count = frames[0].size
    beyond = count // 4
    counts = np.partition(frames.reshape(len(frames), -1), (beyond, count - beyond - 1), axis=1)
    return np.asarray(counts[:, beyond : count - beyond].mean(axis=1))


class _WindowBrightness:
    """Brightness of windows of frames, one after the other; the last ones need not fill a window.

    Parameters
    ----------
    length : int
        Frames of a window.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.scales: list[float] = []
        self._peak: np.ndarray | None = None
        self._held = 0

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X) without background."""
        start = 0
        while start < len(frames):
            part = frames[start : start + self.length - self._held]
            peak = part.max(axis=0)
            self._peak = peak if self._peak is None else np.maximum(self._peak, peak)
            self._held, start = self._held + len(part), start + len(part)
            if self._held == self.length:
                bright, most = float(np.quantile(self._peak, BRIGHT)), float(self._peak.max())
                self.scales.append(bright if bright > LEAST * most else most)
                self._peak, self._held = None, 0
