"""Opening TIFF files: one way for movies, pictures and recipes, in which nothing is believed."""

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
    """Open a TIFF file that holds at least one image, and close it.

    Raises
    ------
    InputError
        Whatever is wrong with the file, also what is found while it is open, in one sentence.
    """
    with explained(path), tiff_file(path) as tif:
        if not len(tif.pages):
            raise InputError(f"{path.name} holds no image; it may be truncated.")
        yield tif


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one sentence."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError as error:
        other = Path(error.filename or path).name
        if other != path.name:
            raise InputError(
                f"{path.name} needs the file {other} beside it, which is missing; copy it there."
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
        It is no TIFF file, or one that would not let the program go on.
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
        The file cannot be read, or the image would fill the memory.
    """
    with opened_tiff(path) as tif:
        return image_of(tif.series[0], path.name)


def image_of(series: TiffPageSeries, name: str) -> np.ndarray:
    """Return all pixels of a series as float64, unless they would fill the memory.

    Parameters
    ----------
    series : TiffPageSeries
        Of an open file.
    name : str
        Of the file.

    Raises
    ------
    InputError
        There is too little memory, or the file promises far more than it holds.
    """
    if not all(series.shape):
        raise InputError(f"{name} holds an image without pixels; it is damaged.")
    check_unpacked(series.keyframe, name, COPIES * len(series) * 8 / series.dtype.itemsize)
    image = series.asarray(maxworkers=1)
    with np.errstate(invalid="ignore"):  # of NaN, for which callers look
        return np.asarray(image, np.float64)


def short_text(error: Exception) -> str:
    """Return the message of an error in one line of at most 120 characters."""
    return " ".join(str(error).split())[:120] or type(error).__name__
