"""Measuring pictures in files: resolution, and agreement with a reference or the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.metrics.agreement import false_filament_length, mask_scores, pearson
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import Criterion, frc_resolution
from napari_sofinet.metrics.similarity import fitted, likeness
from napari_sofinet.metrics.squirrel import Squirrel, squirrel

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie

ResolutionMetric = Literal["decorrelation", "frc"]
AgreementMetric = Literal["squirrel", "pearson", "ssim", "mask", "filaments", "frc"]
RESOLUTION_METRICS: tuple[ResolutionMetric, ...] = ("decorrelation", "frc")
AGREEMENT_METRICS: tuple[AgreementMetric, ...] = (
    "squirrel",
    "pearson",
    "ssim",
    "mask",
    "filaments",
    "frc",
)


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
        The file can not be read or is in colour.
    """
    from napari_sofinet.recipe import annotation
    from napari_sofinet.reconstruction import Reconstruction

    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if path.is_file() and path.suffix.lower() in (".tif", ".tiff") and annotation(path, "grid"):
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
    from tifffile import TiffFile, TiffFileError

    from napari_sofinet.io.scale import read_scale

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
    from napari_sofinet.movie import open_movie

    return mean_of_movie(open_movie(path, pixel_size_um))


def mean_of_movie(movie: Movie) -> Picture:
    """Mean of all frames, and of odd and even ones; the movie is read once."""
    from napari_sofinet.movie import time_blocks

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


def measure_resolution(
    picture: Picture,
    metric: ResolutionMetric = "decorrelation",
    sector: tuple[float, float] | None = None,
    criterion: Criterion = "1/7",
) -> dict[str, Any]:
    """Resolution with its reason where there is none; keys as `sofinet measure` prints them.

    ``sector``: directions (from, to) in degrees for decorrelation; ``criterion``: threshold of FRC.
    """
    facts: dict[str, Any] = {"image": picture.name, "metric": metric}
    if metric == "decorrelation":
        found = decorrelation_resolution(picture.image, sector=sector)
        facts |= {"kc": found.kc, "snr": found.snr}
        resolution, reason = found.resolution_px, found.reason
    else:
        first, second = picture.halves or (picture.image, None)
        rings = frc_resolution(first, second, criterion=criterion)
        facts["compared"] = "odd and even frames" if second is not None else "halves of the pixels"
        resolution, reason = rings.resolution_px, rings.reason
    facts["resolution_px"] = resolution
    facts["resolution_nm"] = _in_nm(resolution, picture)
    if reason:
        facts["reason"] = reason
    return facts


def compare(
    picture: Picture,
    reference: Picture,
    metrics: tuple[AgreementMetric, ...] = AGREEMENT_METRICS,
    tolerance_px: float = 0.0,
) -> dict[str, Any]:
    """Agreement of a picture with a reference; keys as `sofinet measure compare` prints them.

    SQUIRREL is fitted on the reference's grid; for the others a reference on another grid is
    brought to the picture's, linear in between. ``ssim`` takes both as they are, ``ssim_fitted``
    after scale and offset were fitted. ``tolerance_px`` (samples of the picture) is how far
    masks may lie apart; lines farther than that, and 2 samples, from the reference's are false.

    Raises
    ------
    InputError
        The grids do not belong together, or an image is constant.
    """
    facts: dict[str, Any] = {"image": picture.name, "reference": reference.name}
    pixel, origin = _relative_grid(picture, reference)
    if "squirrel" in metrics:
        found = compare_squirrel(picture, reference)
        facts |= {"rsp": found.rsp, "rse": found.rse, "sigma_px": found.sigma_px}
        if found.warning:
            facts["warning"] = found.warning
    if set(metrics) - {"squirrel"}:
        image, other = picture.image, reference.image
        if pixel is not None or image.shape != other.shape:
            image, other = _on_one_grid(picture, reference, pixel, origin)
        for name, array in ((picture.name, image), (reference.name, other)):
            if not np.ptp(array) > 0:
                raise InputError(f"{name} is the same everywhere; nothing can be compared.")
        if "pearson" in metrics:
            facts["pearson"] = pearson(image, other)
        if "ssim" in metrics:
            facts["ssim"] = likeness(image, other).ssim
            facts["ssim_fitted"] = likeness(fitted(image, other), other).ssim
        if "mask" in metrics:
            scores = mask_scores(image, other, tolerance_px)._asdict()
            facts |= {k: None if np.isnan(v) else v for k, v in scores.items()}
        if "filaments" in metrics:
            lines = false_filament_length(image, other, max(tolerance_px, 2.0))
            facts["false_filament_share"] = None if np.isnan(lines.share) else lines.share
        if "frc" in metrics:
            rings = frc_resolution(image, other)
            facts |= {"frc_px": rings.resolution_px, "frc_nm": _in_nm(rings.resolution_px, picture)}
            if rings.reason:
                facts["frc_reason"] = rings.reason
    return facts


def _in_nm(px: float | None, picture: Picture) -> float | None:
    return None if px is None or picture.pixel_um is None else 1000 * picture.pixel_um * px


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
    from napari_sofinet.simulation.rendering import render_gaussian
    from napari_sofinet.simulation.settings import SimulationSettings

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


def compare_squirrel(picture: Picture, reference: Picture) -> Squirrel:
    """SQUIRREL of two pictures, each on its own grid."""
    pixel, origin = _relative_grid(picture, reference)
    return squirrel(picture.image, reference.image, pixel_px=pixel, origin_px=origin)


def _relative_grid(
    picture: Picture, reference: Picture
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Pixel and origin of the picture in pixels of the reference, None where a file is silent."""
    if picture.pixel_px is None or picture.origin_px is None:
        return None, None
    step, start = reference.pixel_px, reference.origin_px
    if step is None or start is None:
        if reference.image.shape == picture.image.shape:
            return None, None
        # A plain image of the camera, which is what a wide-field reference is.
        step, start = (1.0, 1.0), (0.0, 0.0)
    (py, px), (oy, ox) = picture.pixel_px, picture.origin_px
    if (step, start) == (picture.pixel_px, picture.origin_px):
        return None, None
    return (py / step[0], px / step[1]), ((oy - start[0]) / step[0], (ox - start[1]) / step[1])


def _on_one_grid(
    picture: Picture,
    reference: Picture,
    pixel: tuple[float, float] | None,
    origin: tuple[float, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The picture where the reference covers it, and the reference there."""
    from scipy.ndimage import map_coordinates

    rows, columns = reference.image.shape
    if pixel is None:
        times = [a / b for a, b in zip(picture.image.shape, (rows, columns), strict=True)]
        if times[0] != times[1]:
            raise InputError(
                f"{picture.name} and {reference.name} have different shapes and no common grid; "
                "give pictures of one size."
            )
        pixel = 1 / times[0], 1 / times[0]
        origin = (pixel[0] - 1) / 2, (pixel[1] - 1) / 2
    assert origin is not None
    y, x = (
        o + p * np.arange(n) for o, p, n in zip(origin, pixel, picture.image.shape, strict=True)
    )
    inside_y, inside_x = (y >= 0) & (y <= rows - 1), (x >= 0) & (x <= columns - 1)
    if inside_y.sum() < 7 or inside_x.sum() < 7:
        raise InputError(f"{picture.name} and {reference.name} hardly overlap.")
    at = np.meshgrid(y[inside_y], x[inside_x], indexing="ij")
    part = picture.image[np.ix_(inside_y, inside_x)]
    return part, map_coordinates(reference.image, at, order=1)
