"""Sub-sequences of a movie within which it neither drifts nor bleaches, on one field of pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.covariance.common_changes import CellLight, common_courses
from napari_sofinet.covariance.common_movement import CommonMovement
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.covariance_settings import CovarianceSettings
from napari_sofinet.preprocess.corrections import (
    drift_details,
    drift_notes,
    measure_bleaching,
)
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.sofi.segments import SHORTEST, plan_segments

SHIFT_STEP_PX = 0.25
SMALLEST_FIELD = 8


@dataclass(frozen=True, eq=False)
class CommonChanges:
    """Changes that the whole field has in common.

    Parameters
    ----------
    courses : ndarray
        (T, K) orthonormal courses in time.
    amounts : ndarray
        (K, Y, X) float32 amount of each course in every pixel.
    """

    courses: np.ndarray
    amounts: np.ndarray

    def of_frames(self, first: int, last: int) -> np.ndarray:
        """Return the changes (t, Y, X) of frames from the first to the last (exclusive)."""
        courses = self.courses[first:last].astype(np.float32)
        return np.tensordot(courses, self.amounts, 1)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sub-sequences of a movie.

    Parameters
    ----------
    movie : Movie
        The movie.
    edges : list of tuple of int
        First and last frame (exclusive) of each sub-sequence.
    moved_px : ndarray
        (S, 2) int: whole pixels by which the sample has moved in each.
    rest_px : ndarray
        (S, 2) movement beyond whole pixels, in quarters of a pixel.
    details : dict of str to float
        Measured values for the recipe.
    notes : tuple of str
        Sentences for the user.
    common : CommonChanges or None
        Changes that are taken off the frames.
    """

    movie: Movie
    edges: list[tuple[int, int]]
    moved_px: np.ndarray
    rest_px: np.ndarray
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    common: CommonChanges | None = None

    @property
    def first_px(self) -> tuple[int, int]:
        """Row and column of the movie at which the field begins that all sub-sequences show."""
        low = np.maximum(-self.moved_px.min(axis=0), 0)
        return int(low[0]), int(low[1])

    @property
    def field(self) -> tuple[int, int]:
        """Rows and columns of the field that all sub-sequences show."""
        high = np.maximum(self.moved_px.max(axis=0), 0)
        rows, columns = np.array(self.movie.shape[1:]) - high - self.first_px
        return int(rows), int(columns)

    @property
    def frames(self) -> int:
        """Number of frames of all sub-sequences."""
        return sum(b - a for a, b in self.edges)

    @property
    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Different remainders (S, 2) of the movement, and the fraction of frames of each."""
        lengths = np.array([b - a for a, b in self.edges], float)
        rest, index = np.unique(self.rest_px, axis=0, return_inverse=True)
        return rest, np.bincount(index.reshape(-1), lengths) / lengths.sum()

    def within(self, first: int, last: int) -> Sequences:
        """Return what lies within a range of frames, on the same field; the rest is left empty.

        Parameters
        ----------
        first, last : int
            First frame, and the one after the last.
        """
        edges = [(max(a, first), min(b, last)) for a, b in self.edges]
        return replace(self, edges=[(a, b) if b - a > 1 else (a, a) for a, b in edges])

    def blocks(
        self, movie: Movie | None = None, saturation: Saturation | None = None
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the sub-sequence's number, the frames before the block, and blocks (t, Y, X).

        Parameters
        ----------
        movie : Movie, optional
            Another correction of the same movie, which keeps common changes.
        saturation : Saturation, optional
            Receives the counts of the camera.
        """
        common = self.common if movie is None else None
        movie = self.movie if movie is None else movie
        (y, x), (rows, columns) = self.first_px, self.field
        start = movie.first_frame
        for number, (a, b) in enumerate(self.edges):
            if a >= b:
                continue
            dy, dx = self.moved_px[number]
            before = a
            for block in time_blocks(movie.select(frames=(start + a, start + b)), saturation):
                if saturation is not None and not movie.steps:
                    saturation.add(block)
                part = block[:, y + dy : y + dy + rows, x + dx : x + dx + columns]
                if common is not None:
                    part = part - common.of_frames(before, before + len(block))
                yield number, before, part
                before += len(block)


def plan_sequences(movie: Movie, settings: CovarianceSettings, report: Report) -> Sequences:
    """Cut a movie where it has drifted or bleached.

    Frames are moved by whole pixels only, as interpolation would correlate their noise; the model
    of the light takes the remainder into account.

    Raises
    ------
    InputError
        The drift cannot be measured, or leaves nothing of the field.
    """
    frames = movie.shape[0]
    longest, path = None, None
    details: dict[str, float] = {}
    notes: list[str] = []
    if settings.bleaching.correct:
        bleaching = measure_bleaching(movie, portion(report, 0.0, 0.4))
        details |= bleaching.details
        notes += () if settings.brightness.correct else bleaching.notes
        if bleaching.steady_frames is not None:
            longest = max(bleaching.steady_frames, SHORTEST)
    if settings.drift.correct:
        drift = estimate_drift(movie, settings.drift.block, portion(report, 0.4, 1.0))
        details |= drift_details(drift)
        notes += drift_notes(drift)
        path = drift.path_px if drift.farthest_px else None
    edges = plan_segments(frames, longest, path)
    if len(edges) > 1:
        details["sub_sequences"] = len(edges)
    position = np.zeros((len(edges), 2))
    if path is not None:
        position = np.array([path[a:b].mean(axis=0) for a, b in edges])
    moved = np.round(position).astype(int)
    rest = np.round((position - moved) / SHIFT_STEP_PX) * SHIFT_STEP_PX
    found = Sequences(movie, edges, moved, rest, details, tuple(notes))
    if min(found.field) < SMALLEST_FIELD:
        raise InputError(
            f"{movie.name} drifts so far that less than {SMALLEST_FIELD} px of its field are seen "
            "all the time; select fewer frames."
        )
    return found


def without_common_changes(sequences: Sequences, check: Callable[[], None]) -> Sequences:
    """Return sub-sequences without the changes that the whole field has in common.

    A lamp that flickers, light that fades and a stage that trembles are no blinking, but correlate
    distant pixels, which the likelihood can only explain by emitters where there are none.

    Parameters
    ----------
    sequences : Sequences
        The movie.
    check : callable
        Called between blocks; may raise to stop.
    """
    light, total = CellLight(sequences.field), np.zeros(sequences.field)
    for _, _, block in sequences.blocks():
        light.add(block)
        total += block.sum(axis=0, dtype=np.float64)
        check()
    courses = common_courses(light.value())
    movement = CommonMovement(total / sequences.frames)
    for _, _, block in sequences.blocks():
        movement.add(block)
        check()
    path = movement.value()
    moves = path[:, path.any(axis=0)]
    count = courses.shape[1]
    courses, _ = np.linalg.qr(np.column_stack([courses, moves]))
    if not courses.shape[1]:
        return sequences
    amounts = np.zeros((courses.shape[1], *sequences.field))
    for _, before, block in sequences.blocks():
        amounts += np.tensordot(courses[before : before + len(block)].T, block, 1)
        check()
    common = CommonChanges(courses, amounts.astype(np.float32))
    details, notes = dict(sequences.details), list(sequences.notes)
    if count:
        details["common_changes"] = count
        notes.append("The whole field changes its brightness, which was taken off as no blinking.")
    if moves.shape[1]:
        rms = float(np.sqrt(np.square(path).sum(axis=1).mean()))
        details["common_movement_px"] = rms
        notes.append(
            f"The whole field moves by {rms:.2g} camera px (rms), which was taken off as no "
            "blinking."
        )
    return replace(sequences, common=common, details=details, notes=tuple(notes))
