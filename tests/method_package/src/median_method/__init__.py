"""A method of reconstruction in another package: the median of some frames."""

from __future__ import annotations

import numpy as np

from napari_sofinet import Method, Movie, Reconstruction
from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import Settings, parameter


class MedianSettings(Settings):
    """The median over time."""

    every: int = parameter(1, "Take every so many frames.", unit="frames", basic=True, ge=1)


def median(movie: Movie, settings: MedianSettings, report: Report) -> Reconstruction:
    """Return the median over time, float32 (Y, X) in counts."""
    frames = np.asarray(movie.frames)[:: settings.every]
    report(0.5, "median")
    return Reconstruction(
        {"image": np.median(frames, axis=0).astype(np.float32)},
        origin_px=movie.origin_px,
        camera_pixel_um=movie.pixel_size_um,
        details={"frames": float(len(frames))},
    )


def describe(settings: MedianSettings, details: dict[str, float]) -> str:
    """Sentence for the methods section of a paper."""
    return f"The image is the median of {details['frames']:.0f} frames."


METHOD = Method("median", "Median of frames", MedianSettings, median, describe)
