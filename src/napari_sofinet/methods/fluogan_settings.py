"""Settings of FluoGAN."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.preprocess.corrections import MovieSettings


class FluoganSettings(MovieSettings):
    """A fit of each movie without training data; minutes for a small field."""

    fineness: int = parameter(
        4, "Samples of the picture along one camera pixel.", basic=True, ge=2, le=6
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); estimated from the movie if empty.",
        unit="camera px",
        ge=1.2,
        le=10,
    )
    critic_steps: int = parameter(
        50,
        "Steps of the picture against the critic, for each window of up to 50 x 50 camera pixels. "
        "0 leaves the fit to mean and covariance as it is, which takes a third of the time.",
        basic=True,
        ge=0,
        le=20_000,
    )
    read_noise: float | None = parameter(
        None,
        "Standard deviation of the camera's noise in the dark; estimated from the darkest places "
        "of the movie if empty.",
        unit="photoelectrons",
        ge=0,
        le=1000,
    )
    seed: int = parameter(
        0, "Seed of everything random; the same seed gives the same picture.", ge=0, le=2**31 - 1
    )
