"""FluoGAN: a model of blinking emitters that is fitted to one movie, with a critic.

After L. Calatroni, H. Mentagui, S. Schaub, L. Blanc-Féraud, "Physics-inspired generative
adversarial modelling for fluctuation-based super-resolution microscopy", ISBI (2024).
"""

from __future__ import annotations

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.covariance_suits import resolves_lines
from napari_sofinet.methods.fluogan_settings import FluoganSettings
from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.corrections import describe_corrections
from napari_sofinet.preprocess.movie_facts import MovieFacts


def fluogan(movie: Movie, settings: FluoganSettings, report: Report, device: str) -> Reconstruction:
    """Fit a picture to a movie, see `fluogan_picture`."""
    from napari_sofinet.methods.fluogan_picture import fluogan_picture  # imports torch

    return fluogan_picture(movie, settings, report, device)


def describe(settings: FluoganSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    text = describe_corrections(settings, details) + (
        f"Emitters on a grid {settings.fineness} times as fine as the camera's and a smooth "
        "background were fitted to the mean and the covariance of the frames by proximal gradient "
        f"steps (PSF of {details.get('psf_fwhm_px', 0):.3g} px, {details.get('brightness', 0):.3g} "
        "photoelectrons per emitter and frame)"
    )
    if settings.critic_steps:
        text += (
            f", and refined by {settings.critic_steps} steps against a critic that compares frames "
            f"drawn from the double-Poisson model with those of the movie (seed {settings.seed})"
        )
    return text + "; after FluoGAN (Calatroni et al., ISBI (2024))."


LOSS = {"constant": 0.02}
"""Weight of `expected_accuracy`; rough, as fits took too long to be measured for many movies."""


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return a fine picture that takes long, where `covariance` suits too.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    """
    if not resolves_lines(facts):
        return ()
    reason = (
        "Emitters overlap, and the structure is filled in. It takes about a minute for 50 x 50 px, "
        "and needs the offset and the gain of the camera if the movie does not show them."
    )
    return (Suggestion(expected_accuracy(facts, LOSS), reason, fine=True),)


METHOD = Method(
    "fluogan",
    "Fit with critic (FluoGAN)",
    FluoganSettings,
    fluogan,
    describe,
    needs=("torch",),
    tag="FluoGAN",
    keeps_preview=True,
    suits=suits,
)
