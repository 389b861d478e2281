"""Removal of defects from a movie before a method runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.defects import Defects, bad_pixels, empty_frames, find_spikes
from napari_sofinet.preprocess.frame_scan import FrameScan, ScannedMovie, scan_movie

Outcome = TypeVar("Outcome")

ROUNDS = 6
"""Largest number of scans; each scan finds one of several spikes in a pixel."""
NAMED = 5
"""Frames or pixels that a note names."""


class RepairSettings(Settings):
    """Defects that are left out or replaced by default."""

    frames: bool = parameter(
        True,
        "Leave out frames that are empty, incomplete or dark as a whole.",
        label="Leave out bad frames",
    )
    spikes: bool = parameter(
        True,
        "Replace cosmic rays and other spikes that are sharper than any PSF by the mean of the "
        "frames before and after.",
        label="Remove spikes",
    )
    pixels: bool = parameter(
        True,
        "Replace dead, hot and flickering pixels by the mean of their neighbours.",
        label="Repair bad pixels",
    )

    @property
    def any(self) -> bool:
        """Whether anything is repaired."""
        return self.frames or self.spikes or self.pixels


@dataclass(frozen=True, eq=False)
class ReplaceSpikes:
    """Replace values of single pixels in single frames.

    Parameters
    ----------
    places : numpy.ndarray
        Frame, row and column of each, of shape (n, 3), in order of the frames.
    values : numpy.ndarray
        New values, of shape (n,).
    """

    places: np.ndarray
    values: np.ndarray

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        begin, end = np.searchsorted(self.places[:, 0], [first, first + len(frames)])
        if begin == end:
            return frames
        frames = frames.copy()
        t, y, x = self.places[begin:end].T
        frames[t - first, y, x] = self.values[begin:end]
        return frames


@dataclass(frozen=True, eq=False)
class ReplacePixels:
    """Replace bad pixels by the mean of their good neighbours in each frame.

    Parameters
    ----------
    pixels : numpy.ndarray
        Row and column of each, of shape (n, 2).
    shape : (int, int)
        Rows and columns of a frame.
    """

    pixels: np.ndarray
    shape: tuple[int, int]

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        bad = np.zeros(self.shape, bool)
        bad[tuple(self.pixels.T)] = True
        frames = frames.copy()
        left, reach = self.pixels, 1
        while len(left) and reach < max(self.shape):
            steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
            y, x = (left[:, axis, None] + steps[axis] for axis in (0, 1))
            inside = (y >= 0) & (y < self.shape[0]) & (x >= 0) & (x < self.shape[1])
            y, x = np.clip(y, 0, self.shape[0] - 1), np.clip(x, 0, self.shape[1] - 1)
            good = (inside & ~bad[y, x]).astype(np.float32)
            number = good.sum(axis=1)
            some = number > 0
            sums = (frames[:, y[some], x[some]] * good[some]).sum(axis=2)
            frames[:, left[some, 0], left[some, 1]] = sums / number[some]
            left, reach = left[~some], reach + 1
        return frames


def find_defects(scan: ScannedMovie, movie: Movie, settings: RepairSettings) -> Defects:
    """Return the defects of a movie whose statistics are known.

    Empty frames are found first, then bad pixels, then spikes, since each hides the next.
    """
    start = movie.first_frame
    top, left = (int(v) for v in movie.origin_px)
    if settings.frames and len(frames := empty_frames(scan, movie)):
        return Defects(frames=start + frames)
    if settings.pixels and len(pixels := bad_pixels(scan, movie.shape[0])):
        return Defects(pixels=pixels + np.array([top, left]))
    if not settings.spikes:
        return Defects()
    places, values = find_spikes(scan, movie)
    order = np.argsort(places[:, 0], kind="stable")
    return Defects(spikes=places[order] + np.array([start, top, left]), values=values[order])


class Repair:
    """Gathers the repairs of a movie, scan by scan.

    Parameters
    ----------
    movie : Movie
        The movie as it was opened.
    settings : RepairSettings
        Kinds of defects to repair.

    Attributes
    ----------
    movie : Movie
        The movie with the repairs so far.
    scan : ScannedMovie or None
        The last scan of it.
    """

    def __init__(self, movie: Movie, settings: RepairSettings) -> None:
        self.movie = movie
        self._settings = settings
        self._frames: list[int] = []
        self._spikes: list[np.ndarray] = []
        self._pixels: list[np.ndarray] = []
        self._repeated = 0
        self.scan: ScannedMovie | None = None

    def take(self, scan: ScannedMovie) -> bool:
        """Repair the defects found in a scan of `movie`; return whether there were any."""
        self.scan, movie = scan, self.movie
        found = find_defects(scan, movie, self._settings)
        if not len(found.frames) and not self._repeated:
            self._repeated = len(scan.repeated)
        if len(found.frames):
            numbers = movie.file_frames(found.frames)
            self._frames += numbers.tolist()
            self.movie = movie.leave_out([(n, n + 1) for n in numbers.tolist()])
        if len(found.spikes):
            named = found.spikes.copy()
            named[:, 0] = movie.file_frames(named[:, 0])
            self._spikes.append(named)
            self.movie = self.movie.corrected(ReplaceSpikes(found.spikes, found.values))
        if len(found.pixels):
            self._pixels.append(found.pixels)
            _, rows, columns = movie.whole_shape
            self.movie = self.movie.corrected(ReplacePixels(found.pixels, (rows, columns)))
        return bool(found)

    def finish(self, report: Report = silent) -> None:
        """Scan `movie` and repair it until nothing more is found.

        Raises
        ------
        InputError
            The movie cannot be read.
        """
        for number in range(ROUNDS):
            tell = portion(report, number / ROUNDS, (number + 1) / ROUNDS)
            if not self.take(scan_movie(self.movie, tell)):
                break

    @property
    def repeated(self) -> int:
        """Number of frames that equal the frame before."""
        return self._repeated

    @property
    def details(self) -> dict[str, float]:
        """Numbers of frames and pixels that were left out or replaced, for the recipe."""
        numbers = {
            "left_out_frames": len(self._frames),
            "replaced_spikes": sum(len(places) for places in self._spikes),
            "replaced_pixels": sum(len(pixels) for pixels in self._pixels),
        }
        return {name: float(number) for name, number in numbers.items() if number}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        notes = []
        if self._frames:
            numbers = ", ".join(str(n) for n in sorted(self._frames)[:NAMED])
            more = ", ..." if len(self._frames) > NAMED else ""
            notes.append(
                f"{_count(len(self._frames), 'frame')} without content or light ({numbers}{more}) "
                f"{'was' if len(self._frames) == 1 else 'were'} left out."
            )
        if self._spikes:
            places = np.concatenate(self._spikes)
            frame, y, x = places[np.argsort(places[:, 0], kind="stable")[0]]
            frames = len(np.unique(places[:, 0]))
            notes.append(
                f"Cosmic rays or other spikes, {_count(len(places), 'pixel')} in "
                f"{_count(frames, 'frame')} (the first in frame {frame} at y {y}, x {x}), were "
                "replaced by the frames before and after."
            )
        if self._pixels:
            pixels = np.concatenate(self._pixels)
            named = ", ".join(f"y {y}, x {x}" for y, x in pixels[:NAMED])
            more = ", ..." if len(pixels) > NAMED else ""
            notes.append(
                f"{_count(len(pixels), 'bad pixel')} ({named}{more}) "
                f"{'was' if len(pixels) == 1 else 'were'} replaced by the mean of the neighbours."
            )
        if self._repeated > 1:
            notes.append(
                f"{self._repeated} frames equal the frame before: the movie was saved with more "
                "frames than the camera recorded."
            )
        return tuple(notes)


class DefectsFound(BaseException):
    """A movie that is being read has to be repaired first.

    Not an `Exception`: nobody on the way may take it for a failure of a file.
    """


class RepairWatch(FrameScan, Generic[Outcome]):
    """Scans the frames of a movie while a method reads them, and stops the method at defects.

    Defects are looked for in a thread of its own once all frames have been seen, while the method
    goes on with its picture.

    Parameters
    ----------
    movie : Movie
        The movie as the method reads it.
    repair : Repair
        Takes the statistics once all frames have been seen.
    check : callable
        Called after that in the same thread, if there are no defects.

    Raises
    ------
    DefectsFound
        Raised by `settle`, and by `see` when the movie is read a second time, if there is something
        to repair.
    """

    def __init__(self, movie: Movie, repair: Repair, check: Callable[[], Outcome]) -> None:
        super().__init__(movie)
        self._repair, self._check = repair, check
        self._found: Future[Outcome | None] | None = None

    def see(self, frames: np.ndarray, first: int) -> None:
        """Look at the next frames; see `FrameScan`."""
        self.settle()
        super().see(frames, first)

    def add_frames(self, frames: np.ndarray, sums: np.ndarray) -> None:
        """Add frames whose rows have been added; see `FrameScan`."""
        super().add_frames(frames, sums)
        if self.complete:
            searcher = ThreadPoolExecutor(1)
            self._found = searcher.submit(self._search)
            searcher.shutdown(wait=False)

    def _search(self) -> Outcome | None:
        return None if self._repair.take(self.result()) else self._check()

    @property
    def outcome(self) -> Outcome:
        """Result of `check`, available after `settle` has returned True."""
        found = None if self._found is None else self._found.result()
        if found is None:
            raise ValueError("not all frames have been seen, or they have defects")
        return found

    def settle(self) -> bool:
        """Wait for the defects if all frames have been seen; return whether they have.

        Raises
        ------
        DefectsFound
            There is something to repair.
        """
        if self._found is not None and self._found.result() is None:
            raise DefectsFound
        return self._found is not None


def repair_movie(movie: Movie, settings: RepairSettings, report: Report = silent) -> Repair:
    """Scan every frame of a movie and repair it, until nothing more is found.

    Parameters
    ----------
    movie : Movie
        The movie, not yet corrected.
    settings : RepairSettings
        Kinds of defects to repair.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Repair
        Object with the repaired ``movie``, ``notes`` and ``details``.

    Raises
    ------
    InputError
        The movie cannot be read.
    """
    repair = Repair(movie, settings)
    repair.finish(report)
    return repair


def describe_repair(details: dict[str, float]) -> str:
    """Return sentences for a methods section, empty where nothing was repaired."""
    text = ""
    if frames := round(details.get("left_out_frames", 0)):
        text += f"{_count(frames, 'frame')} without content or light {_was(frames)} left out. "
    if spikes := round(details.get("replaced_spikes", 0)):
        text += (
            f"{_count(spikes, 'value')} of single pixels in single frames (cosmic rays) "
            f"{_was(spikes)} replaced by the mean of the frames before and after. "
        )
    if pixels := round(details.get("replaced_pixels", 0)):
        text += (
            f"{_count(pixels, 'defective pixel')} {_was(pixels)} replaced by the mean of the "
            "neighbours. "
        )
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
