"""Tables of numbers that can be measured again, and the curves behind them, as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_sofinet.data.recipe import versions
from napari_sofinet.quality.drawing import Axes
from napari_sofinet.quality.region_measurements import COLUMNS, LINE_WIDTH, Corners, Row

CORNERS = "y0", "x0", "y1", "x1"
ORIGIN_COLUMNS = (
    *("measurement", "shape", *(f"{c}_px" for c in CORNERS), *(f"{c}_um" for c in CORNERS)),
    *("pixel_um", "frames", "file", "settings", "recipe", "versions"),
)
"""Columns behind those of `Row`: where and how a number was measured."""


@dataclass(frozen=True)
class Origin:
    """Where a picture and the region that was measured in it come from.

    Attributes
    ----------
    points_px : Corners
        Corners of the box or ends of the line in samples of the picture.
    points_um : Corners or None
        The same in µm in the viewer; None if its units are no lengths.
    pixel_um : float or None
        Size of a sample along x in µm.
    frames : tuple of int or None
        First frame that was used, and the one after the last.
    file : str
        File of the movie or picture; empty if it was never saved.
    recipe : dict or None
        Recipe of the picture, which names its movie and all settings.
    """

    points_px: Corners
    points_um: Corners | None = None
    pixel_um: float | None = None
    frames: tuple[int, int] | None = None
    file: str = ""
    recipe: dict[str, Any] | None = None

    def facts(self) -> dict[str, Any]:
        """Return the facts by the names of their columns."""
        found: dict[str, Any] = {"pixel_um": self.pixel_um, "file": self.file}
        for unit, points in (("px", self.points_px), ("um", self.points_um)):
            values = [None] * 4 if points is None else [v for point in points for v in point]
            found |= {f"{c}_{unit}": value for c, value in zip(CORNERS, values, strict=True)}
        found["frames"] = "" if self.frames is None else f"{self.frames[0]}:{self.frames[1]}"
        found["recipe"] = "" if self.recipe is None else json.dumps(self.recipe)
        return found


@dataclass(frozen=True)
class Measurement:
    """Record of how numbers were measured.

    Attributes
    ----------
    kind : str
        Name of the measurement, e.g. "Resolution".
    shape : {"box", "line"}
        Shape of the region.
    origins : dict of str to Origin
        Origin of each picture by its name, with that of the reference.
    settings : dict
        Settings of the measurement, such as the number of peaks.
    """

    kind: str
    shape: str
    origins: Mapping[str, Origin]
    settings: Mapping[str, Any]


def numbers_csv(rows: Iterable[Row], measurement: Measurement) -> str:
    """Return numbers with all that is needed to measure them again.

    Parameters
    ----------
    rows : iterable of Row
        Rows of `Findings`.
    measurement : Measurement
        How they were measured.

    Returns
    -------
    str
        A header and one line for each row. Numbers have full precision; settings, recipe and
        versions of the software are JSON.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, (*COLUMNS, *ORIGIN_COLUMNS))
    writer.writeheader()
    settings = {"line_width_px": LINE_WIDTH} if measurement.shape == "line" else {}
    settings |= measurement.settings
    reference = measurement.origins.get(str(settings.get("reference")))
    if reference is not None:
        settings |= {f"reference_{name}": v for name, v in reference.facts().items() if v}
    common = {
        "measurement": measurement.kind,
        "shape": measurement.shape,
        "settings": json.dumps(settings),
        "versions": json.dumps(versions()),
    }
    for row in rows:
        line = dict(
            zip(COLUMNS, (row.picture, row.quantity, row.value, row.unit, row.note), strict=True)
        )
        origin = measurement.origins.get(row.picture)
        line |= common | ({} if origin is None else origin.facts())
        writer.writerow({k: repr(v) if isinstance(v, float) else v for k, v in line.items()})
    return text.getvalue()


def curves_csv(draw: Callable[[Axes], None]) -> str:
    """Return the points of curves.

    Parameters
    ----------
    draw : callable
        Function of `Findings` that draws the curves on matplotlib axes.

    Returns
    -------
    str
        Lines with the name of the layer, "data" for its curve and "fit" for one fitted to it, x
        and y. The columns of x and y have the names of the axes. Only a header if there are none.
    """
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw(axes)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["layer", "curve", axes.get_xlabel(), axes.get_ylabel()])
    layer = ""
    for line in axes.lines:
        name = str(line.get_label())
        x, y = (np.asarray(v, float) for v in line.get_data())
        labeled = not name.startswith("_")  # matplotlib's names of lines without a label
        if labeled:
            layer = name
        elif len(x) <= 2:
            continue  # a mark and no curve
        curve = "data" if labeled else "fit"
        writer.writerows([layer, curve, a, b] for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return text.getvalue()
