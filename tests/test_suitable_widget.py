"""The docks name the methods that suit a movie, and set the one that is clicked."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from test_check_widget import blinking_cell

from napari_sofinet.io import saved_settings
from napari_sofinet.methods.registry import method_named
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.methods.suitable import Choice
from napari_sofinet.preprocess.suitability import Finding

TITLES = "SOFI reconstruction", "Model reconstruction"
FINDINGS = (
    Finding("blinking", "40 %", "good", "It blinks well."),
    Finding("drift", "2 camera px", "fair", "It moves.", settings={"drift.correct": True}),
    Finding("haze", "90 %", "bad", "Subtract it.", settings={"background.method": "high-pass"}),
)


def choice(method: str, label: str = "", **settings) -> Choice:
    return Choice(method_named(method), Suggestion(0.9, "It suits.", settings, label))


CHOICES = (
    choice("sofinet", "weights sofinet-filaments", weights="sofinet-filaments", window=20),
    choice("sofi", "order 3", order=3),
    choice("deepstorm"),
)


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch, tmp_path, qtbot):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    made = make_napari_viewer()
    made.window._qt_window.resize(1300, 900)
    made.window._qt_window.show()
    made.add_image(np.zeros((30, 20, 20)), name="other")
    made.add_image(blinking_cell(), name="movie")
    return made


def opened(viewer, title: str):
    return viewer.window.add_plugin_dock_widget("napari-sofinet", title)[1]


def click(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def wait(dock, qtbot) -> None:
    qtbot.waitUntil(lambda: dock.worker is None, timeout=20_000)


@pytest.mark.parametrize("title", TITLES)
def test_check_movie_lists_methods_and_use_sets_the_first(viewer, qtbot, title):
    dock = opened(viewer, title)
    dock.layer_box.setCurrentText("movie")
    click(dock.check_button)
    wait(dock, qtbot)
    text = dock.findings.text()
    assert "Methods for this movie, best first" in text
    assert "1. <b>" in text
    assert "For SOFI this movie is " in text
    assert len(dock.findings.use_buttons) >= 2
    click(dock.findings.use_buttons[0])
    docks = [opened(viewer, title) for title in TITLES]
    assert any(d.status.text().endswith(" is set; click Reconstruct.") for d in docks)


def test_use_opens_the_other_dock_with_the_same_frames(viewer, qtbot):
    sofi = opened(viewer, "SOFI reconstruction")
    sofi.layer_box.setCurrentText("movie")
    sofi.first.setValue(10)
    sofi.last.setValue(49)
    sofi.chooser.left_out.setText("12")
    sofi.findings.show_findings(FINDINGS, None, CHOICES)
    qtbot.wait(100)
    click(sofi.findings.use_buttons[0])
    model = opened(viewer, "Model reconstruction")  # napari gives the one that is open
    assert model.method.name == "sofinet"
    settings = model.form.settings()
    assert (settings.weights, settings.window) == ("sofinet-filaments", 20)
    assert model.chooser.movie().shape == (39, 24, 24)
    assert model.layer_box.currentText() == "movie"
    assert model.status.text().endswith("weights sofinet-filaments is set; click Reconstruct.")
    click(sofi.findings.use_buttons[1])
    assert sofi.form.settings().order == 3


def test_use_in_the_model_dock_keeps_the_findings(viewer, qtbot):
    model = opened(viewer, "Model reconstruction")
    model.layer_box.setCurrentText("movie")
    model.findings.show_findings(FINDINGS, None, CHOICES)
    qtbot.wait(100)
    assert model.findings.buttons["drift"].isVisible()
    click(model.findings.use_buttons[2])
    assert model.method.name == "deepstorm"
    qtbot.wait(100)
    assert model.findings.isVisible()
    # Its drift is corrected in the table; the dock offers no button for what it cannot set.
    assert model.findings.buttons["haze"].isVisible() == ("background.method" in model.form.leaves)
    click(model.findings.use_buttons[0])
    qtbot.wait(100)
    click(model.findings.buttons["haze"])
    assert model.form.settings().background.method == "high-pass"
    click(model.findings.use_buttons[1])
    sofi = opened(viewer, "SOFI reconstruction")
    assert sofi.form.settings().order == 3
    assert sofi.layer_box.currentText() == "movie"
