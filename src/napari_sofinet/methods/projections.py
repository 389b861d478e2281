"""Plain projections over time: the wide-field image and the standard deviation."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.preprocess.corrections import (
    Corrected,
    MovieSettings,
    correct,
    describe_corrections,
)
from napari_sofinet.preprocess.movie_facts import MovieFacts


class ProjectionSettings(MovieSettings):
    """Settings of a projection: only the corrections of the movie."""


def average(movie: Movie, settings: ProjectionSettings, report: Report) -> Reconstruction:
    """Return the mean over time, float32 (Y, X) in counts: the wide-field image."""
    stage, mean, _, notes = _mean_and_variance(movie, settings, report)
    return _on_camera_grid(stage, mean, notes)


def standard_deviation(
    movie: Movie, settings: ProjectionSettings, report: Report
) -> Reconstruction:
    """Return the standard deviation over time (divided by T), float32 (Y, X) in counts."""
    stage, _, variance, notes = _mean_and_variance(movie, settings, report)
    return _on_camera_grid(stage, np.sqrt(variance), notes)


def describe_average(settings: ProjectionSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    return _describe(settings, details, "The image is the mean over all frames")


def describe_std(settings: ProjectionSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    what = "The image is the standard deviation of each pixel over all frames"
    return _describe(settings, details, what)


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return the average for movies in which nothing blinks, where nothing shows more."""
    if facts.blinks:
        return ()
    return (
        Suggestion(
            float("nan"),
            "Nothing blinks measurably above the noise, so that no method shows more than the "
            "average.",
        ),
    )


def _describe(settings: ProjectionSettings, details: dict[str, float], what: str) -> str:
    text = describe_corrections(settings, details) + what
    if "bleaching_half_life_frames" in details:
        text += ", each scaled by an exponential fitted to the loss of brightness"
    if settings.drift.correct:
        text += (
            ", each moved back by the drift, which was found by cross-correlation of all pairs of "
            "images of blocks (Wang et al., Opt. Express 22, 15982 (2014))"
        )
    return text + "."


def _mean_and_variance(
    movie: Movie, settings: ProjectionSettings, report: Report
) -> tuple[Corrected, np.ndarray, np.ndarray, tuple[str, ...]]:
    saturation = Saturation()
    stage = correct(movie, settings, portion(report, 0.0, 0.5))
    movie = stage.movie
    before = 0.5 if movie.steps else 0.0
    done, total = 0, movie.shape[0]
    mean = np.zeros(movie.shape[1:])
    squares = np.zeros(movie.shape[1:])
    for block in time_blocks(movie, saturation):
        saturation.add(block)
        n = len(block)
        block_mean = block.mean(axis=0, dtype=np.float64)
        delta = block_mean - mean
        # Merging (Chan, Golub and LeVeque (1983)) keeps the precision that sums of squares lose.
        squares += block.var(axis=0, dtype=np.float64) * n + delta**2 * done * n / (done + n)
        mean += delta * n / (done + n)
        done += n
        report(
            before + (1 - before) * done / total,
            f"frame {done} of {total}",
            _on_camera_grid(stage, mean, ()),
        )
    if not done:
        raise InputError("The movie has no frames.")
    notes = (*stage.notes, saturation.note) if saturation.note else stage.notes
    return stage, mean, squares / done, notes


def _on_camera_grid(stage: Corrected, image: np.ndarray, notes: tuple[str, ...]) -> Reconstruction:
    return Reconstruction(
        {"image": image.astype(np.float32)},
        origin_px=stage.movie.origin_px,
        camera_pixel_um=stage.movie.pixel_size_um,
        notes=notes,
        details=stage.details,
    )


AVERAGE = Method(
    "average",
    "Average of all frames",
    ProjectionSettings,
    average,
    describe_average,
    suits=suits,
    reads_first=True,
    tag="mean",
    needs_blinking=False,
)
STANDARD_DEVIATION = Method(
    "std",
    "Standard deviation over time",
    ProjectionSettings,
    standard_deviation,
    describe_std,
    reads_first=True,
    needs_blinking=False,
)
