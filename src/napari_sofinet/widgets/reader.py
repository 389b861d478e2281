"""Reader for napari: TIFF movies as lazy layers, and saved reconstructions as pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari import current_viewer

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.command_text import bare_name
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import SingleImage, open_movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction, has_recipe
from napari_sofinet.data.sim_stack import open_sim_stack
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.regular_files import read_start
from napari_sofinet.io.tiff_stack import TiffStack
from napari_sofinet.widgets.flat_layers import hide_while_removed
from napari_sofinet.widgets.notices import tell
from napari_sofinet.widgets.placement import LayerData
from napari_sofinet.widgets.volumes import STACK

CONTRAST_FRAMES = 3
BRIGHTEST = 12.0
"""Upper contrast limit above the background, at most this many standard deviations of it."""


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for TIFF movies, saved reconstructions or folders of frames.

    Parameters
    ----------
    path : str or list of str
        File or folder; a list must have one item.

    Returns
    -------
    callable or None
        Function that takes the path and returns layers; None if the file is no movie. If a movie
        cannot be read, the function raises an error that tells the reason, which napari would not
        show otherwise.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    where = Path(path)
    if not where.is_dir() and where.suffix.lower() not in (".tif", ".tiff", ".stk"):
        return None
    if _is_reconstruction(where):
        return read_reconstruction
    try:
        open_movie(where)
        return read_movie
    except SingleImage as error:
        tell(str(error))
        return None  # not a movie, so napari's own reader opens it
    except InputError as error:
        return partial(_refuse, str(error)) if where.is_dir() or _is_tiff(where) else None


def _is_tiff(path: Path) -> bool:
    """Return whether a file begins like a TIFF file or is empty."""
    try:
        return read_start(path, 2) in (b"II", b"MM", b"")
    except InputError:
        return False


def _refuse(why: str, path: str | list[str]) -> list[LayerData]:
    """Raise the error of a movie that cannot be read; takes the place of its reader."""
    raise InputError(why)


def _is_reconstruction(path: Path) -> bool:
    """Return whether `Reconstruction.save` wrote a file, whose maps look like frames of a movie."""
    if path.is_dir():
        return False
    try:
        if read_annotation(path, "grid") is None:
            return False
        return not has_recipe(path) or bool(Recipe.load(path))
    except InputError:
        return False


def read_reconstruction(path: str | list[str]) -> list[LayerData]:
    """Read a saved reconstruction.

    Parameters
    ----------
    path : str or list of str
        File that `Reconstruction.save` wrote.

    Returns
    -------
    list of (array, options, kind)
        One image layer for each map, placed over the movie as `read_movie` opens it.
    """
    # Movies are opened without it, as it imports all methods.
    from napari_sofinet.widgets.measurement_layers import follow_color_bars
    from napari_sofinet.widgets.result_layers import layers_of_file

    where = Path(path[0] if isinstance(path, list) else path)
    viewer = current_viewer()
    if viewer is not None:
        hide_while_removed(viewer.layers)
        follow_color_bars(viewer.layers)
    return layers_of_file(Reconstruction.load(where), bare_name(where))


def read_movie(path: str | list[str]) -> list[LayerData]:
    """Read a movie lazily.

    Parameters
    ----------
    path : str or list of str
        TIFF file or folder of frames.

    Returns
    -------
    list of (array, options, kind)
        One image layer (T, Y, X) or (T, Z, Y, X) for each channel, with scale and units.

    Raises
    ------
    InputError
        If the file is no TIFF movie.
    """
    where = Path(path[0] if isinstance(path, list) else path)
    first = open_movie(where)
    if not isinstance(first.source, TiffStack):
        raise InputError(f"{where} is no TIFF file.")
    channels, planes = first.source.channels, first.source.planes
    if planes > 1 or channels > 1:
        # Notes about the choice of a channel or plane do not apply, since layers show all of them.
        first = open_movie(
            where,
            channel=0 if channels > 1 else None,
            z=0 if planes > 1 else None,
            stack_axis="depth" if planes > 1 else "time",
        )
    for note in first.notes:
        tell(note)
    return [_channel(where, c, channels, planes) for c in range(channels)]


def _channel(path: Path, channel: int, channels: int, planes: int) -> LayerData:
    """Return a layer (T, Y, X) for a channel, (T, Z, Y, X) if it has planes."""
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
    stack = open_sim_stack(path, channel=channel if channels > 1 else None)
    depth = (stack.plane_um or 1.0, "micrometer" if stack.plane_um else "pixel", "z")
    for key, value in zip(("scale", "units", "axis_labels"), depth, strict=True):
        options[key].insert(1, value)  # type: ignore[attr-defined]
    stacks = [
        open_movie(path, channel=channel, z=z, stack_axis="depth").frames for z in range(planes)
    ]
    frames = da.stack(stacks, axis=1)
    return frames, options | {"metadata": {STACK: (frames.name, stack)}}, "image"


def _contrast(movie: Movie) -> tuple[float, float]:
    """Return contrast limits from a few frames, since napari would read the whole movie.

    A few bright molecules on a dark background are shown saturated, so that the background and
    dimmer molecules can be seen.
    """
    chosen = np.unique(np.linspace(0, movie.shape[0] - 1, CONTRAST_FRAMES).astype(int))
    step = max(int(np.sqrt(np.prod(movie.shape[1:]) / 2**18)), 1)
    frames = movie.frames[chosen, ::step, ::step].compute(scheduler="synchronous").astype(float)
    seen = [frame[np.isfinite(frame)] for frame in frames]
    levels = [np.percentile(one, (0.5, 16, 50, 98.5, 99.8)) for one in seen if one.size]
    if not levels:
        return 0.0, 1.0
    low, lower, middle, sparse, high = np.median(levels, axis=0)
    if middle > lower:
        high = min(high, max(sparse, middle + BRIGHTEST * (middle - lower)))
    return float(low), float(high if high > low else low + 1)
