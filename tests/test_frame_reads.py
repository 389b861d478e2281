"""How often each frame is read from its file: reading is slow on network drives."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from shared_networks import save_small

import napari_sofinet as sofinet
from napari_sofinet.data import spool
from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods import network_picture

FRAMES, SIDE = 6, 80


class CountingArray:
    """An array of shape (T, Y, X) that counts how often each of its frames is read."""

    ndim = 3

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.reads = np.zeros(len(array), int)

    def __getitem__(self, key):
        self.reads[key[0] if isinstance(key, tuple) else key] += 1
        return self.array[key]


@pytest.fixture
def counting() -> CountingArray:
    rng = np.random.default_rng(0)
    light = 30 + 400 * (rng.random((FRAMES, SIDE, SIDE)) < 0.02)
    return CountingArray(rng.poisson(light).astype(np.uint16))


@pytest.mark.parametrize("uncertainty_from", ["network", "flip_rotate"])
@pytest.mark.parametrize("in_memory_bytes", [0, 2**26])
def test_a_network_reads_each_frame_at_most_three_times(
    monkeypatch, tmp_path, counting, uncertainty_from, in_memory_bytes
):
    movie = Movie(ArraySource(counting), pixel_size_um=0.1)
    save_small(tmp_path / "small.safetensors")
    chosen = {
        "uncertainty_from": uncertainty_from, "weights": str(tmp_path / "small.safetensors"),
    }  # fmt: skip
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", in_memory_bytes)
    monkeypatch.setattr(network_picture, "TILE_PX", 32)
    count = []
    tiles = network_picture.tiles
    monkeypatch.setattr(
        network_picture, "tiles", lambda *given: count.extend(tiles(*given)) or tiles(*given)
    )
    result = sofinet.reconstruct(movie, "sofinet", **chosen)
    assert len(count) >= 9
    assert counting.reads.max() <= 3
    # The same as from frames that are read again for each tile.
    monkeypatch.setattr(spool, "large_array", no_room)
    counting.reads[:] = 0
    again = sofinet.reconstruct(movie, "sofinet", **chosen)
    assert counting.reads.min() > 9
    for name, picture in result.maps.items():
        np.testing.assert_array_equal(again.maps[name], picture)


def no_room(*given):
    raise sofinet.InputError("There is no room.")


def test_a_corrected_movie_is_spooled_too(monkeypatch, counting):
    movie = Movie(ArraySource(counting), pixel_size_um=0.1)
    monkeypatch.setattr(network_picture, "TILE_PX", 32)
    result = sofinet.reconstruct(movie, "sofinet", camera={"offset": 10.0})
    # One more to measure what is corrected.
    assert counting.reads.max() <= 3
    assert result.image.shape == (2 * SIDE - 1, 2 * SIDE - 1)
