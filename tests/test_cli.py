"""The command line: what it prints, and how it ends when it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

import napari_sofinet
from napari_sofinet.base.errors import Cancelled
from napari_sofinet.cli import progress
from napari_sofinet.cli.main import main
from napari_sofinet.cli.progress import ProgressLine
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation.demo import demo_movie

RNG = np.random.default_rng(0)
MOVIE = RNG.integers(100, 1000, (20, 16, 18), dtype=np.uint16)
INTERRUPTS = [s for s in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, s)]


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "cell.tif"
    tifffile.imwrite(
        place, MOVIE, imagej=True, resolution=(10, 10), metadata={"axes": "ZYX", "unit": "um"}
    )
    return place


def test_info_json_is_one_object(path, capsys):
    words = ["info", str(path), "--frames", "2:", "--roi", "1:9,2:12", "--frame-interval", "0.03"]
    assert main([*words, "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert len(shown.out.splitlines()) == 1
    found = json.loads(shown.out)
    assert found["name"] == "cell.tif"
    assert (found["frames"], found["height"], found["width"]) == (18, 8, 10)
    assert found["dtype"] == "uint16"
    assert found["pixel_size_um"] == pytest.approx(0.1)
    assert found["frame_interval_s"] == 0.03
    assert found["frame_range"] == [2, 20]
    assert found["roi"] == [[1, 9], [2, 12]]
    assert "interpreted as time" in found["notes"][0]


def test_info_for_people(path, capsys):
    assert main(["info", str(path)]) == 0
    out = capsys.readouterr().out
    assert "20 frames of 16 x 18 px, uint16" in out
    assert "100 nm" in out
    assert "note: " in out
    assert main(["info", str(path), "--stack-axis", "depth"]) == 2


def test_info_shows_a_name_that_the_terminal_cannot(tmp_path):
    try:
        path = tmp_path / "zelle\udcff µ.tif"
        tifffile.imwrite(path, MOVIE)
    except (OSError, UnicodeError):
        pytest.skip("no such names here")
    for encoding in ("utf-8", "ascii"):
        run = subprocess.run(
            [sys.executable, "-m", "napari_sofinet.cli.main", "info", os.fspath(path)],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            check=False,
            timeout=120,
        )
        assert (run.returncode, run.stderr) == (0, b"")
        assert b"20 frames" in run.stdout


def test_methods(capsys):
    assert main(["methods"]) == 0
    assert {"average", "std", "sofi"} <= {
        line.split()[0] for line in capsys.readouterr().out.splitlines()
    }
    assert main(["methods", "sofi"]) == 0
    shown = capsys.readouterr()
    assert "--order INT" in shown.out
    assert "default 2" in shown.out
    assert shown.err == ""


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sofinet {napari_sofinet.__version__}\n"


def test_no_command_and_help(capsys):
    assert main([]) == 0
    assert "reconstruct" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["reconstruct", "sofi", "--help"])
    assert ended.value.code == 0
    assert "--deconvolution.iterations" in capsys.readouterr().out


@pytest.mark.parametrize("order", ["method first", "output first", "joined", "settings first"])
def test_reconstruct_in_any_order_of_words(tmp_path, path, capsys, order):
    out = str(tmp_path / "sofi.tif")  # a name that looks like a method's must not confuse
    words = {
        "method first": ["sofi", str(path), "-o", out, "--order", "3"],
        "output first": ["-o", out, "sofi", "--order=3", str(path)],
        "joined": [f"-o{out}", "sofi", str(path), "--order", "3"],
        "settings first": ["--order", "3", "--roi", "0:16,0:18", "sofi", str(path), "-o", out],
    }[order]
    assert main(["reconstruct", *words]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "37 x 43 samples of 33.33 nm" in shown.err
    assert tifffile.imread(out).shape == (3 * 12 + 1, 3 * 14 + 1)


def test_an_output_may_be_called_like_a_method(tmp_path, path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reconstruct", "-o", "std", "average", str(path)]) == 2
    assert "std must end in" in capsys.readouterr().err


def test_the_average_is_numpys(tmp_path, path):
    out = tmp_path / "mean.tif"
    words = ["average", str(path), "-o", str(out), "--frames", "4:14", "--roi", "1:9,2:12"]
    assert main(["reconstruct", *words]) == 0
    np.testing.assert_allclose(tifffile.imread(out), MOVIE[4:14, 1:9, 2:12].mean(axis=0), rtol=1e-6)


def test_the_output_has_the_usual_permissions(tmp_path, path):
    out, usual = tmp_path / "out.tif", tmp_path / "usual.txt"
    usual.write_text("")
    assert main(["reconstruct", "average", str(path), "-o", str(out)]) == 0
    assert out.stat().st_mode == usual.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cell.tif", "out.tif", "usual.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled])
@pytest.mark.parametrize(
    "where", ["napari_sofinet.methods.sofi_cumulants.cross_cumulants", "os.fsync"]
)
def test_stopping_ends_with_130(tmp_path, path, capsys, monkeypatch, error, where):
    def stop(*args, **options):
        raise error

    monkeypatch.setattr(where, stop)
    assert main(["reconstruct", "sofi", str(path), "-o", str(tmp_path / "out.tif")]) == 130
    assert capsys.readouterr().err.splitlines() == ["sofinet: stopped."]
    assert [p.name for p in tmp_path.iterdir()] == ["cell.tif"]


def test_signal_handlers_are_restored(path, capsys):
    before = [signal.getsignal(getattr(signal, name)) for name in INTERRUPTS]
    assert main(["info", str(path)]) == 0
    assert [signal.getsignal(getattr(signal, name)) for name in INTERRUPTS] == before


PAUSE = """
import signal, sys, time
import tifffile
from napari_sofinet.cli.main import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born deaf to it
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

def half(file, *args, **options):
    with open(file, "wb") as out:
        out.write(b"half")
        out.flush()
        print("writing", flush=True)
        time.sleep(60)

tifffile.imwrite = half
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", [*INTERRUPTS, "SIGKILL"])
def test_a_signal_while_writing(tmp_path, path, name):
    out = tmp_path / "out.ome.tif"
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSE, "reconstruct", "average", str(path), "-o", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            process.send_signal(getattr(signal, name))
            code = process.wait(timeout=60)
            said = process.stderr.read() if process.stderr else ""
        finally:
            process.kill()
    assert not out.exists()
    if name == "SIGKILL":
        assert code == -signal.SIGKILL
        return
    assert (code, said) == (130, "sofinet: stopped.\n")
    assert [p.name for p in tmp_path.iterdir()] == ["cell.tif"]


def test_a_reader_that_leaves_early(path):
    """`sofinet methods | head -0` ends quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_sofinet.cli.main", "methods"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_progress_is_silent_in_a_file_and_one_line_in_a_terminal(capsys, monkeypatch):
    line = ProgressLine()
    line(0.5, "frame 5 of 10")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(line, "live", True)
    monkeypatch.setattr(line, "shown", 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    line(0.5, "frame 5 of 10")
    line(0.6, "too soon to show")
    line(1.0, "done")
    err = capsys.readouterr().err
    assert "\n" not in err
    assert " 50 % frame 5" in err
    assert "too soon" not in err
    assert "100 % done" in err


def test_the_demo_shows_what_works(tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    truth = demo_movie().truth.ideal().image
    fit = {}
    for name in ("sofi_order_2", "sofi_20_frames", "sofinet_20_frames"):
        made = Reconstruction.load(tmp_path / "demo" / f"{name}.ome.tif")
        assert made.recipe is not None
        assert made.recipe.repeatable
        y, x = (round(2 * o) for o in made.origin_px)
        rows, columns = made.image.shape
        fit[name] = pearson(made.image, truth[y : y + rows, x : x + columns])
    assert fit["sofinet_20_frames"] > fit["sofi_20_frames"] + 0.05
    assert fit["sofi_order_2"] > 0.8
    assert (tmp_path / "demo" / "comparison.png").stat().st_size > 100_000
    assert "comparison.png" in capsys.readouterr().err


def test_progress_is_written_to_a_file_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    line = progress.ProgressLine(log_every_s=60)
    for second in range(200):
        now[0] = float(second)
        line(second / 200, "step")
    said = capsys.readouterr().err.splitlines()
    assert said == [" 30 % step", " 61 % step", " 92 % step"]
    silent = progress.ProgressLine()
    now[0] = 1000.0
    silent(0.5, "step")
    assert not capsys.readouterr().err
