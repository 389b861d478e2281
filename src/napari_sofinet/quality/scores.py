"""Resolution of a picture, and its agreement with a reference or with the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.agreement import false_filament_length, mask_scores, pearson
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import Criterion, frc_resolution
from napari_sofinet.metrics.similarity import fitted, likeness
from napari_sofinet.metrics.squirrel import Squirrel, squirrel
from napari_sofinet.quality.cautions import (
    CORRELATED_NOISE,
    SHARED_NOISE,
    limit_caution,
    reference_caution,
    resolution_cautions,
)
from napari_sofinet.quality.grid import on_one_grid, relative_grid
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.placement import repeats, without_repeats

ResolutionMetric = Literal["decorrelation", "frc"]
AgreementMetric = Literal["squirrel", "pearson", "ssim", "mask", "filaments", "frc"]
WIDE_FIELD_METRICS: tuple[AgreementMetric, ...] = ("squirrel", "pearson")
"""Metrics for which a conventional picture is a reference; the others need the truth."""
RESOLUTION_METRICS: tuple[ResolutionMetric, ...] = ("decorrelation", "frc")
AGREEMENT_METRICS: tuple[AgreementMetric, ...] = (
    "squirrel",
    "pearson",
    "ssim",
    "mask",
    "filaments",
    "frc",
)


def measure_resolution(
    picture: Picture,
    metric: ResolutionMetric = "decorrelation",
    sector: tuple[float, float] | None = None,
    criterion: Criterion = "1/7",
) -> dict[str, Any]:
    """Measure the resolution of a picture.

    Parameters
    ----------
    picture : Picture
        Picture of at least the size that the metric needs.
    metric : {"decorrelation", "frc"}, optional
        Decorrelation analysis, or Fourier ring correlation of the means of odd and even frames. For
        other pictures than means of movies, FRC compares halves of the pixels.
    sector : tuple of float, optional
        First and last direction in degrees for decorrelation; by default all directions.
    criterion : str, optional
        Threshold of FRC.

    Returns
    -------
    dict
        Values as `sofinet measure` prints them. ``resolution_px`` (samples) and ``resolution_nm``
        are None if there is no resolution; ``reason`` then gives the reason. ``notes`` are
        sentences about an enlarged picture, or a resolution at the limit of the samples.
    """
    facts: dict[str, Any] = {"image": picture.name, "metric": metric}
    times = repeats(picture.image)
    if max(times) > 1:
        picture = without_repeats(picture, times)
    if metric == "decorrelation":
        found = decorrelation_resolution(picture.image, sector=sector)
        facts |= {"kc": found.kc / times[1], "snr": found.snr}
        resolution, reason = found.resolution_px, found.reason
    else:
        first, second = picture.halves or (picture.image, None)
        rings = frc_resolution(first, second, criterion=criterion)
        facts["compared"] = "odd and even frames" if second is not None else "halves of the pixels"
        resolution, reason = rings.resolution_px, rings.reason
    if resolution is not None and abs(times[0] - times[1]) > 0.05 * times[1]:
        resolution, reason = None, "The picture was enlarged differently along y and x."
    facts["resolution_px"] = None if resolution is None else times[1] * resolution
    facts["resolution_nm"] = _in_nm(resolution, picture)
    if reason:
        facts["reason"] = reason
    notes = resolution_cautions(times, resolution, metric)
    if metric == "frc" and picture.halves is None and picture.made_by is not None:
        notes.append(CORRELATED_NOISE)
    return facts | {"notes": notes} if notes else facts


def compare(
    picture: Picture,
    reference: Picture,
    metrics: tuple[AgreementMetric, ...] = AGREEMENT_METRICS,
    tolerance_px: float = 0.0,
) -> dict[str, Any]:
    """Measure the agreement of a picture with a reference.

    SQUIRREL is fitted on the grid of the reference. For all other metrics a reference on another
    grid is interpolated linearly on the grid of the picture.

    Parameters
    ----------
    picture : Picture
        Picture to assess.
    reference : Picture
        Wide-field picture of the same sample, or the truth.
    metrics : tuple of str, optional
        Metrics to compute, by default all of `AGREEMENT_METRICS`.
    tolerance_px : float, optional
        Distance in samples of the picture up to which masks agree. Lines are false if they are
        farther from those of the reference than this and 2 samples.

    Returns
    -------
    dict
        Values as `sofinet measure compare` prints them. ``ssim`` compares the images as they are,
        ``ssim_fitted`` after scale and offset were fitted.

    Raises
    ------
    InputError
        If the grids do not belong together, or if an image is constant.
    """
    facts: dict[str, Any] = {"image": picture.name, "reference": reference.name}
    pixel, origin = relative_grid(picture, reference)
    if "squirrel" in metrics:
        found = compare_squirrel(picture, reference)
        facts |= {"rsp": found.rsp, "rse": found.rse, "sigma_px": found.sigma_px}
        if found.warning:
            facts["warning"] = found.warning
    if set(metrics) - {"squirrel"}:
        image, other = picture.image, reference.image
        if pixel is not None or image.shape != other.shape:
            image, other = on_one_grid(picture, reference, pixel, origin)
        for name, array in ((picture.name, image), (reference.name, other)):
            if not np.ptp(array) > 0:
                raise InputError(f"{name} is constant, so it cannot be compared.")
        if "pearson" in metrics:
            facts["pearson"] = pearson(image, other)
        if "ssim" in metrics:
            facts["ssim"] = likeness(image, other).ssim
            facts["ssim_fitted"] = likeness(fitted(image, other), other).ssim
        if "mask" in metrics:
            scores = mask_scores(image, other, tolerance_px)._asdict()
            facts |= {k: None if np.isnan(v) else v for k, v in scores.items()}
        if "filaments" in metrics:
            lines = false_filament_length(image, other, max(tolerance_px, 2.0))
            facts["false_filament_share"] = None if np.isnan(lines.share) else lines.share
        if "frc" in metrics:
            rings = frc_resolution(image, other)
            facts |= {"frc_px": rings.resolution_px, "frc_nm": _in_nm(rings.resolution_px, picture)}
            noise = SHARED_NOISE if picture.shares_noise(reference) else None
            note = rings.reason or noise or limit_caution(rings.resolution_px)
            if note:
                facts["frc_reason"] = note
    return facts


def _in_nm(px: float | None, picture: Picture) -> float | None:
    return None if px is None or picture.pixel_um is None else 1000 * picture.pixel_um * px


def compare_squirrel(picture: Picture, reference: Picture) -> Squirrel:
    """Compare two pictures by SQUIRREL, each on its own grid.

    Parameters
    ----------
    picture : Picture
        Super-resolved picture, which is blurred and scaled to the reference.
    reference : Picture
        Wide-field picture of the same sample.

    Returns
    -------
    Squirrel
        Scores and the error map on the grid of the reference.

    Raises
    ------
    InputError
        If the pictures cannot be compared.
    """
    pixel, origin = relative_grid(picture, reference)
    found = squirrel(picture.image, reference.image, pixel_px=pixel, origin_px=origin)
    caution = reference_caution(picture, reference)
    if caution is None:
        return found
    inverted = f"{found.warning} " if found.warning and found.alpha <= 0 else ""
    return replace(found, warning=inverted + caution)


def squirrel_sentence(found: Squirrel) -> str:
    """Return the scores of SQUIRREL as a sentence.

    Parameters
    ----------
    found : Squirrel
        Result of `compare_squirrel`.

    Returns
    -------
    str
        RSP and RSE, followed by the warning if there is one.
    """
    note = f" {found.warning}" if found.warning else ""
    return f"RSP {found.rsp:.3f}, RSE {found.rse:.4g} in units of the reference.{note}"
