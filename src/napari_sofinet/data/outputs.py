"""Checks of output files, made before long work starts."""

from __future__ import annotations

import os
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.recipe import recipe_beside
from napari_sofinet.data.table_files import SUFFIXES, check_table_output, files_of_table
from napari_sofinet.io.atomic import check_writable
from napari_sofinet.io.tiff_folder import is_pattern

PICTURES = ".tif", ".tiff"


def output_file(name: str | os.PathLike[str]) -> Path:
    """Return the path of an output file from the name that a user entered.

    Parameters
    ----------
    name : path-like
        Name as typed by the user.

    Raises
    ------
    InputError
        The name is empty or that of a folder.

    Examples
    --------
    >>> output_file("out.ome.tif").name
    'out.ome.tif'
    """
    text = os.fspath(name)
    ends = tuple(filter(None, (os.sep, os.altsep)))
    if not text.strip() or text.endswith(ends) or os.path.basename(text) in (".", ".."):
        raise InputError(f"The output {text!r} is not the name of a file; enter a file name.")
    return Path(text)


def check_output(path: Path, table: bool = False) -> None:
    """Raise `InputError` unless a result can be written to ``path``, before long work starts.

    An OME-TIFF, or with ``table`` also a table of localisations.
    """
    if table and path.name.lower().endswith(SUFFIXES):
        check_table_output(path)
        check_writable(recipe_beside(path))
        return
    if path.suffix.lower() not in PICTURES:
        kinds = ".ome.tif or .tif" + (", or .csv or .hdf5 for a table" if table else "")
        raise InputError(f"The output {path.name} must end in {kinds}.")
    check_writable(path)


def refuse_overwriting(output: Path, *inputs: Path) -> None:
    """Raise `InputError` if an output would replace an input, or become a frame of it.

    Parameters
    ----------
    output : Path
        File to be written; files written beside it are checked as well.
    *inputs : Path
        Files that are read, or folders of frames.
    """
    written = [output]
    if output.name.lower().endswith(SUFFIXES):
        written = [*files_of_table(output), recipe_beside(output)]
    for source in inputs:
        read = files_of_table(source) if source.name.lower().endswith(SUFFIXES) else (source,)
        if is_pattern(source):
            read = (source.parent,)
        for place in (*written, output.parent):
            if any(_same(place, file) for file in read):
                raise InputError(
                    f"The output {output} would change the input {source}; choose another name or "
                    "folder."
                )


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them does not exist, or its name is no file's
        return False
