"""Files and images that are declared in an OME-XML but missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile


def why_missing(tif: TiffFile, images: np.ndarray, name: str) -> str:
    """Return the reason why images of an OME-TIFF are missing.

    Parameters
    ----------
    tif : TiffFile
        The file.
    images : ndarray of int
        Numbers of its images, -1 for missing ones.
    name : str
        Name of the file.
    """
    absent = absent_file(tif.ome_metadata, Path(tif.filehandle.dirname), tif.filename)
    if absent:
        return (
            f"{name} requires the file {absent} in the same folder; copy it there, under this name."
        )
    missing, promised = int((images < 0).sum()), images.size
    return (
        f"{missing} of the {promised} images declared in {name} are missing; copy the file again, "
        "or save the movie anew if its recording was interrupted."
    )


def absent_file(xml: str | None, folder: Path, own: str) -> str | None:
    """Return the first file that an OME-XML names, and that is not in the folder.

    Parameters
    ----------
    xml : str, optional
        Text of the OME-XML.
    folder : Path
        Folder of the file with this OME-XML.
    own : str
        Present name of this file, which may differ from the original one.
    """
    try:
        root = ElementTree.fromstring(xml or "<none/>")
    except ElementTree.ParseError:
        return None
    elsewhere = root.find(".//{*}BinaryOnly")
    if elsewhere is not None:
        other = elsewhere.get("MetadataFile")
        return other if other and not (folder / other).exists() else None
    images = [_named(image) for image in root.iterfind("{*}Image")]
    named = next((names for names in images if own in names), _named(root))
    mine = next((n for n, text in named.items() if text and text == root.get("UUID")), None)
    for other in named:
        renamed = other == mine and own not in named
        if not renamed and not (folder / other).exists():
            return other
    return None


def _named(element: Any) -> dict[str, str]:
    """Names of files below an element of OME-XML, with their identifiers."""
    named: dict[str, str] = {}
    for uuid in element.iterfind(".//{*}UUID"):
        if uuid.get("FileName"):
            named.setdefault(uuid.get("FileName"), (uuid.text or "").strip())
    return named
