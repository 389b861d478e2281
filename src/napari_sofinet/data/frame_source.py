"""Sources of a movie's frames: stacks of TIFF pages, arrays, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.blocks import frames_per_block
from napari_sofinet.io.tiff_stack import StackAxis


class FrameSource(Protocol):
    """Source of the frames of a movie."""

    @property
    def name(self) -> str:
        """Short name for layers and messages."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Files with the frames; empty for frames in memory."""

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files that belong to the movie."""

    @property
    def named(self) -> str | None:
        """Opened folder or pattern of names, if it differs from `paths`."""

    @property
    def whole_frames(self) -> bool:
        """Whether whole frames are read even if only a small ROI is needed."""

    @property
    def channel(self) -> int:
        """The chosen channel."""

    @property
    def z(self) -> int:
        """The chosen plane."""

    @property
    def stack_axis(self) -> StackAxis:
        """Meaning of a Z axis without a time axis."""

    @property
    def channels(self) -> int:
        """Number of channels in the file."""

    @property
    def planes(self) -> int:
        """Number of planes in the file."""

    def read(self, first: int, last: int) -> np.ndarray:
        """Read frames first .. last-1, of shape (t, Y, X)."""

    def lazy(self) -> Any:
        """Return all frames as a dask array of shape (T, Y, X)."""

    def check_unchanged(self) -> None:
        """Raise `InputError` if a file was changed since it was opened."""

    def close(self) -> None:
        """Close files that are kept open for reading; they are reopened when needed."""


@dataclass(frozen=True)
class ArraySource:
    """Frames in memory or read by another program.

    Parameters
    ----------
    array : array-like
        numpy, dask or zarr array of shape (T, Y, X).
    name : str
        Short name for layers and messages.
    """

    array: Any = field(repr=False)
    name: str = "array"
    paths: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    named: str | None = None
    whole_frames: bool = False
    channel: int = 0
    z: int = 0
    stack_axis: StackAxis = "time"
    channels: int = 1
    planes: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        frames, rows, columns = self.array.shape
        return int(frames), int(rows), int(columns)

    @property
    def dtype(self) -> Any:
        """Type of the pixels."""
        return self.array.dtype

    def read(self, first: int, last: int) -> np.ndarray:
        """Read frames first .. last-1, of shape (t, Y, X)."""
        return read_slice(self.lazy(), first, last, self.name)

    def lazy(self) -> Any:
        """Return all frames as a dask array of shape (T, Y, X)."""
        import dask.array as da

        if isinstance(self.array, da.Array):
            return self.array
        length = frames_per_block(self.array.shape, self.array.dtype)
        return da.from_array(self.array, chunks=(length, -1, -1), name=False)

    def check_unchanged(self) -> None:
        """Do nothing, since an array is not a file."""

    def close(self) -> None:
        """Do nothing, since an array is not a file."""


def read_slice(frames: Any, first: int, last: int, name: str = "the movie") -> np.ndarray:
    """Read frames first .. last-1 of a numpy, dask or zarr array of shape (T, Y, X).

    Parameters
    ----------
    frames : array-like
        The array.
    first, last : int
        First frame, and the one after the last.
    name : str, optional
        Name of the array for messages.

    Raises
    ------
    InputError
        The frames cannot be read, or have another shape or type than declared.
    """
    where = f"Frames {first} to {last - 1} of {name}"
    try:
        part = frames[first:last]
        shape, dtype = tuple(part.shape), np.dtype(part.dtype)
        if hasattr(part, "compute"):
            # Our own threads are enough: dask's would multiply them.
            part = part.compute(scheduler="synchronous")
        block = np.asarray(part)
    except (InputError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # another program's, which may raise anything
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{where} cannot be read ({why}).") from error
    if block.shape != shape:
        raise InputError(f"{where} have the shape {block.shape} instead of {shape}.")
    if block.dtype != dtype:
        if not np.can_cast(block.dtype, dtype, "same_kind"):
            raise InputError(f"{where} have the type {block.dtype} instead of {dtype}.")
        block = block.astype(dtype)
    return block
