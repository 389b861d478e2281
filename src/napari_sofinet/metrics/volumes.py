"""Agreement of volumes with the truth, and their resolution plane by plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.decorrelation import SMALLEST_SIDE, decorrelation_resolution
from napari_sofinet.metrics.similarity import WINDOW, likeness

BUSY = 0.05
"""Range of brightness of a plane, over that of the volume, from which on it holds structure."""
MOST_SECTIONS = 16
ALONG_FIRST_AXIS = 67.5, 112.5
"""Directions in degrees of the frequencies that count for the resolution along z of an xz section;
90 is along z."""


@dataclass(frozen=True)
class VolumeAgreement:
    """Agreement of a volume with the truth.

    Parameters
    ----------
    ssim : float
        Structural similarity, mean over the planes in which the truth has structure.
    mse : float
        Mean squared error over the square of the truth's range of brightness.
    pearson : float
        Correlation.
    planes : int
        Planes in which the truth has structure.
    """

    ssim: float
    mse: float
    pearson: float
    planes: int


@dataclass(frozen=True)
class SectionResolutions:
    """Resolution of sections by decorrelation.

    Parameters
    ----------
    median_px, lowest_px, highest_px : float or None
        In samples; None if no section has an answer.
    sections : int
        Sections with an answer.
    reason : str or None
        Why there is no answer.
    """

    median_px: float | None
    lowest_px: float | None
    highest_px: float | None
    sections: int
    reason: str | None = None


def volume_agreement(image: np.ndarray, truth: np.ndarray) -> VolumeAgreement:
    """Compare a volume with the truth, after the scale that fits best.

    Parameters
    ----------
    image, truth : ndarray
        (Z, Y, X) of one shape; negative values of the image count as 0.

    Returns
    -------
    VolumeAgreement
        SSIM, MSE and correlation.

    Raises
    ------
    InputError
        The shapes differ or are too small, or the truth is constant.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((4, 16, 16))
    >>> volume_agreement(7 * truth, truth).ssim
    1.0
    """
    if image.shape != truth.shape or image.ndim != 3:
        raise InputError(
            f"Volumes of {_size(image)} and {_size(truth)} samples cannot be compared sample by "
            "sample."
        )
    if min(truth.shape[1:]) < WINDOW:
        raise InputError(f"Structural similarity needs planes of at least {WINDOW} x {WINDOW} px.")
    span = float(np.ptp(truth))
    if span <= 0:
        raise InputError("The reference is constant, so nothing can be compared with it.")
    a, b = np.maximum(np.asarray(image, np.float64), 0), np.asarray(truth, np.float64)
    power = float((a**2).sum())
    a = a * (float((a * b).sum()) / power if power else 0.0)
    busy = [z for z in range(len(b)) if np.ptp(b[z]) > BUSY * span]
    alike = [likeness(a[z] / np.ptp(b[z]), b[z] / np.ptp(b[z])).ssim for z in busy]
    even = np.ptp(a) == 0
    return VolumeAgreement(
        round(float(np.mean(alike)), 12),
        float(np.square(a - b).mean()) / span**2,
        0.0 if even else float(np.corrcoef(a.ravel(), b.ravel())[0, 1]),
        len(busy),
    )


def plane_resolutions(volume: np.ndarray) -> SectionResolutions:
    """Measure the lateral resolution of the planes with the most contrast by decorrelation.

    Parameters
    ----------
    volume : ndarray
        (Z, Y, X).
    """
    return _of_sections(volume, None)


def axial_resolutions(volume: np.ndarray) -> SectionResolutions:
    """Measure the resolution along z in xz sections by decorrelation.

    Parameters
    ----------
    volume : ndarray
        (Z, Y, X).

    Notes
    -----
    Of each section only frequencies within 22.5° of the z axis count, in units of the highest that
    the samples hold along each axis.
    """
    return _of_sections(np.moveaxis(volume, 1, 0), ALONG_FIRST_AXIS)


def _of_sections(sections: np.ndarray, sector: tuple[float, float] | None) -> SectionResolutions:
    if min(sections.shape[1:]) < SMALLEST_SIDE:
        return SectionResolutions(
            None, None, None, 0, f"Decorrelation needs at least {SMALLEST_SIDE} samples a side."
        )
    contrast = np.array([float(np.std(one)) for one in sections])
    chosen = np.argsort(-contrast, kind="stable")[:MOST_SECTIONS]
    found = [
        decorrelation_resolution(sections[i], sector=sector).resolution_px
        for i in sorted(chosen)
        if contrast[i] > 0
    ]
    known = [px for px in found if px is not None]
    if not known:
        return SectionResolutions(None, None, None, 0, "No structure stands out of the noise.")
    return SectionResolutions(float(np.median(known)), min(known), max(known), len(known))


def _size(volume: np.ndarray) -> str:
    return " x ".join(map(str, volume.shape))
