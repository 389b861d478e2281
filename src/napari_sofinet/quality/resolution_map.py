"""Resolution of the parts of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.decorrelation import decorrelation_map
from napari_sofinet.quality.cautions import LIMIT_PX, LIMITED
from napari_sofinet.quality.picture import Picture

TILE_SAMPLES = (100, 200)  # smallest and largest side of a tile


@dataclass(frozen=True)
class ResolutionMap:
    """Resolution in overlapping tiles of a picture.

    Attributes
    ----------
    values : ndarray
        Resolution of each tile (Y, X); NaN where a tile has none.
    unit : str
        Unit of ``values``: "nm" if the size of a sample is known, else "px", which are samples.
    origin : tuple of float
        Center (y, x) of the first tile in samples of the picture.
    step : tuple of float
        Distance (y, x) of tiles in samples of the picture.
    limited : float
        Fraction of the tiles with a resolution whose resolution is that of the samples.
    """

    values: np.ndarray
    unit: str
    origin: tuple[float, float]
    step: tuple[float, float]
    limited: float = 0.0

    @property
    def note(self) -> str:
        """Sentence about the tiles that are limited by the samples; empty if there are none."""
        percent = f"{100 * self.limited:.0f} % of the tiles are"
        return f"{percent} {LIMITED}." if self.limited > 0 else ""


def resolution_map(picture: Picture) -> ResolutionMap:
    """Measure the resolution of tiles of a picture by decorrelation analysis.

    Parameters
    ----------
    picture : Picture
        Picture whose shorter side should have several hundred samples. Tiles are a third of it
        wide, but from 100 to 200 samples, and overlap by three quarters.

    Returns
    -------
    ResolutionMap
        In nm if the picture has a pixel size, else in samples.

    Raises
    ------
    InputError
        If no tile has a resolution.
    """
    tile = int(np.clip(min(picture.image.shape) // 3, *TILE_SAMPLES))
    found, y, x = decorrelation_map(picture.image, tile, max(tile // 4, 1))
    if not np.isfinite(found).any():
        raise InputError(f"No tile of {picture.name} has a resolution; it may be too small.")
    known = picture.pixel_um is not None
    return ResolutionMap(
        1000 * picture.pixel_um * found if picture.pixel_um is not None else 1.0 * found,
        "nm" if known else "px",
        (float(y[0]), float(x[0])),
        (
            float(y[1] - y[0] if len(y) > 1 else tile),
            float(x[1] - x[0] if len(x) > 1 else tile),
        ),
        float(np.mean(found[np.isfinite(found)] < LIMIT_PX)),
    )
