"""Machines where little may be written, and installations without optional packages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_sofinet
from napari_sofinet.base.compiled import compiled

PACKAGE = Path(napari_sofinet.__file__).parent
MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 16), dtype=np.uint16)


def sofinet(*words, code="", **environment):
    """Run the command in a process of its own, after some code."""
    program = f"import sys\n{code}\nfrom napari_sofinet.cli.main import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE)
    return path


NO_CACHE = """
import numba.core.caching as caching
for name in "CacheImpl", "_CacheImpl":  # in versions of numba
    if hasattr(caching, name):
        getattr(caching, name)._locator_classes = []
"""


@pytest.mark.slow
def test_nothing_needs_a_cache_of_compiled_functions(tmp_path, movie):
    done = sofinet("info", movie, code=NO_CACHE)
    assert (done.returncode, done.stderr) == (0, "")
    done = sofinet("reconstruct", "sofi", movie, "-o", tmp_path / "o.ome.tif", code=NO_CACHE)
    assert done.returncode == 0, done.stderr


def double(x):
    return 2 * x


def test_a_cache_that_fails_is_as_good_as_none(monkeypatch, tmp_path):
    from numba.core import config

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
        patch.setattr("numba.core.caching.IndexDataCacheFile.load", full)
        assert compiled(nogil=True)(double)(21) == 42
    assert compiled(nogil=True)(double)(21) == 42
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert kept
    for path in kept:
        path.write_bytes(b"damaged")
    assert compiled(nogil=True)(double)(21) == 42


WITHOUT = """
import sys
import time
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize("method", ["sofinet", "convgru", "unet", "deepstorm", "dblink", "ddpm"])
def test_networks_without_pytorch(tmp_path, movie, method):
    code = WITHOUT.format(packages=("torch", "safetensors"))
    out = tmp_path / "o.ome.tif"
    more = ["--structure", "filaments"] if method == "dblink" else []
    done = sofinet("reconstruct", method, movie, "-o", out, *more, code=code)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pip install" in done.stderr
    assert not out.exists()


def test_the_demonstration_without_matplotlib(tmp_path):
    begun = time.monotonic()
    code = WITHOUT.format(packages=("matplotlib",))
    done = sofinet("demo", "-o", tmp_path / "new" / "demo", code=code)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "pip install matplotlib" in done.stderr
    assert time.monotonic() - begun < 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("blocks", [10, 300, 900])
def test_the_demonstration_on_a_full_disk(tmp_path, blocks):
    (tmp_path / "mine.txt").write_text("mine")
    limit = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({blocks} * 1024,) * 2)"
    for folder in (tmp_path / "new" / "demo", tmp_path):
        done = sofinet("demo", "-o", folder, code=limit)
        assert done.returncode == 2, done.stderr
        assert "disk is full" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("package", "output"), [("h5py", "o.hdf5"), ("pandas", "o.csv")])
def test_a_missing_package_is_named(tmp_path, package, output):
    table = tmp_path / "t.csv"
    table.write_text("frame,x_nm,y_nm\n1,20,30\n2,90,300\n")
    code = WITHOUT.format(packages=(package,))
    words = ("table", table, "--pixel-size", "0.1", "-o", tmp_path / output)
    done = sofinet(*words, code=code)
    assert done.returncode == 2
    assert done.stderr == (
        f"sofinet: {package} is not installed: install it with 'pip install {package}'.\n"
    )
