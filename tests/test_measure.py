"""Measuring pictures in files, in Python and from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import DATA, needs_shared
from scipy.ndimage import gaussian_filter
from tifffile import imwrite

import napari_sofinet as sofinet
from napari_sofinet.cli.main import main
from napari_sofinet.metrics import decorrelation_resolution, pearson
from napari_sofinet.quality.picture import open_picture, open_truth
from napari_sofinet.quality.scores import compare, measure_resolution
from napari_sofinet.simulation import preset_settings, simulate


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    made = simulate(preset_settings("microtubules", 3, {"rows": 64, "columns": 72, "frames": 200}))
    imwrite(folder / "movie.tif", made.frames, photometric="minisblack")
    made.truth.save(folder / "truth.npz")
    movie = sofinet.open_movie(folder / "movie.tif", 0.1)
    sofinet.reconstruct(movie, "sofi").save(folder / "sofi.ome.tif")
    sofinet.reconstruct(movie, "average").save(folder / "average.ome.tif")
    return folder, made


def measured(capsys, *words: object) -> dict:
    assert main(["measure", *map(str, words), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


def test_truth_lies_on_the_pictures_grid(simulated):
    folder, made = simulated
    picture = open_picture(folder / "sofi.ome.tif")
    truth = open_truth(folder / "truth.npz", picture)
    ideal = made.truth.ideal(origin_px=(1, 1), shape=picture.image.shape).image
    np.testing.assert_allclose(truth.image, ideal, rtol=1e-4, atol=1e-4 * ideal.max())


def test_scores_against_the_truth(simulated, capsys):
    folder, _ = simulated
    found = measured(
        capsys, "compare", folder / "sofi.ome.tif", "--reference", folder / "truth.npz"
    )
    assert found["pearson"] > 0.85
    assert found["tpr"] > 0.8
    assert found["tnr"] > 0.9
    average = measured(
        capsys, "compare", folder / "average.ome.tif", "--reference", folder / "truth.npz"
    )
    assert average["pearson"] < found["pearson"]
    one = measured(
        capsys,
        *("compare", folder / "sofi.ome.tif", "--reference", folder / "truth.npz"),
        *("--metric", "mask"),
    )
    assert set(one) == {"image", "reference", "tpr", "tnr", "tp", "fp", "tn", "fn"}


def test_wide_field_is_a_reference_on_another_grid(simulated, capsys):
    folder, _ = simulated
    words = ("compare", folder / "sofi.ome.tif", "--metric", "squirrel", "--reference")
    by_movie = measured(capsys, *words, folder / "movie.tif")
    by_average = measured(capsys, *words, folder / "average.ome.tif")
    assert by_movie["rsp"] == pytest.approx(by_average["rsp"], abs=1e-4)
    assert by_movie["rsp"] > 0.7
    assert 0.5 < by_movie["sigma_px"] < 4


def test_resolution_in_px_and_nm(simulated, capsys):
    folder, _ = simulated
    found = measured(capsys, "resolution", folder / "sofi.ome.tif")
    assert found["resolution_nm"] == pytest.approx(50 * found["resolution_px"])
    assert found["resolution_px"] == pytest.approx(2 / found["kc"])
    halves = measured(capsys, "resolution", folder / "movie.tif", "--metric", "frc")
    assert halves["compared"] == "odd and even frames"
    assert halves["resolution_nm"] is None
    part = measured(
        capsys, "resolution", folder / "sofi.ome.tif", "--roi", "10:90,20:120", "--pixel-size", 0.02
    )
    image = open_picture(folder / "sofi.ome.tif").image[10:90, 20:120]
    expected = decorrelation_resolution(image).resolution_px
    assert part["resolution_px"] == pytest.approx(expected)
    assert part["resolution_nm"] == pytest.approx(20 * expected)


def test_sectors_criteria_and_tolerance(simulated, capsys):
    folder, _ = simulated
    picture = open_picture(folder / "sofi.ome.tif")
    along = measured(capsys, "resolution", folder / "sofi.ome.tif", "--sector=-20:20")
    expected = decorrelation_resolution(picture.image, sector=(-20, 20)).resolution_px
    assert along["resolution_px"] == pytest.approx(expected)
    loose, strict = (
        measured(capsys, "resolution", folder / "sofi.ome.tif", "--metric=frc", *words)
        for words in ((), ("--criterion=half-bit",))
    )
    assert loose["resolution_px"] != strict["resolution_px"]
    scores = [
        measured(
            capsys, "compare", folder / "sofi.ome.tif", "--reference", folder / "truth.npz",
            "--tolerance", px,
        )
        for px in (0, 1)
    ]  # fmt: skip
    assert scores[1]["tpr"] > scores[0]["tpr"]
    assert 0 <= scores[0]["false_filament_share"] < 0.2
    assert main(["measure", "resolution", str(folder / "movie.tif"), "--sector", "9"]) == 2
    assert "degrees" in capsys.readouterr().err


def test_noise_has_a_reason_instead(tmp_path, capsys):
    imwrite(tmp_path / "noise.tif", np.random.default_rng(0).normal(100, 5, (200, 180)))
    found = measured(capsys, "resolution", tmp_path / "noise.tif")
    assert found["resolution_px"] is None
    assert found["reason"]
    assert main(["measure", "resolution", str(tmp_path / "noise.tif")]) == 0
    assert "none" in capsys.readouterr().out


@needs_shared
def test_real_pictures(capsys):
    found = measured(capsys, "resolution", DATA / "imdecorr_test_image_510.tif")
    assert found["resolution_px"] == pytest.approx(7.03, abs=0.01)
    found = measured(
        capsys,
        *("compare", DATA / "squirrel_fig3_superres_3x300x300.tif", "--metric", "squirrel"),
        *("--reference", DATA / "squirrel_fig3_widefield_60x60.tif"),
    )
    assert 0.7 < found["rsp"] < 1


def test_pictures_without_a_grid_are_compared_as_they_lie(tmp_path):
    truth = gaussian_filter(np.random.default_rng(1).random((60, 60)) ** 9, 1.5)
    fine = np.kron(truth, np.ones((2, 2)))
    for name, image in (("truth", truth), ("fine", fine)):
        imwrite(tmp_path / f"{name}.tif", image.astype(np.float32))
    a, b = (open_picture(tmp_path / f"{name}.tif") for name in ("fine", "truth"))
    assert compare(a, b)["pearson"] > 0.95
    assert compare(a, b)["rsp"] > 0.9999
    assert compare(b, b, ("pearson",))["pearson"] == pytest.approx(1)
    assert measure_resolution(b.cut(((0, 9), (0, 9))))["reason"]
    assert pearson(a.image, a.image) == pytest.approx(1)


@pytest.mark.parametrize(
    "command",
    [
        "resolution nothing.tif",
        "resolution {folder}/text.tif",
        "resolution {folder}/rgb.tif",
        "resolution {folder}/a.tif --roi 0:500,0:500",
        "resolution {folder}/a.tif --roi 5:5,0:9",
        "resolution {folder}/a.tif --metric psnr",
        "resolution",
        "compare {folder}/a.tif",
        "compare {folder}/a.tif --reference {folder}/odd.tif",
        "compare {folder}/a.tif --reference {folder}/flat.tif",
        "compare {folder}/a.tif --reference {folder}/text.npz",
        "nothing",
    ],
)
def test_unusable_pictures_give_one_sentence(command, tmp_path, capsys):
    rng = np.random.default_rng(0)
    imwrite(tmp_path / "a.tif", rng.random((60, 60)))
    imwrite(tmp_path / "odd.tif", rng.random((50, 61)))
    imwrite(tmp_path / "flat.tif", np.ones((60, 60)))
    imwrite(tmp_path / "rgb.tif", np.zeros((60, 60, 3), np.uint8), photometric="rgb")
    for name in ("text.tif", "text.npz"):
        (tmp_path / name).write_text("no picture")
    assert main(["measure", *command.format(folder=tmp_path).split()]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out == ""
