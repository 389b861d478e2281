"""Opening a movie from a file, a folder or an array."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie
from napari_sofinet.io.scale import LARGEST_PIXEL_UM
from napari_sofinet.io.tiff import open_tiff
from napari_sofinet.io.tiff_stack import StackAxis


def open_movie(
    source: str | os.PathLike[str] | np.ndarray | Any,
    pixel_size_um: float | None = None,
    channel: int | None = None,
    z: int | None = None,
    *,
    frame_interval_s: float | None = None,
    stack_axis: StackAxis = "time",
    name: str | None = None,
) -> Movie:
    """Open a movie without reading its frames.

    Parameters
    ----------
    source
        TIFF file (plain, ImageJ, OME, BigTIFF, compressed), a folder of single-frame TIFFs, or a
        (T, Y, X) array (numpy, dask, zarr).
    pixel_size_um, frame_interval_s
        Scale; taken from the file where None, None where that does not know it either.
    channel, z
        Which channel and plane to take where there are several; the first by default, with a note.
    stack_axis
        Meaning of a Z axis in a file without a time axis. Many programs save movies so, hence
        ``"time"`` (with a note); ``"depth"`` keeps it as planes to choose with ``z``.
    name
        Name of an array, for messages and layers.

    Raises
    ------
    InputError
        The source is no readable movie: missing, truncated, RGB, a single image, a wrong dtype.
    """
    for what, value, unit in (
        ("pixel size", pixel_size_um, "um"),
        ("frame interval", frame_interval_s, "s"),
    ):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"The {what} must be positive, not {value} {unit}.")
    if not isinstance(source, (str, os.PathLike)):
        if channel or z:
            raise InputError("An array has no channels or planes to choose; cut them out first.")
        movie = Movie(ArraySource(_as_frames(source), name or "array"))
    else:
        stack, pixel, interval, notes = open_tiff(
            Path(source), channel=channel, z=z, stack_axis=stack_axis
        )
        movie = Movie(stack, pixel, interval, notes=notes)
    check_dtype(movie.dtype)
    if 0 in movie.shape:
        raise InputError(f"{movie.name} is empty; a movie of at least two frames is needed.")
    if movie.shape[0] < 2:
        raise InputError(
            f"{movie.name} is a single image; a movie of at least two frames is needed."
        )
    if pixel_size_um is not None and pixel_size_um > LARGEST_PIXEL_UM:
        note = f"Pixels of {pixel_size_um:g} um are unusual; the unit is um, 100 nm are 0.1."
        movie = replace(movie, notes=(*movie.notes, note))
    return replace(
        movie,
        pixel_size_um=pixel_size_um or movie.pixel_size_um,
        frame_interval_s=frame_interval_s or movie.frame_interval_s,
    )


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `InputError` for pixels that are not plain integer or floating point numbers."""
    if dtype.kind not in "uif":
        raise InputError(f"Pixels of type {dtype} cannot be used; save the movie as 16 bit.")


def _as_frames(array: Any) -> Any:
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    if len(array.shape) == 2:
        raise InputError("This is a single image; a movie of at least two frames is needed.")
    if len(array.shape) != 3:
        raise InputError(
            f"A movie has three axes (time, y, x), this array has {len(array.shape)}; choose a "
            "channel and a plane first."
        )
    return array
