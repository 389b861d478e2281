"""The figure of the dock "Compare": the layers and maps that it shows, as they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer

from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.quality.figure import Panel, figure_of
from napari_sofinet.widgets.region_layer import last_box
from napari_sofinet.widgets.save_dialog import FIGURES, Saving
from napari_sofinet.widgets.sources import Means, source_of

DPI = 300
COLORS = 256
Pair = tuple[Image, Image]


class PairFigure:
    """Draws two layers as they are shown, and their maps that are shown.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    means : Means
        Means of movies.
    """

    def __init__(self, viewer: Viewer, means: Means) -> None:
        self.viewer = viewer
        self._means = means
        self._maps: list[tuple[Pair, Image, str]] = []

    def add_map(self, pair: Pair, layer: Image, label: str) -> None:
        """Draw a map beside its pair as long as it is shown.

        Parameters
        ----------
        pair : tuple of Image
            Layers that were compared.
        layer : Image
            Map of their difference or error.
        label : str
            Name and unit of its values.
        """
        self._maps = [entry for entry in self._maps if entry[1] in self.viewer.layers]
        self._maps.append((pair, layer, label))

    def saving(self, pair: Pair, common_contrast: bool) -> Saving:
        """Return how the figure is saved.

        Parameters
        ----------
        pair : tuple of Image
            First and second layer.
        common_contrast : bool
            Use the same limits for both layers.

        Returns
        -------
        Saving
            Figure as PNG, SVG or PDF.
        """
        write = self.writer(pair, common_contrast)
        name = f"{pair[0].name} and {pair[1].name}"
        return Saving(name, FIGURES, lambda path, _: write(path))

    def writer(self, pair: Pair, common_contrast: bool) -> Callable[[Path], None]:
        """Return a function that writes the figure and may run in a thread.

        Parameters
        ----------
        pair : tuple of Image
            First and second layer, which are read here, in the thread of the GUI. The last box in
            the layer "region" is drawn and shown enlarged.
        common_contrast : bool
            Use the same limits for both layers.

        Returns
        -------
        callable
            Function that takes the path of a PNG, SVG or PDF file, and raises `InputError` if the
            layers have no area in common or the file cannot be written.
        """
        maps = [
            (layer, label)
            for of, layer, label in self._maps
            if of == pair and layer in self.viewer.layers and layer.visible
        ]
        shown = [*((layer, "") for layer in pair), *maps]
        sources = [source_of(layer, self.viewer.dims.point) for layer, _ in shown]
        looks = [(_colormap(layer), _limits(layer), label) for layer, label in shown]
        box, same = last_box(self.viewer), len(pair) if common_contrast else 0

        def write(path: Path) -> None:
            panels = [
                Panel(self._means.picture(source), *look)
                for source, look in zip(sources, looks, strict=True)
            ]
            figure = figure_of(panels, box=box, common_contrast=same)
            with atomic_write(path) as partial:
                figure.savefig(partial, dpi=DPI, format=path.suffix[1:].lower())

        return write


def _colormap(layer: Image) -> Any:
    """Return the colors of a layer with its gamma, for matplotlib."""
    from matplotlib.colors import ListedColormap

    bright = np.linspace(0, 1, COLORS) ** float(layer.gamma)
    return ListedColormap(np.asarray(layer.colormap.map(bright), float))


def _limits(layer: Image) -> tuple[float, float] | None:
    """Return the contrast limits of a layer; those of a movie do not fit the mean that is drawn."""
    if layer.ndim > 2:
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)
