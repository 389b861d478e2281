"""Progress of long-running work, and its cancellation."""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Protocol

TOLD_FROM, TOLD_AFTER_S = 0.02, 1.0
"""Fraction of the work, and its time in s, from which on the time left is shown."""
FIRST_TENTH = 0.1
STAGE_SHARE = 0.1
"""Fraction of the time so far that a stage must have taken before its progress is believed."""


class Report(Protocol):
    """Called by long-running work to report its progress.

    An implementation raises `Cancelled` to stop the work that calls it.
    """

    def __call__(self, fraction: float, message: str = "", preview: Any = None) -> None:
        """Report progress.

        Parameters
        ----------
        fraction : float
            Fraction of the work that is done, from 0 to 1.
        message : str, optional
            Name of the current step.
        preview : Reconstruction, optional
            Intermediate result.
        """


def silent(fraction: float, message: str = "", preview: Any = None) -> None:
    """Ignore progress reports."""


def portion(report: Report, start: float, end: float, label: str = "") -> Report:
    """Return a report for one step of a longer task.

    Parameters
    ----------
    report : Report
        Receives the progress of the whole task.
    start, end : float
        Fractions of the whole task at which the step starts and ends.
    label : str, optional
        Text put before the messages of the step.

    Examples
    --------
    >>> def show(fraction, message, preview):
    ...     print(fraction, message)
    >>> step = portion(show, 0.5, 1.0, "fit: ")
    >>> step(0.5, "frame 10")
    0.75 fit: frame 10
    """

    def step(fraction: float, message: str = "", preview: Any = None) -> None:
        # Exact at both ends, so that steps that follow each other never go back.
        report(start * (1 - fraction) + end * fraction, label + message, preview)

    return step


class Repeatable:
    """Report whose last progress can be given again, so that work can be stopped between steps.

    Parameters
    ----------
    report : Report
        Receives the progress.

    Examples
    --------
    >>> def show(fraction, message, preview):
    ...     print(fraction, message)
    >>> tell = Repeatable(show)
    >>> tell(0.5, "frame 10")
    0.5 frame 10
    >>> tell.again()
    0.5 frame 10
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = 0.0, ""

    def __call__(self, fraction: float, message: str = "", preview: Any = None) -> None:
        """Report progress, see `Report`."""
        self._last = fraction, message
        self._report(fraction, message, preview)

    def again(self) -> None:
        """Report the last progress again."""
        self._report(*self._last, None)


class TimeLeft:
    """Estimate of the time that work will still take, from the later half of its progress so far.

    What is imported and opened before the first report does not count, and what was slow at the
    beginning, as the compilation of a function, counts no longer after a while. Progress of a
    stage tells nothing about the next one, so none is shown until that has lasted a tenth of the
    time.

    Examples
    --------
    >>> left = TimeLeft()
    >>> for fraction, time_s in (0.0, 2.0), (0.25, 4.0):
    ...     print(left.after(fraction, time_s))
    None
    6.0
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._seen: deque[tuple[float, float]] = deque()
        self._stage, self._stage_began = "", 0.0

    def after(self, fraction: float, now: float, message: str = "") -> float | None:
        """Return the time left in s; None as long as it cannot be estimated.

        Parameters
        ----------
        fraction : float
            Fraction of the work that is done, from 0 to 1.
        now : float
            Time of this report in s, from any start.
        message : str, optional
            Name of the current step; apart from its numbers, that of the stage.
        """
        if self._began is None:
            self._began = now
        stage = re.sub(r"\d+", "", message)
        if stage != self._stage or not self._seen:
            self._stage, self._stage_began = stage, now
            self._seen.clear()
        self._seen.append((now, fraction))
        while len(self._seen) > 2 and self._seen[1][0] <= (self._began + now) / 2:
            self._seen.popleft()
        began, first = self._seen[0]
        done = fraction - first
        lasted = now - self._stage_began >= STAGE_SHARE * (now - self._began)
        if now - self._began < TOLD_AFTER_S or done < TOLD_FROM or not lasted:
            return None
        if fraction < FIRST_TENTH:  # preparations, whose share of the time differs most
            return None
        return (now - began) * (1 - fraction) / done


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(3.25), duration(60), duration(3000)
    ('3.2 s', '60 s', '50 min')
    """
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
