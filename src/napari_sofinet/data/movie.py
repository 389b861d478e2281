"""A movie: lazy frames, their scale and the user's selection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.frame_source import FrameSource
from napari_sofinet.data.kept_frames import KeptFrames, frames_left
from napari_sofinet.data.recipe import OpenStep
from napari_sofinet.data.selection import Roi, check_frames, check_roi
from napari_sofinet.io.blocks import frames_per_block
from napari_sofinet.io.fingerprint import fingerprint_input


class FrameWatch(Protocol):
    """Receives frames as they are read."""

    @property
    def after_steps(self) -> int:
        """Number of corrections of the movie that are applied before."""

    def see(self, frames: np.ndarray, first: int) -> None:
        """Receive frames (t, Y, X) of the selection, of which the first is number ``first``."""


class FrameStep(Protocol):
    """A correction of frames, applied to whole ones as they are read; must pickle."""

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32, of which the first is number ``first`` of the file."""


@dataclass(frozen=True)
class Movie:
    """A lazy movie of one channel and one plane.

    Frames are read when they are needed, block by block. A movie that was opened from a file
    pickles as its path and its selection.

    Parameters
    ----------
    source : FrameSource
        A stack of TIFF pages or an array.
    pixel_size_um : float, optional
        Size of a camera pixel in the sample in um; None if unknown.
    frame_interval_s : float, optional
        Time between frames in s; None if unknown.
    frame_range : (int, int), optional
        First selected frame of the file, and the one after the last; None for all.
    roi : ((int, int), (int, int)), optional
        Selected rectangle ((y0, y1), (x0, x1)) in pixels of the file, ends excluded.
    notes : tuple of str, optional
        Assumptions that were made when the movie was opened, as sentences.
    steps : tuple of FrameStep, optional
        Corrections of the frames, which are then float32; see `corrected`.
    watch : FrameWatch, optional
        Sees the frames of the selection whenever they are read block by block.
    """

    source: FrameSource
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    frame_range: tuple[int, int] | None = None
    roi: Roi | None = None
    notes: tuple[str, ...] = ()
    steps: tuple[FrameStep, ...] = ()
    watch: FrameWatch | None = field(default=None, repr=False, compare=False)

    @property
    def frames(self) -> Any:
        """Selected frames: dask array (T, Y, X) in the camera's dtype, float32 once corrected."""
        array = self.whole
        if self.steps:
            length = frames_per_block(array.shape, np.float32)
            array = array.rechunk((length, -1, -1)).map_blocks(
                _apply_to_chunk, self.steps, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
            )
        if self.frame_range is not None:
            array = array[slice(*self.frame_range)]
        if self.roi is not None:
            array = array[:, slice(*self.roi[0]), slice(*self.roi[1])]
        return array

    @property
    def whole(self) -> Any:
        """All frames of the source, uncorrected: dask array (T, Y, X)."""
        return self.source.lazy()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns of the selection."""
        t, y, x = (int(n) for n in self.whole_shape)
        if self.frame_range is not None:
            t = self.frame_range[1] - self.frame_range[0]
        if self.roi is not None:
            y, x = (b - a for a, b in self.roi)
        return t, y, x

    @property
    def whole_shape(self) -> tuple[int, ...]:
        """Frames, rows and columns of the file."""
        return tuple(self.source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The camera's dtype, float32 once corrected."""
        if self.steps:
            return np.dtype(np.float32)
        found: np.dtype[Any] = np.dtype(self.source.dtype)
        return found

    @property
    def name(self) -> str:
        """Short name for layers and messages."""
        return self.source.name

    @property
    def first_frame(self) -> int:
        """Number in the file of the selection's first frame."""
        return 0 if self.frame_range is None else self.frame_range[0]

    @property
    def file_range(self) -> tuple[int, int] | None:
        """Range of the file's frames that is selected, with those that are left out of it."""
        source = self.source
        if self.frame_range is None or not isinstance(source, KeptFrames):
            return self.frame_range
        numbers = source.numbers[slice(*self.frame_range)]
        return int(numbers[0]), int(numbers[-1]) + 1

    @property
    def left_out(self) -> tuple[tuple[int, int], ...]:
        """Ranges of the file's frames that are left out; see `leave_out`."""
        return self.source.gaps if isinstance(self.source, KeptFrames) else ()

    @property
    def path(self) -> Path | None:
        """The file, the folder, or the pattern of its names; None in memory."""
        paths, named = self.source.paths, self.source.named
        if named is not None:
            return Path(named)
        if not paths:
            return None
        return Path(paths[0]).parent if len(paths) > 1 else Path(paths[0])

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files that belong to the movie."""
        return self.source.companions

    def noted(self, note: str) -> Movie:
        """Return the movie with one more note."""
        return replace(self, notes=(*self.notes, note))

    def close(self) -> None:
        """Close files that are kept open for reading; they are reopened when needed."""
        self.source.close()

    @property
    def origin_px(self) -> tuple[float, float]:
        """Row and column in the file of the selection's pixel (0, 0)."""
        return (0.0, 0.0) if self.roi is None else (float(self.roi[0][0]), float(self.roi[1][0]))

    def corrected(self, step: FrameStep) -> Movie:
        """Return the movie with one more correction.

        Frames are corrected as they are read, before they are cropped to the ROI.

        Parameters
        ----------
        step : FrameStep
            The correction.
        """
        return replace(self, steps=(*self.steps, step))

    def select_whole_field(self) -> Movie:
        """Return the movie without its ROI."""
        return replace(self, roi=None)

    def select(
        self,
        frames: Sequence[int | None] | None = None,
        roi: Roi | None = None,
    ) -> Movie:
        """Select a range of frames and a rectangle, both counted in the file.

        Parameters
        ----------
        frames : sequence of two int or None, optional
            First frame, and the one after the last; None stands for an end of the movie.
        roi : ((int, int), (int, int)), optional
            ((y0, y1), (x0, x1)) in camera pixels, ends excluded.

        Returns
        -------
        Movie
            The same movie with another selection; nothing is read.

        Raises
        ------
        InputError
            The range or the rectangle is empty or lies outside the movie.
        """
        total, height, width = self.whole_shape
        movie = self
        if frames is not None:
            movie = replace(movie, frame_range=check_frames(frames, total))
        if roi is not None:
            movie = replace(movie, roi=check_roi(roi, height, width))
        return movie

    def middle_of_field(self, side_px: int) -> Movie:
        """Select the middle of the field, at most ``side_px`` pixels along each side."""
        _, rows, columns = self.shape
        height, width = min(rows, side_px), min(columns, side_px)
        y, x = (int(v) for v in self.origin_px)
        top, left = y + (rows - height) // 2, x + (columns - width) // 2
        return self.select(None, ((top, top + height), (left, left + width)))

    def part(self, first: int, last: int) -> Movie:
        """Return frames first .. last-1 of the selection, counted from its first frame."""
        return self.select((self.first_frame + first, self.first_frame + last))

    def leave_out(self, ranges: Iterable[tuple[int, int]]) -> Movie:
        """Return the movie without some of its frames; `select` first.

        Parameters
        ----------
        ranges : iterable of (int, int)
            First frame, and the one after the last, of each range, in numbers of the file.

        Raises
        ------
        InputError
            A range lies outside the movie, or no frame of the selection is left.
        """
        ranges = tuple(ranges)
        if not ranges:
            return self
        whole: FrameSource = self.source
        known = np.arange(whole.shape[0])
        if isinstance(whole, KeptFrames):
            known, whole = whole.numbers, whole.source
        kept = np.intersect1d(frames_left(whole.shape[0], ranges), known)
        selected = self.frame_range
        if selected is not None:
            first, last = known[selected[0]], known[selected[1] - 1]
            selected = int(np.searchsorted(kept, first)), int(np.searchsorted(kept, last + 1))
        if not len(kept) or (selected is not None and selected[0] == selected[1]):
            raise InputError("All frames are left out; keep at least one.")
        return replace(self, source=KeptFrames(whole, kept), frame_range=selected)

    def file_frames(self, frames: Any) -> Any:
        """Return the numbers of frames in the file, which differ if frames are left out.

        Parameters
        ----------
        frames : int, float or array-like
            Numbers as in `frame_range`; fractions are interpolated linearly.
        """
        source = self.source
        if not isinstance(source, KeptFrames):
            return frames
        numbers = source.numbers
        places = np.interp(frames, np.arange(len(numbers)), numbers)
        whole = np.issubdtype(np.asarray(frames).dtype, np.integer)
        return places.astype(np.int64) if whole else places

    def provenance(self) -> OpenStep:
        """Return the record of the movie in a recipe: its file, its fingerprint and the selection.

        Corrections made beforehand are not recorded; a corrected movie counts as a movie in memory.

        Raises
        ------
        InputError
            The file can no longer be read, or was changed after it was opened.
        """
        source = self.source
        source.check_unchanged()
        in_file = bool(source.paths) and not self.steps
        step = OpenStep(
            path=None,
            name=self.name,
            shape=self.shape,
            frames=self.file_range,
            left_out=self.left_out,
            roi=self.roi,
            pixel_size_um=self.pixel_size_um,
            frame_interval_s=self.frame_interval_s,
        )
        if not in_file:
            return step
        size, digest = fingerprint_input(self.name, (*source.paths, *source.companions))
        return step.model_copy(
            update={
                "path": str(self.path),
                "size_bytes": size,
                "fingerprint": digest,
                "channel": source.channel,
                "z": source.z,
                "stack_axis": source.stack_axis,
            }
        )


def _apply_to_chunk(
    frames: np.ndarray, steps: tuple[FrameStep, ...], block_info: Any = None
) -> np.ndarray:
    return apply_steps(frames, steps, int(block_info[0]["array-location"][0][0]))


def apply_steps(frames: np.ndarray, steps: tuple[FrameStep, ...], first: int) -> np.ndarray:
    """Correct frames (t, Y, X), of which the first is number ``first`` of the file."""
    # Values too bright for a correction become infinite, and are refused by the reader.
    with np.errstate(over="ignore", invalid="ignore"):
        for step in steps:
            frames = step(np.asarray(frames, np.float32), first)
    return frames
