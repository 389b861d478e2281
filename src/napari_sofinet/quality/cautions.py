"""Cautions about a comparison or a resolution that the numbers alone do not show."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.quality.grid import Grid, grid_of, on_grid
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.placement import covered, repeats

LEAST_COVERED = 0.9
LEAST_SHIFT_PX = 1.5
LEAST_GAIN = 0.1
"""Least gain in correlation at another place for which pictures count as shifted."""
LEAST_PEAK, LEAST_SIGMAS = 0.3, 4.5
"""Least correlation at the other place, also in units of its standard deviation over all places."""
LIMIT_PX = 2.2
"""Resolution in samples below which sampling is the limit: no detail is finer than two samples."""
LIMITED = "limited by the pixel size (2 px); noise looks like detail there"
FINEST_NM = 150.0
"""Finest detail in nm of a light microscope without super-resolution: 450 nm / (2 · 1.5)."""
CORRELATED_NOISE = (
    "The noise of neighbouring samples of a reconstruction is alike, so the halves of its pixels "
    "share it: this is too good. Compare the pictures of two parts of the movie instead."
)
SHARED_NOISE = "Both pictures are from the same frames and share their noise: this is too good."


def limit_caution(resolution_px: float | None) -> str:
    """Return a note if a resolution in samples is that of the samples, else an empty text."""
    return LIMITED if resolution_px is not None and resolution_px < LIMIT_PX else ""


def reference_caution(picture: Picture, reference: Picture) -> str | None:
    """Return a caution if the reference for SQUIRREL is no wide-field picture.

    Its origin tells, or else its spectrum: detail that no microscope resolves, or that is finer
    than that of the picture.

    Parameters
    ----------
    picture : Picture
        Super-resolved picture.
    reference : Picture
        Reference, which SQUIRREL takes for what a conventional microscope shows.

    Returns
    -------
    str or None
        One sentence; None for wide-field pictures and for a truth that is known as such.
    """
    if reference.wide_field or reference.of_truth:
        return None
    why = None
    if reference.made_by is not None:
        why = f"is a reconstruction ({reference.made_by})"
    else:
        finest = _detail_px(reference)
        own = _detail_px(picture) if finest is not None else None
        if finest is None:
            return None
        nm = None if reference.pixel_um is None else 1000 * reference.pixel_um * finest
        if nm is not None and nm < FINEST_NM:
            why = f"shows detail of {nm:.0f} nm, finer than a conventional microscope can"
        elif own is not None and reference.pixel_px is not None and picture.pixel_px is not None:
            ratio = finest * reference.pixel_px[1] / (own * picture.pixel_px[1])
            why = f"shows finer detail than {picture.name}" if ratio < 1 else None
    if why is None:
        return None
    return (
        f"{reference.name} {why}, no wide-field picture: RSP and RSE only say how alike both are, "
        "not how true. Use the mean of the movie."
    )


def _detail_px(picture: Picture) -> float | None:
    """Return the resolution in samples; None if there is none or the samples are the limit."""
    found = decorrelation_resolution(picture.image).resolution_px
    return None if found is None or found < LIMIT_PX else found


def comparison_cautions(picture: Picture, reference: Picture) -> list[str]:
    """Return cautions about a reference that does not fit a picture.

    Parameters
    ----------
    picture : Picture
        Compared picture.
    reference : Picture
        Reference picture.

    Returns
    -------
    list of str
        One sentence each if the reference is shifted or covers only a part, or if either was
        enlarged.
    """
    found = []
    for one in (picture, reference):
        times = repeats(one.image)
        if max(times) > 1:
            found.append(f"{one.name} was enlarged: its samples are repeated {_times(times)}.")
    share = covered(picture, reference)
    if share < LEAST_COVERED:
        found.append(
            f"{reference.name} covers only {100 * share:.0f} % of {picture.name}; the rest is not "
            "compared."
        )
    shift = shift_between(picture, reference)
    if shift is not None:
        found.append(
            f"{picture.name} fits {reference.name} better if it is shifted by {shift[0]:.3g} "
            f"samples of the reference along y and {shift[1]:.3g} along x: they may not show the "
            "same place, and the numbers are not reliable."
        )
    return found


def resolution_cautions(
    times: tuple[float, float], resolution_px: float | None, metric: str
) -> list[str]:
    """Return cautions about a resolution that is limited by the samples rather than the picture.

    Parameters
    ----------
    times : (float, float)
        Number of repetitions of each sample along y and x; see `repeats`.
    resolution_px : float, optional
        Resolution in samples that are not repeated.
    metric : {"decorrelation", "frc"}
        Metric that gave the resolution.
    """
    found = []
    if max(times) > 1:
        found.append(
            f"The picture was enlarged: its samples are repeated {_times(times)}. The resolution "
            "refers to the original samples."
        )
    if resolution_px is not None and resolution_px < LIMIT_PX:
        found.append(
            "This is the limit of the samples: nothing finer than two of them can be seen, and "
            "noise looks like detail there. The resolution of the picture itself remains unknown."
        )
    return found


def _times(times: tuple[float, float]) -> str:
    y, x = (f"{n:.3g} x" for n in times)
    return y if y == x else f"{y} along y, {x} along x"


def shift_between(picture: Picture, reference: Picture) -> tuple[float, float] | None:
    """Return the shift that makes a picture fit its reference, if it does not fit already.

    Parameters
    ----------
    picture : Picture
        Compared picture.
    reference : Picture
        Reference picture.

    Returns
    -------
    (float, float) or None
        Shift along y and x in whole samples of the reference; None if the pictures fit, or if the
        shift cannot be determined.
    """
    pair = _same_samples(picture, reference)
    if pair is None or min(pair[0].shape) < 16:
        return None
    one, other = (_flattened(image) for image in pair)
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    if not norm > 0:
        return None
    rows, columns = one.shape
    size = [next_fast_len(2 * n, real=True) for n in (rows, columns)]
    product = rfft2(other, size) * np.conj(rfft2(one, size))
    correlation = irfft2(product, size) / norm
    reach_y, reach_x = rows // 4, columns // 4
    lags_y, lags_x = (np.arange(-r, r + 1) for r in (reach_y, reach_x))
    near = correlation[np.ix_(lags_y, lags_x)]
    # Less overlaps at a distance; what is left counts fully.
    overlap = np.outer(1 - np.abs(lags_y) / rows, 1 - np.abs(lags_x) / columns)
    near = near / overlap
    y, x = np.unravel_index(np.argmax(near), near.shape)
    shift = float(lags_y[y]), float(lags_x[x])
    gain = near[y, x] - near[reach_y, reach_x]
    # Between pictures that have nothing in common the highest of many values is no sign.
    clear = near[y, x] > max(LEAST_PEAK, LEAST_SIGMAS * np.std(near))
    return shift if np.hypot(*shift) >= LEAST_SHIFT_PX and gain > LEAST_GAIN and clear else None


def _same_samples(picture: Picture, reference: Picture) -> tuple[np.ndarray, np.ndarray] | None:
    """Both pictures on the samples of the reference, where both show something."""
    if picture.pixel_px is None or picture.origin_px is None:
        if picture.image.shape != reference.image.shape:
            return None
        return picture.image, reference.image
    if reference.pixel_px is None and reference.image.shape == picture.image.shape:
        return picture.image, reference.image
    grid, own = grid_of(reference), grid_of(picture)
    ranges = []
    for axis in (0, 1):
        at = grid.origin[axis] + grid.pixel[axis] * np.arange(grid.shape[axis])
        end = own.origin[axis] + own.pixel[axis] * (own.shape[axis] - 1)
        inside = np.flatnonzero((at >= own.origin[axis]) & (at <= end))
        if len(inside) < 16:
            return None
        ranges.append((int(inside[0]), int(inside[-1]) + 1))
    (y0, y1), (x0, x1) = ranges
    part = Grid(
        (grid.origin[0] + y0 * grid.pixel[0], grid.origin[1] + x0 * grid.pixel[1]),
        grid.pixel,
        (y1 - y0, x1 - x0),
    )
    # Samples between those of the reference count, too.
    wide = [max(g / p, 1.0) / 2 for g, p in zip(grid.pixel, own.pixel, strict=True)]
    smooth = Picture(
        gaussian_filter(np.nan_to_num(picture.image), wide),
        pixel_px=own.pixel,
        origin_px=own.origin,
    )
    return on_grid(smooth, part).astype(np.float64), reference.image[y0:y1, x0:x1]


def _flattened(image: np.ndarray) -> np.ndarray:
    """An image without its wide background, which would fit anywhere."""
    image = gaussian_filter(np.nan_to_num(image), 1.0)
    flat = image - gaussian_filter(image, min(image.shape) / 8)
    return np.asarray(flat - flat.mean())
