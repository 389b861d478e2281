"""Reading files of any origin: no pipes, no devices, and no more bytes than were asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from napari_sofinet.base.errors import InputError

NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def check_regular(path: str | os.PathLike[str]) -> os.stat_result:
    """Return the status of a file.

    Parameters
    ----------
    path : path-like
        A file to be read.

    Raises
    ------
    InputError
        There is no such file, or it is a folder, a pipe or a device, which might block forever when
        read.
    """
    path = Path(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({why}).") from None
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a file.")
    return found


def read_start(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return the first bytes of a file.

    Parameters
    ----------
    path : path-like
        The file.
    limit : int
        Number of bytes.

    Raises
    ------
    InputError
        As in `check_regular`, or the file cannot be read.
    """
    check_regular(path)
    try:
        with open(os.open(path, os.O_RDONLY | NONBLOCKING), "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error


def read_text(path: str | os.PathLike[str], limit: int = 2**24) -> str:
    """Return the whole text of a small file; bytes that are not UTF-8 are replaced.

    Parameters
    ----------
    path : path-like
        The file.
    limit : int, optional
        Largest size in bytes; 16 MiB by default.

    Raises
    ------
    InputError
        As in `read_start`, or the file is larger.
    """
    content = read_start(path, limit + 1)
    if len(content) > limit:
        raise InputError(f"{Path(path).name} is too large for a file of its kind.")
    return content.decode("utf-8", errors="replace")
