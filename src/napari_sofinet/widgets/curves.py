"""Curves for docks, drawn outside the thread of the GUI."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel

from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.quality.drawing import Axes, Figure, shortened

GREY, LEGEND = "#909090", "#a8a8a8"  # readable on dark and on bright backgrounds
LEGEND_LINE = 16  # px
MOST_LINES = 4  # of a legend with one column
NAME_LENGTH = 36  # letters
LEAST_APART = 0.35  # of ticks, as natural logarithm of their ratio
LEFT, BOTTOM, WIDTH = 0.19, 0.19, 0.78  # of axes, as fractions of the figure


def draw_convergence(
    curve: tuple[tuple[int, float], ...],
    expected: tuple[tuple[int, float], ...] = (),
    frames: int | None = None,
) -> bytes:
    """Draw how well SOFI pictures of few and many frames agree with one of infinitely many.

    Parameters
    ----------
    curve : tuple of (int, float)
        Numbers of frames, each with the measured agreement, from 0 to 1.
    expected : tuple of (int, float), optional
        The same from a model that fits them.
    frames : int, optional
        Number of frames of the movie; the expected agreement there is marked and written.

    Returns
    -------
    bytes
        Picture in PNG format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2, 2.0), dpi=100, layout="constrained", facecolor="none")
    axes = figure.subplots()
    numbers, agreement = zip(*curve, strict=True)
    blue = "#4c9be8"
    axes.plot(numbers, agreement, "o", color=blue, markersize=4, label="measured in parts")
    if expected:
        axes.plot(*zip(*expected, strict=True), "--", color=blue, lw=1, label="expected")
    now = dict(expected).get(frames or 0)
    if frames is not None and now is not None:
        axes.plot([frames], [now], "D", color=blue, mfc="none", label=f"{frames} frames: {now:.2f}")
    axes.axhline(0.9, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="frames", ylabel="agreement")
    axes.set_facecolor("none")
    axes.tick_params(colors=GREY, labelsize=7)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=GREY, fontsize=8)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    last = max(n for n, _ in (*curve, *expected))
    ticks = _apart([numbers[0], *([] if now is None else [frames or 0]), last, *numbers[1:]])
    axes.set_xlim(0.8 * numbers[0], 1.25 * last)
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    figure.legend(
        loc="outside upper left", ncols=3, fontsize=6.5, labelcolor=GREY, frameon=False,
        handletextpad=0.3, columnspacing=0.8, handlelength=1.5,
    )  # fmt: skip
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _apart(numbers: list[int]) -> list[int]:
    """Return numbers that do not touch on a logarithmic axis; the first ones come first."""
    kept: list[int] = []
    for number in numbers:
        if all(abs(np.log(number / other)) > LEAST_APART for other in kept):
            kept.append(number)
    return sorted(kept)


def draw_drift(
    way: np.ndarray, camera_pixel_um: float | None, width: int, height: int
) -> np.ndarray:
    """Draw the drift of a sample over time.

    Parameters
    ----------
    way : ndarray
        Position (T, 2) of the sample in each frame, y and x in camera pixels.
    camera_pixel_um : float or None
        Size of a camera pixel in µm; if it is known, the drift is shown in nm.
    width, height : int
        Size of the picture in px.

    Returns
    -------
    ndarray
        Pixels as `pixels_of` returns them.
    """
    unit = "px" if camera_pixel_um is None else "nm"
    step = max(len(way) // 1000, 1)
    frames = np.arange(len(way))[::step]
    lengths = way[::step] * (1 if camera_pixel_um is None else 1000 * camera_pixel_um)

    def draw(axes: Axes) -> None:
        for name, along, color in zip("yx", lengths.T, ("#4c9be8", "#ffb300"), strict=True):
            axes.plot(frames, along, color=color, linewidth=1.2, label=name)
        axes.set(xlabel="frame", ylabel=f"drift ({unit})")
        axes.locator_params(nbins=4)

    return pixels_of(draw_figure(draw, width, height))


def draw_figure(draw: Callable[[Axes], None], width: int, height: int) -> Figure:
    """Draw curves for a dock, readable on dark and on bright backgrounds.

    Parameters
    ----------
    draw : callable
        Function that draws on matplotlib axes.
    width, height : int
        Size of the figure in px.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with transparent background, and a legend above the axes if curves have labels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    figure.patch.set_alpha(0)
    # Fixed margins, since computing a layout takes longer than everything else.
    axes = figure.add_axes((LEFT, BOTTOM, WIDTH, 0.77))
    axes.yaxis.labelpad = 1
    draw(axes)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        columns = 1 if len(handles) <= MOST_LINES else 2
        lines = -(-len(handles) // columns)
        axes.set_position((LEFT, BOTTOM, WIDTH, 0.79 - lines * LEGEND_LINE / height))
        axes.legend(
            handles,
            [shortened(name, NAME_LENGTH // columns) for name in names],
            ncols=columns,
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            borderpad=0.2,
            labelspacing=0.3,
            fontsize=8,
            labelcolor=LEGEND,
            frameon=False,
        )
    axes.set_facecolor("none")
    axes.tick_params(colors=GREY, labelsize=8)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=GREY, fontsize=8)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    return figure


def pixels_of(figure: Figure) -> np.ndarray:
    """Return a figure as pixels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Figure of any size.

    Returns
    -------
    ndarray
        Bytes (rows, columns, 4): red, green, blue and opacity.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def show_pixels(label: QLabel, pixels: np.ndarray) -> None:
    """Show pixels on a label; to be called in the thread of the GUI.

    Parameters
    ----------
    label : QLabel
        Label that gets the picture.
    pixels : ndarray
        Pixels from `pixels_of`.
    """
    rows, columns, _ = pixels.shape
    image = QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    label.setPixmap(QPixmap.fromImage(image.copy()))


def save_figure(draw: Callable[[Axes], None], path: Path) -> None:
    """Write curves for print, black on white.

    Parameters
    ----------
    draw : callable
        Function that draws on matplotlib axes.
    path : Path
        File ending in .png, .svg or .pdf, which appears only when it is complete.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 3), dpi=300, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        names = [shortened(name, 2 * NAME_LENGTH) for name in names]
        short = max(map(len, names)) <= NAME_LENGTH // MOST_LINES
        columns = MOST_LINES if short else 1
        figure.legend(
            handles, names, ncols=columns, fontsize=7, loc="outside upper left", frameon=False
        )
    with atomic_write(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower())
