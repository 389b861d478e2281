"""Files of simulated movies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import flatten_settings, parameters
from napari_sofinet.data.outputs import refuse_overwriting
from napari_sofinet.io.atomic import atomic_write, atomic_write_together
from napari_sofinet.io.fingerprint import fingerprint
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.simulate import Simulation

IMAGEJ_BYTES = 3.9e9
"""Largest movie that fits into a TIFF with 32-bit offsets."""


def write_movie(path: str | Path, simulation: Simulation, report: Report = silent) -> None:
    """Write a simulated movie, block by block, with its scale and its settings.

    The file is an ImageJ hyperstack, or an OME-TIFF (BigTIFF) where it would be too large for that.

    Parameters
    ----------
    path : path-like
        TIFF file to be written.
    simulation : Simulation
        The movie.
    report : Report, optional
        Called with the progress.

    Raises
    ------
    InputError
        The file cannot be written, or the simulation reads from it.
    """
    keep_inputs(simulation.settings, Path(path))
    with atomic_write(path) as partial:
        _write_pages(partial, simulation, report)


def write_with_truth(
    path: Path, truth: Path, simulation: Simulation, report: Report = silent
) -> None:
    """Write a movie and its truth, or neither.

    Former files stay until both are complete. The truth holds the fingerprint of the movie.

    Parameters
    ----------
    path, truth : Path
        Files to be written: TIFF and .npz.
    simulation : Simulation
        The movie.
    report : Report, optional
        Called with the progress.

    Raises
    ------
    InputError
        A file cannot be written, the simulation reads from it, or the truth would be too large.
    """
    keep_inputs(simulation.settings, path, truth)
    simulation.truth.check_size()
    with atomic_write_together(path, truth) as (movie_file, truth_file):
        _write_pages(movie_file, simulation, report)
        simulation.truth.write(truth_file, fingerprint((str(movie_file),))[1])


def keep_inputs(settings: SimulationSettings, *outputs: Path) -> None:
    """Raise `InputError` where an output would replace a file that the settings name.

    Parameters
    ----------
    settings : SimulationSettings
        Settings of the simulation.
    *outputs : Path
        Files to be written.

    Raises
    ------
    InputError
        An output is a file that the settings name, or two outputs are the same file.
    """
    values = flatten_settings(settings)
    for output in outputs:
        for leaf in parameters(type(settings)):
            if leaf.file and values[leaf.name]:
                refuse_overwriting(output, Path(values[leaf.name]))
    if len(outputs) > 1 and os.path.realpath(outputs[0]) == os.path.realpath(outputs[1]):
        raise InputError(f"The movie and its truth cannot both be {outputs[0]}; name another file.")


def _write_pages(path: Path, simulation: Simulation, report: Report) -> None:
    from tifffile import imwrite

    s = simulation.settings
    frames, rows, columns = simulation.shape
    dtype = simulation.camera.dtype
    fits = frames * rows * columns * dtype.itemsize < IMAGEJ_BYTES
    metadata: dict[str, Any] = {"axes": "TYX"}
    if fits:
        metadata |= {"unit": "um", "finterval": s.frame_interval_s, "Info": s.model_dump_json()}
    else:
        metadata |= {
            "PhysicalSizeX": s.pixel_size_um,
            "PhysicalSizeY": s.pixel_size_um,
            "TimeIncrement": s.frame_interval_s,
            "Description": s.model_dump_json(),
        }

    def pages() -> Iterator[np.ndarray]:
        done = 0
        for block in simulation.blocks():
            yield from block
            done += len(block)
            report(done / frames, f"frame {done} of {frames}")

    imwrite(
        path,
        pages(),
        shape=(frames, rows, columns),
        dtype=dtype,
        imagej=fits,
        ome=not fits,
        bigtiff=not fits,
        resolution=(1 / s.pixel_size_um, 1 / s.pixel_size_um),
        metadata=metadata,
    )


def truth_path(movie: Path) -> Path:
    """Return the path at which the truth of a movie is kept, beside it.

    Examples
    --------
    >>> from pathlib import Path
    >>> truth_path(Path("movie.ome.tif")).name
    'movie_truth.npz'
    """
    return movie.with_name(f"{movie.stem.removesuffix('.ome')}_truth.npz")
