"""Arrangement of the images in a TIFF file: their axes and their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import NamedTuple

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.io.tiff_stack import TiffPart


class PageSource(NamedTuple):
    """Images that lie together in one file.

    Parameters
    ----------
    path : str
        The file.
    pages : range or tuple of int
        Numbers of their pages in the file, or in one of its series.
    series : int, optional
        The series of tifffile in which pages are counted; None for the file's own.
    offset : int, optional
        Byte of the first image where all follow each other as they are in memory.
    frame_bytes : int
        Size of an image in memory.
    swapped : bool
        Whether these bytes are in the other order than this machine's.
    """

    path: str
    pages: range | tuple[int, ...]
    series: int | None = None
    offset: int | None = None
    frame_bytes: int = 0
    swapped: bool = False


@dataclass(frozen=True, eq=False)
class Layout:
    """Images of one size and type by their axes.

    Parameters
    ----------
    axes : str
        Letters of the axes before y and x, as tifffile names them.
    images : ndarray of int
        For each place on these axes the image's number in the sources; -1 where it is missing.
    sources : tuple of PageSource
        Where the images are; numbers go on from one source to the next.
    frame_shape : (int, int)
        Rows and columns.
    dtype : str
        Type of the pixels.
    notes : tuple of str
        Sentences for the user.
    missing : str
        Reason why images are missing, and advice; "" if they were never recorded, so that all
        complete time points are used.
    companions : tuple of str
        Other files that belong to the movie.
    """

    axes: str
    images: np.ndarray
    sources: tuple[PageSource, ...]
    frame_shape: tuple[int, int]
    dtype: str
    notes: tuple[str, ...] = ()
    missing: str = ""
    companions: tuple[str, ...] = field(default=())

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis."""
        return dict(zip(self.axes, self.images.shape, strict=True))

    def noted(self, *notes: str) -> Layout:
        """Return the layout with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def take(self, axis: str, index: int) -> Layout:
        """Return the images at one place of an axis."""
        images = self.images.take(index, self.axes.index(axis))
        return replace(self, axes=self.axes.replace(axis, ""), images=images)


def series_layout(tif: TiffFile, path: str, number: int) -> Layout:
    """Arrange the images of one of a file's series, as tifffile found them."""
    series = tif.series[number]
    shape = series.shape[:-2]
    source = series_source(tif, path, number)
    images = np.arange(prod(shape)).reshape(shape)
    companions: tuple[str, ...] = ()
    if series.dataoffset is None:
        # There may be more than the description counts.
        there = np.array([page is not None for page in series])[: images.size]
        images = np.where(there.reshape(shape), images, -1)
        if series.is_multifile:
            held = (page for page in series if page is not None)
            files = dict.fromkeys(page.parent.filehandle.path for page in held)
            companions = tuple(f for f in files if f != path)
    return Layout(
        series.axes[:-2],
        images,
        (source,),
        (series.shape[-2], series.shape[-1]),
        series.dtype.newbyteorder("=").str,
        companions=companions,
    )


def series_source(tif: TiffFile, path: str, number: int, own_pages: bool = False) -> PageSource:
    """Return where the images of a series are.

    Parameters
    ----------
    tif : TiffFile
        The open file.
    path : str
        Full name of the file.
    number : int
        Number of the series.
    own_pages : bool, optional
        Count pages in the file instead of in the series.
    """
    series = tif.series[number]
    frame_bytes = series.shape[-2] * series.shape[-1] * series.dtype.itemsize
    pages: range | tuple[int, ...] = range(prod(series.shape[:-2]))
    offset = series.dataoffset if series.parent is not None else None
    if own_pages and offset is None:
        pages = compact([page.index for page in series if page is not None])
    swapped = not series.dtype.newbyteorder(tif.byteorder).isnative
    return PageSource(path, pages, None if own_pages else number, offset, frame_bytes, swapped)


def compact(numbers: Sequence[int] | np.ndarray) -> range | tuple[int, ...]:
    """Return numbers as a range where their steps are equal.

    Examples
    --------
    >>> compact([2, 4, 6]), compact([1, 2, 4])
    (range(2, 8, 2), (1, 2, 4))
    """
    array = np.asarray(numbers, np.int64)
    if not len(array):
        return range(0)
    step = int(array[1] - array[0]) if len(array) > 1 else 1
    if step > 0 and (np.diff(array) == step).all():
        return range(int(array[0]), int(array[-1]) + step, step)
    return tuple(array.tolist())


def parts_of(layout: Layout, images: np.ndarray) -> tuple[TiffPart, ...]:
    """Return where frames are.

    Parameters
    ----------
    layout : Layout        Layout of the file. images : ndarray of int, shape (T,)
        Numbers of the frames in its sources.
    """
    files = {path: k for k, path in enumerate(files_of(layout))}
    starts = np.cumsum([0, *(len(source.pages) for source in layout.sources)])
    owner = np.searchsorted(starts, images, "right") - 1
    parts = []
    for run in np.split(np.arange(len(images)), np.flatnonzero(np.diff(owner)) + 1):
        if not len(run):
            continue
        source = layout.sources[owner[run[0]]]
        inside = images[run] - starts[owner[run[0]]]
        if source.offset is None:
            pages = compact(np.asarray(source.pages)[inside])
            parts.append(TiffPart(files[source.path], pages, source.series))
            continue
        for piece in _even(inside):
            step = int(piece[1] - piece[0]) if len(piece) > 1 else 1
            parts.append(
                TiffPart(
                    files[source.path],
                    range(int(piece[0]), int(piece[-1]) + step, step),
                    source.series,
                    source.offset + int(piece[0]) * source.frame_bytes,
                    step * source.frame_bytes,
                    source.swapped,
                )
            )
    return tuple(parts)


def files_of(layout: Layout) -> tuple[str, ...]:
    """Return all files of a layout, that of the first source before the others."""
    return tuple(dict.fromkeys([*(s.path for s in layout.sources), *layout.companions]))


def _even(numbers: np.ndarray) -> list[np.ndarray]:
    """Split numbers where their steps change or go back."""
    steps = np.diff(numbers)
    if len(numbers) < 2 or (steps[0] > 0 and (steps == steps[0]).all()):
        return [numbers]
    return np.split(numbers, np.flatnonzero(steps != 1) + 1)


def is_plain(series: TiffPageSeries) -> bool:
    """Return whether a series contains grey images along known axes."""
    axes = series.axes
    return axes.endswith("YX") and "S" not in axes and len(set(axes)) == len(axes)
