"""Movies from arrays and files: selection, blocks, pickling."""

from __future__ import annotations

import pickle
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.saturation import Saturation

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)


def as_zarr(array):
    stored = zarr.create_array({}, shape=array.shape, chunks=(7, 8, 18), dtype=array.dtype)
    stored[:] = array
    return stored


KINDS = {
    "numpy": lambda a: a,
    "dask": lambda a: da.from_array(a, chunks=(6, 5, 18)),
    "zarr": as_zarr,
    "lists": lambda a: a.astype(int).tolist(),
    "big-endian": lambda a: a.astype(">u2"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_a_movie(kind):
    movie = open_movie(KINDS[kind](MOVIE), 0.1, name="cell")
    assert (movie.name, movie.shape, movie.pixel_size_um) == ("cell", MOVIE.shape, 0.1)
    part = movie.select((3, 17), ((2, 9), (5, 18)))
    np.testing.assert_array_equal(part.frames.compute(), MOVIE[3:17, 2:9, 5:18])
    np.testing.assert_array_equal(np.concatenate(list(time_blocks(part))), part.frames)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (MOVIE[0], "single image"),
        (MOVIE[:1], "single image"),
        (MOVIE[None], "three axes"),
        (MOVIE[:0], "empty"),
        (MOVIE[:, :0], "empty"),
        (MOVIE > 500, "bool"),
        (MOVIE.astype(complex), "complex"),
        (MOVIE.astype(object), "object"),
        ("cell".split(), r"three axes|single"),
    ],
)
def test_other_arrays_are_refused(array, match):
    with pytest.raises(InputError, match=match):
        open_movie(array)


def test_an_array_has_no_channels():
    with pytest.raises(InputError, match="cannot be chosen"):
        open_movie(MOVIE, channel=1)


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), float("inf")])
def test_scales_are_positive(value):
    with pytest.raises(InputError, match="pixel size must be positive"):
        open_movie(MOVIE, value)
    with pytest.raises(InputError, match="frame interval must be positive"):
        open_movie(MOVIE, frame_interval_s=value)


def test_nanometres_given_as_micrometres_are_noted():
    assert "0.1 for 100 nm" in open_movie(MOVIE, 107).notes[0]
    assert open_movie(MOVIE, 0.107).notes == ()


numbers = st.none() | st.integers(-3, 24)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(first=numbers, last=numbers, y=st.tuples(numbers, numbers), x=st.tuples(numbers, numbers))
def test_a_selection_is_numpys_or_refused(first, last, y, x):
    movie = open_movie(MOVIE)
    roi = None if None in (*y, *x) else (y, x)
    a, b = first or 0, 20 if last is None else last
    inside = 0 <= a < b <= 20
    if roi is not None:
        inside = inside and 0 <= y[0] < y[1] <= 16 and 0 <= x[0] < x[1] <= 18
    if not inside:
        with pytest.raises(InputError):
            movie.select((first, last), roi)
        return
    part = movie.select((first, last), roi)
    expected = MOVIE[a:b] if roi is None else MOVIE[a:b, y[0] : y[1], x[0] : x[1]]
    assert part.shape == expected.shape
    assert part.origin_px == ((0, 0) if roi is None else (y[0], x[0]))
    np.testing.assert_array_equal(part.frames.compute(scheduler="synchronous"), expected)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
def test_a_file_pickles_as_path_and_selection(tmp_path, options):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.tile(MOVIE, (20, 1, 1)), **options)
    movie = open_movie(path).select((5, 385), ((2, 9), (5, 18)))
    total = int(movie.frames.sum().compute())  # a handle is open by now
    pickled = pickle.dumps(movie)
    assert len(pickled) < 2000
    assert pickle.loads(pickled) == movie
    (tmp_path / "movie.pickle").write_bytes(pickled)
    code = (
        "import pickle, sys; movie = pickle.load(open(sys.argv[1], 'rb'));"
        "print(int(movie.frames.sum().compute()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "movie.pickle")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(run.stdout) == total == int(np.tile(MOVIE, (20, 1, 1))[5:385, 2:9, 5:18].sum())


def test_a_small_roi_does_not_bring_in_the_whole_movie(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sofinet.io.blocks.BLOCK_BYTES", MOVIE[0].nbytes)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, MOVIE)
    movie = open_movie(path).select(roi=((4, 8), (4, 8)))
    read = []
    original = type(movie.source).read
    monkeypatch.setattr(
        type(movie.source), "read", lambda s, a, b: read.append(b - a) or original(s, a, b)
    )
    assert [len(block) for block in time_blocks(movie)] == [4] * 5
    assert read == [4] * 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("kind", ["array", "file", "selection"])
def test_a_value_that_is_no_brightness_is_named_by_its_frame(tmp_path, value, kind):
    frames = MOVIE.astype(float)
    frames[17, 3, 4] = value
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, frames)
    movie = open_movie(frames if kind == "array" else path)
    if kind == "selection":
        movie = movie.select((10, 20))
    with pytest.raises(InputError, match="Frame 17 "):
        list(time_blocks(movie))
    assert len(list(time_blocks(movie.select((10, 17))))) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f4"])
def test_unusual_floats_become_usual_ones(dtype):
    frames = (MOVIE % 100).astype(dtype)
    block = next(iter(time_blocks(open_movie(frames))))
    assert block.itemsize in (4, 8)
    np.testing.assert_array_equal(block, MOVIE % 100)


def test_saturation_is_a_share_of_all_pixels():
    frames = np.zeros((10, 5, 4), np.uint8)
    frames[:2, 0, 0] = 255
    seen = Saturation()
    for block in (frames[:4], frames[4:]):
        seen.add(block)
    assert seen.note is not None
    assert seen.note.startswith("1 % ")
    clean = Saturation()
    clean.add(frames[2:])
    assert clean.note is None


def test_the_end_of_12_bits_is_saturation_too_if_nothing_is_brighter():
    frames = np.full((3, 4, 5), 100, np.uint16)
    frames[0, 0, :4] = 4095
    seen = Saturation()
    seen.add(frames)
    assert seen.note is not None
    frames[1, 0, 0] = 5000
    seen.add(frames)
    assert seen.note is None
