"""Writing and reading the OME-TIFF files that reconstructions are saved in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.io.tiff_file import explained, tiff_file

NAMESPACE = "napari-sofinet/recipe"
FLOAT = np.dtype(np.float32)
SMALLEST_IN_TAGS_UM, LARGEST_IN_TAGS_UM = 1e-5, 1e6
"""Pixels that the resolution tags, fractions of 32 bits, can describe."""


def write_ome_tiff(
    path: Path,
    arrays: Sequence[np.ndarray],
    names: Sequence[str],
    axes: str,
    *,
    pixel_size_um: tuple[float, float] | None = None,
    origin_um: tuple[float, float] | None = None,
    plane_um: float | None = None,
    first_plane_um: float = 0.0,
    frame_interval_s: float | None = None,
    annotations: dict[str, str] | None = None,
    dtype: np.dtype[Any] = FLOAT,
) -> None:
    """Write images of one shape as the channels of an OME-TIFF.

    The file appears only when it is complete; it is a BigTIFF where it is large.

    Parameters
    ----------
    path : Path
        The file.
    arrays : sequence of ndarray
        Images of shape (..., Y, X), one for each channel.
    names : sequence of str
        Names of the channels.
    axes : str
        Axes of each image, e.g. ``"YX"`` or ``"TYX"``.
    pixel_size_um : (float, float), optional
        Pixel size along y and x in um.
    origin_um : (float, float), optional
        Position y, x of pixel (0, 0) in um.
    plane_um, first_plane_um : float, optional
        Distance of the planes of a ``Z`` axis, and depth of the first one, in um.
    frame_interval_s : float, optional
        Time step of a ``T`` axis in s.
    annotations : dict of str to str, optional
        Texts that `read_annotation` finds by their key.
    dtype : dtype, optional
        Type of the numbers in the file.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    from tifffile import imwrite

    several = len(arrays) > 1
    *lead, rows, columns = arrays[0].shape
    shape = (*lead, *((len(arrays),) if several else ()), rows, columns)
    axes = f"{axes[:-2]}CYX" if several else axes
    ome: dict[str, Any] = {"axes": axes, "Channel": {"Name": list(names)}}
    options: dict[str, Any] = {"metadata": ome, "ome": True, **_resolution(pixel_size_um)}
    ome |= _scale(pixel_size_um, origin_um, math.prod(shape[:-2]))
    if plane_um is not None and axes[0] == "Z":
        _add_depths(ome, first_plane_um, plane_um, shape)
    if frame_interval_s is not None and "T" in axes:
        ome |= {"TimeIncrement": frame_interval_s, "TimeIncrementUnit": "s"}
    if annotations:
        ome["MapAnnotation"] = {"Namespace": NAMESPACE, **annotations}
    with atomic_write(path) as partial:
        imwrite(
            partial,
            _planes(arrays, lead, dtype),
            shape=shape,
            dtype=dtype,
            photometric="minisblack",
            bigtiff=dtype.itemsize * math.prod(shape) > 3 * 2**30,
            **options,
        )


def _resolution(pixel_size_um: tuple[float, float] | None) -> dict[str, Any]:
    """Return the resolution for the tags of TIFF, where they can describe it."""
    if pixel_size_um is None:
        return {}
    y, x = pixel_size_um
    if min(y, x) <= SMALLEST_IN_TAGS_UM or max(y, x) >= LARGEST_IN_TAGS_UM:
        return {}
    return {"resolution": (1e4 / x, 1e4 / y), "resolutionunit": "CENTIMETER"}


def _scale(
    pixel_size_um: tuple[float, float] | None,
    origin_um: tuple[float, float] | None,
    planes: int,
) -> dict[str, Any]:
    """Return OME's entries for the pixel size and for the position of each plane, if known."""
    if pixel_size_um is None or origin_um is None:
        return {}
    scale: dict[str, Any] = {"Plane": {}}
    for axis, size, origin in zip("YX", pixel_size_um, origin_um, strict=True):
        scale |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
        scale["Plane"] |= {
            f"Position{axis}": [origin] * planes,
            f"Position{axis}Unit": ["µm"] * planes,
        }
    return scale


def _add_depths(
    ome: dict[str, Any], first_um: float, plane_um: float, shape: tuple[int, ...]
) -> None:
    """Add the distance of planes (Z, ..., Y, X) to OME's entries, and the depth of each image."""
    each = math.prod(shape[1:-2])
    depths = [first_um + z * plane_um for z in range(shape[0]) for _ in range(each)]
    ome |= {"PhysicalSizeZ": plane_um, "PhysicalSizeZUnit": "µm"}
    ome.setdefault("Plane", {})
    ome["Plane"] |= {"PositionZ": depths, "PositionZUnit": ["µm"] * len(depths)}


def _planes(
    arrays: Sequence[np.ndarray], lead: Sequence[int], dtype: np.dtype[Any]
) -> Iterator[np.ndarray]:
    """Yield planes (Y, X) in the order of the file: channels are the last axis before them."""
    for at in np.ndindex(*lead):
        for array in arrays:
            yield np.asarray(array[at], dtype)


def read_annotation(path: Path, key: str) -> str | None:
    """Return the text that `write_ome_tiff` saved under a key, or None.

    Raises
    ------
    InputError
        The file is not a TIFF file.
    """
    try:
        with explained(path), tiff_file(path) as tif:
            xml = tif.ome_metadata
        root = ElementTree.fromstring(xml) if xml else None
    except (InputError, ElementTree.ParseError):
        raise InputError(f"{path.name} is neither a TIFF file nor a recipe.") from None
    if root is None:
        return None
    kept = f".//{{*}}MapAnnotation[@Namespace='{NAMESPACE}']/{{*}}Value/{{*}}M"
    return next((m.text for m in root.iterfind(kept) if m.get("K") == key), None)
