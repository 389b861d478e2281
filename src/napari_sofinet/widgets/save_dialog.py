"""Saving to a file that the user chooses."""

from __future__ import annotations

from collections.abc import Callable

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sofinet.base.errors import InputError

FIGURES = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"


def save_by_dialog(
    parent: QWidget, title: str, name: str, kinds: str, save: Callable[[str], None]
) -> None:
    """Ask for a file, save to it and tell whether that worked.

    Parameters
    ----------
    parent : QWidget
        Widget that the dialog belongs to.
    title : str
        Title of the dialog.
    name : str
        Name of the file that is proposed.
    kinds : str
        File types to choose from, as `QFileDialog` takes them.
    save : callable
        Function that writes the file; it takes its path.
    """
    path, _ = QFileDialog.getSaveFileName(parent, title, name, kinds)
    if not path:
        return
    try:
        save(path)
    except (InputError, OSError, ValueError) as error:
        show_error(f"{path} could not be written: {error}")
    else:
        show_info(f"Saved {path}.")
