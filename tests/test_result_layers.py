"""Layers of results in the real viewer: names, replacing, hiding the movie, films, pixel size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_sofinet import Reconstruction
from napari_sofinet.base.settings import build, flatten_settings, parameters
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import MethodStep, OpenStep, Recipe
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.quality.grid import Grid
from napari_sofinet.widgets import reader
from napari_sofinet.widgets.doubt_map import relative_uncertainty
from napari_sofinet.widgets.held_film import HeldFilm
from napari_sofinet.widgets.layer_names import map_name, picture_name, shown, told_apart
from napari_sofinet.widgets.measurement_layers import add_difference
from napari_sofinet.widgets.placement import contrast
from napari_sofinet.widgets.result_layers import layers_over
from napari_sofinet.widgets.result_links import movie_under
from napari_sofinet.widgets.result_stack import ResultStack
from napari_sofinet.widgets.table_reader import points_options

MOVIE = "simulated_sofi_tubulin_1000x64x64"


def recipe(method: str, frames: tuple[int, int] | None = None, **settings) -> Recipe:
    model = methods()[method].settings
    weighted = {p.name for p in parameters(model) if p.weights}
    names = {k: v for k, v in settings.items() if k in weighted}
    values = flatten_settings(build(model, {k: v for k, v in settings.items() if k not in names}))
    return Recipe(
        open=OpenStep(path=None, name=MOVIE, frames=frames, shape=(1000, 64, 64)),
        reconstruct=MethodStep(method=method, settings=values | names),
        versions={},
        methods_paragraph="",
    )


def another(leaf) -> object:
    """A value of a setting that is not its default."""
    kind = leaf.info.annotation
    if isinstance(leaf.default, bool):
        return not leaf.default
    if leaf.weights:
        return "my_own_cells"
    choices = getattr(kind, "__args__", ())
    words = [c for c in choices if isinstance(c, str) and c != leaf.default]
    if words:
        return words[0]
    if kind is str or leaf.file:
        return {"where": "photons > 300", "drift": "auto"}.get(leaf.name, "dark.tif")
    least = leaf.limit("ge") if leaf.limit("ge") is not None else leaf.limit("gt") or 0
    most = leaf.limit("le") if leaf.limit("le") is not None else leaf.limit("lt") or 1e9
    near = leaf.default if leaf.default is not None else least
    step = 1 if "int" in str(kind) else (min(most, near + 1) - near) / 2 or -0.1
    return near + step


@pytest.mark.parametrize("method", methods().values(), ids=lambda m: m.name)
def test_runs_that_differ_in_one_setting_look_different_in_the_list(method):
    plain = recipe(method.name)
    tags = [picture_name(plain, MOVIE)]
    for leaf in parameters(method.settings):
        changed = recipe(method.name, **{leaf.name: another(leaf)})
        assert changed.reconstruct.settings != plain.reconstruct.settings, leaf.name
        tags.append(picture_name(changed, MOVIE))
    assert len({shown(tag) for tag in tags}) == len(tags), sorted(map(shown, tags))
    for part in ((0, 100), (0, 50), (10, 100), (10, 200)):
        parted = recipe(method.name, part)
        tags.append(told_apart(picture_name(parted, MOVIE), tags, parted))
        assert not tags[-1].endswith(")")  # no number is needed
    assert all(MOVIE in tag for tag in tags)
    # Also uncertainties, which stand in the same list.
    maps = [map_name("uncertainty %", plain, MOVIE)]
    for leaf in parameters(method.settings):
        maps.append(
            map_name("uncertainty %", recipe(method.name, **{leaf.name: another(leaf)}), MOVIE)
        )
    apart: list[str] = []
    for name in (*tags, *maps):
        apart.append(told_apart(name, apart))
    assert len({shown(name) for name in apart}) == len(apart)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (recipe("sofi", (0, 100)), "SOFI2 0–99 cell"),
        (recipe("sofi", order=4), "SOFI4 0–999 cell"),
        (recipe("sofi", **{"drift.correct": True}), "SOFI2 0–999 cell, drift corr."),
        (recipe("sofinet", (0, 20)), "net 0–19 cell"),
        (recipe("sofinet", weights="/home/me/my_own.safetensors"), "net 0–999 cell, my_own"),
        (
            recipe("sofi", linearization="none", lag=2),
            "SOFI2 0–999 cell, linearization none, lag 2",
        ),
        (None, "picture cell"),
    ],
)
def test_names_begin_with_a_tag_and_end_with_what_differs(made, name):
    assert picture_name(made, "cell") == name


def test_long_frame_numbers_and_repeated_runs_are_told_apart():
    a, b = recipe("sofi", (100, 150)), recipe("sofi", (100, 200))
    first = picture_name(a, MOVIE)
    second = told_apart(picture_name(b, MOVIE), [first], b)
    assert second == f"SOFI2 100–199 {MOVIE}, 100–199"
    third = told_apart(picture_name(b, MOVIE), [first, second], b)
    assert len({shown(name) for name in (first, second, third)}) == 3


# -- in the viewer ---------------------------------------------------------------------------------


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def movie(viewer):
    frames = np.random.default_rng(0).poisson(100, (40, 12, 14)).astype(np.uint16)
    return viewer.add_image(frames, name="cell")


@pytest.fixture
def stack(viewer, qtbot):
    made = ResultStack(viewer)
    qtbot.addWidget(made)
    return made


def result(**changes) -> Reconstruction:
    rng = np.random.default_rng(1)
    image = rng.random((23, 27)).astype(np.float32)
    maps = {"image": image, "uncertainty": np.full_like(image, 0.25)}
    settings = {k: v for k, v in changes.items() if k not in ("maps", "frames", "time_series")}
    return Reconstruction(
        changes.get("maps", maps),
        (0.5, 0.5),
        recipe=recipe("sofinet", changes.get("frames", (0, 40)), **settings),
        time_series=changes.get("time_series"),
    )


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_the_layers_of_a_result_stand_together_and_its_picture_is_chosen(viewer, movie, stack):
    stack.add(movie, result(), 0, {})
    viewer.add_shapes([np.array([[1, 1], [1, 5], [5, 5], [5, 1]])], name="box")
    stack.add(movie, result(frames=(0, 20)), 0, {})
    assert names(viewer) == [
        "cell",
        "± cell, net 0–39",
        "net 0–39 cell",
        "uncertainty % cell, net 0–39",
        "box",
        "± cell, net 0–19",
        "net 0–19 cell",
        "uncertainty % cell, net 0–19",
    ]
    assert viewer.layers.selection.active.name == "net 0–19 cell"
    # The thumbnails of hidden layers are drawn, too.
    hidden = [layer for layer in viewer.layers if not layer.visible and layer is not movie]
    assert len(hidden) == 4
    assert all(layer.thumbnail[..., :3].any() for layer in hidden)


def test_the_same_run_replaces_its_layers_if_wanted(viewer, movie, stack):
    first = stack.add(movie, result(), 0, {})
    first.colormap = "green"
    before = list(viewer.layers)
    changed = {k: v + 1 for k, v in result().maps.items()}
    assert stack.add(movie, result(maps=changed), 0, {}) is first
    assert list(viewer.layers) == before
    np.testing.assert_array_equal(first.data, changed["image"])
    assert first.metadata["sofinet_result"].image is first.data
    assert first.colormap.name == "green"
    # Other settings, other frames and another plane are other results.
    for made, position in (
        (result(step=2), {}),
        (result(frames=(0, 20)), {}),
        (result(), {1: 2}),
    ):
        count = len(viewer.layers)
        stack.add(movie, made, 0, position)
        assert len(viewer.layers) == count + 3
    stack.replace_box.setChecked(False)
    count = len(viewer.layers)
    stack.add(movie, result(), 0, {})
    assert len(viewer.layers) == count + 3
    assert len({shown(name) for name in names(viewer)}) == len(viewer.layers)


def test_points_are_replaced_with_their_picture(viewer, movie, stack):
    table = LocalizationTable(np.arange(5), *np.full((2, 5), 6.0), shape=(12, 14))
    for _ in range(2):
        stack.add(movie, replace(result(), localizations=table), 0, {})
    assert names(viewer).count("points cell, net 0–39") == 1
    assert len(viewer.layers) == 5


def test_the_movie_is_hidden_under_its_results_and_comes_back(viewer, movie, stack):
    picture = stack.add(movie, result(), 0, {})
    assert not movie.visible
    stack.hide_box.setChecked(False)
    assert movie.visible
    stack.hide_box.setChecked(True)
    assert not movie.visible
    for layer in [layer for layer in viewer.layers if movie_under(layer) is not None]:
        assert not movie.visible
        viewer.layers.remove(layer)
    assert movie.visible
    assert picture not in viewer.layers
    stack.hide_box.setChecked(False)
    stack.add(movie, result(), 0, {})
    assert movie.visible


def test_maps_of_a_comparison_are_hidden_under_a_new_picture(viewer, movie, stack):
    picture = stack.add(movie, result(), 0, {})
    made = add_difference(viewer, picture.data, (picture, movie), Grid((0, 0), (1, 1), (23, 27)))
    assert made.visible
    other = stack.add(movie, result(frames=(0, 20)), 0, {})
    assert not made.visible
    assert other.visible
    assert picture.visible


def test_a_film_shows_a_picture_at_every_frame_that_was_used(viewer, movie, stack):
    pictures = np.arange(1, 4, dtype=np.float32)[:, None, None] * np.ones((1, 23, 27), np.float32)
    film = stack.add(
        movie, result(maps={"image": pictures}, time_series=(9.5, 10.0), frames=(0, 40)), 0, {}
    )
    seen = []
    for frame in range(40):
        viewer.dims.set_point(0, frame)
        seen.append(film.get_value((frame, 5, 5), world=True))
    assert seen == [1] * 15 + [2] * 10 + [3] * 15
    assert viewer.dims.range[0][:2] == (0, 39)
    # A film of some frames does not claim to know the others.
    viewer.dims.set_point(0, 2)
    short = stack.add(
        movie, result(maps={"image": pictures}, time_series=(14.5, 5.0), frames=(10, 30)), 0, {}
    )
    assert 10 <= viewer.dims.point[0] <= 29  # moved into the film
    for frame, value in ((10, 1), (29, 3), (9, None), (30, None)):
        viewer.dims.set_point(0, frame)
        assert (short.get_value((frame, 5, 5), world=True) or None) == value


def test_parts_of_a_held_film_are_those_of_its_array():
    pictures = np.random.default_rng(0).random((3, 2, 4, 5))
    for axis in (0, 1):
        film = HeldFilm(pictures, axis, (1.0, 3.0), (0, 9))
        whole = np.asarray(film)
        assert whole.shape == film.shape
        for key in (1, slice(1, 2), (..., 1), (slice(None), 1), (2, 1, 2), (slice(0, 3), ..., 0)):
            np.testing.assert_array_equal(film[key], whole[key])


@pytest.mark.parametrize("units", ["pixel", "micrometer"])
def test_a_typed_pixel_size_scales_all_that_lies_on_the_movie(viewer, movie, stack, units):
    from napari_sofinet.widgets.movie_chooser import MovieChooser

    movie.units = ("pixel", units, units)
    movie.rotate = 20
    picture = stack.add(movie, result(), 0, {})
    other = viewer.add_image(np.zeros((5, 8, 8)), name="another movie")
    box = viewer.add_shapes([np.array([[1.0, 1], [1, 5], [5, 5], [5, 1]])], name="box")
    box.units = (units, units)
    chooser = MovieChooser(viewer)
    chooser.offer([movie], lambda *_: None)
    chooser.last.setValue(30)
    before = [
        movie.data_to_world((0, 3, 4))[1:],
        picture.data_to_world((6, 8)),
        box.data_to_world((3, 4)),
    ]
    chooser.pixel_edit.setText("0.25")
    chooser.pixel_edit.editingFinished.emit()
    after = [
        movie.data_to_world((0, 3, 4))[1:],
        picture.data_to_world((6, 8)),
        box.data_to_world((3, 4)),
    ]
    np.testing.assert_allclose(np.asarray(after), 0.25 * np.asarray(before), atol=1e-12)
    np.testing.assert_allclose(after[0], after[1], atol=1e-12)
    assert {str(x.units[-1]) for x in (movie, picture, box)} == {"micrometer"}
    np.testing.assert_array_equal(other.scale, 1)
    assert chooser.last.value() == 30  # the rest of the form stays
    assert chooser.movie().pixel_size_um == pytest.approx(0.25)


def test_uncertainty_is_shown_relative_to_the_brightness(viewer, movie, stack):
    image = np.zeros((23, 27), np.float32)
    image[5:9], image[12:16] = 1.0, 1.0
    off = np.full_like(image, 0.02)
    off[12:16] = 0.8  # this line may not be there
    off[20] = 0.5  # a line may be missing
    stack.add(movie, result(maps={"image": image, "uncertainty": off}), 0, {})
    layer = viewer.layers["uncertainty % cell, net 0–39"]
    seen = layer.data
    assert seen[5:9].max() < 10
    assert seen[12:16].min() > 70
    assert seen[20].min() > 70
    assert seen[18].max() < 10
    assert layer.contrast_limits == [0, 100]
    assert not layer.visible
    assert viewer.layers.index(layer) > viewer.layers.index("net 0–39 cell")
    np.testing.assert_array_equal(viewer.layers["± cell, net 0–39"].data, off)
    # Transparent where the picture is certain.
    clear, doubtful = layer.colormap.map(np.array([0.0, 1.0]))[:, 3]
    assert clear == 0
    assert doubtful > 0.8
    if hasattr(layer, "colorbar"):
        assert layer.colorbar.visible
        assert layer.name_overlay.visible
    assert relative_uncertainty(Reconstruction({"image": image}), 1.0) is None


# -- contrast --------------------------------------------------------------------------------------


def test_a_dark_movie_with_few_bright_blinks_is_not_black(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.poisson(200, (60, 32, 32)).astype(np.uint16)
    for k in range(60):
        y, x = rng.integers(2, 30, 2)
        frames[k, y - 1 : y + 2, x - 1 : x + 2] += 5000
    tifffile.imwrite(tmp_path / "paint.tif", frames, imagej=True, metadata={"axes": "TYX"})
    ((_, options, _),) = reader.read_movie(str(tmp_path / "paint.tif"))
    low, high = options["contrast_limits"]
    grey = (np.median(frames) - low) / (high - low)
    assert 0.1 < grey < 0.6
    # A movie with much structure keeps its range.
    y, x = np.mgrid[:32, :32]
    dense = rng.poisson(100 + 1000 * (np.sin(x / 2) > 0.6), (60, 32, 32)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "dense.tif", dense, imagej=True, metadata={"axes": "TYX"})
    ((_, options, _),) = reader.read_movie(str(tmp_path / "dense.tif"))
    assert options["contrast_limits"][1] > 1000


def test_a_picture_that_is_nearly_empty_is_not_black():
    image = np.zeros((200, 200), np.float32)
    image[3, 4] = 0.6
    assert contrast(image) == (0.0, pytest.approx(0.6))


def test_points_are_seen_on_their_picture_at_any_zoom():
    table = LocalizationTable(
        np.arange(3), *np.ones((2, 3)), uncertainty_px=np.full(3, 0.01), shape=(9, 9)
    )
    options = points_options(table, 1.0)
    assert options["canvas_size_limits"][0] >= 4
    assert options["border_color"] == options["face_color"] == "cyan"


def test_a_picture_made_from_a_table_is_named_like_others(viewer):
    movie = open_movie(np.random.default_rng(0).poisson(100, (20, 16, 16)))
    layer = viewer.add_image(np.asarray(movie.frames), name="cell")
    ((_, options, _),) = layers_over(layer, reconstruct(movie, "average"), 0)
    assert options["name"] == "mean 0–19 cell"
