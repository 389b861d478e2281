"""NDTiff, the format of Pycro-Manager: an index beside the files locates each image."""

from __future__ import annotations

from tifffile import TiffFile

from napari_sofinet.io.completeness import check_page_bytes
from napari_sofinet.io.tiff_layout import Layout, series_layout


def ndtiff_layout(tif: TiffFile, name: str, own: str) -> Layout:
    """Arrange the images of an NDTiff file; of several positions, take the first.

    Raises
    ------
    InputError
        A file ends before the images that the index names.
    """
    series = tif.series[0]
    check_page_bytes(series, name)
    layout = series_layout(tif, own, 0)
    for axis in layout.axes:
        size = layout.sizes[axis]
        if axis not in "TCZIQ" and size > 1:
            layout = layout.take(axis, 0).noted(
                f"{name} contains {size} positions; the first one is used."
            )
    return layout
