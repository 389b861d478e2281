"""Check whether a movie is suitable for SOFI: blinking, light, defects, bleaching and drift."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.blocks import read_all, time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.preprocess.artefact_findings import (
    bleaching_finding,
    defects_finding,
    drift_finding,
    focus_finding,
    grating_finding,
    noise_finding,
    pile_up_finding,
    repeats_finding,
    shared_finding,
    spot_finding,
    vibration_finding,
    z_stack_finding,
)
from napari_sofinet.preprocess.bleaching import mean_trace
from napari_sofinet.preprocess.blinking import Blinking, blinking
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.preprocess.far_covariance import FarCovariance
from napari_sofinet.preprocess.findings import (
    Finding,
    Light,
    blinking_finding,
    convergence_finding,
    frames_finding,
    overall_light,
    saturation_finding,
    signal_to_noise_finding,
    width_finding,
)
from napari_sofinet.preprocess.frame_noise import noise_left, piles_up
from napari_sofinet.preprocess.frame_scan import FrameScan
from napari_sofinet.preprocess.grating import grating_period
from napari_sofinet.preprocess.movie_facts import MovieFacts, movie_facts
from napari_sofinet.preprocess.repair import Repair, RepairSettings
from napari_sofinet.preprocess.repetition import repeats_after
from napari_sofinet.preprocess.shared_changes import SharedChanges, corrected, shared_changes
from napari_sofinet.preprocess.vibration import estimate_vibration
from napari_sofinet.preprocess.z_stack import goes_through_focus
from napari_sofinet.sofi.convergence import SHORTEST, convergence
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import NARROWEST_FWHM_PX, WIDEST_FWHM_PX, estimate_psf_fwhm

__all__ = [
    "Blinking",
    "Examination",
    "Finding",
    "Light",
    "blinking",
    "check",
    "examine",
    "overall_light",
]

FRAMES, SIDE = 400, 192
"""Frames and camera pixels a side of the part that is measured in detail."""
VIBRATION_FRAMES, VIBRATION_SIDE = 250, 128
SERIES = {"structured illumination", "z stack", "repetition"}
"""Findings on stacks in which successive frames differ in any case."""
PIECE = 50
THIRD_MIN = 60
"""Fewest frames of a third of a movie that shows the width of the PSF."""


@dataclass(frozen=True)
class Examination:
    """Result of the check of a movie.

    Parameters
    ----------
    findings : tuple of Finding
        One finding for each property.
    facts : MovieFacts, optional
        Facts that decide which method suits the movie; None if it is too small.
    """

    findings: tuple[Finding, ...]
    facts: MovieFacts | None = None


def check(movie: Movie, order: int = 2, report: Report = silent) -> tuple[Finding, ...]:
    """Check whether a movie is suitable for SOFI.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    order : int, optional
        Order of the cumulant.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    tuple of Finding
        One finding for each property, see `examine`.

    Raises
    ------
    InputError
        The movie cannot be read.
    """
    return examine(movie, order, report).findings


def examine(movie: Movie, order: int = 2, report: Report = silent) -> Examination:
    """Check whether a movie is suitable for SOFI, and measure what decides on other methods.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    order : int, optional
        Order of the cumulant.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Examination
        One finding for each property. Findings after defects and shared changes, and the facts,
        refer to the movie with the corrections that these advise.

    Raises
    ------
    InputError
        The movie cannot be read.
    """
    frames = movie.shape[0]
    if min(movie.shape[1:]) < 4 or frames < 4:
        value = f"{frames} frames of {movie.shape[1]} x {movie.shape[2]} px"
        advice = "At least 4 frames of 4 x 4 px are needed."
        return Examination((Finding("size", value, "bad", advice),))
    seen = _look(movie, portion(report, 0.0, 0.3))
    movie = seen.repair.movie
    shared = _shared(movie)
    report(0.4, "changes that distant pixels share")
    clean = corrected(movie, shared.settings) if shared.settings else movie
    block = read_all(_middle(clean))
    blinks = blinking(block)
    # In pieces, so that bleaching and drift do not widen it.
    pieces = np.array_split(block, max(len(block) // PIECE, 1))
    cumulant = np.mean([cross_cumulants(piece, (2,))[2] for piece in pieces], axis=0)
    report(0.5, "blinking")
    width = width_finding(cumulant, blinks)
    findings = [
        blinking_finding(blinks),
        signal_to_noise_finding(blinks, cumulant),
        width,
        frames_finding(clean.shape[0], order),
        saturation_finding(seen.saturation),
        defects_finding(seen.repair, frames),
        shared_finding(shared),
        bleaching_finding(*mean_trace(movie), shared),
    ]
    blinks_well = findings[0].light != "bad"
    if blinks_well and clean.shape[0] >= 2 * SHORTEST and min(movie.shape[1:]) >= 8:
        settled = convergence(clean, order, portion(report, 0.5, 0.6))
        findings.insert(4, convergence_finding(settled, clean.shape[0]))
    if blinks_well and clean.shape[0] >= 150 and shared.kind != "unknown":
        block_frames = max(clean.shape[0] // 6, 20)
        drift = estimate_drift(clean, block_frames, portion(report, 0.6, 1.0))
        findings.append(drift_finding(drift))
    # Levels of frames do not change their noise.
    own = clean if shared.kind in ("brightness", "readout") else movie
    further = _kinds_of_stack(own, block, cumulant, width, blinks_well)
    if shared.kind != "unknown" and not {f.name for f in further} & SERIES:
        part = clean.part(0, min(clean.shape[0], VIBRATION_FRAMES))
        shakes = vibration_finding(estimate_vibration(part, side_px=VIBRATION_SIDE))
        further += [shakes] if shakes else []
    cut_off = pile_up_finding(0.0 if seen.saturation.note else piles_up(read_all(_middle(movie))))
    found = (*findings, *further, *([cut_off] if cut_off else []))
    return Examination(found, _with_findings(movie_facts(block, clean.shape[0], blinks), found))


def _with_findings(facts: MovieFacts, findings: tuple[Finding, ...]) -> MovieFacts:
    """Add the drift and the corrections that findings advise."""
    advised = [f for f in findings if f.settings]
    moved = next((f.number for f in advised if f.name == "drift"), None)
    corrections = {name: value for f in advised for name, value in f.settings.items()}
    return replace(facts, moved_px=moved or 0.0, corrections=corrections)


def _kinds_of_stack(
    movie: Movie, block: np.ndarray, cumulant: np.ndarray, width: Finding, blinks_well: bool
) -> list[Finding]:
    """Find signs that a stack is not a plain movie of a blinking sample."""
    middle = _middle(movie)
    raw = read_all(middle)
    kind = grating_finding(grating_period(raw)) or z_stack_finding(goes_through_focus(raw))
    spot = spot_finding(cumulant, middle.origin_px)
    if kind or spot:
        return [finding for finding in (kind, spot) if finding]
    found = [
        noise_finding(noise_left(raw), width.number),
        repeats_finding(repeats_after(block)),
        _focus(block) if blinks_well and width.number else None,
    ]
    return [finding for finding in found if finding]


@dataclass(frozen=True, eq=False)
class _Look:
    """Everything that one pass over a movie shows."""

    repair: Repair
    saturation: Saturation


def _look(movie: Movie, report: Report) -> _Look:
    saturation, scan, done = Saturation(), FrameScan(movie), 0
    for block in time_blocks(movie, saturation):
        saturation.add(block)
        scan.see(block, movie.first_frame + done)
        done += len(block)
        report(done / movie.shape[0], "scan all frames")
    repair = Repair(movie, RepairSettings())
    if not scan.complete or repair.take(scan.result()):
        repair.finish()
    return _Look(repair, saturation)


def _shared(movie: Movie) -> SharedChanges:
    frames, rows, columns = movie.shape
    if min(rows, columns) < 16 or frames < 10:
        return SharedChanges(FarCovariance(0.0, 0.0, 0.0, 0.0))
    return shared_changes(movie)


def _focus(frames: np.ndarray) -> Finding | None:
    """Compare the PSF's width in the first and the last third of some frames."""
    third = len(frames) // 3
    if third < THIRD_MIN:
        return None
    widths = []
    for part in (frames[:third], frames[-third:]):
        fwhm = estimate_psf_fwhm(cross_cumulants(part, (2,))[2], 2)
        if not NARROWEST_FWHM_PX < fwhm < WIDEST_FWHM_PX:
            return None
        widths.append(float(fwhm))
    return focus_finding(*widths)


def _middle(movie: Movie) -> Movie:
    """Select the middle of the field and of the movie, at most `FRAMES` frames."""
    frames = movie.shape[0]
    first = max((frames - FRAMES) // 2, 0)
    return movie.middle_of_field(SIDE).part(first, min(first + FRAMES, frames))
