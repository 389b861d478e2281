"""Dock widget "Localisations", and tables as the source of "Model reconstruction"."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QApplication
from shared_tables import drifting, some_table

from napari_sofinet.cli.main import main
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import read_localizations, write_localizations
from napari_sofinet.io import saved_settings
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.widgets import (
    method_widget,
    result_layers,
    table_reader,
    table_widget,
    table_work,
)
from napari_sofinet.widgets.movie_chooser import MovieChooser
from napari_sofinet.widgets.placement import picture_options
from napari_sofinet.widgets.tables import TableLayer, table_layers

DRAWN = {"render": "histogram", "fineness": 2.0}


@pytest.fixture
def notices(monkeypatch):
    """Sentences shown to the user."""
    shown: list[str] = []
    for module in (table_widget, table_reader, method_widget, result_layers):
        for name in ("show_error", "tell", "warn"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, shown.append)
    return shown


@pytest.fixture
def viewer(make_napari_viewer, notices):
    return make_napari_viewer()


@pytest.fixture
def widget(viewer):
    made = table_widget.TableWidget(viewer)
    viewer.window.add_dock_widget(made)
    return made


def opened(viewer, tmp_path, table, name="locs.hdf5"):
    """The layer of a table that napari has read from a file."""
    write_localizations(tmp_path / name, table)
    (layer,) = viewer.open(str(tmp_path / name), plugin="napari-sofinet")
    return layer


def run(widget, qtbot) -> None:
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)


def brightest(layer) -> np.ndarray:
    """World coordinates of the highest sample."""
    at = np.unravel_index(layer.data.argmax(), layer.data.shape)
    return np.asarray(layer.data_to_world(at))


def test_what_is_kept_is_counted_while_one_types(viewer, widget, qtbot, tmp_path):
    assert "Open a table" in widget.kept.text()
    table = some_table()
    layer = opened(viewer, tmp_path, table)
    assert widget.kept.text() == "500 of 500 localisations"
    assert widget.filter.uncertainty_label.text() == "Uncertainty (nm)"
    assert widget.filter.last.text() == str(table.frame.max())
    assert widget.filter.conditions(table) == []  # the whole range is no condition
    assert float(widget.filter.most_uncertainty.text()) == pytest.approx(
        100 * table.uncertainty_px.max(), rel=1e-2
    )
    for edit, text in (
        (widget.filter.least_photons, "1000"),
        (widget.filter.most_photons, "4000,5"),
        (widget.filter.most_uncertainty, "20"),
        (widget.filter.first, "10"),
        (widget.filter.last, "80"),
    ):
        edit.setText(text)
    rows = (table.photons >= 1000) & (table.photons <= 4000.5) & (table.uncertainty_px <= 0.2)
    rows &= (table.frame >= 10) & (table.frame <= 80)
    wanted = f"{np.count_nonzero(rows)} of 500 localisations"
    qtbot.waitUntil(lambda: widget.kept.text() == wanted, timeout=2000)
    np.testing.assert_array_equal(layer.size > 0, rows)  # only those are seen
    widget.filter.most_photons.setText("50")
    qtbot.waitUntil(lambda: "photons <= 50; it goes from" in widget.kept.text(), timeout=2000)
    widget.filter.most_photons.setText("many")
    qtbot.waitUntil(lambda: "must be a number" in widget.kept.text(), timeout=2000)
    widget.filter.most_photons.setText("")
    widget.filter.last.setText("9")
    qtbot.waitUntil(lambda: "meets all of the conditions" in widget.kept.text(), timeout=2000)
    # Points that were deleted do not count.
    for edit in (
        widget.filter.least_photons,
        widget.filter.most_uncertainty,
        widget.filter.first,
        widget.filter.last,
    ):
        edit.setText("")
    layer.selected_data = set(range(100))
    layer.remove_selected()
    qtbot.waitUntil(lambda: widget.kept.text() == "400 of 400 localisations", timeout=2000)
    widget.filter.least_photons.setText("1e9")
    qtbot.waitUntil(lambda: not layer.size.any(), timeout=2000)
    viewer.window.remove_dock_widget(widget)
    assert (layer.size > 0).all()


def test_picture_and_points_lie_where_the_table_does(viewer, widget, qtbot, tmp_path):
    rng = np.random.default_rng(2)
    # Most flashes are at one place, the others spread; faint ones far away are left out.
    frame = np.sort(rng.integers(0, 90, 300))
    y, x = rng.uniform(0, 30, (2, 300))
    y[::3], x[::3] = 12.4, 21.7
    photons = np.full(300, 900.0)
    photons[1::3], y[1::3], x[1::3] = 100, 25, 3
    table = LocalizationTable(
        frame, y, x, photons, np.full(300, 0.1), camera_pixel_um=0.16, shape=(30, 40)
    )
    layer = opened(viewer, tmp_path, table)
    # As a user may move it, to lie over something else.
    layer.translate = (3.0, -2.0)
    widget.filter.least_photons.setText("500")
    widget.samples.setText("16")
    run(widget, qtbot)
    picture, points = viewer.layers[-2:]
    world = (12.4 * 0.16 + 3, 21.7 * 0.16 - 2)
    np.testing.assert_allclose(brightest(picture), world, atol=0.009)
    np.testing.assert_allclose(picture.scale, 0.016)
    assert [str(unit) for unit in picture.units] == ["micrometer"] * 2
    assert picture.data.sum() == pytest.approx(200, rel=0.01)
    assert len(points.data) == 200
    np.testing.assert_allclose(
        [points.data_to_world(at) for at in points.data[::50]],
        [layer.data_to_world(at) for at in layer.data[photons > 500][::50]],
    )
    assert not points.visible
    assert "200 of 300" in widget.status.text()
    # Both can be saved; the picture's recipe makes it again.
    assert picture.save(str(tmp_path / "picture.ome.tif"), plugin="napari-sofinet")
    saved = Reconstruction.load(tmp_path / "picture.ome.tif")
    assert saved.recipe.reconstruct.settings["where"] == "photons >= 500"
    words = ["run", str(tmp_path / "picture.ome.tif"), "-o", str(tmp_path / "again.ome.tif")]
    assert main(words) == 0
    np.testing.assert_array_equal(
        Reconstruction.load(tmp_path / "again.ome.tif").image, picture.data
    )
    for saving, name in ((points, "kept.csv"), (picture, "drawn.csv")):
        assert saving.save(str(tmp_path / name), plugin="napari-sofinet")
        again = read_localizations(tmp_path / name, 0.16)
        np.testing.assert_allclose(again.y_px, table.y_px[photons > 500], atol=1e-5)
    # The points made here are a table like any other.
    widget.table_box.setCurrentIndex(widget.table_box.findText(points.name))
    assert "200 of 200" in widget.kept.text()


def test_known_drift_is_found_and_shown(viewer, widget, qtbot, tmp_path, notices):
    table, way = drifting(6000, 1000)
    layer = opened(viewer, tmp_path, table)
    widget.drift_box.setChecked(True)
    widget.spots_box.setCurrentText("no picture")
    run(widget, qtbot)
    assert notices == []
    points = viewer.layers[-1]
    assert points is not layer
    moved = 100 * np.ptp(way, axis=0)
    words = widget.drift_text.text().split()
    assert float(words[2]) == pytest.approx(moved[0], abs=6)
    assert float(words[6]) == pytest.approx(moved[1], abs=6)
    assert not widget.curve.pixmap().isNull()
    assert widget.curve.isVisibleTo(widget)
    found = layer.data - points.data
    error = found - way[table.frame]
    assert 100 * np.abs(error - error.mean(axis=0)).max() < 20
    assert points.save(str(tmp_path / "still.hdf5"), plugin="napari-sofinet")
    again = read_localizations(tmp_path / "still.hdf5")
    np.testing.assert_allclose(again.x_px, points.data[:, 1], atol=1e-5)
    # What was removed meanwhile gets no layers.
    widget.run_or_cancel()
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "was removed" in widget.status.text()
    assert list(viewer.layers) == [points]
    # Cancel is heard, and nothing is added then.
    before = list(viewer.layers)
    widget.table_box.setCurrentIndex(0)
    widget.run_or_cancel()
    assert widget.run_button.text() == "Cancel"
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert widget.status.text() == "Cancelled."
    assert list(viewer.layers) == before


def test_bad_input_is_one_sentence(viewer, widget, qtbot, tmp_path):
    widget.run_or_cancel()
    assert "Open a table" in widget.status.text()
    layer = opened(viewer, tmp_path, some_table())
    before = len(viewer.layers)
    widget.drift_box.setChecked(True)
    run(widget, qtbot)
    assert "500 localisations in 100 frames" in widget.status.text()
    widget.block.setText("often")
    widget.run_or_cancel()
    assert "block must be a number" in widget.status.text()
    widget.drift_box.setChecked(False)
    widget.samples.setText("0")
    run(widget, qtbot)
    assert "greater than 0" in widget.status.text()
    widget.samples.setText("20")
    widget.filter.least_photons.setText("1e9")
    run(widget, qtbot)
    assert "photons >= 1000000000" in widget.status.text()
    widget.filter.least_photons.setText("")
    widget.spots_box.setCurrentText("no picture")
    run(widget, qtbot)
    assert "would not change" in widget.status.text()
    layer.add((3, 4))
    widget.run_or_cancel()
    assert "Points were added" in widget.status.text()
    layer.selected_data = set(range(501))
    layer.remove_selected()
    run(widget, qtbot)
    assert "contains no localisations" in widget.status.text()
    assert len(viewer.layers) == before
    viewer.layers.clear()
    assert widget.table_box.count() == 0
    assert "Open a table" in widget.kept.text()


def test_a_table_without_a_pixel_size_or_columns(viewer, widget, qtbot, tmp_path, notices):
    (tmp_path / "p.csv").write_text("frame,x_px,y_px\n0,4.5,2\n1,4.5,2\n3,9,9\n")
    viewer.open(str(tmp_path / "p.csv"), plugin="napari-sofinet")
    assert widget.filter.uncertainty_label.text() == "Uncertainty (px)"
    assert not widget.filter.least_photons.isEnabled()
    assert not widget.filter.most_uncertainty.isEnabled()
    assert widget.unit_box.currentText() == table_widget.PER_PIXEL
    widget.samples.setText("10")
    widget.spots_box.setCurrentText("localisations per pixel")
    run(widget, qtbot)
    picture = viewer.layers[-1]  # nothing was left out, so there are no new points
    np.testing.assert_allclose(picture.scale, 0.1)
    np.testing.assert_allclose(brightest(picture), (2, 4.5), atol=0.051)
    assert picture.data.max() == 2
    assert len(viewer.layers) == 2
    widget.pixel_edit.setText("-1")
    assert "impossible" in widget.kept.text()
    widget.pixel_edit.setText("0,16")
    assert widget.filter.uncertainty_label.text() == "Uncertainty (nm)"
    widget.unit_box.setCurrentText(table_widget.NM)
    widget.samples.setText("40")
    run(widget, qtbot)
    picture = viewer.layers[-1]
    # The layers stay over one another in pixels; the file is in um.
    np.testing.assert_allclose(brightest(picture), (2, 4.5), atol=0.126)
    assert picture.save(str(tmp_path / "p.ome.tif"), plugin="napari-sofinet")
    saved = Reconstruction.load(tmp_path / "p.ome.tif")
    assert saved.pixel_size_um == pytest.approx((0.04, 0.04))


def test_too_many_stay_a_picture(viewer, widget, qtbot, tmp_path, notices, monkeypatch):
    for module in (table_reader, table_work, result_layers):
        monkeypatch.setattr(module, "MOST_POINTS", 200)
    table = some_table(shape=(40, 60))
    table.y_px[:50], table.x_px[:50] = 20.3, 31.6
    layer = opened(viewer, tmp_path, table)
    assert type(layer).__name__ == "Image"
    # The picture from the reader carries its table: it is saved and filtered like points.
    assert layer.save(str(tmp_path / "all.csv"), plugin="napari-sofinet")
    assert len(read_localizations(tmp_path / "all.csv", 0.1)) == 500
    widget.filter.last.setText("90")
    run(widget, qtbot)
    picture = viewer.layers[-1]
    np.testing.assert_allclose(brightest(picture), (2.03, 3.16), atol=0.011)
    np.testing.assert_allclose(brightest(layer), (2.03, 3.16), atol=0.011)
    assert "too many for napari" in notices[-1]
    assert [type(one).__name__ for one in viewer.layers] == ["Image", "Image"]
    assert picture.save(str(tmp_path / "some.csv"), plugin="napari-sofinet")
    assert len(read_localizations(tmp_path / "some.csv", 0.1)) == np.sum(table.frame <= 90)
    widget.spots_box.setCurrentText("no picture")
    run(widget, qtbot)
    assert "choose a picture" in widget.status.text()


def test_tables_of_pictures_keep_their_place_on_a_turned_movie(viewer, widget, qtbot):
    """A picture that lies over a movie that was turned and moved, as deepstorm leaves it."""
    table = replace(some_table(300, shape=(40, 60)), photons=None, camera_pixel_um=None)
    table.y_px[:40], table.x_px[:40] = 10.2, 33.1
    movie = viewer.add_image(np.zeros((5, 40, 60)), name="cell", scale=(1, 0.2, 0.2))
    angle = np.deg2rad(30)
    turned = np.eye(4)
    turned[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[1:3, 3] = 4, -7
    movie.affine = turned
    result = reconstruct(replace(table, frame_interval_s=0.05), "table", **DRAWN)
    result = replace(result, localizations=table)
    picture = viewer.add_image(result.image, **picture_options(movie, result, "found", 0))
    assert table_layers(viewer.layers) == [picture]
    seen = TableLayer(picture)
    wanted = movie.data_to_world((0, 10.2, 33.1))
    np.testing.assert_allclose(seen.data_to_world((3, 10.2, 33.1)), (0.15, *wanted[1:]))
    np.testing.assert_allclose(seen.world_to_data((0.15, *wanted[1:])), (3, 10.2, 33.1))
    widget.filter.last.setText("95")
    widget.samples.setText("8")
    run(widget, qtbot)
    drawn, points = viewer.layers[-2:]
    np.testing.assert_allclose(brightest(drawn), wanted[1:], atol=0.2 / 8)
    np.testing.assert_allclose(
        points.data_to_world((10.2, 33.1)), movie.data_to_world((0, 10.2, 33.1))[1:]
    )
    # The picture and the points carry the same table, which is offered once.
    assert table_layers(viewer.layers) == [picture, points]
    assert TableLayer(points).interval_s == 0.05


def test_the_manifest_offers_the_widget():
    from npe2 import PluginManifest

    widgets = PluginManifest.from_distribution("napari-sofinet").contributions.widgets
    (mine,) = (one for one in widgets if one.display_name == "Localisations")
    assert mine.command == "napari-sofinet.localisations"


@pytest.fixture
def models(viewer, monkeypatch, tmp_path, notices):
    """The dock widget, with weights of a small DBlink that has learnt nothing."""
    torch = pytest.importorskip("torch")
    from shared_networks import card

    from napari_sofinet.networks import weights
    from napari_sofinet.networks.dblink import BlinkNet
    from napari_sofinet.widgets import model_widget

    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path / "weights")
    torch.manual_seed(3)
    net = BlinkNet(features=4)
    small = card("dblink", parameters={"features": 4})
    weights.save(tmp_path / "weights" / "small.safetensors", net.state_dict(), small)
    made = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(made)
    return made


def choose(models, network: str) -> None:
    models.network_box.setCurrentIndex(models.network_box.findData(network))


def test_dblink_starts_from_localisations(viewer, models, qtbot, tmp_path, notices):
    table = some_table(2000, shape=(40, 60))
    layer = opened(viewer, tmp_path, table)
    assert models.layer_box.count() == 0  # another network needs a movie
    assert "Open a movie" in models.status.text()
    assert not models.run_button.isEnabled()
    choose(models, "dblink")
    assert models.layer_box.currentData() is layer
    assert models.run_button.isEnabled()
    assert (models.first.value(), models.last.value()) == (0, 99)
    assert models.pixel_edit.text() == "0.1"
    assert not models.chooser.left_out.isEnabled()  # a table has no frames to leave out
    # Nothing is localized, so nothing of it can be set.
    editors = models.form.editors
    assert editors["localize.weights"].isHidden()
    assert not editors["localize.certainty"].isVisibleTo(models.form)
    assert not editors["weights"].isHidden()
    models.form.editors["weights"].setCurrentText("small")
    models.first.setValue(20)
    models.form.editors["window"].setValue(10)
    models.form.editors["step"].setText("20")
    run(models, qtbot)
    film = viewer.layers[-1]
    assert film.data.shape == (80, 160, 240)  # a picture at each frame that was used
    assert film.data.pictures.shape == (4, 160, 240)
    np.testing.assert_array_equal(film.data[44 - 20], film.data.pictures[1])
    # No second layer of the same points.
    assert [type(one).__name__ for one in viewer.layers] == ["Points", "Image", "Image"]
    # Camera pixel (8, 9.5) is sample 4 * 8.5 - 0.5; picture 1 is of frames 40 to 49.
    np.testing.assert_allclose(
        film.data_to_world((24.5, 33.5, 39.5)), (44.5, *layer.data_to_world((8, 9.5))), rtol=1e-6
    )
    assert [str(unit) for unit in film.units] == ["pixel", "micrometer", "micrometer"]
    assert film.metadata["sofinet_result"].recipe.repeatable
    assert film.save(str(tmp_path / "film.ome.tif"), plugin="napari-sofinet")
    assert Reconstruction.load(tmp_path / "film.ome.tif").time_series == (24.5, 20.0)
    models.copy_command()
    command = QApplication.clipboard().text()
    assert command.startswith(f"sofinet reconstruct dblink {tmp_path / 'locs.hdf5'} -o locs_dblink")
    layer.selected_data = {0}
    layer.remove_selected()
    models.copy_command()
    assert "Save the layer as TABLE.hdf5 first" in models.status.text()
    choose(models, "sofinet")
    assert layer not in [models.layer_box.itemData(k) for k in range(models.layer_box.count())]


def test_dblink_keeps_the_time_and_place_of_the_movie(viewer, models, qtbot):
    """Points that were found in a movie of 0.05 s, with a box that cuts the field."""
    table = replace(some_table(1500, shape=(40, 60)), camera_pixel_um=0.1)
    movie = viewer.add_image(
        np.zeros((100, 40, 60), np.uint8),
        name="cell",
        scale=(0.05, 0.1, 0.1),
        translate=(0, 2, 3),
        units=("second", "micrometer", "micrometer"),
    )
    result = reconstruct(replace(table, frame_interval_s=0.05), "table", **DRAWN)
    models.add_pictures(movie, replace(result, localizations=table))
    points = viewer.layers[-1]
    choose(models, "dblink")
    names = [models.layer_box.itemText(k) for k in range(models.layer_box.count())]
    assert names == ["cell", points.name]
    models.layer_box.setCurrentIndex(1)
    models.form.editors["weights"].setCurrentText("small")
    models.form.editors["step"].setText("30")
    models.form.editors["window"].setValue(30)
    box = np.array([[2.8, 3.6], [4.8, 6.6]])
    shapes = viewer.add_shapes(name="box", ndim=2, units=points.units)
    shapes.add(box, shape_type="rectangle")
    models.roi_box.setCurrentIndex(models.roi_box.findText("box"))
    run(models, qtbot)
    film = viewer.layers[-1]
    assert film.data.shape[0] == 100
    assert film.data.pictures.shape[0] == 3
    np.testing.assert_array_equal(film.data[44], film.data.pictures[1])
    # Picture 1 is of frames 30 to 59.
    first = 4 * (np.array([8, 6]) + 0.5) - 0.5 - 4 * np.array([8, 6])  # camera pixel (8, 6)
    np.testing.assert_allclose(
        film.data_to_world((44.5, *first)), movie.data_to_world((44.5, 8, 6)), atol=1e-6
    )
    assert film.units == movie.units


def test_a_table_is_offered_with_the_frames_that_it_is_from(viewer):
    table = replace(some_table(), frames=500, looked_at=(0, 200))
    layer = viewer.add_points(
        np.stack([table.y_px, table.x_px], axis=1), metadata={"sofinet_table": table}
    )
    chooser = MovieChooser(viewer)
    chooser.offer([layer], lambda *_: None)
    assert (chooser.first.value(), chooser.last.value()) == (0, 199)
    assert chooser.last.maximum() == 499
