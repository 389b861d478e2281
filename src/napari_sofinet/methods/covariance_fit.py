"""The maximum likelihood of the covariance of a movie: evidence, fit and standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.covariance.evidence import POSSIBLE, REACH, Evidence, believed
from napari_sofinet.covariance.field import TilesFit
from napari_sofinet.covariance.light_balance import (
    balanced_by_light,
    light_above_background,
    weight_of_light,
)
from napari_sofinet.covariance.likelihood import TileModel
from napari_sofinet.covariance.sample import SampleCovariance, of_tiles
from napari_sofinet.covariance.tiles import TilePlan
from napari_sofinet.methods.covariance_calibration import FOLD_FRAMES, Found, Geometry, geometry_for
from napari_sofinet.methods.covariance_scan import SMOOTHED_PX, Scan
from napari_sofinet.methods.covariance_sequences import Sequences

MOST_BYTES = 2**29
"""Memory for the covariances of the tiles that are fitted together."""
PREVIEW_EVERY = 4
ERROR_PARTS = 5
FINEST_POWER = 0.1
"""Power of a pattern of pixels over the noise, in the busiest pixel, below which it is left out."""


def field_geometry(scan: Scan, sequences: Sequences, found: Found, fine: int) -> Geometry:
    """Return tiles of the whole field."""
    clearest = np.percentile(scan.variance / scan.noise(found.gain, found.dark), 99.9)
    least = float(np.clip(FINEST_POWER / max(clearest, 1e-9), 1e-6, 1e-2))
    return geometry_for(sequences, found.fwhm_px, fine, least)


def find_evidence(
    scan: Scan, sequences: Sequences, found: Found, check: Callable[[], None]
) -> np.ndarray:
    """Return the signal to noise (Y, X) of an emitter at each pixel, see `Evidence`."""
    noise = scan.noise(found.gain, found.dark) + scan.unexplained
    evidence, last = Evidence(noise, scan.variance, found.sigma_px), 0
    for number, _, block in sequences.blocks():
        if number != last:
            evidence.end_sub_sequence()
            last = number
        evidence.add(block)
        check()
    evidence.end_sub_sequence()
    return evidence.value()


def with_weight_of_mean(scan: Scan, found: Found, signal: np.ndarray) -> Found:
    """Return the values found from a movie, with the weight of its mean image in the amounts.

    Parameters
    ----------
    scan : Scan
        Statistics of the pixels.
    found : Found
        Values without the weight.
    signal : ndarray
        (Y, X) signal to noise, from `find_evidence`.
    """
    light, blinks = _light(scan, found, signal), signal > POSSIBLE
    weight = weight_of_light(scan.halves, light, blinks, SMOOTHED_PX, found.sigma_px)
    return replace(found, weight_of_mean=weight)


def _light(scan: Scan, found: Found, signal: np.ndarray) -> np.ndarray:
    """Return the mean light (Y, X) above the background."""
    still = ~believed(signal, 1, found.fwhm_px)
    return light_above_background(scan.mean, still, scan.floor, found.sigma_px)


def fit(
    scan: Scan,
    sequences: Sequences,
    geometry: Geometry,
    found: Found,
    signal: np.ndarray,
    report: Report,
    device: str = "cpu",
    preview: Callable[[np.ndarray, int], object] | None = None,
    without: int | None = None,
) -> np.ndarray:
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
    signal : ndarray
        (Y, X) signal to noise, from `find_evidence`.
    report : Report
        Receives the progress and previews.
    device : str, optional
        Device that computes.
    preview : callable, optional
        Makes the reported reconstruction from the picture so far and its number of steps.
    without : int, optional
        Part of the frames (0 to 4) that is left out.

    Returns
    -------
    ndarray
        (fine * Y, fine * X) variance of the light per camera pixel, blurred.
    """
    fine = geometry.fine
    inside = believed(signal, fine, REACH * found.fwhm_px)
    picture = np.zeros(inside.shape, np.float32)
    model, on_device = (
        geometry.model(found.sigma_px, found.sieve * found.sigma_px, where)
        for where in ("cpu", device)
    )
    noise, light = scan.noise(found.gain, found.dark), _light(scan, found, signal)

    def finished() -> np.ndarray:
        kept = np.where(inside, picture, np.float32(0))
        kept = balanced_by_light(kept, light, found.weight_of_mean, found.sigma_px)
        blurred = gaussian_filter(kept, found.blur * found.sigma_px * fine)
        return np.asarray(blurred, np.float32)

    groups = list(_groups(_shown_tiles(geometry.plan, inside, fine), model.patterns))
    for number, part in enumerate(groups):
        tell = Repeatable(portion(report, number / len(groups), (number + 1) / len(groups)))
        tell(0.0, "covariances")
        sample = _covariances(sequences, part, model, tell.again, without)
        variances = (of_tiles(n, part.tiles, part.size) for n in (noise, scan.unexplained))
        tiles = TilesFit(on_device, sample.value(), sample.freedom, *variances)
        for count in range(1, found.steps + 1):
            tiles.step(tell.again)
            shown = None
            if count == found.steps or (preview is not None and count % PREVIEW_EVERY == 0):
                part.join(tiles.pictures(), fine, geometry.margin_px, picture)
                shown = preview(finished(), count) if preview else None
            tell(count / found.steps, f"step {count} of {found.steps}", shown)
    return finished()


def standard_error(
    scan: Scan,
    sequences: Sequences,
    geometry: Geometry,
    found: Found,
    signal: np.ndarray,
    report: Report,
    device: str,
) -> np.ndarray:
    """Return the standard error of the picture, by a jackknife over blocks of frames."""
    pictures = []
    for part in range(ERROR_PARTS):
        step = portion(report, part / ERROR_PARTS, (part + 1) / ERROR_PARTS)
        pictures.append(fit(scan, sequences, geometry, found, signal, step, device, without=part))
    scatter = np.var(pictures, axis=0) * (ERROR_PARTS - 1)
    # Five pictures give a variance within a factor of two; neighbours share it, and share it
    # relative to the picture where this is narrower than the average.
    wide = found.sigma_px * geometry.fine / 2
    near = gaussian_filter(scatter, wide)
    square = np.square(np.mean(pictures, axis=0))
    least = np.maximum(gaussian_filter(square, wide), 1e-12 * max(float(square.max()), 1e-30))
    return np.asarray(np.sqrt(np.maximum(near, near * square / least)), np.float32)


def _shown_tiles(plan: TilePlan, inside: np.ndarray, fine: int) -> TilePlan:
    """Return the tiles that show something."""

    def shows(rows: tuple[int, int], columns: tuple[int, int]) -> bool:
        (a, b), (c, d) = rows, columns
        return bool(inside[fine * a : fine * b, fine * c : fine * d].any())

    return replace(plan, tiles=tuple(tile for tile in plan.tiles if shows(*tile.own)))


def _groups(plan: TilePlan, patterns: int) -> Iterator[TilePlan]:
    """Yield plans of as many tiles as fit into memory together."""
    count = max(1, MOST_BYTES // (4 * patterns**2))
    for first in range(0, len(plan.tiles), count):
        yield replace(plan, tiles=plan.tiles[first : first + count])


def _covariances(
    sequences: Sequences,
    part: TilePlan,
    model: TileModel,
    check: Callable[[], None],
    without: int | None,
) -> SampleCovariance:
    sample, last = SampleCovariance(part.tiles, model), 0
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
