"""Hidden files that are being written, and those that a process left behind when it was killed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
import sys
import time
from functools import cache
from pathlib import Path

ABANDONED_S = 86400.0
"""Age from which a partial file of an unknown process counts as left behind."""
NAME = re.compile(r"\.sofinet\.(?:(?P<machine>[0-9a-f]{8})\.(?P<process>\d+)\.)?[0-9a-f]+\.partial")


def new_partial(folder: Path) -> Path:
    """Make an empty file of an unused name, with the permissions of any other new file.

    The system applies the umask to the mode given here. Reading the umask instead would mean to
    change it for a moment, for all threads of the process.

    Parameters
    ----------
    folder : Path
        Where the file is made.
    """
    path = folder / f".sofinet.{_machine()}.{os.getpid()}.{secrets.token_hex(8)}.partial"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    return path


def sweep(folder: Path) -> None:
    """Delete the partial files in a folder whose process has ended.

    Files of other machines, which may share the folder, are deleted after a day without changes.

    Parameters
    ----------
    folder : Path
        Where something is about to be written.
    """
    try:
        with os.scandir(folder) as entries:
            found = [(e.path, match) for e in entries if (match := NAME.fullmatch(e.name))]
    except OSError:
        return
    for path, match in found:
        try:
            if _abandoned(path, match):
                os.unlink(path)
        except OSError:
            continue


def _abandoned(path: str, name: re.Match[str]) -> bool:
    # On Windows a process cannot be asked for without ending it.
    if name["machine"] == _machine() and sys.platform != "win32":
        return not _runs(int(name["process"]))
    return time.time() - os.lstat(path).st_mtime > ABANDONED_S


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


@cache
def _machine() -> str:
    """Eight digits for the machine, and for the container, that process numbers belong to."""
    words = [socket.gethostname()]
    with contextlib.suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        words.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("|".join(words).encode(), digest_size=4).hexdigest()
