"""Simulated movies as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.simulation.simulate import Simulation

IMAGEJ_BYTES = 3.9e9  # what a TIFF with 32-bit offsets holds


def write_movie(path: str | Path, simulation: Simulation, report: Report = silent) -> None:
    """Write a simulated movie, block by block, with its scale and its settings.

    An ImageJ hyperstack, or an OME-TIFF (BigTIFF) where that would not fit.

    Raises
    ------
    InputError
        The file can not be written.
    """
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

    with atomic_write(path) as partial:
        imwrite(
            partial,
            pages(),
            shape=(frames, rows, columns),
            dtype=dtype,
            imagej=fits,
            ome=not fits,
            bigtiff=not fits,
            resolution=(1 / s.pixel_size_um, 1 / s.pixel_size_um),
            metadata=metadata,
        )


def write_with_truth(
    path: Path, truth: Path, simulation: Simulation, report: Report = silent
) -> None:
    """Write a movie and its truth, or neither."""
    simulation.truth.save(truth)  # first, since it may be refused at once
    try:
        write_movie(path, simulation, report)
    except BaseException:
        truth.unlink(missing_ok=True)
        raise


def truth_path(movie: Path) -> Path:
    """Where the truth of a movie is kept: beside it, as ``movie_truth.npz``."""
    return movie.with_name(f"{movie.stem.removesuffix('.ome')}_truth.npz")
