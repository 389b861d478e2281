"""Check of a movie from what is seen while a method reads it."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import read_all
from napari_sofinet.preprocess.artefact_findings import bleaching_finding, noise_finding
from napari_sofinet.preprocess.blinking import blinking
from napari_sofinet.preprocess.far_covariance import far_covariance
from napari_sofinet.preprocess.findings import (
    Finding,
    blinking_finding,
    signal_to_noise_finding,
    width_finding,
)
from napari_sofinet.preprocess.frame_noise import noise_left
from napari_sofinet.preprocess.frame_scan import ScannedMovie
from napari_sofinet.preprocess.shared_changes import SharedChanges, corrected, is_shared
from napari_sofinet.sofi.cumulants import cross_cumulants

SIDE_MIN_PX, FRAMES_MIN = 16, 10
"""Smallest movie that is checked."""
FAR_FRAMES, NOISE_FRAMES, PIECE = 60, 40, 40


def brief_check(scan: ScannedMovie, settings: dict[str, Any]) -> tuple[Finding, ...]:
    """Check a movie of blinking emitters that has been read, without reading it again.

    Parameters
    ----------
    scan : ScannedMovie
        Statistics of all frames, and some frames.
    settings : dict of str to Any
        Settings of the method by dotted name; corrections among them are applied to the sample.

    Returns
    -------
    tuple of Finding
        Findings that are fair or bad, the worst first. Empty if the movie is good, or too small.
    """
    sample = scan.sample
    frames, rows, columns = sample.shape
    if min(rows, columns) < SIDE_MIN_PX or frames < FRAMES_MIN:
        return ()
    raw = read_all(sample)
    try:
        block = read_all(corrected(sample, settings))
    except InputError:
        block = raw  # a correction that cannot be determined has failed in the method, too
    blinks = blinking(block)
    pieces = np.array_split(block, max(len(block) // PIECE, 1))
    cumulant = np.mean([cross_cumulants(piece, (2,))[2] for piece in pieces], axis=0)
    found: list[Finding | None] = [blinking_finding(blinks)]
    if blinks.contrast > 3 * blinks.error:
        found.append(signal_to_noise_finding(blinks, cumulant))
    far = far_covariance(block[:: max(len(block) // FAR_FRAMES, 1)])
    if is_shared(far):
        found.append(_shared_finding(far.total))
    elif blinks.contrast > 3 * blinks.error:
        width = width_finding(cumulant, blinks)
        found.append(noise_finding(noise_left(raw[:NOISE_FRAMES]), width.number))
    if not is_shared(far) and not settings.get("brightness.correct"):
        floor = float(np.percentile(scan.mean, 1))
        found.append(bleaching_finding(scan.trace, floor, SharedChanges(far)))
    doubtful = [finding for finding in found if finding is not None and finding.light != "good"]
    return tuple(sorted(doubtful, key=lambda finding: finding.light != "bad"))


def _shared_finding(total: float) -> Finding:
    advice = (
        "Distant pixels change together, as with flicker, moving haze or readout noise, and the "
        "picture may show this as structure. Check the movie: the check names a correction."
    )
    value = f"{100 * total:.0f} % of the covariance of neighbours"
    return Finding("shared changes", value, "fair", advice, total)
