"""How the numbers and curves of a measurement are saved."""

from __future__ import annotations

from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.quality.numbers_csv import Measurement, curves_csv, numbers_csv
from napari_sofinet.quality.region_measurements import Findings
from napari_sofinet.widgets.curves import save_figure
from napari_sofinet.widgets.save_dialog import FIGURES, FileKind, Saving

NUMBERS = FileKind("Numbers, regions and settings", (".csv",))
CURVES = FileKind("Curves", (".csv",))


def numbers_saving(findings: Findings | None, measurement: Measurement | None) -> Saving:
    """Return how numbers, or the curves behind them, are saved as text.

    Parameters
    ----------
    findings : Findings or None
        What is shown.
    measurement : Measurement or None
        How it was measured.

    Returns
    -------
    Saving
        Two kinds of files, both .csv.

    Raises
    ------
    InputError
        Nothing is shown.
    """
    found, known, name = _shown(findings, measurement)

    def save(path: Path, kind: FileKind) -> None:
        numbers = kind is not CURVES
        text = numbers_csv(found.rows, known) if numbers else curves_csv(found.draw)
        with atomic_write(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="")

    return Saving(name, (NUMBERS, CURVES), save)


def figure_saving(findings: Findings | None, measurement: Measurement | None) -> Saving:
    """Return how the figure of a measurement is saved; see `numbers_saving`."""
    found, _, name = _shown(findings, measurement)
    return Saving(name, FIGURES, lambda path, _: save_figure(found.draw, path))


def _shown(
    findings: Findings | None, measurement: Measurement | None
) -> tuple[Findings, Measurement, str]:
    """Return what is shown and a name for its file; raise `InputError` if there is nothing."""
    if findings is None or measurement is None:
        raise InputError("There is nothing to save yet; draw a box or a line.")
    names = list(dict.fromkeys(row.picture for row in findings.rows))
    what = names[0] if len(names) == 1 else f"{len(names)} layers"
    return findings, measurement, f"{what} {measurement.kind.lower()}"
