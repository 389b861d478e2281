"""All images of a stack are taken, however it was written; what is left out is said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tifffile

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.open_movie import open_movie

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)
GREY = {"photometric": "minisblack"}


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


def write_blocks(path, movie, edges, each=None, file=None, **options):
    """Write frames in several blocks, with options for each of them."""
    with tifffile.TiffWriter(path, **(file or {})) as writer:
        for k, (a, b) in enumerate(pairwise(edges)):
            block = movie[a:b] if b > a + 1 else movie[a]
            writer.write(block, **(GREY | options | ((each or {}).get(k, {}))))


KINDS = {
    "plain": {},
    "axes": {"metadata": {"axes": "TYX"}},
    "without metadata": {"metadata": None},
    "BigTIFF": {"file": {"bigtiff": True}},
    "big-endian": {"file": {"byteorder": ">"}},
    "lzw": {"compression": "lzw"},
    "tiles": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 5},
    "packed differently": {"each": {1: {"compression": "zlib"}, 2: {"compression": "lzw"}}},
    "other strips": {"each": {1: {"rowsperstrip": 5}}},
    "other strips, without metadata": {"each": {1: {"rowsperstrip": 5}}, "metadata": None},
}


@pytest.mark.parametrize("edges", [(0, 8, 16, 20), (0, 1, 12, 20), (0, 10, 20)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_one_movie(tmp_path, kind, edges):
    path = tmp_path / "movie.tif"
    write_blocks(path, MOVIE, edges, **KINDS[kind])
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    np.testing.assert_array_equal(
        pixels(movie.select((5, 18), ((2, 9), (5, 18)))), MOVIE[5:18, 2:9, 5:]
    )
    assert movie.notes == ()


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"bigtiff": True}], ids=str)
def test_a_file_is_appended_to(tmp_path, options):
    path = tmp_path / "movie.tif"
    for a, b in ((0, 8), (8, 16), (16, 20)):
        tifffile.imwrite(path, MOVIE[a:b], append=path.exists(), **GREY, **options)
    np.testing.assert_array_equal(pixels(open_movie(path)), MOVIE)


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
def test_blocks_of_several_channels(tmp_path, axes):
    path = tmp_path / "movie.tif"
    both = MOVIE.reshape(10, 2, 16, 18)
    with tifffile.TiffWriter(path) as writer:
        for a, b in ((0, 4), (4, 8), (8, 10)):
            block = both[a:b] if axes == "TCYX" else both[a:b].swapaxes(0, 1)
            writer.write(np.ascontiguousarray(block), metadata={"axes": axes}, **GREY)
    for channel in (0, 1):
        found = open_movie(path, channel=channel)
        np.testing.assert_array_equal(pixels(found), both[:, channel])
        assert found.notes == ()


@pytest.mark.parametrize("kind", ["plain", "without metadata", "lzw"])
def test_images_of_another_kind_are_named(tmp_path, kind):
    path = tmp_path / "movie.tif"
    options = KINDS[kind]
    with tifffile.TiffWriter(path) as writer:
        writer.write(MOVIE[:12], **GREY, **options)
        writer.write(MOVIE[12:].astype(np.uint8), **GREY, **options)
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE[:12])
    assert "uint8" in movie.notes[0]
    assert "left out" in movie.notes[0]


def test_a_page_of_another_size_among_the_frames_is_named(tmp_path):
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        for k, frame in enumerate(MOVIE):
            writer.write(frame[:8] if k == 7 else frame, contiguous=False, metadata=None)
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), np.delete(MOVIE, 7, axis=0))
    assert "1 of 8 x 18 px, uint16" in movie.notes[0]


def test_a_picture_behind_the_frames_is_doubted(tmp_path):
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(MOVIE, **GREY)
        writer.write(MOVIE.max(axis=0), **GREY)
    movie = open_movie(path)
    assert movie.shape[0] == 21
    assert "frames 0:20" in movie.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_blocks_are_refused_or_whole(tmp_path, kind):
    path, cut = tmp_path / "movie.tif", tmp_path / "cut.tif"
    write_blocks(path, MOVIE, (0, 8, 16, 20), **KINDS[kind])
    data = path.read_bytes()
    for length in np.linspace(100, len(data) - 1, 40).astype(int):
        cut.write_bytes(data[:length])
        try:
            found = pixels(open_movie(cut))
        except InputError:
            continue
        np.testing.assert_array_equal(found, MOVIE)


def imagej_pages(path, text, movie=MOVIE, **options):
    with tifffile.TiffWriter(path) as writer:
        for k, frame in enumerate(movie):
            writer.write(
                frame,
                contiguous=False,
                metadata=None,
                description=text if k == 0 else None,
                **options,
            )


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
def test_promises_of_imagej_against_what_is_there(tmp_path, options):
    path = tmp_path / "movie.tif"
    for promised, word in ((12, "all of them are used"), (40, "declares 40 images")):
        imagej_pages(path, f"ImageJ=1.53c\nimages={promised}\nframes={promised}\n", **options)
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE)
        assert word in movie.notes[0]
    imagej_pages(
        path, "ImageJ=1.53c\nimages=12\nframes=6\nchannels=2\nhyperstack=true\n", **options
    )
    movie = open_movie(path)
    assert movie.shape[0] == 6
    assert "8 of 16 x 18 px" in movie.notes[0]
