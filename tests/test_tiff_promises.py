"""OME-TIFFs that hold less, more or something else than they say."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from odd_tiffs import ome_xml

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.run import reconstruct

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


def write_ome(path, frames, xml):
    with tifffile.TiffWriter(path) as writer:
        for k, frame in enumerate(frames):
            text = xml.encode() if k == 0 else None
            writer.write(frame, contiguous=False, metadata=None, description=text, software=None)


def promising(names, count, times, **more):
    """OME-XML of one position with ``count`` images in its first file."""
    return ome_xml(names, [[(0, k, 0, 0, k) for k in range(count)]], (16, 18), times, **more)


@pytest.mark.parametrize("listed", [12, 20])
def test_a_recording_that_stopped_early_opens_with_a_range(tmp_path, listed, capsys):
    path = tmp_path / "movie.ome.tif"
    write_ome(path, MOVIE[:12], promising([path.name], listed, 20))
    with pytest.raises(InputError, match=r"8 of the 20 images .* choose frames 0:12"):
        open_movie(path)
    for frames in ((0, 12), (None, 7), (3, 12)):
        movie = open_movie(path, frames=frames)
        np.testing.assert_array_equal(pixels(movie), MOVIE[:12][slice(*frames)])
        assert "first 12" in movie.notes[0]
    for frames in ((0, None), (0, 13), (None, None)):
        with pytest.raises(InputError, match="frames 0:12"):
            open_movie(path, frames=frames)
    assert main(["info", str(path), "--frames", "0:12"]) == 0
    assert "12 frames of 16 x 18" in capsys.readouterr().out
    assert main(["info", str(path)]) == 2
    assert "--frames 0:12" in capsys.readouterr().err


def test_its_recipe_is_repeated(tmp_path):
    path = tmp_path / "movie.ome.tif"
    write_ome(path, MOVIE[:12], promising([path.name], 20, 20))
    made = reconstruct(open_movie(path, frames=(1, 11)), "average")
    made.save(tmp_path / "out.ome.tif")
    again = repeat(Recipe.load(tmp_path / "out.ome.tif"))
    np.testing.assert_array_equal(again.image, made.image)


def test_a_missing_file_is_named_and_the_first_frames_open(tmp_path):
    names = ["a.ome.tif", "b.ome.tif"]
    places = [[(k // 10, k % 10, 0, 0, k) for k in range(20)]]
    write_ome(tmp_path / names[0], MOVIE[:10], ome_xml(names, places, (16, 18), 20))
    with pytest.raises(InputError, match=r"requires the file b\.ome\.tif .* frames 0:10"):
        open_movie(tmp_path / names[0])
    np.testing.assert_array_equal(
        pixels(open_movie(tmp_path / names[0], frames=(0, 10))), MOVIE[:10]
    )
    renamed = (tmp_path / names[0]).rename(tmp_path / "cell.ome.tif")
    with pytest.raises(InputError, match=r"requires the file b\.ome\.tif"):
        open_movie(renamed)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"pages": True}], ids=str)
def test_the_first_frames_of_a_truncated_copy(tmp_path, options):
    path = tmp_path / "movie.ome.tif"
    if "pages" in options:
        write_ome(path, MOVIE, promising([path.name], 20, 20))
    else:
        tifffile.imwrite(path, MOVIE, ome=True, metadata={"axes": "TYX"}, **options)
    with tifffile.TiffFile(path) as tif:  # cut in the middle of some frames, if they lie so
        ends = [page.dataoffsets[0] + 100 for page in tif.pages]
    data = path.read_bytes()
    opened = 0
    for frame in (8, 12, 16):
        path.write_bytes(data[: ends[frame]])
        with pytest.raises(InputError, match=r"missing|truncated"):
            open_movie(path)
        try:
            movie = open_movie(path, frames=(0, 5))
        except InputError:
            continue
        np.testing.assert_array_equal(pixels(movie), MOVIE[:5])
        opened += 1
    assert opened or "pages" not in options


@pytest.mark.parametrize(("count", "times", "channels"), [(12, 12, 1), (1, 1, 1), (20, 1, 1)])
def test_more_images_than_the_xml_names_are_taken(tmp_path, count, times, channels):
    path = tmp_path / "movie.ome.tif"
    write_ome(path, MOVIE, promising([path.name], count, times, channels=channels))
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "all of them are used" in movie.notes[0]
    np.testing.assert_array_equal(pixels(movie.select((10, 15))), MOVIE[10:15])


def test_more_images_of_several_channels_are_said(tmp_path):
    path = tmp_path / "movie.ome.tif"
    places = [[(0, k, k % 2, 0, k // 2) for k in range(12)]]
    write_ome(path, MOVIE, ome_xml([path.name], places, (16, 18), 6, channels=2))
    movie = open_movie(path, channel=1)
    np.testing.assert_array_equal(pixels(movie), MOVIE[1:12:2])
    assert "8 of 16 x 18 px" in movie.notes[0]


def test_the_movie_behind_a_snapshot_is_taken(tmp_path):
    path = tmp_path / "movie.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(MOVIE.max(axis=0), metadata={"axes": "YX"})
        writer.write(MOVIE, metadata={"axes": "TYX"})
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "2 images" in movie.notes[0]
    assert "20 frames" in movie.notes[0]


def test_an_unlikely_pixel_size_is_said(tmp_path):
    path = tmp_path / "movie.ome.tif"
    for size, unusual in ((160, True), (0.1, False), (1e-5, True)):
        metadata = {"axes": "TYX", "PhysicalSizeX": size, "PhysicalSizeY": size}
        tifffile.imwrite(path, MOVIE, ome=True, metadata=metadata)
        movie = open_movie(path)
        assert movie.pixel_size_um == pytest.approx(size)
        assert any("unusual" in note for note in movie.notes) is unusual
        assert open_movie(path, 0.1).notes == ()


def test_time_that_may_be_the_last_axis_is_said(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((16, 16, 40), np.uint8), photometric="minisblack")
    assert "40 frames of 16 x 16 px" in open_movie(path).notes[0]
    assert "move the time axis" in open_movie(np.zeros((16, 16, 40))).notes[0]
    assert open_movie(np.zeros((16, 16, 16))).notes == ()


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}], ids=str)
@pytest.mark.parametrize("end", ["cut", "zeros"])
def test_the_first_frames_of_a_plain_file_that_broke_off(tmp_path, options, end):
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in MOVIE:
            writer.write(frame, contiguous=False, metadata=None, **options)
    with tifffile.TiffFile(path) as tif:
        places = [page.offset for page in tif.pages]
    data = path.read_bytes()
    path.write_bytes(data[: places[12]] + (bytes(3000) if end == "zeros" else b""))
    if end == "zeros":
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE[:12])
        assert "interrupted" in movie.notes[0]
        return
    with pytest.raises(InputError, match=r"truncated; copy .* frames 0:1\d"):
        open_movie(path)
    movie = open_movie(path, frames=(0, 11))
    np.testing.assert_array_equal(pixels(movie), MOVIE[:11])
