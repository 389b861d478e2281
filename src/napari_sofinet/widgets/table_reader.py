"""Reader for napari: tables of localizations as points, large ones as a picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.cli.command_text import bare_name
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES, PixelSizeNeeded, is_table, read_localizations
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.widgets.notices import tell

LayerData = tuple[Any, dict[str, Any], str]
MOST_POINTS = 200_000
"""Largest number of points; napari needs 2 s to show a million of them, and 17 s ten million."""
ASSUMED_PIXEL_UM = 0.1
PICTURE_NM = 20.0
PICTURE_PX = 0.2
FULL_WIDTH = 2.355  # standard deviations


def get_table_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for tables of localizations.

    Parameters
    ----------
    path : str or list of str
        File; a list must have one item.

    Returns
    -------
    callable or None
        Function that takes the path and returns layers; None if the file is no such table.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    where = Path(path)
    if not where.name.lower().endswith(SUFFIXES) or not where.is_file() or not is_table(where):
        return None
    return read_table


def read_table(path: str | list[str]) -> list[LayerData]:
    """Read a table of localizations.

    Parameters
    ----------
    path : str or list of str
        File of a table.

    Returns
    -------
    list of (array, options, kind)
        A layer of points in µm, or in camera pixels if their size is not known; a picture of them
        if there are more than 200,000.
    """
    where = Path(path[0] if isinstance(path, list) else path)
    try:
        table = read_localizations(where)
    except PixelSizeNeeded:
        # Positions in µm need the size only for a shift by half a camera pixel, so go on.
        table = read_localizations(where, ASSUMED_PIXEL_UM).noted(
            f"{where.name} does not tell the size of a camera pixel; {1000 * ASSUMED_PIXEL_UM:g} "
            "nm are assumed. If they are wrong, positions are shifted by half the difference. To "
            "give the true size, use: sofinet table IN -o OUT.hdf5 --pixel-size UM."
        )
    layers = [_points(table, where)] if len(table) <= MOST_POINTS else [_picture(table, where)]
    for note in table.notes:
        tell(note)
    return layers


def _options(table: LocalizationTable, path: Path) -> dict[str, Any]:
    unit = "pixel" if table.camera_pixel_um is None else "micrometer"
    return {
        "name": bare_name(path),
        "units": (unit, unit),
        "axis_labels": ("y", "x"),
        "metadata": {"sofinet": {"table": os.path.abspath(path)}, "sofinet_table": table},
    }


def _points(table: LocalizationTable, path: Path) -> LayerData:
    pixel = table.camera_pixel_um or 1.0
    data = np.stack([table.y_px, table.x_px], axis=1)
    options = _options(table, path) | points_options(table, pixel) | {"scale": (pixel, pixel)}
    return data, options, "points"


def points_options(table: LocalizationTable, pixel: float) -> dict[str, Any]:
    """Return options for a layer of points in camera pixels, as wide as they are uncertain.

    Parameters
    ----------
    table : LocalizationTable
        Table whose rows become points.
    pixel : float
        Size of a camera pixel in the unit that the features of the points have.

    Returns
    -------
    dict
        Features, size and colors of the points.
    """
    features: dict[str, np.ndarray] = {"frame": table.frame}
    for name in ("photons", "background", "z_um"):
        if getattr(table, name) is not None:
            features[name] = getattr(table, name)
    wide = PICTURE_PX
    if table.uncertainty_px is not None:
        unit = "px" if table.camera_pixel_um is None or pixel == 1 else "um"
        features[f"uncertainty_{unit}"] = table.uncertainty_px * pixel
        usual = float(np.nanmedian(table.uncertainty_px))
        wide = FULL_WIDTH * usual if usual > 0 else wide
    return {
        "features": features | table.columns,
        "size": max(wide, 0.02),
        # Not a colour of the picture, with no rim, and never too small to be seen.
        "face_color": "cyan",
        "border_color": "cyan",
        "border_width": 0.0,
        "opacity": 0.6,
        "canvas_size_limits": (4, 10_000),
    }


def _picture(table: LocalizationTable, path: Path) -> LayerData:
    camera = table.camera_pixel_um
    # The picture of a large camera must still fit into a texture of the graphics card.
    span = max(float(np.ptp(table.y_px)), float(np.ptp(table.x_px)), 1.0)
    pixel = max(PICTURE_PX if camera is None else PICTURE_NM / 1000 / camera, span / 16384)
    result = reconstruct(table, "table", fineness=1 / pixel)
    result = replace(result, localizations=table)
    tell(
        f"{path.name} has {len(table)} localisations, too many for napari to show as points; "
        "they were drawn as a picture. Keep fewer in the dock widget Localisations."
    )
    options = _options(table, path)
    options["metadata"]["sofinet_result"] = result
    known = result.pixel_size_um is not None
    return (
        result.image,
        options
        | {
            "scale": result.pixel_size_um if known else result.pixel_px,
            "translate": result.origin_um if known else result.origin_px,
            "colormap": "inferno",
            "contrast_limits": contrast_of_spots(result.image),
        },
        "image",
    )


def contrast_of_spots(image: np.ndarray) -> tuple[float, float]:
    """Return contrast limits of a picture of localizations, most of which is empty.

    Parameters
    ----------
    image : ndarray
        Picture of a table.

    Returns
    -------
    tuple of float
        0 and a high percentile of the samples with localizations.
    """
    seen = image[image > 1e-3]
    return 0.0, float(np.quantile(seen, 0.995)) if seen.size else 1.0
