"""Opening TIFF files of any origin, for movies, pictures and recipes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.completeness import images_promised
from napari_sofinet.io.regular_files import check_regular, read_start
from napari_sofinet.io.tiff_trust import check_chain, check_promises, check_unpacked

COPIES = 10
"""Bytes for each byte of a single image: as float64, and what is computed with it."""


@contextlib.contextmanager
def opened_tiff(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF file with at least one image in a ``with`` statement.

    Raises
    ------
    InputError
        The file is unusable; also raised for errors while it is open, with one sentence.
    """
    with explained(path), tiff_file(path) as tif:
        if not len(tif.pages):
            raise InputError(f"{path.name} contains no image; it may be truncated.")
        yield tif


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn any error with a file into an `InputError` of one sentence."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError as error:
        other = Path(error.filename or path).name
        if other != path.name:
            raise InputError(
                f"{path.name} requires the file {other} in the same folder; copy it there."
            ) from error
        raise InputError(f"There is no file {path}.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror or short_text(error)}).") from (
            error
        )
    except Exception as error:  # tifffile and its codecs raise anything for damaged files
        raise InputError(f"{path.name} is truncated or damaged ({short_text(error)}).") from error


def tiff_file(path: str | Path) -> TiffFile:
    """Open a TIFF file, also one that was written frame by frame.

    Raises
    ------
    InputError
        The file is not a TIFF file, or could block the program.
    """
    path = Path(path)
    if not check_regular(path).st_size:
        raise InputError(f"{path.name} is empty (0 bytes).")
    if read_start(path, 2) not in (b"II", b"MM"):
        raise InputError(
            f"{path.name} is not a TIFF file; open other formats in napari and use the layer."
        )
    images = check_chain(path)
    tif = TiffFile(path)
    try:
        check_promises(tif, images)
        if not tif.is_shaped or images_promised(tif) > 1 or not tif.pages.is_multipage:
            return tif
    except BaseException:
        tif.close()
        raise
    # Written frame by frame by tifffile, which would show it as many images.
    tif.close()
    return TiffFile(path, is_shaped=False)


def read_image(path: Path) -> np.ndarray:
    """Return the first image of a TIFF file as float64, e.g. (Y, X).

    Raises
    ------
    InputError
        The file cannot be read, or the image does not fit into memory.
    """
    with opened_tiff(path) as tif:
        return image_of(tif.series[0], path.name)


def image_of(series: TiffPageSeries, name: str) -> np.ndarray:
    """Return all pixels of a series as float64, if they fit into memory.

    Parameters
    ----------
    series : TiffPageSeries
        Series of an open file.
    name : str
        Name of the file.

    Raises
    ------
    InputError
        There is not enough memory, or the file declares far more data than it contains.
    """
    if not all(series.shape):
        raise InputError(f"{name} contains an image without pixels; it is damaged.")
    check_unpacked(series.keyframe, name, COPIES * len(series) * 8 / series.dtype.itemsize)
    image = series.asarray(maxworkers=1)
    with np.errstate(invalid="ignore"):  # of NaN, for which callers look
        return np.asarray(image, np.float64)


def short_text(error: Exception) -> str:
    """Return the message of an error in one line of at most 120 characters."""
    return " ".join(str(error).split())[:120] or type(error).__name__
