"""Results in formats without a place for their scale: pictures as shown, and plain arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.recipe import recipe_beside
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.atomic import atomic_write_together
from napari_sofinet.widgets.notices import warn

SHOWN = ".png", ".jpg", ".jpeg", ".bmp"
ARRAY = ".npy"


def save_as_shown(
    path: Path, result: Reconstruction, data: Any, attributes: dict[str, Any]
) -> list[str]:
    """Save a picture in the colors and with the contrast of its layer, its recipe beside it.

    Parameters
    ----------
    path : Path
        File ending in one of `SHOWN`.
    result : Reconstruction
        Result with the recipe.
    data : ndarray
        Array of the layer.
    attributes : dict
        Attributes of the layer.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    InputError
        If the layer is a time series, or if the file cannot be written.
    """
    from imageio.v3 import imwrite

    image = np.squeeze(np.asarray(data, float))
    if image.ndim != 2:
        raise InputError(
            f"A time series cannot be saved as {path.name}; choose a name ending in .ome.tif."
        )
    low, high = attributes["contrast_limits"]
    bright = np.clip((np.nan_to_num(image) - low) / max(high - low, 1e-30), 0, 1)
    bright = bright ** attributes.get("gamma", 1.0)
    colors = ensure_colormap(attributes["colormap"]).map(bright.ravel())[:, :3]
    pixels = np.round(255 * colors).astype(np.uint8).reshape(*image.shape, 3)
    return _write(
        path,
        result,
        lambda file: imwrite(file, pixels, extension=path.suffix.lower()),
        f"{path.name} shows the picture in its colours, but holds neither its numbers nor its "
        "scale",
    )


def save_array(path: Path, result: Reconstruction) -> list[str]:
    """Save the numbers of a picture as an array of numpy, its recipe beside it.

    Parameters
    ----------
    path : Path
        File ending in .npy.
    result : Reconstruction
        Picture or time series.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    InputError
        If the file cannot be written.
    """

    def write(file: Path) -> None:
        with file.open("wb") as opened:
            np.save(opened, result.image)

    return _write(path, result, write, f"{path.name} holds the numbers, but no scale")


def _write(path: Path, result: Reconstruction, write: Any, what: str) -> list[str]:
    """Write a file and the recipe beside it, and say what is not in the file."""
    recipe = () if result.recipe is None else (recipe_beside(path),)
    with atomic_write_together(path, *recipe) as (first, *others):
        write(first)
        for other in others:
            assert result.recipe is not None
            other.write_text(result.recipe.to_json(), encoding="utf-8")
    where = f"; its recipe is in {recipe[0].name}" if recipe else ""
    warn(f"{what}{where}. Save it as .ome.tif to keep everything.")
    return list(map(str, (path, *recipe)))
