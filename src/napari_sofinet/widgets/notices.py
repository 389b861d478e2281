"""Messages of napari that are shown as a whole, where no dock can show them."""

from __future__ import annotations

from functools import partial
from typing import Any

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialog

UNTIL_SHOWN_MS = 150
"""Time in which napari has shown a message and moved it to its place."""


def tell(sentence: str) -> None:
    """Show a message.

    Parameters
    ----------
    sentence : str
        One or more sentences.
    """
    show_info(sentence)
    expand(sentence)


def warn(sentence: str) -> None:
    """Show a warning.

    Parameters
    ----------
    sentence : str
        One or more sentences.
    """
    show_warning(sentence)
    expand(sentence)


def expand(sentence: str) -> None:
    """Unfold the message with a sentence as soon as it is shown; napari cuts it after one line.

    Parameters
    ----------
    sentence : str
        Text that the message contains.
    """
    if QApplication.instance() is not None:
        QTimer.singleShot(UNTIL_SHOWN_MS, partial(_unfold, sentence))


def _unfold(sentence: str) -> None:
    for widget in QApplication.allWidgets():
        # Found by its parts, as napari does not make the class public.
        text: Any = getattr(widget, "message", None)
        unfold = getattr(widget, "expand", None)
        if not isinstance(widget, QDialog) or unfold is None or not hasattr(text, "text"):
            continue
        if sentence in text.text() and widget.property("expanded") is False:
            unfold()
