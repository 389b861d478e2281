"""What is done to a table between reading and saving: keep rows, correct drift, draw, record.

``settings`` are those of a recipe: ``where`` (conditions), ``drift`` ("no", "auto" or frames of a
block), ``render`` ("gaussian" or "histogram"), ``pixel_nm`` and ``fineness`` (distance of samples
in nm, or samples along one camera pixel; None: 20 nm, or 0.2 camera pixels where their size is not
known) and ``window`` (frames and step of a film, or None).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.settings import Report, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.recipe import Recipe
    from napari_sofinet.reconstruction import Reconstruction

METHOD = "table"
USUAL_PIXEL_NM = 20.0
USUAL_PIXEL_PX = 0.2
"""Of a camera whose pixel is not known."""


def keep(table: LocalizationTable, conditions: Sequence[str]) -> LocalizationTable:
    """The rows that meet all conditions, see `LocalizationTable.filter`; at least one.

    Raises
    ------
    InputError
        A condition can not be read, or no row is left.
    """
    if not len(table):
        raise InputError(f"{table.name} holds no localisation.")
    kept = table.filter(*conditions)
    if not len(kept):
        raise InputError(table.why_none(*conditions))
    if len(kept) < len(table):
        kept = kept.noted(f"{len(kept)} of {len(table)} localisations meet the conditions.")
    return kept


def correct(
    table: LocalizationTable, drift: str | int, report: Report = silent
) -> tuple[np.ndarray | None, LocalizationTable]:
    """The way of the sample (T, 2) y, x in camera pixels, and the table without it.

    With ``drift`` "no" there is no way, and the table is as it was; raises as `correct_drift`.
    """
    if drift == "no":
        return None, table
    from napari_sofinet.localization.drift import correct_drift

    way, table = correct_drift(table, None if drift == "auto" else int(drift), report)
    far = farthest(way)
    pixel = table.camera_pixel_um
    length = f"{far:.2g} camera px" if pixel is None else f"{1000 * far * pixel:.3g} nm"
    return way, table.noted(f"The drift was {length}; it was corrected.")


def farthest(way: np.ndarray) -> float:
    """How far a way (T, 2) reaches, as the diagonal of the box around it."""
    return float(np.hypot(*(way.max(axis=0) - way.min(axis=0))))


def draw_table(
    table: LocalizationTable, settings: dict[str, Any], report: Report = silent
) -> Reconstruction:
    """Picture or film of a table, without a recipe; raises as `render`."""
    from napari_sofinet.localization.rendering import render

    window = settings["window"]
    return render(
        table,
        _distance_px(table, settings["pixel_nm"], settings.get("fineness")),
        settings["render"],
        frames_window=tuple(window) if window else None,
        report=report,
    )


def _distance_px(table: LocalizationTable, pixel_nm: float | None, fineness: float | None) -> float:
    """Distance of samples in camera pixels."""
    camera = table.camera_pixel_um
    if pixel_nm is not None and camera is None:
        raise InputError(
            f"The camera pixel of {table.name} is not known; give it in um (--pixel-size), or "
            "leave --pixel-nm."
        )
    if pixel_nm is not None and not pixel_nm > 0:
        raise InputError(f"The distance of samples must be above 0 nm, not {pixel_nm:g}.")
    if fineness is not None and not fineness > 0:
        raise InputError(f"The samples of a camera pixel must be above 0, not {fineness:g}.")
    if fineness is not None:
        return 1 / fineness
    return USUAL_PIXEL_PX if camera is None else (pixel_nm or USUAL_PIXEL_NM) / 1000 / camera


def record(
    table: LocalizationTable,
    settings: dict[str, Any],
    path: str | os.PathLike[str] | None,
    frame_interval_s: float | None = None,
) -> Recipe:
    """The recipe of a picture of a table that was read from a file, or made in memory (None)."""
    from napari_sofinet.recipe import MethodStep, OpenStep, Recipe, fingerprint, versions

    size, digest = (None, None) if path is None else fingerprint((str(path),))
    rows, columns = table.shape or (
        int(np.ceil(values.max() + 0.5)) for values in (table.y_px, table.x_px)
    )
    drift = "" if settings["drift"] == "no" else (
        " Drift was corrected by redundant cross-correlation of blocks (Wang et al., Opt. Express "
        "22, 15982 (2014))."
    )  # fmt: skip
    kept = f" that meet {' and '.join(settings['where'])}" if settings["where"] else ""
    drawn = (
        "as normal distributions as wide as their uncertainty"
        if settings["render"] == "gaussian"
        else "as a histogram"
    )
    return Recipe(
        open=OpenStep(
            path=None if path is None else os.path.abspath(path),
            name=table.name,
            size_bytes=size,
            fingerprint=digest,
            pixel_size_um=table.camera_pixel_um,
            frame_interval_s=frame_interval_s,
            shape=(table.frame_count, rows, columns),
        ),
        reconstruct=MethodStep(method=METHOD, settings=settings),
        versions=versions(),
        methods_paragraph=(
            f"{len(table)} localisations{kept} in {table.frame_count} frames were drawn {drawn} "
            f"with napari-sofinet {versions().get('napari-sofinet', '')}.{drift}"
        ),
    )
