"""The command ``sofinet demo``: methods on a simulated movie of microtubules."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.cli.progress import ProgressLine, say
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.atomic import atomic_write, check_writable
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.simulation.demo import demo_movie
from napari_sofinet.simulation.simulate import Simulation
from napari_sofinet.simulation.writing import write_with_truth

FEW, MOST_IN_ROW = 20, 5


def add_demo(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet demo``."""
    parser.add_argument("-o", dest="folder", default="sofinet-demo", metavar="DIR")


def run_demo_command(options: argparse.Namespace) -> int:
    """Write the files of the demonstration, and print their names."""
    for path in run_demo(Path(options.folder), ProgressLine()):
        say(str(path))
    return 0


def run_demo(folder: Path, report: Report = silent) -> list[Path]:
    """Write the bundled movie, reconstructions of it, and one picture that compares them.

    Without PyTorch the network's reconstruction is left out.

    Parameters
    ----------
    folder : Path
        Folder for the files; it is created if it does not exist.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    list of Path
        The files; the picture is the last one.

    Raises
    ------
    InputError
        The folder cannot be made or written to, or matplotlib is missing.
    """
    if not _installed("matplotlib"):
        raise InputError("The demonstration needs matplotlib: pip install matplotlib.")
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be created ({error.strerror}).") from error
    before = set(folder.iterdir())
    try:
        check_writable(folder / "movie.tif")
        return _write_files(folder, report)
    except BaseException:
        for path in set(folder.iterdir()) - before:
            path.unlink(missing_ok=True)
        for path in made:
            path.rmdir()
        raise


def _write_files(folder: Path, report: Report) -> list[Path]:
    simulation = demo_movie()
    files = [folder / "movie.tif", folder / "movie_truth.npz"]
    write_with_truth(files[0], files[1], simulation)
    movie = open_movie(files[0])
    results = {}
    jobs: list[tuple[str, Movie, str, dict[str, Any]]] = [
        ("average", movie, "average", {}),
        ("SOFI order 2", movie, "sofi", {"order": 2}),
        ("SOFI order 3", movie, "sofi", {"order": 3}),
        ("SOFI order 4", movie, "sofi", {"order": 4}),
    ]
    if _installed("torch") and _installed("safetensors"):
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


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def _compare(path: Path, simulation: Simulation, results: dict[str, Reconstruction]) -> None:
    """Draw all results on the same field, the truth last, in world coordinates."""
    from matplotlib.figure import Figure

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
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
