"""Settings of the maximum likelihood of the covariance."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.preprocess.corrections import MovieSettings


class CovarianceSettings(MovieSettings):
    """Finer than SOFI and without a network, from a few hundred frames; nothing to adjust."""

    fine: int = parameter(
        4, "Samples of the picture per camera pixel along each axis.", basic=True, ge=2, le=6
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); found from the movie if empty.",
        unit="camera px",
        ge=1.0,
        le=9.0,
    )
    steps: int | None = parameter(
        None,
        "Number of steps. More steps sharpen the picture and add noise. If empty, the number is "
        "chosen by the likelihood of frames that are left out.",
        ge=5,
        le=200,
    )
    blur: float | None = parameter(
        None,
        "Blur of the picture over the width of the PSF. If empty, it contains enough blinks: 0.1 "
        "where emitters are dense, up to 0.25 where a few blinks would show as dots.",
        basic=True,
        ge=0,
        le=1,
    )
    window: int | None = parameter(
        None,
        "Number of frames for one picture. If empty, all frames make one picture. With a number "
        "such as 100, the frames make a film: one picture of each 100 frames in a row.",
        label="Frames per picture",
        empty="all; 100 makes a film",
        ge=20,
        le=100_000,
    )
    step: int | None = parameter(
        None,
        "Frames from one picture of a film to the next; as many as a picture has if empty.",
        label="Film step",
        unit="frames",
        ge=1,
        le=100_000,
        not_if={"window": (None,)},
    )
    standard_error: bool = parameter(
        False,
        "Also map the standard error, from the scatter of pictures that lack a fifth of the "
        "frames; takes six times as long.",
    )
