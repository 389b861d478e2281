"""Frames that are left out of a movie."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.methods.repeat import repeat


def counts(frames: int = 40) -> np.ndarray:
    movie = np.random.default_rng(0).poisson(100, (frames, 12, 14)).astype(np.uint16)
    movie[:, 0, 0] = np.arange(frames)  # the frame's number
    return movie


def numbers_read(movie) -> list[int]:
    return np.concatenate([block[:, 0, 0] for block in time_blocks(movie)]).tolist()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 8)), max_size=5),
    st.tuples(st.integers(0, 15), st.integers(20, 40)),
)
def test_the_frames_that_remain_are_read_in_order(starts, chosen):
    ranges = [(first, min(first + length, 40)) for first, length in starts]
    gone = {k for first, last in ranges for k in range(first, last)}
    kept = [k for k in range(*chosen) if k not in gone]
    movie = open_movie(counts()).select(chosen)
    if not kept:
        with pytest.raises(InputError, match="All frames"):
            movie.leave_out(ranges)
        return
    movie = movie.leave_out(ranges)
    assert movie.shape == (len(kept), 12, 14)
    assert numbers_read(movie) == kept
    assert movie.frames.compute()[:, 0, 0].tolist() == kept
    places = movie.first_frame + np.arange(len(kept))
    assert movie.file_frames(places).tolist() == kept
    # The recipe's selection gives the same frames again, and so do further ranges.
    again = open_movie(counts()).select(movie.file_range).leave_out(movie.left_out)
    assert numbers_read(again) == kept
    if len(kept) > 1:
        assert numbers_read(movie.leave_out([(kept[0], kept[0] + 1)])) == kept[1:]


@pytest.mark.parametrize("text", ["30:50", "5:5", "-3:2", "a:b", "1:2:3", ""])
def test_unusable_ranges_are_refused(tmp_path, capsys, text):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, counts(), photometric="minisblack")
    out = tmp_path / "o.ome.tif"
    assert main(["reconstruct", "std", str(path), "-o", str(out), f"--leave-out={text}"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "out" in error
    assert not out.exists()


def test_a_reconstruction_without_frames_is_that_of_the_others(tmp_path):
    path, out = tmp_path / "m.tif", tmp_path / "o.ome.tif"
    tifffile.imwrite(path, counts(), photometric="minisblack")
    options = ["-o", str(out), "--frames", "2:36", "--leave-out", "5:9,20"]
    assert main(["reconstruct", "std", str(path), *options]) == 0
    kept = [k for k in range(2, 36) if k not in (5, 6, 7, 8, 20)]
    expected = sofinet.reconstruct(open_movie(counts()[kept]), "std")
    found = sofinet.Reconstruction.load(out)
    np.testing.assert_array_equal(found.image, expected.image)
    assert found.recipe.open.frames == (2, 36)
    assert found.recipe.open.left_out == ((5, 9), (20, 21))
    assert found.recipe.open.shape == (29, 12, 14)
    np.testing.assert_array_equal(repeat(found.recipe).image, found.image)


def test_tables_and_time_series_count_the_frames_of_the_file():
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    movie = rng.poisson(20, (30, 20, 20)).astype(float)
    y, x = np.mgrid[:20, :20]
    movie[25] += 900 * np.exp(-((y - 9.3) ** 2 + (x - 8.6) ** 2) / 2.6)
    kept = open_movie(movie.astype(np.uint16), 0.1).leave_out([(3, 10), (12, 13)])
    found = sofinet.reconstruct(kept, "deepstorm", time_series=True)
    near = np.hypot(found.localizations.y_px - 9.3, found.localizations.x_px - 8.6) < 1
    assert set(found.localizations.frame[near].tolist()) == {25}
    brightest = found.image.reshape(len(found.image), -1).max(axis=1).argmax()
    assert brightest == 17  # eight frames before it are left out
