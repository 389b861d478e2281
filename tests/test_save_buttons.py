"""Save… in the docks, and numbers that are measured again from their file alone."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.history import get_save_history
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy.ndimage import gaussian_filter

from napari_sofinet import Recipe, open_movie, reconstruct
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import read_localizations
from napari_sofinet.quality.picture import Picture, mean_of_movie
from napari_sofinet.quality.region_measurements import profiles_of, resolution_of
from napari_sofinet.widgets import save_dialog
from napari_sofinet.widgets.quality_widget import QualityWidget
from napari_sofinet.widgets.region_task import PROFILE
from napari_sofinet.widgets.result_layers import layers_of_file
from napari_sofinet.widgets.save_dialog import shown_path
from napari_sofinet.widgets.simulation_widget import SimulationWidget
from napari_sofinet.widgets.sofi_widget import SofiWidget
from napari_sofinet.widgets.table_reader import points_options
from napari_sofinet.widgets.table_widget import TableWidget


@pytest.fixture
def movie_file(tmp_path):
    rng = np.random.default_rng(3)
    light = gaussian_filter(rng.random((90, 96)) ** 20, 1.5) * 9000 + 20
    blinks = 1 + rng.random((40, 1, 1))
    path = tmp_path / "cell.tif"
    tifffile.imwrite(
        path,
        rng.poisson(blinks * light).astype(np.uint16),
        imagej=True,
        resolution=(10, 10),
        metadata={"axes": "TYX", "unit": "um", "finterval": 0.05},
    )
    return path


@pytest.fixture
def dialog(monkeypatch):
    """Answers of the dialog: a file and the number of the kind; keeps what was proposed."""

    class Dialog:
        answer: tuple[Path | None, int] = (None, 0)
        proposed = Path()
        kinds: tuple[str, ...] = ()

        def ask(self, parent, title, name, filters):
            self.proposed, self.kinds = Path(name), tuple(filters.split(";;"))
            path, number = self.answer
            return ("" if path is None else str(path)), self.kinds[number]

    made = Dialog()
    monkeypatch.setattr(save_dialog.QFileDialog, "getSaveFileName", staticmethod(made.ask))
    return made


def press(button, qtbot) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not button.busy, timeout=20_000)


@pytest.fixture
def sofi(make_napari_viewer, movie_file, qtbot):
    viewer = make_napari_viewer()
    viewer.open(str(movie_file), plugin="napari-sofinet")
    dock = SofiWidget(viewer)
    viewer.window.add_dock_widget(dock)
    assert not dock.save_button.isEnabled()
    dock.run_or_cancel()
    qtbot.waitUntil(lambda: dock.worker is None, timeout=60_000)
    return dock


def test_the_result_of_a_dock_is_saved_where_it_says(sofi, dialog, qtbot, tmp_path):
    press(sofi.save_button, qtbot)  # cancelled
    assert dialog.proposed.name.startswith("SOFI2 ")
    assert dialog.kinds[0].startswith("Picture with scale and recipe (*.ome.tif")
    folder = tmp_path / "results"
    folder.mkdir()
    dialog.answer = folder / "mine", 0
    press(sofi.save_button, qtbot)
    saved = folder / "mine.ome.tif"
    assert sofi.status.text() == f"Saved to {shown_path(saved)}."
    assert Recipe.load(saved).open.path == str(tmp_path / "cell.tif")
    dialog.answer = None, 0
    press(sofi.save_button, qtbot)
    assert dialog.proposed.parent == folder == Path(get_save_history()[0])
    (layer, *_) = sofi.viewer.open(str(saved), plugin="napari-sofinet")
    made = next(layer for layer in sofi.viewer.layers if "sofinet" in layer.metadata)
    np.testing.assert_array_equal(layer.data, made.data)
    np.testing.assert_allclose(layer.scale, made.scale)
    assert layer.name == "mine"


def test_a_file_is_replaced_only_after_a_question(sofi, dialog, qtbot, tmp_path, monkeypatch):
    (tmp_path / "mine.ome.tif").write_bytes(b"precious")
    asked = []
    monkeypatch.setattr(
        save_dialog.QMessageBox,
        "question",
        lambda *_: asked.append(1) or save_dialog.QMessageBox.StandardButton.No,
    )
    dialog.answer = tmp_path / "mine", 0
    press(sofi.save_button, qtbot)
    assert asked
    assert (tmp_path / "mine.ome.tif").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written")]
)
def test_a_failure_is_one_sentence_in_the_dock(
    sofi, dialog, qtbot, tmp_path, monkeypatch, number, words
):
    def fail(*_, **__):
        raise OSError(number, "no")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    dialog.answer = tmp_path / "mine.ome.tif", 0
    press(sofi.save_button, qtbot)
    assert words in sofi.status.text()
    assert not (tmp_path / "mine.ome.tif").exists()
    assert sofi.save_button.isEnabled()
    dialog.answer = tmp_path / "missing" / "mine.ome.tif", 0
    press(sofi.save_button, qtbot)
    assert "does not exist" in sofi.status.text()


def test_a_filtered_table_is_saved_for_either_program(make_napari_viewer, dialog, qtbot, tmp_path):
    rng = np.random.default_rng(1)
    table = LocalizationTable(
        np.sort(rng.integers(0, 50, 40)),
        *rng.uniform(2, 30, (2, 40)),
        photons=np.linspace(100, 900, 40),
        camera_pixel_um=0.1,
        shape=(32, 34),
    )
    viewer = make_napari_viewer()
    viewer.add_points(
        np.stack([table.y_px, table.x_px], axis=1),
        **points_options(table, 0.1),
        scale=(0.1, 0.1),
        units=("um", "um"),
        name="found",
        metadata={"sofinet_table": table},
    )
    dock = TableWidget(viewer)
    viewer.window.add_dock_widget(dock)
    kept = table.photons > 500
    dock.filter.least_photons.setText("500")
    for number, name in ((0, "t.csv"), (1, "t.hdf5"), (2, "t.ome.tif")):
        dialog.answer = tmp_path / name.split(".")[0], number
        press(dock.save_button, qtbot)
        assert str(name) in dock.status.text()
    for name in ("t.csv", "t.hdf5"):
        again = read_localizations(tmp_path / name, 0.1)
        assert len(again) == kept.sum()
    assert (tmp_path / "t.csv.recipe.json").exists()
    assert (tmp_path / "t.ome.tif").exists()


def test_a_simulated_movie_is_saved_with_its_truth(make_napari_viewer, dialog, qtbot, tmp_path):
    viewer = make_napari_viewer()
    dock = SimulationWidget(viewer)
    viewer.window.add_dock_widget(dock)
    dock.form.editors["frames"].setValue(5)
    dialog.answer = tmp_path / "made", 0
    qtbot.waitUntil(lambda: not dock.busy, timeout=30_000)
    QTest.mouseClick(dock.save_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.worker is None, timeout=60_000)
    assert dialog.proposed.name.startswith("simulated")
    assert (tmp_path / "made.tif").exists()
    assert (tmp_path / "made_truth.npz").exists()
    assert "Saved to" in dock.status.text()
    assert "made_truth.npz" in dock.status.text()


# -- numbers ------------------------------------------------------------------------------------


@pytest.fixture
def quality(make_napari_viewer, movie_file, qtbot):
    viewer = make_napari_viewer()
    viewer.open(str(movie_file), plugin="napari-sofinet")
    for data, options, _ in layers_of_file(reconstruct(open_movie(movie_file), "sofi"), "SOFI2"):
        viewer.add_image(data, **options)
    dock = QualityWidget(viewer)
    viewer.window.add_dock_widget(dock)
    dock.isVisible = lambda: True
    yield dock
    dock._timer.stop()
    qtbot.waitUntil(lambda: not dock.busy, timeout=20_000)


def measured(quality, qtbot, shape) -> None:
    """Wait for the numbers of a box or a line."""

    def there() -> bool:
        quality.look()
        known = quality.measurement
        return known is not None and known.shape == shape and not quality.busy

    qtbot.waitUntil(there, timeout=30_000)


def saved_rows(quality, dialog, qtbot, path, number=0) -> list[dict[str, str]]:
    dialog.answer = path, number
    press(quality.csv_button, qtbot)
    assert "Saved to" in quality.status.text()
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured_again(row) -> float | None:
    """The number of a row, from nothing but the row."""
    if row["recipe"]:
        recipe = Recipe.from_json(row["recipe"])
        step = recipe.reconstruct
        result = reconstruct(open_movie(recipe.open.path), step.method, **step.settings)
        picture = Picture(np.asarray(result.image, float))
    else:
        movie = open_movie(row["file"])
        assert row["frames"] == f"0:{movie.shape[0]}"
        picture = mean_of_movie(movie)
    picture = Picture(
        picture.image, halves=picture.halves, name=row["layer"], pixel_um=float(row["pixel_um"])
    )
    y0, x0, y1, x1 = (float(row[f"{c}_px"]) for c in ("y0", "x0", "y1", "x1"))
    region = {row["layer"]: (picture, ((y0, x0), (y1, x1)))}
    settings = json.loads(row["settings"])
    found = (
        profiles_of(region, settings["peaks"])
        if row["measurement"] == "Profile"
        else resolution_of(region)
    )
    return next(r.value for r in found.rows if r.quantity == row["quantity"])


def test_numbers_are_measured_again_from_their_file_alone(quality, dialog, qtbot, tmp_path):
    for kind, tab in (("rectangle", None), ("line", PROFILE)):
        quality.add_shape(kind)
        assert tab is None or quality.tabs.currentIndex() == tab
        measured(quality, qtbot, "line" if tab == PROFILE else "box")
        rows = saved_rows(quality, dialog, qtbot, tmp_path / f"{kind}.csv")
        assert {row["layer"] for row in rows} == {"cell", "SOFI2"}
        assert any(row["value"] for row in rows)
        for row in rows:
            if row["value"]:
                assert measured_again(row) == pytest.approx(float(row["value"]), rel=1e-9)
            y_um, y_px = float(row["y1_um"]), float(row["y1_px"])
            if row["layer"] == "cell":
                assert y_um == pytest.approx(0.1 * y_px)
            assert json.loads(row["versions"])["napari-sofinet"]


def test_curves_are_saved_as_numbers(quality, dialog, qtbot, tmp_path):
    quality.add_shape("line")
    measured(quality, qtbot, "line")
    rows = saved_rows(quality, dialog, qtbot, tmp_path / "curves.csv", 1)
    assert {row["layer"] for row in rows} == {"cell", "SOFI2"}
    assert {"data", "fit"} == {row["curve"] for row in rows}
    assert list(rows[0])[2].startswith("distance (nm)")
