"""Writers for napari: reconstructions as OME-TIFF with recipes, localizations as tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table_files import write_localizations
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.widgets.held_film import film_itself
from napari_sofinet.widgets.tables import table_of_points


def write_reconstruction(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save an image layer with its recipe, or the localizations that the picture was made with.

    Parameters
    ----------
    path : str
        File to write: OME-TIFF, or a table of localizations by its suffix.
    data : array
        Array of the layer.
    attributes : dict
        Attributes of the layer. Without a reconstruction in the metadata no recipe is saved.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    InputError
        If the layer is neither a reconstruction nor a single picture of grey values.
    """
    data = film_itself(data)
    result = attributes.get("metadata", {}).get("sofinet_result")
    # A time series has all axes of its movie, which is another shape of the same memory.
    if not isinstance(result, Reconstruction) or not (
        np.size(data) == result.image.size and np.may_share_memory(data, result.image)
    ):
        array = np.asarray(data)
        if array.ndim != 2 or attributes.get("rgb"):
            raise InputError("Only a single picture of grey values can be saved as OME-TIFF here.")
        if "sofinet" in attributes.get("metadata", {}):
            show_warning("The picture has changed since its reconstruction, so no recipe is saved.")
        scale, translate = attributes.get("scale", (1, 1)), attributes.get("translate", (0, 0))
        factor = UM_PER.get(str(attributes.get("units", ("pixel",))[-1]))
        result = Reconstruction(
            {"image": array},
            pixel_px=(float(scale[0]), float(scale[1])),
            origin_px=(float(translate[0]), float(translate[1])),
            camera_pixel_um=factor,
        )
    result.save(path)
    return [path]


def write_table(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save points that are localizations as a table, without those that were deleted.

    Parameters
    ----------
    path : str
        File to write: HDF5, or text in the style of ThunderSTORM.
    data : array
        Positions (N, 2) in camera pixels.
    attributes : dict
        Attributes of the layer.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    InputError
        If the points are no localizations, or if some were added.
    """
    table = attributes.get("metadata", {}).get("sofinet_table")
    kept = table_of_points(data, attributes.get("features"), table)
    known = kept.camera_pixel_um is not None
    write_localizations(path, kept, "thunderstorm" if known else "picasso")
    return [path]
