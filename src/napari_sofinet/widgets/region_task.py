"""Measurements of a region of layers, as work for a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from napari_sofinet.quality.region_volumes import volumes_of
from napari_sofinet.widgets.curves import draw_figure, pixels_of
from napari_sofinet.widgets.layers import stack_axes
from napari_sofinet.widgets.region_layer import in_samples
from napari_sofinet.widgets.sources import Means, Source, source_of, volume_axis, volume_of

KINDS = ("Resolution", "Profile", "Trace", "Agreement", "Volume")
"""Kinds of measurements; a kind is given by its position."""
RESOLUTION, PROFILE, TRACE, AGREEMENT, VOLUME = range(len(KINDS))
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


def kinds_for(layers: list[Image], ticked: list[Image]) -> list[int]:
    """Return the kinds of measurements that some layers allow.

    Volumes are measured only where there are any; there is no trace of them over time.

    Parameters
    ----------
    layers, ticked : list of Image
        All layers, and those that are measured.

    Returns
    -------
    list of int
        Positions in `KINDS`.
    """
    volumes = any(volume_axis(layer) is not None for layer in layers)
    movies = any(stack_axes(layer) and volume_axis(layer) is None for layer in ticked)
    hidden = {VOLUME} if not volumes else set() if movies else {TRACE}
    return [kind for kind in range(len(KINDS)) if kind not in hidden]


def region_task(
    kind: int,
    layers: list[Image],
    corners: np.ndarray,
    means: Means,
    reference: Image | None = None,
    peaks: int = 1,
    plot_px: tuple[int, int] = PLOT_PX,
    point: Sequence[float] = (),
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
        Layer that the others are compared with, if agreement or volumes are measured.
    peaks : int, optional
        Number of peaks that are fitted to profiles.
    plot_px : tuple of int, optional
        Width and height of the plot.
    point : sequence of float, optional
        Position of the viewer's sliders, at which volumes are looked at.

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
    sources = {layer.name: source_of(layer, point) for layer in layers}
    compared = None if reference is None else source_of(reference, point)

    def measure() -> tuple[Findings, np.ndarray]:
        if kind == TRACE:
            found = trace_of(_traces(sources, boxes), sources)
        elif kind == VOLUME:
            found = _volumes(sources, boxes, compared)
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


def _volumes(
    sources: dict[str, Source], boxes: dict[str, Corners], reference: Source | None
) -> Findings:
    """Return the measurements of all volumes, compared with the reference if it is one."""
    volumes = {
        name: (volume_of(source), boxes[name])
        for name, source in sources.items()
        if source.depth is not None
    }
    if not volumes:
        raise InputError("Tick a volume, e.g. a reconstructed SIM stack, to measure it along z.")
    there = reference is not None and reference.depth is not None
    return volumes_of(volumes, volume_of(reference) if reference is not None and there else None)


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
