"""Pictures of one sample on one grid, their difference, and a figure of them for print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.region_measurements import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_SIDE = 4096  # samples of a common grid
DISPLAYED = (1.0, 99.7)  # percentiles that become 0 and 1
PANEL_INCH = 2.4
HIGHEST_INSET = 1.0  # of the width
LONGEST_TITLE = 38
BARS_UM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Grid:
    """A common grid: place of sample (0, 0), distance of samples, and their number, (y, x)."""

    origin: tuple[float, float]
    pixel: tuple[float, float]
    shape: tuple[int, int]


def common_grid(pictures: list[Picture]) -> Grid:
    """The finest of the pictures' grids over the area that all of them cover.

    Raises
    ------
    InputError
        They have no area in common, or it is too large.
    """
    starts, ends, steps = [], [], []
    for picture in pictures:
        step = np.array(picture.pixel_px or (1.0, 1.0))
        start = np.array(picture.origin_px or (0.0, 0.0))
        starts.append(start)
        ends.append(start + step * (np.array(picture.image.shape) - 1))
        steps.append(step)
    low, high, step = np.max(starts, axis=0), np.min(ends, axis=0), np.min(steps, axis=0)
    if np.any(high - low < step):
        raise InputError("The pictures have no area in common.")
    shape = np.floor((high - low) / step + 1e-6).astype(int) + 1
    if shape.max() > LARGEST_SIDE:
        raise InputError(
            f"The common area has {shape[0]} x {shape[1]} samples; compare a smaller part, at most "
            f"{LARGEST_SIDE} samples a side."
        )
    return Grid(
        (float(low[0]), float(low[1])),
        (float(step[0]), float(step[1])),
        (int(shape[0]), int(shape[1])),
    )


def on_grid(picture: Picture, grid: Grid) -> np.ndarray:
    """The picture's values at a grid's samples, linear in between, float32."""
    from scipy.ndimage import map_coordinates

    steps, starts = picture.pixel_px or (1.0, 1.0), picture.origin_px or (0.0, 0.0)
    axes = [
        (grid.origin[k] + grid.pixel[k] * np.arange(grid.shape[k]) - starts[k]) / steps[k]
        for k in (0, 1)
    ]
    image = np.nan_to_num(picture.image)
    at = np.meshgrid(*axes, indexing="ij")
    return np.asarray(map_coordinates(image, at, order=1, mode="nearest"), np.float32)


def displayed(image: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Brightness from 0 to 1 between contrast limits, by default the 1st and 99.7th percentile."""
    low, high = limits or tuple(float(v) for v in np.percentile(image, DISPLAYED))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-12), 0, 1))


def swiped(left: np.ndarray, right: np.ndarray, share: float) -> np.ndarray:
    """``left`` up to a share of the width, ``right`` beyond; (Y, X) or (Y, X, channels)."""
    column = round(float(np.clip(share, 0, 1)) * left.shape[1])
    out = right.copy()
    out[:, :column] = left[:, :column]
    return out


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of two displayed images, -1 to 1."""
    return np.asarray(displayed(a) - displayed(b))


def figure_of(
    pictures: list[Picture],
    *,
    box: tuple[tuple[float, float], tuple[float, float]] | None = None,
    colormap: str = "inferno",
    common_contrast: bool = False,
) -> Figure:
    """A row of pictures with names, a scale bar, and a box of each enlarged.

    Parameters
    ----------
    pictures
        On any grids; drawn over the area that they have in common.
    box
        Two corners in the unit of the pictures' origins; its content is drawn below, as wide as the
        picture where that is not too high.
    common_contrast
        One brightness scale for all, where they have the same unit.

    Raises
    ------
    InputError
        There is nothing to draw or no common area.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

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
    for number, (picture, image) in enumerate(zip(pictures, images, strict=True)):
        shown = displayed(image, limits)
        axis = axes[0, number]
        axis.imshow(shown, cmap=colormap, vmin=0, vmax=1, interpolation="nearest")
        title = f"{picture.name} (mean)" if picture.halves is not None else picture.name
        axis.set_title(shortened(title, LONGEST_TITLE), fontsize=8)
        _scale_bar(axis, picture, grid, grid.shape)
        if inset is not None:
            corner = left - 0.5, top - 0.5
            axis.add_patch(
                Rectangle(corner, right - left, bottom - top, fill=False, color="white", lw=0.8)
            )
            axes[1, number].imshow(
                shown[top:bottom, left:right],
                cmap=colormap,
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            _scale_bar(axes[1, number], picture, grid, (bottom - top, right - left))
        for each in axes[:, number]:
            each.set(xticks=[], yticks=[])
    return figure


def _inset(
    box: tuple[tuple[float, float], tuple[float, float]], grid: Grid
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    edges = []
    for k in (0, 1):
        low, high = sorted((corner[k] - grid.origin[k]) / grid.pixel[k] for corner in box)
        first, last = (int(np.clip(round(v), 0, grid.shape[k])) for v in (low, high + 1))
        if last - first < 2:
            return None
        edges.append((first, last))
    return edges[0], edges[1]


def _scale_bar(axis: Axes, picture: Picture, grid: Grid, shape: tuple[int, int]) -> None:
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
    edge = [withStroke(linewidth=1.5, foreground="black")]  # to be seen on bright structures
    axis.add_patch(Rectangle(at, samples, rows * 0.015, color="white", path_effects=edge))
    text = f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm"
    axis.text(
        at[0] + samples / 2,
        rows * 0.93,
        text,
        color="white",
        fontsize=7,
        ha="center",
        va="bottom",
        path_effects=edge,
    )
