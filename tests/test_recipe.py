"""What is saved can be read again, and made again from its own recipe."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.run import reconstruct

RNG = np.random.default_rng(0)
MOVIE = RNG.poisson(100 + 500 * (RNG.random((60, 1, 1)) < 0.3) * RNG.random((16, 18))).astype("u2")
STACK = np.stack([np.stack([MOVIE + 10 * z + c for c in range(2)], 1) for z in range(3)], 1)


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "cell.tif"
    tifffile.imwrite(place, MOVIE, resolution=(1e5, 1e5), resolutionunit="CENTIMETER")
    return place


def pixels_element(path):
    with tifffile.TiffFile(path) as tif:
        return ElementTree.fromstring(tif.ome_metadata).find(".//{*}Pixels")


@pytest.mark.parametrize(
    ("method", "settings", "roi", "pixel", "origin"),
    [
        ("average", {}, None, 0.1, (0.0, 0.0)),
        ("std", {}, ((2, 14), (5, 17)), 0.1, (0.2, 0.5)),
        ("sofi", {"order": 2}, None, 0.05, (0.1, 0.1)),
        ("sofi", {"order": 3}, ((2, 14), (5, 17)), 0.1 / 3, (0.3, 0.6)),
    ],
)
def test_scale_and_position_are_in_the_file(tmp_path, path, method, settings, roi, pixel, origin):
    result = reconstruct(open_movie(path).select(roi=roi), method, **settings)
    output = tmp_path / "out.ome.tif"
    result.save(output)
    np.testing.assert_array_equal(tifffile.imread(output), result.image)
    assert result.image.dtype == np.float32
    pixels = pixels_element(output)
    for axis in "XY":
        assert float(pixels.get(f"PhysicalSize{axis}")) == pytest.approx(pixel)
        assert pixels.get(f"PhysicalSize{axis}Unit") == "µm"
    plane = pixels.find("{*}Plane")
    assert float(plane.get("PositionY")) == pytest.approx(origin[0])
    assert float(plane.get("PositionX")) == pytest.approx(origin[1])
    with tifffile.TiffFile(output) as tif:
        tags = tif.pages[0].tags
        assert tif.series[0].axes == "YX"
        assert tags["ResolutionUnit"].value == 3
        for axis in "XY":
            number, of = tags[f"{axis}Resolution"].value
            assert 1e4 * of / number == pytest.approx(pixel, rel=1e-5)
    assert Recipe.load(output) == result.recipe


def test_without_a_scale_none_is_written(tmp_path):
    output = tmp_path / "out.tif"
    reconstruct(open_movie(MOVIE), "average").save(output)
    assert pixels_element(output).get("PhysicalSizeX") is None
    assert pixels_element(output).find("{*}Plane") is None


@pytest.mark.parametrize("axes", ["YX", "TYX", "ZYX"])
def test_maps_are_named_channels(tmp_path, axes):
    shape = (4,) * (len(axes) - 2) + (6, 5)
    maps = {"image": RNG.random(shape), "uncertainty": RNG.random(shape)}
    output = tmp_path / "out.ome.tif"
    result = Reconstruction(
        maps, camera_pixel_um=0.1, axes=axes, origin_px=(2.0, 3.0), frame_interval_s=0.5
    )
    result.save(output)
    with tifffile.TiffFile(output) as tif:
        series = tif.series[0]
        assert series.axes == axes[:-2] + "CYX"
        written = series.asarray()
    for i, array in enumerate(maps.values()):
        np.testing.assert_array_equal(written[..., i, :, :], array.astype(np.float32))
    pixels = pixels_element(output)
    assert [c.get("Name") for c in pixels.findall("{*}Channel")] == list(maps)
    planes = pixels.findall("{*}Plane")
    assert len(planes) == 2 * int(np.prod(shape[:-2]))
    assert all(float(p.get("PositionX")) == pytest.approx(0.3) for p in planes)
    interval = pixels.get("TimeIncrement")
    assert (float(interval) == 0.5) if "T" in axes else (interval is None)


@pytest.mark.parametrize(
    ("command", "data", "options"),
    [
        ("average", MOVIE, {}),
        ("sofi --order 3 --frames 5:55 --roi 1:13,2:18 --pixel-size 0.11", MOVIE, {}),
        ("sofi --deconvolution.iterations 3", MOVIE, {"compression": "zlib"}),
        ("std --channel 1 --z 2", STACK, {"imagej": True, "metadata": {"axes": "TZCYX"}}),
        ("std --z 1 --stack-axis depth", STACK, {"ome": True, "metadata": {"axes": "TZCYX"}}),
        ("std", MOVIE, {"imagej": True, "metadata": {"axes": "ZYX"}}),
        ("std", MOVIE, {"imagej": True}),
    ],
)
def test_run_gives_the_same_pixels(tmp_path, capsys, command, data, options):
    movie, output = tmp_path / "movie.tif", tmp_path / "out.ome.tif"
    tifffile.imwrite(movie, data, photometric="minisblack", **options)
    method, *words = command.split()
    assert main(["reconstruct", method, str(movie), "-o", str(output), *words]) == 0
    assert main(["run", str(output)]) == 0
    again = tmp_path / "out_again.ome.tif"
    np.testing.assert_array_equal(tifffile.imread(again), tifffile.imread(output))
    assert Recipe.load(again) == Recipe.load(output)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(Recipe.load(output).to_json(), encoding="utf-8")
    third = tmp_path / "third.tif"
    assert main(["run", str(recipe), "-o", str(third)]) == 0
    assert third.read_bytes()[-1000:] == again.read_bytes()[-1000:]
    capsys.readouterr()


def test_a_folder_and_a_moved_movie_are_repeated(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, frame in enumerate(MOVIE):
        tifffile.imwrite(folder / f"{i}.tif", frame)
    result = reconstruct(open_movie(folder), "std")
    np.testing.assert_array_equal(repeat(result.recipe).image, result.image)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="There is no file"):
        repeat(result.recipe)
    moved = repeat(result.recipe, tmp_path / "elsewhere")
    np.testing.assert_array_equal(moved.image, result.image)
    assert moved.notes == ()


def test_a_changed_movie_is_noticed(path):
    recipe = reconstruct(open_movie(path), "average").recipe
    changed = MOVIE.copy()
    changed[-1, -1, -1] += 1
    other = path.with_name("other.tif")
    tifffile.imwrite(other, changed, resolution=(1e5, 1e5), resolutionunit="CENTIMETER")
    np.testing.assert_allclose(repeat(recipe, other).image, changed.mean(0), rtol=1e-6)
    assert any("differs from the one" in note for note in repeat(recipe, other).notes)
    other.replace(path)
    with pytest.raises(InputError, match="no longer the movie"):
        repeat(recipe)


def test_an_array_is_not_repeatable_until_it_is_saved(tmp_path):
    result = reconstruct(open_movie(MOVIE, name="layer"), "average")
    assert result.recipe is not None
    assert not result.recipe.repeatable
    with pytest.raises(InputError, match="in memory"):
        repeat(result.recipe)
    saved = tmp_path / "layer.tif"
    tifffile.imwrite(saved, MOVIE)
    np.testing.assert_array_equal(repeat(result.recipe, saved).image, result.image)


def test_a_recipe_holds_every_setting_and_a_paragraph(path):
    recipe = reconstruct(open_movie(path), "sofi").recipe
    stored = json.loads(recipe.to_json())
    assert stored["reconstruct"]["settings"]["order"] == 2
    assert stored["open"]["frames"] is None
    assert "60 frames" in stored["methods_paragraph"]
    assert "100 nm" in stored["methods_paragraph"]
    assert "numpy" in stored["versions"]
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_saving_never_replaces_the_movie(path):
    before = path.read_bytes()
    result = reconstruct(open_movie(path), "average")
    with pytest.raises(InputError, match="would change the input"):
        result.save(path)
    assert path.read_bytes() == before
