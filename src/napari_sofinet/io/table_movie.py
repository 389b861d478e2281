"""Tables of localisations where a movie is expected: for methods that start from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie

if TYPE_CHECKING:
    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.movie import StackAxis


@dataclass(frozen=True, eq=False)
class TableSource:
    """A table, and the file it was read from, if any; it stands where a `TiffStack` stands."""

    table: LocalizationTable
    paths: tuple[str, ...] = ()
    channel: int = 0
    z: int = 0
    stack_axis: StackAxis = "time"
    channels: int = 1
    companions: tuple[str, ...] = ()
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns of the movie, or as far as there are localisations."""
        table = self.table
        if table.shape is not None:
            return table.frame_count, *table.shape
        rows, columns = (
            max(int(np.ceil(at.max() + 0.5)), 1) if len(at) else 1
            for at in (table.y_px, table.x_px)
        )
        return table.frame_count, rows, columns

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.paths[0])

    @property
    def name(self) -> str:
        """Short name for layers and messages."""
        return self.table.name

    def read(self, first: int, last: int) -> NoReturn:
        """Raise `InputError`: a table has no frames."""
        raise InputError(f"{self.name} is a table of localisations; a movie is needed here.")

    def lazy(self) -> NoReturn:
        """Raise `InputError`: a table has no frames."""
        self.read(0, 0)


def names_table(path: str | Path) -> bool:
    """Whether a file is a table of localisations, by its name and its beginning."""
    from napari_sofinet.io.localizations import SUFFIXES, is_table

    return str(path).lower().endswith(SUFFIXES) and is_table(path)


def open_table(
    path: str | Path, pixel_size_um: float | None = None, frame_interval_s: float | None = None
) -> Movie:
    """A table in a file, as methods take it; raises as `read_localizations`."""
    from napari_sofinet.io.localizations import read_localizations

    table = read_localizations(path, pixel_size_um)
    return as_movie(table, frame_interval_s, (str(path),))


def as_movie(
    table: LocalizationTable,
    frame_interval_s: float | None = None,
    paths: tuple[str, ...] = (),
) -> Movie:
    """A table as methods take it."""
    source = TableSource(table, paths)
    return Movie(source, table.camera_pixel_um, frame_interval_s, notes=table.notes)


def table_of(movie: Movie) -> LocalizationTable | None:
    """The table that a movie stands for, None for one that has frames."""
    return movie.source.table if isinstance(movie.source, TableSource) else None
