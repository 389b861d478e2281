"""Cumulants of sub-sequences, put together: free of slow change, and of drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import flatten
from napari_sofinet.sofi.pixel_sets import Kind

SHORTEST = 20
"""Frames of the shortest sub-sequence that is cut."""
MOST_DRIFT_PX = 0.15
"""Drift within a sub-sequence; more would look like fluctuations at edges."""


def plan_segments(
    frames: int, longest: int | None = None, drift_px: np.ndarray | None = None
) -> list[tuple[int, int]]:
    """First and last frame (exclusive) of sub-sequences.

    Parameters
    ----------
    frames
        Frames of the movie.
    longest
        Most frames of a sub-sequence, any number if None; never fewer than 20.
    drift_px
        (T, 2) position of the sample; it moves at most 0.15 px in a sub-sequence, if 20 frames are
        short enough for that.
    """
    longest = max(min(longest or frames, frames), SHORTEST)
    cuts = [0]
    first = 0
    for t in range(frames):
        moved = 0.0
        if drift_px is not None:
            moved = float(np.abs(drift_px[t] - drift_px[first]).max())
        too_far = moved > MOST_DRIFT_PX and t - first >= SHORTEST
        if (t - first >= longest or too_far) and frames - t >= SHORTEST:
            cuts.append(t)
            first = t
    cuts.append(frames)
    return list(pairwise(cuts))


def mean_cumulant(
    movie: Movie,
    order: int,
    kind: Kind,
    segments: list[tuple[int, int]],
    *,
    lag: int = 0,
    worth: Sequence[float] | None = None,
    drift_px: np.ndarray | None = None,
    fwhm_px: float | None = None,
    report: Report = silent,
    preview: Callable[[np.ndarray], Reconstruction | None] | None = None,
    saturation: Saturation | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the cumulants of sub-sequences and its standard error.

    Parameters
    ----------
    lag
        Frames between a set's pixels, see `cross_cumulants`.
    worth
        Weight of each sub-sequence's frames, all alike if None.
    drift_px
        (T, 2) position of the sample: each sub-sequence's image is flattened and moved back by
        its mean. Frames are never interpolated, which would correlate the noise of neighbours.
    fwhm_px
        PSF width for that flattening, needed with ``drift_px`` and for weighted pixel sets.
    preview
        Makes what is reported from the mean so far.

    Returns
    -------
    Image in counts**order as `cross_cumulants` gives it; with ``drift_px`` it is flattened, and
    what moved in from outside is zero. Its standard error follows from the scatter of the
    sub-sequences (NaN for a single one), since those of separate frames are independent.
    """
    from scipy.ndimage import shift

    start = movie.first_frame
    total: np.ndarray | None = None
    squares = np.zeros(0)
    weight: np.ndarray | float = 0.0
    weight_squares: np.ndarray | float = 0.0
    about = np.zeros(0)
    for number, (a, b) in enumerate(segments):

        def step(
            fraction: float,
            message: str = "",
            preview: Reconstruction | None = None,
            at: int = number,
        ) -> None:
            report((at + fraction) / len(segments), f"sub-sequence {at + 1} of {len(segments)}")

        piece = movie.select(frames=(start + a, start + b))
        image = cross_cumulants(
            piece,
            (order,),
            kind,
            lag=lag,
            fwhm_px=fwhm_px,
            unbiased=True,
            report=step,
            saturation=saturation,
        )[order]
        share: np.ndarray | float = (b - a) * (1.0 if worth is None else float(worth[number]))
        if drift_px is not None:
            assert fwhm_px is not None
            image = flatten(image, order, "psf", fwhm_px, out=image)
            back = -order * drift_px[a:b].mean(axis=0)
            image = shift(image, back, order=3, mode="nearest")
            inside = shift(np.ones(image.shape, np.float32), back, order=0, mode="constant", cval=0)
            share = share * inside
        if total is None:
            total, squares = np.zeros_like(image), np.zeros_like(image)
            about = image.copy()
        total += share * image
        squares += share * (image - about) ** 2
        weight = weight + share
        weight_squares = weight_squares + share**2
        if preview is not None and number + 1 < len(segments):
            report((number + 1) / len(segments), "", preview(total / np.maximum(weight, 1e-9)))
    assert total is not None
    mean = total / np.maximum(weight, 1e-9)
    if len(segments) < 2:
        return mean, np.full(mean.shape, np.nan)
    variance = squares / np.maximum(weight, 1e-9) - (mean - about) ** 2
    # As many as equal ones that would scatter alike.
    count = weight**2 / np.maximum(weight_squares, 1e-9)
    variance /= np.maximum(count - 1, 1e-9)
    return mean, np.sqrt(np.maximum(variance, 0))
