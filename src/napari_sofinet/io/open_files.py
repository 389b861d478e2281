"""TIFF files that stay open while they are read, since finding their images again is slow."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from tifffile import TiffFile

from napari_sofinet.io.file_stamp import FileStamp

IDLE = 2
"""Number of files that are kept open although they are not being read."""


class OpenFiles:
    """Open files, each closed as soon as it is neither read nor among the last two.

    Parameters
    ----------
    opener : callable
        Opens a file by its path.
    """

    def __init__(self, opener: Callable[[str], TiffFile]) -> None:
        self._opener = opener
        self._files: OrderedDict[FileStamp, TiffFile] = OrderedDict()
        self._readers: dict[FileStamp, int] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._files)

    @contextlib.contextmanager
    def reading(self, stamp: FileStamp) -> Iterator[TiffFile]:
        """Yield an open file that is not closed in the meantime.

        Parameters
        ----------
        stamp : FileStamp
            The file, as it was when it was opened for the first time.
        """
        with self._lock:
            if stamp not in self._files:
                self._files[stamp] = self._opener(stamp.path)
            tif = self._files[stamp]
            self._files.move_to_end(stamp)
            self._readers[stamp] = self._readers.get(stamp, 0) + 1
        try:
            yield tif
        finally:
            with self._lock:
                self._readers[stamp] -= 1
                self._close_idle(IDLE)

    def close(self, stamps: Iterable[FileStamp]) -> None:
        """Close files that are not being read.

        Parameters
        ----------
        stamps : iterable of FileStamp
            Files to close.
        """
        wanted = set(stamps)
        with self._lock:
            self._close_idle(0, lambda stamp: stamp in wanted)

    def _close_idle(self, kept: int, which: Callable[[FileStamp], bool] = lambda _: True) -> None:
        idle = [s for s in self._files if not self._readers.get(s) and which(s)]
        for stamp in idle[: len(idle) - kept]:
            self._readers.pop(stamp, None)
            self._files.pop(stamp).close()
