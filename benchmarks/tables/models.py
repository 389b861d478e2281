"""The tables of the ConvGRU paper, computed again with the default network beside it.

    python benchmarks/tables/models.py [--seeds 1] [--frames 8,10,15,20,25] [--moving] [--picture F]
        [--weights METHOD=NAME_OR_FILE ...]

Movies: 128 x 128 px of microtubules in the paper's 12 conditions (`komen2024`), simulated with
seeds that no training has used. Truth: emitters blurred to 110 nm. Scores are means over the
conditions: resolution by decorrelation (nm), Pearson, SQUIRREL's RSP against the standard deviation
of all 100 frames, TPR and TNR of Li masks, FRC to the truth (nm; 100 where it never falls below
1/7), the fraction of false filament length, and the worst condition's Pearson. ``--moving``: the
structure moves by one sample of the result (50 nm) in 20 frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.metrics import (
    decorrelation_resolution,
    false_filament_length,
    frc_resolution,
    mask_scores,
    pearson,
    squirrel,
)
from napari_sofinet.simulation import Simulation, simulate
from napari_sofinet.simulation.presets import komen2024_condition

FIRST_SEED = 990_000
PAPER = {  # 20 frames, adaptive target
    "resolution": "116",
    "Pearson": "0.89",
    "RSP": "0.85",
    "TPR": "0.79",
    "TNR": "0.99",
}
PAPER_MOVING = PAPER | {"resolution": "112", "Pearson": "0.92", "TPR": "0.73", "RSP": ""}
COLUMNS = "resolution", "Pearson", "RSP", "TPR", "TNR", "FRC to truth", "false length", "worst"


def movies(seed: int, moving: bool) -> list[Simulation]:
    """One movie of 100 frames for each condition."""
    made = []
    for condition in range(12):
        settings = komen2024_condition(FIRST_SEED + 12 * seed + condition, condition)
        if moving:
            motion = settings.motion.model_copy(update={"drift_x_um_per_s": 0.05 / 0.2})
            settings = settings.model_copy(update={"motion": motion})
        made.append(simulate(settings))
    return made


def truth_of(movie: Simulation, frames: int, result: sofinet.Reconstruction):
    """The emitters as they lie in the middle of the frames used, on the result's grid."""
    return movie.truth.ideal(
        fineness=2,
        origin_px=result.origin_px,
        shape=result.image.shape,
        time_s=frames / 2 * movie.settings.frame_interval_s,
    ).image


def scores(movie: Simulation, frames: int, method: str, settings: dict) -> dict[str, float]:
    opened = sofinet.open_movie(movie.frames, 0.1)
    result = sofinet.reconstruct(opened.select((0, frames)), method, **settings)
    image = np.asarray(result.image, float)
    if result.pixel_px == (1.0, 1.0):  # a plain projection, brought to the finer grid
        from scipy.ndimage import map_coordinates

        at = np.arange(0, 127.5, 0.5)
        image = map_coordinates(image, np.meshgrid(at, at, indexing="ij"), order=1)
        result = sofinet.Reconstruction({"image": image}, (0.5, 0.5))
    truth = truth_of(movie, frames, result)
    mask = mask_scores(image, truth)
    resolution = decorrelation_resolution(image).resolution_px
    rings = frc_resolution(image, truth)
    # A picture that follows the truth up to the last ring resolves what its samples can.
    ring = 2.0 if rings.resolution_px is None else rings.resolution_px
    fit = squirrel(
        image,
        movie.frames.std(axis=0),
        pixel_px=result.pixel_px,
        origin_px=result.origin_px,
    )
    return {
        "resolution": np.nan if resolution is None else 50 * resolution,
        "Pearson": pearson(image, truth),
        "RSP": np.nan if fit.rsp is None else fit.rsp,
        "TPR": mask.tpr,
        "TNR": mask.tnr,
        "FRC to truth": 50 * ring,
        "false length": 100 * false_filament_length(image, truth).share,
    }


def row(name: str, found: list[dict[str, float]]) -> str:
    cells = []
    for column in COLUMNS:
        if column == "worst":
            cells.append(f"{min(f['Pearson'] for f in found):.3f}")
            continue
        values = [f[column] for f in found if np.isfinite(f[column])]
        mean = np.mean(values) if values else np.nan
        digits = {"resolution": "{:.0f}", "FRC to truth": "{:.0f}", "false length": "{:.1f} %"}
        cells.append(digits.get(column, "{:.3f}").format(mean))
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--frames", default="8,10,15,20,25")
    parser.add_argument("--moving", action="store_true")
    parser.add_argument("--weights", nargs="*", default=[], metavar="METHOD=WEIGHTS")
    parser.add_argument("--picture", metavar="FILE.png")
    options = parser.parse_args()
    methods: dict[str, tuple[str, dict]] = {
        "average": ("average", {}),
        "SOFI": ("sofi", {}),
        "sofinet-universal": ("sofinet", {"weights": "sofinet-universal"}),
        "sofinet-filaments": ("sofinet", {"weights": "sofinet-filaments"}),
        "convgru-komen2024": ("convgru", {"weights": "convgru-komen2024"}),
    }
    for word in options.weights:
        method, weights = word.split("=", 1)
        methods[Path(weights).stem] = (method, {"weights": weights})
    made = [m for seed in range(options.seeds) for m in movies(seed, options.moving)]
    print("| | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for frames in map(int, options.frames.split(",")):
        for name, (method, settings) in methods.items():
            found = [scores(movie, frames, method, settings) for movie in made]
            print(row(f"{name}, {frames} frames", found), flush=True)
        if frames == 20:
            paper = PAPER_MOVING if options.moving else PAPER
            cells = " | ".join(paper.get(column, "") for column in COLUMNS)
            print(f"| *the paper's ConvGRU, 20 frames, its own movies* | {cells} |")
    found = [scores(movie, 100, "sofi", {}) for movie in made]
    print(row("SOFI, 100 frames", found))
    if options.picture:
        picture(made, methods, Path(options.picture))


def picture(made: list[Simulation], methods: dict[str, tuple[str, dict]], path: Path) -> None:
    """The easiest, a middling and the hardest condition from 20 frames, beside the truth."""
    from matplotlib.figure import Figure

    chosen = made[0], made[5], made[11]
    figure = Figure(figsize=(2.2 * (len(methods) + 1), 6.8), layout="constrained")
    axes = figure.subplots(3, len(methods) + 1, squeeze=False)
    for line, movie in zip(axes, chosen, strict=True):
        opened = sofinet.open_movie(movie.frames[:20], 0.1)
        images = {
            name: sofinet.reconstruct(opened, method, **settings).image
            for name, (method, settings) in methods.items()
        }
        images["truth"] = movie.truth.ideal().image
        for axis, (name, image) in zip(line, images.items(), strict=True):
            part = image[: image.shape[0] // 2, : image.shape[1] // 2]
            axis.imshow(part, cmap="inferno", vmax=np.quantile(part, 0.998))
            axis.set_title(name, fontsize=8)
            axis.axis("off")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
