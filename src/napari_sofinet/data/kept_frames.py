"""Frames of a movie without those that are left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.frame_source import FrameSource
from napari_sofinet.io.tiff_stack import StackAxis


@dataclass(frozen=True, eq=False)
class KeptFrames:
    """Frames of a source in their order, without some that are left out.

    Parameters
    ----------
    source : FrameSource
        Source of all frames.
    numbers : numpy.ndarray of int
        Numbers of the frames that are kept, in ascending order.
    """

    source: FrameSource
    numbers: np.ndarray = field(repr=False)

    @property
    def name(self) -> str:
        """Short name for layers and messages."""
        return self.source.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames that are kept, rows and columns."""
        return (len(self.numbers), *self.source.shape[1:])

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""
        return self.source.dtype

    @property
    def paths(self) -> tuple[str, ...]:
        """Files with the frames; empty for frames in memory."""
        return self.source.paths

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files that belong to the movie."""
        return self.source.companions

    @property
    def named(self) -> str | None:
        """Opened folder or pattern of names, if it differs from `paths`."""
        return self.source.named

    @property
    def whole_frames(self) -> bool:
        """Whether whole frames are read even if only a small ROI is needed."""
        return self.source.whole_frames

    @property
    def channel(self) -> int:
        """The chosen channel."""
        return self.source.channel

    @property
    def z(self) -> int:
        """The chosen plane."""
        return self.source.z

    @property
    def stack_axis(self) -> StackAxis:
        """Meaning of a Z axis without a time axis."""
        return self.source.stack_axis

    @property
    def channels(self) -> int:
        """Number of channels in the file."""
        return self.source.channels

    @property
    def planes(self) -> int:
        """Number of planes in the file."""
        return self.source.planes

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """First frame, and the one after the last, of each range that is left out."""
        edges = np.concatenate([[-1], self.numbers, [self.source.shape[0]]])
        before = np.flatnonzero(np.diff(edges) > 1)
        return tuple((int(edges[k]) + 1, int(edges[k + 1])) for k in before)

    def read(self, first: int, last: int) -> np.ndarray:
        """Read the kept frames first .. last-1, of shape (t, Y, X)."""
        wanted = self.numbers[first:last]
        if len(wanted) == 0:
            return self.source.read(0, 0)
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)
        parts = [self.source.read(int(run[0]), int(run[-1]) + 1) for run in runs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def lazy(self) -> Any:
        """Return the kept frames as a dask array of shape (T, Y, X)."""
        return self.source.lazy()[self.numbers]

    def check_unchanged(self) -> None:
        """Raise `InputError` if a file was changed since it was opened."""
        self.source.check_unchanged()

    def close(self) -> None:
        """Close files that are kept open for reading; they are reopened when needed."""
        self.source.close()


def frames_left(total: int, left_out: Iterable[tuple[int, int]]) -> np.ndarray:
    """Return the numbers of the frames that remain.

    Parameters
    ----------
    total : int
        Number of frames.
    left_out : iterable of (int, int)
        First frame, and the one after the last, of each range to leave out.

    Raises
    ------
    InputError
        A range is empty or lies outside the movie, or no frame is left.

    Examples
    --------
    >>> frames_left(6, [(0, 2), (4, 5)])
    array([2, 3, 5])
    """
    kept = np.ones(total, bool)
    for first, last in left_out:
        if not 0 <= first < last <= total:
            raise InputError(
                f"Frames {first}:{last} cannot be left out of a movie of {total} frames; choose "
                f"0 <= first < last <= {total}."
            )
        kept[first:last] = False
    if not kept.any():
        raise InputError("All frames are left out; keep at least one.")
    return np.flatnonzero(kept)
