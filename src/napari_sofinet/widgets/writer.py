"""napari writers: a reconstruction as OME-TIFF with its recipe, localisations as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning

from napari_sofinet.errors import InputError
from napari_sofinet.io.localizations import write_localizations
from napari_sofinet.localization.table import LocalizationTable
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.widgets.layers import UM


def write_reconstruction(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Napari's hook: save one image layer; a layer that is no reconstruction has no recipe.

    Under the name of a table, the localisations that the picture was made with.
    """
    result = attributes.get("metadata", {}).get("sofinet_result")
    # A film stands on all axes of its movie: another shape of the same memory.
    if not isinstance(result, Reconstruction) or not (
        np.size(data) == result.image.size and np.may_share_memory(data, result.image)
    ):
        array = np.asarray(data)
        if array.ndim != 2 or attributes.get("rgb"):
            raise InputError("Only a single picture of grey values can be saved as OME-TIFF here.")
        if "sofinet" in attributes.get("metadata", {}):
            show_warning("The picture was changed since its reconstruction: no recipe is saved.")
        scale, translate = attributes.get("scale", (1, 1)), attributes.get("translate", (0, 0))
        factor = UM.get(str(attributes.get("units", ("pixel",))[-1]))
        result = Reconstruction(
            {"image": array},
            pixel_px=(float(scale[0]), float(scale[1])),
            origin_px=(float(translate[0]), float(translate[1])),
            camera_pixel_um=factor,
        )
    result.save(path)
    return [path]


def write_table(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Napari's hook: save points that are localisations, without those that were deleted."""
    metadata, features = attributes.get("metadata", {}), attributes.get("features")
    table = metadata.get("sofinet_table")
    if not isinstance(table, LocalizationTable) or features is None:
        raise InputError("Only localisations can be saved as a table, not other points.")
    at = np.asarray(data, float)
    if at.shape[1] != 2 or len(features) != len(at) or features["frame"].isna().any():
        raise InputError("Points were added to these localisations; remove them to save a table.")

    def column(name: str) -> np.ndarray | None:
        return None if getattr(table, name) is None else features[name].to_numpy(float)

    uncertainty = None
    if table.uncertainty_px is not None:
        name = next(n for n in features if str(n).startswith("uncertainty_"))
        pixel = table.camera_pixel_um if name == "uncertainty_um" else 1.0
        uncertainty = features[name].to_numpy(float) / (pixel or 1.0)
    kept = replace(
        table,
        frame=features["frame"].to_numpy(np.int64),
        y_px=at[:, 0],
        x_px=at[:, 1],
        photons=column("photons"),
        background=column("background"),
        z_um=column("z_um"),
        uncertainty_px=uncertainty,
        columns={name: features[name].to_numpy(float) for name in table.columns},
    )
    known = table.camera_pixel_um is not None
    write_localizations(path, kept, "thunderstorm" if known else "picasso")
    return [path]
