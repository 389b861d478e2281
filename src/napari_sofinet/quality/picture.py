"""Pictures to be measured: where they come from and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tifffile import TiffFile, TiffFileError

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.scale import read_scale
from napari_sofinet.simulation.rendering import render_gaussian
from napari_sofinet.simulation.settings import SimulationSettings


@dataclass(frozen=True)
class Picture:
    """One image and where it lies.

    ``image`` (Y, X) float64; ``halves`` the means of odd and even frames where a movie was opened;
    ``pixel_um`` size of a sample; ``pixel_px`` and ``origin_px`` the grid in camera pixels, None
    where a file does not say.
    """

    image: np.ndarray
    name: str = "image"
    halves: tuple[np.ndarray, np.ndarray] | None = None
    pixel_um: float | None = None
    pixel_px: tuple[float, float] | None = None
    origin_px: tuple[float, float] | None = None

    def cut(self, roi: tuple[tuple[int, int], tuple[int, int]]) -> Picture:
        """The part y0:y1, x0:x1 in samples.

        Raises
        ------
        InputError
            It is empty or outside.
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
    """Open a picture: one of ours, any single TIFF image, or a movie, of which the mean is taken.

    Of several channels or maps the first is taken.

    Raises
    ------
    InputError
        The file cannot be read or is in colour.
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
        if result.image.ndim != 2:
            raise InputError(f"{path.name} is a film; measure a single picture.")
        size = result.pixel_size_um
        return Picture(
            np.asarray(result.image, np.float64),
            path.name,
            pixel_um=pixel_size_um or (size[1] if size else None),
            pixel_px=result.pixel_px,
            origin_px=result.origin_px,
        )
    single = _single_image(path)
    if single is not None:
        image, size_um = single
        return Picture(image, path.name, pixel_um=pixel_size_um or size_um)
    return _mean_of_movie(path, pixel_size_um)


def _single_image(path: Path) -> tuple[np.ndarray, float | None] | None:
    """A TIFF file's only image and its pixel size in um, None if it holds more."""
    if not path.is_file():
        return None
    try:
        with TiffFile(path) as tif:
            series = tif.series[0]
            shape = [n for n in series.shape if n > 1]
            if len(shape) != 2:
                if "S" in series.axes and len(shape) == 3 and shape[-1] in (3, 4):
                    raise InputError(
                        f"{path.name} is a colour (RGB) picture; save the grey values instead."
                    )
                return None
            image = np.asarray(series.asarray(), np.float64).reshape(shape)
            return image, read_scale(tif, [])[0]
    except InputError:
        raise
    except (TiffFileError, OSError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{path.name} is no TIFF image that can be read ({error}).") from None


def _mean_of_movie(path: Path, pixel_size_um: float | None) -> Picture:
    return mean_of_movie(open_movie(path, pixel_size_um))


def mean_of_movie(movie: Movie) -> Picture:
    """Mean of all frames, and of odd and even ones; the movie is read once."""
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
    )


def open_truth(path: str | Path, picture: Picture) -> Picture:
    """What a perfect microscope of twice the resolution would show of a simulation, on a grid.

    Parameters
    ----------
    path
        Truth file of `sofinet simulate`. Where the sample moves its middle frame counts.
    picture
        Whose grid is taken; the camera's where it has none.

    Raises
    ------
    InputError
        The file is no truth file.
    """
    try:
        with np.load(path) as stored:
            positions, photons = stored["positions_um"], stored["photons"]
            settings = SimulationSettings.model_validate_json(str(stored["settings"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{Path(path).name} is no truth file of a simulation ({error}).") from None
    if positions.ndim == 3:
        positions = positions[len(positions) // 2]
    camera_um = settings.pixel_size_um
    pixel, origin = picture.pixel_px or (1.0, 1.0), picture.origin_px or (0.0, 0.0)
    at = (positions[:, -2:] / camera_um - np.array(origin)) / np.array(pixel)
    fwhm = settings.optics.fwhm_um / 2 / camera_um / pixel[1]
    image = render_gaussian(at, photons, picture.image.shape, fwhm)
    return Picture(
        np.asarray(image, np.float64),
        Path(path).name,
        pixel_um=camera_um * pixel[1],
        pixel_px=pixel,
        origin_px=origin,
    )
