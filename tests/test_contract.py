"""A method of another package: found on the command line, in recipes and in the widget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_sofinet as sofinet
from napari_sofinet.cli.main import main
from napari_sofinet.methods import method_named, methods, run
from napari_sofinet.methods.registry import networks
from napari_sofinet.networks.contract import builder_of
from napari_sofinet.training.task import task_of

METHOD_PACKAGE = Path(__file__).parent / "method_package"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The test package, installed where only these tests see it."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(METHOD_PACKAGE)], check=True)
    return target


@pytest.fixture
def with_median(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    methods.cache_clear()
    yield
    methods.cache_clear()


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "movie.tif"
    frames = np.random.default_rng(0).poisson(100, (9, 16, 18)).astype(np.uint16)
    tifffile.imwrite(path, frames, photometric="minisblack")
    return path


def test_it_runs_from_the_command_line_and_again_from_its_recipe(
    installed, movie, tmp_path, capsys
):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    out, again = tmp_path / "median.ome.tif", tmp_path / "again.ome.tif"

    def sofinet_command(*words: str) -> str:
        command = [sys.executable, "-m", "napari_sofinet.cli.main", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "median" in sofinet_command("methods")
    assert "--every" in sofinet_command("methods", "median")
    sofinet_command("reconstruct", "median", str(movie), "-o", str(out), "--every", "2")
    sofinet_command("run", str(out), "-o", str(again))
    np.testing.assert_array_equal(
        tifffile.imread(again), np.median(tifffile.imread(movie)[::2], axis=0)
    )
    # Without the package its recipe says what is missing.
    assert main(["run", str(out)]) == 2
    assert "There is no method median" in capsys.readouterr().err


def test_its_recipe_is_like_any_other(with_median, movie):
    result = sofinet.reconstruct(sofinet.open_movie(movie), "median", every=3)
    assert result.recipe.reconstruct.settings == {"every": 3}
    assert "The image is the median of 3 frames." in result.recipe.methods_paragraph
    np.testing.assert_array_equal(sofinet.repeat(result.recipe).image, result.image)


def test_the_widget_offers_it_without_weights(with_median, make_napari_viewer, qtbot, movie):
    from napari_sofinet.widgets.model_widget import ModelWidget

    viewer = make_napari_viewer()
    viewer.add_image(tifffile.imread(movie), name="movie")
    widget = ModelWidget(viewer)
    qtbot.addWidget(widget)
    widget.network_box.setCurrentIndex(widget.network_box.findData("median"))
    assert set(widget.form.editors) == {"every"}
    assert widget.prior.isHidden()
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None and len(viewer.layers) == 2, timeout=20_000)
    np.testing.assert_array_equal(viewer.layers[-1].data, np.median(tifffile.imread(movie), axis=0))


def test_a_package_that_cannot_be_loaded_is_told(installed, tmp_path, monkeypatch):
    broken = tmp_path / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Name: broken\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[napari_sofinet.methods]\nnone = nowhere:METHOD\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    methods.cache_clear()
    try:
        with pytest.raises(sofinet.InputError, match="package broken cannot be loaded"):
            methods()
    finally:
        methods.cache_clear()


def test_inputs_are_fingerprinted_before_the_work(movie, monkeypatch):
    before = sofinet.open_movie(movie).provenance().fingerprint
    average = method_named("average")

    def vanishing(*arguments):
        result = average.run(*arguments)
        movie.unlink()  # a file that goes meanwhile must not cost the result
        return result

    changed = type(average)("average", average.title, average.settings, vanishing, average.describe)
    monkeypatch.setattr(run, "method_named", lambda name: changed)
    result = sofinet.reconstruct(sofinet.open_movie(movie), "average")
    assert result.recipe.open.fingerprint == before


@pytest.mark.parametrize("name", list(networks()))
def test_networks_are_as_they_declare(name):
    pytest.importorskip("torch")
    network = networks()[name]
    net = builder_of(network)()
    assert net.reach_px == network.reach_px
    if network.frames is not None:
        assert net.frames == network.frames
    assert task_of(network).settings()


def test_a_method_refuses_what_it_cannot_start_from(movie):
    with pytest.raises(sofinet.InputError, match="is a movie; table needs a table"):
        sofinet.reconstruct(sofinet.open_movie(movie), "table")
    table = sofinet.LocalizationTable(frame=[0, 1], y_px=[3, 4], x_px=[5, 6])
    with pytest.raises(sofinet.InputError, match=r"needs a movie \(methods for a table.*: dblink"):
        sofinet.reconstruct(table, "sofi")
