"""The scale of a TIFF movie: from OME, ImageJ and the resolution tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from tifffile import TiffFile

from napari_sofinet.io.vendor_scale import Scale, vendor_scale

UM_PER = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "\\u00b5m": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "inch": 25400.0,
    "inches": 25400.0,
    "nanometer": 1e-3,
    "nanometers": 1e-3,
    "micrometers": 1.0,
    "millimeter": 1e3,
    "m": 1e6,
    "meter": 1e6,
    "å": 1e-4,
    "Å": 1e-4,
    "pm": 1e-6,
}
S_PER = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "min": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "ns": 1e-9,
}
LARGEST_PIXEL_UM = 20.0
PLAUSIBLE_UM = 1e-3, LARGEST_PIXEL_UM
"""Pixel sizes that a resolution tag may mean; 72 dpi and the like are a printer's, not a
microscope's."""


def read_scale(tif: TiffFile, notes: list[str]) -> tuple[float | None, float | None]:
    """Return the pixel size in um and the frame interval in s that a file contains.

    Sources are OME, ImageJ, MetaMorph, Micro-Manager and others, and resolution tags, in this
    order.

    Parameters
    ----------
    tif : TiffFile
        The open file.
    notes : list of str
        A note is appended if pixels are not square.
    """
    pixel_xy, interval = _ome_scale(tif.ome_metadata) if tif.is_ome else (None, None)
    imagej = tif.imagej_metadata or {}
    if imagej and interval is None:
        unit = S_PER.get(str(imagej.get("tunit", "s")).lower())
        interval = _times(imagej.get("finterval"), unit)
    vendor: Scale = (None, None)
    if pixel_xy is None or interval is None:
        vendor = vendor_scale(tif)
    interval = interval or _times(vendor[1], 1.0)
    if pixel_xy is None and vendor[0] is not None:
        um = UM_PER.get(vendor[0][2].strip("\0 ").lower())
        sizes = _times(vendor[0][0], um), _times(vendor[0][1], um)
        pixel_xy = (sizes[0], sizes[1] or sizes[0]) if sizes[0] else None
    if pixel_xy is None:
        pixel_xy = _tag_scale(tif, str(imagej.get("unit", "")).lower() if imagej else None)
    if pixel_xy is None:
        return None, interval
    x, y = pixel_xy
    if abs(x - y) > 0.01 * x:
        notes.append(f"According to the file, pixels are {x:.4g} x {y:.4g} um; {x:.4g} um is used.")
    return x, interval


def _times(value: Any, factor: float | None) -> float | None:
    """A plausible number times a unit; None for anything else that a file may hold."""
    try:
        number = float(value) * float(factor or 0)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 1e-9 < number < 1e9 else None


def _tag_scale(tif: TiffFile, imagej_unit: str | None) -> tuple[float, float] | None:
    page: Any = tif.pages[0]
    try:
        ratios = [page.tags[f"{axis}Resolution"].value for axis in "XY"]
        per_unit = [number / of for number, of in ratios]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if min(per_unit) <= 0:
        return None
    tag = page.tags.get("ResolutionUnit")
    um = {2: 25400.0, 3: 1e4}.get(tag.value) if tag is not None else None
    if imagej_unit is not None:
        own = UM_PER.get(imagej_unit)
        # As ImageJ does: its text says in which unit it shows sizes, the tag says per cm.
        um = um if own == 1.0 and um == 1e4 else own
    if um is None:
        return None
    x, y = (um / r for r in per_unit)
    low, high = PLAUSIBLE_UM
    return (x, y) if low <= x <= high and low <= y <= high else None


def _ome_scale(xml: str | None) -> tuple[tuple[float, float] | None, float | None]:
    pixels = _ome_pixels(xml)
    x, y = (_number(pixels, f"PhysicalSize{axis}", UM_PER, "µm") for axis in "XY")
    interval = _number(pixels, "TimeIncrement", S_PER, "s")
    return (x, y or x) if x else None, interval


def _ome_pixels(xml: str | None) -> Mapping[str, str]:
    """Return the entries of OME on the pixels of the first image; none if there are none."""
    try:
        pixels = ElementTree.fromstring(xml).find(".//{*}Pixels") if xml else None
    except ElementTree.ParseError:
        return {}
    return {} if pixels is None else pixels.attrib


def _number(
    pixels: Mapping[str, str], name: str, factors: dict[str, float], default: str
) -> float | None:
    return _times(pixels.get(name), factors.get(pixels.get(f"{name}Unit", default)))


def read_plane_spacing(tif: TiffFile) -> float | None:
    """Return the distance of planes in um that a file contains, from OME or ImageJ.

    Parameters
    ----------
    tif : TiffFile
        The open file.

    Returns
    -------
    float or None
        None if the file contains none that is positive.
    """
    if tif.is_ome:
        return _number(_ome_pixels(tif.ome_metadata), "PhysicalSizeZ", UM_PER, "µm")
    imagej = tif.imagej_metadata or {}
    return _times(imagej.get("spacing"), UM_PER.get(str(imagej.get("unit", "")).lower()))
