"""What the docks say of layers, mistakes and results, and where they say it."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_sofinet.io import saved_settings
from napari_sofinet.networks import weights
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.widgets import (
    compare_widget,
    model_widget,
    quality_widget,
    sofi_widget,
    table_widget,
    train_widget,
)
from napari_sofinet.widgets.dock_place import open_dock
from napari_sofinet.widgets.movie_chooser import ranges_in
from napari_sofinet.widgets.worker import TaskWorker

DOCKS = (
    sofi_widget.SofiWidget,
    model_widget.ModelWidget,
    table_widget.TableWidget,
    train_widget.TrainWidget,
    compare_widget.CompareWidget,
    quality_widget.QualityWidget,
)


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(saved_settings, "folder", lambda method: tmp_path / "presets" / method)
    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path / "weights")
    return make_napari_viewer()


def frames(count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    movie = rng.poisson(100, (count, 16, 16))
    movie[::3, 7, 8] += 500
    return movie.astype(np.uint16)


def choose(models, method: str) -> None:
    models.network_box.setCurrentIndex(models.network_box.findData(method))


@pytest.mark.parametrize("kind", [sofi_widget.SofiWidget, model_widget.ModelWidget])
def test_a_layer_that_is_no_movie_is_named_and_nothing_can_be_clicked(viewer, kind):
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock)
    buttons = [dock.run_button, dock.copy_button]
    buttons += [getattr(dock, "check_button", None) or dock.compare_button]
    assert dock.status.text().startswith("Open a movie")
    for picture, rgb, words in (
        (np.zeros((9, 9)), False, "mean is a single picture without a time axis."),
        (np.zeros((9, 9, 3), np.uint8), True, "mean is a colour (RGB) picture;"),
    ):
        viewer.add_image(picture, rgb=rgb, name="mean")
        viewer.add_points(np.zeros((1, 2)))  # another layer does not hide the reason
        assert dock.status.text().startswith(words)
        assert "Open a movie" in dock.status.text()
        assert not any(button.isEnabled() for button in buttons)
        viewer.layers.clear()
    viewer.add_image(frames(), name="cell")
    assert dock.status.text() == ""
    assert all(button.isEnabled() for button in buttons)


def test_a_movie_that_is_removed_while_it_is_read_leaves_its_messages(viewer, qtbot):
    gate = threading.Event()
    gate.set()  # napari shows the movie meanwhile

    def slow(block):
        gate.wait(20)
        return block

    movie = da.from_array(frames(), chunks=(20, -1, -1)).map_blocks(slow, dtype=np.uint16)
    dock = sofi_widget.SofiWidget(viewer)
    viewer.window.add_dock_widget(dock)
    layer = viewer.add_image(movie, name="cell", contrast_limits=(0, 1000))
    gate.clear()
    dock.run_button.click()
    before = dock.status.text()
    viewer.layers.remove(layer)
    assert dock.status.text() == before
    assert "Open a movie" not in before
    gate.set()
    qtbot.waitUntil(lambda: dock.worker is None, timeout=60_000)
    qtbot.wait(300)  # until work is allowed again
    assert dock.status.text().startswith("Done in")
    assert not dock.copy_button.isEnabled()


def test_another_method_does_not_keep_the_message_of_the_one_before(viewer):
    dock = model_widget.ModelWidget(viewer)
    viewer.add_image(frames(), name="cell")
    dock.status.setText("Done in 5 s.")
    choose(dock, "deepstorm")
    assert dock.status.text() == ""
    assert dock.prior.text().startswith("deepstorm expects single molecules")


def test_frames_are_counted_as_the_slider_counts_them(viewer):
    dock = model_widget.ModelWidget(viewer)
    viewer.add_image(frames(60), name="cell")
    assert dock.axis_box.currentText() == "frames (60)"  # napari calls it "-3"
    assert (dock.first.value(), dock.last.value()) == (0, 59)
    assert dock.chooser.movie().shape[0] == 60
    dock.chooser.few_button.click()
    assert (dock.first.value(), dock.last.value()) == (0, 19)
    assert dock.chooser.movie().shape[0] == 20
    dock.copy_command()
    assert "copied" in dock.status.text()
    dock.chooser.few_button.click()
    assert dock.last.value() == 59
    assert ranges_in("0-9, 57,20:22", 60) == [(0, 10), (57, 58), (20, 22)]


def test_weights_are_named_where_they_are_described():
    for network in ("sofinet", "convgru", "dblink", "deepstorm", "ddpm"):
        for name, path in weights.available(network).items():
            text = about_weights(weights.read_card(path))
            assert text.startswith(f"{name} "), text
            assert "prior" not in text
            assert "follows the data" not in text


def test_training_starts_from_weights_in_a_list(viewer):
    dock = train_widget.TrainWidget(viewer)
    box = dock.form.editors["start"]
    shown = [box.itemText(row) for row in range(box.count())]
    assert shown == [
        "nothing (a new network)",
        *weights.available("sofinet"),
        "other file …",
    ]
    assert dock.form.settings().start == ""
    assert "A new network is trained from nothing for 60 min." in dock.missing.text()
    box.setCurrentIndex(1)
    assert dock.form.settings().start == "sofinet-universal"
    dock.form.editors["minutes"].setText("5")
    assert "sofinet-universal is fine-tuned for 5 min." in dock.missing.text()
    dock.network_box.setCurrentIndex(dock.network_box.findData("ddpm"))
    assert dock.form.settings().estimate == "sofinet-universal"
    pictures = dock.form.editors["estimate"]
    assert pictures.findData("deepstorm") > 0


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({}, ""),
        ({"agreement": 0.871}, "agree with the target by 0.87 (1 is perfect)."),
        (
            {"agreement": 0.871, "compared_with": "u", "agreement_of_those": 0.81},
            "those of u by 0.81: it is better than u here.",
        ),
        (
            {"agreement": 0.8, "compared_with": "u", "agreement_of_those": 0.81},
            "it is worse than u here.",
        ),
        (
            {"agreement": 0.81, "compared_with": "u", "agreement_of_those": 0.81},
            "it is as good as u here.",
        ),
    ],
)
def test_the_end_of_training_says_whether_it_was_worth_it(figures, words):
    card = weights.read_card(weights.find("sofinet-universal", "sofinet"))
    said = train_widget.how_good(card.model_copy(update={"figures": figures}))
    assert said.endswith(words)


def test_trained_weights_are_compared_with_those_they_started_from(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from shared_networks import save_small

    from napari_sofinet.methods.registry import networks
    from napari_sofinet.training.comparison import compared
    from napari_sofinet.training.data import Samples

    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path)
    save_small(tmp_path / "small.safetensors")
    network = networks()["sofinet"]
    loaded = weights.load("small", network).net
    movies = torch.from_numpy(np.stack([frames(8), frames(8)[::-1]]).astype(np.float32))
    with torch.inference_mode():
        target = loaded(movies)[:, 0]
    held_out = [("own", Samples(movies, target + 0.01 * torch.rand_like(target), ()))]
    figures = compared(mean_network(torch), network, "small", held_out)
    assert figures["compared_with"] == "small"
    assert -1 <= figures["agreement"] <= 1
    nothing = [("own", Samples(movies, torch.zeros_like(target), ()))]
    assert compared(loaded, network, "small", nothing) == {}


def mean_network(torch):
    """A network whose picture is the mean of the frames."""

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, movies):
            size = [2 * n - 1 for n in movies.shape[2:]]
            mean = movies.mean(dim=1, keepdim=True) * self.weight
            return torch.nn.functional.interpolate(mean, size)

    return Mean()


def test_nothing_else_can_be_started_while_a_reconstruction_runs(viewer, qtbot):
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    viewer.add_image(frames(), name="movie")
    gate = threading.Event()
    worker = TaskWorker(lambda report: gate.wait(30))
    starts = widget.run_button, widget.check_button, widget.compare_button
    assert all(button.isEnabled() for button in (*starts, widget.copy_button))
    widget._begin(worker, "work")
    worker.start()
    viewer.add_image(frames(), name="another movie")
    assert widget.run_button.text() == "Cancel"
    assert not widget.check_button.isEnabled()
    assert not widget.compare_button.isEnabled()
    assert widget.copy_button.isEnabled()
    gate.set()
    qtbot.waitUntil(widget.check_button.isEnabled, timeout=5000)
    assert widget.compare_button.isEnabled()


def test_buttons_of_a_dock_have_names_of_their_own(viewer):
    for make in DOCKS:
        widget = make(viewer)
        viewer.window.add_dock_widget(widget)
        names = [b.text() for b in widget.findChildren(QPushButton) if b.text()]
        assert len(names) == len(set(names)), names


def is_seen(widget) -> bool:
    return widget.isVisible() and not widget.visibleRegion().isEmpty()


def test_an_open_dock_comes_to_the_front(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    compare = open_dock(viewer, "Compare")
    quality = open_dock(viewer, "Resolution and quality")
    qtbot.waitUntil(lambda: is_seen(quality) and not is_seen(compare), timeout=5000)
    assert open_dock(viewer, "Compare") is compare
    qtbot.waitUntil(lambda: is_seen(compare) and not is_seen(quality), timeout=5000)
    compare.parent().close()  # hidden, as by its button
    qtbot.waitUntil(lambda: not is_seen(compare), timeout=5000)
    open_dock(viewer, "Compare")
    qtbot.waitUntil(lambda: is_seen(compare), timeout=5000)
