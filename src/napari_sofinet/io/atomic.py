"""Files that appear only when they are complete."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.folder_lock import folder_lock
from napari_sofinet.io.partial_files import new_partial, sweep


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a file beside ``path`` to write to, and rename it to ``path`` once it is complete.

    Raises
    ------
    InputError
        The folder is missing or read-only, or the disk is full; nothing is left under ``path``.
    """
    with atomic_write_together(path) as (partial,):
        yield partial


@contextlib.contextmanager
def atomic_write_together(*paths: str | Path) -> Iterator[tuple[Path, ...]]:
    """Yield files to write that belong together: either all of them appear, or none.

    Former files of these names stay until all new ones are complete. Of two processes that write
    the same files, the last one to finish has written all of them.

    Parameters
    ----------
    *paths : path-like
        Names of the files.

    Yields
    ------
    tuple of Path
        A file to write to for each of them.

    Raises
    ------
    InputError
        A folder is missing or read-only, or the disk is full.
    """
    wanted = [Path(path) for path in paths]
    partials: list[Path] = []
    current = wanted[0]
    try:
        for current in wanted:
            check_writable(current)
            partials.append(new_partial(current.parent))
        current = wanted[0]
        yield tuple(partials)
        for partial in partials:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        _name_all(partials, wanted)
    except OSError as error:
        raise InputError(_why(current, error)) from error
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _name_all(partials: list[Path], wanted: list[Path]) -> None:
    """Rename complete files, and give back the names of former ones where one fails."""
    if len(wanted) == 1:
        partials[0].replace(wanted[0])
        return
    former: list[tuple[Path, Path]] = []
    with folder_lock({path.parent for path in wanted}):
        try:
            # All former ones go first: no old file is ever beside a new one, even after a kill.
            for path in reversed(wanted):
                if path.exists():
                    kept = new_partial(path.parent)
                    kept.unlink()  # only its name is needed; it is there once the file has moved
                    former.append((kept, path))
                    path.replace(kept)
            for partial, path in zip(partials, wanted, strict=True):
                partial.replace(path)
        except BaseException:
            for partial, path in zip(partials, wanted, strict=True):
                if not partial.exists():
                    path.unlink(missing_ok=True)
            for kept, path in former:
                if kept.exists():
                    os.replace(kept, path)
            raise
        for kept, _ in former:
            kept.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise `InputError` unless a file can be created at ``path``; called before long work."""
    folder = path.parent
    try:
        if not folder.is_dir():
            raise InputError(f"The output folder {folder} does not exist; create it first.")
        if path.is_dir():
            raise InputError(f"The output {path} is a folder; enter a file name.")
        # Names that are too long, or that this file system does not take, are refused here.
        with contextlib.suppress(FileNotFoundError):
            if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFLNK):
                raise InputError(f"The output {path} is not a file; choose another name.")
        sweep(folder)
        # Trying is the only test that also holds for root and for network drives.
        new_partial(folder).unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(_why(path, error)) from error


def _why(path: Path, error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return f"{path} is not a valid file name; choose another name."
    if error.errno == errno.ENAMETOOLONG:
        return f"The name {path.name} is too long for a file name; choose a shorter one."
    # numpy writes arrays by itself and tells a full disk only as "1000 requested and 0 written".
    short = error.errno is None and "requested and" in str(error)
    if short or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The disk is full: {path} could not be written; free some space and run again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"The folder {path.parent} cannot be written to; choose another output."
    return f"{path} could not be written ({error.strerror or error})."
