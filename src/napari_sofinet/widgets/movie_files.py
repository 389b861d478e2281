"""Files of the movies that layers show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.outputs import refuse_overwriting
from napari_sofinet.io.ome_tiff import write_ome_tiff
from napari_sofinet.simulation import SimulationSettings, simulate
from napari_sofinet.simulation.sim_settings import SimStackSettings
from napari_sofinet.simulation.sim_simulate import simulate_stack
from napari_sofinet.simulation.sim_writing import write_stack
from napari_sofinet.simulation.writing import truth_path, write_with_truth


def save_movie(path: Path, movie: Movie) -> tuple[Path, ...]:
    """Write a copy of a movie with its scale and its own type of numbers.

    Parameters
    ----------
    path : Path
        File to write, an OME-TIFF.
    movie : Movie
        Movie, read frame by frame.

    Returns
    -------
    tuple of Path
        The file.

    Raises
    ------
    InputError
        If the file cannot be written, or if the movie is read from it.
    """
    if movie.path is not None:
        refuse_overwriting(path, movie.path)
    size = movie.pixel_size_um
    frames = movie.frames
    write_ome_tiff(
        path,
        [frames],
        ["movie"],
        "TYX",
        pixel_size_um=None if size is None else (size, size),
        frame_interval_s=movie.frame_interval_s,
        dtype=np.dtype(frames.dtype),
    )
    return (path,)


def save_simulation(
    path: Path, settings: dict[str, Any] | SimulationSettings, report: Report = silent
) -> tuple[Path, ...]:
    """Simulate a movie again and write it with its truth.

    Parameters
    ----------
    path : Path
        TIFF file of the movie; the truth is written beside it.
    settings : SimulationSettings or dict
        Settings of the simulation.
    report : callable, optional
        Function that receives the progress.

    Returns
    -------
    tuple of Path
        Files of the movie and of the truth.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    settings = SimulationSettings.model_validate(settings)
    truth = truth_path(path)
    write_with_truth(path, truth, simulate(settings), report)
    return path, truth


def save_stack(
    path: Path, settings: dict[str, Any] | SimStackSettings, report: Report = silent
) -> tuple[Path, ...]:
    """Simulate a raw SIM stack again and write it with its truth.

    Parameters
    ----------
    path : Path
        TIFF file of the stack; the truth, an OME-TIFF, is written beside it.
    settings : SimStackSettings or dict
        Settings of the simulation.
    report : callable, optional
        Function that receives the progress.

    Returns
    -------
    tuple of Path
        Files of the stack and of the truth.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    settings = SimStackSettings.model_validate(settings)
    truth = truth_path(path).with_suffix(".ome.tif")
    write_stack(path, simulate_stack(settings), truth, report)
    return path, truth
