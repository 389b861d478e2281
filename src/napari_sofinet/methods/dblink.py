"""A time series of a moving structure from the localizations of its blinking emitters."""

from __future__ import annotations

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.localization_settings import describe_localization
from napari_sofinet.methods.moving_structure_settings import DblinkSettings
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.movie_facts import MovieFacts


def dblink(
    movie: Movie | LocalizationTable,
    settings: DblinkSettings,
    report: Report = silent,
    device: str = "auto",
) -> Reconstruction:
    """Reconstruct a moving structure, see `moving_structure`."""
    from napari_sofinet.methods.moving_structure import moving_structure  # imports torch

    return moving_structure(NETWORK, movie, settings, report, device)


def describe(settings: DblinkSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    found = describe_localization(settings.localize, details) if "noise_gain" in details else ""
    count = round(details.get("localizations", 0))
    grid = f"on a grid {settings.fineness} times as fine as the camera's"
    source = f"{count} localisations"
    if settings.input == "maps":
        grid, source = "on their grid", f"a time series of maps of {count} localisations"
    expected = "" if settings.structure == "either" else f", set to expect {settings.structure},"
    return (
        f"{found} A time series of the structure was made from {source} by a neural network "
        f"(weights {settings.weights}) after DBlink (Saguy et al., Nat. Methods 20, 1939 (2023))"
        f"{expected} with windows of {settings.window} frames, {grid}."
    ).strip()


ACCURACY = 0.8
"""Correlation of its time series with the ground truth at half the width of the PSF, see
docs/dynamics.md: 0.78 to 0.92 for filaments, up to 0.98 for mitochondria."""
FRAMES_LEAST = 200


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return a time series for a moving sample whose single emitters can be distinguished."""
    if not facts.moved_px or not facts.single_emitters or facts.frames < FRAMES_LEAST:
        return ()
    reason = (
        f"The sample moves by {facts.moved_px:.1f} camera px, and single emitters can be "
        "distinguished. If filaments or mitochondria do not drift as a whole, it follows them."
    )
    return (Suggestion(ACCURACY, reason, time_series=True),)


NETWORK = Network(
    "dblink",
    "Film of moving structure (DBlink)",
    "napari_sofinet.networks.dblink:dblink",
    reach_px=48,
    task="napari_sofinet.training.task:MOVING_STRUCTURE",
)
METHOD = Method(
    "dblink",
    "Film of moving structure (DBlink)",
    DblinkSettings,
    dblink,
    describe,
    takes=(Movie, LocalizationTable),
    gives=("time series", "table"),
    needs=("torch", "safetensors"),
    network=NETWORK,
    tag="DBlink",
    suits=suits,
)
