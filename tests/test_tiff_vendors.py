"""Pixel size and frame interval of files of MetaMorph and ImageJ."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from odd_tiffs import metaseries_text, write_stk

from napari_sofinet.data.open_movie import open_movie

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


@pytest.mark.parametrize("name", ["movie.stk", "movie.tif"])
@pytest.mark.parametrize("first", [1000, 86_400_000 - 200])
def test_metamorph_stacks(tmp_path, name, first):
    write_stk(tmp_path / name, MOVIE, step_ms=50, first_ms=first)
    movie = open_movie(tmp_path / name)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert movie.pixel_size_um == pytest.approx(0.107)
    assert movie.frame_interval_s == pytest.approx(0.05)


@pytest.mark.parametrize(("unit", "size"), [("um", 0.107), ("nm", 1.07e-4), ("pixel", None)])
def test_metaseries(tmp_path, unit, size):
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        for k, frame in enumerate(MOVIE):
            text = metaseries_text(unit, 0.05 * k)
            writer.write(frame, contiguous=False, metadata=None, description=text)
    movie = open_movie(path)
    assert movie.pixel_size_um == (None if size is None else pytest.approx(size))
    assert movie.frame_interval_s == pytest.approx(0.05)


def test_a_folder_of_metamorphs_frames(tmp_path):
    for k, frame in enumerate(MOVIE):
        name = tmp_path / f"exp_w1GFP_t{k + 1}.TIF"
        tifffile.imwrite(name, frame, metadata=None, description=metaseries_text("um", 0.05 * k))
    movie = open_movie(tmp_path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert movie.pixel_size_um == pytest.approx(0.107)
    assert movie.frame_interval_s == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("unit", "per", "tag", "size"),
    [
        ("um", 1e5, "centimeter", 0.1),
        ("micron", 1e5, "centimeter", 0.1),
        ("um", 10, "none", 0.1),
        ("um", 10, "inch", 0.1),
        ("cm", 1e5, "centimeter", 0.1),
        ("nm", 0.01, "none", 0.1),
    ],
)
def test_imagejs_unit_beside_a_resolution_tag(tmp_path, unit, per, tag, size):
    path = tmp_path / "movie.tif"
    metadata = {"axes": "TYX", "unit": unit}
    tifffile.imwrite(
        path, MOVIE, imagej=True, resolution=(per, per), resolutionunit=tag, metadata=metadata
    )
    assert open_movie(path).pixel_size_um == pytest.approx(size)
