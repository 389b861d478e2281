"""Emitters of single frames as a method: a table of them, and a picture four times as fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sofinet.methods.localize import LocalizationSettings, describe, localize
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, parameter

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie

__all__ = ["DeepstormSettings", "deepstorm", "describe"]


class DeepstormSettings(LocalizationSettings):
    """A table of emitters, and a picture four times as fine, from frames of blinking molecules."""

    film: bool = parameter(False, "Keep the picture of every frame instead of their sum.")


def deepstorm(
    movie: Movie, settings: DeepstormSettings, report: Report, device: str
) -> Reconstruction:
    """Localise the emitters of every frame.

    Returns
    -------
    ``image`` (4Y, 4X) float32, or (T, 4Y, 4X): a Gaussian of height 1 and 1 sample width for every
    emitter as the network sees it, summed over frames; sample i lies at camera coordinate
    (i + 1/2) / 4 - 1/2. Where drift was corrected, the table drawn as by `render` instead.
    ``localizations`` is the table.

    Raises
    ------
    InputError
        Unusable weights, fewer than 12 x 12 px, NaN.
    """
    found = localize(movie, settings, report, device, film=settings.film)
    y, x = movie.origin_px
    first = 0 if movie.frame_range is None else movie.frame_range[0]
    return Reconstruction(
        {"image": found.image},
        pixel_px=(0.25, 0.25),
        origin_px=(y - 0.375, x - 0.375),
        camera_pixel_um=movie.pixel_size_um,
        axes="TYX" if settings.film else "YX",
        film=(float(first), 1.0) if settings.film else None,
        frame_interval_s=movie.frame_interval_s if settings.film else None,
        localizations=found.table,
        notes=found.notes,
        details=found.details,
    )
