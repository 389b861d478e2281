"""Arrays with named axes, as those of xarray, are movies by the names."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.open_movie import open_movie

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)


class Named:
    """An array as xarray's DataArray shows itself."""

    def __init__(self, data, *dims):
        self.data, self.dims = data, dims
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype)

    def __getitem__(self, index):
        raise AssertionError("frames are taken from the data below")


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "dims",
    [
        ("time", "y", "x"),
        ("y", "x", "time"),
        ("X", "Y", "T"),
        ("row", "frame", "column"),
        ("y", "x", "dim_2"),
        ("t", "dim_1", "dim_2"),
        ("dim_0", "dim_1", "dim_2"),
        ("z", "y", "x"),
    ],
)
def test_axes_are_taken_by_their_names(dims, lazy):
    data = MOVIE.transpose(["tyx".index(k) for k in _letters(dims)])
    movie = open_movie(Named(da.from_array(data) if lazy else data, *dims))
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    np.testing.assert_array_equal(
        pixels(movie.select((3, 9), ((2, 9), (5, 18)))), MOVIE[3:9, 2:9, 5:]
    )


def _letters(dims):
    known = {"time": "t", "t": "t", "frame": "t", "z": "t", "dim_0": "t"}
    known |= {"y": "y", "row": "y", "dim_1": "y", "x": "x", "column": "x"}
    found = [known.get(name.lower()) for name in dims]
    left = [letter for letter in "tyx" if letter not in found]
    return [letter or left.pop(0) for letter in found]


def test_channels_and_planes_are_chosen():
    both = np.stack([MOVIE, MOVIE + 1])
    movie = open_movie(Named(both.transpose(2, 3, 0, 1), "y", "x", "channel", "time"))
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "2 channels" in movie.notes[0]
    movie = open_movie(Named(both.transpose(2, 3, 0, 1), "y", "x", "channel", "time"), channel=1)
    np.testing.assert_array_equal(pixels(movie), MOVIE + 1)
    movie = open_movie(Named(both, "z", "t", "y", "x"), z=1)
    np.testing.assert_array_equal(pixels(movie), MOVIE + 1)
    one = open_movie(Named(MOVIE[:, None], "time", "position", "y", "x"))
    np.testing.assert_array_equal(pixels(one), MOVIE)


def test_axes_that_are_nothing():
    with pytest.raises(InputError, match="axis position of 2"):
        open_movie(Named(np.stack([MOVIE, MOVIE]), "position", "time", "y", "x"))
    with pytest.raises(InputError, match="from 0 to 1"):
        open_movie(Named(np.stack([MOVIE, MOVIE]), "c", "time", "y", "x"), channel=2)
    with pytest.raises(InputError, match="time, y and x"):
        open_movie(Named(MOVIE[0], "y", "x"))
    with pytest.raises(InputError, match="cannot be chosen"):
        open_movie(Named(MOVIE, "time", "y", "x"), channel=1)


def test_what_is_no_array():
    with pytest.raises(InputError, match="not an array"):
        open_movie([[1, 2], [3]])


def test_axes_of_zarr_have_names(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        store=tmp_path / "movie.zarr",
        shape=(16, 18, 20),
        dtype="uint16",
        dimension_names=("y", "x", "time"),
    )
    array[:] = MOVIE.transpose(1, 2, 0)
    movie = open_movie(array)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "by their names" in movie.notes[0]
