"""The same method for every channel of a file, as one reconstruction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.run import Device, reconstruct


def reconstruct_channels(
    movie: MethodInput,
    method: str,
    *,
    report: Report = silent,
    device: Device = "auto",
    **settings: Any,
) -> Reconstruction:
    """Run a method on all channels of a movie's file.

    Parameters
    ----------
    movie : Movie
        One channel of a file, with its selection.
    method : str
        Name of the method.
    report : Report, optional
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of networks.
    **settings
        Settings of the method, the same for all channels.

    Returns
    -------
    Reconstruction
        Maps ``"channel 0"``, ``"channel 0 snr"`` ... on one grid, and the recipe of all of them.
        Estimates of the method are made for every channel.

    Raises
    ------
    InputError
        The movie is in memory, or see `reconstruct`.
    """
    channels = every_channel(movie)
    results = []
    for number, one in enumerate(channels):
        part = 1 / len(channels)
        step = portion(report, number * part, (number + 1) * part, f"channel {number}: ")
        try:
            results.append(reconstruct(one, method, report=step, device=device, **settings))
        except InputError as error:
            raise InputError(f"Channel {number}: {error}") from None
    maps, notes = {}, []
    for number, result in enumerate(results):
        for name, image in result.maps.items():
            maps[f"channel {number}" if name == "image" else f"channel {number} {name}"] = image
        notes += [f"Channel {number}: {note}" for note in result.notes if note not in movie.notes]
    recipe = results[0].recipe
    assert recipe is not None
    paragraphs = [r.recipe.methods_paragraph for r in results if r.recipe is not None]
    paragraph = paragraphs[0]
    if len(results) > 1:
        paragraph = " ".join(f"Channel {k}: {text}" for k, text in enumerate(paragraphs))
    opened = recipe.open.model_copy(update={"every_channel": True})
    recipe = recipe.model_copy(update={"open": opened, "methods_paragraph": paragraph})
    return replace(results[0], maps=maps, recipe=recipe, notes=(*movie.notes, *notes))


def every_channel(movie: MethodInput) -> list[Movie]:
    """Open all channels of a movie's file, with its plane and selection.

    Raises
    ------
    InputError
        The movie is in memory.
    """
    if not isinstance(movie, Movie) or movie.path is None or movie.steps:
        raise InputError("A movie in memory is a single channel; choose it alone.")
    source = movie.source
    opened = [
        open_movie(
            movie.path,
            movie.pixel_size_um,
            channel,
            source.z or None,
            frame_interval_s=movie.frame_interval_s,
            stack_axis=source.stack_axis,
            frames=movie.file_range,
        )
        for channel in range(source.channels)
    ]
    return [
        replace(one, frame_range=movie.frame_range, roi=movie.roi, notes=movie.notes)
        for one in opened
    ]
