"""Maximum likelihood of the covariance: super-resolution from blinking without training."""

from __future__ import annotations

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.covariance_settings import CovarianceSettings
from napari_sofinet.methods.covariance_suits import suits
from napari_sofinet.preprocess.corrections import describe_corrections


def covariance(
    movie: Movie, settings: CovarianceSettings, report: Report, device: str
) -> Reconstruction:
    """Estimate how much the light of each point of a fine grid fluctuates.

    If emitters blink independently, the covariance of the pixels of frames is ``Psi diag(v) Psi' +
    diag(N)`` with the PSF Psi, the variance v of the light of each grid point and the noise N. The
    v >= 0 that makes the movie likeliest is the picture. It adds up over emitters, so that twice
    as many emitters are twice as bright.

    Parameters
    ----------
    movie : Movie
        Movie of blinking emitters.
    settings : CovarianceSettings
        Grid, PSF width and corrections.
    report : Report
        Receives the progress and previews.
    device : {"auto", "cpu", "cuda"}
        Device of the computation.

    Returns
    -------
    Reconstruction
        ``image``: (fine * Y, fine * X) float32, variance of the light in counts**2 per camera
        pixel; sample i lies at camera coordinate (i + 1/2) / fine - 1/2. On request
        ``standard_error`` in the same unit. Both are films (T, fine * Y, fine * X) if a window of
        frames is set.

    Raises
    ------
    InputError
        The movie is too small or too short, or does not change in time.
    """
    from napari_sofinet.methods.covariance_run import maximum_likelihood  # imports torch

    return maximum_likelihood(movie, settings, report, device)


def describe(settings: CovarianceSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    d = details
    width = "given" if settings.psf_fwhm_px is not None else "found by the same likelihood"
    parts = "" if "sub_sequences" not in d else f" within {d['sub_sequences']:.0f} sub-sequences"
    text = (
        f"The variance of the light of each point of a grid {settings.fine} times as fine as the "
        f"camera's pixels was estimated by maximum likelihood of the covariance{parts} of "
        "Gaussian fluctuations of independent emitters, as in sparse covariance estimation "
        "(Stoica, Babu and Li, IEEE Trans. Signal Process. 59, 629 (2011)), with a Gaussian sieve "
        "(Snyder and Miller, IEEE Trans. Nucl. Sci. 32, 3864 (1985))."
    )
    if "psf_fwhm_px" in d:
        text += (
            f" The PSF's width (FWHM) was {d['psf_fwhm_px']:.3g} camera pixels, {width}; the noise "
            f"had a variance of {d['noise_dark']:.3g} at the darkest place and of "
            f"{d['noise_gain']:.3g} more per count of light."
        )
    if "common_changes" in d:
        text += " Changes of brightness that the whole field had in common were taken off first."
    if "common_movement_px" in d:
        text += (
            f" So were the changes by its movement of {d['common_movement_px']:.2g} camera pixels "
            "(rms)."
        )
    if "steps" in d:
        chosen = "" if settings.steps else ", chosen by the likelihood of frames left out"
        text += f" {d['steps']:.0f} accelerated steps were taken{chosen}."
    if d.get("blur"):
        chosen = ", chosen by the number of blinks" if settings.blur is None else ""
        text += f" The picture was blurred by {d['blur']:.2g} of the PSF's width{chosen}."
    if settings.window is not None:
        step = settings.step or settings.window
        text += f" Each {settings.window} frames made one picture of a film, every {step} frames."
    if "drift_px" in d:
        text += " Frames were moved by whole pixels, and the model of the light by the remainder."
    return describe_corrections(settings, details) + text


METHOD = Method(
    "covariance",
    "Covariance (maximum likelihood)",
    CovarianceSettings,
    covariance,
    describe,
    needs=("torch",),
    tag="Cov",
    gives=("image", "time series"),
    keeps_preview=True,
    suits=suits,
)
