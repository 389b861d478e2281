"""Reading TIFF movies lazily: plain, ImageJ, OME (also of several files), folders of frames."""

from __future__ import annotations

from pathlib import Path

from napari_sofinet.io.tiff_axes import Wanted
from napari_sofinet.io.tiff_file import explained
from napari_sofinet.io.tiff_folder import is_pattern, open_folder
from napari_sofinet.io.tiff_movie import Opened, open_file


def open_tiff(path: Path, wanted: Wanted) -> Opened:
    """Open a TIFF file, a folder of TIFF files, or those of a pattern of names.

    Parameters
    ----------
    path : Path
        The file, the folder, or e.g. ``cell/img_s2_*.tif``.
    wanted : Wanted
        Channel, plane and frames.

    Raises
    ------
    InputError
        There is no such movie, or it cannot be read.
    """
    with explained(path):
        if path.is_dir() or is_pattern(path):
            return open_folder(path, wanted)
        return open_file(path, wanted)
