"""The Shapes layer with the boxes and lines that are measured."""

from __future__ import annotations

import threading

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.viewer import Viewer

from napari_sofinet.quality.region_measurements import Corners

REGION = "region"
"""Name of the layer."""

_prepared = threading.Event()
_preparing = threading.Lock()


def prepare_shapes() -> None:
    """Compile in a thread what napari needs for shapes, and return at once.

    napari compiles it with numba when the first shape is drawn, in the thread of the window, which
    takes half a minute the first time on a machine and a second or two in each later process.
    """
    if _preparing.acquire(blocking=False):  # never released: once in a process
        threading.Thread(target=_draw_once, daemon=True, name="sofinet-shapes").start()


def shapes_prepared() -> bool:
    """Return whether shapes can be drawn without waiting for a compiler."""
    return _prepared.is_set()


def _draw_once() -> None:
    """Draw each kind of shape in a layer that is not shown."""
    try:
        shapes = Shapes(ndim=2)
        for kind in ("rectangle", "line"):
            shapes.add(np.array([[0.0, 0.0], [2.0, 2.0]]), shape_type=kind)
            shapes.selected_data = {len(shapes.data) - 1}
    finally:
        _prepared.set()


def add_region(viewer: Viewer, layer: Image, kind: str, corners: np.ndarray | None = None) -> None:
    """Add a box or a line to a layer, selected so that it can be moved at once.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer whose region layer gets the shape; the layer is added if there is none.
    layer : Image
        Layer that is to be measured.
    kind : {"rectangle", "line"}
        Shape to add.
    corners : ndarray, optional
        World coordinates (2, 2) of two corners or of the ends; by default around the middle.
    """
    low, high = layer.extent.world[:, -2:]
    middle, size = (low + high) / 2, (high - low) / 2
    half = size / 2 if kind == "rectangle" else size / 4 * (0, 1)
    shapes = region_layer(viewer)
    if shapes is None:
        shapes = viewer.add_shapes(
            name=REGION,
            ndim=2,
            units=layer.units[-2:],
            edge_color="cyan",
            face_color="transparent",
            edge_width=float(size.max()) / 100,
        )
    if corners is None:
        corners = np.array([middle - half, middle + half])
    inside = np.array([shapes.world_to_data(corner)[-2:] for corner in corners])
    shapes.add(inside, shape_type=kind)
    shapes.selected_data = {len(shapes.data) - 1}
    viewer.layers.selection.active = shapes
    shapes.mode = "select"


def region_layer(viewer: Viewer) -> Shapes | None:
    """Return the Shapes layer whose shapes are measured.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with any layers.

    Returns
    -------
    Shapes or None
        The active Shapes layer, else the last one called "region", else the last one.
    """
    found = [layer for layer in viewer.layers if isinstance(layer, Shapes)]
    named = [layer for layer in found if layer.name == REGION]
    active = viewer.layers.selection.active
    return active if active in found else (named or found or [None])[-1]


def chosen_region(viewer: Viewer, line: bool) -> np.ndarray | None:
    """Return the ends of the line, or two corners of the box, that is to be measured.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with any layers.
    line : bool
        Look for a line; else for a box, which any other shape stands for.

    Returns
    -------
    ndarray or None
        World coordinates (2, 2) of the last selected shape of this kind, else of the last one.
    """
    shapes = region_layer(viewer)
    if shapes is None:
        return None
    fitting = [k for k, kind in enumerate(shapes.shape_type) if (kind == "line") is line]
    if not fitting:
        return None
    selected = [k for k in fitting if k in shapes.selected_data]
    world = _in_world(shapes, (selected or fitting)[-1])
    return world if line else np.array([world.min(axis=0), world.max(axis=0)])


def last_box(viewer: Viewer) -> Corners | None:
    """Return two corners of the last rectangle in the layer "region".

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with any layers.

    Returns
    -------
    tuple of two tuples of float or None
        World coordinates (y, x); None if there is no such layer or no rectangle in it.
    """
    if REGION not in viewer.layers:
        return None
    shapes = viewer.layers[REGION]
    boxes = [k for k, kind in enumerate(shapes.shape_type) if kind == "rectangle"]
    if not boxes:
        return None
    world = _in_world(shapes, boxes[-1])
    low, high = world.min(axis=0), world.max(axis=0)
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def in_samples(layer: Layer, world: np.ndarray) -> Corners:
    """Return the position of two points in samples of a layer.

    Parameters
    ----------
    layer : Layer
        Layer of at least two axes.
    world : ndarray
        World coordinates (2, 2), y and x of each point.

    Returns
    -------
    tuple of two tuples of float
        Samples (y, x) of each point.
    """
    lead = [0.0] * (layer.ndim - 2)
    a, b = (np.asarray(layer.world_to_data([*lead, *point]))[-2:] for point in world)
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))


def _in_world(shapes: Shapes, number: int) -> np.ndarray:
    """Return the vertices (N, 2) of a shape in world coordinates."""
    vertices = np.asarray(shapes.data[number], float)
    return np.array([shapes.data_to_world(vertex) for vertex in vertices])[:, -2:]
