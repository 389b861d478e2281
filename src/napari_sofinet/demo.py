"""The main job on the bundled movie: simulated microtubules, made offline."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.io.atomic import check_writable, written_whole
from napari_sofinet.settings import Report, silent
from napari_sofinet.simulation import Simulation, SimulationSettings, simulate
from napari_sofinet.simulation.settings import StructureSettings
from napari_sofinet.simulation.writing import write_movie

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction

FEW, MOST_IN_ROW = 20, 5
DEMO = SimulationSettings(frames=500, seed=7, structure=StructureSettings(count=10))
"""The bundled movie: 128 x 128 px of 100 nm, 500 frames of 10 ms."""


def demo_movie() -> Simulation:
    """The bundled movie and its truth, the same everywhere."""
    return simulate(DEMO)


def run_demo(folder: Path, report: Report = silent) -> list[Path]:
    """Write the bundled movie, what methods make of it, and one picture that compares them.

    Without PyTorch the network's picture of 20 frames is left out.

    Returns
    -------
    The files written, the picture last.
    """
    from napari_sofinet.methods import reconstruct
    from napari_sofinet.movie import open_movie

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} can not be made ({error.strerror}).") from error
    check_writable(folder / "movie.tif")
    simulation = demo_movie()
    files = [folder / "movie.tif", folder / "movie_truth.npz"]
    write_movie(files[0], simulation)
    simulation.truth.save(files[1])
    movie = open_movie(files[0])
    results = {}
    jobs: list[tuple[str, Movie, str, dict[str, Any]]] = [
        ("average", movie, "average", {}),
        ("SOFI order 2", movie, "sofi", {"order": 2}),
        ("SOFI order 3", movie, "sofi", {"order": 3}),
        ("SOFI order 4", movie, "sofi", {"order": 4}),
    ]
    if find_spec("torch") and find_spec("safetensors"):
        few = movie.select((0, FEW))
        jobs += [
            (f"SOFI {FEW} frames", few, "sofi", {}),
            (f"sofinet {FEW} frames", few, "sofinet", {}),
        ]
    for title, frames, method, settings in jobs:
        results[title] = reconstruct(frames, method, report=report, **settings)
        files.append(folder / f"{title.replace(' ', '_').lower()}.ome.tif")
        results[title].save(files[-1])
    files.append(folder / "comparison.png")
    _compare(files[-1], simulation, results)
    return files


def _compare(path: Path, simulation: Simulation, results: dict[str, Reconstruction]) -> None:
    """Draw all results on the same field, the truth last, in world coordinates."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("The picture needs matplotlib: pip install matplotlib.") from None
    truth = simulation.truth.ideal(fineness=4, fwhm_um=simulation.settings.optics.fwhm_um / 2)
    shown = {**results, "truth (half the PSF)": truth}
    pictures = [
        (t, r.image, r.origin_um or (0, 0), r.pixel_size_um or (1, 1)) for t, r in shown.items()
    ]
    columns = (len(pictures) + 1) // 2 if len(pictures) > MOST_IN_ROW else len(pictures)
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(4 * columns, 4.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(pictures) :]:
        axis.axis("off")
    for axis, (title, image, origin, pixel) in zip(axes, pictures, strict=False):
        (y, x), (dy, dx) = origin, pixel
        height, width = image.shape
        extent = (x - dx / 2, x + (width - 0.5) * dx, y + (height - 0.5) * dy, y - dy / 2)
        axis.imshow(
            image,
            cmap="inferno",
            extent=extent,
            vmin=np.percentile(image, 1),
            vmax=np.percentile(image, 99.7),
            interpolation="nearest",
        )
        axis.set(title=title, xlim=(3, 9), ylim=(9, 3), xlabel="µm")
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
