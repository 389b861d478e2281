"""Form for the settings of a method."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGroupBox,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QStyle,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import (
    Condition,
    Parameter,
    Settings,
    build,
    flatten_settings,
    parameters,
)
from napari_sofinet.base.settings_text import default_of, kind_of, parse, text_of
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.rows import RowLabel, Rows
from napari_sofinet.widgets.weights_box import WeightsBox

WHOLE = 2**31 - 1


class SettingsForm(QWidget):
    """Form with an editor for each parameter of a settings model, at first with its defaults.

    Basic parameters are on top, the others under "Advanced", those of nested groups in boxes. The
    help of a parameter is its tool tip. Parameters without effect are disabled.

    Signals: ``changed`` when the user or `set_settings` changes a value.

    Parameters
    ----------
    model : type of Settings
        Model whose parameters are shown.
    parent : QWidget, optional
        Widget that the form belongs to.
    chosen_from : dict of str to QComboBox, optional
        Choices for parameters that are text, with the values as their data.
    """

    changed = Signal()

    def __init__(
        self,
        model: type[Settings],
        parent: QWidget | None = None,
        chosen_from: dict[str, QComboBox] | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._chosen_from = chosen_from or {}
        self.leaves = {leaf.name: leaf for leaf in parameters(model)}
        self.editors = {name: self._editor(leaf) for name, leaf in self.leaves.items()}
        self.labels: dict[str, RowLabel] = {}
        self.advanced = QCollapsible(expandedIcon=QIcon(), collapsedIcon=QIcon())
        self._name_advanced(False)
        self.advanced.toggled.connect(self._name_advanced)
        self.advanced.toggleButton().setStyleSheet(
            "QPushButton { text-align: left; background: none; border: none; }"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        basic = Rows()
        layout.addLayout(basic)
        layout.addWidget(self.advanced)
        self._fill(basic)
        self._in_view: list[QWidget] = []
        # Time for the layout, which follows a change by further events.
        self._scrolling = QTimer(self, singleShot=True, interval=50)
        self._scrolling.timeout.connect(self._scroll)
        self.set_settings(model())
        self.changed.connect(self._disable_unused)
        self._disable_unused()

    def settings(self) -> Settings:
        """Return the settings in the form.

        Returns
        -------
        Settings
            Instance of the form's model.

        Raises
        ------
        InputError
            If a text cannot be read or a value is not allowed.
        """
        values = {name: self._value(name) for name in self.leaves if self._used[name]}
        called = {name: f"'{leaf.label}'" for name, leaf in self.leaves.items()}
        return build(self.model, values, called)

    def _value(self, name: str) -> Any:
        leaf = self.leaves[name]
        return parse(leaf, _text(self.editors[name]), leaf.label, decimal_comma=True)

    def _name_advanced(self, expanded: bool) -> None:
        """Write the arrow as text, since an icon would not take up the color of the theme."""
        self.advanced.setText(f"{'▾' if expanded else '▸'} Advanced")

    def _disable_unused(self) -> None:
        """Disable the parameters that have no effect with the other ones, as these declare."""
        self._used: dict[str, bool] = {}
        for name, leaf in self.leaves.items():
            self._used[name] = all(self._holds(condition) for condition in leaf.conditions)
            for widget in (self.editors[name], self.labels[name]):
                widget.setEnabled(self._used[name])

    def _holds(self, condition: Condition) -> bool:
        """Return whether a parameter has a value with which another one has an effect."""
        if not self._used.get(condition.name, True):
            return False
        try:
            return condition.holds(self._value(condition.name))
        except InputError:  # half a number, say
            return True

    def set_settings(self, settings: Settings) -> None:
        """Show settings.

        Parameters
        ----------
        settings : Settings
            Instance of the form's model.
        """
        for name, value in flatten_settings(settings).items():
            _show(self.editors[name], value)

    def change(self, values: dict[str, Any]) -> None:
        """Change some settings, and bring their editors into view.

        Parameters
        ----------
        values : dict of str to Any
            Values by dotted name; one or more.
        """
        for name, value in values.items():
            _show(self.editors[name], value)
        if not all(self.leaves[name].basic for name in values):
            self.advanced.expand(animate=False)
        self._in_view = [self.editors[name] for name in values]
        self._in_view[0].setFocus()
        self._scrolling.start()

    def holds(self, values: dict[str, Any]) -> bool:
        """Return whether some settings have these values already.

        Parameters
        ----------
        values : dict of str to Any
            Values by dotted name.
        """
        return all(_text(self.editors[name]) == text_of(value) for name, value in values.items())

    def spoken(self, name: str, value: Any) -> str:
        """Return a setting and its value in the words of the form.

        Parameters
        ----------
        name : str
            Dotted name.
        value : Any
            Value of the setting.

        Returns
        -------
        str
            E.g. "'Correct drift' to yes".
        """
        leaf = self.leaves[name]
        text = text_of(value)
        return f"'{leaf.label}' to {leaf.choices.get(text, text)}"

    def _scroll(self) -> None:
        """Scroll to the editors in view, to the first one last, so that it is seen in any case."""
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None:
            for editor in reversed(self._in_view):
                area.ensureWidgetVisible(editor, 0, 2 * editor.height())

    def show_group(self, name: str, shown: bool) -> None:
        """Show or hide the settings of a group.

        Parameters
        ----------
        name : str
            Name of the group.
        shown : bool
            Whether they are shown.
        """
        for leaf in self.leaves.values():
            if leaf.path[0] == name:
                editor = self.editors[leaf.name]
                box = editor.parentWidget()
                parts = (box,) if isinstance(box, QGroupBox) else (editor, self.labels[leaf.name])
                for part in parts:
                    part.setVisible(shown)

    def replaced(
        self, model: type[Settings], chosen_from: dict[str, QComboBox] | None = None
    ) -> SettingsForm:
        """Replace this form in its layout by one for another model.

        Parameters
        ----------
        model : type of Settings
            Model of the new form.
        chosen_from : dict of str to QComboBox, optional
            As for the form itself.

        Returns
        -------
        SettingsForm
            The new form; this one is deleted.
        """
        form = SettingsForm(model, chosen_from=chosen_from)
        self.parentWidget().layout().replaceWidget(self, form)
        self.hide()  # Qt deletes it only later, and it would be drawn below the new one until then
        self.deleteLater()
        return form

    def _fill(self, basic: Rows) -> None:
        inside = QWidget()
        rows = Rows(inside)
        rows.setContentsMargins(0, 4, 0, 4)
        groups: dict[tuple[str, ...], Rows] = {}
        for name, leaf in self.leaves.items():
            group = leaf.path[:-1]
            target = basic if leaf.basic else rows
            if group and not leaf.basic:
                if group not in groups:
                    box = QGroupBox(leaf.groups[-1])
                    groups[group] = Rows(box)
                    rows.addRow(box)
                target = groups[group]
            unit = f" ({leaf.unit})" if leaf.unit else ""
            label = RowLabel(leaf.label + unit)
            label.setToolTip(self._tip(leaf))
            self.labels[name] = label
            target.addRow(label, self.editors[name])
        self.advanced.setContent(inside)
        self.advanced.collapse(animate=False)

    def _editor(self, leaf: Parameter) -> QWidget:
        kind, optional = kind_of(leaf)
        editor: Any
        if leaf.name in self._chosen_from or isinstance(kind, tuple):
            editor = self._chosen_from.get(leaf.name) or _choice(leaf, kind)
            notify = editor.currentTextChanged
        elif leaf.weights:
            editor = WeightsBox(leaf.weights)
            notify = editor.currentTextChanged
        elif kind is bool:
            editor = QCheckBox()
            notify = editor.toggled
        elif kind is int and not optional:
            editor = QSpinBox()
            low, high = leaf.limit("ge"), leaf.limit("le")
            editor.setRange(
                int(-WHOLE if low is None else low),
                int(WHOLE if high is None else min(high, WHOLE)),
            )
            notify = editor.valueChanged
        else:
            # Not a spin box: those round 1e-4 to 0 and cannot be empty.
            editor = QLineEdit()
            if optional:
                editor.setPlaceholderText(leaf.empty)
            if leaf.file:
                browse = editor.addAction(
                    self.style().standardIcon(QStyle.StandardPixmap.SP_DirOpenIcon),
                    QLineEdit.ActionPosition.TrailingPosition,
                )
                browse.triggered.connect(partial(self._browse, editor))
            notify = editor.textChanged
        notify.connect(lambda *_: self.changed.emit())
        editor.setToolTip(self._tip(leaf))
        editor.setObjectName(leaf.name)
        return editor

    def _browse(self, editor: QLineEdit, *_: Any) -> None:
        name, _filter = QFileDialog.getOpenFileName(self, "Choose a file")
        if name:
            editor.setText(name)

    def _tip(self, leaf: Parameter) -> str:
        default = text_of(default_of(self.model, leaf)).replace("none", leaf.empty)
        conditions = "".join(f" {self._sentence(condition)}" for condition in leaf.conditions)
        help = escape(leaf.help, quote=False)
        return f"<b>{leaf.label}</b>: {help} Default: {default}.{conditions}"

    def _sentence(self, condition: Condition) -> str:
        """Return a sentence about the values with which a parameter is used."""
        words = " or ".join(self._in_words(condition.name, v) for v in condition.values)
        verb = "is" if condition.allowed else "is not"
        return f"Only used if '{self.leaves[condition.name].label}' {verb} {words}."

    def _in_words(self, name: str, value: Any) -> str:
        leaf, text = self.leaves[name], text_of(value)
        return leaf.empty if value is None else leaf.choices.get(text, text)


def _choice(leaf: Parameter, kind: tuple[str, ...]) -> QComboBox:
    box = NarrowBox()
    for choice in kind:
        box.addItem(leaf.choices.get(choice, choice), choice)
    return box


def _text(editor: Any) -> str:
    if isinstance(editor, QCheckBox):
        return text_of(editor.isChecked())
    if isinstance(editor, QComboBox):
        chosen = editor.currentData()
        return str(editor.currentText() if chosen is None else chosen)
    return str(editor.value()) if isinstance(editor, QSpinBox) else str(editor.text())


def _show(editor: Any, value: Any) -> None:
    if isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, WeightsBox):
        editor.setCurrentText(str(value))
    elif isinstance(editor, QComboBox):
        editor.setCurrentIndex(editor.findData(value))
    elif isinstance(editor, QSpinBox):
        editor.setValue(value)
    else:
        editor.setText("" if value is None else text_of(value))
