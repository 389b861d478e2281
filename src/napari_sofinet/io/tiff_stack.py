"""Frames in TIFF files: where they are, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.blocks import frames_per_block
from napari_sofinet.io.completeness import images_promised

StackAxis = Literal["time", "depth"]


@dataclass(frozen=True)
class TiffStack:
    """Frames of one channel and plane in TIFF files; holds numbers, no open file.

    ``pages`` are the indices of the frames' pages in the series; where frames lie one behind the
    other in the file uncompressed, ``offset`` is the byte at which the first of them starts and
    ``stride`` the distance of two. ``channel``, ``z`` and ``stack_axis`` are what was
    chosen, of ``channels`` and ``planes`` in the file. ``companions`` are the other files of an
    OME-TIFF; ``swapped`` says that the bytes at ``offset`` are in the other order than this
    machine's.
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

    @property
    def path(self) -> Path:
        """The file, or the folder of single frames."""
        first = Path(self.paths[0])
        return first.parent if len(self.paths) > 1 else first

    @property
    def name(self) -> str:
        """Name without its folder."""
        return self.path.name

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
        The file is gone, truncated or damaged.
    """
    shape = (last - first, *stack.shape[1:])
    try:
        if stack.offset is not None:
            return _contiguous(stack, first, shape)
        if len(stack.paths) > 1:
            return np.stack([_single(path, stack) for path in stack.paths[first:last]])
        with _lock:
            tif = _opened(stack.paths[0], _stamp(stack.paths[0]))
        pages = list(stack.pages[first:last])
        images = tif.asarray(key=pages, series=movie_series(tif), maxworkers=1)
        return np.asarray(images, np.dtype(stack.dtype)).reshape(shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"Frames {first} to {last - 1} of {stack.name} cannot be read; the file is truncated "
            f"or damaged ({short_text(error)})."
        ) from error


_lock = Lock()


def _stamp(path: str) -> tuple[int, int]:
    stat = Path(path).stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _opened(path: str, stamp: tuple[int, int]) -> TiffFile:
    """A file that stays open, since finding its pages again for every block is slow."""
    tif = tiff_file(path)
    tif.filehandle.lock = True
    movie_series(tif)  # found here, by one thread
    return tif


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
        with TiffFile(path) as tif:
            image = np.squeeze(tif.pages[0].asarray())
            alone = len(tif.pages) == 1
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


def tiff_file(path: str | Path) -> TiffFile:
    """Open a TIFF file, also one that was written frame by frame."""
    tif = TiffFile(path)
    if not tif.is_shaped or images_promised(tif) > 1 or not tif.pages.is_multipage:
        return tif
    # Written frame by frame by tifffile, which would show it as many images.
    tif.close()
    return TiffFile(path, is_shaped=False)


def movie_series(tif: TiffFile) -> TiffPageSeries:
    """Return the first series, or after a small preview that some programs put first, the next."""
    first = tif.series[0]
    if first.kind == "ome":
        return first
    return next((s for s in tif.series if s.ndim > 2 and "S" not in s.axes), first)


def short_text(error: Exception) -> str:
    """Return the message of an error in one line of at most 120 characters."""
    return " ".join(str(error).split())[:120] or type(error).__name__
