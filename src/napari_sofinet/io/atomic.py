"""Files that appear only when they are complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from napari_sofinet.base.errors import InputError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write into, and rename it to ``path`` once it is complete.

    Raises
    ------
    InputError
        The folder is missing or read-only, or the disk is full; nothing is left under ``path``.
    """
    path = Path(path)
    partial: Path | None = None
    try:
        check_writable(path)
        partial = _new_file(path.parent)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(_why(path, error)) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _new_file(folder: Path) -> Path:
    """Make an empty file of an unused name, with the permissions of any other new file.

    The system applies the umask to the mode given here. Reading the umask instead would mean to
    change it for a moment, for all threads of the process.
    """
    path = folder / f".sofinet.{secrets.token_hex(8)}.partial"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    return path


def check_writable(path: Path) -> None:
    """Raise `InputError` unless a file could be made at ``path``; called before long work."""
    folder = path.parent
    try:
        if not folder.is_dir():
            raise InputError(f"The output folder {folder} does not exist; make it first.")
        if path.is_dir():
            raise InputError(f"The output {path} is a folder; give a file name.")
        # Trying is the only test that also holds for root and for network drives.
        with tempfile.NamedTemporaryFile(prefix=".sofinet.", dir=folder):
            pass
    except OSError as error:
        raise InputError(_why(path, error)) from error


def _why(path: Path, error: OSError) -> str:
    # numpy writes arrays by itself and tells a full disk only as "1000 requested and 0 written".
    short = error.errno is None and "requested and" in str(error)
    if short or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The disk is full: {path} could not be written; free some space and run again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"The folder {path.parent} can not be written to; choose another output."
    return f"{path} could not be written ({error.strerror or error})."
