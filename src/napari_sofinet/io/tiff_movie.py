"""Opening one TIFF file as a movie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from napari_sofinet.io.file_stamp import check_unchanged, stamp
from napari_sofinet.io.scale import read_scale
from napari_sofinet.io.tiff_axes import Wanted, frames_of
from napari_sofinet.io.tiff_file import explained, opened_tiff
from napari_sofinet.io.tiff_layout import files_of, parts_of
from napari_sofinet.io.tiff_series import layout_of
from napari_sofinet.io.tiff_stack import TiffStack


class Opened(NamedTuple):
    """A stack of frames, its pixel size in um, its frame interval in s, and notes for the user."""

    stack: TiffStack
    pixel_size_um: float | None
    frame_interval_s: float | None
    notes: tuple[str, ...]


def open_file(path: Path, wanted: Wanted) -> Opened:
    """Open a TIFF file without reading its frames.

    Parameters
    ----------
    path : Path
        The file.
    wanted : Wanted
        Channel, plane and frames.

    Raises
    ------
    InputError
        The file is not a readable movie.
    """
    with explained(path):
        own = str(path.resolve())
        before = stamp(own)
        with opened_tiff(path) as tif:
            layout = layout_of(tif, path)
            notes = list(layout.notes)
            found = frames_of(layout, path.name, wanted, notes)
            pixel, interval = read_scale(tif, notes)
        companions = files_of(layout)[1:]
        stack = TiffStack(
            (own,),
            (len(found.images), *layout.frame_shape),
            layout.dtype,
            parts_of(layout, found.images),
            channel=found.channel,
            z=found.z,
            stack_axis=wanted.stack_axis,
            channels=found.channels,
            planes=found.planes,
            axes=found.axes,
            companions=companions,
        )
        stamps = (before, *map(stamp, companions))
        check_unchanged(path.name, stamps[:1])
        return Opened(replace(stack, stamps=stamps), pixel, interval, tuple(notes))
