"""Outputs are whole, belong together, and never replace what was read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.outputs import output_file
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import read_localizations, write_localizations
from napari_sofinet.io.fingerprint import fingerprint

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 16), dtype=np.uint16)
SMALL = ["--rows", "24", "--columns", "24", "--frames", "6"]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and links of POSIX")


def sofinet(*words, **options):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "napari_sofinet.cli.main", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.fixture
def refused(tmp_path, capsys):
    """Run a command that must be refused in one sentence and change nothing."""

    def run(*words):
        before = files(tmp_path)
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        shown = capsys.readouterr()
        assert len(shown.err.splitlines()) == 1, shown.err
        assert "bug" not in shown.err
        assert files(tmp_path) == before
        return shown.err

    return run


def simulated(folder, seed, *more):
    words = ["simulate", "microtubules", "-o", folder / "m.tif", "--truth", folder / "m.npz"]
    return [str(word) for word in [*words, "--seed", seed, *SMALL, *more]]


def seeds(folder):
    """Seeds of the movie and of the truth."""
    with tifffile.TiffFile(folder / "m.tif") as tif:
        movie = tif.imagej_metadata["Info"]
    with np.load(folder / "m.npz") as stored:
        assert str(stored["movie"]) == fingerprint((str(folder / "m.tif"),))[1]
        truth = str(stored["settings"])
    return [text.split('"seed":')[1].split(",")[0].rstrip("}") for text in (movie, truth)]


def test_a_stopped_simulation_leaves_the_former_pair(tmp_path, monkeypatch):
    assert main(simulated(tmp_path, 1)) == 0
    before = files(tmp_path)

    def stopped(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy.savez_compressed", stopped)
    assert main(simulated(tmp_path, 2)) == 130
    assert files(tmp_path) == before


@posix_only
def test_a_full_disk_leaves_the_former_pair(tmp_path):
    assert main(simulated(tmp_path, 1)) == 0
    before = files(tmp_path)
    words = " ".join(simulated(tmp_path, 2, "--frames", "500"))
    shell = f"ulimit -f 300; {sys.executable} -m napari_sofinet.cli.main {words}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, "disk is full" in done.stderr) == (2, True)
    assert files(tmp_path) == before


@posix_only
def test_two_simulations_of_one_name_do_not_mix(tmp_path):
    command = [sys.executable, "-m", "napari_sofinet.cli.main"]
    both = [subprocess.Popen([*command, *simulated(tmp_path, seed)]) for seed in (1, 2)]
    assert [process.wait(120) for process in both] == [0, 0]
    movie, truth = seeds(tmp_path)
    assert movie == truth
    assert sorted(files(tmp_path)) == ["m.npz", "m.tif"]


def test_a_simulation_keeps_its_inputs(tmp_path, refused):
    psf, dark, image = (tmp_path / f"{name}.tif" for name in ("psf", "dark", "image"))
    tifffile.imwrite(psf, np.ones((9, 9), np.float32))
    tifffile.imwrite(dark, MOVIE)
    tifffile.imwrite(image, MOVIE[0])
    shutil.copy(image, tmp_path / "other.tif")
    table = tmp_path / "table.npz"
    np.savez(table, positions_um=np.ones((5, 2)))
    link = tmp_path / "link.tif"
    link.symlink_to(psf)
    for output, options in (
        (psf, ["--optics.psf", "image", "--optics.psf-file", psf]),
        (link, ["--optics.psf", "image", "--optics.psf-file", psf]),
        (psf, ["--optics.psf", "image", "--optics.psf-file", link]),
        (dark, ["--camera.dark-frames", dark]),
        (image, ["--structure.kind", "image", "--structure.file", image]),
    ):
        said = refused("simulate", "microtubules", "-o", output, *SMALL, *options)
        assert "would change the input" in said
    out = tmp_path / "out.tif"
    structure = ["--structure.kind", "table", "--structure.file", table]
    assert "would change" in refused(
        "simulate", "microtubules", "-o", out, "--truth", table, *SMALL, *structure
    )


def table_of(n=30, **more):
    rng = np.random.default_rng(1)
    return LocalizationTable(
        frame=np.arange(n), y_px=rng.uniform(0, 9, n), x_px=rng.uniform(0, 9, n),
        camera_pixel_um=0.1, uncertainty_px=np.full(n, 0.1), **more,
    )  # fmt: skip


def test_a_yaml_of_somebody_else_stays(tmp_path, refused):
    source = tmp_path / "locs.csv"
    write_localizations(source, table_of())
    acquisition = tmp_path / "in.yaml"
    acquisition.write_text("exposure: 10\n")
    words = ["table", source, "--pixel-size", "0.1", "-o"]
    assert "in.yaml" in refused(*words, tmp_path / "in.hdf5")
    ours = tmp_path / "ours.hdf5"
    for _ in range(2):  # our own may be replaced
        assert main([str(word) for word in [*words, ours]]) == 0
    assert "would change" in refused("table", ours, "-o", tmp_path / "ours.h5")
    (tmp_path / "ours.yaml").write_text("Generated by: Picasso\nBox Size: 7\n")
    assert "ours.yaml" in refused(*words, ours)


@posix_only
def test_a_table_for_picasso_on_a_full_disk(tmp_path):
    source, folder = tmp_path / "locs.csv", tmp_path / "out"
    write_localizations(source, table_of(5000))
    folder.mkdir()
    for blocks in (1, 20, 60):
        shell = (
            f"ulimit -f {blocks}; {sys.executable} -m napari_sofinet.cli.main "
            f"table {source} --pixel-size 0.1 -o {folder}/o.hdf5"
        )
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert "disk is full" in done.stderr
        assert list(folder.iterdir()) == []


def test_a_table_and_its_recipe_appear_together(tmp_path, monkeypatch):
    from napari_sofinet.data.reconstruction import Reconstruction
    from napari_sofinet.methods.run import reconstruct

    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE)
    recipe = reconstruct(open_movie(path), "average").recipe
    result = Reconstruction({"image": np.zeros((2, 2))}, localizations=table_of(), recipe=recipe)
    for name in ("o.csv", "o.csv.gz", "o.hdf5"):
        result.save(tmp_path / name)
        assert (tmp_path / f"{name}.recipe.json").read_text() == recipe.to_json()
        assert len(read_localizations(tmp_path / name, 0.1)) == 30


def test_names_of_outputs(tmp_path, refused):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, MOVIE)
    table = tmp_path / "t.csv"
    write_localizations(table, table_of())
    for name in (f"{tmp_path}/o.tif/", "", " ", f"{tmp_path}/.", f"{tmp_path}/.."):
        assert "name of a file" in refused("reconstruct", "average", path, "-o", name)
        assert "name of a file" in refused("simulate", "microtubules", "-o", name, *SMALL)
        assert "name of a file" in refused("table", table, "-o", name)
        assert "name of a file" in refused("train", "sofinet", "-o", name)
    said = refused("reconstruct", "average", path, "-o", tmp_path / "o.png")
    assert ".ome.tif or .tif" in said
    long = "x" * (255 - len(".safetensors")) + ".safetensors"
    assert "too long" in refused("train", "sofinet", "-o", tmp_path / long)
    long = "x" * (255 - len(".csv")) + ".csv"
    assert "too long" in refused("reconstruct", "deepstorm", path, "-o", tmp_path / long)
    long = "x" * (255 - len(".h5")) + ".h5"
    assert "too long" in refused("table", table, "--pixel-size", "0.1", "-o", tmp_path / long)


def test_a_repeated_recipe_keeps_its_source(tmp_path, refused):
    path, out = tmp_path / "m.tif", tmp_path / "out.ome.tif"
    tifffile.imwrite(path, MOVIE)
    assert main(["reconstruct", "average", str(path), "-o", str(out)]) == 0
    assert "would change" in refused("run", out, "-o", out)
    os.link(out, tmp_path / "link.ome.tif")
    assert "would change" in refused("run", out, "-o", tmp_path / "link.ome.tif")


def test_an_output_file_is_a_path(tmp_path):
    assert output_file(tmp_path / "o.tif") == tmp_path / "o.tif"


@pytest.mark.parametrize("quoted", [True, False])
def test_any_name_of_a_column_reads_back(tmp_path, quoted):
    names = ['a"b', 'a"b,c', "semi;colon", "two words", '"quoted"', "tab\there", "#", "ü [nm]"]
    table = table_of(columns={name: np.arange(30.0) + k for k, name in enumerate(names)})
    path = tmp_path / "t.csv"
    write_localizations(path, table, "thunderstorm" if quoted else "picasso")
    back = read_localizations(path, 0.1)
    for k, name in enumerate(names):
        assert np.array_equal(back.columns[" ".join(name.split())], np.arange(30.0) + k)
