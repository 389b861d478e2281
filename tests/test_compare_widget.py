"""The dock widget "Compare" in a real viewer, and what it draws."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics import pearson
from napari_sofinet.quality.figure import Panel, difference, displayed, figure_of, swiped
from napari_sofinet.quality.grid import common_grid, on_grid
from napari_sofinet.quality.picture import Picture
from napari_sofinet.widgets import compare_widget
from napari_sofinet.widgets.result_layers import CONTENT
from napari_sofinet.widgets.sources import TRUTH


def scene(side: int, step: float, origin: float = 0.0, sigma: float = 2.0) -> np.ndarray:
    """A few spots, drawn on any grid."""
    at = origin + step * np.arange(side)
    y, x = np.meshgrid(at, at, indexing="ij")
    spots = [(10.0, 12.0), (20.0, 31.0), (33.0, 18.0)]
    return sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * sigma**2)) for a, b in spots)


@pytest.fixture
def widget(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    made = compare_widget.CompareWidget(viewer)
    viewer.window.add_dock_widget(made, name="compare")
    yield made
    made._timer.stop()
    qtbot.waitUntil(lambda: not made.busy, timeout=20_000)


@pytest.fixture
def pair(widget):
    """A wide-field movie and a finer picture of the same scene, as SOFI lies over it."""
    rng = np.random.default_rng(0)
    wide = rng.poisson(100 * scene(44, 1.0, sigma=3.0) + 5, (6, 44, 44)).astype(np.uint16)
    fine = scene(81, 0.5, origin=1.0)
    widget.viewer.add_image(wide, name="wide", scale=(1, 0.1, 0.1), units=("pixel", "um", "um"))
    widget.viewer.add_image(
        fine, name="fine", scale=(0.05, 0.05), translate=(0.1, 0.1), units=("um", "um")
    )
    assert (widget.first_box.currentText(), widget.second_box.currentText()) == ("fine", "wide")
    return widget


def settle(widget, qtbot):
    qtbot.waitUntil(lambda: not widget.busy and widget.status.text() != "Working …", timeout=20_000)


@pytest.mark.parametrize("content", ["uncertainty", "standard_deviation"])
def test_a_result_is_compared_not_its_uncertainty(widget, content):
    widget.viewer.add_image(np.ones((3, 9, 9)), name="movie")
    # As results are added: the picture comes after its uncertainty.
    for name, what in (("± net", content), ("net", "image")):
        widget.viewer.add_image(np.ones((9, 9)), name=name, metadata={CONTENT: what})
    assert widget.chooser.names() == ("net", "movie")
    widget.first_box.setCurrentText("± net")  # a choice of the user stays
    widget.viewer.add_image(np.ones((9, 9)), name="SOFI2", metadata={CONTENT: "image"})
    assert widget.chooser.names() == ("± net", "movie")


def test_unequal_grids_are_swiped_in_place(pair, qtbot):
    pair.swipe_button.setChecked(True)
    settle(pair, qtbot)
    layer = pair.viewer.layers["swipe"]
    assert tuple(layer.scale[:2]) == pytest.approx((0.05, 0.05))
    assert tuple(layer.translate[:2]) == pytest.approx((0.1, 0.1))
    assert [x.name for x in pair.viewer.layers if x.visible] == ["swipe"]
    pair.slider.setValue(1000)
    left = np.asarray(layer.data, float).sum(axis=2)
    pair.slider.setValue(0)
    right = np.asarray(layer.data, float).sum(axis=2)
    assert pearson(left, right) > 0.8
    # The brightest spots lie at the same place on both sides.
    assert np.hypot(*np.subtract(_peak(left), _peak(right))) < 2.5
    pair.slider.setValue(400)
    column = round(0.4 * left.shape[1])
    now = np.asarray(layer.data, float).sum(axis=2)
    np.testing.assert_array_equal(now[:, : column - 1], left[:, : column - 1])
    np.testing.assert_array_equal(now[:, column + 1 :], right[:, column + 1 :])
    assert (layer.data[:, column - 1 : column + 1] == (255, 221, 0)).all(axis=(0, 2)).any()
    assert pair.sides.overlay.visible
    assert pair.sides.overlay.text.split("|")[0].strip() == "fine"
    assert not pair.slider.isHidden()
    pair.swipe_button.setChecked(False)
    assert "swipe" not in pair.viewer.layers
    assert all(x.visible for x in pair.viewer.layers)
    assert not pair.sides.overlay.visible
    assert pair.slider.isHidden()


def _peak(image: np.ndarray) -> tuple[int, ...]:
    return np.unravel_index(int(gaussian_filter(image, 3).argmax()), image.shape)


def test_side_by_side_and_blinking(pair, qtbot):
    pair.side_button.setChecked(True)
    assert pair.view.grid.enabled
    assert pair.view.grid.shape == (1, 2)
    pair.blink_button.setChecked(True)
    assert not pair.view.grid.enabled
    assert not pair.side_button.isChecked()
    shown = []
    for _ in range(3):
        shown.append([x.name for x in pair.viewer.layers if x.visible])
        pair._blink()
    assert shown == [["fine"], ["wide"], ["fine"]]
    pair.blink_button.setChecked(False)
    assert all(x.visible for x in pair.viewer.layers)
    order = list(pair.viewer.layers)
    pair.side_button.setChecked(True)
    pair.swipe_button.setChecked(True)
    settle(pair, qtbot)
    assert pair.swipe_button.isChecked()
    assert [x.name for x in pair.viewer.layers if x.visible] == ["swipe"]
    pair.swipe_button.setChecked(False)
    assert list(pair.viewer.layers) == order


def test_numbers_of_another_pair_are_not_left_standing(pair, qtbot):
    pair.score_button.click()
    settle(pair, qtbot)
    assert pair.table.rowCount() > 0
    pair.viewer.add_image(scene(44, 1.0), name="third")
    assert pair.table.rowCount() > 0  # the pair is the same
    pair.second_box.setCurrentText("third")
    assert pair.table.rowCount() == 0
    pair.score_button.click()
    pair.second_box.setCurrentText("wide")
    settle(pair, qtbot)
    assert pair.table.rowCount() == 0


def test_scores_differences_and_errors(pair, qtbot):
    pair.score_button.click()
    settle(pair, qtbot)
    assert pair.scores["pearson"] > 0.8
    assert pair.scores["rsp"] > 0.95
    assert pair.table.rowCount() == 8
    shown = {pair.table.item(k, 0).text(): pair.table.item(k, 1).text() for k in range(8)}
    meaning = {pair.table.item(k, 0).text(): pair.table.item(k, 2).text() for k in range(8)}
    # The second layer is a movie's mean, which is no truth.
    for name in ("SSIM, fitted", "true positives", "true negatives", "false lines"):
        assert shown[name] == "–"
        assert "Needs the truth" in meaning[name]
    assert "Higher is better" in meaning["Pearson"]
    assert "counts" in meaning["RSE"]
    needed = pair.table.verticalHeader().length() + pair.table.horizontalHeader().height()
    assert pair.table.height() >= needed
    pair.difference_button.click()
    settle(pair, qtbot)
    assert pair.viewer.layers[-1].name == "difference fine − wide (each scaled to 0–1)"
    assert np.abs(pair.viewer.layers[-1].data).max() <= 1
    pair.squirrel_button.click()
    settle(pair, qtbot)
    error = pair.viewer.layers[-1]
    assert tuple(error.scale) == pytest.approx((0.1, 0.1))
    assert "RSP" in pair.status.text()
    assert pair.first_box.count() == 2  # its own layers are not offered


@pytest.mark.slow
def test_figures_have_panels_scale_bars_and_insets(pair, qtbot, tmp_path):
    pair.viewer.add_shapes(np.array([[0.5, 0.5], [2.0, 2.5]]), name="region", ndim=2)
    pair.viewer.layers["fine"].colormap = "inferno"
    for kind in ("png", "svg", "pdf"):
        pair.save_figure(str(tmp_path / f"f.{kind}"))
    svg = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert svg.count("<image") >= 4  # two panels and the box of each
    assert "<!-- fine -->" in svg
    assert "<!-- wide (mean) -->" in svg
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF-")
    drawn = imread(tmp_path / "f.png")
    middle = drawn[..., :3][: drawn.shape[0] // 2]
    assert np.ptp(middle, axis=2).max() > 0.5  # in colours, not grey
    one = Picture(scene(44, 1.0), "a", pixel_um=0.1, pixel_px=(1, 1), origin_px=(0, 0))
    figure = figure_of([Panel(one)], box=((5.0, 5.0), (20.0, 20.0)))
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert texts == ["1 µm", "500 nm"]
    assert len(figure.axes) == 3  # with the colour bar


def panels(pair) -> list[tuple[str, tuple[float, float], str]]:
    """Titles, limits and labels of the colour bars in a figure of the dock."""
    drawn: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
        pair.save_figure("figure.png")
    axes = [a for a in drawn[0].axes if a.get_title()]
    bars = [a for a in drawn[0].axes if not a.images and not a.get_title()]
    return [
        (a.get_title(), a.images[0].get_clim(), bar.get_xlabel())
        for a, bar in zip(axes, bars, strict=True)
    ]


def test_the_figure_has_what_is_shown_and_nothing_else(pair, qtbot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = "sofinet-universal simulated blinking microtubules 0-499 of the second dish"
    first = pair.viewer.layers["fine"]
    first.name = long
    first.contrast_limits = (1, 7)
    pair.viewer.add_image(scene(44, 1.0), name="another", visible=True)
    pair.chooser.choose(long, "wide")
    (title, limits, _), second = panels(pair)
    assert title.replace("\n", " ") == long
    assert max(map(len, title.split("\n"))) < 40
    assert limits == (1, 7)
    assert second[0] == "wide (mean)"
    pair.squirrel_button.click()
    settle(pair, qtbot)
    shown = panels(pair)
    assert len(shown) == 3
    assert "counts" in shown[2][2]
    assert shown[2][1] == pytest.approx(tuple(pair.viewer.layers[-1].contrast_limits))
    pair.viewer.layers[-1].visible = False
    assert len(panels(pair)) == 2
    pair.common.setChecked(True)
    (_, one, _), (_, other, _) = panels(pair)
    assert one == other


def test_what_cannot_be_compared_is_said(widget, qtbot):
    widget.score_button.click()
    assert "two different layers" in widget.status.text()
    for button in (widget.swipe_button, widget.side_button, widget.blink_button):
        button.setChecked(True)
        assert not button.isChecked()
    widget.viewer.add_image(scene(40, 1.0), name="a")
    widget.viewer.add_image(scene(40, 1.0), name="far", translate=(900, 900))
    widget.swipe_button.setChecked(True)
    settle(widget, qtbot)
    assert "no area in common" in widget.status.text()
    assert not widget.swipe_button.isChecked()
    with pytest.raises(InputError, match="at least one"):
        figure_of([])
    big = Picture(np.zeros((3, 3)), "b", pixel_px=(1e4, 1e4), origin_px=(0, 0))
    fine = Picture(np.zeros((9000, 9000), np.uint8), "c")
    with pytest.raises(InputError, match="smaller part"):
        common_grid([big, fine])


def test_a_picture_stays_where_it_is_on_any_grid():
    fine = Picture(scene(81, 0.5, origin=1.0), "fine", pixel_px=(0.5, 0.5), origin_px=(1.0, 1.0))
    wide = Picture(scene(44, 1.0), "wide", pixel_px=(1.0, 1.0), origin_px=(0.0, 0.0))
    grid = common_grid([fine, wide])
    assert grid.pixel == (0.5, 0.5)
    assert grid.origin == (1.0, 1.0)
    a, b = on_grid(fine, grid), on_grid(wide, grid)
    assert pearson(a, b) > 0.998
    assert np.abs(difference(a, b)).mean() < 0.02
    assert displayed(a).min() == 0
    assert displayed(a).max() == 1
    np.testing.assert_array_equal(swiped(a, b, 0.0), b)
    np.testing.assert_array_equal(swiped(a, b, 1.0), a)


def test_the_truth_of_a_simulation_is_a_reference_without_a_caution(widget, qtbot):
    """Fine detail of the reference is a reason for a caution only where it is not the truth."""
    fine = scene(200, 0.2, sigma=0.6)
    for known, layer in ((True, "truth"), (False, "picture")):
        metadata = {TRUTH: True} if known else {}
        widget.viewer.add_image(fine, name=layer, scale=(0.02, 0.02), metadata=metadata)
    widget.viewer.add_image(scene(200, 0.2, sigma=2.0), name="result", scale=(0.02, 0.02))
    said = {}
    for reference in ("truth", "picture"):
        widget.chooser.choose("result", reference)
        widget.add_squirrel()
        qtbot.waitUntil(lambda: widget.status.text().startswith("RSP"), timeout=20_000)
        said[reference] = widget.status.text()
    assert "wide-field" in said["picture"]
    assert "wide-field" not in said["truth"]
