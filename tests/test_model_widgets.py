"""Dock widgets "Model reconstruction" and "Train or fine-tune"."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari.layers import Image  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtWidgets import QLabel, QScrollArea  # noqa: E402
from shared_networks import save_posterior, save_small  # noqa: E402

from napari_sofinet.data.reconstruction import Reconstruction  # noqa: E402
from napari_sofinet.data.table_files import read_localizations  # noqa: E402
from napari_sofinet.io import saved_settings  # noqa: E402
from napari_sofinet.methods.registry import networks  # noqa: E402
from napari_sofinet.networks import weights  # noqa: E402
from napari_sofinet.training.task import task_of  # noqa: E402
from napari_sofinet.widgets import method_widget, model_widget, train_widget  # noqa: E402

POINT = np.array([8.0, 9.5])


@pytest.fixture
def notices(monkeypatch):
    """Sentences shown to the user."""
    shown: list[str] = []
    for module in (method_widget, model_widget, train_widget):
        for name in ("show_error", "show_warning", "show_info"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, shown.append)
    return shown


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch, tmp_path, notices):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path / "weights")
    save_small(tmp_path / "weights" / "small.safetensors")
    return make_napari_viewer()


def movie_layer(viewer) -> Image:
    y, x = np.mgrid[:36, :44]
    psf = np.exp(-((y - POINT[0]) ** 2 + (x - POINT[1]) ** 2) / (2 * 1.1**2))
    on = np.arange(120) % 7 == 0
    noise = np.random.default_rng(0).normal(0, 2, (120, 36, 44))
    frames = (1000 * on[:, None, None] * psf + 100 + noise).astype(np.uint16)
    layer = viewer.add_image(frames, name="cell", scale=(1, 0.1, 0.1), translate=(0, 5, 7))
    layer.units = ("second", "micrometer", "micrometer")
    return layer


def test_a_picture_and_a_film_lie_over_the_movie(viewer, qtbot, notices, tmp_path):
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    layer = movie_layer(viewer)
    widget.last.setValue(19)
    widget.form.editors["weights"].setCurrentText("small")
    assert widget.prior.text() == "small has seen nothing."
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    picture = viewer.layers[-1]
    assert picture.name == "net 0–19 cell, small"
    assert picture.data.shape == (71, 87)
    for point in ((0, 0), (8, 9.5)):
        np.testing.assert_allclose(
            picture.data_to_world(2 * np.array(point)), layer.data_to_world((0, *point))[1:]
        )
    assert "Done" in widget.status.text()
    widget.form.editors["window"].setText("10")
    widget.form.editors["step"].setValue(5)
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    film = viewer.layers[-1]
    assert film.data.shape == (20, 71, 87)  # each frame shows the picture nearest in time
    assert film.save(str(tmp_path / "film.ome.tif"))
    saved = Reconstruction.load(tmp_path / "film.ome.tif")
    assert saved.time_series == (9.5 - 5, 5.0)
    assert saved.image.shape == (3, 71, 87)
    # Pictures are of frames 0 to 9, 5 to 14 and 10 to 19; the middle of the second is 9.5.
    for frame, number in ((0, 0), (6, 0), (7, 1), (11, 1), (12, 2), (19, 2)):
        np.testing.assert_array_equal(film.data[frame], saved.image[number])
        np.testing.assert_allclose(
            film.data_to_world((frame, 16, 19)), layer.data_to_world((frame, 8, 9.5))
        )
    widget.form.editors["window"].setText("3")
    widget.run_or_cancel()
    assert "'Frames per picture' must be" in widget.status.text()
    assert notices == []


def test_localisations_lie_over_the_movie_and_can_be_saved(viewer, qtbot, tmp_path):
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    layer = movie_layer(viewer)
    widget.network_box.setCurrentIndex(widget.network_box.findData("deepstorm"))
    widget.last.setValue(29)
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    picture, points = viewer.layers[-2:]
    brightest = np.unravel_index(picture.data.argmax(), picture.data.shape)
    world = layer.data_to_world((0, *POINT))[1:]
    np.testing.assert_allclose(picture.data_to_world(brightest), world, atol=0.015)
    # Also where there are too many for a layer of points.
    assert picture.save(str(tmp_path / "all.csv"), plugin="napari-sofinet")
    assert len(read_localizations(tmp_path / "all.csv", 0.1)) == len(points.data)
    sure = points.features["photons"] > 3000
    assert sure.sum() == 5  # it shines in frames 0, 7, 14, 21 and 28
    np.testing.assert_allclose(
        [points.data_to_world(at) for at in points.data[sure]], np.tile(world, (5, 1)), atol=0.003
    )
    points.selected_data = set(np.flatnonzero(~sure))
    points.remove_selected()
    assert points.save(str(tmp_path / "found.csv"), plugin="napari-sofinet")
    table = read_localizations(tmp_path / "found.csv", 0.1)
    assert sorted(table.frame) == [0, 7, 14, 21, 28]
    np.testing.assert_allclose(table.y_px, POINT[0], atol=0.03)


def test_every_network_can_be_chosen_for_training(viewer):
    widget = train_widget.TrainWidget(viewer)
    movie_layer(viewer)
    for row in range(widget.network_box.count()):
        widget.network_box.setCurrentIndex(row)
        network = widget.network_box.currentData()
        assert isinstance(widget.form.settings(), task_of(networks()[network]).settings)
        assert widget.movie_list.isEnabled() is (network in ("sofinet", "convgru", "unet"))


def test_sofi_beside_the_model_opens_compare(viewer, qtbot):
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    movie_layer(viewer)
    widget.form.editors["weights"].setCurrentText("small")
    widget.compare_with_sofi()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert {"cell", "SOFI2 0–119 cell", "net 0–119 cell, small"} <= {
        layer.name for layer in viewer.layers
    }
    docked = viewer.window.dock_widgets
    (compare,) = (docked[name] for name in docked if name.startswith("Compare"))
    assert [layer.name for layer in compare.chooser.pair()] == [
        "net 0–119 cell, small",
        "SOFI2 0–119 cell",
    ]
    assert compare.side_button.isChecked()
    qtbot.waitUntil(lambda: not compare.busy, timeout=30_000)


def test_sofi_beside_the_model_computes_only_what_is_missing(viewer, qtbot, monkeypatch):
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    layer = movie_layer(viewer)
    widget.form.editors["weights"].setCurrentText("small")
    ran = []
    run = model_widget.reconstruct

    def counted(movie, method, **options):
        ran.append(method)
        return run(movie, method, **options)

    def compared():
        ran.clear()
        widget.compare_with_sofi()
        qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
        (name,) = (name for name in viewer.window.dock_widgets if name.startswith("Compare"))
        compare = viewer.window.dock_widgets[name]
        qtbot.waitUntil(lambda: not compare.busy, timeout=30_000)
        return ran, [layer.name for layer in compare.chooser.pair()]

    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    monkeypatch.setattr(model_widget, "reconstruct", counted)
    names = ["net 0–119 cell, small", "SOFI2 0–119 cell"]
    assert compared() == (["sofi"], names)
    assert compared() == ([], names)
    assert len(viewer.layers) == 3
    widget.last.setValue(59)
    both = ["sofi", widget.method.name]
    assert compared()[0] == both
    widget.last.setValue(119)
    viewer.layers.remove(names[0])
    assert compared() == ([widget.method.name], names)
    layer.data = layer.data[:, ::-1].copy()  # the pictures are of other frames then
    assert compared()[0] == both


def test_another_network_has_its_own_weights(viewer, notices):
    widget = model_widget.ModelWidget(viewer)
    movie_layer(viewer)
    widget.network_box.setCurrentIndex(widget.network_box.findData("unet"))
    assert widget.form.editors["weights"].network == "unet"
    assert "no weights" in widget.prior.text()


def test_training_on_own_movies_makes_a_model(viewer, qtbot, tmp_path, notices):
    widget = train_widget.TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    movie_layer(viewer)
    assert "simulated" in widget.missing.text()
    widget.movie_list.item(0).setCheckState(Qt.CheckState.Checked)
    assert "3000" in widget.missing.text()
    for name, value in (("side_px", 16), ("batch", 2), ("validate_every", 2), ("steps", 4)):
        widget.form.editors[name].setValue(value)
    widget.form.editors["start"].choose("small")
    widget.name_edit.setText("no/name")
    widget.run_or_cancel()
    assert "name" in widget.status.text()
    widget.name_edit.setText("mine")
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=120_000)
    assert not widget.picture.pixmap().isNull()
    assert "mine was trained for" in widget.status.text()
    assert "4 steps" in widget.status.text()
    card = weights.read_card(tmp_path / "weights" / "mine.safetensors")
    assert card.steps == 4
    assert card.prior.startswith("It is small, fine-tuned on your own movies.")
    # It can be chosen at once.
    model = model_widget.ModelWidget(viewer)
    box = model.form.editors["weights"]
    assert "mine" in [box.itemText(row) for row in range(box.count())]


def test_a_ticked_movie_can_be_renamed(viewer):
    widget = train_widget.TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    movie_layer(viewer)
    layer = movie_layer(viewer)
    widget.movie_list.item(1).setCheckState(Qt.CheckState.Checked)
    layer.name = "renamed"
    assert [movie.name for movie in widget._movies()] == ["renamed"]
    assert widget.movie_list.item(1).text() == "renamed"
    assert widget.movie_list.item(1).checkState() == Qt.CheckState.Checked
    assert "3000" in widget.missing.text()
    viewer.layers.remove(layer)
    assert widget._movies() == []
    assert "simulated" in widget.missing.text()


def test_cancelled_training_stops_soon(viewer, qtbot, tmp_path):
    widget = train_widget.TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    for name, value in (("side_px", 16), ("batch", 1), ("validate_every", 1)):
        widget.form.editors[name].setValue(value)
    widget.form.editors["start"].choose("small")
    widget.name_edit.setText("left")
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: not widget.picture.isHidden(), timeout=120_000)
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    qtbot.waitUntil(lambda: "are kept as left" in widget.status.text(), timeout=60_000)
    assert (tmp_path / "weights" / "left.safetensors").exists()


def test_samples_are_shown_by_a_slider(viewer, qtbot, notices, tmp_path):
    name = save_posterior(tmp_path / "weights" / "mine.safetensors", "sofinet-universal")
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    layer = movie_layer(viewer)
    widget.last.setValue(9)
    widget.network_box.setCurrentIndex(widget.network_box.findData("ddpm"))
    widget.form.editors["weights"].setCurrentText(name)
    widget.form.editors["samples"].setValue(4)
    assert not widget.sample_slider.isVisibleTo(widget)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert widget.sample_slider.isVisibleTo(widget)
    picture = viewer.layers["ddpm 0–9 cell, mine, samples 4"]
    result = picture.metadata["sofinet_result"]
    assert result.samples.shape == (4, 71, 87)
    for number in (2, 3, 0):
        widget.sample_slider.slider.setValue(number)
        shown = viewer.layers["sample cell, ddpm 0–9, mine, samples 4"]
        np.testing.assert_array_equal(shown.data, result.samples[number])
        assert f"{number + 1} of 4" in widget.sample_slider.label.text()
    # Over the movie, where the mean lies too.
    np.testing.assert_allclose(shown.data_to_world((0, 0)), layer.data_to_world((0, 0, 0))[1:])
    viewer.layers.remove(shown)
    widget.sample_slider.slider.setValue(1)
    assert "sample cell, ddpm 0–9, mine, samples 4" in viewer.layers
    assert len(viewer.layers) == 8  # movie, five maps, where not to believe them, a sample


@pytest.mark.parametrize("kind", [model_widget.ModelWidget, train_widget.TrainWidget])
def test_forms_are_seen_in_their_whole_width(viewer, qtbot, kind):
    movie_layer(viewer)
    widget = kind(viewer)
    qtbot.addWidget(widget)
    widget.resize(340, 600)
    widget.show()
    scroll = widget.findChild(QScrollArea)
    # As after a choice that brings a wide entry.
    wide = QLabel()
    wide.setMinimumWidth(400)
    scroll.widget().layout().addWidget(wide)
    qtbot.waitUntil(lambda: scroll.viewport().width() >= 400)
    assert not scroll.horizontalScrollBar().isVisible()
