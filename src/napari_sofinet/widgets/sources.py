"""What is measured or compared of napari layers: pictures with their place in the world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.data.movie import Movie
from napari_sofinet.quality.picture import Picture, mean_of_movie
from napari_sofinet.widgets.layers import movie_of, stack_axes, um_per_unit


@dataclass(frozen=True, eq=False)
class Source:
    """What of a layer the thread needs: data, the movie it is if it is one, place in the world.

    ``pixel`` and ``origin`` (y, x) are in the world's unit, which stands for the camera's pixel.
    """

    key: int
    name: str
    data: Any
    movie: Movie | None
    pixel_um: float | None
    pixel: tuple[float, float]
    origin: tuple[float, float]


def source_of(layer: Image) -> Source:
    """What is measured of a layer."""
    lead = [0.0] * (layer.ndim - 2)

    def world(y: float, x: float) -> np.ndarray:
        return np.asarray(layer.data_to_world([*lead, y, x]))[-2:]

    corner = world(0, 0)
    step = float(abs(world(1, 0) - corner)[0]), float(abs(world(0, 1) - corner)[1])
    factor = um_per_unit(layer)
    return Source(
        id(layer),
        layer.name,
        layer.data[0] if layer.multiscale else layer.data,
        movie_of(layer) if stack_axes(layer) else None,
        step[1] * factor if factor else None,
        step,
        (float(corner[0]), float(corner[1])),
    )


class Means:
    """Pictures of sources; the means of movies are made once and kept."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, Picture]] = {}

    def keep(self, layers: Iterable[Image]) -> None:
        """Forget the means of all other layers."""
        keys = {id(layer) for layer in layers}
        self._kept = {key: value for key, value in self._kept.items() if key in keys}

    def picture(self, source: Source) -> Picture:
        """The image of a source, of a movie the mean of its frames; may read it, so in a thread."""
        if source.movie is None:
            picture = Picture(np.asarray(source.data, np.float64).reshape(source.data.shape[-2:]))
        else:
            known = self._kept.get(source.key)
            if known is None or known[0] is not source.data:
                self._kept[source.key] = known = (source.data, mean_of_movie(source.movie))
            picture = known[1]
        return replace(
            picture,
            name=source.name,
            pixel_um=source.pixel_um,
            pixel_px=source.pixel,
            origin_px=source.origin,
        )
