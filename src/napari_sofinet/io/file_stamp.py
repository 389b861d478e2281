"""Detection of changes to a file since it was opened."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from napari_sofinet.base.errors import InputError


class FileStamp(NamedTuple):
    """State of a file: time of its last change, size and inode number.

    Parameters
    ----------
    path : str
        The file.
    changed_ns : int
        Time of the last change in ns.
    size : int
        Size in bytes.
    number : int
        Inode number, which differs if the file was replaced.
    """

    path: str
    changed_ns: int
    size: int
    number: int


def stamp(path: str | os.PathLike[str]) -> FileStamp:
    """Return the present state of a file; raise `OSError` if it does not exist."""
    found = os.stat(path)
    return FileStamp(os.fspath(path), found.st_mtime_ns, found.st_size, found.st_ino)


def check_unchanged(name: str, stamps: Iterable[FileStamp]) -> None:
    """Raise `InputError` if a file was changed, replaced or removed.

    Parameters
    ----------
    name : str
        Name of the files for the message.
    stamps : iterable of FileStamp
        Their states when they were opened.
    """
    for one in stamps:
        try:
            same = stamp(one.path) == one
        except OSError as error:
            raise InputError(
                f"{name} can no longer be read ({error.strerror}); restore it."
            ) from error
        if not same:
            raise InputError(
                f"{name} was changed after it was opened; open it again once it is complete."
            )
