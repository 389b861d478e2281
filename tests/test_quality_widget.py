"""The dock widget "Resolution and quality" in a real viewer, and what it computes."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from napari.utils._proxies import PublicOnlyProxy, ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from scipy.ndimage import gaussian_filter

from napari_sofinet.metrics import decorrelation_resolution
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.region_measurements import (
    agreement_of,
    profiles_of,
    resolution_of,
    trace_of,
)
from napari_sofinet.quality.resolution_map import resolution_map
from napari_sofinet.widgets import quality_widget
from napari_sofinet.widgets.held_film import HeldFilm
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.region_layer import shapes_prepared
from napari_sofinet.widgets.region_task import AGREEMENT, PROFILE, RESOLUTION, TRACE, plot_size
from napari_sofinet.widgets.save_dialog import FIGURES


def texture(side: int = 160, sigma: float = 1.5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(gaussian_filter(rng.random((side, side)) ** 20, sigma) * 5000 + 5).astype(
        float
    )


@pytest.fixture
def widget(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    made = quality_widget.QualityWidget(viewer)
    viewer.window.add_dock_widget(made, name="quality")
    made.isVisible = lambda: True  # the viewer of a test is not shown
    qtbot.waitUntil(shapes_prepared, timeout=120_000)
    yield made
    made._timer.stop()
    qtbot.waitUntil(lambda: not made.busy, timeout=20_000)


def settle(widget, qtbot):
    widget.look()
    qtbot.waitUntil(
        lambda: not widget.busy and widget.status.text() != "Measuring …", timeout=20_000
    )


def values(widget) -> dict[tuple[str, str], float | None]:
    return {(row.picture, row.quantity): row.value for row in widget.findings.rows}


def test_a_box_is_measured_in_every_layer_where_it_lies(widget, qtbot):
    fine = texture()
    widget.viewer.add_image(fine, name="a", scale=(0.1, 0.1), units=("um", "um"))
    widget.viewer.add_image(
        np.kron(fine, np.ones((2, 2))),
        name="b",
        scale=(0.05, 0.05),
        translate=(-0.025, -0.025),
        units=("um", "um"),
    )
    settle(widget, qtbot)
    assert "draw a box" in widget.status.text()
    widget.add_shape("rectangle")
    settle(widget, qtbot)
    shapes = widget.viewer.layers["region"]
    shapes.data = [np.array([[2.0, 3.0], [2.0, 12.0], [11.0, 12.0], [11.0, 3.0]])]
    settle(widget, qtbot)
    expected = decorrelation_resolution(fine[20:111, 30:121]).resolution_px
    assert values(widget)["a", "decorrelation"] == pytest.approx(100 * expected)
    assert widget.table.rowCount() == 4  # the name above the numbers of each layer
    assert widget.table.item(1, 2).text().startswith("nm")
    assert widget.plots[RESOLUTION].pixmap().width() == plot_size(widget.tabs.width())[0]
    widget.tabs.setCurrentIndex(AGREEMENT)
    widget.reference_box.setCurrentText("a")
    settle(widget, qtbot)
    assert values(widget)["b", "Pearson"] > 0.9
    assert values(widget)["b", "RSP (SQUIRREL)"] > 0.99


def test_numbers_belong_to_the_last_place_of_the_box(widget, qtbot):
    image = np.hstack([texture(120, 1.0), texture(120, 3.0)])
    widget.viewer.add_image(image, name="a")
    widget.add_shape("rectangle")
    shapes = widget.viewer.layers["region"]
    rng = np.random.default_rng(0)
    for _ in range(40):
        y, x = rng.uniform(-30, 100), rng.uniform(-30, 220)
        h, w = rng.uniform(1, 110, 2)
        shapes.data = [np.array([[y, x], [y, x + w], [y + h, x + w], [y + h, x]])]
        widget.look()
        QApplication.processEvents()
    for x in (5, 125):
        shapes.data = [np.array([[5, x], [5, x + 100], [105, x + 100], [105, x]])]
        settle(widget, qtbot)
        expected = decorrelation_resolution(image[5:106, x : x + 101]).resolution_px
        assert values(widget)["a", "decorrelation"] == pytest.approx(expected)
    shapes.data = [np.array([[500, 500], [500, 600], [600, 600], [600, 500]])]
    settle(widget, qtbot)
    assert values(widget)["a", "resolution"] is None
    assert "outside" in widget.table.item(1, 2).text()


def test_numbers_follow_a_box_that_does_not_rest(widget, qtbot):
    widget.viewer.add_image(texture(), name="a")
    widget.add_shape("rectangle")
    settle(widget, qtbot)
    shapes, seen = widget.viewer.layers["region"], set()
    for step in range(1000):  # at most 10 s, on a busy machine
        k = step % 40
        shapes.data = [np.array([[k, k], [k, k + 90], [k + 90, k + 90], [k + 90, k]])]
        widget.look()
        qtbot.wait(10)
        seen.add(widget.findings)
        if len(seen) > 3:
            break
    assert len(seen) > 3
    shapes.data = [np.array([[5, 5], [5, 95], [95, 95], [95, 5]])]
    widget.look()
    shapes.data = []
    settle(widget, qtbot)
    qtbot.wait(100)  # what was measured of the box that is gone is not shown
    assert widget.findings is None
    assert widget.table.rowCount() == 0


def test_lines_give_profiles(widget, qtbot):
    x = np.arange(100)
    line = np.exp(-((x - 50.0) ** 2) / (2 * 2**2))
    widget.viewer.add_image(np.tile(100 * line, (60, 1)), name="a", scale=(0.2, 0.2))
    widget.add_shape("line")
    assert widget.tabs.currentIndex() == PROFILE
    settle(widget, qtbot)
    assert values(widget)["a", "FWHM"] == pytest.approx(4.71, rel=0.01)
    widget.peaks.setValue(2)
    settle(widget, qtbot)
    assert ("a", "dip") in values(widget)


def test_a_line_lands_across_the_brightest_structure(widget, qtbot):
    y, x = np.mgrid[:80, :100]
    image = np.exp(-((x - y - 20) ** 2) / 8.0)  # a diagonal
    widget.viewer.add_image(image + 1e-3, name="a", scale=(0.1, 0.1))
    widget.add_shape("line")
    (y0, x0), (y1, x1) = widget.viewer.layers["region"].data[-1] / 0.1
    assert (y1 - y0) * (x1 - x0) < 0
    assert abs(y1 - y0) == pytest.approx(abs(x1 - x0), rel=0.1)
    assert np.hypot(y1 - y0, x1 - x0) == pytest.approx(24, abs=1)
    settle(widget, qtbot)
    assert values(widget)["a", "FWHM"] == pytest.approx(4.71 / np.sqrt(2), rel=0.06)
    widget.tabs.setCurrentIndex(RESOLUTION)  # a line alone is followed in the other tabs, too
    settle(widget, qtbot)
    assert "square around the line" in widget.status.text()
    widget.add_shape("rectangle")
    settle(widget, qtbot)
    assert "square" not in widget.status.text()


def test_one_drag_draws_another_line(widget, qtbot):
    widget.viewer.add_image(texture(60), name="a")
    widget.add_shape("line")
    shapes = widget.viewer.layers["region"]
    assert shapes.mode == "add_line"
    drag(shapes, [(10.0, 10.0), (20.0, 25.0), (30.0, 40.0)])
    qtbot.waitUntil(lambda: shapes.mode == "select")
    assert len(shapes.data) == 1
    np.testing.assert_allclose(shapes.data[0], [(10, 10), (30, 40)])
    assert shapes.selected_data == {0}
    widget.add_shape("line")
    before = shapes.data[-1].copy()
    drag(shapes, [(10.0, 10.0), (10.0, 10.0)])  # a click draws nothing
    qtbot.waitUntil(lambda: shapes.mode == "select")
    np.testing.assert_allclose(shapes.data[-1], before)


def drag(layer, places):
    """Drag the mouse in a layer, as napari's canvas passes it on."""
    for number, place in enumerate(places):
        last = number == len(places) - 1
        event = mouse_event("mouse_press" if number == 0 else "mouse_move", place)
        (mouse_press_callbacks if number == 0 else mouse_move_callbacks)(layer, event)
        if last:
            mouse_release_callbacks(layer, mouse_event("mouse_release", place))


def mouse_event(kind, place):
    """What napari's callbacks look at in an event of the mouse."""
    return ReadOnlyWrapper(
        SimpleNamespace(
            type=kind, position=place, is_dragging=kind == "mouse_move", modifiers=[], button=1,
            handled=False, dims_displayed=[0, 1], view_direction=None, pos=(0, 0),
        ),
        exceptions=("handled",),
    )  # fmt: skip


def test_fits_and_numbers_at_their_limits_are_marked():
    x = np.arange(60)
    flank = np.tile(1.0 + (x > 30) * 5 + 4 * (x % 9 == 0), (20, 1))
    ends = ((10.0, 5.0), (10.0, 54.0))
    row = profiles_of({"a": (Picture(flank), ends)}).rows[0]
    assert "Bad fit" in row.note
    assert "R²" in row.note
    peak = np.tile(np.exp(-((x - 30.0) ** 2) / (2 * 2.0**2)), (20, 1))
    good = profiles_of({"a": (Picture(peak), ends)})
    assert good.rows[0].note == "fit with R² 1.00"
    axes = Figure().subplots()
    good.draw(axes)
    assert "dotted: Gaussian fit" in axes.get_legend_handles_labels()[1]
    sharp = np.tile(np.exp(-((x - 30.0) ** 2) / (2 * 0.6**2)), (20, 1))
    assert "pixel size" in profiles_of({"a": (Picture(sharp), ends)}).rows[0].note
    short = profiles_of({"a": (Picture(peak), ((10.0, 26.0), (10.0, 34.0)))}, peaks=2).rows[0]
    assert short.value is None
    assert "at least 10" in short.note
    cut = profiles_of({"a": (Picture(peak), ((10.0, 29.0), (10.0, 45.0)))}).rows[0]
    assert "draw it longer" in cut.note
    points = np.zeros((200, 200))
    rng = np.random.default_rng(0)
    points[tuple(rng.integers(0, 200, (2, 400)))] = 100
    whole = ((0.0, 0.0), (199.0, 199.0))
    for sigma, limited in ((0.8, True), (2.0, False)):
        image = gaussian_filter(points, sigma) + rng.normal(0, 0.01, points.shape)
        row = resolution_of({"a": (Picture(image), whole)}).rows[0]
        assert ("limited by the pixel size" in row.note) is limited
        assert ("limited by the pixel size" in resolution_map(Picture(image)).note) is limited


def test_a_movie_has_a_trace_and_two_halves(widget, qtbot, tmp_path):
    rng = np.random.default_rng(1)
    light = np.linspace(2, 1, 40)[:, None, None]
    movie = rng.poisson(light * texture(120)[None]).astype(np.uint16)
    widget.viewer.add_image(movie, name="movie")
    widget.add_shape("rectangle")
    widget.tabs.setCurrentIndex(TRACE)
    settle(widget, qtbot)
    found = values(widget)
    assert found["movie", "change, start to end"] == pytest.approx(-41, abs=3)
    note = next(row.note for row in widget.findings.rows if row.quantity.startswith("change"))
    assert note.startswith("darker than at the start")
    widget.tabs.setCurrentIndex(RESOLUTION)
    settle(widget, qtbot)
    assert ("movie", "FRC odd/even frames") in values(widget)
    rows = list(csv.DictReader(io.StringIO(widget.as_csv())))
    assert {row["layer"] for row in rows} == {"movie"}
    widget.copy()
    assert "movie\tdecorrelation" in QApplication.clipboard().text()
    saving = widget.csv_button._what()
    widget.csv_button.write(saving, tmp_path / "table.csv", saving.kinds[0])
    qtbot.waitUntil(lambda: not widget.csv_button.busy)
    assert "Saved to" in widget.status.text()
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    assert saved == rows
    numbers = [float(row["value"]) if row["value"] else None for row in saved]
    assert numbers == [row.value for row in widget.findings.rows]
    for kind in ("svg", "pdf", "png"):
        path = tmp_path / f"curves.{kind}"
        widget.figure_button.write(widget.figure_button._what(), path, FIGURES[0])
        qtbot.waitUntil(lambda: not widget.figure_button.busy)
    svg = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert "decorrelation" in svg  # matplotlib notes a text before it draws it
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF-")
    drawn = imread(tmp_path / "curves.png")
    assert drawn.shape[:2] == (900, 1350)
    assert (drawn[..., :3].min(axis=2) < 0.5).mean() > 0.005  # dark lines and letters on white


def add_map(widget, qtbot) -> None:
    widget.add_map()
    assert not widget.map_button.isEnabled()
    qtbot.waitUntil(widget.map_button.isEnabled, timeout=20_000)


def test_maps_lie_over_their_picture(widget, qtbot):
    image = np.hstack([texture(200, 1.0), texture(200, 3.0)])
    layer = widget.viewer.add_image(image, name="a", scale=(0.1, 0.1), translate=(3, 4))
    add_map(widget, qtbot)
    found = widget.viewer.layers[-1]
    assert found.data[0, 0] < 0.7 * found.data[0, -1]
    low, high = layer.extent.world
    assert np.all(found.extent.world[0] >= low)
    assert np.all(found.extent.world[1] <= high)
    widget.viewer.add_image(2 * image + 7, name="b", scale=(0.1, 0.1), translate=(3, 4))
    widget.tabs.setCurrentIndex(AGREEMENT)
    widget.reference_box.setCurrentText("b")
    widget.viewer.layers.selection.active = layer
    add_map(widget, qtbot)
    assert widget.viewer.layers[-1].name == "SQUIRREL error a, reference b (brightness)"
    assert widget.viewer.layers[-1].data.max() < 1e-6
    widget.reference_box.setCurrentText("a")
    widget.viewer.layers.selection.active = layer
    widget.add_map()
    assert "another layer" in widget.status.text()


def test_nothing_to_measure_is_said(widget, qtbot):
    widget.add_shape("rectangle")
    assert "Tick a layer" in widget.status.text()
    widget.csv_button.click()
    assert "nothing to save" in widget.status.text()
    layer = widget.viewer.add_image(texture(100), name="a")
    widget.layer_list.item(0).setCheckState(Qt.CheckState.Unchecked)
    settle(widget, qtbot)
    assert "Tick layers" in widget.status.text()
    layer.name = "renamed"
    assert widget.layer_list.item(0).text() == "renamed"
    widget.tabs.setCurrentIndex(TRACE)
    widget.layer_list.item(0).setCheckState(Qt.CheckState.Checked)
    widget.add_shape("rectangle")
    settle(widget, qtbot)
    assert "Tick a movie" in widget.status.text()


def test_only_the_latest_request_is_answered(qtbot):
    latest, seen = Latest(), []
    latest.done.connect(seen.append)
    for k in range(200):
        latest.ask(lambda k=k: k)
    qtbot.waitUntil(lambda: not latest.busy and bool(seen), timeout=5000)
    assert seen[-1] == 199
    assert seen == sorted(seen)
    latest.failed.connect(lambda error: seen.append(str(error)))
    latest.ask(lambda: 1 / 0)
    qtbot.waitUntil(lambda: seen[-1] == "division by zero", timeout=5000)
    latest.close()
    latest.ask(lambda: 5)
    assert not latest.busy


def test_regions_without_a_widget():
    whole = Picture(texture(), "a", pixel_um=0.1)
    box = ((0.0, 0.0), (159.0, 159.0))
    assert resolution_of({"a": (whole, box)}).rows[0].unit == "nm"
    flat = Picture(np.ones((50, 50)), "flat")
    assert profiles_of({"flat": (flat, ((2.0, 2.0), (40.0, 40.0)))}).rows[0].value is None
    assert profiles_of({"flat": (flat, ((2.0, 2.0), (2.0, 2.1)))}).rows[0].note
    both = {"a": (whole, box), "flat": (flat, ((0.0, 0.0), (9.0, 9.0)))}
    assert agreement_of(both, "a").rows[0].value is None
    for pictures, said in ((both, "See the table."), ({"a": both["a"]}, "Tick a layer besides")):
        axes = Figure().add_subplot()
        agreement_of(pictures, "a").draw(axes)
        assert axes.texts[0].get_text().startswith(said)
    assert trace_of({"t": (np.full(20, 3.0), None)}).rows[0].value == 3


def test_a_box_waits_for_the_compiler_and_the_window_does_not(widget, qtbot, monkeypatch):
    widget.viewer.add_image(texture(), name="a")
    prepared = False
    monkeypatch.setattr(quality_widget, "shapes_prepared", lambda: prepared)
    widget.box_button.click()
    assert "region" not in widget.viewer.layers
    assert "Preparing" in widget.status.text()
    prepared = True
    qtbot.waitUntil(lambda: "region" in widget.viewer.layers, timeout=5000)
    settle(widget, qtbot)
    assert widget.viewer.layers["region"].nshapes == 1
    assert widget.table.rowCount() == 2


def test_a_film_is_measured_once_and_not_against_itself(make_napari_viewer, qtbot, monkeypatch):
    """napari gives a dock that it opens another object for a film each time."""
    viewer = make_napari_viewer()
    made = quality_widget.QualityWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(made, name="quality")
    made._timer.stop()
    made.isVisible = lambda: True
    pictures = np.stack([texture(60, 1.0, seed) for seed in range(3)])
    film = HeldFilm(pictures, 0, (2.0, 4.0), (0, 12))
    layer = viewer.add_image(film, name="film", contrast_limits=(0, 100))
    asked = []
    monkeypatch.setattr(made._latest, "ask", asked.append)
    qtbot.waitUntil(shapes_prepared, timeout=120_000)
    made.add_shape("rectangle")
    for _ in range(3):
        made.look()
    assert len(asked) == 1
    layer.data = HeldFilm(2 * pictures, 0, (2.0, 4.0), (0, 12))
    made.look()
    assert len(asked) == 2
    made.tabs.setCurrentIndex(AGREEMENT)
    made.reference_box.setCurrentText("film")
    viewer.layers.selection.active = layer
    made.add_map()
    assert "another layer" in made.status.text()
