"""Progress of long-running work, and its cancellation."""

from __future__ import annotations

from typing import Any, Protocol


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
        report(start + (end - start) * fraction, label + message, preview)

    return step
