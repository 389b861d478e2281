"""Layers with a table of localizations, which can be reconstructed like the movie it is from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Points

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable


def table_layers(layers: Iterable[Layer]) -> list[Layer]:
    """Return the layers that have a table of localizations.

    Parameters
    ----------
    layers : iterable of Layer
        Layers of a viewer.

    Returns
    -------
    list of Layer
        One layer for each table: its points, else the last picture that was made of it.
    """
    carrying = [layer for layer in layers if _carried(layer) is not None]
    chosen: dict[int, Layer] = {}
    for layer in carrying:
        key = id(_carried(layer))
        if not isinstance(chosen.get(key), Points):
            chosen[key] = layer
    return [layer for layer in carrying if layer in chosen.values()]


def _carried(layer: Layer) -> LocalizationTable | None:
    """Return the table that the layer was made from, including rows that were deleted since."""
    table = layer.metadata.get("sofinet_table") if isinstance(layer, Points) else None
    if table is None and isinstance(layer, Image):
        table = getattr(_result(layer), "localizations", None)
    return table if isinstance(table, LocalizationTable) else None


def _result(layer: Layer) -> Reconstruction | None:
    result = layer.metadata.get("sofinet_result")
    return result if isinstance(result, Reconstruction) else None


def table_of_points(data: Any, features: Any, table: LocalizationTable | None) -> LocalizationTable:
    """Return the rows of a table that are left in a layer of points.

    Parameters
    ----------
    data : array
        Positions (N, 2) in camera pixels.
    features : DataFrame
        Features of the points.
    table : LocalizationTable or None
        Table that the layer was made from.

    Returns
    -------
    LocalizationTable
        Rows that are left; ``table`` itself if all are.

    Raises
    ------
    InputError
        If the points are no localizations, or if some were added.
    """
    if not isinstance(table, LocalizationTable) or features is None:
        raise InputError("Only localisations can be saved as a table, not other points.")
    at = np.asarray(data, float)
    added = len(at) > len(table) or len(features) != len(at) or features["frame"].isna().any()
    if at.shape[1] != 2 or added:
        raise InputError("Points were added to these localisations; remove those first.")

    def column(name: str) -> np.ndarray | None:
        return None if getattr(table, name) is None else features[name].to_numpy(float)

    uncertainty = None
    if table.uncertainty_px is not None:
        name = next(n for n in features if str(n).startswith("uncertainty_"))
        pixel = table.camera_pixel_um if name == "uncertainty_um" else 1.0
        uncertainty = features[name].to_numpy(float) / (pixel or 1.0)
    left = replace(
        table,
        frame=features["frame"].to_numpy(np.int64),
        y_px=at[:, 0],
        x_px=at[:, 1],
        photons=column("photons"),
        background=column("background"),
        z_um=column("z_um"),
        uncertainty_px=uncertainty,
        columns={name: features[name].to_numpy(float) for name in table.columns},
        frames=table.frame_count,
        looked_at=table.frames_seen,
    )
    return table if left.same_as(table) else left


class TableLayer:
    """Layer with a table, with the interface of the layer of its movie: frame, y and x.

    Data coordinates are frames and camera pixels, whatever those of the layer are. If the time from
    frame to frame is not known, a frame is one unit of time in world coordinates.

    Parameters
    ----------
    layer : Layer
        Points of a table, or a picture that was made from one.

    Raises
    ------
    InputError
        If the layer has no table.
    """

    ndim = 3
    rgb = False
    multiscale = False

    def __init__(self, layer: Layer) -> None:
        carried = _carried(layer)
        if carried is None:
            raise InputError(f"{layer.name} has no localisations.")
        self.layer = layer
        self.name = layer.name
        self.metadata = layer.metadata
        result = _result(layer)
        step = None if result is None or result.recipe is None else result.recipe.open
        self.interval_s: float | None = layer.metadata.get(
            "sofinet_interval_s", step.frame_interval_s if step else None
        )
        self.units = ("second" if self.interval_s else "pixel", *layer.units[-2:])
        self.axis_labels = ("t", *layer.axis_labels[-2:])
        self.carried = carried
        self.shape = (carried.frame_count, *carried.field_px)
        self.frames_seen = carried.frames_seen
        # The samples of a picture are not the pixels of the camera.
        on_grid = isinstance(layer, Image) and result is not None
        self._origin = np.array(result.origin_px if result and on_grid else (0.0, 0.0))
        self._pixel = np.array(result.pixel_px if result and on_grid else (1.0, 1.0))

    @property
    def scale(self) -> np.ndarray:
        """Length of a frame and of a camera pixel along y and x in world units."""
        corner = self.data_to_world((0, 0, 0))
        ahead = [self.data_to_world(row)[1:] - corner[1:] for row in np.eye(3)[1:]]
        return np.array([self.interval_s or 1.0, *np.linalg.norm(ahead, axis=1)])

    def data_to_world(self, at: Any) -> np.ndarray:
        """Return world coordinates.

        Parameters
        ----------
        at : sequence of float
            Frame, row and column.

        Returns
        -------
        ndarray
            Time, y and x (3,).
        """
        t, *yx = at
        inside = (np.asarray(yx, float) - self._origin) / self._pixel
        lead = [0.0] * (self.layer.ndim - 2)
        world = np.asarray(self.layer.data_to_world([*lead, *inside]))[-2:]
        return np.array([t * (self.interval_s or 1.0), *world])

    def world_to_data(self, at: Any) -> np.ndarray:
        """Return data coordinates.

        Parameters
        ----------
        at : sequence of float
            Time, y and x in the world.

        Returns
        -------
        ndarray
            Frame, row and column (3,).
        """
        t, *yx = at
        lead = [0.0] * (self.layer.ndim - 2)
        inside = np.asarray(self.layer.world_to_data([*lead, *yx]))[-2:]
        return np.array([t / (self.interval_s or 1.0), *(inside * self._pixel + self._origin)])

    def table(self) -> LocalizationTable:
        """Return the rows of the table that are left.

        Returns
        -------
        LocalizationTable
            The table itself if no row was deleted.

        Raises
        ------
        InputError
            If points were added.
        """
        if isinstance(self.layer, Points):
            return table_of_points(self.layer.data, self.layer.features, self.carried)
        return self.carried

    def input(self) -> LocalizationTable:
        """Return the rows that are left as the input of a method.

        Returns
        -------
        LocalizationTable
            Table with its file if it is still the same as when it was read.

        Raises
        ------
        InputError
            If points were added.
        """
        table = self.table()
        path = self.metadata.get("sofinet", {}).get("table")
        unchanged = table is self.carried and path is not None and os.path.isfile(path)
        return replace(table, path=path if unchanged else None)


def as_movie_layer(layer: Any) -> Any:
    """Return a layer with the interface of a movie's layer.

    Parameters
    ----------
    layer : Layer or None
        Any layer.

    Returns
    -------
    Layer, TableLayer or None
        `TableLayer` if the layer has a table and is not itself a movie; else the layer unchanged.
    """
    if layer is None or _carried(layer) is None or (isinstance(layer, Image) and layer.ndim > 2):
        return layer
    return TableLayer(layer)
