"""List of the findings of a movie's check, with buttons that set the advised corrections."""

from __future__ import annotations

import math
from functools import partial
from html import escape
from typing import Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.methods.suitable import Choice, headline
from napari_sofinet.preprocess.suitability import Finding, overall_light
from napari_sofinet.widgets.dock import Column, Picture
from napari_sofinet.widgets.form import SettingsForm

COLORS = {"good": "#4caf50", "fair": "#ffb300", "bad": "#f44336"}
WORST = tuple(reversed(COLORS))
USE, IN_USE = "Use this", "In use"
MOST_CHOICES = 4
"""Highest number of methods in the list."""


class FindingsList(Column):
    """List of findings; one that advises settings has a button that sets them in a form.

    The worst are on top. The list is hidden until there are findings, never higher than these need,
    and scrolls where there is less room.

    Parameters
    ----------
    form : SettingsForm
        Form that gets the settings.

    Signals: ``chosen`` (a `Choice`) when the user clicks *Use* beside a method.
    """

    chosen = Signal(object)

    def __init__(self, form: SettingsForm) -> None:
        super().__init__(QWidget())
        self.form = form
        self.buttons: dict[str, QPushButton] = {}
        """Buttons by the name of their finding."""
        self._advised: dict[str, dict[str, Any]] = {}
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.use_buttons: list[QPushButton] = []
        """Buttons of the methods, best first."""
        form.changed.connect(self._mark)
        self.hide()

    def follow(self, form: SettingsForm) -> None:
        """Set advised settings in another form from now on.

        Parameters
        ----------
        form : SettingsForm
            Form that replaces the one before.
        """
        self.form = form
        form.changed.connect(self._mark)
        self._mark()

    def text(self) -> str:
        """Return all that is written in the list.

        Returns
        -------
        str
            One line for each label.
        """
        labels = self.widget().findChildren(QLabel)
        return "\n".join(label.text() for label in labels if label.text())

    def show_findings(
        self,
        findings: tuple[Finding, ...],
        curve: bytes | None,
        choices: tuple[Choice, ...] = (),
    ) -> None:
        """Show findings instead of those before.

        Parameters
        ----------
        findings : tuple of Finding
            Result of `check`.
        curve : bytes or None
            Picture in PNG format that is shown below them.
        choices : tuple of Choice, optional
            Methods that suit the movie, best first, which are shown above.
        """
        self._advised = {f.name: f.settings for f in findings if f.settings}
        self.buttons = {name: self._button(values) for name, values in self._advised.items()}
        inside = QWidget()
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(0, 0, 4, 0)  # apart from the scroll bar
        rows.setSpacing(3)
        rows.addLayout(
            _row(_text(f"For SOFI this movie is {overall_light(findings)}."), self._closing())
        )
        self._add_choices(rows, choices, findings)
        for finding in sorted(findings, key=lambda f: WORST.index(f.light)):
            light = QLabel(f"<span style='color:{COLORS[finding.light]}'>●</span>", indent=0)
            light.setToolTip(finding.light)
            button = self.buttons.get(finding.name)
            parts = (light, _text(_sentences(finding)), *([button] if button else []))
            rows.addLayout(_row(*parts))
        if curve is not None:
            rows.addWidget(_picture(curve))
        self.setWidget(inside)  # Qt deletes the one before
        self.show()
        for button in self.buttons.values():
            _keep_size(button)
        self._mark()
        self._limit_height()

    def _add_choices(
        self, rows: QVBoxLayout, choices: tuple[Choice, ...], findings: tuple[Finding, ...]
    ) -> None:
        self.use_buttons = []
        if choices:
            rows.addWidget(_text(headline(choices, findings)))
        for number, choice in enumerate(choices[:MOST_CHOICES], 1):
            button = QPushButton("Use")
            button.setToolTip(f"Set {choice.title}, in its dock.")
            button.clicked.connect(partial(self._choose, choice))
            self.use_buttons.append(button)
            rows.addLayout(_row(_text(_choice_sentences(number, choice)), button))

    def _choose(self, choice: Choice, *_: Any) -> None:
        self.chosen.emit(choice)

    def _button(self, values: dict[str, Any]) -> QPushButton:
        button = QPushButton(USE)
        spoken = (self.form.spoken(name, values[name]) for name in values if self._has(values))
        button.setToolTip("Set " + ", ".join(spoken) + ".")
        button.clicked.connect(partial(self._use, values))
        return button

    def _use(self, values: dict[str, Any], *_: Any) -> None:
        self.form.change(values)

    def _closing(self) -> QToolButton:
        button = QToolButton()
        button.setIcon(self.style().standardIcon(QStyle.StandardPixmap.SP_TitleBarCloseButton))
        button.setAutoRaise(True)
        button.setToolTip("Hide the findings.")
        button.clicked.connect(self.hide)
        return button

    def _mark(self) -> None:
        """Tell on each button whether the form holds its settings already."""
        for name, button in self.buttons.items():
            advised = self._advised[name]
            button.setVisible(self._has(advised))
            if self._has(advised):
                used = self.form.holds(advised)
                button.setText(IN_USE if used else USE)
                button.setEnabled(not used)

    def _has(self, values: dict[str, Any]) -> bool:
        """Return whether the form, which may be that of any method, has these settings."""
        return values.keys() <= self.form.leaves.keys()

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """Adapt the size when the content changes."""
        passed_on = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._limit_height()
        return passed_on

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Adapt the height to the width, at which the text is wrapped."""
        super().resizeEvent(event)
        self._limit_height()

    def _limit_height(self) -> None:
        layout = self.widget().layout()
        if layout is not None:
            frame = self.height() - self.viewport().height()
            self.setMaximumHeight(layout.totalHeightForWidth(self.viewport().width()) + frame)


def _keep_size(button: QPushButton) -> None:
    """Give a button room for both of its states, so that the text beside it never moves."""
    size = button.minimumSize()
    for text, enabled in ((IN_USE, False), (USE, True)):
        button.setText(text)
        button.setEnabled(enabled)
        button.ensurePolished()
        size = size.expandedTo(button.sizeHint())
    button.setMinimumSize(size)


def _sentences(finding: Finding) -> str:
    text = escape(f"{finding.value}. {finding.advice}", quote=False)
    return f"<b>{escape(finding.name)}</b>: {text}"


def _choice_sentences(number: int, choice: Choice) -> str:
    accuracy = choice.suggestion.accuracy
    expected = f" ({accuracy:.2f})" if math.isfinite(accuracy) else ""
    title, reason = (escape(t, quote=False) for t in (choice.title, choice.suggestion.reason))
    return f"{number}. <b>{title}</b>{expected}: {reason}"


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for part in parts:
        text = isinstance(part, QLabel) and part.wordWrap()
        row.addWidget(part, int(text), Qt.AlignmentFlag(0) if text else Qt.AlignmentFlag.AlignTop)
    return row


def _text(text: str) -> QLabel:
    return QLabel(text, wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop, indent=0)


def _picture(png: bytes) -> Picture:
    pixmap, label = QPixmap(), Picture()
    pixmap.loadFromData(png)
    label.setPixmap(pixmap)
    return label
