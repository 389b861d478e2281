"""Pictures side by side: display brightness, differences, and figures for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.drawing import Axes, Figure
from napari_sofinet.quality.grid import Grid, common_grid, on_grid
from napari_sofinet.quality.picture import Picture

DISPLAYED = (1.0, 99.7)  # percentiles that become 0 and 1
PANEL_INCH = 2.4
HIGHEST_INSET = 1.0  # of the width
BAR_INCH, LINE_INCH = 0.55, 0.15  # heights of a colour bar, and of a line of the title
LINE_OF_TITLE = 36  # letters
BARS_UM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
Inset = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of a grid, each as the first and the one after the last."""


def displayed(image: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Return an image scaled to brightness from 0 to 1.

    Parameters
    ----------
    image : ndarray
        Image of any shape.
    limits : tuple of float, optional
        Values that become 0 and 1; by default the 1st and the 99.7th percentile.

    Returns
    -------
    ndarray
        Brightness, cut off at 0 and 1.

    Examples
    --------
    >>> displayed(np.array([0.0, 5.0, 30.0]), (0, 10)).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = limits or tuple(float(v) for v in np.percentile(image, DISPLAYED))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-12), 0, 1))


def swiped(left: np.ndarray, right: np.ndarray, fraction: float) -> np.ndarray:
    """Return an image whose left part comes from one image and the rest from another.

    Parameters
    ----------
    left, right : ndarray
        Images (Y, X) or (Y, X, channels) of the same shape.
    fraction : float
        Fraction of the width that comes from ``left``; cut off at 0 and 1.

    Returns
    -------
    ndarray
        New image of the same shape.

    Examples
    --------
    >>> swiped(np.zeros((1, 4)), np.ones((1, 4)), 0.25).tolist()
    [[0.0, 1.0, 1.0, 1.0]]
    """
    column = round(float(np.clip(fraction, 0, 1)) * left.shape[1])
    out = right.copy()
    out[:, :column] = left[:, :column]
    return out


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the difference of two images, each scaled to brightness from 0 to 1 first.

    Parameters
    ----------
    a, b : ndarray
        Images of the same shape.

    Returns
    -------
    ndarray
        ``a`` minus ``b``, from -1 to 1.
    """
    return np.asarray(displayed(a) - displayed(b))


@dataclass(frozen=True)
class Panel:
    """Picture of a figure and how it is drawn.

    Attributes
    ----------
    picture : Picture
        Picture on any grid.
    colormap : str or Colormap
        Colormap of matplotlib or its name.
    limits : tuple of float or None
        Values of the first and the last color; None for the 1st and the 99.7th percentile.
    label : str
        Name and unit of the values, which is written at the colour bar.
    """

    picture: Picture
    colormap: Any = "inferno"
    limits: tuple[float, float] | None = None
    label: str = ""

    @property
    def title(self) -> str:
        """Whole name of the picture, in several lines if it is long."""
        mean = " (mean)" if self.picture.halves is not None else ""
        return "\n".join(wrap(self.picture.name + mean, LINE_OF_TITLE)) or " "


def figure_of(
    panels: Sequence[Panel],
    *,
    box: tuple[tuple[float, float], tuple[float, float]] | None = None,
    common_contrast: int = 0,
) -> Figure:
    """Draw pictures in a row with names, scale bars and colour bars, and a box of each enlarged.

    Parameters
    ----------
    panels : sequence of Panel
        Pictures on any grids; the area that they have in common is drawn.
    box : tuple of two tuples of float, optional
        Two corners (y, x) in the unit of the pictures' origins. The content of the box is drawn
        below each picture, as wide as the picture but at most as high as wide.
    common_contrast : int, optional
        Number of the first pictures that get the same limits, which must have the same unit.

    Returns
    -------
    matplotlib.figure.Figure
        Figure that can be saved as PNG, SVG or PDF.

    Raises
    ------
    InputError
        If there is no picture, or if the pictures have no area in common.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise InputError("Choose at least one picture for the figure.")
    grid = common_grid([panel.picture for panel in panels])
    images = [on_grid(panel.picture, grid) for panel in panels]
    limits = [
        panel.limits or _limits_of(image) for panel, image in zip(panels, images, strict=True)
    ]
    if common_contrast:
        limits[:common_contrast] = [_limits_of(np.stack(images[:common_contrast]))] * (
            common_contrast
        )
    inset = None if box is None else _inset(box, grid)
    heights = [grid.shape[0] / grid.shape[1]]  # of the width
    if inset is not None:
        (top, bottom), (left, right) = inset
        heights.append(min((bottom - top) / (right - left), HIGHEST_INSET))
    lines = max(panel.title.count("\n") + 1 for panel in panels)
    size = PANEL_INCH * len(images), PANEL_INCH * sum(heights) + BAR_INCH + LINE_INCH * lines
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(heights), len(images), squeeze=False, height_ratios=heights)
    for column, panel, image, ends in zip(axes.T, panels, images, limits, strict=True):
        shown = _draw_column(column, panel, image, ends, grid, inset)
        ticks = [ends[0], sum(ends) / 2, ends[1]]
        bar = figure.colorbar(shown, ax=list(column), location="bottom", ticks=ticks, aspect=30)
        small = 1e-3 * (ends[1] - ends[0])
        texts = [f"{0 if abs(tick) < small else tick:.3g}" for tick in ticks]
        bar.ax.set_xticklabels(texts, fontsize=6)
        bar.set_label(panel.label or "brightness", fontsize=7)
    return figure


def _limits_of(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, DISPLAYED)
    return float(low), float(high if high > low else low + 1)


def _draw_column(
    column: np.ndarray,
    panel: Panel,
    image: np.ndarray,
    limits: tuple[float, float],
    grid: Grid,
    inset: Inset | None,
) -> Any:
    """Draw a picture on the upper axes of a column and its inset on the lower ones."""
    from matplotlib.patches import Rectangle

    upper = column[0]
    drawn = _draw_image(upper, image, limits, panel, grid)
    upper.set_title(panel.title, fontsize=8)
    if inset is not None:
        (top, bottom), (left, right) = inset
        corner = left - 0.5, top - 0.5
        upper.add_patch(
            Rectangle(corner, right - left, bottom - top, fill=False, color="white", lw=0.8)
        )
        _draw_image(column[1], image[top:bottom, left:right], limits, panel, grid)
    return drawn


def _draw_image(
    axes: Axes, image: np.ndarray, limits: tuple[float, float], panel: Panel, grid: Grid
) -> Any:
    """Draw an image with a scale bar."""
    low, high = limits
    drawn = axes.imshow(image, cmap=panel.colormap, vmin=low, vmax=high, interpolation="nearest")
    _draw_scale_bar(axes, panel.picture, grid, image.shape)
    axes.set(xticks=[], yticks=[])
    return drawn


def _inset(box: tuple[tuple[float, float], tuple[float, float]], grid: Grid) -> Inset | None:
    """Return the samples of a grid in a box, None if there are fewer than two along an axis."""
    edges = []
    for k in (0, 1):
        low, high = sorted((corner[k] - grid.origin[k]) / grid.pixel[k] for corner in box)
        first, last = (int(np.clip(round(v), 0, grid.shape[k])) for v in (low, high + 1))
        if last - first < 2:
            return None
        edges.append((first, last))
    return edges[0], edges[1]


def _draw_scale_bar(axes: Axes, picture: Picture, grid: Grid, shape: tuple[int, ...]) -> None:
    """Draw a bar at the lower right of an image of ``shape`` samples of the grid."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    if picture.pixel_um is None or picture.pixel_px is None:
        return
    um_per_sample = picture.pixel_um * grid.pixel[1] / picture.pixel_px[1]
    rows, columns = shape
    width = columns * um_per_sample
    length = max((bar for bar in BARS_UM if bar <= width / 3), default=None)
    if length is None:
        return
    samples = length / um_per_sample
    at = columns * 0.96 - samples, rows * 0.94
    edge = [withStroke(linewidth=1.5, foreground="black")]  # visible on bright structures, too
    axes.add_patch(Rectangle(at, samples, rows * 0.015, color="white", path_effects=edge))
    text = f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm"
    axes.text(
        at[0] + samples / 2,
        rows * 0.93,
        text,
        color="white",
        fontsize=7,
        ha="center",
        va="bottom",
        path_effects=edge,
    )
