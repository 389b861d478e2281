"""Pictures side by side: display brightness, differences, and figures for print."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.drawing import Axes, Figure, shortened
from napari_sofinet.quality.grid import Grid, common_grid, on_grid
from napari_sofinet.quality.picture import Picture

DISPLAYED = (1.0, 99.7)  # percentiles that become 0 and 1
PANEL_INCH = 2.4
HIGHEST_INSET = 1.0  # of the width
LONGEST_TITLE = 38  # letters
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


def figure_of(
    pictures: list[Picture],
    *,
    box: tuple[tuple[float, float], tuple[float, float]] | None = None,
    colormap: str = "inferno",
    common_contrast: bool = False,
) -> Figure:
    """Draw pictures in a row with names and scale bars, and a box of each enlarged.

    Parameters
    ----------
    pictures : list of Picture
        Pictures on any grids; the area that they have in common is drawn.
    box : tuple of two tuples of float, optional
        Two corners (y, x) in the unit of the pictures' origins. The content of the box is drawn
        below each picture, as wide as the picture but at most as high as wide.
    colormap : str, optional
        Name of one of matplotlib's colormaps.
    common_contrast : bool, optional
        Use the same contrast limits for all pictures, which must have the same unit.

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

    if not pictures:
        raise InputError("Choose at least one picture for the figure.")
    grid = common_grid(pictures)
    images = [on_grid(picture, grid) for picture in pictures]
    limits = None
    if common_contrast:
        low, high = np.percentile(np.stack(images), DISPLAYED)
        limits = float(low), float(high)
    inset = None if box is None else _inset(box, grid)
    heights = [grid.shape[0] / grid.shape[1]]  # of the width
    if inset is not None:
        (top, bottom), (left, right) = inset
        heights.append(min((bottom - top) / (right - left), HIGHEST_INSET))
    size = PANEL_INCH * len(images), PANEL_INCH * sum(heights) + 0.3
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(heights), len(images), squeeze=False, height_ratios=heights)
    for column, picture, image in zip(axes.T, pictures, images, strict=True):
        _draw_column(column, picture, displayed(image, limits), grid, inset, colormap)
    return figure


def _draw_column(
    column: np.ndarray,
    picture: Picture,
    shown: np.ndarray,
    grid: Grid,
    inset: Inset | None,
    colormap: str,
) -> None:
    """Draw a picture on the upper axes of a column and its inset on the lower ones."""
    from matplotlib.patches import Rectangle

    upper = column[0]
    _draw_image(upper, shown, picture, grid, colormap)
    title = f"{picture.name} (mean)" if picture.halves is not None else picture.name
    upper.set_title(shortened(title, LONGEST_TITLE), fontsize=8)
    if inset is None:
        return
    (top, bottom), (left, right) = inset
    corner = left - 0.5, top - 0.5
    upper.add_patch(
        Rectangle(corner, right - left, bottom - top, fill=False, color="white", lw=0.8)
    )
    _draw_image(column[1], shown[top:bottom, left:right], picture, grid, colormap)


def _draw_image(axes: Axes, shown: np.ndarray, picture: Picture, grid: Grid, colormap: str) -> None:
    """Draw brightness from 0 to 1 with a scale bar."""
    axes.imshow(shown, cmap=colormap, vmin=0, vmax=1, interpolation="nearest")
    _draw_scale_bar(axes, picture, grid, shown.shape)
    axes.set(xticks=[], yticks=[])


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
