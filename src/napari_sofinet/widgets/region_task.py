"""Measurements of a region of layers, as work for a thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from napari.layers import Image

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.region_measurements import (
    Corners,
    Findings,
    agreement_of,
    mean_trace,
    profiles_of,
    resolution_of,
    trace_of,
)
from napari_sofinet.widgets.curves import draw_figure, pixels_of
from napari_sofinet.widgets.region_layer import in_samples
from napari_sofinet.widgets.sources import Means, Source, source_of

KINDS = ("Resolution", "Profile", "Trace", "Agreement")
"""Kinds of measurements; a kind is given by its position."""
RESOLUTION, PROFILE, TRACE, AGREEMENT = range(len(KINDS))
PLOT_PX = 330, 250
"""Smallest width and height of the plot."""
PLOT_MARGIN, PLOT_STEP, MOST_PLOT_HEIGHT = 30, 20, 360


def plot_size(room: int) -> tuple[int, int]:
    """Return the width and height in px of the plot for a room of some width, in steps.

    Examples
    --------
    >>> plot_size(200), plot_size(459)
    ((330, 250), (420, 280))
    """
    width = max((room - PLOT_MARGIN) // PLOT_STEP * PLOT_STEP, PLOT_PX[0])
    return width, max(PLOT_PX[1], min(2 * width // 3, MOST_PLOT_HEIGHT))


def region_task(
    kind: int,
    layers: list[Image],
    corners: np.ndarray,
    means: Means,
    reference: Image | None = None,
    peaks: int = 1,
    plot_px: tuple[int, int] = PLOT_PX,
) -> Callable[[], tuple[Findings, np.ndarray]]:
    """Return a function that measures a region of layers and may run in a thread.

    Parameters
    ----------
    kind : int
        Position in `KINDS`.
    layers : list of Image
        Layers to measure. They are read here, in the thread of the GUI, and not by the function.
    corners : ndarray
        World coordinates (2, 2) of two corners of a box, or of the ends of a line for profiles.
    means : Means
        Means of movies, which the function completes.
    reference : Image, optional
        Layer that the others are compared with, if agreement is measured.
    peaks : int, optional
        Number of peaks that are fitted to profiles.
    plot_px : tuple of int, optional
        Width and height of the plot.

    Returns
    -------
    callable
        Function without arguments, which returns the findings and the pixels of their curves and
        raises `InputError` if nothing can be measured.
    """
    name = "" if reference is None else reference.name
    if kind == AGREEMENT and reference is not None:
        layers = [*layers, reference]
    boxes = {layer.name: in_samples(layer, corners) for layer in layers}
    sources = {layer.name: source_of(layer) for layer in layers}

    def measure() -> tuple[Findings, np.ndarray]:
        if kind == TRACE:
            found = trace_of(_traces(sources, boxes), sources)
        else:
            pictures = {
                name: (means.picture(source), boxes[name]) for name, source in sources.items()
            }
            if kind == RESOLUTION:
                found = resolution_of(pictures)
            elif kind == PROFILE:
                found = profiles_of(pictures, peaks)
            elif name in pictures:
                found = agreement_of(pictures, name)
            else:
                raise InputError("Choose a reference layer to compare with.")
        return found, pixels_of(draw_figure(found.draw, *plot_px))

    return measure


def _traces(
    sources: dict[str, Source], boxes: dict[str, Corners]
) -> dict[str, tuple[np.ndarray, float | None]]:
    """Return the mean brightness over time of all movies, with the time between frames in s."""
    traces = {
        name: (mean_trace(source.movie, boxes[name]), source.movie.frame_interval_s)
        for name, source in sources.items()
        if source.movie is not None
    }
    if not traces:
        raise InputError("Tick a movie to see its brightness over time.")
    return traces
