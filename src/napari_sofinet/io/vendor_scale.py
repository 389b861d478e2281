"""Scale of a movie in the metadata of MetaMorph, Micro-Manager, Zeiss and Olympus TIFF files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile

from napari_sofinet.io.micromanager_file import PLACE_TAG

Scale = tuple[tuple[Any, Any, str] | None, float | None]
"""Pixel size along x and y with its unit, and frame interval in s."""
DAY_MS = 86_400_000


def vendor_scale(tif: TiffFile) -> Scale:
    """Return the pixel size with its unit, and the frame interval, that a program wrote.

    Parameters
    ----------
    tif : TiffFile
        The open file.

    Returns
    -------
    pixel : tuple of (float, float, str), optional
        Size along x and y, and its unit.
    interval : float, optional
        Time from frame to frame in s.
    """
    readers: tuple[tuple[bool, Callable[[TiffFile], Scale]], ...] = (
        (tif.is_stk, _stk),
        (is_metaseries(tif), _metaseries),
        (tif.is_lsm, _lsm),
        (tif.is_sis, _sis),
        (True, _micromanager),
    )
    for applies, reader in readers:
        if applies:
            try:
                return reader(tif)
            except Exception:  # whatever a damaged description leads to: the scale is not known
                return None, None
    return None, None


def _stk(tif: TiffFile) -> Scale:
    meta = tif.stk_metadata or {}
    pixel = None
    if "XCalibration" in meta:
        unit = str(meta.get("CalibrationUnits", "um"))
        pixel = meta["XCalibration"], meta.get("YCalibration", meta["XCalibration"]), unit
    times = np.asarray(meta.get("TimeCreated", ()), np.int64)
    if len(times) < 2:
        return pixel, None
    return pixel, float(np.median(np.diff(times) % DAY_MS)) / 1000


def _metaseries(tif: TiffFile) -> Scale:
    facts = _plane_facts(tif, 0)
    pixel = None
    if facts.get("spatial-calibration-state", "on") == "on" and "spatial-calibration-x" in facts:
        x = facts["spatial-calibration-x"]
        y = facts.get("spatial-calibration-y", x)
        pixel = x, y, facts.get("spatial-calibration-units", "um")
    steps = len(tif.pages) - 1
    return pixel, interval_between(moment_of(tif), moment_of(tif, steps), steps)


def is_metaseries(tif: TiffFile) -> bool:
    """Return whether a file's first image has a description by MetaMorph."""
    page: Any = tif.pages[0]
    return str(page.description).lstrip().startswith("<MetaData>")


def _plane_facts(tif: TiffFile, number: int) -> dict[str, str]:
    """Return the properties of an image written by MetaMorph, as text by name."""
    page: Any = tif.pages.get(number, aspage=True)
    try:
        root = ElementTree.fromstring(page.description.strip("\0 \r\n"))
    except ElementTree.ParseError:
        return {}
    return {prop.get("id", ""): prop.get("value", "") for prop in root.iterfind("PlaneInfo/prop")}


def moment_of(tif: TiffFile, number: int = 0) -> datetime | None:
    """Return when MetaMorph took an image.

    Parameters
    ----------
    tif : TiffFile
        The open file.
    number : int, optional
        Number of the page; by default the first.
    """
    text = _plane_facts(tif, number).get("acquisition-time-local", "")
    for pattern in ("%Y%m%d %H:%M:%S.%f", "%Y%m%d %H:%M:%S"):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    return None


def interval_between(first: Any, last: Any, steps: int) -> float | None:
    """Return the mean time between images in s, None if it is not known.

    Examples
    --------
    >>> interval_between(datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 3), 60)
    0.05
    """
    if first is None or last is None or steps < 1:
        return None
    seconds = (last - first).total_seconds() / steps
    return seconds if seconds > 0 else None


def _lsm(tif: TiffFile) -> Scale:
    meta = tif.lsm_metadata or {}
    pixel = (meta["VoxelSizeX"], meta["VoxelSizeY"], "m") if "VoxelSizeX" in meta else None
    return pixel, float(meta.get("TimeIntervall", 0)) or None


def _sis(tif: TiffFile) -> Scale:
    meta = tif.sis_metadata or {}
    found = "pixelsizex" in meta
    return (meta["pixelsizex"], meta["pixelsizey"], "m") if found else None, None


def _micromanager(tif: TiffFile) -> Scale:
    first = _tagged(tif, 0)
    if not first:
        return None, None
    size = first.get("PixelSizeUm")
    pixel = (size, size, "um") if isinstance(size, (int, float)) and size > 0 else None
    steps = len(tif.pages) - 1
    for number in (steps, steps - 1):  # the last may be none, where a recording was broken off
        try:
            last = _tagged(tif, number)
            passed = float(last["ElapsedTime-ms"]) - float(first["ElapsedTime-ms"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
            continue
        ends = [facts.get("FrameIndex", facts.get("Frame", 0)) for facts in (first, last)]
        known = all(isinstance(end, int) for end in ends) and ends[1] > ends[0]
        counted = ends[1] - ends[0] if known else number
        return pixel, passed / 1000 / counted if passed > 0 and counted else None
    return pixel, None


def _tagged(tif: TiffFile, number: int) -> dict[str, Any]:
    """Facts that Micro-Manager writes beside each image."""
    page: Any = tif.pages.get(number, aspage=True)
    tag = page.tags.get(PLACE_TAG)
    return tag.value if tag is not None and isinstance(tag.value, dict) else {}
