"""What can be set of a training, and what own movies should be like; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.sofi_settings import SofiSettings

ENOUGH_MOVIES, ENOUGH_FRAMES, ENOUGH_SIDE_PX = 4, 3000, 350
"""What Komen et al. (2024) found to be needed to train on own movies."""


class LearningSettings(Settings):
    """How any network learns."""

    start: str = parameter(
        "",
        "Weights to start from, by name or file, to fine-tune them; if empty, random ones.",
        basic=True,
    )
    minutes: float | None = parameter(
        60.0,
        "Minutes to train; if empty, until the last step.",
        basic=True,
        gt=0,
        empty="no limit",
    )
    steps: int = parameter(1_000_000, "Steps after which training ends.", ge=1)
    batch: int = parameter(8, "Movies or frames of one step.", ge=1, le=512)
    side_px: int = parameter(48, "Side of a movie or frame.", unit="camera px", ge=16, le=512)
    learning_rate: float = parameter(1e-3, "Step width of Adam at first.", gt=0, le=0.1)
    validate_every: int = parameter(
        100, "Steps from one look at what is held out to the next.", ge=1
    )
    patience: int = parameter(
        50, "Looks without improvement after which training ends early.", ge=1
    )
    seed: int = parameter(1, "Seed of weights and simulation.", ge=0, lt=2**31)
    half: bool = parameter(True, "Compute with 16 bits where the machine is faster so.")
    compiled: bool = parameter(
        False, "Compile the network first: a third faster, where there is a C++ compiler."
    )
    parameters: str = parameter(
        "", "Size of a new network, e.g. channels=20 or features=32,channels=64."
    )


class TrainingSettings(LearningSettings):
    """How a network that makes a picture of a movie is trained.

    Own movies, where given, take the place of simulated ones.
    """

    preset: Literal["universal", "filaments", "komen2024"] = parameter(
        "universal", "What is simulated, where no own movies are given.", basic=True
    )
    filaments_percent: float = parameter(
        0.0,
        "Share of movies of the preset 'filaments' among the simulated ones.",
        unit="%",
        ge=0,
        le=100,
    )
    target: Literal["ideal", "sofi"] = parameter(
        "ideal",
        "What the network is to show of simulated movies: the emitters at twice the microscope's "
        "resolution, or what SOFI makes of more frames. Of own movies it is always SOFI.",
    )
    target_frames: int = parameter(
        100, "Frames of a simulated movie that SOFI makes the target from.", ge=20, le=10_000
    )
    loss: Literal["mixed", "l1", "mse", "fourier"] = parameter(
        "mixed",
        "'mixed' is L1 + 2 MSE + 0.1 of the Fourier amplitudes; 'fourier' amplitudes and phases.",
    )
    frames_min: int = parameter(
        8, "Fewest frames of a movie.", ge=5, le=500, formerly="frames_least"
    )
    frames_max: int = parameter(50, "Most frames of a movie.", ge=5, le=500, formerly="frames_most")
    sofi: SofiSettings = SofiSettings()


class EmitterTrainingSettings(LearningSettings):
    """How a network that finds emitters is trained: on frames simulated as set here."""

    batch: int = parameter(16, "Frames of one step.", ge=1, le=512)
    side_px: int = parameter(40, "Side of a frame.", unit="camera px", ge=16, le=512)
    psf_sigma_min: float = parameter(
        0.7,
        "Narrowest PSF, standard deviation.",
        unit="camera px",
        ge=0.4,
        le=6,
        formerly="psf_sigma_least",
    )
    psf_sigma_max: float = parameter(
        2.0,
        "Widest PSF, standard deviation.",
        unit="camera px",
        ge=0.4,
        le=6,
        formerly="psf_sigma_most",
    )
    density_min: float = parameter(
        0.001,
        "Fewest emitters that are on.",
        unit="per camera px²",
        gt=0,
        le=1,
        formerly="density_least",
    )
    density_max: float = parameter(
        0.11,
        "Most emitters that are on.",
        unit="per camera px²",
        gt=0,
        le=1,
        formerly="density_most",
    )
    photons_min: float = parameter(
        50.0, "Dimmest emitters.", unit="photons", ge=5, le=1e6, formerly="photons_least"
    )
    photons_max: float = parameter(
        5000.0, "Brightest emitters.", unit="photons", ge=5, le=1e6, formerly="photons_most"
    )


class DynamicsTrainingSettings(LearningSettings):
    """How a network that shows moving structures is trained: on localisations simulated so."""

    batch: int = parameter(12, "Pictures of one step.", ge=1, le=512)
    side_px: int = parameter(16, "Side of a picture.", unit="camera px", ge=8, le=128)
    structure: Literal["filaments", "mitochondria", "both"] = parameter(
        "both", "What moves: lines, filled shapes, or either.", basic=True
    )
    density_min: float = parameter(
        40.0,
        "Shortest filaments, in 128 x 128 samples together.",
        unit="samples",
        gt=0,
        le=5000,
        formerly="density_least",
    )
    density_max: float = parameter(
        1500.0,
        "Longest filaments, in 128 x 128 samples together.",
        unit="samples",
        gt=0,
        le=5000,
        formerly="density_most",
    )
    blinks_min: float = parameter(
        0.005,
        "Fewest localisations.",
        unit="per sample of structure and window",
        gt=0,
        le=10,
        formerly="blinks_least",
    )
    blinks_max: float = parameter(
        0.4,
        "Most localisations.",
        unit="per sample of structure and window",
        gt=0,
        le=10,
        formerly="blinks_most",
    )
    error_min: float = parameter(
        0.1,
        "Best localisation, standard deviation.",
        unit="samples",
        ge=0,
        le=5,
        formerly="error_least",
    )
    error_max: float = parameter(
        1.5,
        "Worst localisation, standard deviation.",
        unit="samples",
        ge=0,
        le=5,
        formerly="error_most",
    )
    speed_max: float = parameter(
        0.15, "Fastest motion.", unit="samples per window", gt=0.002, le=5, formerly="speed_most"
    )
    scattered_max: float = parameter(
        0.25,
        "Most localisations with false ones around them, as a share.",
        ge=0,
        le=1,
        formerly="scattered_most",
    )
    false_max: float = parameter(
        0.02,
        "Most false localisations.",
        unit="per sample and window",
        gt=3e-5,
        le=1,
        formerly="false_most",
    )

    windows: int = parameter(
        20,
        "Windows of a sequence, for the paper's network (parameters paper=1), which learns from "
        "sequences. Theirs have 300.",
        ge=2,
        le=300,
    )
    steady: float = parameter(
        0.64,
        "Paper's network only: weight of the change from picture to picture beside the squared "
        "error.",
        ge=0,
        le=100,
    )
    smooth: float = parameter(
        0.002,
        "Paper's network only: weight of the squared slopes within a picture.",
        ge=0,
        le=100,
    )


class PosteriorTrainingSettings(LearningSettings):
    """How a network that doubts another one's pictures is trained."""

    side_px: int = parameter(32, "Side of a movie or frame.", unit="camera px", ge=16, le=512)
    estimate: str = parameter(
        "sofinet-universal",
        "Weights of sofinet or deepstorm whose pictures the samples start from.",
        basic=True,
        formerly="guess",
    )
    preset: Literal["universal", "filaments", "komen2024"] = parameter(
        "universal", "What is simulated, for the pictures of sofinet.", basic=True
    )
    frames_min: int = parameter(
        8, "Fewest frames of a movie for sofinet.", ge=5, le=500, formerly="frames_least"
    )
    frames_max: int = parameter(
        50, "Most frames of a movie for sofinet.", ge=5, le=500, formerly="frames_most"
    )


def missing_notes(movies: Sequence[Movie]) -> list[str]:
    """Sentences on where movies fall short of what was found to be needed."""
    missing = []
    if len(movies) < ENOUGH_MOVIES:
        missing.append(
            f"{ENOUGH_MOVIES} movies of fixed cells of the same kind are recommended, there "
            f"{'is' if len(movies) == 1 else 'are'} {len(movies)}."
        )
    for movie in movies:
        frames, rows, columns = movie.shape
        if frames < ENOUGH_FRAMES:
            missing.append(
                f"{movie.name} has {frames} frames, {ENOUGH_FRAMES} or more are recommended."
            )
        if min(rows, columns) < ENOUGH_SIDE_PX:
            missing.append(
                f"{movie.name} has {rows} x {columns} px, {ENOUGH_SIDE_PX} x {ENOUGH_SIDE_PX} or "
                "more are recommended."
            )
    return missing
