"""Places and photons of emitters, by a fit of all of a frame's spots at once.

Spots are Gaussians of one width, integrated over pixels. Every pixel is weighted by its noise, so
for an isolated emitter the fit reaches the Cramer-Rao bound (Smith et al., Nat. Methods 7, 373
(2010)); crowded ones are kept near the place where a network found them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_PX = 0.25
"""How far first guesses may be wrong, where the width of spots is looked for."""
FOUND_PX = 0.4
"""How far a network's places may be wrong in camera px; isolated spots hardly feel it."""
SWEEPS = 4, 16
"""Rounds of the fit, before and after a look at the background that it leaves."""
CANDIDATES = 0.6 * 1.12 ** np.arange(16)
"""Standard deviations of the PSF in px that are tried."""
LEAST_CERTAINTY = 60.0
"""Squares of light over its error, of all spots together: their width is known to a tenth then."""
STRIP_PX, COARSE_PX = 8, 4
DARK = 0.25
BRIGHT = 0.15


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: ``gain`` times the light of spots in it, plus ``floor``."""

    gain: float = 1.0
    floor: float = 1.0


@dataclass(frozen=True)
class Fit:
    """Spots of one frame (Y, X): places (N, 2) y, x in px and light (N,) in the frame's unit.

    ``spread`` (N, 3) are standard deviations of y, x and light; ``background`` (Y, X) what is no
    spot; ``model`` (Y, X) the spots' light.
    """

    places: np.ndarray
    light: np.ndarray
    spread: np.ndarray
    background: np.ndarray
    model: np.ndarray


def fit_spots(
    frame: np.ndarray,
    places: np.ndarray,
    sigma_px: float,
    noise: Noise,
    prior_px: float = 0.0,
) -> Fit:
    """Fit spots to a frame (Y, X), starting from places (N, 2) y, x in px.

    Parameters
    ----------
    sigma_px
        Width of the PSF, standard deviation.
    prior_px
        Standard deviation with which the places are known before; 0 if they are free.
    """
    from napari_sofinet.localization.fitting_kernel import fit, spreads

    image = np.ascontiguousarray(frame, np.float64)
    at = np.array(places, np.float64).reshape(-1, 2)
    model, spread = np.zeros(image.shape), np.zeros((len(at), 3))
    floor = np.full(image.shape, max(noise.floor, 1e-12))
    background = dark_level(image)
    light = np.empty(len(at))
    for k, (y, x) in enumerate(np.rint(at).astype(int)):
        y, x = np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)
        light[k] = 2 * np.pi * sigma_px**2 * (image[y, x] - background[y, x])
    light = np.maximum(light, 2 * np.pi * sigma_px**2 * np.sqrt(noise.floor))
    first = at.copy()
    for sweeps in SWEEPS:
        fit(
            image,
            background,
            noise.gain,
            floor,
            sigma_px,
            at,
            light,
            first,
            prior_px,
            sweeps,
            model,
        )
        background = _smooth(image - model, model, noise, sigma_px)
    spreads(model, noise.gain, floor, sigma_px, at, light, prior_px, spread)
    return Fit(at, light, spread, background, model)


def dark_level(image: np.ndarray) -> np.ndarray:
    """Background (Y, X) of a frame, from the darker pixels of its neighbourhoods."""
    from scipy.ndimage import gaussian_filter

    blocks = _blocks(image, STRIP_PX)
    low = np.percentile(blocks.reshape(*blocks.shape[:2], -1), 100 * DARK, axis=2)
    return _finer(gaussian_filter(low, 0.7), STRIP_PX, image.shape)


def _smooth(rest: np.ndarray, model: np.ndarray, noise: Noise, sigma_px: float) -> np.ndarray:
    """Background that is left beside a model: a wide mean, weighted by noise."""
    from scipy.ndimage import gaussian_filter

    weight = 1 / (noise.gain * np.maximum(model, 0) + noise.floor)
    # It varies slowly: sums of 4 x 4 pixels are as good as all of them.
    light, total = (
        gaussian_filter(_blocks(part, COARSE_PX).mean(axis=(2, 3)), 5 * sigma_px / COARSE_PX)
        for part in (weight * rest, weight)
    )
    return _finer(light / total, COARSE_PX, rest.shape)


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    """Image (Y, X) in blocks (y, x, side, side); its edge is mirrored to fill the last ones."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, -rows % side), (0, -columns % side)), mode="symmetric")
    shape = padded.shape[0] // side, side, padded.shape[1] // side, side
    return padded.reshape(shape).swapaxes(1, 2)


def _finer(coarse: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """A map of blocks as an image (Y, X), linear between their centres."""
    out = coarse
    for axis, length in enumerate(shape):
        at = np.clip((np.arange(length) + 0.5) / side - 0.5, 0, out.shape[axis] - 1)
        low = np.minimum(at.astype(int), max(out.shape[axis] - 2, 0))
        high = np.minimum(low + 1, out.shape[axis] - 1)
        share = np.expand_dims(at - low, 1 - axis)
        out = (1 - share) * out.take(low, axis) + share * out.take(high, axis)
    return out


def measure_sigma(
    frames: list[np.ndarray],
    places: list[np.ndarray],
    between: Callable[[], None] = lambda: None,
) -> float | None:
    """Width of the PSF in px with which spots at first guesses (N, 2) fit some frames best.

    None where spots are too few and dim. ``between`` is called between fits and may raise to leave.
    """
    middle = float(CANDIDATES[len(CANDIDATES) // 2])
    costs = np.zeros(len(CANDIDATES))
    for frame, at in zip(frames, places, strict=True):
        if not len(at):
            continue
        noise = measure_noise([frame], [fit_spots(frame, at, middle, Noise(), PRIOR_PX)])
        for k, sigma in enumerate(CANDIDATES):
            between()
            found = fit_spots(frame, at, float(sigma), noise, PRIOR_PX)
            rest = frame - found.background - found.model
            # The same weights for all: a wide spot must not make its own noise.
            costs[k] += float((rest**2).sum())
    best = int(np.argmin(costs))
    if _certainty(frames, places, float(CANDIDATES[best])) < LEAST_CERTAINTY:
        return None
    if not 0 < best < len(CANDIDATES) - 1:
        return float(CANDIDATES[best])
    low, least, high = costs[best - 1 : best + 2]
    shift = 0.5 * (low - high) / max(low - 2 * least + high, 1e-30)
    step = CANDIDATES[1] / CANDIDATES[0]
    return float(CANDIDATES[best] * step**shift)


def _certainty(frames: list[np.ndarray], places: list[np.ndarray], sigma: float) -> float:
    """Sum over spots of the square of their light over its error."""
    total = 0.0
    for frame, at in zip(frames, places, strict=True):
        if len(at):
            noise = measure_noise([frame], [fit_spots(frame, at, sigma, Noise(), PRIOR_PX)])
            found = fit_spots(frame, at, sigma, noise, PRIOR_PX)
            total += float(((found.light / found.spread[:, 2]) ** 2).sum())
    return total


def measure_noise(frames: Sequence[np.ndarray], fits: Sequence[Fit]) -> Noise:
    """Noise of some frames of a movie as it shows in what fits of their spots leave."""
    dark, bright, light, free = [], [], [], 0.0
    for frame, fit in zip(frames, fits, strict=True):
        rest = (frame - fit.background - fit.model) ** 2
        seen = np.maximum(fit.model, 0)
        dark.append(rest[seen <= max(np.quantile(seen, 0.2), 1e-3 * seen.max())])
        at = seen > BRIGHT * seen.max()
        bright.append(rest[at])
        light.append(seen[at])
        # Three numbers are fitted to a spot, of which about half belong to its bright pixels.
        free += max(at.sum() - 1.5 * len(fit.places), at.sum() / 3)
    floor = max(_variance(np.concatenate(dark)), 1e-9)
    squares, seen = np.concatenate(bright), np.concatenate(light)
    if not len(seen):
        return Noise(1.0, floor)
    squares = squares * len(seen) / free

    def variance(gain: float) -> float:
        """Of the spots' pixels, in units of what it should be with this gain."""
        return _variance(squares / (gain * seen + floor))

    high = max(_variance(squares / seen), 1e-6)
    low = 0.1 * high
    if variance(low) > 1:
        for _ in range(30):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if variance(middle) > 1 else (low, middle)
    return Noise(low, floor)


def _variance(squares: np.ndarray) -> float:
    """Mean of squared deviations, robust against spots that were not found.

    Also where counts are few and whole numbers, of which a median is one: the smaller four fifths
    of squared normal deviates have mean 0.4377.
    """
    least = np.sort(squares)[: max(1, int(0.8 * len(squares)))]
    return float(least.mean()) / 0.4377
