"""Files of simulated SIM stacks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.atomic import atomic_write, atomic_write_together
from napari_sofinet.simulation.sim_simulate import TRUTH_PIXELS, TRUTH_PLANES, SimulatedStack


def write_stack(
    path: Path, stack: SimulatedStack, truth: Path | None = None, report: Report = silent
) -> None:
    """Write a simulated stack, and its truth if a file is given: both or neither.

    The stack is an ImageJ hyperstack whose time points are the exposures; the truth an OME-TIFF
    with three times as many planes, twice as many rows and columns.

    Parameters
    ----------
    path : Path
        TIFF file of the stack.
    stack : SimulatedStack
        The stack.
    truth : Path, optional
        OME-TIFF file of the truth.
    report : Report, optional
        Called with the progress.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    report(0.0, "images")
    images = stack.images()
    report(0.6, "truth")
    with ExitStack() as files:
        if truth is None:
            partial = files.enter_context(atomic_write(path))
        else:
            partial, truth_file = files.enter_context(atomic_write_together(path, truth))
            _write_truth(truth_file, stack)
        _write_images(partial, stack, images)
    report(1.0, "done")


def _write_images(path: Path, stack: SimulatedStack, images: np.ndarray) -> None:
    from tifffile import imwrite

    s = stack.settings
    imwrite(
        path,
        images,
        imagej=True,
        resolution=(1 / s.pixel_um, 1 / s.pixel_um),
        metadata={
            "axes": "TZYX",
            "unit": "um",
            "spacing": s.plane_um,
            "Info": s.model_dump_json(),
        },
    )


def _write_truth(path: Path, stack: SimulatedStack) -> None:
    plane = stack.settings.plane_um / TRUTH_PLANES
    Reconstruction(
        {"image": stack.truth()},
        pixel_px=(1 / TRUTH_PIXELS, 1 / TRUTH_PIXELS),
        camera_pixel_um=stack.settings.pixel_um,
        axes="ZYX",
        plane_um=plane,
        first_plane_um=-plane,
    ).write(path)
