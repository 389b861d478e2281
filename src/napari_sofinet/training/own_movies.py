"""Training data from own movies of fixed cells: few frames as input, SOFI of all as target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.preprocess.characteristics import NO_SIGNAL, characteristics_of
from napari_sofinet.training.data import Samples, scaled_target
from napari_sofinet.training.settings import ENOUGH_FRAMES

FEWEST_FRAMES = 100
HELD_OUT = 0.25
"""Fraction of each field, at the right, that is held out; at least the width of a crop."""
MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class OwnMovie:
    """Movie and its target.

    Parameters
    ----------
    frames : ndarray
        (T, Y, X) counts.
    target : ndarray
        (2Y-1, 2X-1) on the grid of the network, NaN where SOFI has no samples: in the first and
        last pixels of the field.
    """

    frames: np.ndarray
    target: np.ndarray


def prepare(movies: Sequence[Movie], side: int, sofi: Settings, report: Report) -> list[OwnMovie]:
    """Read movies and make their targets by SOFI of second order.

    Parameters
    ----------
    movies : sequence of Movie
        Movies of fixed cells.
    side : int
        Side of a crop in camera pixels.
    sofi : SofiSettings
        Settings of SOFI.
    report : Report
        Called with the progress.

    Returns
    -------
    list of OwnMovie
        Movies and targets.

    Raises
    ------
    InputError
        There is no movie, one is given twice, is too short, too small, too large or does not blink,
        or the order of SOFI is not 2.
    """
    if not movies:
        raise InputError("Pass at least one movie to train on.")
    if getattr(sofi, "order", 2) != 2:
        raise InputError("Networks use the grid of SOFI of order 2; choose this order.")
    seen = {
        (getattr(m.source, "paths", None) or id(m.source), m.frame_range, m.roi) for m in movies
    }
    if len(seen) < len(movies):
        raise InputError("A movie is given twice; pass each of them once.")
    made = []
    for number, movie in enumerate(movies):
        frames, rows, columns = movie.shape
        if frames < FEWEST_FRAMES:
            raise InputError(
                f"{movie.name} has {frames} frames; at least {FEWEST_FRAMES} are needed to make a "
                f"target by SOFI ({ENOUGH_FRAMES} are recommended)."
            )
        if rows < side + 3 or columns < 2 * side + 5:
            raise InputError(
                f"{movie.name} has {rows} x {columns} px; crops of {side} px need at least "
                f"{side + 3} x {2 * side + 5}: use smaller crops."
            )
        if movie.dtype.itemsize * frames * rows * columns > MEMORY_BYTES:
            raise InputError(f"{movie.name} is larger than 4 GB; select fewer frames or an ROI.")

        if not characteristics_of(movie).signal_to_noise >= NO_SIGNAL:
            raise InputError(f"{movie.name} does not blink, so it cannot be used for training.")

        def tell(fraction: float, message: str = "", preview: Any = None, at: int = number) -> None:
            report((at + fraction) / len(movies), f"SOFI of movie {at + 1} of {len(movies)}")

        result = reconstruct(movie, "sofi", report=tell, **flatten_settings(sofi))
        target = np.full((2 * rows - 1, 2 * columns - 1), np.nan, np.float32)
        picture = np.maximum(result.image, 0)
        if not picture.max() > 0:
            raise InputError(
                f"SOFI finds no structure in {movie.name}, so it cannot be used for training."
            )
        scaled = scaled_target(torch.as_tensor(np.array(picture[None], np.float32)))[0].numpy()
        y, x = (round(2 * (o - m)) for o, m in zip(result.origin_px, movie.origin_px, strict=True))
        target[y : y + picture.shape[0], x : x + picture.shape[1]] = scaled
        made.append(OwnMovie(np.concatenate(list(time_blocks(movie))), target))
    return made


def crops(
    movies: Sequence[OwnMovie], count: int, side: int, frames: int, seed: int, held_out: bool
) -> Samples:
    """Draw crops at random places and times, rotated and mirrored at random.

    Parameters
    ----------
    movies : sequence of OwnMovie
        Movies and targets.
    count : int
        Number B of crops.
    side : int
        Side of a crop in camera pixels.
    frames : int
        Number T of consecutive frames.
    seed : int
        The same seed gives the same crops.
    held_out : bool
        Whether to draw from the right of the fields, which is held out, or from the rest.

    Returns
    -------
    Samples
        Counts (B, T, side, side) and targets.
    """
    rng = np.random.default_rng([seed, 11, int(held_out)])
    inputs, targets = [], []
    for _ in range(count):
        movie = movies[int(rng.integers(len(movies)))]
        total, rows, columns = movie.frames.shape
        border = min(int(columns * (1 - HELD_OUT)), columns - 2 - side)
        first, last = (border, columns - 2) if held_out else (1, border)
        # A target's first and last pixels are NaN.
        top = int(rng.integers(1, rows - 2 - side + 1))
        left = int(rng.integers(first, last - side + 1))
        start = int(rng.integers(total - frames + 1))
        part = movie.frames[start : start + frames, top : top + side, left : left + side]
        fine = movie.target[2 * top : 2 * (top + side) - 1, 2 * left : 2 * (left + side) - 1]
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        part, fine = np.rot90(part, turns, (-2, -1)), np.rot90(fine, turns, (-2, -1))
        if mirrored:
            part, fine = part[..., ::-1], fine[..., ::-1]
        inputs.append(part.astype(np.float32))
        targets.append(fine)
    return Samples(
        torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.ascontiguousarray(targets)), ()
    )
