"""Raw SIM stacks in napari: opened, reconstructed in the model dock, and registered."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari.layers import Image  # noqa: E402
from qtpy.QtWidgets import QApplication  # noqa: E402

from napari_sofinet.data.reconstruction import Reconstruction  # noqa: E402
from napari_sofinet.data.sim_stack import open_sim_stack  # noqa: E402
from napari_sofinet.io import saved_settings  # noqa: E402
from napari_sofinet.methods.registry import method_named  # noqa: E402
from napari_sofinet.networks import weights  # noqa: E402
from napari_sofinet.simulation.sim_settings import sim_preset_settings  # noqa: E402
from napari_sofinet.simulation.sim_simulate import SimulatedStack, simulate_stack  # noqa: E402
from napari_sofinet.simulation.sim_writing import write_stack  # noqa: E402
from napari_sofinet.training import axial_task  # noqa: E402
from napari_sofinet.widgets.model_widget import ModelWidget  # noqa: E402
from napari_sofinet.widgets.reader import get_reader  # noqa: E402
from napari_sofinet.widgets.simulation_widget import SimulationWidget  # noqa: E402
from napari_sofinet.widgets.train_widget import TrainWidget  # noqa: E402

PLANES, SIDE = 14, 52
POINTS_UM = np.random.default_rng(2).uniform([1, 1, 1], [3.5, 4.6, 4.6], (12, 3))
"""Depth, y and x. Of a few points alone the pattern could not be known."""


@pytest.fixture(scope="module")
def simulated() -> SimulatedStack:
    changes = {"planes": PLANES, "rows": SIDE, "columns": SIDE, "photons": 2000.0, "seed": 3}
    return SimulatedStack(sim_preset_settings("sim-chromatin", 3, changes), POINTS_UM)


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    return make_napari_viewer()


def dock(viewer, method: str) -> ModelWidget:
    widget = ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.set_method(method_named(method))
    return widget


def run(widget: ModelWidget, qtbot) -> str:
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    return str(widget.status.text())


def opened(viewer, simulated, tmp_path) -> Image:
    """Layer of a file, as it is when the file is dropped into the window."""
    path = tmp_path / "stack.tif"
    write_stack(path, simulated)
    read = get_reader(str(path))
    assert read is not None
    ((data, options, kind),) = read(str(path))
    assert kind == "image"
    return viewer.add_image(data, **options)


def pictures(viewer) -> dict[str, Image]:
    """Layers of results by what they show."""
    return {
        layer.metadata["sofinet_content"]: layer
        for layer in viewer.layers
        if "sofinet_content" in layer.metadata
    }


def brightest(layer: Image) -> np.ndarray:
    """World position of the brightest sample, along z, y and x."""
    at = np.unravel_index(np.argmax(np.asarray(layer.data)), layer.data.shape)
    return np.asarray(layer.data_to_world(at))[-3:]


def test_volumes_lie_over_the_stack_that_a_file_contains(viewer, simulated, tmp_path, qtbot):
    layer = opened(viewer, simulated, tmp_path)
    assert layer.data.shape == (7, PLANES, SIDE, SIDE)
    assert layer.scale[1] == pytest.approx(0.35)
    layer.translate = (0, 0, 5, 7)
    viewer.dims.set_point(0, 5)
    widget = dock(viewer, "rcan_sim")
    assert widget.chooser.layer_box.isVisibleTo(widget)
    assert not widget.first.isVisibleTo(widget)
    assert not widget.check_button.isVisibleTo(widget)
    assert "Done" in run(widget, qtbot)
    found = pictures(viewer)
    assert set(found) == {"image", "uncertainty", "classical", "uncertainty %"}
    assert not layer.visible
    image = found["image"]
    assert image.data.shape == (1, 3 * PLANES, 2 * SIDE, 2 * SIDE)
    near = np.abs(POINTS_UM - (brightest(image) - (0, 5, 7))).max(1).min()
    assert near < 0.12, "a third of a plane at most from one of the points"
    assert viewer.dims.point[0] == 5, "the slider of the exposures stays"
    for exposure in (0, 6):
        viewer.dims.set_point(0, exposure)
        viewer.dims.set_point(1, 1.75)
        assert np.asarray(image._slice.image.raw).max() > 0.5 * np.max(image.data)
    saved = tmp_path / "out.ome.tif"
    viewer.layers.selection.active = image
    assert viewer.layers.save(str(saved), selected=True)
    again = Reconstruction.load(saved)
    assert again.axes == "ZYX"
    assert again.plane_um == pytest.approx(0.35 / 3)
    assert again.recipe is not None
    assert str(again.recipe.open.path).endswith("stack.tif")
    reader = get_reader(str(saved))
    assert reader is not None
    layers = reader(str(saved))
    assert layers[0][1]["scale"] == pytest.approx((0.35 / 3, 6.5 / 120, 6.5 / 120))


def test_the_order_of_a_plain_stack_is_asked_for_and_never_guessed(viewer, simulated, qtbot):
    images = np.moveaxis(simulated.images(), 0, 1).reshape(-1, SIDE, SIDE)
    layer = viewer.add_image(images, name="plain")
    widget = dock(viewer, "sim")
    assert "pixel size" in run(widget, qtbot)
    widget.pixel_edit.setText("0.108333")
    assert "order of the images" in run(widget, qtbot)
    widget.form.change({"order": "phases, directions, planes"})
    assert "distance of planes" in run(widget, qtbot)
    widget.form.change({"plane_um": 0.35})
    assert "Done" in run(widget, qtbot)
    picture = pictures(viewer)["image"]
    assert picture.data.shape == (PLANES, 2 * SIDE, 2 * SIDE)
    assert np.abs(POINTS_UM - brightest(picture)).max(1).min() < 0.2
    assert picture.name.startswith("SIM plain")
    assert layer.units[-1] == picture.units[-1]
    widget.form.change({"order": "planes, phases, directions"})
    assert "was not found" in run(widget, qtbot)


@pytest.mark.parametrize("planes_first", [True, False])
def test_layers_of_four_axes_need_no_order(viewer, simulated, qtbot, planes_first):
    images = simulated.images()
    viewer.add_image(
        np.moveaxis(images, 0, 1) if planes_first else images,
        scale=(0.35, 1, 6.5 / 60, 6.5 / 60) if planes_first else (1, 0.35, 6.5 / 60, 6.5 / 60),
        axis_labels=("z", "p", "y", "x") if planes_first else ("p", "z", "y", "x"),
        units=("um", "pixel", "um", "um") if planes_first else ("pixel", "um", "um", "um"),
    )
    widget = dock(viewer, "sim")
    assert "Done" in run(widget, qtbot)
    picture = pictures(viewer)["image"]
    at = np.unravel_index(np.argmax(picture.data), picture.data.shape)
    where = np.asarray(picture.data_to_world(at))[[0 if planes_first else 1, 2, 3]]
    assert np.abs(POINTS_UM - where).max(1).min() < 0.2
    recipe = picture.metadata["sofinet"]
    assert recipe["reconstruct"]["settings"]["plane_um"] == pytest.approx(0.35), "the layer told it"


def test_other_layers_are_refused_in_a_sentence(viewer, qtbot):
    rng = np.random.default_rng(0)
    viewer.add_image(rng.poisson(50, (42, 40, 40)), scale=(1, 0.1, 0.1), units=("s", "um", "um"))
    widget = dock(viewer, "rcan_sim")
    widget.form.change({"order": "phases, directions, planes", "plane_um": 0.35})
    assert "pattern (hexagonal, 7 exposures) was not found" in run(widget, qtbot)
    widget.form.change({"pattern": "three-beam"})
    assert "no multiple of the 15 exposures" in run(widget, qtbot)
    assert not pictures(viewer)


def test_the_command_is_that_of_the_dock(viewer, simulated, tmp_path):
    layer = opened(viewer, simulated, tmp_path)
    layer.scale = (1, 0.3, *layer.scale[2:])
    widget = dock(viewer, "sim")
    widget.copy_command()
    text = QApplication.clipboard().text()
    assert text.startswith("sofinet reconstruct sim ")
    assert "--plane-um 0.3" in text
    assert "--frames" not in text


def test_a_stack_is_simulated_shown_with_its_truth_and_saved(viewer, qtbot, tmp_path):
    widget = SimulationWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.preset_box.setCurrentText("sim-spheres")
    widget.preset_box.activated.emit(widget.preset_box.currentIndex())
    changes = {"planes": 6, "rows": 32, "columns": 40, "count": 300, "photons": 500.0}
    widget.form.change(changes)
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    assert "300 points" in widget.status.text()
    assert [layer.data.shape for layer in viewer.layers] == [(32, 40), (64, 80)]
    widget.add_button.click()
    qtbot.waitUntil(widget.add_button.isEnabled, timeout=30_000)
    truth, stack = viewer.layers
    assert stack.data.shape == (7, 6, 32, 40)
    assert truth.data.shape == (1, 18, 64, 80)
    made = simulate_stack(sim_preset_settings("sim-spheres", 1, changes))
    np.testing.assert_array_equal(stack.data, made.images())
    one = np.array([0, 4, 3, 2])  # plane 1 of the stack is plane 4 of the truth
    np.testing.assert_allclose(truth.data_to_world(one)[1:], [0.35, 3 * 6.5 / 120, 6.5 / 60])
    (saved,) = viewer.layers.save(str(tmp_path / "out.tif"), selected=True)[:1]
    assert open_sim_stack(saved).shape == (42, 32, 40)
    assert (tmp_path / "out_truth.ome.tif").exists()
    widget.copy_command()
    text = QApplication.clipboard().text()
    assert text.startswith("sofinet simulate sim-spheres -o stack.tif --truth truth.ome.tif")
    assert "--rows 32" in text
    widget.preset_box.setCurrentIndex(0)
    widget.preset_box.activated.emit(0)
    qtbot.waitUntil(lambda: not widget.busy, timeout=30_000)
    assert widget.add_button.text() == "Simulate movie"


def test_the_network_is_trained_in_its_dock(viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr(axial_task, "STACK_PX", 32)
    monkeypatch.setattr(axial_task, "STACK_PLANES", 4)
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.network_box.setCurrentIndex(widget.network_box.findData("rcan_sim"))
    widget.name_edit.setText("mine")
    widget.form.change(
        {"steps": 2, "batch": 1, "side_px": 24, "planes": 3, "parameters": "channels=4,groups=1"}
    )
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=120_000)
    assert "mine was trained" in widget.status.text()
    assert not widget.movie_list.isEnabled()
    assert (tmp_path / "weights" / "mine.safetensors").exists()
    model = dock(viewer, "rcan_sim")
    box = model.form.editors["weights"]
    assert box.findText("mine") >= 0
