"""Output of the command line to stderr: progress and messages."""

from __future__ import annotations

import sys
import time
from typing import Any


class ProgressLine:
    """Progress on one line of a terminal.

    Parameters
    ----------
    log_every_s : float, optional
        Time between lines where stderr is a file; it is silent there by default.
    """

    def __init__(self, log_every_s: float | None = None) -> None:
        self.live = sys.stderr.isatty()
        self.shown = 0.0 if self.live else time.monotonic()
        self.log_every_s = log_every_s

    def __call__(self, fraction: float, message: str = "", preview: Any = None) -> None:
        """Show a fraction from 0 to 1."""
        now = time.monotonic()
        if self.live and (now - self.shown > 0.1 or fraction >= 1):
            self.shown = now
            print(f"\r{100 * fraction:3.0f} % {message:40.40}", end="", file=sys.stderr, flush=True)
        elif not self.live and self.log_every_s and now - self.shown > self.log_every_s:
            self.shown = now
            print(f"{100 * fraction:3.0f} % {message}".rstrip(), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print one line on stderr."""
    # A file's name may hold line breaks, a bug's message too.
    text = "".join(c if c.isprintable() else " " for c in text)
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", file=sys.stderr)
