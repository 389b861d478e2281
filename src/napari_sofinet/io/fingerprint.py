"""Fingerprints of input files: fast for files of any size."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.regular_files import check_regular


def fingerprint(paths: tuple[str, ...]) -> tuple[int, str]:
    """Return the total size in bytes, and a hash of the size and some blocks."""
    digest = hashlib.blake2b(digest_size=16)
    total = 0
    for number, name in enumerate(paths):
        path = Path(name)
        size = check_regular(path).st_size
        total += size
        digest.update(size.to_bytes(8, "little"))
        if number in (0, len(paths) // 2, len(paths) - 1):
            with path.open("rb") as file:
                for start in (0, size // 3, 2 * size // 3, max(size - 65536, 0)):
                    file.seek(start)
                    digest.update(file.read(65536))
    return total, digest.hexdigest()


def fingerprint_input(name: str, paths: tuple[str, ...]) -> tuple[int, str]:
    """Return size and hash of an input's files, see `fingerprint`.

    Raises
    ------
    InputError
        A file can no longer be read.
    """
    try:
        return fingerprint(paths)
    except OSError as error:
        raise InputError(f"{name} can no longer be read ({error.strerror}); restore it.") from error
