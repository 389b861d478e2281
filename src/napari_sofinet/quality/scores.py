"""Resolution of a picture, and its agreement with a reference or the truth."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.agreement import false_filament_length, mask_scores, pearson
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import Criterion, frc_resolution
from napari_sofinet.metrics.similarity import fitted, likeness
from napari_sofinet.metrics.squirrel import Squirrel, squirrel
from napari_sofinet.quality.grid import on_one_grid, relative_grid
from napari_sofinet.quality.picture import Picture

ResolutionMetric = Literal["decorrelation", "frc"]
AgreementMetric = Literal["squirrel", "pearson", "ssim", "mask", "filaments", "frc"]
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
    """Resolution with its reason where there is none; keys as `sofinet measure` prints them.

    ``sector``: directions (from, to) in degrees for decorrelation; ``criterion``: threshold of FRC.
    """
    facts: dict[str, Any] = {"image": picture.name, "metric": metric}
    if metric == "decorrelation":
        found = decorrelation_resolution(picture.image, sector=sector)
        facts |= {"kc": found.kc, "snr": found.snr}
        resolution, reason = found.resolution_px, found.reason
    else:
        first, second = picture.halves or (picture.image, None)
        rings = frc_resolution(first, second, criterion=criterion)
        facts["compared"] = "odd and even frames" if second is not None else "halves of the pixels"
        resolution, reason = rings.resolution_px, rings.reason
    facts["resolution_px"] = resolution
    facts["resolution_nm"] = _in_nm(resolution, picture)
    if reason:
        facts["reason"] = reason
    return facts


def compare(
    picture: Picture,
    reference: Picture,
    metrics: tuple[AgreementMetric, ...] = AGREEMENT_METRICS,
    tolerance_px: float = 0.0,
) -> dict[str, Any]:
    """Agreement of a picture with a reference; keys as `sofinet measure compare` prints them.

    SQUIRREL is fitted on the reference's grid; for the others a reference on another grid is
    brought to the picture's, linear in between. ``ssim`` takes both as they are, ``ssim_fitted``
    after scale and offset were fitted. ``tolerance_px`` (samples of the picture) is how far
    masks may lie apart; lines farther than that, and 2 samples, from the reference's are false.

    Raises
    ------
    InputError
        The grids do not belong together, or an image is constant.
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
                raise InputError(f"{name} is the same everywhere; nothing can be compared.")
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
            if rings.reason:
                facts["frc_reason"] = rings.reason
    return facts


def _in_nm(px: float | None, picture: Picture) -> float | None:
    return None if px is None or picture.pixel_um is None else 1000 * picture.pixel_um * px


def compare_squirrel(picture: Picture, reference: Picture) -> Squirrel:
    """SQUIRREL of two pictures, each on its own grid."""
    pixel, origin = relative_grid(picture, reference)
    return squirrel(picture.image, reference.image, pixel_px=pixel, origin_px=origin)
