"""Settings of training, and recommendations for own movies, without loading PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.sofi_settings import SofiSettings

ENOUGH_MOVIES, ENOUGH_FRAMES, ENOUGH_SIDE_PX = 4, 3000, 350
"""Number, length and size of movies recommended for training by Komen et al. (2024)."""


PRESETS_IN_WORDS = {"universal": "all kinds", "komen2024": "microtubules (Komen 2024)"}


class LearningSettings(Settings):
    """Settings of the training of any network."""

    start: str = parameter(
        "",
        "Weights to fine-tune, by name or file; if empty, training starts from random weights.",
        label="Start from",
        basic=True,
    )
    minutes: float | None = parameter(
        60.0,
        "Duration of the training; if empty, all steps are taken.",
        label="Training time",
        unit="min",
        basic=True,
        gt=0,
        empty="no limit",
    )
    steps: int = parameter(
        1_000_000, "Number of steps after which training ends.", label="Steps at most", ge=1
    )
    batch: int = parameter(
        8, "Number of movies or frames per step.", label="Batch size", ge=1, le=512
    )
    side_px: int = parameter(
        48, "Side of a movie or frame.", label="Side of crops", unit="camera px", ge=16, le=512
    )
    learning_rate: float = parameter(1e-3, "Initial learning rate of Adam.", gt=0, le=0.1)
    validate_every: int = parameter(
        100,
        "Number of steps between validations on held-out samples.",
        label="Steps between validations",
        ge=1,
    )
    patience: int = parameter(
        50,
        "Number of validations without improvement after which training ends early.",
        label="Patience in validations",
        ge=1,
    )
    seed: int = parameter(
        1, "Random seed of the weights and the simulation.", label="Random seed", ge=0, lt=2**31
    )
    half: bool = parameter(
        True, "Compute with 16 bits if that is faster.", label="Compute with 16 bits"
    )
    compiled: bool = parameter(
        False,
        "Compile the network first, which makes training a third faster; requires a C++ compiler.",
        label="Compile first",
    )
    parameters: str = parameter(
        "",
        "Sizes of a new network, e.g. channels=20 or features=32,channels=64.",
        label="Sizes of a new network",
    )


class TrainingSettings(LearningSettings):
    """Settings of the training of a network that turns a movie into a picture.

    Own movies, if given, replace simulated ones.
    """

    preset: Literal["universal", "filaments", "komen2024"] = parameter(
        "universal",
        "Preset of the simulated movies, if no own movies are given.",
        label="Simulated movies",
        choices=PRESETS_IN_WORDS,
        basic=True,
    )
    filaments_percent: float = parameter(
        0.0,
        "Percentage of movies of the preset 'filaments' among the simulated ones.",
        label="Share of filaments",
        unit="%",
        ge=0,
        le=100,
        not_if={"preset": ("filaments",)},
    )
    target: Literal["ideal", "sofi"] = parameter(
        "ideal",
        "Target for simulated movies: the emitters at twice the resolution of the microscope, or "
        "SOFI of more frames. For own movies, the target is always SOFI.",
        label="Target picture",
        choices={"ideal": "true emitters", "sofi": "SOFI of more frames"},
    )
    target_frames: int = parameter(
        100,
        "Number of frames of a simulated movie from which SOFI makes the target.",
        label="Frames of a SOFI target",
        ge=20,
        le=10_000,
        only_if={"target": ("sofi",)},
    )
    loss: Literal["mixed", "l1", "mse", "fourier"] = parameter(
        "mixed",
        "'mixed' is L1 + 2 MSE + 0.1 of the Fourier amplitudes; 'fourier' amplitudes and phases.",
    )
    frames_min: int = parameter(
        8,
        "Smallest number of frames of a movie.",
        label="Fewest frames",
        ge=5,
        le=500,
        formerly="frames_least",
    )
    frames_max: int = parameter(
        50,
        "Largest number of frames of a movie.",
        label="Most frames",
        ge=5,
        le=500,
        formerly="frames_most",
    )
    sofi: SofiSettings = SofiSettings()


class EmitterTrainingSettings(LearningSettings):
    """Settings of the training of a network that finds emitters, and of its simulated frames."""

    batch: int = parameter(16, "Number of frames per step.", label="Batch size", ge=1, le=512)
    side_px: int = parameter(
        40, "Side of a frame.", label="Side of crops", unit="camera px", ge=16, le=512
    )
    psf_sigma_min: float = parameter(
        0.7,
        "Standard deviation of the narrowest PSF.",
        label="PSF sigma from",
        unit="camera px",
        ge=0.4,
        le=6,
        formerly="psf_sigma_least",
    )
    psf_sigma_max: float = parameter(
        2.0,
        "Standard deviation of the widest PSF.",
        label="PSF sigma to",
        unit="camera px",
        ge=0.4,
        le=6,
        formerly="psf_sigma_most",
    )
    density_min: float = parameter(
        0.001,
        "Lowest density of emitters that are on.",
        label="Density from",
        unit="1/camera px²",
        gt=0,
        le=1,
        formerly="density_least",
    )
    density_max: float = parameter(
        0.11,
        "Highest density of emitters that are on.",
        label="Density to",
        unit="1/camera px²",
        gt=0,
        le=1,
        formerly="density_most",
    )
    photons_min: float = parameter(
        50.0,
        "Dimmest emitters.",
        label="Dimmest emitter",
        unit="photons",
        ge=5,
        le=1e6,
        formerly="photons_least",
    )
    photons_max: float = parameter(
        5000.0,
        "Brightest emitters.",
        label="Brightest emitter",
        unit="photons",
        ge=5,
        le=1e6,
        formerly="photons_most",
    )


class DynamicsTrainingSettings(LearningSettings):
    """Settings of the training of a network for moving structures, and of its localizations."""

    batch: int = parameter(12, "Number of pictures per step.", label="Batch size", ge=1, le=512)
    side_px: int = parameter(
        16, "Side of a picture.", label="Side of crops", unit="camera px", ge=8, le=128
    )
    structure: Literal["filaments", "mitochondria", "both"] = parameter(
        "both",
        "Moving structures in the simulated movies.",
        choices={
            "filaments": "lines (filaments)",
            "mitochondria": "filled (mitochondria)",
            "both": "lines and filled shapes",
        },
        basic=True,
    )
    density_min: float = parameter(
        40.0,
        "Smallest total length of filaments in 128 x 128 samples.",
        label="Total length from",
        unit="samples",
        gt=0,
        le=5000,
        formerly="density_least",
    )
    density_max: float = parameter(
        1500.0,
        "Largest total length of filaments in 128 x 128 samples.",
        label="Total length to",
        unit="samples",
        gt=0,
        le=5000,
        formerly="density_most",
    )
    blinks_min: float = parameter(
        0.005,
        "Fewest localisations per sample of structure and window.",
        label="Blinks from",
        unit="per sample",
        gt=0,
        le=10,
        formerly="blinks_least",
    )
    blinks_max: float = parameter(
        0.4,
        "Most localisations per sample of structure and window.",
        label="Blinks to",
        unit="per sample",
        gt=0,
        le=10,
        formerly="blinks_most",
    )
    error_min: float = parameter(
        0.1,
        "Standard deviation of the most precise localisations.",
        label="Error from",
        unit="samples",
        ge=0,
        le=5,
        formerly="error_least",
    )
    error_max: float = parameter(
        1.5,
        "Standard deviation of the least precise localisations.",
        label="Error to",
        unit="samples",
        ge=0,
        le=5,
        formerly="error_most",
    )
    speed_max: float = parameter(
        0.15,
        "Fastest motion.",
        label="Speed up to",
        unit="samples/window",
        gt=0.002,
        le=5,
        formerly="speed_most",
    )
    scattered_max: float = parameter(
        0.25,
        "Highest fraction of localisations with false ones around them.",
        label="Scattered share up to",
        ge=0,
        le=1,
        formerly="scattered_most",
    )
    false_max: float = parameter(
        0.02,
        "Highest density of false localisations per sample and window.",
        label="False up to",
        unit="per sample",
        gt=3e-5,
        le=1,
        formerly="false_most",
    )

    windows: int = parameter(
        20,
        "Number of windows per sequence, only for the network of the paper (parameters paper=1), "
        "which is trained on sequences (of 300 windows in the paper).",
        label="Windows per sequence",
        ge=2,
        le=300,
    )
    steady: float = parameter(
        0.64,
        "Weight of the change from picture to picture, relative to the squared error; only for "
        "the network of the paper.",
        label="Weight of steadiness",
        ge=0,
        le=100,
    )
    smooth: float = parameter(
        0.002,
        "Weight of the squared slopes within a picture; only for the network of the paper.",
        label="Weight of smoothness",
        ge=0,
        le=100,
    )


class PosteriorTrainingSettings(LearningSettings):
    """Settings of the training of a network that draws posterior samples."""

    side_px: int = parameter(
        32, "Side of a movie or frame.", label="Side of crops", unit="camera px", ge=16, le=512
    )
    estimate: str = parameter(
        "sofinet-universal",
        "Weights of sofinet or deepstorm that make the pictures from which samples start.",
        label="Pictures made by",
        basic=True,
        formerly="guess",
    )
    preset: Literal["universal", "filaments", "komen2024"] = parameter(
        "universal",
        "Preset of the simulated movies, for pictures of sofinet.",
        label="Simulated movies",
        choices=PRESETS_IN_WORDS,
        basic=True,
    )
    frames_min: int = parameter(
        8,
        "Smallest number of frames of a movie for sofinet.",
        label="Fewest frames",
        ge=5,
        le=500,
        formerly="frames_least",
    )
    frames_max: int = parameter(
        50,
        "Largest number of frames of a movie for sofinet.",
        label="Most frames",
        ge=5,
        le=500,
        formerly="frames_most",
    )


def missing_notes(movies: Sequence[Movie]) -> list[str]:
    """Return sentences about movies that are fewer, shorter or smaller than recommended.

    Parameters
    ----------
    movies : sequence of Movie
        Own movies to train on.

    Returns
    -------
    list of str
        One sentence for each shortcoming.
    """
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
