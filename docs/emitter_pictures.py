"""The pictures of docs/emitters.md: python docs/emitter_pictures.py FOLDER_OF_MOVIES."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import napari_sofinet as sofinet

IMAGES = Path(__file__).parent / "images"
MOVIES = (
    ("simulated_dnapaint_origami_1000x32x32", 0.16),
    ("simulated_bundled_tubes_hd_361x64x64", 0.1),
    ("threeb_cell_300x60x60", 0.1),
)


def main(folder: Path) -> None:
    """Average of each movie above, its emitters below."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, len(MOVIES))
    for (above, below), (name, pixel_um) in zip(axes.T, MOVIES, strict=True):
        movie = sofinet.open_movie(folder / f"{name}.tif", pixel_um)
        average = sofinet.reconstruct(movie, "average").image
        found = sofinet.reconstruct(movie, "deepstorm")
        assert found.localizations is not None
        above.imshow(average, cmap="inferno")
        above.set_title(name.rsplit("_", 1)[0].replace("_", " "), fontsize=9)
        below.imshow(found.image, cmap="inferno", vmax=np.quantile(found.image, 0.998))
        below.set_title(f"{len(found.localizations):,} emitters", fontsize=9)
        above.axis("off")
        below.axis("off")
        print(name, *found.notes, sep="\n  ")
    figure.savefig(IMAGES / "emitters.png", dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
