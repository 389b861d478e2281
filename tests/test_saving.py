"""Saving of results: napari's File > Save, and Save… in the docks."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from matplotlib.image import imread
from npe2 import PluginManager

from napari_sofinet import Recipe, open_movie, reconstruct
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import read_localizations
from napari_sofinet.quality.grid import Grid
from napari_sofinet.widgets import shown_picture, writer
from napari_sofinet.widgets.measurement_layers import add_difference
from napari_sofinet.widgets.result_layers import layers_of_file
from napari_sofinet.widgets.writer_order import put_first

TRUTH_PIXEL = 0.1


@pytest.fixture
def movie_file(tmp_path):
    rng = np.random.default_rng(3)
    blinks = rng.random((60, 1, 1)) > 0.5
    y, x = np.mgrid[:24, :26]
    spot = 300 * np.exp(-((y - 11) ** 2 + (x - 12) ** 2) / 4)
    frames = rng.poisson(50 + blinks * spot).astype(np.uint16)
    path = tmp_path / "cell.tif"
    tifffile.imwrite(
        path,
        frames,
        imagej=True,
        resolution=(10, 10),
        metadata={"axes": "TYX", "unit": "um", "finterval": 0.05},
    )
    return path


@pytest.fixture
def said(monkeypatch):
    shown: list[str] = []
    for name in ("tell", "warn"):
        monkeypatch.setattr(writer, name, shown.append)
    monkeypatch.setattr(shown_picture, "warn", shown.append)
    return shown


@pytest.fixture
def viewer(make_napari_viewer):
    made = make_napari_viewer()
    PluginManager.instance().activate("napari-sofinet")
    put_first()
    return made


@pytest.fixture
def picture(viewer, movie_file, tmp_path):
    """A result with a second map, selected in the viewer."""
    result = reconstruct(open_movie(movie_file), "sofi")
    maps = {"image": result.image, "uncertainty": result.image / 2}
    result = Reconstruction(**(vars(result) | {"maps": maps}))
    for data, options, _ in layers_of_file(result, "SOFI2 cell"):
        viewer.add_image(data, **options)
    viewer.layers.selection = {viewer.layers["SOFI2 cell"]}
    return viewer.layers["SOFI2 cell"]


def save_in_dialog(viewer, monkeypatch, name, kind="") -> None:
    """Use File > Save Selected Layers…; by default leave the type as it is proposed."""
    from napari._qt import qt_viewer

    def answer(parent, caption, folder, filter="", options=None):
        return str(name), next(k for k in filter.split(";;") if k.startswith(kind))

    monkeypatch.setattr(qt_viewer.QFileDialog, "getSaveFileName", staticmethod(answer))
    viewer.window._qt_viewer._save_layers_dialog(selected=True)


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.ome.tif", "SOFI2 cell 0.5", "plain"])
def test_a_picture_keeps_scale_and_recipe_under_any_name(
    viewer, picture, said, monkeypatch, tmp_path, name
):
    save_in_dialog(viewer, monkeypatch, tmp_path / name)
    (saved,) = (p for p in tmp_path.iterdir() if p.name.startswith(name))
    assert saved.name in (name, f"{name}.ome.tif")
    assert Recipe.load(saved).reconstruct.method == "sofi"
    assert str(saved) in said[-1]
    layers = viewer.open(str(saved), plugin="napari-sofinet")
    again = next(layer for layer in layers if layer.name.startswith(name.split(".")[0]))
    np.testing.assert_array_equal(again.data, picture.data)
    np.testing.assert_allclose(again.scale, picture.scale)
    np.testing.assert_allclose(again.translate, picture.translate)
    assert again.units == picture.units
    assert again.metadata["sofinet"] == picture.metadata["sofinet"]


def test_the_other_maps_of_a_result_are_saved_with_it(viewer, picture, said, tmp_path):
    for number, layer in enumerate(viewer.layers):
        layer.save(str(tmp_path / f"{number}.tif"))
        assert list(Reconstruction.load(tmp_path / f"{number}.tif").maps) == [
            "image",
            "uncertainty",
        ]
    assert number > 0


def test_formats_without_scale_have_the_recipe_beside_them(viewer, picture, said, tmp_path):
    picture.save(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), picture.data)
    picture.save(str(tmp_path / "a.png"))
    drawn = imread(tmp_path / "a.png")
    assert drawn.shape == (*picture.data.shape, 3)
    brightest = np.unravel_index(picture.data.argmax(), picture.data.shape)
    shown = picture.colormap.map(np.array([1.0]))[0, :3]
    np.testing.assert_allclose(drawn[brightest], shown, atol=0.01)
    for name in ("a.npy", "a.png"):
        assert Recipe.load(tmp_path / f"{name}.recipe.json").reconstruct.method == "sofi"
    assert all("scale" in sentence and ".ome.tif" in sentence for sentence in said[-2:])


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.csv", "does not produce localisations"), ("a.gif", "no place"), ("no/a.tif", "not exist")],
)
def test_what_cannot_be_saved_is_said_in_a_sentence(
    viewer, picture, said, monkeypatch, tmp_path, name, words
):
    with pytest.raises(OSError, match=words) as caught:
        save_in_dialog(viewer, monkeypatch, tmp_path / name)
    assert str(caught.value).count(". ") == 0
    assert not (tmp_path / name).exists()


def test_a_file_that_was_not_named_in_full_is_not_replaced(viewer, picture, said, tmp_path):
    (tmp_path / "a.ome.tif").write_bytes(b"precious")
    with pytest.raises(OSError, match="exists already"):
        writer.write_reconstruction(
            str(tmp_path / "a"), picture.data, picture.as_layer_data_tuple()[1]
        )
    assert (tmp_path / "a.ome.tif").read_bytes() == b"precious"


def test_other_layers_are_saved_as_without_this_plugin(viewer, monkeypatch, said, tmp_path):
    photo = np.random.default_rng(0).integers(0, 255, (9, 8, 3)).astype(np.uint8)
    stack = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)
    for name, array, options in (("photo", photo, {"rgb": True}), ("stack", stack, {})):
        viewer.layers.selection = {viewer.add_image(array, name=name, **options)}
        for ending, written in (("", ".tif"), (".tif", ".tif")):
            save_in_dialog(viewer, monkeypatch, tmp_path / f"{name}{len(ending)}{ending}")
            saved = tifffile.imread(tmp_path / f"{name}{len(ending)}{written}")
            assert saved.dtype == array.dtype
            np.testing.assert_array_equal(saved, array)
    viewer.layers.selection = {viewer.add_points(np.eye(2), name="dots")}
    save_in_dialog(viewer, monkeypatch, tmp_path / "dots.csv")
    assert (tmp_path / "dots.csv").read_text().startswith("index,axis-0,axis-1")


@pytest.fixture
def found(viewer):
    rng = np.random.default_rng(1)
    table = LocalizationTable(
        np.sort(rng.integers(0, 50, 40)),
        *rng.uniform(2, 30, (2, 40)),
        photons=rng.uniform(100, 900, 40),
        camera_pixel_um=0.1,
        shape=(32, 34),
    )
    from napari_sofinet.widgets.table_reader import points_options

    viewer.layers.selection = {
        viewer.add_points(
            np.stack([table.y_px, table.x_px], axis=1),
            **points_options(table, 0.1),
            name="found",
            metadata={"sofinet_table": table},
        )
    }
    return table


@pytest.mark.parametrize("name", ["found", "found.csv", "found.hdf5"])
def test_points_are_saved_as_a_table_of_localisations(
    viewer, found, said, monkeypatch, tmp_path, name
):
    save_in_dialog(viewer, monkeypatch, tmp_path / name)
    path = tmp_path / ("found.csv" if name == "found" else name)
    again = read_localizations(path, 0.1)
    np.testing.assert_allclose(again.y_px, found.y_px, atol=1e-3)
    np.testing.assert_allclose(again.photons, found.photons, rtol=1e-4)
    if path.suffix == ".csv":
        first = path.read_text().splitlines()[0]
        assert '"x [nm]"' in first or "x [nm]" in first


def test_all_layers_are_saved_to_a_folder_with_their_recipes(
    viewer, picture, found, said, monkeypatch, tmp_path
):
    viewer.add_labels(np.ones((4, 5), np.uint8), name="mask")
    viewer.layers.selection = set(viewer.layers)
    save_in_dialog(viewer, monkeypatch, tmp_path / "all", "napari-sofinet folder")
    names = sorted(p.name for p in (tmp_path / "all").iterdir())
    assert names == ["SOFI2 cell.ome.tif", "found.csv", "mask.tif"]
    assert Recipe.load(tmp_path / "all" / names[0]).reconstruct.method == "sofi"


def test_movies_keep_their_scale_and_type(viewer, movie_file, said, tmp_path):
    (layer,) = viewer.open(str(movie_file), plugin="napari-sofinet")
    layer.save(str(tmp_path / "copy.tif"))
    copy, movie = open_movie(tmp_path / "copy.tif"), open_movie(movie_file)
    assert copy.pixel_size_um == pytest.approx(TRUTH_PIXEL)
    assert copy.frame_interval_s == pytest.approx(movie.frame_interval_s)
    assert copy.frames.dtype == np.uint16
    np.testing.assert_array_equal(copy.frames, movie.frames)
    with pytest.raises(OSError, match="would change the input"):
        layer.save(str(movie_file))
    with pytest.raises(OSError, match="ending in"):
        layer.save(str(tmp_path / "copy.png"))


def test_a_map_without_recipe_opens_with_its_scale(viewer, said, tmp_path):
    grid = Grid((0.3, 0.4), (0.05, 0.06), (12, 14))
    image = np.random.default_rng(0).normal(size=grid.shape)
    pair = tuple(viewer.add_image(image, name=name, units=("um", "um")) for name in "ab")
    made = add_difference(viewer, image, pair, grid)
    made.save(str(tmp_path / "difference.tif"))
    (again,) = viewer.open(str(tmp_path / "difference.tif"), plugin="napari-sofinet")
    np.testing.assert_allclose(again.data, image, atol=1e-6)
    np.testing.assert_allclose(again.scale, made.scale)
    np.testing.assert_allclose(again.translate, made.translate)
    assert again.units == made.units
    assert again.name == "difference"
