"""A raw stack of structured illumination: exposures of planes, read when they are needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import OpenStep
from napari_sofinet.data.selection import Roi
from napari_sofinet.io.scale import read_plane_spacing
from napari_sofinet.io.tiff_file import explained, opened_tiff
from napari_sofinet.io.tiff_stack import TiffStack

ORDERS = ("phases, directions, planes", "phases, planes, directions", "planes, phases, directions")
"""Orders of the images of a stack, the fastest first."""


@dataclass(frozen=True)
class SimStack:
    """All images of a raw SIM stack, in the order of the file.

    Parameters
    ----------
    movie : Movie
        The images as frames.
    axes : tuple of (str, int)
        Letter and length of the axes of the file along which they lie, the slowest first.
    plane_um : float, optional
        Distance of planes in um; None if unknown.
    """

    movie: Movie
    axes: tuple[tuple[str, int], ...]
    plane_um: float | None = None

    @property
    def name(self) -> str:
        """Short name for layers and messages."""
        return self.movie.name

    @property
    def path(self) -> Path | None:
        """The file or folder; None in memory."""
        return self.movie.path

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files that belong to the stack."""
        return self.movie.companions

    def noted(self, note: str) -> SimStack:
        """Return the stack with one more note."""
        return replace(self, movie=self.movie.noted(note))

    def close(self) -> None:
        """Close files that are kept open for reading; they are reopened when needed."""
        self.movie.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions that were made when the stack was opened, as sentences."""
        return self.movie.notes

    @property
    def pixel_size_um(self) -> float | None:
        """Size of a camera pixel in the sample in um; None if unknown."""
        return self.movie.pixel_size_um

    @property
    def frame_range(self) -> None:
        """None, as all images of a stack are used."""
        return None

    @property
    def frame_interval_s(self) -> None:
        """None, as the images of a stack are no time series."""
        return None

    @property
    def roi(self) -> Roi | None:
        """Selected rectangle in pixels of the file; None for the whole field."""
        return self.movie.roi

    @property
    def origin_px(self) -> tuple[float, float]:
        """Row and column in the file of the selection's pixel (0, 0)."""
        return self.movie.origin_px

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows and columns of the selection."""
        return self.movie.shape

    def select(
        self, frames: Sequence[int | None] | None = None, roi: Roi | None = None
    ) -> SimStack:
        """Select a rectangle; see `Movie.select`.

        Raises
        ------
        InputError
            Frames are selected, of which a stack needs all, or the rectangle is outside.
        """
        if frames is not None and tuple(frames) not in ((None, None), (0, self.movie.shape[0])):
            raise InputError(
                "All images of a SIM stack belong together; select a rectangle (ROI) instead of "
                "frames."
            )
        return replace(self, movie=self.movie.select(None, roi))

    def provenance(self) -> OpenStep:
        """Return the record of the stack in a recipe; see `Movie.provenance`."""
        return self.movie.provenance()

    def exposures(self, directions: int, phases: int, order: str | None) -> Any:
        """Return the images by exposure and plane.

        Parameters
        ----------
        directions, phases : int
            Directions of the pattern, and phases in each of them.
        order : str, optional
            One of `ORDERS`; by default that of the file's axes.

        Returns
        -------
        dask array
            (P, Z, Y, X) with exposures by direction and then by phase, in the camera's dtype.

        Raises
        ------
        InputError
            The number of images does not fit, or the file's axes do not tell the order.
        """
        numbers = self.numbers(directions, phases, order)
        frames = self.movie.frames
        return frames[numbers.ravel()].reshape(*numbers.shape, *frames.shape[1:])

    def numbers(self, directions: int, phases: int, order: str | None) -> np.ndarray:
        """Return the numbers (P, Z) of the images by exposure and plane; see `exposures`."""
        images, each = self.shape[0], directions * phases
        if images % each:
            raise InputError(
                f"{self.name} has {images} images, which is no multiple of the {each} exposures of "
                "a plane; choose another pattern, or save the stack with all its images."
            )
        planes = images // each
        order = order or self._order_in_file(each, planes)
        sizes = {"phases": phases, "directions": directions, "planes": planes}
        names = order.split(", ")[::-1]
        grid = np.arange(images).reshape([sizes[name] for name in names])
        by_name = grid.transpose([names.index(n) for n in ("directions", "phases", "planes")])
        return by_name.reshape(each, planes)

    def _order_in_file(self, exposures: int, planes: int) -> str:
        """Return the order of the images where the axes of the file tell it."""
        if planes == 1:
            return ORDERS[0]
        sizes = [size for _, size in self.axes]
        if sizes == [planes, exposures] and planes != exposures:
            return ORDERS[0]
        if sizes == [exposures, planes] and planes != exposures:
            return ORDERS[2]
        shown = " x ".join(f"{axis} {size}" for axis, size in self.axes)
        raise InputError(
            f"The axes of {self.name} ({shown}) do not tell in which order its {exposures} "
            f"exposures and {planes} planes lie; choose the order of the images."
        )


def open_sim_stack(
    source: str | os.PathLike[str] | Any,
    pixel_size_um: float | None = None,
    channel: int | None = None,
    *,
    name: str | None = None,
) -> SimStack:
    """Open a raw SIM stack without reading its images.

    Parameters
    ----------
    source : path-like or array-like
        TIFF file or folder as for `open_movie`, or an array of three axes (images, Y, X) or of four
        (planes and exposures in any order).
    pixel_size_um : float, optional
        Size of a camera pixel in um; by default that in the file.
    channel : int, optional
        Channel of a file with several.
    name : str, optional
        Name of an array, for messages and layers.

    Returns
    -------
    SimStack
        The stack.

    Raises
    ------
    InputError
        The source is no readable stack of at least two images.

    Examples
    --------
    >>> stack = open_sim_stack(np.zeros((5, 7, 16, 16), np.uint16), 0.1)
    >>> stack.exposures(1, 7, None).shape
    (7, 5, 16, 16)
    """
    if isinstance(source, (str, os.PathLike)):
        movie = open_movie(source, pixel_size_um, channel, stack_axis="all")
        axes = movie.source.axes if isinstance(movie.source, TiffStack) else ()
        return SimStack(movie, axes or (("T", movie.shape[0]),), plane_spacing(movie.path))
    shape = tuple(int(n) for n in np.shape(source))
    if len(shape) not in (3, 4):
        raise InputError(
            f"A SIM stack has three axes (images, y, x) or four, but this array has {len(shape)}."
        )
    axes = tuple(("?", n) for n in shape[:-2] if n > 1)
    movie = open_movie(source.reshape(-1, *shape[-2:]), pixel_size_um, name=name)
    return SimStack(movie, axes)


def plane_spacing(path: Path | None) -> float | None:
    """Return the distance of planes in um that a TIFF file contains; None of a folder."""
    if path is None or not path.is_file():
        return None
    with explained(path), opened_tiff(path) as tif:
        return read_plane_spacing(tif)
