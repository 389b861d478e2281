"""The statistics network as a method."""

from __future__ import annotations

from dataclasses import replace

from napari_sofinet.base.settings import parameter
from napari_sofinet.methods.network_method import network_method
from napari_sofinet.methods.network_settings import FRAMES_MIN, NetworkSettings
from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.movie_facts import MovieFacts


class SofinetSettings(NetworkSettings):
    """A picture with the resolution of SOFI from about 20 frames, by a trained network."""

    weights: str = parameter(
        "sofinet-universal",
        "Weights of the network: 'sofinet-universal' was trained on all kinds of structure, "
        "'sofinet-filaments' expects filaments (a prior: use it only for samples of filaments); "
        "or your own weights.",
        basic=True,
        weights="sofinet",
    )
    every: int | None = parameter(
        None,
        "Frames between computed pictures of a film. Pictures in between are interpolated, "
        "since consecutive windows have most frames in common; 1 computes all pictures. If empty, "
        "a fifth of the window.",
        label="Compute every",
        unit="frames",
        empty="a fifth of the window",
        ge=1,
        le=1000,
        not_if={"window": (None,)},
    )

    def computed(self, pictures: int) -> list[int]:
        """Return the pictures of a time series that are computed; others are interpolated."""
        frames = self.every or max(1, (self.window or 1) // 5)
        places = list(range(0, pictures, max(1, frames // self.step)))
        return places if places[-1] == pictures - 1 else [*places, pictures - 1]


LOSS = {
    "constant": 0.00524,
    "frames": -0.00354,
    "repeated": 0.0254,
    "spots": -0.00558,
    "rarity": 0.00595,
    "spread": 0.0313,
}
"""Weights of `expected_accuracy` of "sofinet-universal", fitted by benchmarks/tables/choice.py."""
FEW_FRAMES, WINDOW = 100, 20


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return what the network can do for a movie: a picture, and a time series if it moves."""
    if not facts.blinks or facts.frames < FRAMES_MIN:
        return ()
    weights = {"weights": "sofinet-universal"}
    if facts.frames < FEW_FRAMES:
        reason = (
            f"{facts.frames} frames are few: the network completes what they show, from the kinds "
            "of structure in its training."
        )
    else:
        reason = (
            f"With {facts.frames} frames there is little to complete; the network removes noise."
        )
    accuracy = expected_accuracy(facts, LOSS)
    found = [Suggestion(accuracy, reason, weights, "weights sofinet-universal")]
    if facts.moved_px and facts.frames >= 2 * WINDOW:
        few = replace(facts, frames=WINDOW, settled=facts.settled * WINDOW / facts.frames)
        series = Suggestion(
            expected_accuracy(few, LOSS),
            f"The sample moves by {facts.moved_px:.1f} camera px. If it does not drift as a whole, "
            f"a time series with {WINDOW} frames for each picture follows it.",
            weights | {"window": WINDOW},
            f"time series of {WINDOW} frames each",
            time_series=True,
        )
        found.append(series)
    return tuple(found)


NETWORK = Network(
    "sofinet",
    "Picture from 20 frames (sofinet)",
    "napari_sofinet.networks.sofinet:StatisticsNet",
    reach_px=32,
    task="napari_sofinet.training.task:PICTURE",
)
METHOD = network_method(
    "sofinet",
    "Picture from 20 frames (sofinet)",
    SofinetSettings,
    NETWORK,
    "statistics network of napari-sofinet",
    tag="net",
    suits=suits,
)
