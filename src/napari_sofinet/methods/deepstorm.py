"""Localization of emitters in single frames: a table, and a picture four times as fine."""

from __future__ import annotations

from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.localization_settings import (
    NETWORK,
    LocalizationSettings,
    describe_localization,
)
from napari_sofinet.methods.localize import localize
from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.movie_facts import MovieFacts


class DeepstormSettings(LocalizationSettings):
    """A table of emitters and a picture four times as fine, from frames of blinking molecules."""

    time_series: bool = parameter(
        False,
        "Keep the picture of each frame instead of summing them.",
        label="Keep a picture per frame",
        formerly="film",
    )


def deepstorm(
    movie: Movie, settings: DeepstormSettings, report: Report, device: str
) -> Reconstruction:
    """Localize the emitters of every frame.

    Parameters
    ----------
    movie : Movie
        Movie of at least 12 x 12 pixels.
    settings : DeepstormSettings
        Detector, corrections and output.
    report : Report
        Receives the progress.
    device : {"auto", "cpu", "cuda"}
        Device of the network.

    Returns
    -------
    Reconstruction
        ``image`` (4Y, 4X) float32, or (T, 4Y, 4X): the network's map, a Gaussian of height 1 and
        standard deviation of 1 sample for every emitter, summed over frames. Sample i lies at
        camera coordinate (i + 1/2) / 4 - 1/2. If drift was corrected, the image is rendered from
        the table, see `render`. ``localizations`` is the table.

    Raises
    ------
    InputError
        The weights are unusable, the movie is smaller than 12 x 12 px, or it contains NaN.
    """
    found = localize(movie, settings, report, device, time_series=settings.time_series)
    y, x = movie.origin_px
    first = movie.file_frames(movie.first_frame)
    return Reconstruction(
        {"image": found.image},
        pixel_px=(0.25, 0.25),
        origin_px=(y - 0.375, x - 0.375),
        camera_pixel_um=movie.pixel_size_um,
        axes="TYX" if settings.time_series else "YX",
        time_series=(float(first), 1.0) if settings.time_series else None,
        frame_interval_s=movie.frame_interval_s if settings.time_series else None,
        localizations=found.table,
        notes=found.notes,
        details=found.details,
    )


LOSS = {"constant": 0.0908, "repeated": -0.0941, "duration": 0.0136, "spread": -0.0139}
"""Weights of `expected_accuracy`, fitted by benchmarks/tables/choice.py."""
SETTLED = 2.0
"""Power of structure over noise below which too few emitters have blinked."""


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return localisation for a movie in which single emitters can be distinguished."""
    if not facts.single_emitters or facts.settled < SETTLED:
        return ()
    reason = (
        "Single emitters can be distinguished: they hardly overlap, and the brightest values are "
        f"{facts.spot_to_noise:.0f} times the noise."
    )
    return (Suggestion(expected_accuracy(facts, LOSS), reason, fine=True),)


METHOD = Method(
    "deepstorm",
    "Single molecules (Deep-STORM)",
    DeepstormSettings,
    deepstorm,
    describe_localization,
    gives=("image", "time series", "table"),
    network=NETWORK,
    tag="STORM",
    suits=suits,
)
