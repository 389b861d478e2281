"""Plain projections over time: the wide-field image and the standard deviation."""

from __future__ import annotations

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie, Saturation, time_blocks
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, Settings


class ProjectionSettings(Settings):
    """A projection has nothing to set."""


def average(movie: Movie, settings: ProjectionSettings, report: Report) -> Reconstruction:
    """Mean over time, float32 (Y, X) in counts: the wide-field image."""
    mean, _, notes = _mean_and_variance(movie, report)
    return _on_camera_grid(movie, mean, notes)


def standard_deviation(
    movie: Movie, settings: ProjectionSettings, report: Report
) -> Reconstruction:
    """Standard deviation over time (divided by T), float32 (Y, X) in counts."""
    _, variance, notes = _mean_and_variance(movie, report)
    return _on_camera_grid(movie, np.sqrt(variance), notes)


def describe_average(settings: ProjectionSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return "The image is the mean over all frames."


def describe_std(settings: ProjectionSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return "The image is the standard deviation of each pixel over all frames."


def _mean_and_variance(
    movie: Movie, report: Report
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    saturation = Saturation()
    seen, total = 0, movie.shape[0]
    mean = np.zeros(movie.shape[1:])
    squares = np.zeros(movie.shape[1:])
    for block in time_blocks(movie):
        saturation.add(block)
        n = len(block)
        block_mean = block.mean(axis=0, dtype=np.float64)
        delta = block_mean - mean
        # Chan, Golub and LeVeque (1983): merging keeps the precision that sums of squares lose.
        squares += block.var(axis=0, dtype=np.float64) * n + delta**2 * seen * n / (seen + n)
        mean += delta * n / (seen + n)
        seen += n
        report(seen / total, f"frame {seen} of {total}", _on_camera_grid(movie, mean, ()))
    if not seen:
        raise InputError("The movie has no frames.")
    return mean, squares / seen, (saturation.note,) if saturation.note else ()


def _on_camera_grid(movie: Movie, image: np.ndarray, notes: tuple[str, ...]) -> Reconstruction:
    return Reconstruction(
        {"image": image.astype(np.float32)},
        origin_px=movie.origin_px,
        camera_pixel_um=movie.pixel_size_um,
        notes=notes,
    )
