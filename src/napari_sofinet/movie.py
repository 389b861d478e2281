"""A movie: lazy frames, their scale, and what of them the user selected."""

from __future__ import annotations

import operator
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_sofinet.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da

    from napari_sofinet.io.table_movie import TableSource
    from napari_sofinet.io.tiff import TiffStack

BLOCK_BYTES = 16 * 2**20
LARGEST_PIXEL_UM = 20.0
LARGEST = 1e30
"""Brightness whose fourth power is still a number in double precision, far above any camera's."""
StackAxis = Literal["time", "depth"]


@dataclass(frozen=True)
class ArraySource:
    """Frames that are in memory or that another program reads (numpy, dask, zarr), (T, Y, X)."""

    array: Any = field(repr=False)
    name: str = "array"


class FrameStep(Protocol):
    """A correction of frames, applied to whole ones as they are read; must pickle."""

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32, of which the first is number ``first`` of the file."""


@dataclass(frozen=True)
class Movie:
    """A lazy movie of one channel and one plane.

    Nothing is read before it is asked for, and never the whole movie at once. A movie that was
    opened from a file pickles as path and selection.

    Attributes
    ----------
    source
        Where the frames are: a stack of TIFF pages or an array; or a table of localisations,
        which has none.
    pixel_size_um
        Size of a camera pixel in the sample in um, None where it is not known.
    frame_interval_s
        Time from frame to frame in s, None where it is not known.
    frame_range
        First frame and the one after the last, of the file's frames.
    roi
        ((y0, y1), (x0, x1)) in pixels of the file, end excluded.
    notes
        Sentences about what was assumed when the movie was opened.
    steps
        Corrections of its frames, which then are float32; see `corrected`.
    """

    source: TiffStack | ArraySource | TableSource
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    frame_range: tuple[int, int] | None = None
    roi: tuple[tuple[int, int], tuple[int, int]] | None = None
    notes: tuple[str, ...] = ()
    steps: tuple[FrameStep, ...] = ()

    @property
    def frames(self) -> da.Array:
        """The selected frames, (T, Y, X) dask array in the camera's dtype, or corrected float32."""
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
        """All frames of the source, uncorrected, (T, Y, X) dask array."""
        if not isinstance(self.source, ArraySource):
            return self.source.lazy()
        import dask.array as da

        array = self.source.array
        if isinstance(array, da.Array):
            return array
        length = frames_per_block(array.shape, array.dtype)
        return da.from_array(array, chunks=(length, -1, -1), name=False)

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
        source = self.source
        return tuple(source.array.shape if isinstance(source, ArraySource) else source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The camera's dtype, float32 once corrected."""
        if self.steps:
            return np.dtype(np.float32)
        source = self.source
        return np.dtype(source.array.dtype if isinstance(source, ArraySource) else source.dtype)

    @property
    def name(self) -> str:
        """Short name for layers and messages."""
        return self.source.name

    @property
    def origin_px(self) -> tuple[float, float]:
        """Row and column in the file of the selection's pixel (0, 0)."""
        return (0.0, 0.0) if self.roi is None else (float(self.roi[0][0]), float(self.roi[1][0]))

    def corrected(self, step: FrameStep) -> Movie:
        """The movie with one more correction, made as frames are read, before they are cut."""
        return replace(self, steps=(*self.steps, step))

    def select_whole_field(self) -> Movie:
        """The movie without its ROI."""
        return replace(self, roi=None)

    def select(
        self,
        frames: tuple[int | None, int | None] | None = None,
        roi: tuple[tuple[int, int], tuple[int, int]] | None = None,
    ) -> Movie:
        """Narrow the movie to a range of frames and a rectangle, both in numbers of the file.

        Raises
        ------
        InputError
            The range or the rectangle is empty or lies outside the movie.
        """
        total, height, width = self.whole_shape
        movie = self
        if frames is not None:
            first = operator.index(frames[0] or 0)
            last = total if frames[1] is None else operator.index(frames[1])
            if not 0 <= first < last <= total:
                raise InputError(
                    f"Frames {first}:{last} can not be taken from a movie of {total} frames; "
                    f"choose 0 <= first < last <= {total}."
                )
            movie = replace(movie, frame_range=(first, last))
        if roi is not None:
            (y0, y1), (x0, x1) = roi
            if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
                raise InputError(
                    f"The ROI {y0}:{y1},{x0}:{x1} is empty or outside the image of "
                    f"{height} x {width} pixels."
                )
            movie = replace(movie, roi=((int(y0), int(y1)), (int(x0), int(x1))))
        return movie


def _apply_to_chunk(
    frames: np.ndarray, steps: tuple[FrameStep, ...], block_info: Any = None
) -> np.ndarray:
    return _apply(frames, steps, int(block_info[0]["array-location"][0][0]))


def _apply(frames: np.ndarray, steps: tuple[FrameStep, ...], first: int) -> np.ndarray:
    # What is too bright for a correction becomes infinite, and is refused by who reads it.
    with np.errstate(over="ignore", invalid="ignore"):
        for step in steps:
            frames = step(np.asarray(frames, np.float32), first)
    return frames


def open_movie(
    source: str | os.PathLike[str] | np.ndarray | Any,
    pixel_size_um: float | None = None,
    channel: int | None = None,
    z: int | None = None,
    *,
    frame_interval_s: float | None = None,
    stack_axis: StackAxis = "time",
    name: str | None = None,
) -> Movie:
    """Open a movie without reading its frames.

    Parameters
    ----------
    source
        TIFF file (plain, ImageJ, OME, BigTIFF, compressed), a folder of single-frame TIFFs, or a
        (T, Y, X) array (numpy, dask, zarr).
    pixel_size_um, frame_interval_s
        Scale; taken from the file where None, None where that does not know it either.
    channel, z
        Which channel and plane to take where there are several; the first by default, with a note.
    stack_axis
        What a file's Z axis without a time axis is: many programs save movies so, hence
        ``"time"`` (with a note); ``"depth"`` keeps it as planes to choose with ``z``.
    name
        Name of an array, for messages and layers.

    Raises
    ------
    InputError
        The source is no readable movie: missing, truncated, RGB, a single image, a wrong dtype.
    """
    for what, value, unit in (
        ("pixel size", pixel_size_um, "um"),
        ("frame interval", frame_interval_s, "s"),
    ):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"The {what} must be positive, not {value} {unit}.")
    if not isinstance(source, (str, os.PathLike)):
        if channel or z:
            raise InputError("An array has no channels or planes to choose; cut them out first.")
        movie = Movie(ArraySource(_as_frames(source), name or "array"))
    else:
        from napari_sofinet.io.tiff import open_tiff

        movie = open_tiff(Path(source), channel=channel, z=z, stack_axis=stack_axis)
    check_dtype(movie.dtype)
    if 0 in movie.shape:
        raise InputError(f"{movie.name} is empty; a movie of at least two frames is needed.")
    if movie.shape[0] < 2:
        raise InputError(
            f"{movie.name} is a single image; a movie of at least two frames is needed."
        )
    if pixel_size_um is not None and pixel_size_um > LARGEST_PIXEL_UM:
        note = f"Pixels of {pixel_size_um:g} um are unusual; the unit is um, 100 nm are 0.1."
        movie = replace(movie, notes=(*movie.notes, note))
    return replace(
        movie,
        pixel_size_um=pixel_size_um or movie.pixel_size_um,
        frame_interval_s=frame_interval_s or movie.frame_interval_s,
    )


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise `InputError` for pixels that are not plain integer or floating point numbers."""
    if dtype.kind not in "uif":
        raise InputError(f"Pixels of type {dtype} can not be used; save the movie as 16 bit.")


def _as_frames(array: Any) -> Any:
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    if len(array.shape) == 2:
        raise InputError("This is a single image; a movie of at least two frames is needed.")
    if len(array.shape) != 3:
        raise InputError(
            f"A movie has three axes (time, y, x), this array has {len(array.shape)}; choose a "
            "channel and a plane first."
        )
    return array


def frames_per_block(shape: tuple[int, ...], dtype: Any, limit: int | None = None) -> int:
    """How many frames make a block of about 16 MB, or of ``limit`` bytes."""
    frame = int(np.prod(shape[-2:])) * np.dtype(dtype).itemsize
    return int(min(max((limit or BLOCK_BYTES) // max(frame, 1), 1), max(shape[0], 1)))


def time_blocks(frames: Movie | Any, saturation: Saturation | None = None) -> Iterator[np.ndarray]:
    """Blocks of frames (t, Y, X) in order, the next one being read while one is worked on.

    Parameters
    ----------
    frames
        Movie, or (T, Y, X) numpy or dask array.
    saturation
        Told the camera's counts where the blocks are corrected and do not show them any more.

    Raises
    ------
    InputError
        A value is NaN or infinite, or a file can't be read any more.
    """
    read = _reader(frames, saturation)
    first = (frames.frame_range or (0, 0))[0] if isinstance(frames, Movie) else 0

    def checked(a: int, b: int) -> np.ndarray:
        block = read(a, b)
        if block.dtype.kind != "f":
            return block
        if block.itemsize not in (4, 8):
            # Compiled code knows neither half nor extended precision.
            block = block.astype(np.float32 if block.itemsize < 4 else np.float64)
        if not (block.min() > -LARGEST and block.max() < LARGEST):
            usable = (np.abs(block) < LARGEST).all(axis=(1, 2))
            raise InputError(
                f"Frame {first + a + int(np.argmin(usable))} holds values that are no brightness "
                f"(NaN, infinite or above {LARGEST:g}); replace them."
            )
        return block

    edges = list(_edges(frames))
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(checked, *edges[0]) if edges else None
        for following in [*edges[1:], None]:
            if coming is not None:
                block = coming.result()
                coming = reader.submit(checked, *following) if following else None
                yield block


def _reader(frames: Movie | Any, saturation: Saturation | None) -> Callable[[int, int], np.ndarray]:
    """Function that reads frames a .. b-1."""
    if isinstance(frames, Movie):
        source, first, roi = frames.source, (frames.frame_range or (0, 0))[0], frames.roi
        steps = frames.steps
        if steps or not isinstance(source, ArraySource):
            # Not by way of dask, which looks at its whole graph for every block.
            crop = (slice(None), *(slice(*edge) for edge in roi or ((None, None),) * 2))
            whole = source.read if not isinstance(source, ArraySource) else _sliced(frames.whole)

            def read_file(a: int, b: int) -> np.ndarray:
                block = whole(first + a, first + b)
                if steps and saturation is not None:
                    saturation.add(block[crop])
                return _apply(block, steps, first + a)[crop]

            return read_file
        frames = frames.frames
    return _sliced(frames)


def _sliced(frames: Any) -> Callable[[int, int], np.ndarray]:
    def read(a: int, b: int) -> np.ndarray:
        part = frames[a:b]
        if hasattr(part, "compute"):
            # Our own threads are enough: dask's would multiply them.
            part = part.compute(scheduler="synchronous")
        return np.asarray(part)

    return read


def _edges(frames: Movie | Any) -> Iterator[tuple[int, int]]:
    shape = frames.shape
    if isinstance(frames, Movie):
        if isinstance(frames.source, ArraySource):
            frames = frames.frames
        else:
            shape = frames.source.shape  # frames are read whole also for a small ROI
    step = frames_per_block(shape, frames.dtype)
    # Large frames go up to eight at a time: sums that do not fit the cache are fetched less often.
    step = max(step, min(8, frames_per_block(shape, frames.dtype, 4 * BLOCK_BYTES)))
    # An array's own chunks are what its program reads at once; one may be the whole movie.
    chunks = frames.chunks[0] if hasattr(frames, "chunks") and hasattr(frames, "compute") else ()
    start = 0
    for length in chunks or (frames.shape[0],):
        for a in range(start, start + length, step):
            yield a, min(a + step, start + length)
        start += length


FEWEST_SATURATED = 3
"""A single pixel may reach the end of 12 bits by chance."""


class Saturation:
    """Counts pixels at full scale, which bias every statistic of a movie."""

    def __init__(self) -> None:
        self.count = 0
        self.seen = 0
        self.highest = 0

    def add(self, block: np.ndarray) -> None:
        """Count the pixels of a block of unsigned integers at what may be the camera's full scale.

        That is the dtype's end, or the end of 10, 12 or 14 bits where no pixel is brighter.
        """
        if block.dtype.kind != "u":
            return
        self.seen += block.size
        highest = int(block.max(initial=0))
        if highest > self.highest:
            self.highest, self.count = highest, 0
        ends = (np.iinfo(block.dtype).max, 1023, 4095, 16383)
        if highest == self.highest and highest in ends:
            self.count += int(np.count_nonzero(block == highest))

    @property
    def note(self) -> str | None:
        """One sentence about the share of saturated pixels, None where there are none."""
        certain = self.highest in (255, 65535)
        if self.count < (1 if certain else FEWEST_SATURATED):
            return None
        share = 100 * self.count / self.seen
        return f"{share:.2g} % of the pixels are saturated; the picture is not reliable there."
