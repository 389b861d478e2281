"""Pictures to be measured, with their position and the size of their samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table_frames import frames_of_step
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.picture_file import is_other_picture, read_other_picture
from napari_sofinet.io.scale import read_scale
from napari_sofinet.io.tiff_file import image_of, opened_tiff
from napari_sofinet.io.truth_file import TruthFile, read_truth
from napari_sofinet.simulation.rendering import render_gaussian
from napari_sofinet.simulation.settings import SimulationSettings

AVERAGE = "average"
"""Name of the method whose picture is that of a conventional microscope."""


@dataclass(frozen=True)
class Picture:
    """One image and its position.

    Attributes
    ----------
    image : ndarray
        Brightness (Y, X), float64.
    name : str
        Name for tables and messages.
    halves : tuple of two ndarray, optional
        Means of the frames 0, 2, 4, … and 1, 3, 5, … if the image is the mean of a movie.
    pixel_um : float, optional
        Distance of samples along x in µm; None if it is not known.
    pixel_px : tuple of float, optional
        Distance (y, x) of samples in camera pixels; None if it is not known.
    origin_px : tuple of float, optional
        Position (y, x) of sample (0, 0) in camera pixels; None if it is not known.
    movie : str, optional
        Fingerprint of the movie that the picture was made from, or whose truth it shows.
    of_truth : bool, optional
        Whether the picture was drawn from a truth file; False by default.
    wide_field : bool, optional
        Whether the picture is the mean of a movie, as from a conventional microscope.
    made_by : str, optional
        Name of the method that made the picture; None if it is no reconstruction, or not known.
    frames : tuple of int, optional
        First frame of ``movie`` that was used, and the one after the last.
    """

    image: np.ndarray
    name: str = "image"
    halves: tuple[np.ndarray, np.ndarray] | None = None
    pixel_um: float | None = None
    pixel_px: tuple[float, float] | None = None
    origin_px: tuple[float, float] | None = None
    movie: str | None = None
    of_truth: bool = False
    wide_field: bool = False
    made_by: str | None = None
    frames: tuple[int, int] | None = None

    def shares_noise(self, other: Picture) -> bool:
        """Return whether two pictures were made from the same frames, whose noise is in both.

        Parameters
        ----------
        other : Picture
            Picture to compare with this one.

        Returns
        -------
        bool
            False also if a movie or its frames are unknown.
        """
        if self.movie is None or self.movie != other.movie or self.of_truth or other.of_truth:
            return False
        if self.frames is None or other.frames is None:
            return False
        return max(self.frames[0], other.frames[0]) < min(self.frames[1], other.frames[1])

    def belongs_to_another_movie(self, other: Picture) -> bool:
        """Return whether this is the truth of a different movie than that of a picture.

        Parameters
        ----------
        other : Picture
            Picture to compare with this one.

        Returns
        -------
        bool
            False also if one of the movies is unknown.
        """
        return self.of_truth and other.movie is not None and self.movie not in (None, other.movie)

    def cut(self, roi: tuple[tuple[int, int], tuple[int, int]]) -> Picture:
        """Return a part of the picture.

        Parameters
        ----------
        roi : tuple of two tuples of int
            Rows and columns of the part in samples, each as the first and the one after the last.

        Returns
        -------
        Picture
            Part with its own origin.

        Raises
        ------
        InputError
            If the part is empty or extends beyond the picture.
        """
        (y0, y1), (x0, x1) = roi
        rows, columns = self.image.shape
        if not (0 <= y0 < y1 <= rows and 0 <= x0 < x1 <= columns):
            raise InputError(
                f"The ROI {y0}:{y1},{x0}:{x1} is empty or outside the image of "
                f"{rows} x {columns} samples."
            )
        part = (slice(y0, y1), slice(x0, x1))
        origin = None
        if self.origin_px is not None and self.pixel_px is not None:
            y, x = (
                o + a * p for o, a, p in zip(self.origin_px, (y0, x0), self.pixel_px, strict=True)
            )
            origin = (y, x)
        halves = None if self.halves is None else (self.halves[0][part], self.halves[1][part])
        return replace(self, image=self.image[part], halves=halves, origin_px=origin)


def open_picture(path: str | Path, pixel_size_um: float | None = None) -> Picture:
    """Open a picture from a file.

    Parameters
    ----------
    path : str or Path
        Reconstruction of this package, single image (TIFF, PNG, JPEG, .npy), or movie, of which the
        mean over all frames is taken. The first of several channels or maps is used.
    pixel_size_um : float, optional
        Size of a sample in µm; by default the one in the file.

    Returns
    -------
    Picture
        Named after the file.

    Raises
    ------
    InputError
        If the file cannot be read, is a color picture, or contains several pictures over time.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if (
        path.is_file()
        and path.suffix.lower() in (".tif", ".tiff")
        and read_annotation(path, "grid")
    ):
        result = Reconstruction.load(path)
        if result.axes == "ZYX":
            raise InputError(
                f"{path.name} is a volume; measure it with: sofinet measure volume {path.name}"
            )
        if result.image.ndim != 2:
            raise InputError(f"{path.name} is a time series; measure a single picture.")
        size = result.pixel_size_um
        return Picture(
            np.asarray(result.image, np.float64),
            path.name,
            pixel_um=pixel_size_um or (size[1] if size else None),
            pixel_px=result.pixel_px,
            origin_px=result.origin_px,
            movie=result.recipe.open.fingerprint if result.recipe else None,
            wide_field=bool(result.recipe and result.recipe.reconstruct.method == AVERAGE),
            made_by=result.recipe.reconstruct.method if result.recipe else None,
            frames=frames_of_step(result.recipe.open) if result.recipe else None,
        )
    if is_other_picture(path):
        return _of_other_file(path, pixel_size_um)
    single = _single_image(path)
    if single is not None:
        image, size_um = single
        return Picture(image, path.name, pixel_um=pixel_size_um or size_um)
    return mean_of_movie(open_movie(path, pixel_size_um))


def _of_other_file(path: Path, pixel_size_um: float | None) -> Picture:
    """Return a picture in PNG, JPEG and the like, or an array, of which frames are averaged."""
    image = read_other_picture(path)
    if image.ndim > 2:
        return mean_of_movie(open_movie(image, pixel_size_um, name=path.name))
    if not np.isfinite(image).all():
        raise InputError(f"{path.name} contains values that are not finite; replace them.")
    return Picture(image, path.name, pixel_um=pixel_size_um)


def _single_image(path: Path) -> tuple[np.ndarray, float | None] | None:
    """Return the only image of a TIFF file and its pixel size in µm; None if it is no such file."""
    if not path.is_file():
        return None
    with opened_tiff(path) as tif:
        series = tif.series[0]
        shape = [n for n in series.shape if n > 1]
        if len(shape) != 2:
            if "S" in series.axes and len(shape) == 3 and shape[-1] in (3, 4):
                raise InputError(
                    f"{path.name} is a colour (RGB) picture; save the grey values instead."
                )
            return None
        if series.dtype is None or series.dtype.kind not in "uifb":
            raise InputError(f"Pixels of type {series.dtype} cannot be measured.")
        image = image_of(series, path.name).reshape(shape)
        if not np.isfinite(image).all():
            raise InputError(f"{path.name} contains values that are not finite; replace them.")
        return image, read_scale(tif, [])[0]


def mean_of_movie(movie: Movie) -> Picture:
    """Return the mean of a movie over time, and the means of its odd and even frames.

    Parameters
    ----------
    movie : Movie
        Movie of at least two frames; it is read once, block by block.

    Returns
    -------
    Picture
        Mean in counts on the camera's grid, with ``halves``.
    """
    sums = np.zeros((2, *movie.shape[1:]))
    seen = 0
    for block in time_blocks(movie):
        for parity in (0, 1):
            sums[(seen + parity) % 2] += block[parity::2].sum(axis=0, dtype=np.float64)
        seen += len(block)
    counts = (seen + 1) // 2, seen // 2
    return Picture(
        sums.sum(axis=0) / seen,
        movie.name,
        (sums[0] / counts[0], sums[1] / counts[1]),
        movie.pixel_size_um,
        (1.0, 1.0),
        movie.origin_px,
        wide_field=True,
        frames=(movie.first_frame, movie.first_frame + seen),
    )


def open_truth(path: str | Path, picture: Picture) -> Picture:
    """Open the truth of a simulation, drawn on the grid of a picture.

    Every emitter is drawn as a Gaussian of half the width of the PSF, as a noise-free microscope
    of twice the resolution would show it.

    Parameters
    ----------
    path : str or Path
        Truth file that `sofinet simulate` wrote. If the sample moves, the middle frame is drawn.
    picture : Picture
        Picture whose shape and grid are used; without a grid its samples count as camera pixels.

    Returns
    -------
    Picture
        Truth in photons per sample, named after the file.

    Raises
    ------
    InputError
        If the file is not a truth file.
    """
    path = Path(path)
    truth = read_truth(path)
    settings = settings_of(truth, path)
    positions, photons = truth.positions_um, truth.photons
    camera_um = settings.pixel_size_um
    pixel, origin = picture.pixel_px or (1.0, 1.0), picture.origin_px or (0.0, 0.0)
    at = (positions / camera_um - np.array(origin)) / np.array(pixel)
    fwhm = settings.optics.fwhm_um / 2 / camera_um / pixel[1]
    image = render_gaussian(at, photons, picture.image.shape, fwhm)
    return Picture(
        np.asarray(image, np.float64),
        path.name,
        pixel_um=camera_um * pixel[1],
        pixel_px=pixel,
        origin_px=origin,
        movie=truth.movie or None,
        of_truth=True,
    )


def settings_of(truth: TruthFile, path: Path) -> SimulationSettings:
    """Return the settings of the simulation that a truth file is of.

    Parameters
    ----------
    truth : TruthFile
        Contents of the file.
    path : Path
        The file, for messages.

    Raises
    ------
    InputError
        The settings are not those of this version.
    """
    try:
        return SimulationSettings.model_validate_json(truth.settings)
    except ValueError as error:
        raise InputError(
            f"The settings in {path.name} are from another version of napari-sofinet."
        ) from error
