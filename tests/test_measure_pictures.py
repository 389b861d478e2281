"""Pictures of other programs, and comparisons that are not what they seem."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.io import imsave
from tifffile import imwrite

import napari_sofinet as sofinet
from napari_sofinet.cli.main import main
from napari_sofinet.metrics import decorrelation_resolution
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.placement import repeats
from napari_sofinet.quality.scores import compare, compare_squirrel, measure_resolution
from napari_sofinet.simulation import preset_settings, simulate

TRUTH_ONLY = {"tpr", "tnr", "fn", "fp", "ssim", "ssim_fitted", "false_filament_share", "frc_px"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A movie, its mean, SOFI with and without recipe."""
    folder = tmp_path_factory.mktemp("pictures")
    made = simulate(preset_settings("microtubules", 3, {"rows": 64, "columns": 72, "frames": 200}))
    imwrite(folder / "movie.tif", made.frames, photometric="minisblack")
    made.truth.save(folder / "truth.npz")
    movie = sofinet.open_movie(folder / "movie.tif", 0.1)
    result = sofinet.reconstruct(movie, "sofi")
    result.save(folder / "sofi.ome.tif")
    sofinet.reconstruct(movie, "average").save(folder / "average.ome.tif")
    imwrite(folder / "plain.tif", result.image.astype(np.float32))
    mean = made.frames.mean(axis=0)
    imwrite(folder / "mean.tif", mean.astype(np.float32))
    for name, image in (("shifted", np.roll(mean, 5, 1)), ("half", mean[:32])):
        imwrite(folder / f"{name}.tif", image.astype(np.float32))
    return folder


def measured(capsys, *words: object) -> dict:
    assert main(["measure", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def notes(found: dict) -> str:
    return " ".join(found.get("notes", []))


def test_a_picture_without_recipe_lies_on_its_reference(folder, capsys):
    words = ("compare", folder / "plain.tif", "--reference", folder / "movie.tif")
    found = measured(capsys, *words)
    assert "--origin" in notes(found)
    assert "2 x finer" in notes(found)
    ours = measured(capsys, "compare", folder / "sofi.ome.tif", *words[2:])
    placed = measured(capsys, *words, "--origin", "1,1")
    assert placed["rsp"] == pytest.approx(ours["rsp"], abs=1e-6)
    assert placed["pearson"] == pytest.approx(ours["pearson"], abs=1e-6)
    assert found["rsp"] < ours["rsp"]
    roi = ("--roi", "10:90,10:90", "--origin", "1,1", "--metric", "pearson")
    one, other = (
        measured(capsys, "compare", folder / name, *words[2:], *roi[: 2 if "ome" in name else 4])
        for name in ("plain.tif", "sofi.ome.tif")
    )
    assert one["pearson"] == pytest.approx(other["pearson"], abs=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_the_same_field_and_a_whole_factor(tmp_path, capsys, factor):
    fine = gaussian_filter(np.random.default_rng(1).random((60 * factor,) * 2) ** 9, factor)
    coarse = fine.reshape(60, factor, 60, factor).mean(axis=(1, 3))
    imwrite(tmp_path / "fine.tif", fine.astype(np.float32))
    imwrite(tmp_path / "coarse.tif", coarse.astype(np.float32))
    found = measured(
        capsys, "compare", tmp_path / "fine.tif", "--reference", tmp_path / "coarse.tif"
    )
    assert found["rsp"] > 0.999
    assert f"{factor} x finer" in notes(found)
    assert "shifted" not in notes(found)


def test_sizes_of_samples_say_the_factor(tmp_path, capsys):
    fine = gaussian_filter(np.random.default_rng(1).random((150, 150)) ** 9, 2.5)
    coarse = gaussian_filter(fine, 1)[::5, ::5][:, :30]
    options = {"imagej": True, "metadata": {"unit": "um"}}
    for name, image, um in (("fine", fine[:145, :150], 0.02), ("coarse", coarse, 0.1)):
        imwrite(
            tmp_path / f"{name}.tif",
            image.astype(np.float32),
            resolution=(1 / um, 1 / um),
            **options,
        )
    found = measured(
        capsys, "compare", tmp_path / "fine.tif", "--reference", tmp_path / "coarse.tif"
    )
    assert "5 x finer" in notes(found)


def test_an_arrangement_that_is_not_known(tmp_path, capsys, folder):
    imwrite(tmp_path / "a.tif", np.random.default_rng(0).random((50, 61)).astype(np.float32))
    for words in (
        ["--reference", str(folder / "mean.tif")],
        ["--reference", str(folder / "mean.tif"), "--origin", "x"],
    ):
        assert main(["measure", "compare", str(tmp_path / "a.tif"), *words]) == 2
        assert "--origin" in capsys.readouterr().err or words[-1] == "x"


@pytest.mark.parametrize("reference", ["movie.tif", "average.ome.tif", "mean.tif"])
def test_a_mean_of_frames_is_no_truth(folder, capsys, reference):
    found = measured(capsys, "compare", folder / "sofi.ome.tif", "--reference", folder / reference)
    assert {"rsp", "rse", "pearson"} <= found.keys()
    assert not TRUTH_ONLY & found.keys()
    assert "need the truth" in notes(found)
    one = measured(
        capsys,
        *("compare", folder / "sofi.ome.tif", "--reference", folder / reference),
        *("--metric", "ssim"),
    )
    assert "ssim" in one
    truth = measured(
        capsys, "compare", folder / "sofi.ome.tif", "--reference", folder / "truth.npz"
    )
    assert truth.keys() >= TRUTH_ONLY
    assert "notes" not in truth


def test_a_reference_of_another_place_is_noted(folder, capsys):
    words = ("compare", folder / "sofi.ome.tif", "--reference")
    shifted = notes(measured(capsys, *words, folder / "shifted.tif"))
    assert "shifted by 0 samples of the reference along y and 5 along x" in shifted
    assert "50 %" in notes(measured(capsys, *words, folder / "half.tif"))
    for name in ("mean.tif", "movie.tif", "average.ome.tif", "sofi.ome.tif"):
        found = notes(measured(capsys, *words, folder / name))
        assert "shifted" not in found
        assert "covers" not in found


@pytest.mark.parametrize("seed", range(4))
def test_unlike_pictures_are_not_said_to_be_shifted(tmp_path, capsys, seed):
    rng = np.random.default_rng(seed)
    for name in ("a", "b"):
        imwrite(tmp_path / f"{name}.tif", gaussian_filter(rng.random((64, 64)), 2).astype("f4"))
    found = measured(capsys, "compare", tmp_path / "a.tif", "--reference", tmp_path / "a.tif")
    assert "notes" not in found


@pytest.mark.parametrize("times", [(2, 2), (3, 3), (5, 5)])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("cut", [0, 1])
def test_repeated_samples_are_seen(tmp_path, capsys, times, kind, cut):
    image = gaussian_filter(np.random.default_rng(2).random((80, 90)), 1.2)
    image = (250 * image / image.max()).astype(kind)
    enlarged = np.kron(image, np.ones(times, kind))[cut:, cut:]
    assert repeats(enlarged) == times
    imwrite(tmp_path / "large.tif", enlarged)
    found = measured(capsys, "resolution", tmp_path / "large.tif", "--pixel-size", 0.02)
    part = image[1:, 1:] if cut and times == (1, 1) else image
    expected = decorrelation_resolution(part.astype(float)).resolution_px
    assert found["resolution_px"] == pytest.approx(times[0] * expected, rel=0.05)
    assert found["resolution_nm"] == pytest.approx(20 * found["resolution_px"])
    assert f"repeated {times[0]} x" in notes(found)
    compared = measured(
        capsys, "compare", tmp_path / "large.tif", "--reference", tmp_path / "large.tif"
    )
    assert "enlarged" in notes(compared)


def test_pictures_that_are_not_enlarged():
    rng = np.random.default_rng(0)
    points = np.zeros((200, 200))
    points[tuple(rng.integers(0, 200, (2, 150)))] = 1
    for image in (
        rng.random((60, 60)),
        points,
        gaussian_filter(points, 1),
        rng.poisson(0.2, (90, 90)),
    ):
        assert repeats(image) == (1, 1)
    assert repeats(np.kron(rng.random((30, 40)), np.ones((4, 5)))) == (4, 5)


@pytest.mark.parametrize("factor", [1.5, 2.5, 3.2])
def test_samples_repeated_by_no_whole_number(factor):
    image = gaussian_filter(np.random.default_rng(2).random((80, 90)), 1.2)
    rows, columns = (np.arange(int(n * factor)) / factor for n in image.shape)
    enlarged = image[np.ix_(rows.astype(int), columns.astype(int))]
    assert repeats(enlarged) == pytest.approx((factor, factor), rel=0.02)
    found = measure_resolution(Picture(enlarged))
    expected = decorrelation_resolution(image).resolution_px
    assert found["resolution_px"] == pytest.approx(factor * expected, rel=0.03)
    assert "enlarged" in found["notes"][0]


def test_a_resolution_at_the_limit_of_the_samples_is_marked(tmp_path, capsys):
    rng = np.random.default_rng(0)
    points = np.zeros((200, 200))
    points[tuple(rng.integers(0, 200, (2, 400)))] = 100
    sharp = gaussian_filter(points, 0.8) + rng.normal(0, 0.01, points.shape)
    imwrite(tmp_path / "sharp.tif", sharp.astype(np.float32))
    found = measured(capsys, "resolution", tmp_path / "sharp.tif")
    assert found["resolution_px"] < 2.2
    assert "limit of the samples" in notes(found)
    imwrite(
        tmp_path / "blurred.tif",
        gaussian_filter(points, 2).astype(np.float32) + rng.normal(0, 0.01, points.shape),
    )
    assert "notes" not in measured(capsys, "resolution", tmp_path / "blurred.tif")


@pytest.mark.parametrize("name", ["sr.png", "sr.jpg", "sr.PNG", "sr.npy", "rgb.png", "sr16.png"])
def test_other_files_are_pictures_too(tmp_path, capsys, name):
    image = gaussian_filter(np.random.default_rng(3).random((90, 80)), 2)
    image = (250 * (image - image.min()) / np.ptp(image)).astype(np.uint8)
    if name == "sr.npy":
        np.save(tmp_path / name, image)
    elif name == "rgb.png":
        imsave(tmp_path / name, np.stack([image] * 3, axis=-1), check_contrast=False)
    elif name == "sr16.png":
        imsave(tmp_path / name, image.astype(np.uint16) * 200, check_contrast=False)
    else:
        imsave(tmp_path / name, image, check_contrast=False)
    imwrite(tmp_path / "reference.tif", image)
    for pair in ((name, "reference.tif"), ("reference.tif", name)):
        found = measured(
            capsys,
            "compare",
            tmp_path / pair[0],
            "--reference",
            tmp_path / pair[1],
            "--metric",
            "pearson",
        )
        assert found["pearson"] > 0.99


def test_other_files_that_are_no_pictures(tmp_path, capsys):
    rng = np.random.default_rng(0)
    imsave(
        tmp_path / "colours.png", rng.integers(0, 255, (20, 20, 3), np.uint8), check_contrast=False
    )
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object), allow_pickle=True)
    np.save(tmp_path / "nan.npy", np.full((60, 60), np.nan))
    np.save(tmp_path / "line.npy", np.ones(60))
    for path in sorted(tmp_path.iterdir()):
        assert main(["measure", "resolution", str(path)]) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
    np.save(tmp_path / "movie.npy", rng.random((30, 60, 70)))
    found = measured(capsys, "resolution", tmp_path / "movie.npy", "--metric", "frc")
    assert found["compared"] == "odd and even frames"


def scene(sigma: float, side: int = 128, seed: int = 0) -> np.ndarray:
    """Points of light through a PSF, with the noise of the camera."""
    rng = np.random.default_rng(seed)
    points = np.zeros((side, side))
    points[tuple(rng.integers(8, side - 8, (2, 200)))] = rng.uniform(500, 3000, 200)
    return gaussian_filter(points, sigma) + rng.normal(0, 0.05, (side, side))


def picture(sigma: float, name: str, **facts) -> Picture:
    known = {"pixel_um": 0.05, "pixel_px": (0.5, 0.5), "origin_px": (0.0, 0.0)}
    return Picture(scene(sigma), name, **known | facts)


def test_squirrel_says_when_its_reference_is_no_wide_field():
    sharp = picture(1.2, "sharp")
    # By its origin, whatever it looks like.
    made = compare_squirrel(sharp, picture(3.0, "other", made_by="sofi"))
    assert "other is a reconstruction (sofi)" in made.warning
    # By its spectrum: detail of 50 nm x 2.35 x 1.2 passes no conventional microscope.
    assert (
        "finer than a conventional microscope"
        in compare_squirrel(sharp, picture(1.2, "fine", pixel_um=0.03)).warning
    )
    # Without the size of a pixel: detail finer than that of the picture.
    swapped = compare_squirrel(
        picture(3.0, "blurred", pixel_um=None), picture(1.2, "fine", pixel_um=None)
    )
    assert "finer detail than blurred" in swapped.warning
    # A wide-field picture is none of these.
    assert compare_squirrel(sharp, picture(3.0, "wide")).warning is None
    mean = picture(3.0, "mean", wide_field=True)
    assert compare_squirrel(sharp, mean).warning is None
    assert "no wide-field" in compare(sharp, picture(3.0, "o", made_by="sofinet"))["warning"]


def test_pictures_of_the_same_frames_share_noise():
    facts = {"movie": "m", "made_by": "sofi"}
    one = picture(1.5, "one", frames=(0, 100), **facts)
    same, other = (picture(1.5, "b", frames=f, **facts) for f in ((50, 150), (100, 200)))
    assert one.shares_noise(same)
    assert not one.shares_noise(other)
    assert not one.shares_noise(picture(1.5, "c", frames=(0, 100), movie="n"))
    rough = replace(same, image=same.image + np.random.default_rng(1).normal(0, 9, (128, 128)))
    assert "share their noise" in compare(one, rough, ("frc",))["frc_reason"]
    alone = measure_resolution(one, "frc")
    assert "share it" in " ".join(alone["notes"])
    assert "share" not in str(measure_resolution(replace(one, made_by=None), "frc"))
