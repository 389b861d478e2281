"""The dock checks a movie, sets what is advised, and leaves out frames."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QApplication, QLabel, QScrollArea

from napari_sofinet.cli.main import main
from napari_sofinet.io import saved_settings
from napari_sofinet.preprocess.suitability import Finding
from napari_sofinet.widgets import checking_widget, method_widget, reader, sofi_widget

ADVICE = (
    Finding("blinking", "40 %", "good", "It blinks well."),
    Finding("readout", "90 %", "fair", "By rows.", settings={"readout.shared_by": "rows"}),
    Finding("haze", "90 %", "bad", "Subtract it.", settings={"background.method": "high-pass"}),
    Finding("drift", "2 camera px", "fair", "It moves.", settings={"drift.correct": True}),
)


@pytest.fixture
def told(monkeypatch):
    """Sentences shown to the user."""
    shown: list[str] = []
    for module in (method_widget, checking_widget):
        for name in ("show_error", "show_warning", "show_info"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, shown.append)
    return shown


@pytest.fixture
def dock(make_napari_viewer, qtbot, told, monkeypatch, tmp_path):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    viewer = make_napari_viewer()
    made = sofi_widget.SofiWidget(viewer)
    viewer.window.add_dock_widget(made, name="SOFI")
    return made


def shown_now(dock, qtbot) -> None:
    """Show the window, which the tests otherwise hide, in a height that leaves too little room."""
    window = dock.viewer.window._qt_window
    window.resize(1100, 700)
    window.show()
    qtbot.wait(150)


def blinking_cell(frames: int = 60, side: int = 24, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    places = rng.uniform(4, side - 4, (12, 2))
    spots = [np.exp(-((y - p) ** 2 + (x - q) ** 2) / (2 * 1.1**2)) for p, q in places]
    on = rng.random((frames, len(spots))) < 0.2
    return rng.poisson(400 * np.tensordot(on, spots, 1) + 100).astype(np.uint16)


def wait(dock, qtbot) -> None:
    qtbot.waitUntil(lambda: dock.worker is None, timeout=20_000)


def test_check_movie_shows_traffic_lights(dock, qtbot):
    movie = dock.viewer.add_image(blinking_cell(), name="movie")
    assert dock.findings.isHidden()
    dock.check_button.click()
    wait(dock, qtbot)
    assert not dock.findings.isHidden()
    assert "●" in dock.findings.text()
    assert "<b>blinking</b>" in dock.findings.text()
    assert "For SOFI this movie is " in dock.findings.text()
    assert dock.run_button.text() == "Reconstruct"
    dock.viewer.add_image(blinking_cell(), name="other")
    dock.layer_box.setCurrentText("other")
    assert dock.findings.isHidden()
    dock.layer_box.setCurrentText(movie.name)
    dock.check_button.click()
    wait(dock, qtbot)
    assert not dock.findings.isHidden()
    dock.viewer.layers.clear()
    assert dock.findings.isHidden()


def test_advice_is_followed_by_one_click(dock, qtbot):
    dock.viewer.add_image(blinking_cell(), name="movie")
    shown_now(dock, qtbot)
    dock.findings.show_findings(ADVICE, None)
    qtbot.wait(150)
    assert set(dock.findings.buttons) == {"readout", "haze", "drift"}
    text = dock.findings.text()
    places = [text.index(f"<b>{name}</b>") for name in ("haze", "readout", "drift", "blinking")]
    assert places == sorted(places)  # the worst is on top
    assert not dock.form.advanced.isExpanded()
    labels = dock.findings.widget().findChildren(QLabel)
    before = [dock.findings.geometry(), *(label.geometry() for label in labels)]
    for name, editor in (
        ("haze", "background.method"),
        ("readout", "readout.shared_by"),
        ("drift", "drift.correct"),
    ):
        button = dock.findings.buttons[name]
        assert (button.text(), button.isEnabled()) == ("Use this", True)
        button.click()
        assert (button.text(), button.isEnabled()) == ("In use", False)
        assert dock.form.advanced.isExpanded()
        # The editor of what was set comes into view, and no text has moved.
        qtbot.waitUntil(lambda shown=dock.form.editors[editor]: seen(shown), timeout=5000)
        assert [dock.findings.geometry(), *(label.geometry() for label in labels)] == before
    settings = dock.form.settings()
    assert settings.readout.shared_by == "rows"
    assert settings.background.method == "high-pass"
    assert settings.drift.correct
    dock.form.editors["drift.correct"].setChecked(False)  # not what is advised
    assert dock.findings.buttons["drift"].text() == "Use this"
    assert dock.findings.buttons["drift"].isEnabled()
    assert dock.findings.buttons["drift"].toolTip() == "Set 'Correct drift' to yes."


def seen(editor) -> bool:
    """Whether an editor is inside what its scroll area shows."""
    area = editor.parentWidget()
    while not isinstance(area, QScrollArea):
        area = area.parentWidget()
    corner = editor.mapTo(area.viewport(), editor.rect().topLeft())
    end = editor.mapTo(area.viewport(), editor.rect().bottomRight())
    return corner.y() >= 0 and end.y() < area.viewport().height()


def test_each_text_can_be_read_where_there_is_little_room(dock, qtbot):
    dock.viewer.add_image(blinking_cell(), name="movie")
    shown_now(dock, qtbot)
    many = tuple(
        Finding(f"{finding.name} {k}", finding.value, finding.light, 8 * finding.advice)
        for finding in ADVICE
        for k in range(6)
    )
    dock.findings.show_findings(many, None)
    qtbot.wait(150)
    bar = dock.findings.verticalScrollBar()
    assert bar.maximum() > 0
    for label in dock.findings.widget().findChildren(QLabel):
        if label.wordWrap():
            assert label.height() >= label.heightForWidth(label.width())
    # Short findings take only the room that they need.
    dock.findings.show_findings(ADVICE, None)
    qtbot.wait(150)
    assert bar.maximum() == 0
    assert dock.findings.height() < 200


def test_unusable_frames_to_leave_out_are_told_in_one_sentence(dock, qtbot):
    dock.viewer.add_image(blinking_cell(), name="movie")
    for text, words in (
        ("ten", "Frames to leave out are given as ranges, e.g. 0-9, 57, not 'ten'."),
        ("0-10,", "Frames to leave out are given as"),
        ("1-2-3", "not '1-2-3'"),
        ("50-90", "Frames 50-90 cannot be left out of frames 0 to 59."),
        ("50:90", "Frames 50-89 cannot be left out of frames 0 to 59."),
        ("60", "Frame 60 cannot be left out of frames 0 to 59."),
        ("7-3", "Frames 7-3 cannot be left out"),
        ("-1", "not '-1'"),
        ("0-59", "All frames are left out; keep at least one."),
    ):
        dock.chooser.left_out.setText(text)
        for button in (dock.run_button, dock.check_button, dock.copy_button):
            dock.status.setText("")
            button.click()
            assert dock.worker is None
            assert words in dock.status.text()
            assert dock.status.text().endswith(".")
    dock.chooser.left_out.setText(" 0-9, 57 ")
    assert dock.chooser.movie().left_out == ((0, 10), (57, 58))
    assert dock.chooser.movie().shape == (49, 24, 24)
    dock.viewer.add_image(blinking_cell(), name="other")
    dock.layer_box.setCurrentText("other")
    assert dock.chooser.left_out.text() == ""  # as the range of frames, it belongs to a movie


def test_what_was_left_out_or_replaced_is_told(dock, qtbot, tmp_path):
    frames = blinking_cell(200)
    frames[57] = 0
    frames[120, 10, 12] = 60_000
    frames[33] = 5_000  # somebody opened the door
    path = tmp_path / "cell.tif"
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"})
    read = reader.get_reader(str(path))
    assert read is not None
    ((data, options, _),) = read(str(path))
    dock.viewer.add_image(data, **options)
    dock.first.setValue(5)
    dock.chooser.left_out.setText("33, 0-9")

    dock.check_button.click()
    wait(dock, qtbot)
    text = dock.findings.text()
    assert "<b>frames</b>: 188." in text
    assert "without content or light (57) was left out" in text
    assert "frame 120 at y 10, x 12" in text

    dock.run_button.click()
    wait(dock, qtbot)
    result = dock.viewer.layers["SOFI2 10–199 cell, without 0–9 33"].metadata["sofinet_result"]
    recipe = dock.viewer.layers["SOFI2 10–199 cell, without 0–9 33"].metadata["sofinet"]
    assert recipe["open"]["left_out"] == [[0, 10], [33, 34]]
    assert recipe["reconstruct"]["details"]["left_out_frames"] == 1
    assert recipe["reconstruct"]["details"]["replaced_spikes"] == 1
    for words in ("(57) was left out", "the first in frame 120 at y 10, x 12"):
        assert any(words in note for note in result.notes)
        assert words in dock.status.text()
        assert words in dock.status.text()

    dock.copy_button.click()
    words = shlex.split(QApplication.clipboard().text())
    assert words[words.index("--leave-out") + 1] == "0:10,33:34"
    words[words.index("-o") + 1] = str(tmp_path / "again.ome.tif")
    assert main(words[1:]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again.ome.tif"), result.image)
