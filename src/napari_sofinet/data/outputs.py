"""Checks of output files, made before long work starts."""

from __future__ import annotations

import os
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.table_files import SUFFIXES, check_table_output
from napari_sofinet.io.atomic import check_writable


def check_output(path: Path, table: bool = False) -> None:
    """Raise `InputError` unless a result can be written at ``path``; made before long work.

    An OME-TIFF, or with ``table`` also a table of localisations.
    """
    if table and path.name.lower().endswith(SUFFIXES):
        check_table_output(path)
        return
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"The output {path.name} must end in .ome.tif, the format it is saved in.")
    check_writable(path)


def refuse_overwriting(output: Path, movie: Path) -> None:
    """Raise `InputError` where the output would replace the movie, or become a frame of it."""
    for place in output, output.parent:
        # Path.exists would raise for names that are too long.
        if os.path.exists(movie) and os.path.exists(place) and place.samefile(movie):
            raise InputError(
                f"The output {output} would change the movie {movie}; choose another place."
            )
