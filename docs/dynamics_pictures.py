"""The picture of dynamics.md: a moving structure from raw frames, beside the truth.

python docs/dynamics_pictures.py [--weights NAME_OR_FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.simulation import preset_settings, simulate

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks" / "tables"))
from dblink import line_picture, solid_truth  # noqa: E402

SEED, TIMES = 4007, (200, 1500, 2800)


def main() -> None:
    """Simulate, reconstruct, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", default="dblink")
    options = parser.parse_args()
    settings = preset_settings("dblink-filaments", SEED)
    # Fast enough to be seen: half a micrometre in 3000 frames, and a slow turn.
    motion = {"drift_y_um_per_s": 0.02, "drift_x_um_per_s": -0.015, "rotation_deg_per_s": 0.3}
    motion |= {"wobble_um": 0.1, "wobble_period_s": 20.0}
    moving = settings.motion.model_copy(update=motion)
    structure = settings.structure.model_copy(update={"count": 4})
    settings = settings.model_copy(update={"motion": moving, "structure": structure})
    movie = simulate(settings)
    solid = solid_truth(movie)
    result = sofinet.reconstruct(
        sofinet.open_movie(movie.frames, 0.16),
        "dblink",
        structure="filaments",
        weights=options.weights,
        step=10,
    )
    assert result.time_series is not None
    first, step = result.time_series
    figure, axes = plt.subplots(len(TIMES), 4, figsize=(10, 2.5 * len(TIMES)))
    for row, time in zip(axes, TIMES, strict=True):
        k = round((time - first) / step)
        seen = movie.frames[time - 50 : time + 50].mean(axis=0)
        at = (first + step * k + 0.5) * settings.frame_interval_s
        truth = line_picture(4 * solid.positions_at(at) / settings.pixel_size_um + 1.5)
        shown = seen, result.image[k], result.maps["confidence"][k], truth
        for axis, image in zip(row, shown, strict=True):
            axis.imshow(image, cmap="gray", vmin=np.min(image))
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(f"frame {time}")
    names = "mean of 100 frames", "dblink", "confidence", "truth"
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name)
    figure.tight_layout()
    figure.savefig(HERE / "images" / "dynamics.png", dpi=75)


if __name__ == "__main__":
    main()
