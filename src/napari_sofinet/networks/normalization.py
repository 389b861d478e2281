"""Counts as networks see them: background at 0, bright fluctuations near 1."""

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
"""A quantile below this share of the maximum is a rounding error: fewer pixels than that are lit at
all, and the maximum becomes 1."""
CEILING = 4.0
"""Brighter is cut off: a bead or a hot pixel in an empty field, which no network has seen."""


@dataclass(frozen=True)
class Normalization:
    """What counts become before a network sees them: (frame - offset) / scale, for every frame.

    Parameters
    ----------
    offset, scale
        Arrays of shape (T,), in counts.
    """

    offset: np.ndarray
    scale: np.ndarray

    def apply(self, block: np.ndarray, first: int) -> np.ndarray:
        """Normalise a block (t, Y, X) of frames, the first of which is frame ``first``; float32."""
        at = slice(first, first + len(block))
        counts = (block - self.offset[at, None, None]) / self.scale[at, None, None]
        return np.ascontiguousarray(np.minimum(counts, CEILING), np.float32)


def normalize(frames: torch.Tensor) -> torch.Tensor:
    """Counts (B, T, Y, X) with the background of every frame at 0 and bright fluctuations near 1.

    1 is the 99.5th percentile of the maximum over time; so offset and gain do not matter, nor does
    an even background that bleaches.
    """
    x = _centred(frames)
    return (x / _brightness(x)[:, None, None, None]).clamp(max=CEILING)


def brightness(frames: torch.Tensor) -> torch.Tensor:
    """Counts above the background (B,) that `normalize` makes 1 in movies (B, T, Y, X)."""
    return _brightness(_centred(frames))


def _centred(frames: torch.Tensor) -> torch.Tensor:
    return frames - background_level(frames)[..., None, None]


def background_level(frames: torch.Tensor) -> torch.Tensor:
    """Mean of the middle half of the counts (..., Y, X) of every frame.

    A median of whole numbers would jump by 1 from frame to frame, which looks as if the whole field
    fluctuated.
    """
    counts = frames.flatten(-2).sort(dim=-1).values
    beyond = counts.shape[-1] // 4
    return counts[..., beyond : counts.shape[-1] - beyond].mean(dim=-1)


def _brightness(x: torch.Tensor) -> torch.Tensor:
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
    """Background of every frame, and what is bright: for the whole movie, or near every frame.

    With a window, brightness is measured in windows one after the other and interpolated, so that
    a film whose sample bleaches stays as bright. ``each_block`` is given every block (t, Y, X) of
    frames as it is read.
    """
    frames = movie.shape[0]
    length = min(window or frames, frames)
    offsets: list[np.ndarray] = []
    scales: list[float] = []
    peak, held = None, 0
    for block in time_blocks(movie, saturation):
        if saturation is not None:
            saturation.add(block)
        if each_block is not None:
            each_block(block)
        x: np.ndarray = block.astype(float if block.dtype == np.float64 else np.float32)
        # As `background_level`.
        count = x[0].size
        beyond = count // 4
        sorted_in_three = np.partition(x.reshape(len(x), -1), (beyond, count - beyond - 1), axis=1)
        offset = sorted_in_three[:, beyond : count - beyond].mean(axis=1)
        offsets.append(offset)
        x -= offset[:, None, None]
        start = 0
        while start < len(x):
            part = x[start : start + length - held].max(axis=0)
            used = min(length - held, len(x) - start)
            peak = part if peak is None else np.maximum(peak, part)
            held, start = held + used, start + used
            if held == length:
                bright, most = float(np.quantile(peak, BRIGHT)), float(peak.max())
                scales.append(bright if bright > LEAST * most else most)
                peak, held = None, 0
        report(sum(map(len, offsets)) / frames, "brightness")
    if not scales:
        raise InputError("The movie has no frames.")
    if max(scales) <= 0:
        raise InputError("The movie is the same everywhere; there is nothing to reconstruct.")
    least = max(scales) * 1e-3
    centres = (np.arange(len(scales)) + 0.5) * length
    scale = np.interp(np.arange(frames) + 0.5, centres, np.maximum(scales, least))
    return Normalization(np.concatenate(offsets), scale)
