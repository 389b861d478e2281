"""Opening the input of a method: a movie, a SIM stack or a table of localisations."""

from __future__ import annotations

import os
from dataclasses import replace

from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.sim_stack import SimStack, open_sim_stack
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES, read_localizations
from napari_sofinet.io.tiff_axes import FrameRange
from napari_sofinet.io.tiff_stack import StackAxis

MethodInput = Movie | LocalizationTable | SimStack
"""Input of a method."""


def open_input(
    path: str | os.PathLike[str],
    pixel_size_um: float | None = None,
    channel: int | None = None,
    z: int | None = None,
    *,
    frame_interval_s: float | None = None,
    stack_axis: StackAxis = "time",
    frames: FrameRange = None,
    takes: tuple[type, ...] = (Movie, LocalizationTable),
) -> MethodInput:
    """Open the input of a method; tables are recognised by the name of the file.

    Parameters
    ----------
    path : path-like
        A movie (see `open_movie`), or a table of localisations whose name ends in .csv, .csv.gz,
        .tsv, .txt, .hdf5 or .h5.
    pixel_size_um, frame_interval_s : float, optional
        Size of a camera pixel in um and time per frame in s; by default the values in the file.
    channel, z : int, optional
        Channel and plane of a movie.
    stack_axis : {"time", "depth"}, optional
        Meaning of the Z axis of a file that has no time axis.
    frames : sequence of two int or None, optional
        First frame, and the one after the last; see `open_movie`.
    takes : tuple of type, optional
        Kinds of input that the method takes: files with images are opened as SIM stacks where it
        takes those.

    Raises
    ------
    InputError
        The file is neither a movie nor a table, or cannot be read.
    """
    if not os.fspath(path).lower().endswith(SUFFIXES):
        if SimStack in takes:
            return open_sim_stack(path, pixel_size_um, channel)
        return open_movie(
            path,
            pixel_size_um,
            channel,
            z,
            frame_interval_s=frame_interval_s,
            stack_axis=stack_axis,
            frames=frames,
        )
    table = replace(read_localizations(path, pixel_size_um), frame_interval_s=frame_interval_s)
    return table if frames is None else table.select(frames)
