"""Micro-Manager's stacks and NDTiff: positions, parts, and recordings that were broken off."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from odd_tiffs import ome_xml, write_micromanager

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.open_movie import open_movie

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)
NAME = "cell_1_MMStack_Default.ome.tif"
PARTS = NAME, "cell_1_MMStack_Default_1.ome.tif"
TIMES = [(0, 0, t, 0) for t in range(20)]
SIZE = 16, 18


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


def taken(movie) -> str:
    return " ".join(movie.notes)


def test_a_whole_recording(tmp_path):
    xml = ome_xml([NAME], [[(0, k, 0, 0, k) for k in range(20)]], SIZE, 20)
    write_micromanager(tmp_path / NAME, MOVIE, TIMES, xml)
    for path in (tmp_path / NAME, tmp_path):
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE)
        np.testing.assert_array_equal(pixels(movie.select((3, 9))), MOVIE[3:9])
        assert (movie.pixel_size_um, movie.frame_interval_s) == (0.1, pytest.approx(0.03))
        assert movie.notes == ()


@pytest.mark.parametrize("with_xml", [True, False])
def test_one_file_per_position(tmp_path, with_xml):
    names = [f"cell_1_MMStack_Pos{p}.ome.tif" for p in range(2)]
    planes = [[(p, k, 0, 0, k) for k in range(10)] for p in range(2)]
    xml = ome_xml(names, planes, SIZE, 10) if with_xml else None
    for p, name in enumerate(names):
        places = [(0, 0, t, p) for t in range(10)]
        write_micromanager(
            tmp_path / name, MOVIE[10 * p : 10 * p + 10], places, xml, Frames=10, Positions=2
        )
    for p, name in enumerate(names):
        movie = open_movie(tmp_path / name)
        np.testing.assert_array_equal(pixels(movie), MOVIE[10 * p : 10 * p + 10])
        assert "several positions" in taken(movie)
        assert movie.source.companions == ()
    with pytest.raises(InputError, match=r"Pos0.*Pos1"):
        open_movie(tmp_path)
    (tmp_path / names[1]).rename(tmp_path / "cell B.tif")
    alone = open_movie(tmp_path / "cell B.tif")
    np.testing.assert_array_equal(pixels(alone), MOVIE[10:])


def two_files(folder, with_xml=True):
    planes = [[(k // 10, k % 10, 0, 0, k) for k in range(20)]]
    xml = ome_xml(list(PARTS), planes, SIZE, 20) if with_xml else None
    for k, name in enumerate(PARTS):
        part = slice(10 * k, 10 * k + 10)
        write_micromanager(folder / name, MOVIE[part], TIMES[part], xml)


@pytest.mark.parametrize("with_xml", [True, False])
def test_two_files_of_one_movie(tmp_path, with_xml):
    two_files(tmp_path, with_xml)
    for path in (*(tmp_path / name for name in PARTS), tmp_path):
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE)
        np.testing.assert_array_equal(pixels(movie.select((8, 13))), MOVIE[8:13])
        assert len(movie.source.companions) == 1


def test_a_missing_or_renamed_file(tmp_path):
    two_files(tmp_path)
    second = (tmp_path / PARTS[1]).rename(tmp_path / "other.tif")
    with pytest.raises(InputError, match=f"requires the file {PARTS[1]}"):
        open_movie(tmp_path / NAME)
    movie = open_movie(tmp_path / NAME, frames=(2, 10))
    np.testing.assert_array_equal(pixels(movie), MOVIE[2:10])
    with pytest.raises(InputError, match="requires the file"):
        open_movie(second)
    first = (tmp_path / NAME).rename(tmp_path / "fibroblast.tif")
    with pytest.raises(InputError, match="requires the file"):
        open_movie(first)
    write_micromanager(second, MOVIE[10:], TIMES[10:])
    with pytest.raises(InputError, match="first files of its recording"):
        open_movie(second)


def test_stopped_inside_a_time_point(tmp_path):
    places = [(c, 0, t, 0) for t in range(10) for c in range(2)]
    write_micromanager(tmp_path / NAME, MOVIE[:13], places[:13], Frames=10, Channels=2)
    for channel in (0, 1):
        movie = open_movie(tmp_path / NAME, channel=channel)
        np.testing.assert_array_equal(pixels(movie), MOVIE[channel:12:2])
        assert "ends in time point 6" in taken(movie)


def test_stopped_between_time_points_and_a_dropped_frame(tmp_path):
    write_micromanager(tmp_path / NAME, MOVIE[:12], TIMES[:12])
    movie = open_movie(tmp_path / NAME)
    np.testing.assert_array_equal(pixels(movie), MOVIE[:12])
    assert "planned with 20" in taken(movie)
    left = [k for k in range(20) if k != 7]
    write_micromanager(tmp_path / NAME, MOVIE[left], [TIMES[k] for k in left])
    movie = open_movie(tmp_path / NAME)
    np.testing.assert_array_equal(pixels(movie), MOVIE[left])
    assert "lacks time point 7" in taken(movie)


@pytest.mark.parametrize("dangling", [True, False])
def test_broken_off_without_an_index(tmp_path, dangling):
    path = tmp_path / NAME
    write_micromanager(path, MOVIE[:12], TIMES[:12], index=False, dangling=dangling)
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE[:12])
    assert movie.pixel_size_um == pytest.approx(0.1)
    assert "was interrupted" in taken(movie)
    places = [(c, 0, t, 0) for t in range(10) for c in range(2)]
    write_micromanager(path, MOVIE[:13], places[:13], index=False, dangling=dangling, Channels=2)
    np.testing.assert_array_equal(pixels(open_movie(path, channel=1)), MOVIE[1:12:2])


def test_the_second_file_broke_off(tmp_path):
    write_micromanager(tmp_path / PARTS[0], MOVIE[:10], TIMES[:10])
    write_micromanager(tmp_path / PARTS[1], MOVIE[10:17], TIMES[10:17], index=False, dangling=True)
    for path in (*(tmp_path / name for name in PARTS), tmp_path):
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE[:17])
        assert movie.frame_interval_s == pytest.approx(0.03)
        assert "planned with 20" in taken(movie)


def test_several_positions_and_channels_in_one_file(tmp_path):
    places = [(0, 0, t, p) for t in range(10) for p in range(2)]
    write_micromanager(tmp_path / NAME, MOVIE, places, Frames=10, Positions=2)
    movie = open_movie(tmp_path / NAME)
    np.testing.assert_array_equal(pixels(movie), MOVIE[::2])
    assert "2 positions" in taken(movie)
    places = [(c, 0, t, 0) for c in range(2) for t in range(15)][:20]
    write_micromanager(tmp_path / NAME, MOVIE, places, Frames=15, Channels=2)
    movie = open_movie(tmp_path / NAME)
    np.testing.assert_array_equal(pixels(movie), MOVIE[:15])
    assert "fewer time points" in taken(movie)
    np.testing.assert_array_equal(pixels(open_movie(tmp_path / NAME, channel=1)), MOVIE[15:])


def test_a_truncated_copy_is_refused_or_whole(tmp_path):
    path = tmp_path / NAME
    write_micromanager(path, MOVIE, TIMES)
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.9, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        try:
            found = pixels(open_movie(path))
        except InputError:
            assert share < 0.99  # only of the index something was lost
            continue
        np.testing.assert_array_equal(found, MOVIE)


def write_ndtiff(folder, frames, axes):
    """Write Pycro-Manager's format: a TIFF file and an index beside it."""
    name = "cell_NDTiffStack.tif"
    data = bytearray(b"II*\0" + bytes(4)) + struct.pack("<5I", 483729, 3, 3, 2355492, 2) + b"{}"
    pointer, index = 4, b""
    for frame, place in zip(frames, axes, strict=True):
        height, width = frame.shape
        start = len(data)
        facts = json.dumps({"PixelSizeUm": 0.1}).encode()
        pixels_at = start + 2 + 10 * 12 + 4
        tags = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, 16),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, pixels_at),
            (277, 3, 1, 1),
            (278, 3, 1, height),
            (279, 4, 1, 2 * height * width),
            (51123, 2, len(facts), pixels_at + 2 * height * width),
        ]
        data[pointer : pointer + 4] = struct.pack("<I", start)
        data += struct.pack("<H", 10) + b"".join(struct.pack("<HHII", *t) for t in tags)
        pointer = len(data)
        data += bytes(4) + frame.astype("<u2").tobytes() + facts + bytes(len(facts) % 2)
        key = json.dumps(place).encode()
        index += struct.pack("<I", len(key)) + key + struct.pack("<I", len(name)) + name.encode()
        index += struct.pack("<IiiiiIii", pixels_at, width, height, 1, 0, 0, 0, 0)
    (folder / name).write_bytes(data)
    (folder / "NDTiff.index").write_bytes(index)
    return folder / name


def test_ndtiff(tmp_path):
    path = write_ndtiff(tmp_path, MOVIE, [{"time": t} for t in range(20)])
    np.testing.assert_array_equal(pixels(open_movie(path)), MOVIE)
    path = write_ndtiff(tmp_path, MOVIE, [{"position": k // 10, "time": k % 10} for k in range(20)])
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE[:10])
    assert "2 positions" in taken(movie)
    places = [{"time": k // 2, "channel": "GR"[k % 2]} for k in range(13)]
    path = write_ndtiff(tmp_path, MOVIE[:13], places)
    movie = open_movie(path, channel=1)
    np.testing.assert_array_equal(pixels(movie), MOVIE[1:12:2])
    assert "ends in time point 6" in taken(movie)
    left = [k for k in range(20) if k != 7]
    movie = open_movie(write_ndtiff(tmp_path, MOVIE[left], [{"time": t} for t in left]))
    np.testing.assert_array_equal(pixels(movie), MOVIE[left])
    assert "lacks time point 7" in taken(movie)
