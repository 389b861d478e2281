"""Positions and photons of emitters, by a fit of all spots of a frame together.

Spots are Gaussians of one width, integrated over pixels. Every pixel is weighted by its noise, so
for an isolated emitter the fit reaches the Cramer-Rao bound (Smith et al., Nat. Methods 7, 373
(2010)); crowded emitters are kept near the position at which a network found them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_PX = 0.25
"""Standard deviation of the first estimates of positions, while the width of spots is measured."""
FOUND_PX = 0.4
"""Standard deviation of a network's positions in camera px; isolated spots hardly depend on it."""
SWEEPS = 4, 16
"""Rounds of the fit, before and after the background is measured again."""
CANDIDATES = 0.6 * 1.12 ** np.arange(16)
"""Standard deviations of the PSF in px that are tried."""
LEAST_CERTAINTY = 60.0
"""Sum over spots of the square of light over its error; above it the width is known to a tenth."""
STRIP_PX, COARSE_PX = 8, 4
DARK = 0.25
BRIGHT = 0.15


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: ``gain`` times the light of spots in it, plus ``floor``.

    Parameters
    ----------
    gain : float, optional
        In the frame's unit per unit of light.
    floor : float, optional
        In the square of the frame's unit.
    """

    gain: float = 1.0
    floor: float = 1.0


@dataclass(frozen=True)
class Fit:
    """Spots of one frame.

    Parameters
    ----------
    places : ndarray
        (N, 2) positions y, x in px.
    light : ndarray
        (N,) light in the frame's unit.
    spread : ndarray
        (N, 3) standard deviations of y, x and light.
    background : ndarray
        (Y, X) the frame without spots.
    model : ndarray
        (Y, X) light of the spots.
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
    """Fit the spots of a frame together.

    Parameters
    ----------
    frame : ndarray
        (Y, X) counts.
    places : ndarray
        (N, 2) positions y, x in px to start from.
    sigma_px : float
        Standard deviation of the PSF in px.
    noise : Noise
        Variance of the pixels.
    prior_px : float, optional
        Standard deviation of the given positions in px; 0 if the spots are free to move.

    Returns
    -------
    Fit
        Positions, light and background.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:20, :20]
    >>> frame = 10 + 50 * np.exp(-((y - 9.3) ** 2 + (x - 11.6) ** 2) / (2 * 1.3**2))
    >>> fit = fit_spots(frame, np.array([[9.0, 12.0]]), 1.3, Noise())
    >>> fit.places.round(2)
    array([[ 9.3, 11.6]])
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
    """Return the background of a frame, from the darker pixels of each neighbourhood.

    Parameters
    ----------
    image : ndarray
        (Y, X) counts.

    Returns
    -------
    ndarray
        (Y, X) counts.
    """
    from scipy.ndimage import gaussian_filter

    blocks = _blocks(image, STRIP_PX)
    low = np.percentile(blocks.reshape(*blocks.shape[:2], -1), 100 * DARK, axis=2)
    return _finer(gaussian_filter(low, 0.7), STRIP_PX, image.shape)


def _smooth(rest: np.ndarray, model: np.ndarray, noise: Noise, sigma_px: float) -> np.ndarray:
    """Return the background: a wide mean of the frame less the model, weighted by noise."""
    from scipy.ndimage import gaussian_filter

    weight = 1 / (noise.gain * np.maximum(model, 0) + noise.floor)
    # It varies slowly: sums of 4 x 4 pixels are as good as all of them.
    light, total = (
        gaussian_filter(_blocks(part, COARSE_PX).mean(axis=(2, 3)), 5 * sigma_px / COARSE_PX)
        for part in (weight * rest, weight)
    )
    return _finer(light / total, COARSE_PX, rest.shape)


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    """Divide an image into blocks (y, x, side, side), mirrored at its edge to fill the last."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, -rows % side), (0, -columns % side)), mode="symmetric")
    shape = padded.shape[0] // side, side, padded.shape[1] // side, side
    return padded.reshape(shape).swapaxes(1, 2)


def _finer(coarse: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """Interpolate a map of blocks to an image (Y, X), linearly between their centres."""
    out = coarse
    for axis, length in enumerate(shape):
        at = np.clip((np.arange(length) + 0.5) / side - 0.5, 0, out.shape[axis] - 1)
        low = np.minimum(at.astype(int), max(out.shape[axis] - 2, 0))
        high = np.minimum(low + 1, out.shape[axis] - 1)
        fraction = np.expand_dims(at - low, 1 - axis)
        out = (1 - fraction) * out.take(low, axis) + fraction * out.take(high, axis)
    return out


def measure_sigma(
    frames: list[np.ndarray],
    places: list[np.ndarray],
    between: Callable[[], None] = lambda: None,
) -> float | None:
    """Measure the width of the PSF with which spots fit some frames best.

    Parameters
    ----------
    frames : list of ndarray
        Frames (Y, X) in counts.
    places : list of ndarray
        First estimates (N, 2) of the positions y, x in each frame.
    between : callable, optional
        Called between fits; it may raise to stop the work.

    Returns
    -------
    float or None
        Standard deviation in px; None if the spots are too few or too dim.
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
    """Return the sum over spots of the square of their light over its error."""
    total = 0.0
    for frame, at in zip(frames, places, strict=True):
        if len(at):
            noise = measure_noise([frame], [fit_spots(frame, at, sigma, Noise(), PRIOR_PX)])
            found = fit_spots(frame, at, sigma, noise, PRIOR_PX)
            total += float(((found.light / found.spread[:, 2]) ** 2).sum())
    return total


def measure_noise(frames: Sequence[np.ndarray], fits: Sequence[Fit]) -> Noise:
    """Measure the noise of frames in the residuals of fits of their spots.

    Parameters
    ----------
    frames : sequence of ndarray
        Frames (Y, X) in counts.
    fits : sequence of Fit
        Fit of each frame.

    Returns
    -------
    Noise
        Gain and floor; gain 1 if there are no spots.
    """
    dark, bright, light, free = [], [], [], 0.0
    for frame, fit in zip(frames, fits, strict=True):
        rest = (frame - fit.background - fit.model) ** 2
        model = np.maximum(fit.model, 0)
        dark.append(rest[model <= max(np.quantile(model, 0.2), 1e-3 * model.max())])
        at = model > BRIGHT * model.max()
        bright.append(rest[at])
        light.append(model[at])
        # Three numbers are fitted to a spot, of which about half belong to its bright pixels.
        free += max(at.sum() - 1.5 * len(fit.places), at.sum() / 3)
    floor = max(_variance(np.concatenate(dark)), 1e-9)
    squares, model = np.concatenate(bright), np.concatenate(light)
    if not len(model):
        return Noise(1.0, floor)
    squares = squares * len(model) / free

    def variance(gain: float) -> float:
        """Return the variance of the spots' pixels in units of that expected with a gain."""
        return _variance(squares / (gain * model + floor))

    high = max(_variance(squares / model), 1e-6)
    low = 0.1 * high
    if variance(low) > 1:
        for _ in range(30):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if variance(middle) > 1 else (low, middle)
    return Noise(low, floor)


def _variance(squares: np.ndarray) -> float:
    """Return the mean of squared deviations, robust against spots that were not found.

    It also works for few counts, which are whole numbers and so is their median: the smaller four
    fifths of squared normal deviates have the mean 0.4377.
    """
    least = np.sort(squares)[: max(1, int(0.8 * len(squares)))]
    return float(least.mean()) / 0.4377
