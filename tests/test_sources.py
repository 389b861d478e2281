"""Movies whose files change or whose programs fail, and files that are closed again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.data.blocks import even_blocks, time_blocks
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.table_files import read_localizations
from napari_sofinet.io.tiff_stack import OPEN_FILES
from napari_sofinet.methods.run import reconstruct

MOVIE = np.random.default_rng(0).integers(100, 1000, (40, 16, 16), dtype=np.uint16)


def save(path, frames=MOVIE, **options):
    tifffile.imwrite(path, frames, photometric="minisblack", metadata=None, **options)
    return path


def replace_by_rename(path):
    save(path.with_name("new.tif"), MOVIE[::-1])
    os.utime(path.with_name("new.tif"), ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.with_name("new.tif").replace(path)


CHANGES = {
    "written anew": lambda path: save(path, MOVIE[::-1]),
    "of another type": lambda path: save(path, MOVIE.astype(np.float32)),
    "grown": lambda path: save(path, MOVIE[:5], append=True),
    "replaced by another file": replace_by_rename,
    "touched": lambda path: os.utime(path, ns=(0, 0)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["plain", "zlib", "folder"])
def test_a_file_that_changes_after_it_was_opened(tmp_path, change, kind):
    path = tmp_path / "m.tif"
    if kind == "folder":
        for number, frame in enumerate(MOVIE):
            save(tmp_path / f"{number:03d}.tif", frame)
        path = tmp_path / "007.tif"
        movie = open_movie(tmp_path)
        if change in ("grown", "of another type"):
            pytest.skip("of a single frame")
    else:
        save(path, compression="zlib" if kind == "zlib" else None)
        movie = open_movie(path)
    reconstruct(movie, "average")
    time.sleep(0.01)
    CHANGES[change](path)
    with pytest.raises(InputError, match="was changed"):
        reconstruct(movie, "average")
    with pytest.raises(InputError, match="was changed"):
        list(time_blocks(movie))


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = save(tmp_path / "m.tif")
    changed = []

    def report(fraction, message="", preview=None):
        if fraction > 0.99 and not changed:
            changed.append(save(path, MOVIE[::-1]))

    movie = open_movie(path)
    with pytest.raises(InputError, match="was changed"):
        reconstruct(movie, "average", report=report)
    assert changed


def test_dark_frames_that_change_meanwhile(tmp_path):
    dark = save(tmp_path / "dark.tif", MOVIE // 10)
    movie = open_movie(save(tmp_path / "m.tif"))

    def report(fraction, message="", preview=None):
        if fraction > 0.99:
            save(dark, MOVIE // 9)

    with pytest.raises(InputError, match="changed during the run"):
        reconstruct(movie, "average", report=report, **{"camera.dark_frames": str(dark)})


def test_files_are_closed(tmp_path):
    for number in range(6):
        movie = open_movie(save(tmp_path / f"{number}.tif", compression="zlib"))
        list(time_blocks(movie))
        assert len(OPEN_FILES) <= 2
        if number % 2:
            reconstruct(movie, "average")
            assert not any(stamp in OPEN_FILES._files for stamp in movie.source.stamps)
    if os.path.isdir("/proc/self/fd"):
        held = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
        assert sum(str(tmp_path) in name for name in held) <= 2


def promised(make):
    """A lazy array of which one chunk is made by a function."""

    def block(chunk, block_info=None):
        (start, end), *_ = block_info[None]["array-location"]
        return make(MOVIE[start:end]) if start == 20 else MOVIE[start:end]

    chunks = da.zeros(MOVIE.shape, np.uint16, chunks=(10, 16, 16))
    return da.map_blocks(block, chunks, dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))


def leaving(error):
    def make(frames):
        raise error

    return make


BROKEN = {
    "rows missing": lambda frames: frames[:, :9],
    "frames missing": lambda frames: frames[:5],
    "two axes": lambda frames: frames[0],
    "floating point": lambda frames: frames.astype(np.float64) + 0.5,
    "objects": lambda frames: frames.astype(object),
    "OSError": leaving(OSError(5, "Input/output error")),
    "KeyError": leaving(KeyError("c/7")),
    "no message": leaving(RuntimeError()),
    "SystemExit": leaving(SystemExit(3)),
}


@pytest.mark.parametrize("method", ["average", "sofi"])
@pytest.mark.parametrize("kind", BROKEN)
def test_chunks_that_are_not_what_was_promised(kind, method):
    movie = open_movie(promised(BROKEN[kind]), name="layer")
    with pytest.raises(InputError, match=r"Frames 20 to \d+ of layer") as told:
        reconstruct(movie, method)
    assert "\n" not in str(told.value)


def test_too_little_memory_for_a_chunk_stays_what_it_is():
    with pytest.raises(MemoryError):
        reconstruct(open_movie(promised(leaving(MemoryError()))), "average")


def test_blocks_are_the_same_whatever_the_chunks(monkeypatch):
    monkeypatch.setattr("napari_sofinet.io.blocks.BLOCK_BYTES", 16 * 16 * 2 * 11)
    lengths = [4, 4, 3, 4, 4, 3, 4, 4, 3, 4, 3]
    for chunks in (1, 3, 4, 7, 11, 39, 40):
        movie = open_movie(da.from_array(MOVIE, chunks=(chunks, 16, 16)))
        blocks = list(even_blocks(movie, 4))
        assert [len(block) for block in blocks] == lengths
        assert np.array_equal(np.concatenate(blocks), MOVIE)
    assert [len(block) for block in even_blocks(MOVIE, 4)] == lengths


def test_being_cancelled_is_no_damaged_file(tmp_path, monkeypatch):
    path = save(tmp_path / "m.tif")

    def cancelled(*args, **options):
        raise Cancelled

    monkeypatch.setattr("tifffile.TiffFile.series", property(cancelled))
    with pytest.raises(Cancelled):
        open_movie(path)


ENDED = """
import os, signal, sys, tifffile
from napari_sofinet.cli.main import main
tifffile.TiffFile.series = property(lambda self: os.kill(os.getpid(), signal.SIGTERM))
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_scheduler_may_end_the_opening_of_a_movie(tmp_path):
    path = save(tmp_path / "m.tif")
    for words in (["info", path], ["measure", "resolution", path], ["run", path]):
        done = subprocess.run(
            [sys.executable, "-c", ENDED, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        if words[0] != "run":  # which looks for a recipe only
            assert (done.returncode, done.stderr) == (130, "sofinet: stopped.\n")


def test_the_network_s_picture_does_not_depend_on_chunks():
    pytest.importorskip("torch")
    frames = np.random.default_rng(1).poisson(100, (90, 16, 16)).astype(np.uint16)
    whole = reconstruct(open_movie(frames), "sofinet")
    lazy = reconstruct(open_movie(da.from_array(frames, chunks=(7, 16, 16))), "sofinet")
    for name, picture in whole.maps.items():
        assert np.array_equal(picture, lazy.maps[name])


def test_a_table_that_changes_after_it_was_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("frame,x [nm],y [nm]\n1,20,30\n2,90,250\n")
    table = read_localizations(path, 0.1)
    reconstruct(table, "table")
    path.write_text("frame,x [nm],y [nm]\n1,20,30\n2,90,990\n")
    os.utime(path, ns=(0, 0))
    with pytest.raises(InputError, match="was changed"):
        reconstruct(table, "table")
