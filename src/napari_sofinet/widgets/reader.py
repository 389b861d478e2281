"""napari reader: TIFF movies as lazy layers, and saved reconstructions as pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_info

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.command_text import bare_name
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.tiff_stack import TiffStack
from napari_sofinet.widgets.result_layers import LayerData, layers_of_file


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Napari's hook: our reader for a TIFF movie, a saved reconstruction or a folder, else None."""
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    where = Path(path)
    if not where.is_dir() and where.suffix.lower() not in (".tif", ".tiff"):
        return None
    if _is_reconstruction(where):
        return read_reconstruction
    try:
        open_movie(where)
        return read_movie
    except InputError:
        return None  # another picture: napari's own reader opens it


def _is_reconstruction(path: Path) -> bool:
    """Whether a file was written by `Reconstruction.save`; its maps look like a movie's frames."""
    if path.is_dir():
        return False
    try:
        return read_annotation(path, "grid") is not None and bool(Recipe.load(path))
    except InputError:
        return False


def read_reconstruction(path: str | list[str]) -> list[LayerData]:
    """Return the maps of a saved reconstruction, over its movie as `read_movie` opens it."""
    where = Path(path[0] if isinstance(path, list) else path)
    return layers_of_file(Reconstruction.load(where), bare_name(where))


def read_movie(path: str | list[str]) -> list[LayerData]:
    """One lazy layer per channel, with scale, units and the movie it shows in its metadata."""
    where = Path(path[0] if isinstance(path, list) else path)
    first = open_movie(where)
    if not isinstance(first.source, TiffStack):
        raise InputError(f"{where} is no TIFF file.")
    channels, planes = first.source.channels, first.source.planes
    # Notes about channels and planes are for the command line: layers show them all.
    if first.source.stack_axis == "time" and planes == channels == 1:
        for note in first.notes:
            show_info(note)
    return [_channel(where, c, channels, planes) for c in range(channels)]


def _channel(path: Path, channel: int, channels: int, planes: int) -> LayerData:
    """A channel as (t, y, x) layer, or as (t, z, y, x) where it has planes."""
    import dask.array as da

    movie = open_movie(path, channel=channel)
    pixel, interval = movie.pixel_size_um, movie.frame_interval_s
    unit = "pixel" if pixel is None else "micrometer"
    name = bare_name(path)
    options = {
        "name": name if channels == 1 else f"{name} channel {channel}",
        "scale": [interval or 1.0, pixel or 1.0, pixel or 1.0],
        "units": ["second" if interval else "pixel", unit, unit],
        "axis_labels": ["t", "y", "x"],
        "contrast_limits": _contrast(movie),
    }
    if planes == 1:
        return movie.frames, options | {"metadata": {"sofinet_movie": movie}}, "image"
    for key, value in (("scale", 1.0), ("units", "pixel"), ("axis_labels", "z")):
        options[key].insert(1, value)  # type: ignore[attr-defined]
    stacks = [
        open_movie(path, channel=channel, z=z, stack_axis="depth").frames for z in range(planes)
    ]
    return da.stack(stacks, axis=1), options, "image"


def _contrast(movie: Movie) -> tuple[float, float]:
    """Limits from the middle frame, which is shown first: napari would look at the whole movie."""
    frame = np.asarray(
        movie.frames[movie.shape[0] // 2].compute(scheduler="synchronous"), dtype=float
    )
    low, high = np.nanpercentile(frame, (0.5, 99.8)) if np.isfinite(frame).any() else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)
