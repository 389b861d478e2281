"""Opening a movie from a file, a folder or an array."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.array_axes import frames_of_array
from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie
from napari_sofinet.io.scale import PLAUSIBLE_UM
from napari_sofinet.io.tiff import open_tiff
from napari_sofinet.io.tiff_axes import FrameRange, Wanted
from napari_sofinet.io.tiff_stack import StackAxis

SMALLEST, LARGEST = 1e-9, 1e9
"""Limits of scales in um and s, beyond which no file can keep them."""
LEAST_ROWS = 8
"""Least number of frames and rows for a note that equal numbers are unusual."""


class SingleImage(InputError):
    """The file contains a single image, which other readers open."""


def open_movie(
    source: str | os.PathLike[str] | np.ndarray | Any,
    pixel_size_um: float | None = None,
    channel: int | None = None,
    z: int | None = None,
    *,
    frame_interval_s: float | None = None,
    stack_axis: StackAxis = "time",
    name: str | None = None,
    frames: FrameRange = None,
) -> Movie:
    """Open a movie without reading its frames.

    Parameters
    ----------
    source : path-like or array-like
        TIFF file (plain, ImageJ, OME, MetaMorph, Micro-Manager, compressed or not), a folder of
        single frames or of numbered stacks, a pattern of names such as ``cell/img_s2_*.tif``, or
        an array (numpy, dask, zarr, xarray) with axes (T, Y, X) or with names.
    pixel_size_um, frame_interval_s : float, optional
        Size of a camera pixel in um and time per frame in s; by default the values in the file, or
        None if it contains none.
    channel, z : int, optional
        Channel and plane of files with several; by default the first, with a note.
    stack_axis : {"time", "depth"}, optional
        Meaning of a Z axis in a file without a time axis. The default is ``"time"`` (with a note),
        since many programs save movies in this way; ``"depth"`` treats it as planes to choose from
        with ``z``.
    name : str, optional
        Name of an array, for messages and layers.
    frames : sequence of two int or None, optional
        First frame, and the one after the last, as `Movie.select` takes them. A truncated file, or
        one with fewer frames than declared, is opened only with a range of existing frames.

    Returns
    -------
    Movie
        Movie whose ``notes`` list everything that was assumed or left out.

    Raises
    ------
    InputError
        The source is not a readable movie: missing, truncated, RGB, a single image, a wrong dtype,
        or several movies.

    Examples
    --------
    >>> open_movie(np.zeros((20, 16, 18), np.uint16), 0.1).shape
    (20, 16, 18)
    """
    _check_scale(pixel_size_um, frame_interval_s)
    if not isinstance(source, (str, os.PathLike)):
        notes: list[str] = []
        array = frames_of_array(source, channel, z, notes)
        movie = Movie(ArraySource(array, name or "array"), notes=tuple(notes))
    else:
        wanted = Wanted(channel, z, stack_axis, frames)
        stack, pixel, interval, found = open_tiff(Path(source), wanted)
        movie = Movie(stack, pixel, interval, notes=found)
    check_dtype(movie.dtype)
    if 0 in movie.shape:
        raise InputError(f"{movie.name} is empty; a movie of at least two frames is needed.")
    if movie.shape[0] < 2:
        raise SingleImage(
            f"{movie.name} is a single image; a movie of at least two frames is needed."
        )
    movie = replace(
        movie,
        pixel_size_um=pixel_size_um or movie.pixel_size_um,
        frame_interval_s=frame_interval_s or movie.frame_interval_s,
    )
    movie = replace(movie, notes=(*movie.notes, *_scale_cautions(movie)))
    return movie if frames is None else movie.select(frames)


def _check_scale(pixel_size_um: float | None, frame_interval_s: float | None) -> None:
    """Raise `InputError` unless the given parts of a scale are positive and plausible."""
    for what, value, unit in (
        ("pixel size", pixel_size_um, "um"),
        ("frame interval", frame_interval_s, "s"),
    ):
        if value is not None and not SMALLEST < value < LARGEST:
            raise InputError(f"The {what} must be positive and plausible, not {value} {unit}.")


def _scale_cautions(movie: Movie) -> Iterator[str]:
    """Yield notes on an unusual scale or shape of a movie."""
    pixel = movie.pixel_size_um
    low, high = PLAUSIBLE_UM
    if pixel is not None and not low <= pixel <= high:
        yield f"A pixel size of {pixel:g} um is unusual. The unit is um: enter 0.1 for 100 nm."
    frames, rows, columns = movie.shape
    if frames == rows != columns and frames >= LEAST_ROWS:
        yield (
            f"{movie.name} has {frames} frames of {rows} x {columns} px. If these are {columns} "
            f"frames of {frames} x {rows} px, move the time axis from last to first."
        )


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `InputError` for pixels that are not plain integer or floating point numbers."""
    if dtype.kind not in "uif":
        raise InputError(f"Pixels of type {dtype} cannot be used; save the movie as 16 bit.")
