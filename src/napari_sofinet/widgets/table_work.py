"""Work of the dock "Localisations", for a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.base.settings import build, flatten_settings
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.methods.table import TableSettings, prepare
from napari_sofinet.widgets.curves import draw_drift
from napari_sofinet.widgets.table_reader import MOST_POINTS

PLOT = 300, 190  # px


@dataclass(frozen=True, eq=False)
class Made:
    """Result of the work.

    Attributes
    ----------
    table : LocalizationTable
        Localizations that are left, without drift.
    changed : bool
        Whether the table differs from the one that was given.
    way : ndarray or None
        Drift (T, 2) of the sample, y and x in camera pixels; None if it was not corrected.
    curve : ndarray or None
        Pixels of the curves of the drift.
    picture : Reconstruction or None
        Picture of the table.
    """

    table: LocalizationTable
    changed: bool
    way: np.ndarray | None
    curve: np.ndarray | None
    picture: Reconstruction | None


def make(table: LocalizationTable, form: dict[str, Any], report: Report) -> Made:
    """Filter a table, correct its drift and draw it, as `sofinet table` does.

    Parameters
    ----------
    table : LocalizationTable
        Table of the layer.
    form : dict
        Settings of the method "table"; empty ones have their defaults. No picture is drawn if
        ``render`` is empty.
    report : callable
        Function that receives the progress.

    Returns
    -------
    Made
        Table and picture.

    Raises
    ------
    InputError
        If nothing is asked for, nothing is left, or too many points would have to be shown.
    """
    drawn = bool(form["render"])
    settings = build(TableSettings, {k: v for k, v in form.items() if v != ""})
    way, kept = prepare(table, settings, portion(report, 0.0, 0.5))
    changed = kept is not table
    if not drawn:
        if not changed:
            raise InputError(
                "The table would not change; narrow the limits, correct the drift or choose a "
                "picture."
            )
        if len(kept) > MOST_POINTS:
            raise InputError(
                f"{len(kept)} localisations are too many for napari to show as points; choose a "
                "picture, or keep fewer."
            )
    curve = None if way is None else draw_drift(way, kept.camera_pixel_um, *PLOT)
    if not drawn:
        return Made(kept, changed, way, curve, None)
    values = flatten_settings(settings)
    picture = reconstruct(table, "table", report=portion(report, 0.5, 1.0), **values)
    return Made(kept, changed, way, curve, replace(picture, localizations=kept))
