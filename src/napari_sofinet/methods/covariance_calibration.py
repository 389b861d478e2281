"""PSF width, noise, blur and number of steps of the maximum likelihood of the covariance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from napari_sofinet.base.progress import Repeatable, Report
from napari_sofinet.covariance.blinks import SOFTEST, supported_blur
from napari_sofinet.covariance.calibration import (
    FWHM,
    SIEVE,
    Width,
    find_noise,
    find_strength,
    find_width,
)
from napari_sofinet.covariance.likelihood import TileModel, tile_model
from napari_sofinet.covariance.optics import Axis
from napari_sofinet.covariance.sample import SampleCovariance, of_tiles
from napari_sofinet.covariance.tiles import Tile, TilePlan, plan_tiles
from napari_sofinet.methods.covariance_scan import Scan
from napari_sofinet.methods.covariance_sequences import Sequences

CALIBRATION_TILES, CALIBRATION_WIDTHS = 4, 6
FOLD_FRAMES, FOLDS = 10, 5
"""Frames of a block, of which every fifth is left out."""
WIDE_BLUR, BLURRED_STEPS = 0.2, 25
"""Blur from which further steps would only sharpen what it hides."""


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
    blur : float
        Blur of the picture over the width of the PSF.
    weight_of_mean : float
        Weight of the mean image in the amounts within each PSF, see `weight_of_light`.
    """

    width: Width
    fwhm_px: float
    gain: float
    dark: float
    sieve: float
    steps: int
    evidence: float
    blur: float
    weight_of_mean: float = 0.0

    @property
    def sigma_px(self) -> float:
        """Standard deviation of the PSF in camera pixels."""
        return self.fwhm_px / FWHM


@dataclass(frozen=True, eq=False)
class Geometry:
    """Tiles, the grid on them, and the power of the patterns that are left out."""

    plan: TilePlan
    fine: int
    margin_px: int
    positions: tuple[np.ndarray, np.ndarray]
    least: float = 0.0

    def model(self, sigma_px: float, sieve_px: float, device: str = "cpu") -> TileModel:
        """Return the optics."""
        y, x = (Axis(side, self.fine, self.margin_px) for side in self.plan.size)
        return tile_model(y, x, sigma_px, sieve_px, *self.positions, self.least, device=device)


def geometry_for(sequences: Sequences, fwhm_px: float, fine: int, least: float = 0.0) -> Geometry:
    """Return tiles with margins that suit the width of the PSF."""
    margin = min(max(round(1.8 * fwhm_px), 3), 8)
    plan = plan_tiles(sequences.field, margin)
    return Geometry(plan, fine, max(math.ceil(1.5 * fwhm_px), 3), sequences.positions, least)


def calibrate_fit(
    scan: Scan,
    sequences: Sequences,
    fine: int,
    start_px: float,
    given_px: float | None,
    given_steps: int | None,
    given_blur: float | None,
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
    given_blur : float or None
        Blur that the user gave.
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
    sigma = (given_px or start_px) / FWHM
    model = geometry.model(sigma, SIEVE * sigma)
    fitted, left = _folds(sequences, tiles, model, tell.again)
    freedom = fitted.freedom + left.freedom
    sample = (fitted.total + left.total) / max(freedom, 1)
    light = of_tiles(scan.light, tiles, geometry.plan.size)
    more = of_tiles(scan.unexplained, tiles, geometry.plan.size)
    tell(0.2, "noise")
    gain, dark = noise or find_noise(model, sample, light, more, tell.again)
    variance = of_tiles(scan.noise(gain, dark) + scan.unexplained, tiles, geometry.plan.size)
    tell(0.3, "width of the PSF")
    start, strides = (given_px, (1,)) if given_px else (start_px, (4, 2, 1))
    width = find_width(geometry.model, sample, variance, freedom, start, strides, tell.again)
    fwhm = given_px or (width.fwhm_px if width.sure else start_px)
    tell(0.8, "number of steps")
    folds = [(fitted.value(), left.value())]
    sieve, steps, gained = find_strength(geometry.model, fwhm / FWHM, folds, variance, tell.again)
    tell(1.0)
    # Where not even the width of the PSF is certain, noise hides the number of blinks.
    found_blur = supported_blur(scan.blinks) if width.sure else SOFTEST
    blur = found_blur if given_blur is None else given_blur
    steps = given_steps or (min(steps, BLURRED_STEPS) if blur >= WIDE_BLUR else steps)
    return Found(width, fwhm, gain, dark, sieve, steps, gained * left.freedom, blur)


def busiest(plan: TilePlan, scan: Scan) -> list[Tile]:
    """Return the tiles whose variance exceeds most what their brightness explains."""
    excess = scan.variance - scan.variance_by_light
    rows, columns = plan.size

    def of(tile: Tile) -> float:
        y, x = tile.start
        return -float(excess[y : y + rows, x : x + columns].sum())

    return sorted(plan.tiles, key=of)[:CALIBRATION_TILES]


def _folds(
    sequences: Sequences, tiles: list[Tile], model: TileModel, check: Callable[[], None]
) -> tuple[SampleCovariance, SampleCovariance]:
    """Sum up the covariances of four fifths of the blocks of frames, and of the rest."""
    both = SampleCovariance(tiles, model), SampleCovariance(tiles, model)
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
