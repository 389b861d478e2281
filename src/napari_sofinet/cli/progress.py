"""Output of the command line to stderr: progress and messages."""

from __future__ import annotations

import sys
import time
from typing import Any


class ProgressLine:
    """Progress on one line of a terminal; silent if stderr is a file."""

    def __init__(self) -> None:
        self.shown = 0.0
        self.live = sys.stderr.isatty()

    def __call__(self, fraction: float, message: str = "", preview: Any = None) -> None:
        """Show a fraction from 0 to 1."""
        now = time.monotonic()
        if self.live and (now - self.shown > 0.1 or fraction >= 1):
            self.shown = now
            print(f"\r{100 * fraction:3.0f} % {message:40.40}", end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print one line on stderr."""
    # A file's name may hold line breaks, a bug's message too.
    text = "".join(c if c.isprintable() else " " for c in text)
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", file=sys.stderr)
