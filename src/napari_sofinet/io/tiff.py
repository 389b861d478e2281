"""Reading TIFF movies lazily: plain, ImageJ, OME (also of several files), folders of frames."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie, StackAxis, frames_per_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da
    from tifffile import TiffFile, TiffPageSeries

UM_PER = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "\\u00b5m": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "inch": 25400.0,
    "m": 1e6,
}
S_PER = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "min": 60.0,
    "h": 3600.0,
}
PLAUSIBLE_UM = 1e-3, 20.0
"""Pixel sizes that a resolution tag may mean; 72 dpi and the like are a printer's, not a
microscope's."""


@dataclass(frozen=True)
class TiffStack:
    """Frames of one channel and plane in TIFF files; holds numbers, no open file.

    ``pages`` are the indices of the frames' pages in the series; where frames lie one behind the
    other in the file uncompressed, ``offset`` is the byte at which the first of them starts and
    ``stride`` the distance of two. ``channel``, ``z`` and ``stack_axis`` are what was
    chosen, of ``channels`` and ``planes`` in the file.
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

    def lazy(self) -> da.Array:
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
        return np.asarray(tif.asarray(key=pages, series=0, maxworkers=1)).reshape(shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"Frames {first} to {last - 1} of {stack.name} can not be read; the file is truncated "
            f"or damaged ({_short(error)})."
        ) from error


_lock = Lock()


def _stamp(path: str) -> tuple[int, int]:
    stat = Path(path).stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _opened(path: str, stamp: tuple[int, int]) -> TiffFile:
    """A file that stays open, since finding its pages again for every block is slow."""
    from tifffile import TiffFile

    tif = TiffFile(path)
    tif.filehandle.lock = True
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
    return out


def _single(path: str, stack: TiffStack) -> np.ndarray:
    from tifffile import imread

    image = np.squeeze(imread(path))
    if image.shape != stack.shape[1:] or image.dtype != np.dtype(stack.dtype):
        raise InputError(
            f"{Path(path).name} has another size or type than the first frame of its folder."
        )
    return np.asarray(image)


def open_tiff(path: Path, *, channel: int | None, z: int | None, stack_axis: StackAxis) -> Movie:
    """Understand a TIFF file or a folder of single-frame TIFFs (see `open_movie`)."""
    if path.is_dir():
        return _open_folder(path)
    tif = _open_file(path)
    with tif:
        series = tif.series[0]
        axes, shape = series.axes, series.shape
        if "S" in axes:
            raise InputError(
                f"{path.name} is a colour (RGB) picture; save the camera's grey values instead."
            )
        if not axes.endswith("YX") or series.dtype is None:
            raise InputError(f"The axes {axes} of {path.name} are not understood.")
        notes: list[str] = []
        sizes = dict(zip(axes[:-2], shape[:-2], strict=True))
        time = _time_axis(sizes, path.name, stack_axis, z, notes)
        fixed = {}
        for axis, what, option, chosen in (
            ("C", "channels", "channel", channel),
            ("Z", "planes", "z", z),
        ):
            count = 1 if axis == time else sizes.get(axis, 1)
            fixed[axis] = _choose(count, what, option, chosen, path.name, notes)
        pages = _frame_pages(axes[:-2], shape[:-2], time, fixed, path.name)
        described = TiffStack(
            (str(path.resolve()),),
            (len(pages), *shape[-2:]),
            series.dtype.newbyteorder("=").str,
            pages,
            channel=fixed["C"],
            z=fixed["Z"],
            stack_axis=stack_axis,
            channels=sizes.get("C", 1),
            planes=1 if time == "Z" else sizes.get("Z", 1),
        )
        stack = _find_bytes(described, series)
        pixel, interval = _scale(tif, notes)
        if stack.offset is not None:
            end = stack.offset + (stack.shape[0] - 1) * stack.stride
            end += int(np.prod(shape[-2:])) * series.dtype.itemsize
            if end > path.stat().st_size:
                raise InputError(f"{path.name} is truncated; copy the file again.")
    return Movie(stack, pixel, interval, notes=tuple(notes))


def _open_file(path: Path) -> TiffFile:
    from tifffile import TiffFile

    if not path.exists():
        raise InputError(f"There is no file {path}.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty (0 bytes).")
        with path.open("rb") as file:
            if file.read(4)[:2] not in (b"II", b"MM"):
                raise InputError(
                    f"{path.name} is not a TIFF file; open other formats in napari and use the "
                    "layer."
                )
        tif = TiffFile(path)
        if not tif.series:
            raise InputError(f"{path.name} holds no image; it may be truncated.")
        return tif
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} can not be opened ({error.strerror or error}).") from error
    except Exception as error:
        raise InputError(f"{path.name} is truncated or damaged ({_short(error)}).") from error


def _time_axis(
    sizes: dict[str, int], name: str, stack_axis: StackAxis, z: int | None, notes: list[str]
) -> str:
    """Which axis is time."""
    for axis in "TIQ":
        if sizes.get(axis, 1) > 1:
            return axis
    if sizes.get("Z", 1) > 1 and stack_axis == "time" and z is None:
        notes.append(
            f"The Z axis of {name} ({sizes['Z']} planes) is taken as time; choose depth if it is "
            "a stack in depth."
        )
        return "Z"
    return "T"


def _choose(
    count: int, what: str, option: str, chosen: int | None, name: str, notes: list[str]
) -> int:
    if chosen is not None and not 0 <= chosen < count:
        raise InputError(f"{name} has {count} {what}: choose {option} from 0 to {count - 1}.")
    if chosen is None and count > 1:
        notes.append(f"{name} has {count} {what}; {option} 0 is taken.")
    return chosen or 0


def _frame_pages(
    axes: str, shape: Sequence[int], time: str, fixed: dict[str, int], name: str
) -> range:
    """Indices of the movie's frames in the row-major order of all axes before y and x."""
    start, step, count = 0, 1, 1
    weight = 1
    for axis, size in zip(reversed(axes), reversed(shape), strict=True):
        if axis == time:
            step, count = weight, size
        elif size > 1 and axis not in fixed:
            raise InputError(f"The axis {axis} ({size}) of {name} is not understood.")
        else:
            start += fixed.get(axis, 0) * weight
        weight *= size
    return range(start, start + count * step, step)


def _find_bytes(stack: TiffStack, series: TiffPageSeries) -> TiffStack:
    """The stack with the place of its frames, where they can be read without decoding."""
    if series.dataoffset is None or series.dtype is None or series.parent is None:
        return stack
    frame = int(np.prod(stack.shape[1:])) * series.dtype.itemsize
    return replace(
        stack,
        dtype=series.dtype.newbyteorder(series.parent.byteorder).str,
        offset=series.dataoffset + stack.pages.start * frame,
        stride=stack.pages.step * frame,
    )


def _open_folder(folder: Path) -> Movie:
    files = sorted(
        (p for p in folder.iterdir() if p.suffix.lower() in (".tif", ".tiff")),
        key=lambda p: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", p.name)],
    )
    if not files:
        raise InputError(f"There are no TIFF files in the folder {folder}.")
    if len(files) == 1:
        return open_tiff(files[0], channel=None, z=None, stack_axis="time")
    with _open_file(files[0]) as tif:
        page = tif.series[0]
        if "S" in page.axes:
            raise InputError(f"{files[0].name} is a colour (RGB) picture; grey frames are needed.")
        shape = tuple(n for n in page.shape if n > 1)
        if len(shape) != 2 or page.dtype is None:
            raise InputError(f"{files[0].name} is not a single frame; open one file instead.")
        notes: list[str] = []
        pixel, interval = _scale(tif, notes)
        dtype = page.dtype.newbyteorder("=").str
    paths = tuple(str(p.resolve()) for p in files)
    stack = TiffStack(paths, (len(files), *shape), dtype, range(len(files)))
    return Movie(stack, pixel, interval, notes=tuple(notes))


def _scale(tif: TiffFile, notes: list[str]) -> tuple[float | None, float | None]:
    """Pixel size in um and frame interval in s, from OME, ImageJ and resolution tags."""
    pixel_xy, interval = _ome_scale(tif.ome_metadata) if tif.is_ome else (None, None)
    imagej = tif.imagej_metadata or {}
    if imagej:
        step = imagej.get("finterval")
        unit = S_PER.get(str(imagej.get("tunit", "s")).lower())
        interval = interval or (float(step) * unit if step and unit else None)
    if pixel_xy is None:
        pixel_xy = _tag_scale(tif, str(imagej.get("unit", "")).lower() if imagej else None)
    if pixel_xy is None:
        return None, interval
    x, y = pixel_xy
    if abs(x - y) > 0.01 * x:
        notes.append(f"The file says that pixels are {x:.4g} x {y:.4g} um; {x:.4g} um is used.")
    return x, interval if interval and interval > 0 else None


def _tag_scale(tif: TiffFile, imagej_unit: str | None) -> tuple[float, float] | None:
    page: Any = tif.pages[0]
    resolutions = [page.tags.get(f"{axis}Resolution") for axis in "XY"]
    if any(tag is None or 0 in np.atleast_1d(tag.value) for tag in resolutions):
        return None
    per_unit = [tag.value[0] / tag.value[1] for tag in resolutions if tag is not None]
    if imagej_unit is not None:
        um = UM_PER.get(imagej_unit)
    else:
        tag = page.tags.get("ResolutionUnit")
        um = {2: 25400.0, 3: 1e4}.get(int(tag.value)) if tag is not None else None
    if um is None:
        return None
    x, y = (um / r for r in per_unit)
    low, high = PLAUSIBLE_UM
    return (x, y) if low <= x <= high and low <= y <= high else None


def _ome_scale(xml: str | None) -> tuple[tuple[float, float] | None, float | None]:
    if not xml:
        return None, None
    try:
        pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None, None
    if pixels is None:
        return None, None

    def number(name: str, factors: dict[str, float], default: str) -> float | None:
        value, unit = pixels.get(name), pixels.get(f"{name}Unit", default)
        if value is None or unit not in factors or not float(value) > 0:
            return None
        return float(value) * factors[unit]

    x, y = (number(f"PhysicalSize{axis}", UM_PER, "µm") for axis in "XY")
    interval = number("TimeIncrement", S_PER, "s")
    return (x, y or x) if x else None, interval


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
