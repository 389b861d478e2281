"""napari reader: TIFF movies as lazy layers."""

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
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.tiff import TiffStack

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Napari's hook: our reader for a TIFF movie or folder of frames, else None."""
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    where = Path(path)
    if not where.is_dir() and where.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        open_movie(where)
        return read_movie
    except InputError:
        pass
    try:
        Reconstruction.load(where)
        return read_reconstruction
    except InputError:
        return None  # another picture: napari's own reader opens it


def read_reconstruction(path: str | list[str]) -> list[LayerData]:
    """A saved reconstruction where it belongs: over a movie whose first pixel is at 0."""
    where = Path(path[0] if isinstance(path, list) else path)
    result = Reconstruction.load(where)
    known = result.pixel_size_um is not None and result.origin_um is not None
    options = {
        "scale": result.pixel_size_um if known else result.pixel_px,
        "translate": result.origin_um if known else result.origin_px,
        "units": ("micrometer" if known else "pixel",) * 2,
        "axis_labels": ("y", "x"),
        "colormap": "inferno",
        "metadata": {
            "sofinet_result": result,
            "sofinet": result.recipe.model_dump(mode="json") if result.recipe else None,
        },
    }
    name = bare_name(where)
    return [
        (data, options | {"name": name if key == "image" else f"{name} {key}"}, "image")
        for key, data in result.maps.items()
    ]


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
