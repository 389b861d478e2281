"""The picture of docs/doubt.md: python docs/doubt_pictures.py [PICTURE_WEIGHTS EMITTER_WEIGHTS]."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import napari_sofinet as sofinet
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.training.emitters import emitter_map, spots

IMAGES = Path(__file__).parent / "images"
COLUMNS = "average", "truth", "estimate", "mean", "standard deviation", "sample", "another"


def filaments() -> tuple[np.ndarray, np.ndarray]:
    """Return 20 frames of microtubules and the ideal image."""
    settings = preset_settings("komen2024")

    movie = simulate(settings.model_copy(update={"frames": 20, "rows": 64, "columns": 64}))
    truth = movie.truth.ideal().image
    return movie.frames, truth / np.quantile(truth[truth > 0.02 * truth.max()], 0.995)


def emitters(density_um2: float, photons: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a movie of crowded emitters, pixels of 0.1 um, and the map of their positions."""
    rng = np.random.default_rng(4)
    places = rng.uniform(-3, 35, (rng.poisson(0.01 * density_um2 * 38**2), 2))
    light = spots(places, np.full(len(places), photons), 0.92, 32, 32) + 1
    return np.round(rng.poisson(light, (2, 32, 32)) + 100.0), emitter_map(places, 32, 32)


def main(pictures: str, single: str) -> None:
    """Draw one row per scene."""
    scenes = (filaments(), pictures), (emitters(0.5, 200), single), (emitters(3, 1000), single)
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    axes = figure.subplots(len(scenes), len(COLUMNS))
    for title, place in zip(COLUMNS, axes[0], strict=True):
        place.set_title(title, fontsize=10)
    for row, ((frames, truth), weights) in zip(axes, scenes, strict=True):
        movie = sofinet.open_movie(frames.astype(np.float32))
        if weights == single:
            movie, frames = movie.select((0, 1)), frames[:1]
        found = sofinet.reconstruct(movie, "ddpm", weights=weights, psf_fwhm_px=2.17)
        maps = found.maps
        shown = (
            frames.mean(axis=0),
            truth,
            maps["estimate"],
            found.image,
            maps["standard_deviation"],
            *found.samples[:2],
        )
        for place, title, image in zip(row, COLUMNS, shown, strict=True):
            most = None if title == "average" else 0.5 if title.startswith("stand") else 1.0
            colours = "viridis" if title.startswith("stand") else "inferno"
            place.imshow(image, cmap=colours, vmin=None if most is None else 0, vmax=most)
            place.axis("off")
    figure.savefig(IMAGES / "doubt.png", dpi=80)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ("ddpm-universal", "ddpm-emitters")))
