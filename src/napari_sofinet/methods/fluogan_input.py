"""A movie as FluoGAN needs it: in photons, with the PSF and the noise of its recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.blocks import read_all, time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.fluogan_notes import few_frames, gain_note, width_note
from napari_sofinet.methods.fluogan_settings import FluoganSettings
from napari_sofinet.networks.movie_statistics import mean_and_variance
from napari_sofinet.preprocess.corrections import Corrected, correct
from napari_sofinet.preprocess.photon_transfer import GainUnknown
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import NARROWEST_FWHM_PX, WIDEST_FWHM_PX, estimate_psf_fwhm

SIDE_MIN_PX, FRAMES_MIN = 12, 20
HELD_BYTES = 250_000_000
"""Size up to which a corrected movie is held in memory; longer ones are read several times."""
FALLBACK_FWHM_PX = 2.5
SEGMENT_FRAMES = 100
PIXEL_VARIANCE = 1 / 12
"""Variance of a camera pixel, by which it widens the PSF that a movie shows."""
CORRECTED, READ = 0.5, 0.7
"""Fractions of the preparation when the movie has been corrected and read."""


@dataclass(frozen=True, eq=False)
class FluoganInput:
    """A movie in photons, and what is known about its recording.

    Parameters
    ----------
    movie : Movie
        The movie after its corrections.
    held : ndarray or None
        (T, Y, X) float32, its frames if they are few.
    count : int
        Number of frames.
    mean, variance : ndarray
        (Y, X) of each pixel.
    fwhm_px, read_noise : float
        Width of the PSF in camera pixels, and the camera's noise in photoelectrons.
    details : dict of str to float
        Measured values for the recipe.
    notes : tuple of str
        Sentences about the movie.
    """

    movie: Movie
    held: np.ndarray | None
    count: int
    mean: np.ndarray
    variance: np.ndarray
    fwhm_px: float
    read_noise: float
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def blocks(self, window: tuple[slice, slice]) -> Iterator[np.ndarray]:
        """Yield all frames of a part of the field, (t, Y, X) each."""
        for block in time_blocks(self.movie if self.held is None else self.held):
            yield np.asarray(block[(slice(None), *window)], np.float32)

    def some_frames(self, window: tuple[slice, slice], most: int) -> np.ndarray:
        """Return a limited number of frames of a part of the field, evenly over the movie."""
        step, done, found = -(-self.count // most), 0, []
        for block in self.blocks(window):
            found.append(block[-done % step :: step])
            done += len(block)
        return np.concatenate(found)


def prepare(movie: Movie, settings: FluoganSettings, report: Report) -> FluoganInput:
    """Correct and read a movie, and measure its PSF and its noise.

    Parameters
    ----------
    movie : Movie
        Movie of at least 12 x 12 pixels and 20 frames.
    settings : FluoganSettings
        Corrections, and what the user knows.
    report : Report
        Receives the progress.

    Raises
    ------
    InputError
        The movie is too small, too short or does not change, its gain cannot be estimated, or
        there is too little memory.
    """
    count, rows, columns = movie.shape
    if min(rows, columns) < SIDE_MIN_PX or count < FRAMES_MIN:
        raise InputError(
            f"FluoGAN needs at least {SIDE_MIN_PX} x {SIDE_MIN_PX} px and {FRAMES_MIN} frames, but "
            f"this movie has {rows} x {columns} px and {count} frames."
        )
    stage = _in_photons(movie, settings, portion(report, 0.0, CORRECTED))
    size = 4 * count * rows * columns
    need_memory(2 * min(size, HELD_BYTES) + 400.0 * rows * columns, "the fit of this movie")
    saturation = Saturation()
    held = read_all(stage.movie, saturation).astype(np.float32) if size <= HELD_BYTES else None
    report(CORRECTED, "reading")
    source = stage.movie if held is None else held
    _, mean, variance = mean_and_variance(time_blocks(source, saturation if held is None else None))
    if not variance.max() > 0:
        raise InputError(
            f"{movie.name} does not change in time, so no emitters can be found; choose a movie of "
            "blinking emitters."
        )
    report(READ, "width of the PSF")
    shown = psf_width(source)
    fwhm = settings.psf_fwhm_px or shown or FALLBACK_FWHM_PX
    noise = settings.read_noise
    noise = read_noise(mean, variance) if noise is None else noise
    details = stage.details | {"psf_fwhm_px": fwhm, "read_noise_photoelectrons": noise}
    notes = (
        *stage.notes,
        saturation.note,
        width_note(settings.psf_fwhm_px, shown, FALLBACK_FWHM_PX),
        gain_note(movie, settings.camera),
        few_frames(count),
    )
    kept_notes = tuple(note for note in notes if note)
    return FluoganInput(stage.movie, held, count, mean, variance, fwhm, noise, details, kept_notes)


def _in_photons(movie: Movie, settings: FluoganSettings, report: Report) -> Corrected:
    """Correct a movie, and convert its counts to photoelectrons in any case."""
    camera = settings.camera.model_copy(update={"estimate": True})
    try:
        return correct(movie, settings.model_copy(update={"camera": camera}), report)
    except GainUnknown as error:
        raise InputError(
            f"{movie.name} does not tell the offset and gain of its camera, as its noise does not "
            "grow steadily with brightness (or pixels are saturated); FluoGAN counts photons, so "
            "enter both."
        ) from error


def psf_width(frames: Movie | np.ndarray) -> float | None:
    """Return the width of the PSF without that of the pixels, None if it cannot be measured.

    Fluctuations are taken about the mean of some hundred frames each, as bleaching or a slow change
    of the lamp, which all pixels share, would make the PSF look wider.

    Parameters
    ----------
    frames : Movie or ndarray
        The movie.
    """
    count = frames.shape[0]
    cuts = np.linspace(0, count, max(round(count / SEGMENT_FRAMES), 1) + 1).astype(int)
    cumulants = [
        cross_cumulants(frames.part(a, b) if isinstance(frames, Movie) else frames[a:b], (2,))[2]
        for a, b in pairwise(cuts.tolist())
    ]
    shown = estimate_psf_fwhm(np.mean(cumulants, axis=0), 2)
    if not NARROWEST_FWHM_PX < shown < WIDEST_FWHM_PX:
        return None
    return float(np.sqrt(max(shown**2 - 8 * np.log(2) * PIXEL_VARIANCE, 1.0)))


def read_noise(mean: np.ndarray, variance: np.ndarray) -> float:
    """Return the noise of the darkest places beyond that of their light.

    It is zero where the offset is estimated, too: that is then the count without any noise.

    Parameters
    ----------
    mean, variance : ndarray
        (Y, X) of the pixels in photoelectrons.
    """
    left = variance - np.maximum(mean, 0)
    return float(np.sqrt(max(np.percentile(gaussian_filter(left, 2), 5), 0.0)))
