"""Whatever is wrong with input or options is told in one sentence, and leaves no file behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.methods.run import reconstruct

RNG = np.random.default_rng(0)
MOVIE = RNG.integers(100, 1000, (20, 16, 16), dtype=np.uint16)


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "movie.tif"
    tifffile.imwrite(place, MOVIE)
    return place


def all_files(folder) -> dict[str, bytes | None]:
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture
def refused(tmp_path, capsys):
    """Run a command that must fail as a user's mistake; gives its one sentence."""

    def run(*words) -> str:
        before = all_files(tmp_path)
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        lines = shown.err.splitlines()
        assert len(lines) == 1, shown.err
        assert lines[0].startswith("sofinet: ")
        assert lines[0].endswith(".")
        assert all_files(tmp_path) == before
        return lines[0]

    return run


def save(make):
    """A file made by tifffile from an array and options."""
    return lambda path: tifffile.imwrite(path, *make[:1], **(make[1] if len(make) > 1 else {}))


def truncated(**options):
    def make(path):
        tifffile.imwrite(path, MOVIE, **options)
        path.write_bytes(path.read_bytes()[:5000])

    return make


def bad_frame(value):
    frames = MOVIE.astype(np.float32)
    frames[18, 2, 3] = value
    return frames


UNUSABLE = {
    "missing": (lambda path: None, "no file"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "truncated": (truncated(), "truncated"),
    "truncated zlib": (truncated(compression="zlib"), "truncated"),
    "text": (lambda path: path.write_text("x,y\n1,2\n"), "not a TIFF"),
    "text like TIFF": (lambda path: path.write_text("II is not a header\n" * 9), "damaged"),
    "2-D": (save((MOVIE[0],)), "single image"),
    "one frame": (save((MOVIE[:1],)), "single image"),
    "RGB": (save((np.zeros((16, 16, 3), np.uint8), {"photometric": "rgb"})), "RGB"),
    "RGB movie": (save((np.zeros((9, 16, 16, 3), np.uint8), {"photometric": "rgb"})), "RGB"),
    "3 x 3": (save((MOVIE[:, :3, :3], {"photometric": "minisblack"})), "4 x 4"),
    "constant": (save((np.full((20, 16, 16), 7, np.uint16),)), "does not change"),
    "NaN": (save((bad_frame(np.nan),)), "Frame 18"),
    "infinite": (save((bad_frame(np.inf),)), "Frame 18"),
    "minus infinite": (save((bad_frame(-np.inf), {"compression": "zlib"})), "Frame 18"),
    "complex": (save((MOVIE.astype(np.complex64),)), "complex64"),
    "bool": (save((MOVIE > 500,)), "bool"),
    "folder": (lambda path: path.mkdir(), "no TIFF files"),
    "pipe": (lambda path: os.mkfifo(path), "not a file"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_movie(tmp_path, refused, kind):
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    make, says = UNUSABLE[kind]
    movie = tmp_path / "strange.tif"
    make(movie)
    said = refused("reconstruct", "sofi", movie, "-o", tmp_path / "out.ome.tif")
    assert says in said
    if says not in ("4 x 4", "does not change", "Frame 18"):  # these are found only by reading
        assert refused("info", movie) == said
        assert refused("info", movie, "--json") == said


def test_names_that_no_file_can_have(tmp_path, refused, path):
    refused("info", tmp_path / ("x" * 300 + ".tif"))
    refused("info", tmp_path / "two\nlines.tif")
    refused("info", "")
    refused("info", path / "inside.tif")
    refused("run", tmp_path / ("x" * 300 + ".json"))
    refused("reconstruct", "sofi", path, "-o", tmp_path / ("x" * 300 + ".tif"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--frames 0:21", "20 frames"),
        ("--frames 20:", "20 frames"),
        ("--frames 9:9", "9:9"),
        ("--frames=-5:10", "-5:10"),
        ("--frames 9", "first:last"),
        ("--frames a:b", "first:last"),
        ("--frames 1:2:3", "first:last"),
        ("--frames 0:1", "at least 2 frames"),
        ("--roi 0:17,0:16", "16 x 16"),
        ("--roi=-1:5,0:5", "16 x 16"),
        ("--roi 5:5,0:9", "empty"),
        ("--roi 9:5,0:9", "empty"),
        ("--roi 0:9", "y0:y1,x0:x1"),
        ("--roi 0:9,0:9,0:9", "y0:y1,x0:x1"),
        ("--roi :,:", "y0:y1,x0:x1"),
        ("--roi 0:3,0:9", "4 x 4"),
        ("--channel 1", "channels"),
        ("--channel -1", "channels"),
        ("--z 7", "planes"),
        ("--channel x", "channel"),
        ("--stack-axis space", "stack-axis"),
        ("--pixel-size 0", "positive"),
        ("--pixel-size -0.1", "positive"),
        ("--pixel-size nan", "positive"),
        ("--pixel-size inf", "positive"),
        ("--pixel-size 100nm", "pixel-size"),
        ("--frame-interval 0", "positive"),
        ("--frame-interval nan", "positive"),
        ("--order 0", "order"),
        ("--order 9", "order"),
        ("--order two", "order"),
        ("--order 2.5", "order"),
        ("--order", "order"),
        ("--psf-fwhm-px 0", "psf_fwhm_px"),
        ("--psf-fwhm-px -1", "psf_fwhm_px"),
        ("--psf-fwhm-px nan", "psf_fwhm_px"),
        ("--linearization maybe", "linearization"),
        ("--deconvolution.iterations -1", "iterations"),
        ("--deconvolution.reconvolve perhaps", "yes or no"),
        ("--device tpu", "device"),
        ("--no-such-option 3", "no-such-option"),
        ("--ord 2", "--ord"),
        ("another.tif", "another.tif"),
    ],
)
def test_an_unusable_option(tmp_path, refused, path, options, says):
    said = refused("reconstruct", "sofi", path, "-o", tmp_path / "out.ome.tif", *options.split(" "))
    assert says in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("reconstruct sofy {movie} -o {out}", "did you mean sofi"),
        ("reconstruct -o {out} sofy {movie}", "did you mean sofi"),
        ("reconstruct nothing {movie} -o {out}", "average"),
        ("reconstruct sofi {movie}", "-o"),
        ("reconstruct sofi -o {out}", "MOVIE"),
        ("reconstruct", "METHOD"),
        ("reconstrct sofi {movie} -o {out}", "reconstrct"),
        ("methods sofy", "did you mean sofi"),
        ("info", "MOVIE"),
        ("--json", "--json"),
    ],
)
def test_an_unusable_command(tmp_path, refused, path, words, says):
    out = tmp_path / "out.ome.tif"
    assert says in refused(*(w.format(movie=path, out=out) for w in words.split()))


@pytest.mark.parametrize("output", ["out.png", "out", "missing/out.tif", "folder.tif", "movie.tif"])
def test_an_unusable_output(tmp_path, refused, path, output, monkeypatch):
    def never(*args, **options):
        raise AssertionError("the output must be looked at before the work")

    monkeypatch.setattr("napari_sofinet.methods.sofi_cumulants.cross_cumulants", never)
    (tmp_path / "folder.tif").mkdir()
    refused("reconstruct", "sofi", path, "-o", tmp_path / output)


def test_the_movie_is_never_replaced_under_another_name(tmp_path, refused, path):
    link = tmp_path / "link.tif"
    try:
        link.symlink_to(path)
    except OSError:
        pytest.skip("no links here")
    for movie, output in ((path, link), (link, path), (path, tmp_path / "." / path.name)):
        said = refused("reconstruct", "average", movie, "-o", output)
        assert "would change the input" in said


def test_the_output_never_becomes_a_frame(tmp_path, refused):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, frame in enumerate(MOVIE):
        tifffile.imwrite(folder / f"{i}.tif", frame)
    refused("reconstruct", "average", folder, "-o", folder / "out.ome.tif")


def test_a_repeated_recipe_never_replaces_the_movie(tmp_path, refused, path, capsys):
    out = tmp_path / "out.ome.tif"
    assert main(["reconstruct", "average", str(path), "-o", str(out)]) == 0
    refused("run", out, "-o", path)
    other = tmp_path / "other.tif"
    shutil.copy(path, other)
    refused("run", out, "--input", other, "-o", other)


def test_a_gpu_that_is_not_there(tmp_path, refused, path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    out = tmp_path / "out.ome.tif"
    said = refused("reconstruct", "sofi", path, "-o", out, "--device", "cuda")
    assert "GPU" in said


def test_what_is_no_recipe(tmp_path, refused, path):
    def written(name, content):
        place = tmp_path / name
        place.write_bytes(content)
        return place

    refused("run", tmp_path / "missing.json")
    refused("run", tmp_path)
    refused("run", path)
    refused("run", written("text.tif", b"hello"))
    refused("run", written("text.json", b"hello"))
    refused("run", written("other.json", b'{"a": 1}'))
    refused("run", written("list.json", b"[]"))
    refused("run", written("bytes.json", b"\xff\xfe\x00"))
    refused("run", written("deep.json", b"[" * 100_000))
    broken = tmp_path / "broken.ome.tif"
    tifffile.imwrite(broken, MOVIE, description="<OME <", metadata=None)
    refused("run", broken)


def test_a_recipe_that_cannot_be_followed(tmp_path, refused, path, capsys):
    out = tmp_path / "out.ome.tif"
    assert main(["reconstruct", "sofi", str(path), "-o", str(out)]) == 0
    recipe = json.loads(reconstruct(open_movie(path), "sofi").recipe.to_json())

    def changed(part, **values):
        place = tmp_path / "recipe.json"
        place.write_text(json.dumps(recipe | {part: recipe[part] | values}))
        return place

    assert "sofy" in refused("run", changed("reconstruct", method="sofy"))
    assert "order" in refused("run", changed("reconstruct", settings={"order": 7}))
    assert "colour" in refused("run", changed("reconstruct", settings={"colour": 7}))
    assert "frames" in refused("run", changed("open", frames=[0, 99])).lower()
    assert "ROI" in refused("run", changed("open", roi=[[0, 99], [0, 5]]))
    refused("run", changed("open", path="x" * 5000))
    movie = path.read_bytes()
    path.write_bytes(movie[:-1] + b"\0\0")
    assert "no longer the movie" in refused("run", out)
    path.unlink()
    assert "no file" in refused("run", out)


def test_saturation_is_a_note(tmp_path, path, capsys):
    frames = MOVIE.copy()
    frames[:, 3, :8] = 65535
    tifffile.imwrite(path, frames)
    assert main(["reconstruct", "sofi", str(path), "-o", str(tmp_path / "out.tif")]) == 0
    assert "3.1 % of the pixels are saturated" in capsys.readouterr().err


def test_too_little_memory_is_no_bug(tmp_path, refused, path, monkeypatch):
    def full(*args, **options):
        raise MemoryError

    monkeypatch.setattr("napari_sofinet.methods.sofi_cumulants.cross_cumulants", full)
    assert "memory" in refused("reconstruct", "sofi", path, "-o", tmp_path / "out.tif")


# Writing


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError("65536 requested and 100 written"), "disk is full"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be written to"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written to"),
        (OSError(errno.EIO, "Input/output error"), "could not be written"),
    ],
)
@pytest.mark.parametrize(
    "where", ["tifffile.imwrite", "os.fsync", "napari_sofinet.io.atomic.new_partial"]
)
def test_a_place_that_fails_while_writing(tmp_path, refused, path, monkeypatch, error, says, where):
    def fail(*args, **options):
        if where == "tifffile.imwrite":
            Path(args[0]).write_bytes(b"half a picture")
        raise error

    monkeypatch.setattr(where, fail)
    said = refused("reconstruct", "average", path, "-o", tmp_path / "out.ome.tif")
    assert says in said


def test_an_older_output_survives_a_failure(tmp_path, refused, path, monkeypatch):
    output = tmp_path / "out.ome.tif"
    output.write_bytes(b"an older result")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    refused("reconstruct", "average", path, "-o", output)


def test_nothing_is_left_when_the_writer_fails_otherwise(tmp_path):
    def write(file):
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "out.tif") as partial:  # noqa: PT012
        assert partial.parent == tmp_path
        write(partial)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mounted(tmp_path):
    """Mount a tiny file system; needs root."""
    places = []

    def mount(options):
        place = tmp_path.parent / f"{tmp_path.name}-mounted"
        place.mkdir()
        tool = shutil.which("mount")
        done = tool and subprocess.run(
            [tool, "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
            capture_output=True,
            check=False,
        )
        if not done or done.returncode:
            place.rmdir()
            pytest.skip("a file system cannot be mounted here")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_a_disk_that_is_really_full(mounted, refused, path):
    disk = mounted("size=64k")
    frames = np.tile(MOVIE, (1, 16, 16))
    tifffile.imwrite(path, frames)
    assert "disk is full" in refused("reconstruct", "average", path, "-o", disk / "out.ome.tif")
    assert list(disk.iterdir()) == []


def test_a_disk_that_is_really_read_only(mounted, refused, path):
    disk = mounted("ro")
    said = refused("reconstruct", "average", path, "-o", disk / "out.ome.tif")
    assert "cannot be written to" in said


def test_a_folder_without_permission(tmp_path, refused, path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pytest.skip("permissions do not hold for this user")
    except OSError:
        refused("reconstruct", "average", path, "-o", folder / "out.ome.tif")
    finally:
        folder.chmod(0o700)


# Any text


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(option=st.sampled_from(["frames", "roi"]), text=st.text() | st.text("0123456789:,- ."))
@example(option="frames", text="9" * 5000 + ":")
@example(option="roi", text="0:1,0:" + "9" * 5000)
@example(option="roi", text="\udcff\n\x1b[2J")
@example(option="frames", text=":")
@example(option="frames", text="--")
def test_any_text_is_a_selection_or_one_sentence(path, capsys, option, text):
    capsys.readouterr()
    code = main(["info", str(path), f"--{option}={text}"])
    shown = capsys.readouterr()
    assert code in (0, 2)
    if code == 2:
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
        assert len(shown.err) < 500
    else:
        assert shown.err == ""


@settings(max_examples=100, deadline=None, derandomize=True)
@given(text=st.text())
def test_any_text_as_path(text):
    try:
        open_movie(text)
    except InputError:
        return
    raise AssertionError("there is no such movie")


def test_a_traceback_is_shown_only_on_request(monkeypatch, capsys):
    def bug(options):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("napari_sofinet.cli.reconstruct.run_methods", bug)
    assert main(["methods"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setenv("SOFINET_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["methods"])


def test_nothing_more_on_stderr_in_a_real_process(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, MOVIE, compression="lzw", metadata=None)
    path.write_bytes(path.read_bytes()[:-2000])
    run = subprocess.run(
        [sys.executable, "-m", "napari_sofinet.cli.main", "info", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("sofinet: cut.tif is truncated; copy the file again.")
    assert run.stderr.count("\n") == 1
