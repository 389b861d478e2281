"""Localisation tables in files: ThunderSTORM's, Picasso's and other programs' columns.

Programs differ in their units and in the number at which counting starts. Tables in nm or um
(ThunderSTORM, the SMLM challenge) have their origin at the corner of the first camera pixel:
ThunderSTORM adds half a pixel to what it fits (``MultipleLocationsImageFitting``), and counts
frames from 1. So have its tables in pixels, and those of GDSC, since a unit is only a factor there.
Picasso's are in camera pixels, with the origin at the first pixel's centre, as it fits around whole
pixels (``gausslq.locs_from_fits``), and count frames from 0. z is in nm in both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_frames import searched_frames
from napari_sofinet.data.table_scale import camera_pixel
from napari_sofinet.io.atomic import check_writable
from napari_sofinet.io.file_stamp import stamp
from napari_sofinet.io.picasso import (
    MovieFacts,
    check_yaml,
    column_names,
    read_picasso,
    write_picasso,
    yaml_beside,
)
from napari_sofinet.io.regular_files import check_regular
from napari_sofinet.io.scale import LARGEST_PIXEL_UM
from napari_sofinet.io.text_table import NumberTable, read_layout, read_text_table, write_text_table

Format = Literal["thunderstorm", "picasso"]
MEANINGS = {
    "frame": ("frame", "frames", "frame_number", "frame_index", "frame_ix", "slice", "image-id"),
    "x": ("x", "x_position", "position_x", "xpos", "x_pos"),
    "y": ("y", "y_position", "position_y", "ypos", "y_pos"),
    "z": ("z", "z_position", "position_z", "zpos", "z_pos"),
    "photons": ("photons", "photon", "intensity", "int", "phot", "n_photons"),
    "uncertainty": ("uncertainty", "uncertainty_xy", "locprec", "loc_precision", "precision"),
    "background": ("background", "bg", "offset"),
}
UNITS = {
    "nm": "nm", "nanometer": "nm", "um": "um", "µm": "um", "μm": "um", "micron": "um",
    "px": "px", "pix": "px", "pixel": "px", "pixels": "px", "photon": "", "photons": "",
}  # fmt: skip
PLAIN = re.compile(r"(?P<base>.+?)[\s_]*[\[(]\s*(?P<unit>[^\])]*?)\s*[\])]")
JOINED = re.compile(r"(?P<base>.+?)[_ ](?P<unit>nm|um|µm|px|pix|pixels?|photons?)")
CORNER_PX = "px from the corner"
"""Unit of columns such as ``x [px]`` and ``X (px)``; ``x_px`` counts from the first centre."""
FARTHEST_PX = 1e7
LAST_FRAME = 10**9
PICASSO_PRECISION = {"lpx", "lpy"}
SUFFIXES = ".csv", ".csv.gz", ".tsv", ".txt", ".hdf5", ".h5"


class PixelSizeNeeded(InputError):
    """The table is in nm and the size of a camera pixel is unknown."""


def read_localizations(
    path: str | os.PathLike[str], camera_pixel_um: float | None = None
) -> LocalizationTable:
    """Read a table of localisations, sorted by frame.

    Parameters
    ----------
    path
        Text (comma, semicolon, tab or space between columns; plain or gzip) with ThunderSTORM's,
        Picasso's, LUME's or other columns whose names say their unit, e.g. ``x_nm`` or
        ``x [px]``; or HDF5 of Picasso, with its YAML beside it.
    camera_pixel_um
        Size of a camera pixel in um; by default the value in the file, which only HDF5 files of
        Picasso contain.

    Raises
    ------
    InputError
        The file is not a table of localisations, is empty, or its units are unknown.
    PixelSizeNeeded
        The table is in nm or um, and the size of a camera pixel is unknown.
    """
    path = Path(path)
    if camera_pixel_um is not None and not 0 < camera_pixel_um <= LARGEST_PIXEL_UM:
        raise InputError(
            f"A camera pixel of {camera_pixel_um} um is not plausible; give it in um, e.g. 0.1."
        )
    check_regular(path)
    before = stamp(os.path.abspath(path))
    if _is_hdf5(path):
        columns, facts = read_picasso(path)
        raw = NumberTable(columns)
    else:
        raw, facts = read_text_table(path), MovieFacts()
    notes: list[str] = []
    pixel = camera_pixel(path, camera_pixel_um, facts.pixel_um, notes)
    table = _table(path.name, raw, facts, pixel, notes)
    return replace(table, path=before.path, stamp=before, looked_at=searched_frames(path))


def is_table(path: str | Path) -> bool:
    """Return whether a file looks like a table of localisations, from its first bytes."""
    path = Path(path)
    try:
        names = column_names(path) if _is_hdf5(path) else read_layout(path).names
    except InputError:
        return False
    return {"frame", "x", "y"} <= _meanings(names).keys()


def write_localizations(
    path: str | Path,
    table: LocalizationTable,
    columns: Format = "thunderstorm",
    *,
    beside: Mapping[Path, str] = MappingProxyType({}),
) -> None:
    """Write a table as .csv or .csv.gz, or as Picasso's .hdf5 with its .yaml.

    Parameters
    ----------
    columns
        Columns of a text file. Further columns of the table are written under their own names.
    beside
        Texts of further files that appear together with the table, by their path.

    Raises
    ------
    InputError
        The name has another ending, or the size of a camera pixel is unknown, which columns in nm
        need.
    """
    path = Path(path)
    kind = check_table_output(path)
    if kind == "hdf5":
        facts = MovieFacts(table.camera_pixel_um, table.shape, table.frame_count)
        write_picasso(path, _picasso_columns(table), facts, beside)
    elif columns == "picasso":
        write_text_table(path, _picasso_columns(table), False, beside)
    else:
        write_text_table(path, _thunderstorm_columns(table), True, beside)


def check_table_output(path: Path) -> Literal["csv", "hdf5"]:
    """Return the kind of file for a name; raise `InputError` unless it can be written."""
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz", ".hdf5", ".h5")):
        raise InputError(f"The table {path.name} must end in .csv, .csv.gz or .hdf5.")
    check_writable(path)
    if not _is_hdf5(path):
        return "csv"
    check_yaml(path)
    return "hdf5"


def files_of_table(path: Path) -> tuple[Path, ...]:
    """Return the files of a table: HDF5 tables of Picasso have a YAML file beside them.

    Examples
    --------
    >>> [file.name for file in files_of_table(Path("found.hdf5"))]
    ['found.hdf5', 'found.yaml']
    """
    return (path, yaml_beside(path)) if _is_hdf5(path) else (path,)


def _is_hdf5(path: Path) -> bool:
    return path.suffix.lower() in (".hdf5", ".h5")


def _table(
    name: str, raw: NumberTable, facts: MovieFacts, pixel: float | None, notes: list[str]
) -> LocalizationTable:
    """Make a table of localizations from the columns of a file."""
    meanings = _meanings(tuple(raw.columns))
    _check_columns(name, raw, meanings)
    usual = _usual_unit(name, raw, meanings)
    unit = {key: meanings[key][1] or usual for key in ("x", "y")}
    if raw.dropped:
        notes.append(f"Columns of text were left out: {', '.join(raw.dropped)}.")
    rest = dict(raw.columns)
    taken = {key: rest.pop(column) for key, (column, _) in meanings.items()}
    y, x = (_in_px(taken[key], unit[key], pixel, name) for key in ("y", "x"))
    if unit["x"] == CORNER_PX:
        notes.append(
            "x and y in px are assumed to be relative to the corner of the first camera pixel, as "
            "in ThunderSTORM and GDSC."
        )
    found: dict[str, Any] = {"frame": taken["frame"], "y_px": y, "x_px": x}
    found |= {key: taken[key] for key in ("photons", "background") if key in taken}
    if "z" in taken:
        found["z_um"] = taken["z"] * _um_of_z(meanings["z"][1], usual, pixel, name)
    if "uncertainty" in taken:
        size = _per_px(meanings["uncertainty"][1] or unit["x"], pixel, name)
        found["uncertainty_px"] = taken["uncertainty"] / size
    elif usual == "px" and PICASSO_PRECISION <= raw.columns.keys():
        with np.errstate(over="ignore"):
            found["uncertainty_px"] = np.sqrt((rest["lpx"] ** 2.0 + rest["lpy"] ** 2.0) / 2)
    found, rest = _usable(name, found, rest, notes)
    found["frame"] = _frames(name, found["frame"], unit["x"], usual, notes)
    found, rest = _sorted(found, rest, notes)
    columns: dict[str, Any] = found
    return LocalizationTable(
        **columns,
        columns=rest,
        camera_pixel_um=pixel,
        frames=facts.frames,
        shape=facts.shape,
        name=name,
        notes=tuple(notes),
    )


def _usual_unit(
    name: str, raw: NumberTable, meanings: dict[str, tuple[str, str]]
) -> Literal["px", "nm"] | None:
    """Return the unit of positions without a stated unit: that of Picasso or LUME."""
    # Only Picasso leaves its units out; without uncertainties its text is like any other's.
    precise = PICASSO_PRECISION <= raw.columns.keys()
    if (precise or _is_hdf5(Path(name))) and not meanings["x"][1]:
        return "px"
    return "nm" if any("lume" in line.lower() for line in raw.comments) else None


def _check_columns(name: str, raw: NumberTable, meanings: dict[str, tuple[str, str]]) -> None:
    """Raise `InputError` unless there are frames and positions."""
    missing = [key for key in ("frame", "x", "y") if key not in meanings]
    if missing:
        has = ", ".join([*raw.columns, *raw.dropped][:20])
        raise InputError(
            f"{name} has no column {' and no column '.join(missing)} with numbers; it has {has}."
        )
    if not len(raw.columns[meanings["x"][0]]):
        raise InputError(f"{name} contains no localisations, only the names of columns.")


def _meanings(names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """For what we know: the column's name in the file and its unit, "" where it has none."""
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        text = name.strip().lower()
        match = PLAIN.fullmatch(text) or JOINED.fullmatch(text)
        base, unit = (match["base"], match["unit"]) if match else (text, "")
        for meaning, words in MEANINGS.items():
            if base in words and meaning not in found and (not unit or unit in UNITS):
                known = UNITS.get(unit, "")
                bracketed = known == "px" and not JOINED.fullmatch(text)
                found[meaning] = (name, CORNER_PX if bracketed else known)
    return found


def _per_px(unit: str | None, pixel: float | None, name: str) -> float:
    """Return the size of a camera pixel in a unit."""
    if unit in ("px", CORNER_PX):
        return 1.0
    if unit is None:
        raise InputError(
            f"The columns x and y of {name} have no unit; name them x_nm and y_nm, or x_px and "
            "y_px, in the first line."
        )
    if pixel is None:
        raise PixelSizeNeeded(
            f"{name} is in {unit} and does not contain the size of a camera pixel; give it in um "
            "(--pixel-size, camera_pixel_um)."
        )
    return pixel * 1000 if unit == "nm" else pixel


def _um_of_z(unit: str, usual: str | None, pixel: float | None, name: str) -> float:
    """Return the um in the unit of z: of Picasso and LUME, which leave it out, nm."""
    if not unit and usual is None:
        raise InputError(f"The column z of {name} has no unit; name it z_nm in the first line.")
    return {"um": 1.0, "px": pixel or 1.0, CORNER_PX: pixel or 1.0}.get(unit, 1e-3)


def _in_px(values: np.ndarray, unit: str | None, pixel: float | None, name: str) -> np.ndarray:
    """Camera pixels from the centre of the first one."""
    size = _per_px(unit, pixel, name)
    if unit == "px":
        return np.asarray(values, np.float64)
    values = values / size
    values -= 0.5
    return values


def _usable(
    name: str, found: dict[str, np.ndarray], rest: dict[str, np.ndarray], notes: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows that have a place and a frame."""
    rows = np.isfinite(found["frame"])
    for key in ("y_px", "x_px"):
        # False for NaN, too.
        rows &= np.abs(found[key]) < FARTHEST_PX
    bad = len(rows) - int(np.count_nonzero(rows))
    if not bad:
        return found, rest
    if bad == len(rows):
        raise InputError(f"{name} has no row with numbers for frame, x and y.")
    notes.append(
        "1 row without usable numbers was left out."
        if bad == 1
        else f"{bad} rows without usable numbers were left out."
    )
    return {k: v[rows] for k, v in found.items()}, {k: v[rows] for k, v in rest.items()}


def _frames(
    name: str, frame: np.ndarray, unit: str | None, usual: str | None, notes: list[str]
) -> np.ndarray:
    """Frames from 0."""
    low, high = float(frame.min()), float(frame.max())
    if low < 0 or high > LAST_FRAME:
        raise InputError(f"Frames of {name} go from {low:g} to {high:g}, which is not plausible.")
    whole = frame.astype(np.int64)
    if frame.dtype.kind == "f" and not np.array_equal(whole, frame):
        raise InputError(f"The column frame of {name} contains fractions instead of frame numbers.")
    if usual == "px":
        return whole
    if low == 0:
        if unit == "nm":
            notes.append("Frames are assumed to be counted from 0, since there is a frame 0.")
        return whole
    if unit in ("px", CORNER_PX):
        notes.append("Frames are assumed to be counted from 1, since there is no frame 0.")
    whole -= 1
    return whole


def _sorted(
    found: dict[str, np.ndarray], rest: dict[str, np.ndarray], notes: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    frame = found["frame"]
    if np.all(frame[1:] >= frame[:-1]):
        return found, rest
    notes.append("The frames were not in order; the table was sorted.")
    order = np.argsort(frame, kind="stable")
    return {k: v[order] for k, v in found.items()}, {k: v[order] for k, v in rest.items()}


def _thunderstorm_columns(table: LocalizationTable) -> dict[str, np.ndarray]:
    if table.camera_pixel_um is None:
        raise PixelSizeNeeded(
            "The columns of ThunderSTORM are in nm, but the size of a camera pixel is unknown; "
            "give it in um (--pixel-size) or write the columns of Picasso."
        )
    nm = 1000 * table.camera_pixel_um
    rest = dict(table.columns)
    found = {"frame": table.frame + 1}
    found |= {"x [nm]": (table.x_px + 0.5) * nm, "y [nm]": (table.y_px + 0.5) * nm}
    if table.z_um is not None:
        found["z [nm]"] = table.z_um * 1000
    if not any(name.startswith("sigma") for name in rest) and {"sx", "sy"} <= rest.keys():
        found["sigma [nm]"] = (rest["sx"] + rest["sy"]) * (nm / 2)
    for name, values in (
        ("intensity [photon]", table.photons),
        ("offset [photon]", table.background),
        ("uncertainty_xy [nm]", _scaled(table.uncertainty_px, nm)),
    ):
        if values is not None:
            found[name] = values
    return found | {name: values for name, values in rest.items() if name not in found}


def _picasso_columns(table: LocalizationTable) -> dict[str, np.ndarray]:
    rest = dict(table.columns)
    found = {"frame": table.frame, "x": table.x_px, "y": table.y_px}
    if table.photons is not None:
        found["photons"] = table.photons
    if table.camera_pixel_um is not None:
        # One width for both axes, or one for each.
        for ours, names in (
            ("sx", ("sigma [nm]", "sigma1 [nm]")),
            ("sy", ("sigma [nm]", "sigma2 [nm]")),
        ):
            known = next((name for name in names if name in rest), None)
            if known is not None:
                found[ours] = rest[known] / (1000 * table.camera_pixel_um)
    if table.background is not None:
        found["bg"] = table.background
    if table.uncertainty_px is not None:
        found["lpx"] = found["lpy"] = table.uncertainty_px
    if table.z_um is not None:
        found["z"] = table.z_um * 1000
    for name, values in rest.items():
        # Its own precision along each axis says more than their mean.
        if name in ("lpx", "lpy") or name not in found:
            found[name] = values
    return found


def _scaled(values: np.ndarray | None, factor: float) -> np.ndarray | None:
    return None if values is None else values * factor
