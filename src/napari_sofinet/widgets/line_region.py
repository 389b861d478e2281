"""Lines for profiles: where the first one lies, how one is drawn, and what stands for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from scipy.ndimage import gaussian_filter

from napari_sofinet.widgets.region_layer import chosen_region, region_layer

LENGTH = 24.0
"""Length of the first line in samples, or half of the shorter side if this is less."""
SMOOTH = 1.5
MOST_SAMPLES = 512
"""Samples along a side of the picture in which the brightest place is sought."""
SHORTEST = 2.0
"""Lines that are shorter than this number of samples are clicks."""


def line_across_brightest(viewer: Viewer, layer: Image) -> np.ndarray:
    """Return the ends of a line across the brightest structure of what a layer shows.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer whose sliders choose the frame of a movie.
    layer : Image
        Picture or movie.

    Returns
    -------
    ndarray
        World coordinates (2, 2), y and x of each end.
    """
    data = layer.data[-1] if layer.multiscale else layer.data
    at = layer.world_to_data(viewer.dims.point[-layer.ndim :])[:-2]
    lead = tuple(int(np.clip(round(v), 0, n - 1)) for v, n in zip(at, data.shape, strict=False))
    image = np.nan_to_num(np.asarray(data[lead], np.float32))
    coarse = max(int(np.ceil(max(image.shape) / MOST_SAMPLES)), 1)
    smooth = gaussian_filter(image[::coarse, ::coarse], SMOOTH)
    half = min(LENGTH, min(smooth.shape) / 2) / 2
    rim = min(int(half) + 1, (min(smooth.shape) - 1) // 2)
    inner = smooth[rim : smooth.shape[0] - rim, rim : smooth.shape[1] - rim]
    place = np.array(np.unravel_index(int(inner.argmax()), inner.shape)) + rim
    along = half * _across(smooth, tuple(place))
    factor = np.array(layer.data[0].shape[-2:]) / data.shape[-2:] if layer.multiscale else 1.0
    ends = coarse * np.array([place - along, place + along]) * factor
    lead_world = [0.0] * (layer.ndim - 2)
    return np.array([layer.data_to_world([*lead_world, *end])[-2:] for end in ends])


def _across(image: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    """Return the direction (y, x) in which an image falls most steeply on both sides of a place."""
    y, x = place
    near = image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].astype(float)
    if near.shape != (3, 3):
        return np.array([0.0, 1.0])
    yy, xx = near[0, 1] + near[2, 1] - 2 * near[1, 1], near[1, 0] + near[1, 2] - 2 * near[1, 1]
    yx = (near[2, 2] + near[0, 0] - near[2, 0] - near[0, 2]) / 4
    _, directions = np.linalg.eigh(np.array([[yy, yx], [yx, xx]]))
    found: np.ndarray = directions[:, 0]
    return found


def draw_next_line(viewer: Viewer) -> None:
    """Let one drag of the mouse draw a line instead of the selected one.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with a region layer, whose selected line is replaced.
    """
    shapes = region_layer(viewer)
    if shapes is None:
        return
    replaced = set(shapes.selected_data)
    sample = float(np.linalg.norm(np.ptp(shapes.data[-1], axis=0))) / LENGTH
    count = len(shapes.data)
    shapes.mode = "add_line"

    def once(layer: Shapes, event: Any) -> Generator[None, None, None]:
        yield
        while event.type == "mouse_move":
            yield
        QTimer.singleShot(0, finish)

    def finish() -> None:
        if once in shapes.mouse_drag_callbacks:
            shapes.mouse_drag_callbacks.remove(once)
        if shapes not in viewer.layers or len(shapes.data) != count + 1:
            return
        shapes.mode = "select"
        ends = shapes.data[-1]
        clicked = float(np.linalg.norm(ends[1] - ends[0])) < SHORTEST * sample
        shapes.selected_data = {count} if clicked else replaced
        shapes.remove_selected()
        shapes.selected_data = {len(shapes.data) - 1}

    shapes.mouse_drag_callbacks.append(once)


def measured_region(viewer: Viewer, line: bool) -> tuple[np.ndarray | None, str]:
    """Return the line or the box that is measured; one stands for the other if there is only one.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with any layers.
    line : bool
        Whether a line is measured, else a box.

    Returns
    -------
    region : ndarray or None
        World coordinates (2, 2) of the ends of the line or of two corners of the box.
    note : str
        A sentence if there is only the other kind, else empty.
    """
    found = chosen_region(viewer, line)
    if found is not None:
        return found, ""
    other = chosen_region(viewer, not line)
    if other is None:
        return None, ""
    middle = other.mean(axis=0)
    if line:
        half = np.array([0.0, np.ptp(other[:, 1]) / 2])
        note = "There is no line: the profile goes through the middle of the box."
    else:
        half = np.full(2, np.linalg.norm(other[1] - other[0]) / 2)
        note = "There is no box: a square around the line is measured."
    return np.array([middle - half, middle + half]), note
