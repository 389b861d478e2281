"""Reading a movie block by block; the next block is read while one is processed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.frame_source import read_slice
from napari_sofinet.data.movie import Movie, apply_steps
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.io import blocks as block_size
from napari_sofinet.io.blocks import frames_per_block

LARGEST = 1e30
"""Largest brightness, whose fourth power is still finite in double precision."""


def time_blocks(frames: Movie | Any, saturation: Saturation | None = None) -> Iterator[np.ndarray]:
    """Yield blocks of frames (t, Y, X) in order; the next one is read while one is processed.

    Parameters
    ----------
    frames
        Movie, or (T, Y, X) numpy or dask array.
    saturation
        Receives the counts of the camera, which corrected blocks no longer contain.

    Raises
    ------
    InputError
        A value is NaN or infinite, or frames cannot be read.
    """
    read = _reader(frames, saturation)
    first = frames.first_frame if isinstance(frames, Movie) else 0

    def checked(a: int, b: int) -> np.ndarray:
        block = read(a, b)
        if block.dtype.kind != "f":
            return block
        if block.itemsize not in (4, 8):
            # Compiled code knows neither half nor extended precision.
            block = block.astype(np.float32 if block.itemsize < 4 else np.float64)
        if not (block.min() > -LARGEST and block.max() < LARGEST):
            usable = (np.abs(block) < LARGEST).all(axis=(1, 2))
            raise InputError(
                f"Frame {first + a + int(np.argmin(usable))} contains values that cannot be used "
                f"(NaN, infinite or above {LARGEST:g}); replace them."
            )
        return block

    edges = list(_edges(frames))
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(checked, *edges[0]) if edges else None
        for following in [*edges[1:], None]:
            if coming is not None:
                block = coming.result()
                coming = reader.submit(checked, *following) if following else None
                yield block


def read_all(movie: Movie, saturation: Saturation | None = None) -> np.ndarray:
    """Return all frames of a small movie as one array (T, Y, X), in counts or float32.

    Parameters
    ----------
    movie : Movie
        The movie.
    saturation : Saturation, optional
        Receives the counts of the camera, which corrected blocks no longer contain.

    Raises
    ------
    InputError
        As in `time_blocks`.
    """
    return np.concatenate(list(time_blocks(movie, saturation)))


def even_blocks(frames: Movie | Any, length: int) -> Iterator[np.ndarray]:
    """Yield blocks of at most ``length`` frames, independent of the chunks of an array.

    Parameters
    ----------
    frames
        Movie, or (T, Y, X) numpy or dask array.
    length
        Largest number of frames in a block.

    Raises
    ------
    InputError
        As in `time_blocks`.
    """
    whole = block_length(frames)
    waiting: list[np.ndarray] = []
    done = 0
    for piece in time_blocks(frames):
        while len(piece):
            wanted = min(length, whole - done % whole)
            waiting.append(piece[: wanted - sum(map(len, waiting))])
            piece = piece[len(waiting[-1]) :]
            if sum(map(len, waiting)) == wanted:
                yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
                waiting, done = [], done + wanted
    if waiting:
        yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)


def _reader(frames: Movie | Any, saturation: Saturation | None) -> Callable[[int, int], np.ndarray]:
    """Return a function that reads frames a .. b-1."""
    if not isinstance(frames, Movie):
        return partial(read_slice, frames)
    source, first, steps, watch = frames.source, frames.first_frame, frames.steps, frames.watch
    if not steps and not source.whole_frames:
        lazy = frames.frames

        def read_selected(a: int, b: int) -> np.ndarray:
            block = read_slice(lazy, a, b, frames.name)
            if watch is not None:
                watch.see(block, first + a)
            return block

        return read_selected
    # Not by way of dask, which looks at its whole graph for every block.
    crop = (slice(None), *(slice(*edge) for edge in frames.roi or ((None, None),) * 2))

    def read(a: int, b: int) -> np.ndarray:
        block = source.read(first + a, first + b)
        if steps and saturation is not None:
            saturation.add(block[crop])
        if watch is None:
            return apply_steps(block, steps, first + a)[crop]
        before, after = steps[: watch.after_steps], steps[watch.after_steps :]
        block = apply_steps(block, before, first + a)
        watch.see(block[crop], first + a)
        return apply_steps(block, after, first + a)[crop]

    return read


def block_length(frames: Movie | Any) -> int:
    """Return the number of frames of a block of a movie, or of an array in one chunk."""
    shape = frames.shape
    if isinstance(frames, Movie) and frames.source.whole_frames:
        shape = frames.source.shape
    step = frames_per_block(shape, frames.dtype)
    # Large frames go up to eight at a time: sums that do not fit the cache are fetched less often.
    return max(step, min(8, frames_per_block(shape, frames.dtype, 4 * block_size.BLOCK_BYTES)))


def _edges(frames: Movie | Any) -> Iterator[tuple[int, int]]:
    step = block_length(frames)
    if isinstance(frames, Movie) and not frames.source.whole_frames:
        frames = frames.frames
    # An array's own chunks are what its program reads at once; one may be the whole movie.
    chunks = frames.chunks[0] if hasattr(frames, "chunks") and hasattr(frames, "compute") else ()
    start = 0
    for length in chunks or (frames.shape[0],):
        for a in range(start, start + length, step):
            yield a, min(a + step, start + length)
        start += length
