"""A table of localisations: one row per emitter and frame."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.recipe import OpenStep
from napari_sofinet.data.selection import Roi, check_frames, check_roi
from napari_sofinet.io.file_stamp import FileStamp, check_unchanged
from napari_sofinet.io.fingerprint import fingerprint_input

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
CONDITION = re.compile(r"\s*(?P<name>\S.*?)\s*(?P<sign><=|>=|==|!=|<|>|=)\s*(?P<number>\S+)\s*")
COLUMNS = "frame", "y_px", "x_px", "photons", "uncertainty_px", "background", "z_um"
"""Columns that every table may have."""
LENGTHS = {"y_px": "y", "x_px": "x", "uncertainty_px": "uncertainty"}


@dataclass(frozen=True, eq=False)
class LocalizationTable:
    """Localisations of one movie, a numpy array (n,) for each column.

    Attributes
    ----------
    frame
        Number of the frame, int64, the file's first frame is 0.
    y_px, x_px
        Position in camera pixels of the file, float64; the centre of camera pixel (0, 0) is at (0,
        0).
    photons, background
        Photons of the emitter, and of the background in one pixel.
    uncertainty_px
        Standard deviation of the position along one axis, in camera pixels.
    z_um
        Height in um.
    columns
        Further columns by the names that they had in the file, in the file's units.
    camera_pixel_um
        Size of a camera pixel in um, None if unknown.
    frames, shape
        Number of frames, and rows and columns, of the movie, None if unknown.
    name
        Short name for layers and messages.
    notes
        Sentences that the user should read, e.g. about rows that were left out.
    path
        File that the table was read from; None if it was made in memory.
    frame_interval_s
        Time from frame to frame of the movie in s, None if unknown.
    frame_range, roi
        Selected part of the movie, see `select`. All rows are kept.
    stamp
        State of the file when it was read.
    looked_at
        First frame of the movie that was searched for emitters, and the one after the last; None
        if unknown.
    """

    frame: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    photons: np.ndarray | None = None
    uncertainty_px: np.ndarray | None = None
    background: np.ndarray | None = None
    z_um: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    camera_pixel_um: float | None = None
    frames: int | None = None
    shape: tuple[int, int] | None = None
    name: str = "localisations"
    notes: tuple[str, ...] = ()
    path: str | None = None
    frame_interval_s: float | None = None
    frame_range: tuple[int, int] | None = None
    roi: Roi | None = None
    stamp: FileStamp | None = None
    looked_at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, values in self.arrays().items():
            kind = np.int64 if name == "frame" else np.float64
            array = np.asarray(values, kind)
            if array.shape != (len(self.frame),):
                raise InputError(
                    f"Column {name} of {self.name} has shape {array.shape}, not one value for each "
                    f"of {len(self.frame)} localisations."
                )
            object.__setattr__(self, name, array)
        for name, values in self.columns.items():
            if np.shape(values) != (len(self.frame),):
                raise InputError(f"Column {name} of {self.name} does not have a value per row.")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files that belong to the table: none."""
        return ()

    def close(self) -> None:
        """Do nothing, since the whole table is in memory."""

    @property
    def frame_count(self) -> int:
        """Number of frames of the movie; if unknown, up to the last localisation."""
        last = int(self.frame.max()) + 1 if len(self) else 0
        return max(self.frames or 0, last, self.looked_at[1] if self.looked_at else 0)

    @property
    def frames_seen(self) -> tuple[int, int]:
        """Frames that the table is from, end excluded; if unknown, those with localisations."""
        if self.looked_at is not None:
            return self.looked_at
        if self.frames is not None or not len(self):
            return 0, self.frame_count
        return int(self.frame.min()), int(self.frame.max()) + 1

    def rows(self, rows: np.ndarray | slice) -> LocalizationTable:
        """Return the rows selected by a mask (n,), row numbers or a slice."""
        changes: dict[str, Any] = {name: values[rows] for name, values in self.arrays().items()}
        changes["columns"] = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, **changes)

    @property
    def field_px(self) -> tuple[int, int]:
        """Rows and columns of the movie; if unknown, up to the farthest localisations."""
        if self.shape is not None:
            return self.shape
        rows, columns = (
            max(int(np.ceil(at.max() + 0.5)), 1) if len(at) else 1 for at in (self.y_px, self.x_px)
        )
        return rows, columns

    @property
    def pixel_size_um(self) -> float | None:
        """Size of a camera pixel in um, None if unknown."""
        return self.camera_pixel_um

    @property
    def first_frame(self) -> int:
        """Number in the file of the selection's first frame."""
        return 0 if self.frame_range is None else self.frame_range[0]

    @property
    def origin_px(self) -> tuple[float, float]:
        """Row and column in the movie of the selection's pixel (0, 0)."""
        return (0.0, 0.0) if self.roi is None else (float(self.roi[0][0]), float(self.roi[1][0]))

    def select(
        self, frames: Sequence[int | None] | None = None, roi: Roi | None = None
    ) -> LocalizationTable:
        """Select a range of frames and a rectangle of the movie that the table was made from.

        Parameters
        ----------
        frames : sequence of two int or None, optional
            First frame, and the one after the last.
        roi : ((int, int), (int, int)), optional
            ((y0, y1), (x0, x1)) in camera pixels of the movie.

        Returns
        -------
        LocalizationTable
            Table with all rows and the new selection.

        Raises
        ------
        InputError
            The range or the rectangle is empty or lies outside the movie.
        """
        table = self
        if frames is not None:
            table = replace(table, frame_range=check_frames(frames, self.frame_count))
        if roi is not None:
            table = replace(table, roi=check_roi(roi, *self.field_px))
        return table

    def provenance(self) -> OpenStep:
        """Return the record of the table in a recipe: its file, its fingerprint and the selection.

        Raises
        ------
        InputError
            The file can no longer be read, or was changed after the table was read.
        """
        selected = self.frame_range or self.looked_at
        if self.frame_range and self.looked_at:
            selected = within(self.frame_range, self.looked_at)
        first, last = selected or (0, self.frame_count)
        rows, columns = (b - a for a, b in self.roi) if self.roi else self.field_px
        size, digest = None, None
        if self.path is not None:
            if self.stamp is not None:
                check_unchanged(self.name, (self.stamp,))
            size, digest = fingerprint_input(self.name, (self.path,))
        return OpenStep(
            path=self.path,
            name=self.name,
            size_bytes=size,
            fingerprint=digest,
            shape=(last - first, rows, columns),
            frames=selected,
            roi=self.roi,
            pixel_size_um=self.camera_pixel_um,
            frame_interval_s=self.frame_interval_s,
        )

    def same_as(self, other: LocalizationTable) -> bool:
        """Return whether all columns contain the same numbers, up to rounding."""
        mine, others = ({**table.arrays(), **table.columns} for table in (self, other))
        return mine.keys() == others.keys() and all(
            len(values) == len(others[name])
            and np.allclose(values, others[name], rtol=1e-12, atol=0, equal_nan=True)
            for name, values in mine.items()
        )

    def by_frame(self) -> LocalizationTable:
        """Return the table in the order of frames."""
        if np.all(self.frame[1:] >= self.frame[:-1]):
            return self
        return self.rows(np.argsort(self.frame, kind="stable"))

    def filter(self, *conditions: str) -> LocalizationTable:
        """Return the rows that meet every condition.

        Parameters
        ----------
        *conditions
            Conditions such as ``"photons > 300"``, ``"uncertainty_nm < 20"`` or ``"frame >= 100"``:
            a column, one of ``< <= > >= == !=`` and a number. Columns are those of the table and
            the file's further ones; lengths also as ``x_nm``, ``y_nm``, ``x_um``, ``y_um``,
            ``z_nm`` and ``uncertainty_nm``. A row without a value in the column does not meet the
            condition.

        Raises
        ------
        InputError
            A condition cannot be read, or the table does not have its column.
        """
        rows = self.meets(*conditions)
        return self if rows.all() else self.rows(rows)

    def meets(self, *conditions: str) -> np.ndarray:
        """Return whether each row meets every condition, bool (n,); see `filter`."""
        rows = np.ones(len(self), bool)
        for condition in conditions:
            values, _, compare, number = self._condition(condition)
            rows &= compare(values, number)
            if compare is operator.ne:
                rows &= ~np.isnan(values)
        return rows

    def why_none(self, *conditions: str) -> str:
        """Return a sentence on conditions that no row meets."""
        for condition in conditions:
            if self.meets(condition).any():
                continue
            values, unit, _, _ = self._condition(condition)
            known = values[~np.isnan(values)] * unit
            has = (
                f"it goes from {known.min():.6g} to {known.max():.6g}"
                if len(known)
                else "no row has a value in this column"
            )
            return f"No localisation of {self.name} has {condition.strip()}; {has}."
        return f"No localisation of {self.name} meets all of the conditions; loosen one."

    def noted(self, *notes: str) -> LocalizationTable:
        """Return the table with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def with_pixel(self, camera_pixel_um: float) -> LocalizationTable:
        """Return the table with another size of camera pixels in um."""
        return replace(self, camera_pixel_um=camera_pixel_um)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the standard columns that this table has."""
        return {name: getattr(self, name) for name in COLUMNS if getattr(self, name) is not None}

    def _condition(self, text: str) -> tuple[np.ndarray, float, Callable[[Any, Any], Any], float]:
        """Column, what makes its numbers the condition's, comparison, number for the column."""
        match = CONDITION.fullmatch(text)
        try:
            number = float(match["number"]) if match else np.nan
        except ValueError:
            number = np.nan
        if match is None or np.isnan(number):
            raise InputError(
                f"The condition {text[:60]!r} cannot be read; write a column, a comparison and a "
                "number, e.g. 'photons > 300'."
            )
        values, unit = self._named(match["name"])
        return values, unit, COMPARISONS[match["sign"]], number / unit

    def _named(self, name: str) -> tuple[np.ndarray, float]:
        """A column, and what its numbers are to be multiplied with to have the name's unit."""
        own = self.arrays()
        if name in self.columns and name not in own:
            return self.columns[name], 1.0
        table = {known: (known, 1.0) for known in own}
        if "z_um" in own:
            table["z_nm"] = ("z_um", 1000.0)
        lengths = {
            f"{short}_{unit}": (long, factor)
            for long, short in LENGTHS.items()
            if long in own
            for unit, factor in (("um", 1.0), ("nm", 1000.0))
        }
        if name in lengths and self.camera_pixel_um is None:
            raise InputError(
                f"{self.name} is in camera pixels of unknown size, so {name} cannot be computed; "
                "give the size of a camera pixel (--pixel-size) or use pixels."
            )
        if self.camera_pixel_um is not None:
            pixel = self.camera_pixel_um
            table |= {key: (long, factor * pixel) for key, (long, factor) in lengths.items()}
        if name not in table:
            known = ", ".join([*table, *self.columns])
            raise InputError(f"{self.name} has no column {name[:60]}; it has {known}.")
        long, factor = table[name]
        return own[long], factor


def within(frames: tuple[int, int], others: tuple[int, int]) -> tuple[int, int]:
    """Return the frames that two ranges share; the first range if they share none."""
    first, last = max(frames[0], others[0]), min(frames[1], others[1])
    return (first, last) if first < last else frames
