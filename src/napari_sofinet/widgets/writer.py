"""napari writer: a reconstruction layer as OME-TIFF with its recipe."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.reconstruction import Reconstruction


def write_reconstruction(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Napari's hook: save one image layer; a layer that is no reconstruction has no recipe."""
    result = attributes.get("metadata", {}).get("sofinet_result")
    if not isinstance(result, Reconstruction) or result.image is not data:
        array = np.asarray(data)
        if array.ndim != 2 or attributes.get("rgb"):
            raise InputError("Only a single picture of grey values can be saved as OME-TIFF here.")
        result = Reconstruction({"image": array})
    result.save(path)
    return [path]
