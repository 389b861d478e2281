"""The maximum likelihood of the covariance of a movie: calibration, fit and standard error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.covariance.calibration import (
    FWHM,
    SIEVE,
    Width,
    find_noise,
    find_strength,
    find_width,
)
from napari_sofinet.covariance.evidence import REACH, believed
from napari_sofinet.covariance.field import TilesFit
from napari_sofinet.covariance.likelihood import TileModel, tile_model
from napari_sofinet.covariance.optics import Axis
from napari_sofinet.covariance.sample import SampleCovariance, of_tiles
from napari_sofinet.covariance.tiles import Tile, TilePlan, plan_tiles
from napari_sofinet.methods.covariance_scan import Scan
from napari_sofinet.methods.covariance_sequences import Sequences

MOST_BYTES = 2**29
"""Memory for the covariances of the tiles that are fitted together."""
CALIBRATION_TILES, CALIBRATION_WIDTHS = 4, 6
FOLD_FRAMES, FOLDS = 10, 5
"""Frames of a block, of which every fifth is left out."""
PREVIEW_EVERY = 4
ERROR_PARTS = 5


@dataclass(frozen=True)
class Found:
    """Values that were found from the movie.

    Parameters
    ----------
    width : Width
        Width of the PSF by the likelihood.
    fwhm_px : float
        Width of the PSF that is used.
    gain, dark : float
        Noise: variance per count of light, and variance at the darkest place.
    sieve : float
        Standard deviation of the sieve in that of the PSF.
    steps : int
        Number of steps.
    evidence : float
        Likelihood of frames left out over that of noise without emitters.
    """

    width: Width
    fwhm_px: float
    gain: float
    dark: float
    sieve: float
    steps: int
    evidence: float

    @property
    def sigma_px(self) -> float:
        """Standard deviation of the PSF in camera pixels."""
        return self.fwhm_px / FWHM


@dataclass(frozen=True, eq=False)
class Geometry:
    """Tiles, the grid on them, and the blur of the picture over the width of the PSF."""

    plan: TilePlan
    fine: int
    margin_px: int
    positions: tuple[np.ndarray, np.ndarray]
    device: str = "cpu"
    blur: float = 0.0

    def model(self, sigma_px: float, sieve_px: float, device: str = "cpu") -> TileModel:
        """Return the optics."""
        y, x = (Axis(side, self.fine, self.margin_px) for side in self.plan.size)
        return tile_model(y, x, sigma_px, sieve_px, *self.positions, device=device)


def geometry_for(
    sequences: Sequences, fwhm_px: float, fine: int, device: str = "cpu", blur: float = 0.0
) -> Geometry:
    """Return tiles with margins that suit the width of the PSF."""
    margin = min(max(round(1.8 * fwhm_px), 3), 8)
    plan = plan_tiles(sequences.field, margin)
    return Geometry(plan, fine, max(math.ceil(1.5 * fwhm_px), 3), sequences.positions, device, blur)


def calibrate_fit(
    scan: Scan,
    sequences: Sequences,
    fine: int,
    start_px: float,
    given_px: float | None,
    given_steps: int | None,
    noise: tuple[float, float] | None,
    report: Report,
) -> Found:
    """Find PSF width, noise and number of steps by the likelihood of the busiest tiles.

    Parameters
    ----------
    scan : Scan
        Mean and variance of the pixels.
    sequences : Sequences
        The movie.
    fine : int
        Grid points per camera pixel.
    start_px : float
        PSF width (FWHM) in camera pixels to start from.
    given_px : float or None
        Width that the user gave.
    given_steps : int or None
        Number of steps that the user gave.
    noise : (float, float) or None
        Gain and noise at the darkest place, if known.
    report : Report
        Receives the progress.
    """
    tell = Repeatable(report)
    geometry = geometry_for(sequences, given_px or start_px, fine)
    side = min(max(round(CALIBRATION_WIDTHS * (given_px or start_px)), 10), 18)
    geometry = replace(geometry, plan=plan_tiles(sequences.field, 1, side - 2))
    tiles = busiest(geometry.plan, scan)
    tell(0.0, "frames for calibration")
    fitted, left = _folds(sequences, tiles, geometry.plan.size, tell.again)
    freedom = fitted.freedom + left.freedom
    sample = (fitted.total + left.total) / max(freedom, 1)
    light = of_tiles(scan.light, tiles, geometry.plan.size)
    more = of_tiles(scan.unexplained, tiles, geometry.plan.size)
    sigma = (given_px or start_px) / FWHM
    tell(0.2, "noise")
    gain, dark = noise or find_noise(
        geometry.model(sigma, SIEVE * sigma), sample, light, more, tell.again
    )
    variance = of_tiles(scan.noise(gain, dark), tiles, geometry.plan.size)
    tell(0.3, "width of the PSF")
    start, strides = (given_px, (1,)) if given_px else (start_px, (4, 2, 1))
    width = find_width(geometry.model, sample, variance, freedom, start, strides, tell.again)
    fwhm = given_px or (width.fwhm_px if width.sure else start_px)
    tell(0.8, "number of steps")
    folds = [(fitted.value(), left.value())]
    sieve, steps, gained = find_strength(geometry.model, fwhm / FWHM, folds, variance, tell.again)
    tell(1.0)
    return Found(width, fwhm, gain, dark, sieve, given_steps or steps, gained * left.freedom)


def busiest(plan: TilePlan, scan: Scan) -> list[Tile]:
    """Return the tiles whose variance exceeds most what their brightness explains."""
    excess = scan.variance - scan.variance_by_light
    rows, columns = plan.size

    def of(tile: Tile) -> float:
        y, x = tile.start
        return -float(excess[y : y + rows, x : x + columns].sum())

    return sorted(plan.tiles, key=of)[:CALIBRATION_TILES]


def _folds(
    sequences: Sequences, tiles: list[Tile], size: tuple[int, int], check: Callable[[], None]
) -> tuple[SampleCovariance, SampleCovariance]:
    """Sum up the covariances of four fifths of the blocks of frames, and of the rest."""
    both = SampleCovariance(tiles, size), SampleCovariance(tiles, size)
    last = 0
    for number, before, block in sequences.blocks():
        if number != last:
            for one in both:
                one.end_sub_sequence()
            last = number
        which = (before + np.arange(len(block))) // FOLD_FRAMES % FOLDS == FOLDS - 1
        for one, chosen in zip(both, (~which, which), strict=True):
            if chosen.any():
                one.add(block[chosen], check)
        check()
    for one in both:
        one.end_sub_sequence()
    return both


def fit(
    scan: Scan,
    sequences: Sequences,
    geometry: Geometry,
    found: Found,
    report: Report,
    preview: Callable[[np.ndarray], object] | None = None,
    without: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a whole field.

    Parameters
    ----------
    scan : Scan
        Mean and variance of the pixels.
    sequences : Sequences
        The movie.
    geometry : Geometry
        Tiles and grid.
    found : Found
        Width of the PSF, noise and number of steps.
    report : Report
        Receives the progress and previews.
    preview : callable, optional
        Makes the reported reconstruction from the picture so far.
    without : int, optional
        Part of the frames (0 to 4) that is left out.

    Returns
    -------
    picture : ndarray
        (fine * Y, fine * X) variance of the light per camera pixel, blurred.
    signal : ndarray
        The same shape: signal to noise, see `evidence`.
    """
    plan, device = geometry.plan, geometry.device
    model = geometry.model(found.sigma_px, found.sieve * found.sigma_px, device)
    shape = tuple(geometry.fine * side for side in plan.field)
    picture, signal = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    noise = scan.noise(found.gain, found.dark)
    groups = list(_groups(plan, model.pixels))
    for number, part in enumerate(groups):
        step = portion(report, number / len(groups), (number + 1) / len(groups))
        tell = Repeatable(step)
        tell(0.0, "covariances")
        sample = _covariances(sequences, part, tell.again, without)
        tiles = TilesFit(model, sample.value(), of_tiles(noise, part.tiles, part.size), device)
        inside = _inside(part, geometry.fine)
        joined = part.join(
            np.stack(list(tiles.evidence(sample.freedom, found.sigma_px))),
            geometry.fine,
            geometry.margin_px,
        )
        signal[inside] = joined[inside]
        for count in range(1, found.steps + 1):
            tiles.step(tell.again)
            shown = None
            if count == found.steps or (preview is not None and count % PREVIEW_EVERY == 0):
                joined = part.join(tiles.pictures(), geometry.fine, geometry.margin_px)
                picture[inside] = geometry.fine**2 * joined[inside]
                shown = preview(finished(picture, signal, geometry, found)) if preview else None
            tell(count / found.steps, f"step {count} of {found.steps}", shown)
    return finished(picture, signal, geometry, found), signal


def finished(
    picture: np.ndarray, signal: np.ndarray, geometry: Geometry, found: Found
) -> np.ndarray:
    """Return a picture blurred, and empty where nothing proves that something blinks."""
    reach = REACH * found.fwhm_px * geometry.fine
    inside = np.where(believed(signal, reach), picture, np.float32(0))
    return np.asarray(
        gaussian_filter(inside, geometry.blur * found.sigma_px * geometry.fine), np.float32
    )


def standard_error(
    scan: Scan, sequences: Sequences, geometry: Geometry, found: Found, report: Report
) -> np.ndarray:
    """Return the standard error of the picture, by a jackknife over blocks of frames."""
    pictures = []
    for part in range(ERROR_PARTS):
        step = portion(report, part / ERROR_PARTS, (part + 1) / ERROR_PARTS)
        pictures.append(fit(scan, sequences, geometry, found, step, without=part)[0])
    scatter = np.var(pictures, axis=0) * (ERROR_PARTS - 1)
    # Five pictures give a variance within a factor of two; neighbours share it.
    sigma = found.sigma_px * geometry.fine
    return np.asarray(np.sqrt(gaussian_filter(scatter, sigma / 2)), np.float32)


def _groups(plan: TilePlan, pixels: int) -> Iterator[TilePlan]:
    """Yield plans of as many tiles as fit into memory together."""
    count = max(1, MOST_BYTES // (4 * pixels**2))
    for first in range(0, len(plan.tiles), count):
        yield replace(plan, tiles=plan.tiles[first : first + count])


def _inside(part: TilePlan, fine: int) -> np.ndarray:
    """Return the samples (bool) that some tiles show."""
    found = np.zeros(tuple(fine * side for side in part.field), bool)
    for tile in part.tiles:
        (a, b), (c, d) = tile.own
        found[fine * a : fine * b, fine * c : fine * d] = True
    return found


def _covariances(
    sequences: Sequences, part: TilePlan, check: Callable[[], None], without: int | None
) -> SampleCovariance:
    sample, last = SampleCovariance(part.tiles, part.size), 0
    for number, before, block in sequences.blocks():
        if number != last:
            sample.end_sub_sequence()
            last = number
        if without is not None:
            which = (before + np.arange(len(block))) // FOLD_FRAMES % ERROR_PARTS
            block = block[which != without]
        if len(block):
            sample.add(block, check)
        check()
    sample.end_sub_sequence()
    return sample
