"""Where measured layers come from, so that their numbers can be measured again."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.data.movie import Movie
from napari_sofinet.quality.numbers_csv import Measurement, Origin
from napari_sofinet.quality.region_measurements import Corners
from napari_sofinet.widgets.layers import layer_pixel_um, stack_axes, um_per_unit
from napari_sofinet.widgets.region_layer import in_samples
from napari_sofinet.widgets.region_task import AGREEMENT, KINDS, PROFILE, VOLUME


def measurement_of(
    kind: int, layers: list[Image], corners: np.ndarray, reference: Image | None, peaks: int
) -> Measurement:
    """Return how a region of layers is measured.

    Parameters
    ----------
    kind : int
        Position in `KINDS`.
    layers : list of Image
        Layers that are measured.
    corners : ndarray
        World coordinates (2, 2) of two corners of a box, or of the ends of a line.
    reference : Image or None
        Layer that the others are compared with, if agreement or volumes are measured.
    peaks : int
        Number of peaks that are fitted to profiles.

    Returns
    -------
    Measurement
        Regions, files, frames, recipes and settings.
    """
    settings: dict[str, Any] = {"peaks": peaks} if kind == PROFILE else {}
    if kind in (AGREEMENT, VOLUME) and reference is not None:
        layers = [*layers, reference]
        settings["reference"] = reference.name
    origins = {layer.name: _origin(layer, corners) for layer in layers}
    return Measurement(KINDS[kind], "line" if kind == PROFILE else "box", origins, settings)


def _origin(layer: Image, corners: np.ndarray) -> Origin:
    factor = um_per_unit(layer)
    in_um: Corners | None = None
    if factor:
        (a, b), (c, d) = (factor * np.asarray(corners, float)).tolist()
        in_um = (a, b), (c, d)
    recipe = layer.metadata.get("sofinet")
    recipe = recipe if isinstance(recipe, dict) and "reconstruct" in recipe else None
    movie = layer.metadata.get("sofinet_movie")
    path = movie.path if isinstance(movie, Movie) else layer.source.path
    if recipe is not None:
        opened = recipe["open"]
        frames = opened["frames"] or (0, opened["shape"][0])
    else:
        axes = stack_axes(layer)
        frames = (0, axes[0][2]) if axes else None
    return Origin(
        in_samples(layer, corners),
        in_um,
        layer_pixel_um(layer),
        None if frames is None else (int(frames[0]), int(frames[1])),
        "" if path is None else str(path),
        recipe,
    )
