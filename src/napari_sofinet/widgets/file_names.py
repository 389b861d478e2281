"""Names of the files that results are saved to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_sofinet.base.errors import InputError

OTHER_FORMATS = (
    *(".gif", ".webp", ".svg", ".pdf", ".eps", ".ps", ".npz", ".zarr", ".nd2", ".czi", ".lif"),
    *(".mat", ".xls", ".xlsx", ".doc", ".docx", ".json", ".zip", ".avi", ".mp4", ".mov"),
)
"""Endings that are formats which results are not saved in, and not parts of a layer's name."""


def with_ending(path: str | Path, usual: str, endings: Sequence[str]) -> Path:
    """Return the path of a file, with an ending if the user gave none.

    Parameters
    ----------
    path : path-like
        Path as the user typed it. A dot in it may belong to the name, as in "cell 0.5".
    usual : str
        Ending that is added if there is none.
    endings : sequence of str
        Endings that are kept.

    Returns
    -------
    Path
        Path with an ending.

    Raises
    ------
    InputError
        If the ending is that of another format, or if the file with the added ending exists, since
        nobody was asked whether to replace it.

    Examples
    --------
    >>> with_ending("SOFI2 cell 0.5", ".ome.tif", (".tif",)).name
    'SOFI2 cell 0.5.ome.tif'
    """
    path = Path(path)
    if path.name.lower().endswith(tuple(endings)):
        return path
    if path.suffix.lower() in OTHER_FORMATS:
        raise InputError(
            f"{path.name} was not saved, since a file {path.suffix} has no place for scale and "
            f"recipe; choose a name ending in {usual}."
        )
    whole = path.with_name(path.name + usual)
    if whole.exists():
        raise InputError(
            f"{whole} exists already; type the name with {usual} to replace it, or another name."
        )
    return whole


def file_name(text: str) -> str:
    """Return a name for a file that all systems accept.

    Parameters
    ----------
    text : str
        Name of a layer or movie.

    Returns
    -------
    str
        The text with "_" for characters that are not allowed in the names of files.

    Examples
    --------
    >>> file_name("difference a/b | c")
    'difference a_b _ c'
    """
    kept = "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in text)
    return kept.strip(" .") or "result"
