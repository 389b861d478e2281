"""Map of where a picture should not be believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap

from napari_sofinet.data.reconstruction import Reconstruction

MAPS = "uncertainty", "standard_deviation"
"""Maps of a reconstruction that tell how far the picture may be off, in units of the picture."""
DARK = 0.3
"""Fraction of the brightness of bright structure with which darker places are compared."""
LIMITS = 0.0, 100.0  # %
CLEAR_TO_CYAN = Colormap(
    [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.1], [0.0, 1.0, 1.0, 0.9]],
    name="clear to cyan",
    controls=[0.0, 0.3, 1.0],
)
"""Transparent where the picture is certain; cyan does not occur in the colours of the picture."""


class RelativeUncertainty:
    """Uncertainty of a picture in percent of its brightness, computed where it is looked at.

    Parameters
    ----------
    uncertainty, picture : ndarray
        Arrays of one shape in the same unit.
    bright : float
        Brightness of bright structure.

    Examples
    --------
    >>> picture = np.array([[1.0, 0.5], [0.0, 0.0]])
    >>> np.asarray(RelativeUncertainty(0.1 + 0 * picture, picture, 1.0)[:]).round().tolist()
    [[10.0, 20.0], [33.0, 33.0]]
    """

    def __init__(self, uncertainty: Any, picture: Any, bright: float) -> None:
        self._uncertainty, self._picture, self._bright = uncertainty, picture, bright
        self._least = DARK * bright if bright > 0 else 1.0
        self.shape, self.ndim, self.size = picture.shape, picture.ndim, picture.size
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        """Return a part in percent."""
        brightness = np.maximum(self._picture[key], self._least)
        return (100 * self._uncertainty[key] / brightness).astype(np.float32)

    def reshape(self, shape: Sequence[int]) -> RelativeUncertainty:
        """Return the same with another shape."""
        arrays = self._uncertainty.reshape(shape), self._picture.reshape(shape)
        return RelativeUncertainty(*arrays, self._bright)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return all of it."""
        return np.asarray(self[...], dtype=dtype)


def relative_uncertainty(result: Reconstruction, bright: float) -> Any:
    """Return where a picture should not be believed.

    Parameters
    ----------
    result : Reconstruction
        Result of any method.
    bright : float
        Brightness of bright structure in the picture.

    Returns
    -------
    array or None
        Uncertainty in percent of the brightness: of dark places in percent of `DARK` times that
        of bright structure. None if the result has no map of it.
    """
    name = next((name for name in MAPS if name in result.maps), None)
    if name is None:
        return None
    found = RelativeUncertainty(result.maps[name], result.image, bright)
    return found if found.ndim > 2 else np.asarray(found)
