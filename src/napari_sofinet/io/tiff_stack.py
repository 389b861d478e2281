"""Frames in TIFF files: their places, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tifffile import TiffFile

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.blocks import frames_per_block
from napari_sofinet.io.file_stamp import FileStamp, check_unchanged
from napari_sofinet.io.open_files import OpenFiles
from napari_sofinet.io.tiff_file import short_text, tiff_file
from napari_sofinet.io.tiff_trust import check_chain, check_unpacked

StackAxis = Literal["time", "depth", "all"]
"""Meaning of a Z axis without a time axis; with "all", every image of a channel is a frame."""


class TiffPart(NamedTuple):
    """Frames that lie together in one TIFF file.

    Parameters
    ----------
    file : int
        The file, as an index into `TiffStack.files`.
    pages : range or tuple of int
        Numbers of the frames' pages in the file, or in one of its series.
    series : int, optional
        The series (of tifffile) in which pages are counted; None for the file's own pages.
    offset : int, optional
        Byte at which the first frame starts, where frames can be read without decoding.
    stride : int, optional
        Bytes from one of these frames to the next.
    swapped : bool, optional
        Whether these bytes are in the other order than this machine's.
    """

    file: int
    pages: range | tuple[int, ...]
    series: int | None = None
    offset: int | None = None
    stride: int = 0
    swapped: bool = False


@dataclass(frozen=True)
class TiffStack:
    """Frames of one channel and plane in TIFF files, without open files.

    ``parts`` say where the frames are; without any, each of ``paths`` contains one frame.
    ``channel``, ``z`` and ``stack_axis`` are the choices made, among ``channels`` and ``planes`` in
    the file. ``axes`` are letters and lengths of the axes of a stack that was opened as a whole,
    slowest first. ``companions`` are further files that were not named, as of an OME-TIFF.
    ``stamps`` are the states of all files when they were opened. ``named`` is the path given by the
    user if that is neither the only file nor the folder of all files.
    """

    paths: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: str
    parts: tuple[TiffPart, ...] = ()
    channel: int = 0
    z: int = 0
    stack_axis: StackAxis = "time"
    channels: int = 1
    planes: int = 1
    axes: tuple[tuple[str, int], ...] = ()
    companions: tuple[str, ...] = ()
    whole_frames: bool = True
    stamps: tuple[FileStamp, ...] = ()
    named: str | None = None

    @property
    def path(self) -> Path:
        """The file, the folder, or the pattern of names."""
        if self.named is not None:
            return Path(self.named)
        first = Path(self.paths[0])
        return first.parent if len(self.paths) > 1 else first

    @property
    def name(self) -> str:
        """Name without its folder."""
        return self.path.name

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are read."""
        return self.paths + self.companions

    def check_unchanged(self) -> None:
        """Raise `InputError` if a file was changed since it was opened."""
        check_unchanged(self.name, self.stamps)

    def close(self) -> None:
        """Close the file if it stays open for reading; it is opened again when it is needed."""
        OPEN_FILES.close(self.stamps)
        FILES_OF_PAGES.close(self.stamps)

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
    out = np.empty((last - first, *stack.shape[1:]), stack.dtype)
    try:
        if stack.parts:
            _read_parts(stack, first, last, out)
        else:
            check_unchanged(stack.name, stack.stamps[first:last])
            for image, path in zip(out, stack.paths[first:last], strict=True):
                image[...] = _single(path, stack)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"Frames {first} to {last - 1} of {stack.name} cannot be read; the file is truncated "
            f"or damaged ({short_text(error)})."
        ) from error
    return out


def _read_parts(stack: TiffStack, first: int, last: int, out: np.ndarray) -> None:
    """Read frames of some parts, as far as they are asked for."""
    wanted = list(_wanted(stack.parts, first, last))
    if stack.stamps:
        # Of a set of files that belong together, a part may need any.
        shared = any(part.series is not None for part, _, _ in wanted)
        files = sorted({part.file for part, _, _ in wanted})
        check_unchanged(stack.name, stack.stamps if shared else [stack.stamps[k] for k in files])
    start = 0
    for part, a, b in wanted:
        piece = out[start : start + b - a]
        start += b - a
        if part.offset is not None:
            _copy_bytes(stack, part, a, piece)
        else:
            opened = FILES_OF_PAGES if part.series is None else OPEN_FILES
            with opened.reading(stack.stamps[part.file]) as tif:
                _decode(tif, part, list(part.pages[a:b]), piece)


def _decode(tif: TiffFile, part: TiffPart, pages: list[int], out: np.ndarray) -> None:
    """Read frames that are packed, or stored page by page."""
    series = None if part.series is None else tif.series[part.series]
    images = tif.asarray(key=pages, series=series, maxworkers=1)
    out[...] = np.asarray(images).reshape(out.shape)


def _wanted(
    parts: tuple[TiffPart, ...], first: int, last: int
) -> Iterator[tuple[TiffPart, int, int]]:
    """Parts that hold frames first .. last-1, and which of their own frames these are."""
    ends = accumulate(len(part.pages) for part in parts)
    for part, end in zip(parts, ends, strict=True):
        start = end - len(part.pages)
        a, b = max(first, start) - start, min(last, end) - start
        if a < b:
            yield part, a, b


def _stay_open(path: str) -> TiffFile:
    tif = tiff_file(path)
    tif.filehandle.lock = True
    assert tif.series  # found here, by one thread
    return tif


def _stay_open_for_pages(path: str) -> TiffFile:
    """A file without series, after which tifffile cannot read some pages."""
    tif = tiff_file(path)
    tif.filehandle.lock = True
    return tif


OPEN_FILES = OpenFiles(_stay_open)
FILES_OF_PAGES = OpenFiles(_stay_open_for_pages)


def _copy_bytes(stack: TiffStack, part: TiffPart, first: int, out: np.ndarray) -> None:
    """Read frames that are stored as they are in memory."""
    assert part.offset is not None
    with Path(stack.files[part.file]).open("rb") as file:
        for i, piece in enumerate([out] if part.stride == out[0].nbytes else list(out)):
            file.seek(part.offset + (first + i) * part.stride)
            if file.readinto(piece.data) != piece.nbytes:
                raise InputError(f"{stack.name} is truncated; copy the file again.")
    if part.swapped:
        out.byteswap(inplace=True)


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
            f"{name} cannot be read; it is not a TIFF file, truncated or damaged "
            f"({short_text(error)})."
        ) from error
    if not alone or image.shape != stack.shape[1:] or image.dtype != np.dtype(stack.dtype):
        raise InputError(
            f"{name} has another size or type than the other frames of its folder; move it away."
        )
    return np.asarray(image)
