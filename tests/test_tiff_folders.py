"""Folders of frames and of stacks: what belongs together by its names, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from odd_tiffs import write_stk

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.io.frame_names import series_of
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.run import reconstruct

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)
TIMES = range(20)


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


def fill(folder, files):
    folder.mkdir(exist_ok=True)
    for name, image in files.items():
        tifffile.imwrite(folder / name, image, photometric="minisblack")
    return folder


CHANNELS = [
    "img_channel{c:03d}_position000_time{t:09d}_z000.tif",
    "exp1_w{c}GFP_s1_t{t}.TIF",
    "img_t{t:03d}_ch{c}.tif",
    "xy1t{t:04d}c{c}.tif",
    "cell_C={c}_T={t}.tif",
    "r01c01f01p01-ch{c}sk{t}fk1fl1.tiff",
]


@pytest.mark.parametrize("names", CHANNELS)
def test_channels_are_chosen(tmp_path, names):
    frames = {names.format(c=c + 1, t=t): MOVIE[t] + c for t in TIMES for c in range(2)}
    folder = fill(tmp_path / "cell", frames)
    movie = open_movie(folder)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "2 channels" in movie.notes[0]
    second = open_movie(folder, channel=1)
    np.testing.assert_array_equal(pixels(second), MOVIE + 1)
    assert (second.notes, second.source.channels, second.path) == ((), 2, folder)
    with pytest.raises(InputError, match="channel from 0 to 1"):
        open_movie(folder, channel=2)


def test_planes_are_chosen_or_are_time(tmp_path):
    names = {f"a_t{t:02d}_z{z}.tif": MOVIE[t] + z for t in TIMES for z in range(3)}
    folder = fill(tmp_path / "cell", names)
    np.testing.assert_array_equal(pixels(open_movie(folder, z=2)), MOVIE + 2)
    only = fill(tmp_path / "planes", {f"a_z{t}.tif": MOVIE[t] for t in TIMES})
    movie = open_movie(only)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "interpreted as time" in movie.notes[0]


SERIES = [
    ("img_position{p:03d}_time{t:09d}.tif", "img_position001_time*.tif"),
    ("exp_s{p}_t{t}.TIF", "exp_s1_t*.TIF"),
    ("cell{p}_{t:04d}.tif", "cell1_*.tif"),
    ("Pos{p}_{t:03d}.tif", "Pos1_*.tif"),
]


@pytest.mark.parametrize(("names", "pattern"), SERIES)
def test_positions_are_asked_for(tmp_path, names, pattern):
    frames = {names.format(p=p, t=t): MOVIE[t] + p for t in TIMES for p in range(2)}
    folder = fill(tmp_path / "cell", frames)
    with pytest.raises(InputError, match="several series") as error:
        open_movie(folder)
    assert f"{pattern} (20)" in str(error.value)
    movie = open_movie(folder / pattern)
    np.testing.assert_array_equal(pixels(movie), MOVIE + 1)
    assert movie.notes == ()
    joined = open_movie(folder / "*.[tT][iI][fF]")
    np.testing.assert_array_equal(pixels(joined), np.concatenate([MOVIE, MOVIE + 1]))
    assert "joined" in joined.notes[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GFP_{t:03d}.tif", "RFP_{t:03d}.tif"),
        ("{t}_488.tif", "{t}_561.tif"),
        ("f{t}.tif", "f{t}_crop.tif"),
    ],
)
def test_names_with_other_texts_are_asked_for(tmp_path, first, second):
    frames = {first.format(t=t): MOVIE[t] for t in TIMES}
    frames |= {second.format(t=t): MOVIE[t] + 1 for t in TIMES}
    folder = fill(tmp_path / "cell", frames)
    with pytest.raises(InputError, match="several series"):
        open_movie(folder)
    pattern = series_of(list(frames)).groups[0][0]
    np.testing.assert_array_equal(pixels(open_movie(folder / pattern)), MOVIE)


def test_a_time_point_that_one_channel_lacks(tmp_path):
    frames = {f"a_ch{c}_t{t}.tif": MOVIE[t] + c for t in TIMES for c in range(2)}
    del frames["a_ch1_t7.tif"]
    folder = fill(tmp_path / "cell", frames)
    for channel in range(2):
        movie = open_movie(folder, channel=channel)
        np.testing.assert_array_equal(pixels(movie), np.delete(MOVIE, 7, axis=0) + channel)
        assert "a_ch0_t7.tif" in movie.notes[0]


@pytest.mark.parametrize("odd", ["AVG_f.tif", "MAX_f.tif", "background.tif", "f.tif"])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_a_picture_among_the_frames_is_named(tmp_path, odd, kind):
    frames = {f"f{t:04d}.tif": np.r_[MOVIE, MOVIE][t] for t in range(30)}
    folder = fill(tmp_path / "cell", frames | {odd: MOVIE.max(axis=0).astype(kind)})
    movie = open_movie(folder)
    np.testing.assert_array_equal(pixels(movie), np.r_[MOVIE, MOVIE][:30])
    assert odd in movie.notes[0]


@pytest.mark.parametrize("packed", [False, True])
def test_the_odd_frame_is_named_not_the_others(tmp_path, packed):
    options = {"compression": "zlib"} if packed else {}
    for t in TIMES:
        frame = MOVIE[t, :8] if t == 0 else MOVIE[t]
        tifffile.imwrite(tmp_path / f"f{t}.tif", frame, **options)
    with pytest.raises(InputError, match=r"f0\.tif"):
        open_movie(tmp_path)


def test_the_same_name_twice(tmp_path):
    folder = fill(tmp_path / "cell", {"f1.tif": MOVIE[1], "f2.tif": MOVIE[2], "F2.tiff": MOVIE[2]})
    with pytest.raises(InputError, match="may be the same"):
        open_movie(folder)


def test_metamorphs_stacks_of_two_channels(tmp_path):
    for c, name in enumerate(("w1GFP", "w2RFP")):
        write_stk(tmp_path / f"exp_{name}.stk", MOVIE + c)
    np.testing.assert_array_equal(pixels(open_movie(tmp_path, channel=1)), MOVIE + 1)


def test_missing_numbers_are_said(tmp_path):
    frames = {f"f{t:04d}.tif": MOVIE[t] for t in TIMES if t not in (5, 6, 7, 12)}
    movie = open_movie(fill(tmp_path / "cell", frames))
    assert "5 to 7, 12" in movie.notes[0]
    steps = {f"f{10 * t}.tif": MOVIE[t] for t in TIMES}
    assert open_movie(fill(tmp_path / "steps", steps)).notes == ()


@pytest.mark.parametrize(
    "names",
    [
        ("mov.tif", "mov_1.tif", "mov_2.tif"),
        ("mov_8.tif", "mov_9.tif", "mov_10.tif"),
        ("mov.ome.tif", "mov_1.ome.tif", "mov_2.ome.tif"),
        ("mov.tif", "mov (1).tif", "mov (2).tif"),
        ("mov.tif", "mov_X2.tif", "mov_X3.tif"),
        ("mov-file001.tif", "mov-file002.tif", "mov-file003.tif"),
    ],
)
def test_stacks_of_one_movie_are_joined_in_their_order(tmp_path, names):
    parts = (MOVIE[:9], MOVIE[9:18], MOVIE[18:])
    folder = tmp_path / "cell"
    folder.mkdir()
    for name, part in zip(names, parts, strict=True):
        options = {"ome": True, "metadata": {"axes": "TYX"}} if "ome" in name else {}
        tifffile.imwrite(folder / name, part, photometric="minisblack", **options)
    tifffile.imwrite(folder / "AVG_mov.tif", MOVIE.mean(axis=0))
    movie = open_movie(folder)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    np.testing.assert_array_equal(pixels(movie.select((7, 19))), MOVIE[7:19])
    assert "AVG_mov.tif" in movie.notes[0]
    assert f"{names[0]} (9 frames), {names[1]} (9 frames)" in movie.notes[1]
    assert movie.path == folder


def test_stacks_that_are_no_one_movie(tmp_path):
    with pytest.raises(InputError, match=r"several movies: a\.tif, b\.tif"):
        open_movie(fill(tmp_path / "texts", {"a.tif": MOVIE, "b.tif": MOVIE}))
    for other in (MOVIE[:, :8], MOVIE.astype(np.float32)):
        folder = fill(tmp_path / "kinds", {"mov.tif": MOVIE, "mov_1.tif": other})
        with pytest.raises(InputError, match=r"mov_1\.tif has another size or type"):
            open_movie(folder)
    with pytest.raises(InputError, match=r"mov_pos0\.tif .*mov_pos1\.tif"):
        open_movie(fill(tmp_path / "positions", {f"mov_pos{p}.tif": MOVIE for p in range(2)}))
    channels = fill(tmp_path / "channels", {f"mov_ch{c}.tif": MOVIE + c for c in range(2)})
    np.testing.assert_array_equal(pixels(open_movie(channels, channel=1)), MOVIE + 1)


@pytest.mark.parametrize("kind", ["channel", "pattern", "stacks"])
def test_recipes_repeat_what_was_chosen(tmp_path, kind, capsys):
    folder, options = tmp_path / "cell", []
    if kind == "channel":
        fill(folder, {f"a_ch{c}_t{t}.tif": MOVIE[t] + c * t for t in TIMES for c in range(2)})
        path, options = folder, ["--channel", "1"]
    elif kind == "pattern":
        fill(folder, {f"a_s{p}_t{t}.tif": MOVIE[t] + p * t for t in TIMES for p in range(2)})
        path = folder / "a_s1_t*.tif"
    else:
        path = fill(folder, {"mov.tif": MOVIE[:9], "mov_1.tif": MOVIE[9:]})
    out = tmp_path / "out.ome.tif"
    assert main(["reconstruct", "average", str(path), "-o", str(out), *options]) == 0
    recipe = Recipe.load(out)
    again = repeat(recipe)
    np.testing.assert_array_equal(again.image, tifffile.imread(out))
    expected = reconstruct(open_movie(path, channel=1 if options else None), "average")
    np.testing.assert_array_equal(again.image, expected.image)
    used = {"channel": "a_ch1_t0.tif", "pattern": "a_s1_t0.tif", "stacks": "mov_1.tif"}[kind]
    tifffile.imwrite(folder / used, MOVIE[0] + 7, photometric="minisblack")
    with pytest.raises(InputError):
        repeat(recipe)


@pytest.mark.parametrize("kind", ["folder", "pattern"])
def test_no_output_among_the_frames(tmp_path, kind, capsys):
    folder = fill(tmp_path / "cell", {f"f{t}.tif": MOVIE[t] for t in TIMES})
    path = folder if kind == "folder" else folder / "f*.tif"
    assert main(["reconstruct", "average", str(path), "-o", str(folder / "f5.tif")]) == 2
    np.testing.assert_array_equal(tifffile.imread(folder / "f5.tif"), MOVIE[5])


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{k:04d}_2024_{100 + 3 * k + k % 2}.tif" for k in range(30)],  # with a time stamp
        [f"20240101_{235950 + k}.tif" for k in range(10)]
        + [f"20240102_{k:06d}.tif" for k in range(10)],
        [f"z{k - 10}.tif" for k in range(20)],
        [f"frame_{k}_of_20.tif" for k in range(20)],
        [f"c{k}.tif" for k in range(20)],
        ["mov@0001.tif", "mov@0002.tif"],
    ],
)
def test_names_that_count_are_one_series(names):
    found = series_of(names[::-1])
    assert found.names == {(0, 0): tuple(names)}
    assert (found.groups, found.odd, found.gaps, found.uncounted) == ((), (), (), False)


def test_names_that_do_not_count(tmp_path):
    folder = fill(
        tmp_path / "cell", {"one.tif": MOVIE[0], "two.tif": MOVIE[1], "six.tif": MOVIE[2]}
    )
    movie = open_movie(folder)
    np.testing.assert_array_equal(pixels(movie), MOVIE[[0, 2, 1]])
    assert "alphabet" in movie.notes[0]
