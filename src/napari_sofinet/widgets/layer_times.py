"""Times at which a layer shows something."""

from __future__ import annotations

from napari.layers import Layer
from napari.viewer import Viewer


def go_to(viewer: Viewer, layer: Layer) -> None:
    """Move the sliders to the frames of a movie or film if they stand outside of them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layer.
    layer : Layer
        Layer that is to be seen; for a picture (Y, X) nothing is moved.
    """
    low, high = layer.extent.world
    half = layer.extent.step / 2
    dims = viewer.dims
    for axis in range(-layer.ndim, -2):
        at = dims.point[axis]
        if not low[axis] - half[axis] <= at <= high[axis] + half[axis]:
            dims.set_point(dims.ndim + axis, (low[axis] + high[axis]) / 2)
