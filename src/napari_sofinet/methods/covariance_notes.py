"""Sentences on movies that do not suit the maximum likelihood of the covariance."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.covariance.evidence import SURE
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.covariance_calibration import Found
from napari_sofinet.methods.covariance_settings import CovarianceSettings
from napari_sofinet.preprocess.drift import estimate_drift

FEW_FRAMES = 50
WRONG_WIDTH = 0.08
DRIFT_PX = 0.15


def movie_notes(movie: Movie, settings: CovarianceSettings, report: Report) -> list[str]:
    """Return a sentence on a drift that is not corrected.

    Parameters
    ----------
    movie : Movie
        The movie after its corrections, without those of drift and bleaching.
    settings : CovarianceSettings
        Settings of the method.
    report : Report
        Receives the progress.
    """
    report(0.0, "drift")
    if settings.drift.correct:
        return []
    try:
        drift = estimate_drift(movie, settings.drift.block, report, single_frames=False)
    except InputError:
        return []
    if drift.farthest_px <= DRIFT_PX:
        return []
    return [
        f"The sample drifts by {drift.farthest_px:.2g} camera px, which blurs the picture; switch "
        "on the correction of drift."
    ]


def fit_notes(
    found: Found, settings: CovarianceSettings, frames: int, signal: np.ndarray
) -> list[str]:
    """Return sentences on the result.

    Parameters
    ----------
    found : Found
        Width of the PSF, noise and number of steps.
    settings : CovarianceSettings
        Settings of the method.
    frames : int
        Number of frames of the movie.
    signal : ndarray
        Signal to noise of the picture.
    """
    if not signal.max() > SURE:
        return ["No blinking was found above the noise, so the picture is empty; try more frames."]
    notes, frames = [], settings.window or frames
    width = found.width
    if not width.sure and settings.psf_fwhm_px is None:
        notes.append(
            f"The width of the PSF could not be found, and {found.fwhm_px:.2f} px is used; enter "
            "it if it is known, since a wrong width merges or splits lines."
        )
    given = settings.psf_fwhm_px
    away = 0.0 if given is None else abs(np.log(width.fwhm_px / given))
    if given is not None and width.error_px < 0.3 * away * given and away > WRONG_WIDTH:
        notes.append(
            f"The movie suggests a PSF width of {width.fwhm_px:.2f} px instead of {given:.2f} px; "
            "a wrong width merges or splits lines."
        )
    if frames < FEW_FRAMES:
        notes.append(
            f"{frames} frames are few for this method; lines may break into dots. "
            f"{FEW_FRAMES} or more are advised, or a network ('sofinet')."
        )
    elif found.evidence < 0:
        notes.append(
            "Frames that were left out of the fit are not explained better than by noise: there "
            "are too few frames, or too little light, for the number of emitters."
        )
    return notes
