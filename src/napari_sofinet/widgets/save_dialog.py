"""Saving to a file that the user chooses, with what happened said in the dock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from napari_sofinet.base.errors import InputError
from napari_sofinet.widgets.dock import StatusText
from napari_sofinet.widgets.file_names import file_name
from napari_sofinet.widgets.worker import TaskWorker, sentence_of


@dataclass(frozen=True)
class FileKind:
    """Kind of files to choose in a dialog.

    Attributes
    ----------
    label : str
        Name of the kind.
    endings : tuple of str
        Endings of its files; the first is added to a name without one of them.
    """

    label: str
    endings: tuple[str, ...]


PICTURE = FileKind("Picture with scale and recipe", (".ome.tif", ".ome.tiff", ".tif", ".tiff"))
THUNDERSTORM = FileKind("Table for ThunderSTORM", (".csv", ".csv.gz"))
PICASSO = FileKind("Table for Picasso", (".hdf5",))
FIGURES = FileKind("PNG", (".png",)), FileKind("SVG", (".svg",)), FileKind("PDF", (".pdf",))


@dataclass(frozen=True)
class Saving:
    """Content and name of the file that a button saves.

    Attributes
    ----------
    name : str
        Name of the file that is proposed, without ending.
    kinds : sequence of FileKind
        Kinds to choose from, the usual one first.
    save : callable
        Function that writes the file in a thread; it takes its path and kind, and returns further
        files that it wrote.
    """

    name: str
    kinds: Sequence[FileKind]
    save: Callable[[Path, FileKind], Sequence[Path] | None]


class SaveButton(QPushButton):
    """Button that asks for a file, writes it in a thread and says in the dock where it is.

    Parameters
    ----------
    text : str
        Text of the button.
    what : callable
        Function that returns what is to be saved, or raises `InputError` with the reason why there
        is nothing.
    status : StatusText
        Text of the dock that tells how it went.
    """

    def __init__(self, text: str, what: Callable[[], Saving], status: StatusText) -> None:
        super().__init__(text)
        self._what = what
        self._status = status
        self._worker: TaskWorker | None = None
        self.clicked.connect(self._ask)

    @property
    def busy(self) -> bool:
        """Whether a file is being written."""
        return self._worker is not None

    def _ask(self) -> None:
        try:
            saving = self._what()
        except InputError as error:
            self._status.setText(str(error))
            return
        chosen = ask_file(self, self.text().rstrip("…"), saving.name, saving.kinds)
        if chosen is not None:
            self.write(saving, *chosen)

    def write(self, saving: Saving, path: Path, kind: FileKind) -> None:
        """Write a file in a thread.

        Parameters
        ----------
        saving : Saving
            What is to be saved.
        path : Path
            File to write.
        kind : FileKind
            Kind of the file.
        """
        self.setEnabled(False)
        self._status.setText(f"Saving {shown_path(path)} …")
        self._worker = TaskWorker(lambda report: _write(saving, path, kind))
        self._worker.returned.connect(self._tell)
        self._worker.errored.connect(partial(self._failed, path))
        self._worker.finished.connect(self._finished)
        self._worker.start()

    def _tell(self, outcome: tuple[Sequence[Path], str]) -> None:
        written, reason = outcome
        if written:
            update_save_history(str(written[0]))
        self._status.setText(saved_sentence(written) if written else reason)

    def _failed(self, path: Path, error: Exception) -> None:
        self._status.setText(f"{shown_path(path)} was not saved. {sentence_of(error)}")

    def _finished(self) -> None:
        self._worker = None
        self.setEnabled(True)


def _write(saving: Saving, path: Path, kind: FileKind) -> tuple[Sequence[Path], str]:
    """Write a file; return the files that were written, or none and the reason."""
    try:
        return [path, *(saving.save(path, kind) or ())], ""
    except (InputError, MemoryError) as error:
        return (), sentence_of(error)
    except OSError as error:
        return (), f"{path} could not be written ({error.strerror or error})."


def ask_file(
    parent: QWidget, title: str, name: str, kinds: Sequence[FileKind]
) -> tuple[Path, FileKind] | None:
    """Ask for a file to save to, in the folder of the last one.

    Parameters
    ----------
    parent : QWidget
        Widget that the dialog belongs to.
    title : str
        Title of the dialog.
    name : str
        Name that is proposed, without ending.
    kinds : sequence of FileKind
        Kinds to choose from, the usual one first.

    Returns
    -------
    tuple of (Path, FileKind) or None
        File and its kind; None if the user cancelled.
    """
    # Without an ending, since that would stay when another kind is chosen.
    proposed = Path(get_save_history()[0]) / file_name(name)
    filters = {f"{kind.label} ({' '.join(f'*{e}' for e in kind.endings)})": kind for kind in kinds}
    text, chosen = QFileDialog.getSaveFileName(parent, title, str(proposed), ";;".join(filters))
    if not text:
        return None
    path, kind = Path(text), filters.get(chosen, kinds[0])
    if path.name.lower().endswith(kind.endings):
        return path, kind
    for other in kinds:
        if path.name.lower().endswith(other.endings):
            return path, other
    whole = path.with_name(path.name + kind.endings[0])
    if whole.exists() and not _agreed(parent, whole):
        return None
    return whole, kind


def _agreed(parent: QWidget, path: Path) -> bool:
    """Ask whether to replace a file, since the dialog did not know the whole name."""
    answer = QMessageBox.question(parent, "Replace the file?", f"Replace {path.name}?")
    return bool(answer == QMessageBox.StandardButton.Yes)


def saved_sentence(files: Sequence[Path]) -> str:
    """Return a sentence that tells where files were saved.

    Parameters
    ----------
    files : sequence of Path
        At least one file; only the first is given with its folder.

    Returns
    -------
    str
        Sentence for the dock, see `shown_path`.
    """
    others = "".join(f" and {path.name}" for path in files[1:])
    return f"Saved to {shown_path(files[0])}{others}."


def shown_path(path: Path) -> str:
    """Return a path that may be broken between lines after each folder.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    str
        Path with a space of no width behind each separator.
    """
    return str(path).replace(os.sep, f"{os.sep}\u200b")
