"""Position of a picture on its reference, for pictures that do not contain it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.picture import Picture

LARGEST_FACTOR = 32
LARGEST_BORDER = 0.15
"""Fraction of the reference that a picture may lack along an axis, e.g. the rim that SOFI loses."""


def place(
    picture: Picture,
    reference: Picture,
    origin: tuple[float, float] | None,
    notes: list[str],
) -> Picture:
    """Return a picture with its position in camera pixels.

    Parameters
    ----------
    picture : Picture
        Compared picture.
    reference : Picture
        Reference picture; without a grid, its samples count as camera pixels.
    origin : (float, float), optional
        Position (y, x) of sample (0, 0) of the picture in camera pixels, if the user knows it.
    notes : list of str
        A note on any assumption is appended.

    Returns
    -------
    Picture
        Picture with a position; unchanged if it has a grid, or if both have the same shape.

    Raises
    ------
    InputError
        The position cannot be derived from the shapes.
    """
    if picture.pixel_px is not None and picture.origin_px is not None:
        return picture if origin is None else replace(picture, origin_px=origin)
    if origin is None and picture.image.shape == reference.image.shape:
        return picture
    factor = _factor(picture, reference, origin is not None)
    if factor is None:
        rows, columns = picture.image.shape
        height, width = reference.image.shape
        raise InputError(
            f"The position of {picture.name} ({rows} x {columns} samples) on {reference.name} "
            f"({height} x {width}) is unknown; give the sizes of their samples (--pixel-size, and "
            "in the file of the reference) and the position of the first one (--origin Y,X in "
            "camera pixels)."
        )
    step, start = reference.pixel_px or (1.0, 1.0), reference.origin_px or (0.0, 0.0)
    pixel = step[0] / factor, step[1] / factor
    if origin is None:
        y, x = (
            o + s * ((m - 1) - (n - 1) / factor) / 2
            for o, s, n, m in zip(
                start, step, picture.image.shape, reference.image.shape, strict=True
            )
        )
        origin = (y, x)
        notes.append(
            f"{picture.name} does not contain its position; it is assumed to show the same field "
            f"as {reference.name}, {factor:.4g} x finer, with its first sample at y {y:.4g}, x "
            f"{x:.4g} (camera pixels). If this is wrong, give --origin Y,X."
        )
    return replace(picture, pixel_px=pixel, origin_px=origin)


def _factor(picture: Picture, reference: Picture, placed: bool) -> float | None:
    """Samples of a picture along one of its reference; None if it is not clear."""
    shapes = list(zip(picture.image.shape, reference.image.shape, strict=True))
    sizes = picture.pixel_um, reference.pixel_um
    if sizes[0] and sizes[1]:
        known = sizes[1] / sizes[0]
        if placed or all(_fits(n, m, known) for n, m in shapes):
            return known
    factors = {round(n / m + 0.5 * LARGEST_BORDER) for n, m in shapes}
    if len(factors) > 1:
        return None
    factor = factors.pop()
    fits = 1 <= factor <= LARGEST_FACTOR and all(_fits(n, m, factor) for n, m in shapes)
    return float(factor) if fits else None


def _fits(samples: int, pixels: int, factor: float) -> bool:
    """Return whether a number of samples fits a number of pixels, except for a rim."""
    lacking = pixels - samples / factor
    return -0.5 <= lacking <= max(LARGEST_BORDER * pixels, 1.0)


def is_coarser(reference: Picture, picture: Picture) -> bool:
    """Return whether a reference has larger samples than a picture, as wide-field pictures have.

    Parameters
    ----------
    reference : Picture
        Reference other than the truth; without a grid, its samples count as camera pixels.
    picture : Picture
        Compared picture.
    """
    if reference.of_truth or picture.pixel_px is None:
        return False
    return picture.pixel_px[1] < 0.7 * (reference.pixel_px or (1.0, 1.0))[1]


def covered(picture: Picture, reference: Picture) -> float:
    """Return the fraction of a picture that its reference covers; 1 if positions are unknown.

    Parameters
    ----------
    picture : Picture
        Compared picture.
    reference : Picture
        Reference picture; without a grid, its samples count as camera pixels.
    """
    if picture.pixel_px is None or picture.origin_px is None:
        return 1.0
    step, start = reference.pixel_px or (1.0, 1.0), reference.origin_px or (0.0, 0.0)
    if reference.pixel_px is None and reference.image.shape == picture.image.shape:
        return 1.0
    share = 1.0
    for n, m, p, o, s, b in zip(
        picture.image.shape,
        reference.image.shape,
        picture.pixel_px,
        picture.origin_px,
        step,
        start,
        strict=True,
    ):
        at = o + p * np.arange(n)
        share *= float(np.mean((at > b - s / 2) & (at < b + s * (m - 0.5))))
    return share


def repeats(image: np.ndarray) -> tuple[float, float]:
    """Return the number of repetitions of samples along y and x, as in an enlarged picture.

    Parameters
    ----------
    image : ndarray of shape (Y, X)
        Any picture.

    Returns
    -------
    (float, float)
        1 without repetitions; fractions if the number alternates, e.g. 2.5 for 2, 3, 2, 3, ...

    Examples
    --------
    >>> repeats(np.kron(np.random.default_rng(0).random((20, 20)), np.ones((3, 2))))
    (3.0, 2.0)
    >>> repeats(np.random.default_rng(0).random((20, 20)))
    (1.0, 1.0)
    """
    return _repeated(image), _repeated(image.T)


LEAST_CHANGES = 8
"""Least number of rows that differ from the one before, for equal distances to be significant."""
LEAST_FACTOR = 1.2


def _changes(image: np.ndarray) -> np.ndarray:
    """Numbers of the rows that differ from the one before."""
    return np.flatnonzero((image[1:] != image[:-1]).any(axis=1)) + 1


def _repeated(image: np.ndarray) -> float:
    """Distance of rows that differ, where it is the same everywhere or alternates; else 1."""
    changes = _changes(image)
    if len(changes) < LEAST_CHANGES:
        return 1.0
    steps = np.diff(changes)
    whole = int(np.gcd.reduce(steps))
    if whole > 1 or steps.mean() < LEAST_FACTOR:
        return float(whole)
    # Of a factor between whole numbers the changes lie where its multiples are rounded to.
    mean, start = np.polyfit(np.arange(len(changes)), changes, 1)
    even = np.abs(changes - start - mean * np.arange(len(changes))).max() < 1
    return float(mean) if even else 1.0


def without_repeats(picture: Picture, times: tuple[float, float]) -> Picture:
    """Return a picture with each of its repeated samples once, without a grid.

    Parameters
    ----------
    picture : Picture
        Enlarged picture.
    times : (float, float)
        Number of repetitions, from `repeats`.
    """
    rows, columns = _kept(picture.image, times[0]), _kept(picture.image.T, times[1])
    part = np.ix_(rows, columns)
    halves = picture.halves
    if halves is not None:
        halves = halves[0][part], halves[1][part]
    um = None if picture.pixel_um is None else picture.pixel_um * times[1]
    return Picture(picture.image[part], picture.name, halves, um)


def _kept(image: np.ndarray, times: float) -> np.ndarray:
    """Numbers of rows, each of another sample of the picture before it was enlarged."""
    if times == 1:
        return np.arange(len(image))
    changes = _changes(image)
    if times != int(times):
        return np.concatenate([[0], changes])
    return np.arange(changes[0] % int(times), len(image), int(times))
