"""Volumes in the docks "Resolution and quality" and "Compare", through real widgets."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from napari.layers import Image
from scipy.ndimage import gaussian_filter

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.quality.volume import measure_volume
from napari_sofinet.widgets.compare_widget import CompareWidget
from napari_sofinet.widgets.quality_widget import QualityWidget
from napari_sofinet.widgets.reader import get_reader
from napari_sofinet.widgets.region_layer import add_region, shapes_prepared
from napari_sofinet.widgets.region_task import RESOLUTION, TRACE, VOLUME
from napari_sofinet.widgets.sources import source_of, volume_of

UM = ("micrometer",) * 3
PER_SIGMA = np.sqrt(8 * np.log(2))


@pytest.fixture
def volumes(make_napari_viewer):
    """A sharp volume with three planes for each of a blurred one, at the same places in space."""
    rng = np.random.default_rng(0)
    points = np.zeros((66, 72, 80))
    for z, y, x in rng.integers([12, 12, 12], [54, 60, 68], (25, 3)):
        points[z, y, x] += rng.uniform(0.6, 1)
    sharp = gaussian_filter(points, (2, 2, 2)) + 1e-6 * rng.random(points.shape)
    blurred = gaussian_filter(points, (6, 2, 2))[1::3] + 1e-6 * rng.random((22, 72, 80))
    viewer = make_napari_viewer()
    options = {"axis_labels": ("z", "y", "x"), "units": UM}
    viewer.add_image(blurred, name="blurred", scale=(0.3, 0.05, 0.05), **options)
    viewer.add_image(
        sharp, name="sharp", scale=(0.1, 0.05, 0.05), translate=(-0.1, 0, 0), **options
    )
    return viewer


def settled(widget, qtbot) -> dict[tuple[str, str], object]:
    def there() -> bool:
        widget.look()
        return not widget.busy and widget.findings is not None

    qtbot.waitUntil(there, timeout=30_000)
    return {(row.picture, row.quantity): row.value for row in widget.findings.rows}


def test_a_volume_is_measured_in_a_box_and_compared(volumes, qtbot):
    viewer = volumes
    widget = QualityWidget(viewer)
    viewer.window.add_dock_widget(widget, name="quality")
    widget.isVisible = lambda: True
    qtbot.waitUntil(shapes_prepared, timeout=120_000)
    add_region(viewer, viewer.layers["sharp"], "rectangle", np.array([[0.25, 0.3], [3.4, 3.7]]))
    widget.tabs.setCurrentIndex(VOLUME)
    assert widget.reference_box.isVisibleTo(widget)
    widget.reference_box.setCurrentText("sharp")
    values = settled(widget, qtbot)
    assert values["sharp", "width along z"] == pytest.approx(PER_SIGMA * 2 * 100, rel=0.1)
    assert values["blurred", "width along z"] == pytest.approx(PER_SIGMA * 6 * 100, rel=0.2)
    assert values["sharp", "width along x"] == pytest.approx(PER_SIGMA * 2 * 50, rel=0.1)
    assert 0.5 < values["blurred", "Pearson"] < 1
    assert ("sharp", "Pearson") not in values
    lines = list(csv.DictReader(io.StringIO(widget.as_csv())))
    assert {line["measurement"] for line in lines} == {"Volume"}
    widget.tabs.setCurrentIndex(RESOLUTION)
    settled(widget, qtbot)
    first = source_of(viewer.layers["sharp"], viewer.dims.point).depth.shown
    viewer.dims.set_point(0, 1.0)
    settled(widget, qtbot)
    source = source_of(viewer.layers["sharp"], viewer.dims.point)
    assert source.depth.shown == 11 != first
    picture = widget._means.picture(source)
    np.testing.assert_array_equal(picture.image, viewer.layers["sharp"].data[11])
    assert not widget.tabs.isTabVisible(TRACE), "a volume has no trace over time"
    widget._timer.stop()
    qtbot.waitUntil(lambda: not widget.busy, timeout=20_000)


def test_volumes_are_compared_as_a_whole_and_turned(volumes, qtbot):
    viewer = volumes
    widget = CompareWidget(viewer)
    viewer.window.add_dock_widget(widget, name="compare")
    assert widget.turns.isVisibleTo(widget)
    widget.chooser.choose("blurred", "sharp")
    widget.score_button.click()
    qtbot.waitUntil(lambda: not widget.busy and bool(widget.scores), timeout=30_000)
    layers = viewer.layers
    a, b = (volume_of(source_of(layers[name])) for name in ("blurred", "sharp"))
    assert widget.scores["pearson"] == pytest.approx(measure_volume(a, b)["pearson"])
    assert "Whole volumes" in widget.status.text()
    shapes = {"xy": (72, 80), "xz": (66, 80), "yz": (66, 72)}
    for name, shape in shapes.items():
        widget.turns.buttons[name].click()
        assert viewer.layers["sharp"]._slice.image.raw.shape == shape
    viewer.layers.remove("sharp")
    viewer.layers.remove("blurred")
    viewer.add_image(np.zeros((9, 9)))
    assert not widget.turns.isVisibleTo(widget)


def test_a_truth_file_opens_as_a_volume_at_its_place(make_napari_viewer, tmp_path):
    path = tmp_path / "truth.ome.tif"
    Reconstruction(
        {"image": np.ones((6, 8, 8), np.float32)},
        pixel_px=(0.5, 0.5),
        camera_pixel_um=0.1,
        axes="ZYX",
        plane_um=0.12,
        first_plane_um=-0.12,
    ).save(path)
    viewer = make_napari_viewer()
    read = get_reader(str(path))
    assert read is not None
    ((data, options, _),) = read(str(path))
    layer = viewer.add_image(data, **options)
    assert isinstance(layer, Image)
    np.testing.assert_allclose(layer.scale, (0.12, 0.05, 0.05))
    np.testing.assert_allclose(layer.translate, (-0.12, 0, 0))
    assert volume_of(source_of(layer)).origin_um[0] == pytest.approx(-0.12)
