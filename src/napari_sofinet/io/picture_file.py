"""Pictures in formats other than TIFF: PNG, JPEG and others, and numpy arrays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.io.regular_files import check_regular

PICTURES = ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2"
ARRAYS = (".npy",)


def is_other_picture(path: Path) -> bool:
    """Return whether a file is a picture or array other than TIFF, by its name.

    Examples
    --------
    >>> is_other_picture(Path("sr.PNG")), is_other_picture(Path("sr.tif"))
    (True, False)
    """
    return path.suffix.lower() in PICTURES + ARRAYS


def read_other_picture(path: Path) -> np.ndarray:
    """Return the grey values of a picture, or an array.

    Parameters
    ----------
    path : Path
        File for which `is_other_picture` returns True.

    Returns
    -------
    ndarray
        Image of shape (Y, X), float64; arrays with more axes are returned unchanged.

    Raises
    ------
    InputError
        The file cannot be read, is in color, or contains no plain numbers.
    """
    size = check_regular(path).st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array: Any = _array(path) if path.suffix.lower() in ARRAYS else _picture(path, size)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # every format has its own errors
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path.name} cannot be read ({text}).") from error
    if array.dtype.kind not in "uifb":
        raise InputError(f"Pixels of type {array.dtype} cannot be measured.")
    if array.ndim > 2 and path.suffix.lower() in ARRAYS:
        frames: np.ndarray = np.squeeze(array) if max(array.shape[:-2]) == 1 else array
        return frames
    if array.ndim == 3:
        array = _grey(array, path.name)
    if array.ndim != 2 or min(array.shape) < 1:
        raise InputError(f"{path.name} contains no two-dimensional picture.")
    need_memory(10 * 8 * array.size, path.name)
    return np.asarray(array, np.float64)


def _array(path: Path) -> np.ndarray:
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _picture(path: Path, size: int) -> np.ndarray:
    from skimage.io import imread

    need_memory(10 * size, path.name)
    return np.asarray(imread(path))


def _grey(array: np.ndarray, name: str) -> np.ndarray:
    """The brightness of a picture whose colors are all the same."""
    colors = array[..., :3] if array.shape[-1] in (3, 4) else array[..., :1]
    if array.shape[-1] > 4 or (colors != colors[..., :1]).any():
        raise InputError(f"{name} is a colour (RGB) picture; save the grey values instead.")
    grey: np.ndarray = colors[..., 0]
    return grey
