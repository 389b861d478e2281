"""Volumes: widths, resolution of sections and agreement, in files and on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tifffile import imwrite

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.metrics import axial_resolutions, plane_resolutions, volume_agreement
from napari_sofinet.quality.volume import Volume, measure_volume, on_samples_of, open_volume

SIGMAS = np.array([2.0, 3.0, 1.8])
PER_SIGMA = np.sqrt(8 * np.log(2))


def spots(shape=(64, 96, 80), count=12, sigmas=SIGMAS, seed=0) -> np.ndarray:
    """Gaussian spots far from the borders."""
    rng = np.random.default_rng(seed)
    out = np.zeros(shape, np.float32)
    for _ in range(count):
        out[tuple(int(rng.integers(10, n - 10)) for n in shape)] += rng.uniform(0.5, 1)
    return np.asarray(gaussian_filter(out, sigmas, mode="constant") / 0.01, np.float32)


def saved(path, image, plane_um=0.2, first_um=0.0, origin_px=(0.0, 0.0), pixel_px=0.5):
    Reconstruction(
        {"image": image},
        pixel_px=(pixel_px, pixel_px),
        origin_px=origin_px,
        camera_pixel_um=0.1,
        axes="ZYX",
        plane_um=plane_um,
        first_plane_um=first_um,
    ).save(path)
    return path


def measured(capsys, *words: object) -> dict:
    assert main(["measure", "volume", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_widths_of_gaussian_spots_are_theirs_along_every_axis(tmp_path, capsys):
    path = saved(tmp_path / "spots.ome.tif", spots(count=1))
    found = measured(capsys, path)
    widths = np.array([found[f"fwhm_{axis}_nm"] for axis in "zyx"])
    np.testing.assert_allclose(widths, PER_SIGMA * SIGMAS * [200, 50, 50], rtol=0.03)
    other = measured(capsys, path, "--pixel-size", 0.1, "--plane-um", 0.4)
    assert other["fwhm_z_nm"] == pytest.approx(2 * found["fwhm_z_nm"])
    assert other["fwhm_x_nm"] == pytest.approx(2 * found["fwhm_x_nm"])


def test_a_coarser_volume_is_compared_where_it_lies(tmp_path, capsys):
    fine = spots(count=40)
    truth = saved(tmp_path / "truth.ome.tif", fine, plane_um=0.1, first_um=-0.1)
    every_third = saved(tmp_path / "coarse.ome.tif", 5 * fine[1::3], plane_um=0.3, first_um=0.0)
    found = measured(capsys, every_third, "--reference", truth)
    assert found["ssim"] == pytest.approx(1, abs=1e-6)
    assert found["mse"] == pytest.approx(0, abs=1e-9)
    shifted = saved(tmp_path / "shifted.ome.tif", fine[1::3], plane_um=0.3, first_um=0.3)
    assert measured(capsys, shifted, "--reference", truth)["pearson"] < 0.9
    part = measured(capsys, every_third, "--reference", truth, "--roi", "2:18,8:80,5:70")
    assert part["pearson"] == pytest.approx(1)
    away = saved(tmp_path / "away.ome.tif", fine, origin_px=(500.0, 0.0))
    assert main(["measure", "volume", str(away), "--reference", str(truth)]) == 2
    assert "show different places" in capsys.readouterr().err


def test_the_best_scale_is_fitted_and_errors_are_those_of_the_truths_range():
    rng = np.random.default_rng(1)
    truth = rng.random((6, 32, 32)) * 40
    error = rng.normal(0, 4, truth.shape)
    found = volume_agreement(7 * (truth + np.maximum(error, -truth)), truth)
    assert found.mse == pytest.approx(np.mean(np.maximum(error, -truth) ** 2) / 1600, rel=0.1)
    assert found.planes == 6
    with pytest.raises(InputError, match="constant"):
        volume_agreement(truth, np.ones_like(truth))
    with pytest.raises(InputError, match="cannot be compared"):
        volume_agreement(truth, truth[:3])


def test_sections_tell_which_axis_is_blurred():
    rng = np.random.default_rng(2)
    points = (rng.random((80, 80, 80)) > 0.999) * rng.random((80, 80, 80))
    sharp, blurred = (
        gaussian_filter(points, sigmas) + 1e-5 * rng.random(points.shape)
        for sigmas in ((1.5, 1.5, 1.5), (3.0, 1.5, 1.5))
    )
    a, b = axial_resolutions(sharp).median_px, axial_resolutions(blurred).median_px
    assert a is not None
    assert b is not None
    assert 1.5 * a < b < 3 * a
    lateral = plane_resolutions(sharp).median_px, plane_resolutions(blurred).median_px
    assert lateral[0] == pytest.approx(lateral[1], rel=0.15)
    assert axial_resolutions(sharp[:40]).reason is not None


def test_limits_are_said_unasked():
    notes = measure_volume(Volume(spots(sigmas=(0.6, 3, 3)), "v"))["notes"]
    assert any("width along z is less than two samples" in note for note in notes)
    noise = np.random.default_rng(0).random((60, 60, 60)).astype(np.float32)
    facts = measure_volume(Volume(noise, "noise"))
    assert facts["notes"]
    assert "fwhm_z_px" in facts


def test_volumes_without_a_scale_need_one_size():
    a, b = Volume(spots(), "a"), Volume(spots()[:32], "b")
    with pytest.raises(InputError, match="differ in size"):
        on_samples_of(a, b)
    assert measure_volume(a, a)["pearson"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("raw.tif", "must be reconstructed first"),
        ("picture.ome.tif", "single picture"),
        ("film.ome.tif", "time series"),
        ("nan.npy", "not finite"),
        ("none.tif", "There is no file"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path, capsys, name, sentence):
    path = tmp_path / name
    if name == "raw.tif":
        imwrite(path, np.zeros((3, 5, 16, 16), np.uint16), imagej=True, metadata={"axes": "TZYX"})
    elif name == "picture.ome.tif":
        Reconstruction({"image": np.ones((9, 9), np.float32)}).save(path)
    elif name == "film.ome.tif":
        film = np.ones((9, 9, 9), np.float32)
        Reconstruction({"image": film}, axes="TYX", time_series=(0.0, 1.0)).save(path)
    elif name == "nan.npy":
        np.save(path, np.full((9, 9, 9), np.nan))
    assert main(["measure", "volume", str(path)]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--roi", "0:9"], "z0:z1,y0:y1,x0:x1"),
        (["--roi", "0:900,0:9,0:9"], "outside the volume"),
        (["--roi", "0:4,0:9,0:9"], "at least 8 px"),
        (["--plane-um", "-1"], "more than 0 µm"),
    ],
)
def test_wrong_options_get_a_sentence(tmp_path, capsys, words, sentence):
    path = saved(tmp_path / "v.ome.tif", spots())
    assert main(["measure", "volume", str(path), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_other_programs_volumes_are_opened_with_their_scale(tmp_path, capsys):
    path = tmp_path / "imagej.tif"
    meta = {"axes": "ZYX", "spacing": 0.2, "unit": "um"}
    imwrite(path, spots(), imagej=True, resolution=(20, 20), metadata=meta)
    volume = open_volume(path)
    assert volume.step_um == pytest.approx((0.2, 0.05, 0.05))
    result = saved(tmp_path / "v.ome.tif", spots())
    assert main(["measure", "resolution", str(result)]) == 2
    assert "sofinet measure volume" in capsys.readouterr().err
