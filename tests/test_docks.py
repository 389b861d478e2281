"""All docks: fields change only by a click, and everything fits."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QHelpEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QListWidget,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QToolTip,
    QWidget,
)

from napari_sofinet.base.settings import flatten_settings, parameters
from napari_sofinet.methods.registry import methods
from napari_sofinet.simulation import PRESETS, SimulationSettings, preset_settings
from napari_sofinet.training.settings import TrainingSettings
from napari_sofinet.widgets.compare_widget import CompareWidget
from napari_sofinet.widgets.dock import Column, StatusText
from napari_sofinet.widgets.dock_place import WIDEST_PX
from napari_sofinet.widgets.field_guard import TIP_PX, wrapped
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.model_widget import ModelWidget
from napari_sofinet.widgets.quality_widget import QualityWidget
from napari_sofinet.widgets.simulation_widget import SimulationWidget
from napari_sofinet.widgets.sofi_widget import SofiWidget
from napari_sofinet.widgets.table_widget import TableWidget
from napari_sofinet.widgets.train_widget import TrainWidget
from napari_sofinet.widgets.weights_box import WeightsBox

DOCKS = {
    "SOFI reconstruction": SofiWidget,
    "Model reconstruction": ModelWidget,
    "Localisations": TableWidget,
    "Train or fine-tune": TrainWidget,
    "Simulate movie": SimulationWidget,
    "Compare": CompareWidget,
    "Resolution and quality": QualityWidget,
}
FIELDS = (QAbstractSpinBox, QAbstractSlider, QComboBox, QTabBar, QLineEdit, QListWidget, QCheckBox)
MOVIE = np.random.default_rng(0).poisson(100, (40, 32, 32)).astype(np.uint16)


@pytest.fixture
def window(make_napari_viewer, qtbot, monkeypatch):
    """A viewer with a movie, in a window of 1280 x 720; waits for previews in the end."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    viewer.add_image(MOVIE, name="a movie with a long name, 2026-05-03, cell 12, 30 nM")
    viewer.add_image(MOVIE[0], name="a picture")
    yield viewer
    for dock in viewer.window._qt_window.findChildren(QDockWidget):
        if isinstance(dock.widget(), SimulationWidget):
            qtbot.waitUntil(lambda dock=dock: not dock.widget().busy, timeout=20_000)


def opened(viewer, title: str, qtbot):
    widget = DOCKS[title](viewer)
    viewer.window.add_dock_widget(widget, name=title)
    if hasattr(widget, "form"):
        widget.form.advanced.expand(animate=False)
    qtbot.wait(250)
    return widget


def fields(widget: QWidget) -> list[QWidget]:
    """Fields that are on the page, without the parts that they consist of."""
    found = [
        part
        for part in widget.findChildren(QWidget)
        if isinstance(part, FIELDS)
        and not isinstance(part, QScrollBar)
        and not isinstance(part.parentWidget(), (QAbstractSpinBox, QComboBox))
        and part.window() is widget.window()
    ]
    return [part for part in found if part.isVisible()]


def value(field: QWidget) -> object:
    for kind, read in (
        (QComboBox, "currentText"),
        (QLineEdit, "text"),
        (QCheckBox, "isChecked"),
        (QTabBar, "currentIndex"),
        (QListWidget, "currentRow"),
    ):
        if isinstance(field, kind):
            return getattr(field, read)()
    return field.value()


def wheel(field: QWidget, delta: int) -> None:
    """Turn the wheel over a field; as in Qt, parents get an event that its receiver ignores.

    Qt passes on only events of the window system, which cannot be made here.
    """
    window = field.window()
    place = field.mapTo(window, field.rect().center())
    part = window.childAt(place) or field
    while part is not None:
        event = QWheelEvent(
            QPointF(part.mapFrom(window, place)),
            QPointF(window.mapToGlobal(place)),
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(part, event)
        if event.isAccepted() or part is window:
            return
        part = part.parentWidget()


def turned(widget: QWidget, qtbot) -> int:
    """Turn the wheel over all fields of a dock; return how often its form scrolled."""
    column = widget.findChild(Column)
    bar = column.verticalScrollBar()
    scrolled = 0
    for field in fields(widget):
        before = {other: value(other) for other in fields(widget)}
        for delta in (-120, 120):
            if column.isAncestorOf(field):
                column.ensureWidgetVisible(field)
                qtbot.wait(1)
            start = bar.value()
            wheel(field, delta)
            scrolled += bar.value() != start
        assert field.focusPolicy() != Qt.FocusPolicy.WheelFocus, field
        assert not field.hasFocus()
        assert {other: value(other) for other in before} == before, field.objectName()
    return scrolled


@pytest.mark.parametrize("title", DOCKS)
def test_the_wheel_over_a_field_scrolls_the_form_and_changes_nothing(window, title, qtbot):
    widget = opened(window, title, qtbot)
    window.window._qt_window.resize(1280, 560)
    qtbot.wait(60)
    bar = widget.findChild(Column).verticalScrollBar()
    scrolled = turned(widget, qtbot)
    assert not bar.maximum() or scrolled >= len(fields(widget)) // 3


def test_the_wheel_changes_nothing_in_fields_that_come_later(window, qtbot):
    widget = opened(window, "Model reconstruction", qtbot)
    for index in range(widget.network_box.count()):
        widget.network_box.setCurrentIndex(index)
        widget.form.advanced.expand(animate=False)
        qtbot.wait(60)
        assert turned(widget, qtbot) > 5


def test_the_wheel_changes_a_number_that_was_clicked_into(window, qtbot):
    widget = opened(window, "SOFI reconstruction", qtbot)
    order = widget.form.editors["order"]
    QTest.mouseClick(order.lineEdit(), Qt.MouseButton.LeftButton)
    wheel(order, 120)
    assert order.value() == 3
    QTest.mouseClick(widget.chooser.left_out, Qt.MouseButton.LeftButton)
    wheel(order, 120)
    assert order.value() == 3


def test_no_field_has_the_focus_before_a_click_or_takes_what_is_dropped(window, qtbot):
    for title in DOCKS:
        widget = opened(window, title, qtbot)
        assert not any(field.hasFocus() for field in fields(widget))
        assert not any(edit.acceptDrops() for edit in widget.findChildren(QLineEdit))


def test_hovering_moves_no_row_and_tells_the_help_in_a_narrow_tip(window, qtbot):
    widget = opened(window, "SOFI reconstruction", qtbot)
    qtbot.wait(500)
    column = widget.findChild(Column)
    parts = [part for part in widget.findChildren(QWidget) if part.isVisible()]
    before = {part: part.mapTo(widget, QPoint()) for part in parts}
    for name in ("order", "linearization", "pixel_sets", "lag"):
        editor = widget.form.editors[name]
        assert column.isAncestorOf(editor)
        QTest.mouseMove(editor)
        place = editor.rect().center()
        QApplication.sendEvent(
            editor, QHelpEvent(QHelpEvent.Type.ToolTip, place, editor.mapToGlobal(place))
        )
        assert widget.form.leaves[name].help.split(";")[0][:20] in QToolTip.text()
        assert {part: part.mapTo(widget, QPoint()) for part in parts} == before
    QToolTip.hideText()


@pytest.mark.parametrize("model", [*(m.settings for m in methods().values()), TrainingSettings])
def test_tips_are_wrapped(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    for editor in form.editors.values():
        tip = QLabel(wrapped(editor.toolTip()), wordWrap=True, font=QToolTip.font())
        assert tip.sizeHint().width() <= TIP_PX + 20
        assert tip.sizeHint().height() < 400


@pytest.mark.parametrize("title", DOCKS)
def test_buttons_stay_where_they_are_while_the_text_grows(window, title, qtbot):
    widget = opened(window, title, qtbot)
    name = {"Compare": "figure_button", "Resolution and quality": "copy_button"}
    button = getattr(widget, name.get(title, "run_button"))
    places = set()
    for words in (0, 1, 40, 400, 0):
        widget.status.setText(("a_very_long_name_of_a_file_that_cannot_be_broken " * words).strip())
        if hasattr(widget, "progress_bar"):
            widget.progress_bar.setVisible(bool(words))
        qtbot.wait(30)
        places.add(button.y())
        assert widget.width() <= WIDEST_PX
    assert len(places) == 1


def test_the_status_keeps_its_text(qtbot):
    status = StatusText()
    qtbot.addWidget(status)
    for text in ("a < b & c", "", "two\nlines"):
        status.setText(text)
        assert status.text() == text
        assert status.toPlainText() == text


def cut_off(widget: QWidget) -> list[str]:
    """Parts that reach beyond what they lie in, or labels whose text does not fit."""
    wrong = []
    for column in widget.findChildren(Column):
        if column.isVisible() and column.widget().width() > column.viewport().width():
            wrong.append(f"content {column.widget().width()} > {column.viewport().width()}")
    for part in widget.findChildren(QWidget):
        if (
            part.isVisible()
            and isinstance(part, (QLabel, *FIELDS))
            and part.window() is widget.window()
        ):
            right = part.mapTo(widget, QPoint(part.width(), 0)).x()
            if right > widget.width() and not isinstance(part, QTabBar):
                wrong.append(f"{type(part).__name__} {part.objectName()} to {right}")
        if isinstance(part, QLabel) and part.isVisible() and part.wordWrap() and part.text():
            if part.height() + 1 < part.heightForWidth(part.width()):
                wrong.append(f"label {part.text()!r}")
    return wrong


def test_all_docks_fit_and_leave_half_of_the_window_to_the_picture(window, qtbot):
    main = window.window._qt_window
    made = [opened(window, title, qtbot) for title in DOCKS]
    qtbot.wait(200)
    assert main.width() <= 1280
    assert main.height() <= 720
    assert main.minimumSizeHint().height() <= 600
    widths = [widget.minimumSizeHint().width() for widget in made]
    assert max(widths) <= 302, widths
    qtbot.waitUntil(lambda: main.centralWidget().width() >= 638, timeout=3000)
    for widget in made:
        widget.parent().raise_()
        qtbot.wait(60)
        assert widget.width() <= 340
        assert not cut_off(widget)
        assert main.tabifiedDockWidgets(widget.parent())


def test_nothing_is_cut_off_after_another_dock_was_closed(window, qtbot):
    for title in ("Train or fine-tune", "Simulate movie"):
        first = opened(window, title, qtbot)
        if hasattr(first, "busy"):
            qtbot.waitUntil(lambda first=first: not first.busy, timeout=20_000)
        window.window.remove_dock_widget(first)
        qtbot.wait(60)
        widget = opened(window, "Model reconstruction", qtbot)
        qtbot.waitUntil(lambda widget=widget: not cut_off(widget), timeout=5000)
        window.window.remove_dock_widget(widget)


def shown_whole(viewer) -> bool:
    camera = viewer.scene.camera
    reach = np.array(viewer.canvas.size) / camera.zoom / 2
    low, high = np.asarray(viewer.layers.extent.world)[:, -2:]
    middle = np.asarray(camera.center)[-2:]
    return bool(np.all(low >= middle - reach) and np.all(high <= middle + reach))


def test_the_picture_stays_in_view_unless_it_was_zoomed(window, qtbot):
    main = window.window._qt_window
    main.resize(1100, 900)
    window.add_image(np.zeros((20, 60)), scale=(1, 1))
    window.reset_view()
    qtbot.wait(100)
    assert shown_whole(window)
    widget = opened(window, "SOFI reconstruction", qtbot)
    qtbot.waitUntil(lambda: shown_whole(window), timeout=2000)
    window.window.remove_dock_widget(widget)
    qtbot.wait(100)
    camera = window.scene.camera
    camera.zoom *= 7
    zoom, centre = camera.zoom, camera.center
    opened(window, "SOFI reconstruction", qtbot)
    qtbot.wait(300)
    assert camera.zoom == zoom
    assert camera.center == centre


def test_the_start_of_the_name_of_weights_is_shown(window, qtbot):
    widget = opened(window, "Model reconstruction", qtbot)
    box = widget.findChild(WeightsBox)
    for change in (lambda: None, box.refresh, lambda: box.setCurrentIndex(1)):
        change()
        assert box.lineEdit().cursorPosition() == 0
    box.setCurrentText("/a/file/in/a/folder/mine.safetensors")  # whose end tells more
    assert box.lineEdit().cursorPosition() == len(box.currentText())


def test_the_list_of_layers_is_as_high_as_its_layers(window, qtbot):
    widget = opened(window, "Resolution and quality", qtbot)
    heights = [widget.layer_list.height()]
    for number in range(8):
        window.add_image(MOVIE[0], name=f"picture {number}")
        qtbot.wait(20)
        heights.append(widget.layer_list.height())
    assert heights == sorted(heights)
    assert heights[0] < heights[2] < heights[-1] == heights[-2] < 150


def test_the_unit_of_the_pixels_of_a_picture_is_not_cut(window, qtbot):
    box = opened(window, "Localisations", qtbot).unit_box
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    part = QStyle.SubControl.SC_ComboBoxEditField
    room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, box)
    assert box.fontMetrics().horizontalAdvance(box.currentText()) <= room.width()


def test_methods_and_presets_are_named_in_full(window, qtbot):
    model = opened(window, "Model reconstruction", qtbot)
    simulate = opened(window, "Simulate movie", qtbot)
    for widget, box in ((model, model.network_box), (simulate, simulate.preset_box)):
        widget.parent().raise_()
        qtbot.wait(60)
        assert widget.width() <= 340
        for number in range(box.count()):
            box.setCurrentIndex(number)
            assert box.shown() == box.itemText(number)


def test_a_name_that_is_too_long_has_an_ellipsis_and_a_tip(window, qtbot):
    box = opened(window, "SOFI reconstruction", qtbot).layer_box
    name = box.currentText()
    assert name.startswith("a movie with a long name")
    assert box.shown().endswith("…")
    assert box.shown()[:-1] in name
    assert name in box.tip()
    box.showPopup()
    assert box.view().width() >= box.view().sizeHintForColumn(0)
    box.hidePopup()


def test_tabs_have_their_whole_titles(window, qtbot):
    widgets = [opened(window, title, qtbot) for title in DOCKS]
    bars = window.window._qt_window.findChildren(
        QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly
    )
    (bar,) = (bar for bar in bars if bar.count() > 1)
    qtbot.waitUntil(lambda: bar.elideMode() == Qt.TextElideMode.ElideNone, timeout=5000)
    qtbot.waitUntil(lambda: bar.count() == len(widgets), timeout=5000)
    metrics = bar.fontMetrics()
    for number in range(bar.count()):
        assert bar.tabRect(number).width() > metrics.horizontalAdvance(bar.tabText(number))


def test_fields_without_effect_are_disabled(qtbot):
    form = SettingsForm(methods()["sofi"].settings)
    qtbot.addWidget(form)

    def usable(*names: str) -> list[bool]:
        return [form.editors[name].isEnabled() for name in names]

    names = [f"background.{name}" for name in ("frames", "percentile", "radius_px")]
    assert usable(*names) == [False, False, False]
    form.editors["background.method"].setCurrentText("percentile")
    assert usable(*names) == [True, True, False]
    form.editors["background.percentile"].setText("20")
    form.editors["background.method"].setCurrentText("rolling-ball")
    assert usable(*names) == [True, False, True]
    assert form.settings().background.percentile == 10
    form.editors["background.method"].setCurrentText("percentile")
    assert form.settings().background.percentile == 20
    assert usable("drift.block") == [False]
    form.editors["drift.correct"].setChecked(True)
    assert usable("drift.block") == [True]
    assert "Only used if " in form.editors["drift.block"].toolTip()
    form.editors["deconvolution.iterations"].setText("0")
    assert usable("deconvolution.weighted") == [False]
    form.editors["deconvolution.iterations"].setText("")
    assert usable("deconvolution.weighted") == [True]


def test_a_group_without_effect_is_disabled(qtbot):
    form = SettingsForm(methods()["dblink"].settings)
    qtbot.addWidget(form)
    inside = [name for name in form.editors if name.startswith("localize.")]
    assert form.editors["localize.detector"].isEnabled()
    assert not form.editors["localize.drift.block"].isEnabled()
    box = form.editors["input"]
    box.setCurrentIndex(box.findData("maps"))
    assert not any(form.editors[name].isEnabled() for name in inside)


@pytest.mark.parametrize("model", [*(m.settings for m in methods().values()), SimulationSettings])
def test_conditions_name_other_fields_and_values_that_these_can_have(model):
    leaves = {leaf.name: leaf for leaf in parameters(model)}
    defaults = flatten_settings(model())
    for leaf in leaves.values():
        for condition in leaf.conditions:
            other = leaves[condition.name]
            assert condition.name != leaf.name
            assert condition.values
            choices = getattr(other.info.annotation, "__args__", ())
            for allowed in condition.values:
                if isinstance(defaults[condition.name], str):
                    assert allowed in choices


@pytest.mark.parametrize("preset", PRESETS)
def test_a_simulation_does_not_depend_on_disabled_fields(qtbot, preset):
    from napari_sofinet.simulation import simulate

    settings = preset_settings(preset, 3)
    form = SettingsForm(SimulationSettings)
    qtbot.addWidget(form)
    form.set_settings(settings)
    small = {"rows": 24, "columns": 24, "frames": 3}
    frames = [
        simulate(s.model_copy(update=small)).counts(0, 3) for s in (settings, form.settings())
    ]
    np.testing.assert_array_equal(*frames)


def test_an_arrow_tells_whether_the_advanced_settings_are_open(qtbot):
    form = SettingsForm(methods()["sofi"].settings)
    qtbot.addWidget(form)
    assert form.advanced.text() == "▸ Advanced"
    form.advanced.toggleButton().click()
    assert form.advanced.text() == "▾ Advanced"
