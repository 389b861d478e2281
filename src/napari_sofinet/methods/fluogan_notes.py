"""Sentences on movies and settings that do not suit FluoGAN."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.camera import CameraCorrection
from napari_sofinet.preprocess.photon_transfer import photon_transfer

FRAMES_FEW = 200
WRONG_WIDTH, WRONG_GAIN = 0.12, 0.25
"""Relative deviations of what the user gave from what the movie shows, from which on it is said."""
SURE = 4.0
"""Deviation of a gain in standard errors that is no chance."""


def few_frames(count: int) -> str:
    """Return a sentence if frames are few, else an empty text."""
    if count >= FRAMES_FEW:
        return ""
    return f"{count} frames are few; {FRAMES_FEW} or more are advised."


def width_note(given: float | None, shown: float | None, fallback: float) -> str:
    """Return a sentence on the width of the PSF, empty if there is nothing to say.

    Parameters
    ----------
    given, shown : float or None
        Width in camera pixels that the user gave, and that the movie shows.
    fallback : float
        Width that is used if neither is known.
    """
    if given is None:
        if shown is not None:
            return ""
        return (
            f"The PSF width could not be estimated and {fallback} px is used; enter the width, on "
            "which the picture depends."
        )
    if shown is None or abs(np.log(shown / given)) <= WRONG_WIDTH:
        return ""
    return (
        f"The movie suggests a PSF width of {shown:.2f} px instead of {given:.2f} px; a wrong "
        "width merges or splits lines."
    )


def gain_note(movie: Movie, camera: CameraCorrection) -> str:
    """Return a sentence if the noise of a movie contradicts the gain that the user gave.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    camera : CameraCorrection
        Settings of the camera.
    """
    if camera.gain is None:
        return ""
    try:
        found = photon_transfer(movie)
    except InputError:
        return ""
    away = abs(np.log(found.gain / camera.gain))
    if away < WRONG_GAIN or abs(found.gain - camera.gain) < SURE * found.gain_error:
        return ""
    return (
        f"The noise of the movie suggests a gain of {found.gain:.3g} ± {found.gain_error:.2g} "
        f"counts per photoelectron instead of {camera.gain:.3g} (with electron multiplication, "
        "enter twice the true one); a wrong gain changes amounts and hides or invents detail."
    )
