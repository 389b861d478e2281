"""Tables of numbers in text files: comma, semicolon, tab or space between the columns."""

from __future__ import annotations

import csv
import gzip
import os
import re
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write_together
from napari_sofinet.io.regular_files import check_regular

HEAD_BYTES = 2**16
CHUNK_ROWS = 1_000_000
WRITTEN_ROWS = 100_000
ALWAYS_UNPACKED_BYTES, PACKED_AT_MOST = 2**26, 100
"""Bytes of text that any file may hold, and for each packed byte; measured numbers pack to a third
or a tenth."""


@dataclass(frozen=True, eq=False)
class NumberTable:
    """Columns of numbers by name, float64 (n,), with NaN for missing numbers.

    ``comments`` are the lines before the header that began with ``#``; ``dropped`` are names of
    columns that held text.
    """

    columns: dict[str, np.ndarray]
    comments: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Layout of a text file: column names, lines before the first row, separator."""

    names: tuple[str, ...]
    skipped: int
    separator: str
    encoding: str
    packed: bool
    comma_decimals: bool
    comments: tuple[str, ...]


def read_layout(path: Path) -> Layout:
    """Return the layout of a text file from its first bytes.

    Raises
    ------
    InputError
        The file is empty, is not text, or has no line with the names of the columns.
    """
    raw, packed = _beginning(path)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if not raw.strip():
        raise InputError(f"{path.name} is empty.")
    if encoding == "utf-8-sig" and b"\0" in raw:
        raise InputError(f"{path.name} is not a text table.")
    try:
        text = raw[: len(raw) // 2 * 2].decode(encoding)
    except UnicodeDecodeError as error:
        # The last sign may be cut in two; other texts are of Western Europe.
        whole = encoding == "utf-8-sig" and error.start < len(raw) - 4
        text = raw.decode("latin-1" if whole else encoding, errors="ignore")
    lines = text.splitlines()
    at = next((k for k, line in enumerate(lines) if line.strip() and line[0] != "#"), None)
    if at is None:
        raise InputError(f"{path.name} contains no table.")
    header, skipped = lines[at], at + 1
    if _all_numbers(header) and at > 0 and lines[at - 1].startswith("#"):
        header, skipped = lines[at - 1].lstrip("# "), at
    if _all_numbers(header):
        raise InputError(
            f"{path.name} has no line with the names of its columns; add one, e.g. "
            "frame,x_nm,y_nm,photons."
        )
    plain = re.sub(r'"(?:[^"]|"")*"', "", header)
    separator = next((s for s in "\t;," if s in plain), " ")
    rows = [line for line in lines[skipped:] if line.strip()]
    return Layout(
        names=_names(header, separator),
        skipped=skipped,
        separator=separator,
        encoding=encoding,
        packed=packed,
        comma_decimals=separator != "," and any("," in row for row in rows[:2]),
        comments=tuple(line.lstrip("# ") for line in lines[:at] if line.startswith("#")),
    )


def read_text_table(path: Path) -> NumberTable:
    """Read a table of numbers, plain or gzip.

    Ten million rows of eight columns take about four seconds. A column of text is left out, text
    in a column of numbers becomes NaN.

    Raises
    ------
    InputError
        As in `read_layout`, or the file ends too early, is damaged or has rows of unequal length.
    """
    import pandas as pd

    layout = read_layout(path)
    options: dict[str, Any] = {
        "names": list(range(len(layout.names))),
        "header": None,
        "index_col": False,
        "skiprows": layout.skipped,
        "sep": r"\s+" if layout.separator == " " else layout.separator,
        "decimal": "," if layout.comma_decimals else ".",
        "compression": None,
        "encoding": "utf-16" if layout.encoding == "utf-16" else "utf-8",
        "encoding_errors": "replace",
        "engine": "c",
        "memory_map": not layout.packed and layout.encoding != "utf-16",
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            try:
                arrays = _only_numbers(_source(path, layout), options)
                dropped: tuple[int, ...] = ()
            except InputError:
                raise
            except ValueError:
                arrays, dropped = _with_text(_source(path, layout), options)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path.name} is damaged or ends too early; copy it again.") from error
    except pd.errors.ParserError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"line {line[1]}" if line else "a line"
        raise InputError(
            f"{path.name} is not a table: {where} does not match the columns of the header."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error
    return NumberTable(
        {layout.names[k]: values for k, values in arrays.items()},
        layout.comments,
        tuple(layout.names[k] for k in dropped),
    )


def write_text_table(
    path: Path,
    columns: dict[str, np.ndarray],
    quoted: bool,
    beside: Mapping[Path, str] = MappingProxyType({}),
) -> None:
    """Write columns (n,) as comma separated text, gzip where the name ends in .gz.

    Numbers have ten significant digits. The file appears only when complete, together with further
    texts ``beside`` it, given by their path.
    """
    from napari_sofinet.io import number_text

    count = len(next(iter(columns.values())))
    out = np.empty(min(count, WRITTEN_ROWS) * len(columns) * number_text.WIDEST, np.uint8)
    with atomic_write_together(path, *beside) as (partial, *others), partial.open("wb") as plain:
        for other, text in zip(others, beside.values(), strict=True):
            other.write_text(text, encoding="utf-8")
        packed = path.name.lower().endswith(".gz")
        file = gzip.GzipFile("", "wb", 3, plain) if packed else plain
        file.write((",".join(_quoted(name, quoted) for name in columns) + "\n").encode())
        for a in range(0, count, WRITTEN_ROWS):
            part = slice(a, a + WRITTEN_ROWS)
            block = np.array([values[part] for values in columns.values()], np.float64)
            file.write(out[: number_text.rows(block, out)].tobytes())
        if packed:
            file.close()


def _quoted(name: str, always: bool) -> str:
    """Return a column's name as a field of a header, from which it can be read again."""
    text = " ".join(name.split()).replace('"', '""')
    return f'"{text}"' if always or text != name or set(";,") & set(name) else name


def _beginning(path: Path) -> tuple[bytes, bool]:
    """First bytes of a file, unpacked, and whether it is gzip."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return file.read(HEAD_BYTES), False
            # Of a file that ends too early the beginning may still be read; its end is found later.
            return zlib.decompressobj(31).decompress(file.read(HEAD_BYTES), HEAD_BYTES), True
    except zlib.error as error:
        raise InputError(f"{path.name} is damaged; copy it again.") from error
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error


def _names(header: str, separator: str) -> tuple[str, ...]:
    if separator == " ":
        fields = [field.strip('"') for field in header.split()]
    else:
        fields = next(csv.reader([header], delimiter=separator, skipinitialspace=True))
    names: list[str] = []
    for number, name in enumerate(field.strip() for field in fields):
        name = name or f"column {number + 1}"
        names.append(f"{name} ({number + 1})" if name in names else name)
    return tuple(names)


def _all_numbers(line: str) -> bool:
    fields = [field.strip().strip('"') for field in re.split(r"[\t;, ]+", line.strip())]
    return all(re.fullmatch(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?\.?|nan|", f, re.I) for f in fields)


class _Unpacked(gzip.GzipFile):
    """A gzip file that ends with an error where it unpacks to far more than a table can."""

    unpacked = 0

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def _counted(self, content: bytes) -> bytes:
        self.unpacked += len(content)
        if self.unpacked > max(ALWAYS_UNPACKED_BYTES, PACKED_AT_MOST * os.stat(self.name).st_size):
            name = os.path.basename(self.name)
            raise InputError(
                f"{name} expands to far more data than a table; it is damaged or empty."
            )
        return content


def _source(path: Path, layout: Layout) -> Any:
    return _Unpacked(path) if layout.packed else path


def _only_numbers(source: Any, options: dict[str, Any]) -> dict[int, np.ndarray]:
    """Columns of a file in which every field is a number; ValueError if one is not."""
    import pandas as pd

    parts: dict[int, list[np.ndarray]] = {k: [] for k in options["names"]}
    chunks = pd.read_csv(
        source, dtype=np.float64, na_filter=False, chunksize=CHUNK_ROWS, low_memory=False, **options
    )
    with chunks:
        for chunk in chunks:
            for k, values in parts.items():
                values.append(chunk[k].to_numpy())
    # One column after the other, so that both forms of the whole table are never there.
    return {k: np.concatenate(parts.pop(k) or [np.zeros(0)]) for k in options["names"]}


def _with_text(
    source: Any, options: dict[str, Any]
) -> tuple[dict[int, np.ndarray], tuple[int, ...]]:
    """Columns with NaN where there is no number, and which columns are text."""
    import pandas as pd

    whole = pd.read_csv(source, low_memory=False, **options)
    arrays: dict[int, np.ndarray] = {}
    dropped = []
    for k in options["names"]:
        column = whole.pop(k)
        try:
            found = pd.to_numeric(column, errors="coerce")
            numbers = found.to_numpy(np.float64, na_value=np.nan)
        except OverflowError:  # of whole numbers of hundreds of digits
            numbers = np.array([_float(field) for field in column], np.float64)
        if np.isnan(numbers).all() and not column.isna().all():
            dropped.append(k)
        else:
            arrays[k] = numbers
    return arrays, tuple(dropped)


def _float(field: Any) -> float:
    try:
        return float(field)
    except (OverflowError, TypeError, ValueError):
        return np.nan
