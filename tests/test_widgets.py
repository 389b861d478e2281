"""The real widgets in a real viewer: run, cancel, overlay, presets, reader, writer."""

from __future__ import annotations

import importlib
import shlex
import threading
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_sofinet import Recipe, Reconstruction
from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import build
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io import saved_settings
from napari_sofinet.methods import run as run_module
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.methods.sofi import SofiSettings
from napari_sofinet.simulation import simulate
from napari_sofinet.widgets import (
    layer_box,
    layers,
    method_widget,
    reader,
    simulation_widget,
    sofi_widget,
)
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.held_film import film_itself
from napari_sofinet.widgets.worker import TaskWorker
from napari_sofinet.widgets.writer import write_reconstruction

POINT = np.array([8.2, 9.6])


def blinking_point(frames: int = 60) -> np.ndarray:
    y, x = np.mgrid[:18, :20]
    psf = np.exp(-((y - POINT[0]) ** 2 + (x - POINT[1]) ** 2) / (2 * 1.1**2))
    on = np.arange(frames) % 7 == 0
    return (1000 * on[:, None, None] * psf + 100).astype(np.uint16)


@pytest.fixture
def notices(monkeypatch):
    """Sentences shown to the user."""
    shown: list[str] = []
    for name in ("show_error", "show_warning", "show_info"):
        monkeypatch.setattr(method_widget, name, shown.append, raising=False)
    return shown


@pytest.fixture
def widget(make_napari_viewer, qtbot, notices, monkeypatch, tmp_path):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    viewer = make_napari_viewer()
    made = sofi_widget.SofiWidget(viewer)
    viewer.window.add_dock_widget(made, name="SOFI")
    return made


@pytest.fixture
def simulation(make_napari_viewer, qtbot):
    """The dock widget that simulates, waited for in the end."""
    made = []

    def make(viewer=None):
        viewer = viewer or make_napari_viewer()
        made.append(simulation_widget.SimulationWidget(viewer))
        viewer.window.add_dock_widget(made[-1], name="simulate")
        return made[-1]

    yield make
    for widget in made:
        qtbot.waitUntil(lambda w=widget: not w.busy, timeout=20_000)


def run(widget, qtbot):
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)


def world_centre(layer) -> np.ndarray:
    image = layer.data.astype(float)
    index = [np.sum(image * grid) / image.sum() for grid in np.indices(image.shape)]
    return np.asarray(layer.data_to_world(index))


@pytest.mark.parametrize("method", methods().values(), ids=lambda m: m.name)
def test_an_untouched_form_is_the_default(qtbot, method):
    form = SettingsForm(method.settings)
    qtbot.addWidget(form)
    assert form.settings() == method.settings()


def test_a_form_holds_what_it_is_given(qtbot):
    form = SettingsForm(SofiSettings)
    qtbot.addWidget(form)
    for values in (
        {"order": 4, "psf_fwhm_px": 2.123456789, "deconvolution.truncate_percent": 1e-4},
        {"psf_fwhm_px": None, "deconvolution.reconvolve": False, "pixel_sets": "single"},
    ):
        chosen = build(SofiSettings, values)
        form.set_settings(chosen)
        assert form.settings() == chosen
    for text in ("wide", "1,000.5", "1,2,3"):
        form.editors["psf_fwhm_px"].setText(text)
        with pytest.raises(InputError, match=f"^PSF width must be a number, not '{text}'"):
            form.settings()
    form.editors["psf_fwhm_px"].setText("2,5")
    assert form.settings().psf_fwhm_px == 2.5


@pytest.mark.parametrize(
    ("scale", "translate", "units", "pixel_um"),
    [
        ((1, 1, 1), (0, 0, 0), "pixel", None),
        ((1, 108, 108), (0, 500, -200), "nm", 0.108),
        ((0.02, 0.108, 0.108), (0, 3, 7), "um", 0.108),
    ],
)
def test_results_overlay_their_movie_in_any_units(widget, qtbot, scale, translate, units, pixel_um):
    viewer = widget.viewer
    movie = viewer.add_image(
        blinking_point(),
        name="cell",
        scale=scale,
        translate=translate,
        units=("s", units, units) if units != "pixel" else None,
    )
    before = movie.data.copy()
    expected = np.asarray(movie.data_to_world([0, *POINT]))[1:]
    for order in (2, 3, 4):
        widget.form.editors["order"].setValue(order)
        run(widget, qtbot)
        result = viewer.layers[f"SOFI{order} 0–59 cell"]
        assert result.units == movie.units[1:]
        error = (world_centre(result) - expected) / scale[1]
        assert np.abs(error).max() <= 0.02
        recipe = Recipe.model_validate(result.metadata["sofinet"])
        assert recipe.open.pixel_size_um == pytest.approx(pixel_um)
        assert not recipe.repeatable
    np.testing.assert_array_equal(movie.data, before)
    assert "preview" not in " ".join(layer.name for layer in viewer.layers)


def test_a_rotated_movie_and_a_roi(widget, qtbot):
    viewer = widget.viewer
    movie = viewer.add_image(blinking_point(), name="cell", rotate=30, scale=(1, 0.1, 0.1))
    expected = np.asarray(movie.data_to_world([0, *POINT]))[1:]
    corners = [(2, 3), (2, 17), (15, 17), (15, 3)]
    box = np.array([movie.data_to_world([0, y, x])[1:] for y, x in corners])
    viewer.add_shapes([box], name="box", shape_type="polygon")
    widget.roi_box.setCurrentText("box")
    widget.first.setValue(7)
    run(widget, qtbot)
    result = viewer.layers["SOFI2 7–59 cell, ROI 14×15 at 2,3"]
    recipe = Recipe.model_validate(result.metadata["sofinet"])
    assert recipe.open.roi == ((2, 16), (3, 18))
    assert recipe.open.frames == (7, 60)
    assert np.abs((world_centre(result) - expected) / 0.1).max() <= 0.02


def test_cancel_keeps_the_preview_of_a_method_that_allows_it(widget, qtbot):
    gate = threading.Event()

    def slow(block):
        gate.wait(0.05)
        return block

    frames = da.from_array(np.tile(blinking_point(), (10, 1, 1)), chunks=(2, -1, -1))
    widget.viewer.add_image(
        frames.map_blocks(slow, dtype=frames.dtype), name="slow", contrast_limits=(0, 1000)
    )
    widget.method = replace(widget.method, keeps_preview=True)
    widget.run_button.click()
    qtbot.waitUntil(lambda: "SOFI preview slow" in widget.viewer.layers, timeout=5000)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=1000)
    movie, kept = widget.viewer.layers
    assert movie.name == "slow"
    assert kept.name.startswith("SOFI slow, stopped after")
    assert kept.metadata["unfinished"] in kept.name
    assert kept.name in widget.status.text()
    gate.set()


def test_cancel_answers_and_leaves_nothing(widget, qtbot):
    gate = threading.Event()

    def slow(block):
        gate.wait(0.05)
        return block

    frames = da.from_array(np.tile(blinking_point(), (10, 1, 1)), chunks=(2, -1, -1))
    widget.viewer.add_image(
        frames.map_blocks(slow, dtype=frames.dtype), name="slow", contrast_limits=(0, 1000)
    )
    widget.run_button.click()
    assert widget.run_button.text() == "Cancel"
    qtbot.waitUntil(lambda: "SOFI preview slow" in widget.viewer.layers, timeout=5000)
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=5000)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=1000)
    assert [layer.name for layer in widget.viewer.layers] == ["slow"]
    assert widget.status.text() == "Cancelled."
    assert widget.run_button.text() == "Reconstruct"
    qtbot.waitUntil(widget.run_button.isEnabled, timeout=2000)
    gate.set()


def test_cancel_answers_at_once_whatever_the_method_does(widget, qtbot, monkeypatch):
    """A step that never looks up neither delays Cancel nor comes back into the next run."""
    gate, entered = threading.Event(), threading.Event()
    real = run_module.reconstruct

    def stubborn(movie, method, *, report, device, **settings):
        if not gate.is_set():
            entered.set()
            gate.wait(30)
            return real(movie, method, **settings)
        return real(movie, method, report=report, device=device, **settings)

    monkeypatch.setattr(run_module, "reconstruct", stubborn)
    widget.viewer.add_image(blinking_point(), name="one", contrast_limits=(0, 1000))
    widget.run_button.click()
    qtbot.waitUntil(entered.is_set, timeout=5000)
    widget.run_button.click()
    assert widget.worker is None
    assert widget.status.text() == "Cancelled."
    qtbot.waitUntil(widget.run_button.isEnabled, timeout=5000)
    widget.run_button.click()
    qtbot.waitUntil(lambda: "end of the cancelled work" in widget.status.text(), timeout=5000)
    assert [layer.name for layer in widget.viewer.layers] == ["one"]
    gate.set()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    assert widget.status.text().startswith("Done")
    assert len(widget.viewer.layers) == 2


def test_progress_handles_no_other_events(widget, qtbot, monkeypatch):
    """The bar of napari, which handles all waiting events, is moved by a timer only."""
    depth, deepest, gate = 0, 0, threading.Event()
    real = type(widget)._show_progress

    def nested(self, fraction, message):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if fraction < 0.1:  # waits to be handled, as reports of the thread may do
            QTimer.singleShot(0, lambda: self._show_progress(0.1, message))
        real(self, fraction, message)
        depth -= 1
        if len(bars) and bars[0].n > 300:
            gate.set()

    bars = []
    made = method_widget.progress

    def bar(*args, **kwargs):
        bars.append(made(*args, **kwargs))
        return bars[-1]

    def task(report):
        for step in range(2000):
            report(step / 2000)
            if gate.wait(0.005):
                return

    monkeypatch.setattr(type(widget), "_show_progress", nested)
    monkeypatch.setattr(method_widget, "progress", bar)
    worker = TaskWorker(task)
    widget._begin(worker, "long work")
    worker.start()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=30_000)
    assert deepest == 1
    assert bars[0].n > 300
    assert bars[0] not in made._all_instances


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), OSError("no server")])
def test_a_reader_that_ends_leaves_no_dock_waiting(widget, qtbot, notices, error):
    def ended(block, block_info=None):
        if block_info[None]["array-location"][0][0] == 40:  # napari itself shows frame 29
            raise error
        return block

    frames = da.from_array(blinking_point(), chunks=(20, -1, -1))
    lazy = frames.map_blocks(ended, dtype=frames.dtype, meta=np.empty((0, 0, 0), frames.dtype))
    widget.viewer.add_image(lazy, name="far away", contrast_limits=(0, 1000))
    run(widget, qtbot)
    assert widget.run_button.text() == "Reconstruct"
    assert "bug" not in widget.status.text()
    assert "stopped from outside" in widget.status.text() or "far away" in widget.status.text()


def test_mistakes_are_told_in_one_sentence(widget, qtbot):
    viewer = widget.viewer
    widget.run_button.click()  # disabled: nothing to run
    assert not widget.run_button.isEnabled()
    viewer.add_image(np.full((30, 12, 12), 7, np.uint16), name="constant")
    run(widget, qtbot)
    assert "does not change in time" in widget.status.text()
    viewer.layers.clear()
    viewer.add_image(np.zeros((30, 3, 3)), name="tiny", contrast_limits=(0, 1))
    run(widget, qtbot)
    assert "4 x 4" in widget.status.text()
    viewer.layers.clear()
    movie = blinking_point().astype(np.float32)
    movie[33, 2, 2] = np.nan
    viewer.add_image(movie, name="holes", contrast_limits=(0, 1000))
    run(widget, qtbot)
    assert "Frame 33" in widget.status.text()
    viewer.layers.clear()
    viewer.add_image(blinking_point(), name="cell")
    for change, undo, words in (
        (
            lambda: widget.pixel_edit.setText("-1"),
            lambda: widget.pixel_edit.setText(""),
            "positive",
        ),
        (
            lambda: widget.first.setValue(20) or widget.last.setValue(9),
            lambda: widget.first.setValue(0) or widget.last.setValue(59),
            "last frame, 9, is before the first, 20",
        ),
        (
            lambda: widget.form.editors["psf_fwhm_px"].setText("99"),
            lambda: widget.form.editors["psf_fwhm_px"].setText(""),
            "'PSF width' must be",
        ),
    ):
        change()
        widget.run_button.click()
        assert widget.worker is None
        assert words in widget.status.text()
        undo()
    viewer.add_shapes([np.array([[50, 50], [50, 60], [60, 60], [60, 50]])], name="far")
    widget.roi_box.setCurrentText("far")
    widget.run_button.click()
    assert "outside" in widget.status.text()
    assert "\n" not in widget.status.text()
    widget.roi_box.setCurrentText(layer_box.WHOLE_IMAGE)
    run(widget, qtbot)
    assert "SOFI2 0–59 cell" in viewer.layers


def test_channels_and_planes_of_a_layer_can_be_chosen(widget, qtbot):
    data = np.zeros((2, 60, 3, 18, 20), np.uint16)
    data[1, :, 2] = blinking_point()
    widget.viewer.add_image(data, name="stack", axis_labels=("c", "t", "z", "y", "x"))
    assert widget.axis_box.currentText() == "t (60)"
    assert set(widget.positions) == {0, 2}
    widget.positions[0].setValue(1)
    widget.positions[2].setValue(2)
    run(widget, qtbot)
    assert "SOFI2 0–59 stack" in widget.viewer.layers


def test_presets_are_kept(widget):
    widget.form.set_settings(build(SofiSettings, {"order": 3, "psf_fwhm_px": 2.5}))
    widget.keep_preset("my microscope")
    widget.preset_box.setCurrentText("defaults")
    widget._load_preset()
    assert widget.form.settings() == SofiSettings()
    widget.preset_box.setCurrentText("my microscope")
    widget._load_preset()
    assert widget.form.settings().order == 3
    widget._delete_preset()
    assert saved_settings.names("sofi") == []
    widget.keep_preset("a/b")
    assert "must not" in widget.status.text()


def test_a_file_is_read_lazily_run_and_its_command_does_the_same(widget, qtbot, tmp_path):
    path = tmp_path / "my cell.tif"
    tifffile.imwrite(
        path,
        blinking_point(),
        imagej=True,
        resolution=(10, 10),
        metadata={"axes": "TYX", "unit": "um", "finterval": 0.05},
    )
    read = reader.get_reader(str(path))
    assert read is not None
    ((data, options, kind),) = read(str(path))
    assert isinstance(data, da.Array)
    assert kind == "image"
    movie = widget.viewer.add_image(data, **options)
    np.testing.assert_allclose(movie.scale, (0.05, 0.1, 0.1))
    widget.form.editors["order"].setValue(3)
    widget.last.setValue(49)
    run(widget, qtbot)
    result = widget.viewer.layers["SOFI3 0–49 my cell"]
    saved = tmp_path / "saved.ome.tif"
    assert write_reconstruction(str(saved), result.data, {"metadata": result.metadata}) == [
        str(saved)
    ]
    widget.copy_command()
    words = shlex.split(QApplication.clipboard().text())
    assert words[:3] == ["sofinet", "reconstruct", "sofi"]
    words[words.index("-o") + 1] = str(tmp_path / "again.ome.tif")
    assert main(words[1:]) == 0
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "again.ome.tif"), tifffile.imread(saved)
    )
    assert Recipe.load(saved).repeatable


def test_channels_become_layers_and_planes_an_axis(tmp_path):
    path = tmp_path / "hyper.tif"
    data = np.random.default_rng(0).integers(0, 99, (5, 3, 2, 8, 9)).astype(np.uint16)
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "TZCYX"})
    read = reader.get_reader(str(path))
    assert read is not None
    found = read(str(path))
    assert len(found) == 2
    for channel, (array, options, _) in enumerate(found):
        assert options["axis_labels"] == ["t", "z", "y", "x"]
        np.testing.assert_array_equal(np.asarray(array), data[:, :, channel])


def test_pictures_are_left_to_other_readers(tmp_path):
    tifffile.imwrite(tmp_path / "picture.tif", np.zeros((8, 8), np.uint8))
    (tmp_path / "text.tif").write_text("no picture")
    for name in ("picture.tif", "text.tif", "movie.avi", "missing.tif"):
        assert reader.get_reader(str(tmp_path / name)) is None


def test_the_manifest_is_valid_and_its_commands_exist():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-sofinet")
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    samples = manifest.contributions.sample_data
    assert [sample.key for sample in samples] == ["microtubules"]


def test_roi_takes_pixels_whose_centres_are_inside(make_napari_viewer):
    viewer = make_napari_viewer()
    movie = viewer.add_image(blinking_point(), name="cell")
    shapes = viewer.add_shapes(
        [
            np.array([[1.6, 2.2], [1.6, 6.9], [5.1, 6.9], [5.1, 2.2]]),
            np.array([[-9, -9], [-9, 99], [99, 99], [99, -9]]),
        ],
        name="boxes",
    )
    assert layers.roi_of(shapes, movie) == ((0, 18), (0, 20))
    shapes.selected_data = {0}
    assert layers.roi_of(shapes, movie) == ((2, 6), (3, 7))
    shapes.data = []
    with pytest.raises(InputError, match="Draw a rectangle"):
        layers.roi_of(shapes, movie)


@pytest.mark.parametrize("way", ["destroyOnClose", "remove_dock_widget"])
def test_closing_the_dock_stops_the_work(make_napari_viewer, qtbot, notices, way):
    frames = da.from_array(np.tile(blinking_point(), (10, 1, 1)), chunks=(2, -1, -1))
    gate = threading.Event()

    def slow(block):
        gate.wait(0.05)
        return block

    viewer = make_napari_viewer()
    viewer.add_image(
        frames.map_blocks(slow, dtype=frames.dtype), name="slow", contrast_limits=(0, 1000)
    )
    made = sofi_widget.SofiWidget(viewer)
    dock = viewer.window.add_dock_widget(made, name="SOFI")
    made.run_button.click()
    worker = made.worker
    qtbot.waitUntil(lambda: made.progress_bar.value() > 0, timeout=5000)
    if way == "destroyOnClose":
        dock.destroyOnClose()
    else:
        viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: worker.abort_requested, timeout=2000)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=2000)
    assert not any(layer.name.startswith("SOFI2") for layer in viewer.layers)


def test_layers_can_be_renamed(widget, qtbot):
    viewer = widget.viewer
    movie = viewer.add_image(blinking_point(), name="cell")
    shapes = viewer.add_shapes([np.array([[2, 2], [2, 15], [14, 15], [14, 2]])], name="A")
    widget.roi_box.setCurrentText("A")
    widget.last.setValue(39)
    movie.name, shapes.name = "renamed", "B"
    assert widget.roi_box.currentText() == "B"
    assert widget.last.value() == 39
    run(widget, qtbot)
    recipe = Recipe.model_validate(
        viewer.layers["SOFI2 0–39 renamed, ROI 13×14 at 2,2"].metadata["sofinet"]
    )
    assert recipe.open.roi == ((2, 15), (2, 16))


@pytest.mark.parametrize("pixel_um", [0.1, None])
def test_a_saved_picture_comes_back_where_it_belongs(tmp_path, pixel_um):
    movie = open_movie(blinking_point(), pixel_um).select(roi=((2, 16), (3, 18)))
    path = tmp_path / "saved.ome.tif"
    reconstruct(movie, "sofi").save(path)
    read = reader.get_reader(str(path))
    assert read is not None
    ((data, options, _),) = read(str(path))
    unit = pixel_um or 1
    assert options["scale"] == pytest.approx((0.5 * unit, 0.5 * unit))
    assert options["translate"] == pytest.approx((3 * unit, 4 * unit))
    assert options["name"] == "saved"
    index = [np.sum(data * grid) / data.sum() for grid in np.indices(data.shape)]
    world = np.array(options["translate"]) + np.array(index) * options["scale"]
    assert np.abs(world / unit - POINT).max() <= 0.02


@pytest.fixture
def opened_movie(make_napari_viewer, tmp_path):
    """The layer of a movie of 0.1 um and 0.05 s that napari has read from a file."""
    path = tmp_path / "cell.tif"
    metadata = {"axes": "TYX", "unit": "um", "finterval": 0.05}
    tifffile.imwrite(path, blinking_point(), imagej=True, resolution=(10, 10), metadata=metadata)
    (layer,) = make_napari_viewer().open(str(path), plugin="napari-sofinet")
    return layer


def test_a_saved_time_series_opens_where_and_when_it_was(
    opened_movie, make_napari_viewer, tmp_path
):
    movie = opened_movie.metadata["sofinet_movie"]
    rng = np.random.default_rng(1)
    table = LocalizationTable(
        np.arange(60),
        *rng.uniform(4, 14, (2, 60)),
        camera_pixel_um=movie.pixel_size_um,
        frame_interval_s=movie.frame_interval_s,
        shape=movie.shape[1:],
    ).select(roi=((3, 16), (2, 17)))
    result = reconstruct(table, "table", render="histogram", fineness=4, window=20, step=10)
    for name, frames in (("series", slice(None)), ("one", slice(0, 1))):
        path = tmp_path / f"{name}.ome.tif"
        replace(result, maps={"image": result.image[frames]}).save(path)
        (layer,) = make_napari_viewer().open(str(path), plugin="napari-sofinet")
        np.testing.assert_array_equal(film_itself(layer.data), result.image[frames])
        (y, x), (dy, dx), (first, step) = result.origin_px, result.pixel_px, result.time_series
        assert layer.data.shape[0] == len(movie.frames)
        for frame, i, j in ((0, 0, 0), (3, 20, 30), (25, 0, 1), (59, 2, 0)):
            np.testing.assert_allclose(
                layer.data_to_world((frame, i, j)),
                opened_movie.data_to_world((frame, y + i * dy, x + j * dx)),
                atol=1e-9,
            )
            # The nearest picture, also at both ends of the movie.
            middles = first + step * np.arange(len(result.image[frames]))
            away = np.abs(middles - frame)
            choices = result.image[frames][np.isclose(away, away.min())]
            assert any(np.array_equal(layer.data[frame], picture) for picture in choices)
        assert layer.units == opened_movie.units
        assert layer.name == name
        recipe = Recipe.model_validate(layer.metadata["sofinet"])
        assert recipe.reconstruct.settings["window"] == 20
        # It is saved again with its recipe.
        assert layer.save(str(tmp_path / "again.ome.tif"), plugin="napari-sofinet")
        assert Reconstruction.load(tmp_path / "again.ome.tif").time_series == result.time_series


def test_saved_maps_open_by_their_names(opened_movie, make_napari_viewer, tmp_path):
    movie = opened_movie.metadata["sofinet_movie"].select(roi=((2, 16), (3, 18)))
    result = reconstruct(movie, "sofi")
    maps = {"image": result.image, "lower": 0.5 * result.image, "upper": 2 * result.image}
    replace(result, maps=maps).save(tmp_path / "maps.ome.tif")
    viewer = make_napari_viewer()
    viewer.open(str(tmp_path / "maps.ome.tif"), plugin="napari-sofinet")
    assert [layer.name for layer in viewer.layers] == ["upper maps", "lower maps", "maps"]
    assert [layer.visible for layer in viewer.layers] == [False, False, True]
    assert [layer.colorbar.visible for layer in viewer.layers] == [True, True, False]
    expected = opened_movie.data_to_world([0, *POINT])[1:]
    for layer, factor in zip(viewer.layers, (2, 0.5, 1), strict=True):
        np.testing.assert_array_equal(layer.data, np.float32(factor) * result.image)
        assert np.abs((world_centre(layer) - expected) / 0.1).max() <= 0.02
        assert layer.units == opened_movie.units[1:]
        assert layer.metadata["sofinet_result"].origin_px == result.origin_px
        assert Recipe.model_validate(layer.metadata["sofinet"]).open.roi == ((2, 16), (3, 18))


def test_the_pixel_size_keeps_all_digits(widget, qtbot):
    size = 0.10833333333333334
    units = ("second", "micrometer", "micrometer")
    widget.viewer.add_image(blinking_point(), name="cell", scale=(1, size, size), units=units)
    assert widget.pixel_edit.text() == "0.108333"
    assert widget.chooser.movie().pixel_size_um == size
    run(widget, qtbot)
    recipe = Recipe.model_validate(widget.viewer.layers["SOFI2 0–59 cell"].metadata["sofinet"])
    assert recipe.open.pixel_size_um == size
    widget.copy_command()
    words = shlex.split(QApplication.clipboard().text())
    assert words[words.index("--pixel-size") + 1] == repr(size)
    widget.pixel_edit.setText("0,11")
    assert widget.chooser.movie().pixel_size_um == 0.11


def test_a_layer_that_is_given_other_frames_is_read_anew(widget):
    layer = widget.viewer.add_image(blinking_point(60), name="movie", scale=(1, 0.1, 0.1))
    assert widget.last.value() == 59
    layer.data = blinking_point(33)
    assert (widget.last.value(), widget.last.maximum()) == (32, 32)


def test_a_simulated_frame_and_its_truth_overlay(simulation, qtbot):
    made = simulation()
    viewer = made.viewer
    made.form.editors["structure.kind"].setCurrentText("points")
    made.form.editors["structure.count"].setValue(1)
    made.form.editors["blinking.model"].setCurrentText("steady")
    made.form.editors["blinking.photons"].setText("1e5")
    qtbot.waitUntil(lambda: made.status.text().startswith("1 emitter,"), timeout=10_000)
    frame, truth = (viewer.layers[name] for name in ("simulated frame", "simulated truth"))
    found = [
        layer.data_to_world(np.argwhere(layer.data == layer.data.max())[0])
        for layer in (frame, truth)
    ]
    assert np.abs(np.subtract(*found)).max() < 0.08  # a pixel is 0.1 um, a sample 0.05
    made.form.editors["blinking.photons"].setText("-1")
    qtbot.waitUntil(lambda: "'Emitter brightness' must be" in made.status.text(), timeout=10_000)


def test_a_simulated_movie_is_lazy_and_can_be_reconstructed(widget, simulation, qtbot):
    viewer = widget.viewer
    made = simulation(viewer)
    made.form.editors["rows"].setValue(32)
    made.form.editors["columns"].setValue(40)
    made.form.editors["seed"].setValue(9)
    made.add_movie()
    qtbot.waitUntil(lambda: "simulated microtubules 9" in viewer.layers, timeout=10_000)
    layer = viewer.layers["simulated microtubules 9"]
    assert hasattr(layer.data, "chunks")
    expected = simulate(made.settings()).frames
    np.testing.assert_array_equal(np.asarray(layer.data), expected)
    assert viewer.layers["truth of simulated microtubules 9"].data.shape == (63, 79)
    widget.layer_box.setCurrentIndex(widget.layer_box.findText(layer.name))
    run(widget, qtbot)
    assert f"SOFI2 0–{len(expected) - 1} simulated microtubules 9" in viewer.layers


def test_a_simulated_movie_is_saved_or_cancelled(simulation, qtbot, tmp_path):
    made = simulation()
    made.form.editors["frames"].setValue(30)
    made.save(tmp_path / "m.tif")
    qtbot.waitUntil(lambda: made.worker is None, timeout=10_000)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.tif", "m_truth.npz"]
    np.testing.assert_array_equal(
        open_movie(tmp_path / "m.tif").frames, simulate(made.settings()).frames
    )
    made.form.editors["frames"].setValue(20_000)
    made.save(tmp_path / "long.tif")
    made.worker.progress.connect(lambda *_: made._save_or_cancel())
    qtbot.waitUntil(lambda: made.worker is None, timeout=20_000)
    assert made.status.text() == "Cancelled."
    left = ["m.tif", "m_truth.npz"]
    qtbot.waitUntil(lambda: sorted(p.name for p in tmp_path.iterdir()) == left, timeout=20_000)


def test_the_copied_command_makes_the_same_movie(simulation, qtbot, tmp_path, monkeypatch):
    made = simulation()
    made.preset_box.setCurrentText("komen2024")
    made.again_button.click()
    made.form.editors["rows"].setValue(24)
    made.form.editors["frames"].setValue(5)
    made.form.editors["camera.bits"].setText("12")
    made.copy_command()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(QApplication.clipboard().text())
    assert main(words[1:]) == 0
    frames = simulate(made.settings()).frames
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "movie.tif"), frames)
