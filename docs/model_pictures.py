"""Pictures and numbers of docs/models.md from real movies.

    python docs/model_pictures.py FOLDER_OF_MOVIES

Real movies have no truth: RSP (SQUIRREL) against the standard deviation of all frames says how well
a picture explains them. Where a movie bleaches, that is mostly how much each pixel bleaches, so the
first table is of pictures with bleaching corrected, the standard deviation among them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.metrics import squirrel

MOVIES = {
    "threeb_cell_300x60x60.tif": (100, 300),
    "musical_mito_014_50x70x70.tif": (0, 50),
    "musical_cardiomyoblast_mito_100x30x45.tif": (0, 100),
    "simulated_sofi_tubulin_1000x64x64.tif": (0, 1000),
    "simulated_bundled_tubes_hd_361x64x64.tif": (0, 361),
}
FEW = 20


def rsp(result, reference: np.ndarray) -> float:
    fit = squirrel(
        np.asarray(result.image, float),
        reference,
        pixel_px=result.pixel_px,
        origin_px=result.origin_px,
    )
    return fit.rsp


def main(folder: Path) -> None:
    from matplotlib.figure import Figure

    images = Path(__file__).parent / "images"
    lines: list[tuple[str, list[float], list[float]]] = []
    for name, span in MOVIES.items():
        movie = sofinet.open_movie(folder / name, 0.1)
        movie = movie.select(span)
        few = movie.select((span[0], span[0] + FEW))
        rows = []
        for correct in (True, False):
            corrected = {"bleaching.correct": correct}
            std = sofinet.reconstruct(movie, "std", **corrected).image.astype(float)
            made = {
                f"{label}, {number}": sofinet.reconstruct(frames, method, **settings, **corrected)
                for label, number, frames, method, settings in (
                    ("SOFI", "all", movie, "sofi", {}),
                    ("SOFI", "20", few, "sofi", {}),
                    ("universal", "20", few, "sofinet", {}),
                    ("universal", "all", movie, "sofinet", {}),
                    ("filaments", "20", few, "sofinet", {"weights": "sofinet-filaments"}),
                )
            }
            rows.append([rsp(result, std) for result in made.values()])
        lines.append((name, rows[0], rows[1]))
        average = sofinet.reconstruct(movie, "average").image
        shown = {"average, all": average} | {k: r.image for k, r in made.items()}
        shown["uncertainty of universal, 20"] = made["universal, 20"].maps["uncertainty"]
        figure = Figure(figsize=(2.3 * len(shown), 2.6), layout="constrained")
        for axis, (title, image) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
            axis.imshow(image, cmap="inferno", vmax=np.quantile(image, 0.998))
            axis.set_title(title, fontsize=8)
            axis.axis("off")
        figure.savefig(images / f"models-{name.split('_')[0]}-{name.split('_')[1]}.png", dpi=80)
    for number, title in ((1, "movie, bleaching corrected"), (2, "movie as it is")):
        print(
            f"| {title} | SOFI, all | SOFI, 20 | universal, 20 | universal, all | filaments, 20 |"
        )
        print("|---|---|---|---|---|---|")
        for line in lines:
            print(f"| {line[0]} | " + " | ".join(f"{v:.3f}" for v in line[number]) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
