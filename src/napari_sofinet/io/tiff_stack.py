"""Frames in TIFF files: where they are, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tifffile import TiffFile

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.blocks import frames_per_block
from napari_sofinet.io.file_stamp import FileStamp, check_unchanged
from napari_sofinet.io.open_files import OpenFiles
from napari_sofinet.io.tiff_file import movie_series, short_text, tiff_file
from napari_sofinet.io.tiff_trust import check_chain, check_unpacked

StackAxis = Literal["time", "depth"]


@dataclass(frozen=True)
class TiffStack:
    """Frames of one channel and plane in TIFF files; holds numbers, no open file.

    ``pages`` are the indices of the frames' pages in the series; where frames lie one behind the
    other in the file uncompressed, ``offset`` is the byte at which the first of them starts and
    ``stride`` the distance of two. ``channel``, ``z`` and ``stack_axis`` are what was
    chosen, of ``channels`` and ``planes`` in the file. ``companions`` are the other files of an
    OME-TIFF; ``swapped`` says that the bytes at ``offset`` are in the other order than this
    machine's. ``stamps`` are the states of all files when they were opened.
    """

    paths: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: str
    pages: range
    offset: int | None = None
    stride: int = 0
    channel: int = 0
    z: int = 0
    stack_axis: StackAxis = "time"
    channels: int = 1
    planes: int = 1
    companions: tuple[str, ...] = ()
    swapped: bool = False
    whole_frames: bool = True
    stamps: tuple[FileStamp, ...] = ()

    @property
    def path(self) -> Path:
        """The file, or the folder of single frames."""
        first = Path(self.paths[0])
        return first.parent if len(self.paths) > 1 else first

    @property
    def name(self) -> str:
        """Name without its folder."""
        return self.path.name

    def check_unchanged(self) -> None:
        """Raise `InputError` where a file was changed since it was opened."""
        check_unchanged(self.name, self.stamps)

    def close(self) -> None:
        """Close the file if it stays open for reading; it is opened again when it is needed."""
        OPEN_FILES.close(self.stamps)

    def read(self, first: int, last: int) -> np.ndarray:
        """Frames first .. last-1, see `read_frames`."""
        return read_frames(self, first, last)

    def lazy(self) -> Any:
        """All frames as a (T, Y, X) dask array in blocks of about 16 MB."""
        import dask.array as da

        length = frames_per_block(self.shape, self.dtype)
        starts = range(0, self.shape[0], length)
        chunks = tuple(min(length, self.shape[0] - a) for a in starts)
        name = f"tiff-{abs(hash(self)):x}"
        graph = {
            (name, i, 0, 0): (read_frames, self, a, a + n)
            for i, (a, n) in enumerate(zip(starts, chunks, strict=True))
        }
        return da.Array(graph, name, (chunks, *((n,) for n in self.shape[1:])), self.dtype)


def read_frames(stack: TiffStack, first: int, last: int) -> np.ndarray:
    """Frames first .. last-1 of a stack; (t, Y, X) in the file's dtype.

    Raises
    ------
    InputError
        The file is gone, truncated or damaged, or was changed since it was opened.
    """
    shape = (last - first, *stack.shape[1:])
    folder = len(stack.paths) > 1
    check_unchanged(stack.name, stack.stamps[first:last] if folder else stack.stamps)
    try:
        if stack.offset is not None:
            return _contiguous(stack, first, shape)
        if folder:
            return np.stack([_single(path, stack) for path in stack.paths[first:last]])
        pages = list(stack.pages[first:last])
        with OPEN_FILES.reading(stack.stamps[0]) as tif:
            images = tif.asarray(key=pages, series=movie_series(tif), maxworkers=1)
        return np.asarray(images, np.dtype(stack.dtype)).reshape(shape)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"Frames {first} to {last - 1} of {stack.name} cannot be read; the file is truncated "
            f"or damaged ({short_text(error)})."
        ) from error


def _stay_open(path: str) -> TiffFile:
    tif = tiff_file(path)
    tif.filehandle.lock = True
    movie_series(tif)  # found here, by one thread
    return tif


OPEN_FILES = OpenFiles(_stay_open)


def _contiguous(stack: TiffStack, first: int, shape: tuple[int, int, int]) -> np.ndarray:
    frame = int(np.prod(shape[1:])) * np.dtype(stack.dtype).itemsize
    assert stack.offset is not None
    with Path(stack.paths[0]).open("rb") as file:
        out = np.empty(shape, stack.dtype)
        parts = [out] if stack.stride == frame else list(out)
        for i, part in enumerate(parts):
            file.seek(stack.offset + (first + i) * stack.stride)
            if file.readinto(part.data) != part.nbytes:
                raise InputError(f"{stack.name} is truncated; copy the file again.")
    return out.byteswap(inplace=True) if stack.swapped else out


def _single(path: str, stack: TiffStack) -> np.ndarray:
    name = Path(path).name
    try:
        # A frame that belongs to an OME-TIFF of several files would bring all of them along.
        alone = check_chain(path) == 1
        with TiffFile(path) as tif:
            page: Any = tif.pages[0]
            check_unpacked(page, name)
            image = np.squeeze(page.asarray())
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{name} cannot be read; it is no TIFF file, truncated or damaged "
            f"({short_text(error)})."
        ) from error
    if not alone or image.shape != stack.shape[1:] or image.dtype != np.dtype(stack.dtype):
        raise InputError(
            f"{name} has another size or type than the first frame of its folder; move it away."
        )
    return np.asarray(image)
