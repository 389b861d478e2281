"""Registration of images of blocks of frames, and how alike they are along a path."""

from __future__ import annotations

from itertools import combinations

import numpy as np

OUTLIER = 3.0
"""Residual of an outlier in units of the median."""
FARTHEST = 40
"""Largest shift between blocks in samples, of which two are a camera pixel."""
_Y, _X = np.mgrid[-2:3, -2:3].reshape(2, -1).astype(float)
QUADRATIC = np.linalg.pinv(np.stack([_Y * 0 + 1, _Y, _X, _Y**2, _X**2, _Y * _X], axis=1))
"""Coefficients of a quadratic from 5 x 5 samples by least squares."""


def register(images: list[np.ndarray], farthest: float = FARTHEST) -> np.ndarray:
    """Register images by redundant cross-correlation.

    Parameters
    ----------
    images : list of ndarray
        (Y, X) images.
    farthest : float, optional
        Largest shift between two images in samples.

    Returns
    -------
    ndarray
        (n, 2) positions y, x in samples relative to the first one.
    """
    rows, columns = images[0].shape
    window = edge_window((rows, columns))
    transforms = [np.fft.rfft2(image * window, (2 * rows, 2 * columns)) for image in images]
    pairs = np.array(list(combinations(range(len(images)), 2)))
    reach = min(int(np.ceil(farthest)), rows // 2, columns // 2)
    shifts = np.array([_shift(transforms[i], transforms[j], columns, reach) for i, j in pairs])
    design = np.zeros((len(pairs), len(images)))
    design[np.arange(len(pairs)), pairs[:, 1]] = 1
    design[np.arange(len(pairs)), pairs[:, 0]] = -1
    design = design[:, 1:]
    keep = np.ones(len(pairs), bool)
    for _ in range(3):
        found = np.linalg.lstsq(design[keep], shifts[keep], rcond=None)[0]
        residual = np.hypot(*(design @ found - shifts).T)
        keep = residual <= OUTLIER * np.median(residual) + 0.1
    return np.vstack([np.zeros(2), found])


def edge_window(shape: tuple[int, int]) -> np.ndarray:
    """Return weights (Y, X) that fall to 0 at the edges of images."""
    along_y, along_x = (np.hanning(side + 2)[1:-1] for side in shape)
    return np.clip(4 * np.outer(along_y, along_x), 0, 1)


def _shift(before: np.ndarray, after: np.ndarray, columns: int, reach: int) -> np.ndarray:
    """Shift y, x in samples at the peak of the cross-correlation of two spectra."""
    rows = before.shape[0]
    product = np.fft.irfft2(after * before.conj(), (rows, 2 * columns))
    near = np.roll(product, (reach + 2, reach + 2), (0, 1))[: 2 * reach + 5, : 2 * reach + 5]
    y, x = np.unravel_index(int(near[2:-2, 2:-2].argmax()), (2 * reach + 1, 2 * reach + 1))
    # A quadratic through the 25 samples around the highest, of which the peak is the top.
    values = near[y : y + 5, x : x + 5].ravel()
    c = QUADRATIC @ values
    curvature = np.array([[2 * c[3], c[5]], [c[5], 2 * c[4]]])
    top = np.zeros(2)
    if np.linalg.det(curvature) > 0:
        top = np.clip(-np.linalg.solve(curvature, c[1:3]), -1, 1)
    return np.array([y - reach, x - reach]) + top


def likeness(images: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return how alike images are once they are moved back.

    Parameters
    ----------
    images : ndarray of shape (n, Y, X)
        Images of two samples per camera pixel.
    at : ndarray of shape (n, 2)
        Position y, x of the sample in each image, in camera pixels.

    Returns
    -------
    ndarray of shape (Y, X)
        Sum of the products of all pairs of different images.

    Examples
    --------
    >>> images = np.zeros((2, 8, 8))
    >>> images[0, 4, 4] = images[1, 6, 4] = 1
    >>> likeness(images, np.array([(0, 0), (1, 0)]))[4, 4].round(6)
    np.float64(2.0)
    """
    rows, columns = images.shape[1:]
    ky = 4j * np.pi * np.fft.fftfreq(rows)[:, None]
    kx = 4j * np.pi * np.fft.rfftfreq(columns)
    total, squares = np.zeros((rows, columns)), np.zeros((rows, columns))
    for image, (y, x) in zip(images, at, strict=True):
        moved = np.fft.irfft2(np.fft.rfft2(image) * np.exp(ky * y + kx * x), (rows, columns))
        total += moved
        squares += moved**2
    return np.asarray(total**2 - squares)
