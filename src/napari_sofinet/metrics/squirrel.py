"""SQUIRREL: whether a super-resolved image, blurred again, gives the wide-field one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from napari_sofinet.base.errors import InputError

WIDEST = 0.125
"""Largest sigma that is tried, as a fraction of the shorter side."""
SCAN = 16
NARROWEST = 0.1
"""Sigma in samples below which the image counts as not blurred."""
REACH = 4
"""Distance in sigmas at which the blur is cut off."""
STRIP = 32
"""Pixels that are computed together, from the samples that they need."""


@dataclass(frozen=True)
class Squirrel:
    """Agreement of a super-resolved image with a reference after blur and scaling.

    Parameters
    ----------
    rsp : float
        Resolution-scaled Pearson correlation of model and reference.
    rse : float
        Resolution-scaled error: root mean square of their difference, in the reference's units.
    sigma_px : float
        Standard deviation of the fitted blur in samples of the super-resolved image.
    alpha, beta : float
        Scale and offset: the model is ``alpha`` times the blurred image plus ``beta``.
    error_map : ndarray
        Absolute difference on the reference's grid, NaN where the image does not cover it.
    model : ndarray
        The blurred and scaled image on the reference's grid, NaN where there is none.
    warning : str, optional
        Why the numbers are doubtful.
    """

    rsp: float
    rse: float
    sigma_px: float
    alpha: float
    beta: float
    error_map: np.ndarray
    model: np.ndarray
    warning: str | None = None


def squirrel(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    pixel_px: tuple[float, float] | None = None,
    origin_px: tuple[float, float] | None = None,
) -> Squirrel:
    """Fit blur, scale and offset that bring a super-resolved image to the wide-field one.

    Parameters
    ----------
    image : ndarray
        (Y, X) super-resolved image.
    reference : ndarray
        (Y, X) wide-field image, e.g. the mean of the frames.
    pixel_px, origin_px : (float, float), optional
        Distance (y, x) of the image's samples and position of its sample (0, 0), in pixels of the
        reference (a `Reconstruction` has both). Without them the image must be a whole number of
        times larger and covers the same area.

    Returns
    -------
    Squirrel
        Agreement, fitted blur and error map.

    Raises
    ------
    InputError
        The sizes do not belong together, an image is constant or has values that are not finite.

    Notes
    -----
    The model of a reference pixel is the mean of the blurred image over its area, so images stay
    registered at any magnification. For a given blur, scale and offset follow from linear
    regression; the blur is searched. Where the image does not cover the reference, nothing is
    compared (Culley et al., Nat. Methods 15, 263 (2018)).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> image = np.random.default_rng(0).random((48, 48)) ** 8
    >>> reference = 3 * gaussian_filter(image, 2.5) + 10
    >>> found = squirrel(image, reference)
    >>> round(found.sigma_px, 2), round(found.rsp, 3)
    (2.5, 1.0)
    """
    image, reference = (np.asarray(a, dtype=np.float64) for a in (image, reference))
    for name, array in (("image", image), ("reference", reference)):
        _check(name, array)
    pixel, origin = _grid(image.shape, reference.shape, pixel_px, origin_px)
    rows = columns = slice(None)
    boxes = None
    if not _aligned(image.shape, reference.shape, pixel, origin):
        rows, boxes_y = _boxes(image.shape[0], reference.shape[0], pixel[0], origin[0])
        columns, boxes_x = _boxes(image.shape[1], reference.shape[1], pixel[1], origin[1])
        boxes = boxes_y, boxes_x
    part = reference[rows, columns]
    if min(part.shape) < 4:
        raise InputError("Image and reference hardly overlap; nothing can be compared.")
    target = part - part.mean()
    models = _PixelModels(image, target, boxes) if boxes else _WaveModels(image, target)
    widest = WIDEST * min(image.shape)
    sigma = _best_blur(models, widest)
    model = models.in_pixels(sigma)
    mean = model.mean()
    model -= mean
    own, shared = _product(model, model), _product(model, target)
    alpha = shared / max(own, 1e-300)
    beta = float(part.mean() - alpha * mean)
    model = alpha * model + part.mean()
    difference = model - part
    rsp = min(abs(shared) / max(np.sqrt(own * _product(target, target)), 1e-300), 1.0)
    rse = float(np.sqrt(_product(difference, difference) / part.size))
    error, whole = np.full((2, *reference.shape), np.nan)
    error[rows, columns] = np.abs(difference)
    whole[rows, columns] = model
    warning = _warning(alpha, sigma, widest)
    return Squirrel(float(rsp), rse, sigma, alpha, beta, error, whole, warning)


def _check(name: str, array: np.ndarray) -> None:
    """Raise `InputError` unless an array is a picture that shows something."""
    if array.ndim != 2 or not np.isfinite(array).all():
        raise InputError(f"The {name} must be a single picture without NaN.")
    if np.ptp(array) <= 1e-12 * max(np.abs(array).max(), 1e-300):
        raise InputError(f"The {name} is constant, so it cannot be compared.")


def _best_blur(models: _PixelModels | _WaveModels, widest: float) -> float:
    """Return the sigma, at most ``widest`` samples, whose model explains the reference best."""
    from scipy.optimize import minimize_scalar

    def unexplained(sigma: float) -> float:
        model = models.without_mean(sigma)
        return 1 - _product(model, models.wanted) ** 2 / max(_product(model, model), 1e-300)

    scan = np.concatenate([[0.0], np.geomspace(0.3, widest, SCAN)])
    losses = [unexplained(s) for s in scan]
    best = int(np.argmin(losses))
    low, high = scan[max(best - 1, 0)], scan[min(best + 1, SCAN)]
    fitted = minimize_scalar(
        unexplained, bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    return float(scan[best] if losses[best] < fitted.fun else fitted.x)


def _warning(alpha: float, sigma: float, widest: float) -> str | None:
    if alpha <= 0:
        return "The image is dark where the reference is bright: it does not show it."
    if sigma > 0.999 * widest:
        return "The blur is wider than was searched: the image does not explain the reference."
    if sigma < NARROWEST:
        return "No blur is needed: the image is not sharper than the reference."
    return None


def _grid(
    image: tuple[int, ...],
    reference: tuple[int, ...],
    pixel_px: tuple[float, float] | None,
    origin_px: tuple[float, float] | None,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return distance and origin of the image's samples in pixels of the reference."""
    if pixel_px is not None:
        return pixel_px, origin_px or (0.0, 0.0)
    times = [a // b for a, b in zip(image, reference, strict=True)]
    if times[0] < 1 or any(a != times[0] * b for a, b in zip(image, reference, strict=True)):
        raise InputError(
            f"An image of {image[0]} x {image[1]} samples cannot be laid on a reference of "
            f"{reference[0]} x {reference[1]} px; give its pixel size and origin."
        )
    pixel = 1 / times[0]
    return (pixel, pixel), ((pixel - 1) / 2, (pixel - 1) / 2)


def _boxes(
    samples: int, pixels: int, pixel_px: float, origin_px: float
) -> tuple[slice, np.ndarray]:
    """Return the reference pixels that the image covers, and (n, samples) weights of its samples.

    A sample stands for the length between the middles to its neighbours; the outermost ones also
    for the half beyond.
    """
    edges = (np.arange(pixels + 1) - 0.5 - origin_px) / pixel_px + 0.5  # in samples' edges
    inside = (edges[:-1] > -0.5 - 1e-9) & (edges[1:] < samples + 0.5 + 1e-9)
    used = np.flatnonzero(inside)
    if not used.size:
        return slice(0, 0), np.zeros((0, samples))
    first, last = int(used[0]), int(used[-1]) + 1
    low, high = (np.clip(edges[k : k + last - first], 0, samples) for k in (first, first + 1))
    at = np.arange(samples)
    weights = np.clip(np.minimum(high[:, None], at + 1) - np.maximum(low[:, None], at), 0, None)
    return slice(first, last), weights / weights.sum(axis=1, keepdims=True)


def _aligned(
    samples: tuple[int, ...],
    pixels: tuple[int, ...],
    pixel_px: tuple[float, float],
    origin_px: tuple[float, float],
) -> bool:
    """Return whether every pixel is a whole number of samples, and no sample is left over."""
    return all(
        n % m == 0 and abs(p * n - m) < 1e-9 and abs(at - (p - 1) / 2) < 1e-9
        for n, m, p, at in zip(samples, pixels, pixel_px, origin_px, strict=True)
    )


def _product(a: np.ndarray, b: np.ndarray) -> float:
    # Unlike np.vdot on one core, since waiting for others that are busy may take longer.
    return float(np.einsum("ij,ij", a, b))


class _WaveModels:
    """Models of aligned grids for any blur, as amplitudes of cosine waves.

    Cosine waves fit mirrored borders. A blur multiplies each wave by a factor; so does the mean
    over a pixel's samples, after which fine waves appear as coarse ones. Products of models are the
    same as in pixels.
    """

    def __init__(self, image: np.ndarray, target: np.ndarray) -> None:
        from scipy.fft import dctn

        self.samples, self.mean = image.shape, image.mean()
        self.wanted = dctn(target, norm="ortho")
        waves = dctn(image, norm="ortho")
        self.orders = []
        for axis, pixels in enumerate(target.shape):
            order, factors = _waves_of_pixels(self.samples[axis], pixels)
            waves = waves.take(order, axis)
            waves *= factors[:, None] if axis == 0 else factors
            self.orders.append(order.reshape(-1, pixels))
        waves[0, 0] = 0
        self.waves = waves.reshape(*self.orders[0].shape, *self.orders[1].shape)
        self._half = np.empty((*self.orders[0].shape, target.shape[1]))
        self._model = np.empty(target.shape)

    def without_mean(self, sigma: float) -> np.ndarray:
        """Return the model's waves without that of the mean; valid until the next call."""
        kept_y, kept_x = (
            np.fft.rfft(_ring(sigma, samples)).real[order]
            for samples, order in zip(self.samples, self.orders, strict=True)
        )
        np.einsum("qirj,rj->qij", self.waves, kept_x, out=self._half)
        return np.einsum("qij,qi->ij", self._half, kept_y, out=self._model)

    def in_pixels(self, sigma: float) -> np.ndarray:
        """Return the blurred image in the reference's pixels."""
        from scipy.fft import idctn

        return np.asarray(idctn(self.without_mean(sigma), norm="ortho") + self.mean)


def _waves_of_pixels(samples: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples' waves in the order of the pixels' waves, and the factor of each.

    Each wave of the pixels shows as many waves of the samples as a pixel has samples.
    """
    times = samples // pixels
    order = np.arange(samples).reshape(times, pixels)
    signs = np.ones((times, pixels))
    signs[1::2, 0] = 0  # no pixel sees these
    order[1::2, 1:] = order[1::2, :0:-1].copy()
    signs[np.isin(np.arange(times) % 4, (1, 2))] *= -1
    within = np.arange(times) - (times - 1) / 2
    seen = np.cos(np.pi / samples * np.outer(order, within)).mean(axis=1)
    return order.ravel(), signs.ravel() * seen / np.sqrt(times)


class _PixelModels:
    """Models of any grids for any blur."""

    def __init__(
        self, image: np.ndarray, target: np.ndarray, boxes: tuple[np.ndarray, np.ndarray]
    ) -> None:
        self.image, self.wanted, self.boxes = image, target, boxes

    def without_mean(self, sigma: float) -> np.ndarray:
        """Return the model less its mean."""
        model = self.in_pixels(sigma)
        model -= model.mean()
        return model

    def in_pixels(self, sigma: float) -> np.ndarray:
        """Return the blurred image in the reference's pixels."""
        boxes_y, boxes_x = self.boxes
        return _pixels(boxes_y, sigma, _pixels(boxes_x, sigma, self.image.T).T)


def _pixels(boxes: np.ndarray, sigma: float, image: np.ndarray) -> np.ndarray:
    """Return the blurred image's rows averaged over boxes, computed only where they have weight."""
    samples = boxes.shape[1]
    reach = _reach(sigma)
    ring = _ring(sigma, samples)
    # Weight of sample j in blurred sample i: directly, and by its mirror images at both ends.
    straight = sliding_window_view(np.roll(ring, samples - 1)[:-1], samples)[::-1]
    mirrored = sliding_window_view(ring[1:], samples)
    out = np.empty((len(boxes), image.shape[1]))
    for top in range(0, len(boxes), STRIP):
        strip = boxes[top : top + STRIP]
        used = np.flatnonzero(strip.any(axis=0))
        seen = slice(used[0], used[-1] + 1)
        near = slice(max(seen.start - reach, 0), seen.stop + reach)
        blurred = strip[:, seen] @ (straight[seen, near] + mirrored[seen, near])
        out[top : top + STRIP] = blurred @ image[near]
    return out


def _reach(sigma: float) -> int:
    """Return the distance in samples at which the blur is cut off."""
    return int(REACH * sigma + 0.5)


def _ring(sigma: float, samples: int) -> np.ndarray:
    """Return a Gaussian's weights by distance, on a ring of the samples and their mirror image."""
    reach = _reach(sigma)
    ring = np.zeros(2 * samples)
    if not reach:
        ring[0] = 1
        return ring
    distance = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    np.add.at(ring, distance % (2 * samples), weights / weights.sum())
    return ring
