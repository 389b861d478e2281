"""Picture of a table of localizations: filter rows, correct drift and render."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable, within
from napari_sofinet.localization.drift import correct_drift
from napari_sofinet.localization.rendering import render
from napari_sofinet.methods.contract import Method

DEFAULT_PIXEL_NM = 20.0
DEFAULT_PIXEL_PX = 0.2
"""Pixel size of the picture in camera pixels if the size of these is not known."""


class TableSettings(Settings):
    """A picture, or a time series, of a table of localisations."""

    where: str = parameter(
        "",
        "Conditions that rows must meet, joined by 'and', e.g. 'photons > 300 and frame < 500'.",
        label="Conditions",
        basic=True,
        empty="all rows",
    )
    drift: str = parameter(
        "no",
        "Drift correction: 'no', 'auto', or the number of frames per block.",
        label="Drift correction",
        basic=True,
    )
    render: Literal["gaussian", "histogram"] = parameter(
        "gaussian",
        "Rendering: Gaussian spots as wide as their uncertainty, or counts per pixel.",
        label="Spots drawn as",
        basic=True,
    )
    pixel_nm: float | None = parameter(
        None,
        "Pixel size of the picture.",
        label="Pixel size",
        unit="nm",
        gt=0,
        empty="20 nm or 0.2 camera pixels",
        only_if={"fineness": (None,)},
    )
    fineness: float | None = parameter(
        None,
        "Number of pixels of the picture along one camera pixel, instead of a pixel size.",
        label="Pixels per camera pixel",
        gt=0,
    )
    window: int | None = parameter(
        None,
        "Number of frames for each picture of a time series.",
        unit="frames",
        empty="one picture of all",
        ge=1,
        lt=10**9,
    )
    step: int | None = parameter(
        None,
        "Frames from one picture of a time series to the next.",
        label="Film step",
        unit="frames",
        empty="half a window",
        ge=1,
        lt=10**9,
        not_if={"window": (None,)},
    )

    @property
    def conditions(self) -> list[str]:
        """The conditions one by one."""
        return [word.strip() for word in self.where.split(" and ") if word.strip()]

    @model_validator(mode="before")
    @classmethod
    def _read_old_recipe(cls, values: Any) -> Any:
        """Accept lists of conditions, and a window with its step, as old recipes have them."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if isinstance(values.get("where"), list | tuple):
            values["where"] = " and ".join(map(str, values["where"]))
        if isinstance(values.get("drift"), int):
            values["drift"] = str(values["drift"])
        if isinstance(values.get("window"), list | tuple):
            values["window"], values["step"] = values["window"]
        return values

    @model_validator(mode="after")
    def _drift_is_known(self) -> TableSettings:
        known = self.drift in ("no", "auto")
        if not known and not (self.drift.isdecimal() and 1 <= int(self.drift) <= 10**9):
            raise ValueError(
                f"The setting drift takes no, auto or a number of frames, not {self.drift[:40]!r}."
            )
        return self


def draw(table: LocalizationTable, settings: TableSettings, report: Report) -> Reconstruction:
    """Draw the rows of a table that meet the conditions, after correcting drift.

    Parameters
    ----------
    table : LocalizationTable
        Table with its selection.
    settings : TableSettings
        Conditions, drift and picture.
    report : Report
        Receives the progress.

    Returns
    -------
    Reconstruction
        ``image`` (Y, X), or (T, Y, X) with a window: localizations per pixel, float32.

    Raises
    ------
    InputError
        A condition cannot be read, no row is left, or the picture would be too large.
    """
    corrected = prepare(table, settings, portion(report, 0.0, 0.5))[1]
    return draw_prepared(corrected, settings, portion(report, 0.5, 1.0))


def prepare(
    table: LocalizationTable, settings: TableSettings, report: Report = silent
) -> tuple[np.ndarray | None, LocalizationTable]:
    """Keep the rows that meet the conditions, and correct drift.

    Parameters
    ----------
    table : LocalizationTable
        Table with its selection.
    settings : TableSettings
        Conditions and drift.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    drift_px : ndarray of shape (T, 2), or None
        Position y, x of the sample in every frame in camera pixels; None without a correction.
    table : LocalizationTable
        The rows that are left.

    Raises
    ------
    InputError
        A condition cannot be read, no row is left, or there are too few localizations to measure
        the drift.
    """
    kept = keep(_selected(table), settings.conditions)
    if settings.drift == "no":
        return None, kept
    block = None if settings.drift == "auto" else int(settings.drift)
    path, kept = correct_drift(kept, block, report)
    extent = farthest(path)
    pixel = kept.camera_pixel_um
    length = f"{extent:.2g} camera px" if pixel is None else f"{1000 * extent * pixel:.3g} nm"
    return path, kept.noted(f"A drift of {length} was corrected.")


def keep(table: LocalizationTable, conditions: list[str]) -> LocalizationTable:
    """Return the rows that meet all conditions.

    Parameters
    ----------
    table : LocalizationTable
        The table.
    conditions : list of str
        Conditions, see `LocalizationTable.filter`.

    Returns
    -------
    LocalizationTable
        Table with at least one row.

    Raises
    ------
    InputError
        A condition cannot be read, or no row is left.
    """
    if not len(table):
        raise InputError(f"{table.name} contains no localisations.")
    kept = table.filter(*conditions)
    if not len(kept):
        raise InputError(table.why_none(*conditions))
    if len(kept) < len(table):
        kept = kept.noted(f"{len(kept)} of {len(table)} localisations meet the conditions.")
    return kept


def draw_prepared(
    table: LocalizationTable, settings: TableSettings, report: Report = silent
) -> Reconstruction:
    """Draw all rows of a table, see `render`."""
    window = settings.window
    return render(
        table,
        _pixel_px(table, settings),
        settings.render,
        roi=table.roi,
        frames_window=None if window is None else (window, settings.step or max(window // 2, 1)),
        report=report,
    )


def farthest(path: np.ndarray) -> float:
    """Return the diagonal of the box around a path (T, 2).

    Examples
    --------
    >>> import numpy as np
    >>> farthest(np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 4.0]]))
    5.0
    """
    return float(np.hypot(*(path.max(axis=0) - path.min(axis=0))))


def _selected(table: LocalizationTable) -> LocalizationTable:
    """Return the rows in the range of frames that was selected."""
    if table.frame_range is None:
        return table
    first, last = table.frame_range
    rows = table.rows((table.frame >= first) & (table.frame < last))
    return replace(rows, looked_at=within((first, last), table.frames_seen))


def _pixel_px(table: LocalizationTable, settings: TableSettings) -> float:
    """Return the pixel size of the picture in camera pixels."""
    camera = table.camera_pixel_um
    if settings.pixel_nm is not None and camera is None:
        raise InputError(
            f"The size of a camera pixel of {table.name} is not known; give it in um "
            "(--pixel-size), or leave out --pixel-nm."
        )
    if settings.fineness is not None:
        return 1 / settings.fineness
    return (
        DEFAULT_PIXEL_PX
        if camera is None
        else (settings.pixel_nm or DEFAULT_PIXEL_NM) / 1000 / camera
    )


def describe(settings: TableSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    conditions = settings.conditions
    kept = f"Those that meet {' and '.join(conditions)}" if conditions else "They"
    drawn = (
        "as normal distributions as wide as their uncertainty"
        if settings.render == "gaussian"
        else "as a histogram"
    )
    drift = (
        ""
        if settings.drift == "no"
        else " Drift was corrected by redundant cross-correlation of blocks (Wang et al., Opt. "
        "Express 22, 15982 (2014))."
    )
    return f"{kept} were drawn {drawn}.{drift}"


METHOD = Method(
    "table",
    "Picture of localisations",
    TableSettings,
    draw,
    describe,
    takes=(LocalizationTable,),
    gives=("image", "time series"),
)
