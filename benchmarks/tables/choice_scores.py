"""Correlation of pictures with emitters blurred to a half and to a quarter of the PSF's width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

import napari_sofinet as sofinet
from napari_sofinet.methods.registry import method_named
from napari_sofinet.metrics import pearson

BORDER_PX, FWHM = 2, 2.3548
PICTURES: dict[str, tuple[str, dict[str, object]]] = {
    "average": ("average", {}),
    "sofi2": ("sofi", {"order": 2}),
    "sofi3": ("sofi", {"order": 3}),
    "sofi4": ("sofi", {"order": 4}),
    "sofinet-universal": ("sofinet", {"weights": "sofinet-universal"}),
    "sofinet-filaments": ("sofinet", {"weights": "sofinet-filaments"}),
    "deepstorm": ("deepstorm", {}),
    "covariance": ("covariance", {"blur": 0.1}),
    "fluogan": ("fluogan", {}),
}
WIDTHS = {"half": 0.5, "quarter": 0.25}
"""Widths of the truth over that of the PSF."""

Truth = Callable[[np.ndarray, float], np.ndarray]
"""Returns emitters blurred to a share of the PSF's width, on the samples (in px) of both axes."""


@dataclass(frozen=True, eq=False)
class TestMovie:
    """Counts (T, Y, X) with their truth, how many emitters overlap in a frame, and cells."""

    frames: np.ndarray
    fwhm_px: float
    overlap: float
    described: dict[str, str]
    truth: Truth


def own_width_px(name: str, fwhm_px: float) -> float | None:
    """Return the width of a point in a picture, by the method's own definition; None if unknown."""
    widths = {"sofi3": fwhm_px / 3, "sofi4": fwhm_px / 4, "covariance": 0.1 * fwhm_px}
    return (widths | {"deepstorm": FWHM / 4, "fluogan": 0.25}).get(name)


def picture_scores(
    movie: TestMovie, name: str, corrections: dict[str, object] | None = None
) -> dict[str, float]:
    """Return the correlation of a method's picture with the truth for each of `WIDTHS`.

    A picture that is finer than the truth by its own definition is blurred to it, and one on a
    coarser grid is interpolated.
    """
    method, settings = PICTURES[name]
    groups = method_named(method).settings.model_fields
    used = {k: v for k, v in (corrections or {}).items() if k.split(".")[0] in groups}
    result = sofinet.reconstruct(sofinet.open_movie(movie.frames), method, **settings, **used)
    found, step = {}, result.pixel_px[0]
    own, last = own_width_px(name, movie.fwhm_px), movie.frames.shape[1] - 1 - BORDER_PX
    for title, width in WIDTHS.items():
        image = np.asarray(result.image, float)
        if own is not None:
            wider = max((movie.fwhm_px * width) ** 2 - own**2, 0.0) ** 0.5
            image = gaussian_filter(image, wider / FWHM / step)
        at = np.arange(BORDER_PX, last + width / 2, width)
        y, x = ((at - origin) / step for origin in result.origin_px)
        seen = map_coordinates(image, np.meshgrid(y, x, indexing="ij"), order=1)
        ideal = movie.truth(at, width)
        even = np.ptp(seen) == 0 or np.ptp(ideal) == 0
        found[title] = 0.0 if even else pearson(seen, ideal)
    return found
