"""Arrays in npz files of any origin, whose sizes are checked before unpacking."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.io.regular_files import check_regular

UNPACKED_AT_MOST = 2**31
"""Bytes of an array that is read; `napari_sofinet.simulation.truth` writes no larger one."""
READ_AT_ONCE = 2**24


class Header(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class NpzArrays:
    """Arrays of an open npz file, by their names.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The file.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._archive.namelist()

    def header(self, name: str) -> Header:
        """Return shape and type of an array, without reading it."""
        with self._open(name) as (_, header):
            return header

    def read(self, name: str) -> np.ndarray:
        """Return a whole array of numbers or text."""
        with self._open(name) as (file, header):
            return self._block(file, header.shape, header.dtype)

    def read_part(self, name: str, index: int) -> np.ndarray:
        """Return ``array[index]`` of a large array, of which the rest is only unpacked."""
        with self._open(name) as (file, header):
            shape = header.shape[1:]
            skipped = index * prod(shape) * header.dtype.itemsize
            while skipped:
                skipped -= len(_exactly(file, min(skipped, READ_AT_ONCE)))
            return self._block(file, shape, header.dtype)

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], Header]]:
        info = self._archive.getinfo(f"{name}.npy")
        with self._archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read is None:
                raise ValueError(f"{name} is of an unknown version")
            shape, in_columns, dtype = read(file)
            size = prod(shape) * dtype.itemsize
            # A single number or text may be marked either way.
            if dtype.kind not in "iufU" or (in_columns and len(shape) > 1):
                raise ValueError(f"{name} is not an array of numbers")
            if file.tell() + size != info.file_size or size > UNPACKED_AT_MOST:
                raise ValueError(f"{name} has another size than declared")
            yield file, Header(shape, dtype)

    @staticmethod
    def _block(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        size = prod(shape) * dtype.itemsize
        need_memory(2 * size, "the arrays of a file")
        out = bytearray()
        while len(out) < size:
            out += _exactly(file, min(size - len(out), READ_AT_ONCE))
        file.read(1)  # past the end, where the checksum is compared
        return np.frombuffer(out, dtype).reshape(shape)


@contextlib.contextmanager
def open_npz(path: Path, what: str) -> Iterator[NpzArrays]:
    """Open an npz file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        Expected content, for the message.

    Raises
    ------
    InputError
        The file cannot be opened or is of another kind; also raised for any error while it is open.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield NpzArrays(archive)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # zipfile and its decompressors raise anything for damaged files
        why = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(f"{path.name} is not a {what}, or it is damaged ({why}).") from error


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if not content:
        raise EOFError("it ends too early")
    return content
