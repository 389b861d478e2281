"""Pictures of localization tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.threads import thread_count
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable

Kind = Literal["gaussian", "histogram"]
LARGEST_BLUR_PX = 2.0
"""Uncertainty above which localizations are not drawn wider."""
SMALLEST_BLUR = 0.3
"""Standard deviation of the narrowest spots in samples."""
LARGEST_PICTURE = 2**30
"""Samples of a picture or a time series (4 GiB)."""
ALWAYS_DRAWN, SPARSEST = 2**26, 10_000
"""Samples that are drawn of any table, and for each localization of a larger picture: a few false
positions far away would otherwise make a picture of nothing but zeros."""
MOST_PICTURES = 100_000
MANY = 20_000
"""Localizations above which a picture is drawn in threads."""


def render(
    table: LocalizationTable,
    pixel_px: float = 0.2,
    kind: Kind = "gaussian",
    *,
    roi: tuple[tuple[int, int], tuple[int, int]] | None = None,
    frames_window: tuple[int, int] | None = None,
    report: Report = silent,
) -> Reconstruction:
    """Render a table of localizations as a picture or a time series.

    Parameters
    ----------
    table : LocalizationTable
        At least one localization.
    pixel_px : float, optional
        Distance of samples in camera pixels.
    kind : {"gaussian", "histogram"}, optional
        ``"gaussian"`` draws each localization as a normal distribution of sum 1 that is as wide as
        its uncertainty, at least 0.3 samples and at most 2 camera pixels. ``"histogram"`` counts.
    roi : ((int, int), (int, int)), optional
        ((y0, y1), (x0, x1)) in camera pixels, end excluded. By default the movie's field where it
        is known, and otherwise the camera pixels with localizations. Samples tile it from its
        corner, which is half a camera pixel before the centre of its first pixel.
    frames_window : (int, int), optional
        Makes a time series: frames of one picture, and frames from one picture to the next.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Reconstruction
        Its ``image`` is float32, (Y, X) or (T, Y, X). The sum of a picture is the number of
        localizations in it.

    Raises
    ------
    InputError
        The table is empty, or the picture would have more than 2**30 samples, or more than 10000
        for each localization.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.array([0.0, 0.0, 1.0])
    >>> table = LocalizationTable(frame=np.arange(3), y_px=at, x_px=2 * at)
    >>> render(table, 1.0, "histogram").image
    array([[2., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    if not len(table):
        raise InputError(f"{table.name} has no localisation to draw.")
    if not (math.isfinite(pixel_px) and pixel_px > 0):
        raise InputError(f"The distance of samples must be above 0, not {pixel_px}.")
    corner, shape = _grid(table, pixel_px, roi)
    starts, length, step = _windows(table, frames_window)
    if min(shape) < 1:
        raise InputError(
            f"Samples {pixel_px:g} camera pixels apart are larger than all of {table.name}; choose "
            "smaller ones."
        )
    most = min(LARGEST_PICTURE, max(ALWAYS_DRAWN, SPARSEST * len(table)))
    if len(starts) * shape[0] * shape[1] > most or len(starts) > MOST_PICTURES:
        raise InputError(
            f"{table.name} would become {len(starts)} pictures of {shape[0]} x {shape[1]} samples; "
            "choose larger samples or a part of it, e.g. with --where 'x_px < 500'."
        )
    origin = (corner[0] - 0.5 + pixel_px / 2, corner[1] - 0.5 + pixel_px / 2)
    pictures = np.zeros((len(starts), *shape), np.float32)
    table = table.by_frame() if frames_window else table
    for number, (first, picture) in enumerate(zip(starts, pictures, strict=True)):
        rows = slice(None)
        if frames_window:
            rows = slice(*np.searchsorted(table.frame, (first, first + length)))
        _draw(table, rows, kind, origin, pixel_px, picture)
        report((number + 1) / len(starts), f"picture {number + 1} of {len(starts)}")
    return Reconstruction(
        {"image": pictures if frames_window else pictures[0]},
        pixel_px=(pixel_px, pixel_px),
        origin_px=origin,
        camera_pixel_um=table.camera_pixel_um,
        axes="TYX" if frames_window else "YX",
        time_series=(starts[0] + (length - 1) / 2, float(step)) if frames_window else None,
        notes=(*table.notes, *(_about_blur(table) if kind == "gaussian" else ())),
    )


def _draw(
    table: LocalizationTable,
    rows: slice,
    kind: Kind,
    origin: tuple[float, float],
    pixel: float,
    picture: np.ndarray,
) -> None:
    """Add some rows of a table to a picture, whose first sample lies at ``origin``."""
    from napari_sofinet.localization import rendering_kernel

    y, x = table.y_px[rows], table.x_px[rows]
    grid = (origin, (pixel, pixel), picture)
    sigma = table.uncertainty_px
    least = max(SMALLEST_BLUR * pixel, 0.0)
    sigma = np.full(1, pixel) if sigma is None else sigma[rows]

    def part(edge: tuple[int, int]) -> None:
        if kind == "histogram":
            rendering_kernel.count(y, x, *grid, *edge)
        else:
            most = max(LARGEST_BLUR_PX, 2 * least)
            rendering_kernel.spots(y, x, sigma, least, most, *grid, *edge)

    # Threads have rows of their own, so none waits for another.
    number = min(thread_count(), len(picture)) if len(y) > MANY else 1
    edges = np.linspace(0, len(picture), number + 1).astype(int).tolist()
    pieces = list(pairwise(edges))
    if number == 1:
        part(pieces[0])
    else:
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(part, pieces))


def _grid(
    table: LocalizationTable, pixel: float, roi: tuple[tuple[int, int], tuple[int, int]] | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first camera pixel (y, x) of the field, and its rows and columns of samples."""
    if roi is None and table.shape is not None:
        roi = ((0, table.shape[0]), (0, table.shape[1]))
    if roi is None:
        low = [math.floor(v.min() + 0.5) for v in (table.y_px, table.x_px)]
        high = [math.floor(v.max() + 0.5) + 1 for v in (table.y_px, table.x_px)]
        roi = ((low[0], high[0]), (low[1], high[1]))
    sides = [b - a for a, b in roi]
    if min(sides) <= 0:
        raise InputError(f"The part {roi} to draw is empty; choose another one.")
    # A side that is a whole number of samples must not grow by rounding.
    rows, columns = (math.ceil(side / pixel - 1e-6) for side in sides)
    return (roi[0][0], roi[1][0]), (rows, columns)


def _windows(
    table: LocalizationTable, window: tuple[int, int] | None
) -> tuple[Sequence[int], int, int]:
    """Return the first frames of the pictures, frames of each and frames between them."""
    total = table.frame_count
    if window is None:
        return [0], total, total
    length, step = window
    if not (1 <= length <= total and step >= 1):
        raise InputError(
            f"A window of {length} frames in steps of {step} does not suit {total} frames; choose "
            f"1 to {total}."
        )
    return range(0, total - length + 1, step), length, step


def _about_blur(table: LocalizationTable) -> list[str]:
    """Return sentences on uncertainties that are missing or were limited."""
    if table.uncertainty_px is None:
        return ["The table has no uncertainties; each localisation was drawn one sample wide."]
    wide = int(np.count_nonzero(table.uncertainty_px > LARGEST_BLUR_PX))
    none = len(table) - int(np.count_nonzero(table.uncertainty_px > 0))
    notes = []
    if wide:
        notes.append(f"{wide} uncertainties above {LARGEST_BLUR_PX:g} camera pixels were cut.")
    if none:
        notes.append(f"{none} localisations without an uncertainty were drawn as sharp dots.")
    return notes
