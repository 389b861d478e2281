"""Camera, background, bleaching and drift of the frames that every method sees."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tifffile import imwrite

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.background import BackgroundCorrection, subtract_background
from napari_sofinet.preprocess.bleaching import half_life
from napari_sofinet.preprocess.camera import CameraCorrection, calibrate
from napari_sofinet.preprocess.photon_transfer import photon_transfer
from napari_sofinet.simulation import preset_settings, simulate


def filaments(**changes):
    named = {k.replace("__", "."): v for k, v in changes.items()}
    return simulate(preset_settings("microtubules", 3, {"rows": 96, "columns": 96, **named}))


@pytest.mark.parametrize("gain", [0.5, 2.2])
def test_photon_transfer_finds_gain_and_offset(gain):
    made = filaments(
        frames=200,
        camera__gain=gain,
        camera__offset=100.0,
        camera__read_noise_e=1.0,
        background__photons=20.0,
        background__structured=0.8,
    )
    found = photon_transfer(sofinet.open_movie(made.frames))
    assert found.gain == pytest.approx(gain, rel=0.05)
    # Read noise of one electron looks like one photon less of offset.
    assert found.offset == pytest.approx(100 - gain, abs=3 * gain)
    assert found.gain_error < 0.05 * found.gain


@pytest.mark.parametrize(
    "frames",
    [
        np.random.default_rng(0).normal(100, 5, (50, 64, 64)),
        np.random.default_rng(0).poisson(9, (6, 8, 8)),
    ],
)
def test_movies_without_a_photon_transfer_are_refused(frames):
    with pytest.raises(InputError, match="gain"):
        sofinet.reconstruct(sofinet.open_movie(frames), "average", **{"camera.estimate": True})


def test_counts_become_photoelectrons(tmp_path):
    rng = np.random.default_rng(1)
    dark = rng.uniform(90, 110, (10, 12)).round()
    light = rng.integers(0, 50, (30, 10, 12))
    movie = sofinet.open_movie((dark + 2 * light).astype(np.uint16))
    imwrite(tmp_path / "dark.tif", np.repeat(dark[None], 5, axis=0).astype(np.uint16))
    given = {"camera.dark_frames": str(tmp_path / "dark.tif"), "camera.gain": 2.0}
    result = sofinet.reconstruct(movie, "average", **given)
    np.testing.assert_allclose(result.image, light.mean(axis=0), rtol=1e-5)
    assert "dark frames" in result.recipe.methods_paragraph
    # An ROI sees its own part of the dark frames.
    part = sofinet.reconstruct(movie.select(roi=((2, 9), (3, 11))), "average", **given)
    np.testing.assert_allclose(part.image, light.mean(axis=0)[2:9, 3:11], rtol=1e-5)
    imwrite(tmp_path / "small.tif", np.zeros((5, 6, 7), np.uint16))
    with pytest.raises(InputError, match="6 x 7 pixels"):
        sofinet.reconstruct(movie, "sofi", **{"camera.dark_frames": str(tmp_path / "small.tif")})


def test_corrected_movies_are_the_same_lazily_in_blocks_and_after_pickling(tmp_path):
    frames = np.random.default_rng(2).poisson(40, (37, 9, 8)).astype(np.uint16)
    imwrite(tmp_path / "movie.tif", frames)
    movie = sofinet.open_movie(tmp_path / "movie.tif").select((3, 35), ((1, 8), (2, 7)))
    movie, _ = calibrate(movie, CameraCorrection(offset=10, gain=0.5))
    movie = subtract_background(movie, BackgroundCorrection(method="percentile", frames=8))
    whole = movie.frames.compute()
    assert whole.dtype == movie.dtype == np.float32
    assert whole.shape == movie.shape
    np.testing.assert_array_equal(np.concatenate(list(time_blocks(movie))), whole)
    again = pickle.loads(pickle.dumps(movie))
    np.testing.assert_array_equal(again.frames.compute(), whole)
    later = movie.select((20, 30))
    np.testing.assert_array_equal(later.frames.compute(), whole[17:27])


def test_cumulants_do_not_care_for_offsets_but_for_the_gain():
    made = filaments(frames=100)
    movie = sofinet.open_movie(made.frames)
    plain = sofinet.reconstruct(movie, "sofi").image
    changed = {"camera.offset": 57.0, "camera.gain": 4.0}
    corrected = sofinet.reconstruct(movie, "sofi", **changed)
    np.testing.assert_allclose(4 * corrected.image, plain, rtol=2e-3, atol=1e-3 * plain.max())


def test_saturation_is_seen_through_corrections():
    frames = np.full((20, 8, 8), 65535, np.uint16)
    frames[::2, 2:5, 2:5] = 9
    result = sofinet.reconstruct(sofinet.open_movie(frames), "sofi", **{"camera.offset": 100.0})
    assert "saturated" in " ".join(result.notes)


@pytest.mark.parametrize("method", ["percentile", "rolling-ball"])
def test_background_goes_and_structure_stays(method):
    settings = {"frames": 200, "blinking__on_time_s": 0.01, "blinking__off_time_s": 0.3}
    clean = filaments(**settings, background__photons=0.0, camera__offset=0.0)
    dirty = filaments(
        **settings,
        background__photons=15.0,
        background__structured=0.7,
        background__scale_um=3.0,
        camera__offset=0.0,
    )
    truth = clean.frames.mean(axis=0)
    movie = sofinet.open_movie(dirty.frames)
    chosen = {"background.method": method, "background.percentile": 30.0}
    before = sofinet.reconstruct(movie, "average").image
    after = sofinet.reconstruct(movie, "average", **chosen).image
    assert pearson(before, truth) < 0.4
    assert pearson(after, truth) > 0.7
    assert abs(np.median(after)) < 0.2 * np.median(before)
    # The percentile takes what overlapping emitters have in common.
    bright = truth > np.percentile(truth, 97)
    left = after[bright].mean() - np.median(after)
    assert left > (0.35 if method == "percentile" else 0.6) * (
        truth[bright].mean() - np.median(truth)
    )


def test_background_follows_slow_change():
    t = np.arange(300)
    frames = np.random.default_rng(3).poisson(
        np.broadcast_to((200 * np.exp(-t / 150))[:, None, None], (300, 16, 16))
    )
    movie = subtract_background(
        sofinet.open_movie(frames),
        BackgroundCorrection(method="percentile", percentile=50, frames=20),
    )
    trace = movie.frames.compute().mean(axis=(1, 2))
    assert np.abs(trace[15:285]).max() < 5


def test_averages_and_deviations_are_mended():
    made = filaments(
        frames=300,
        motion__drift_y_um_per_s=0.1,
        background__photons=6.0,
        background__half_life_s=1.5,
    )
    still = filaments(frames=300)
    movie = sofinet.open_movie(made.frames, 0.1)
    truth = sofinet.reconstruct(sofinet.open_movie(still.frames, 0.1), "std").image[8:-8, 8:-8]
    plain = sofinet.reconstruct(movie, "std").image[8:-8, 8:-8]
    mended = sofinet.reconstruct(movie, "std", **{"drift.correct": True, "bleaching.correct": True})
    assert pearson(plain, truth) < 0.85
    assert pearson(mended.image[8:-8, 8:-8], truth) > 0.9
    assert mended.details["drift_px"] == pytest.approx(3, abs=0.3)
    assert "moved back" in mended.recipe.methods_paragraph


def test_steady_movies_do_not_bleach_whatever_is_subtracted():
    made = filaments(frames=400, blinking__off_time_s=0.1)
    movie = sofinet.open_movie(made.frames)
    for changes in (
        {"camera.offset": 98.0},
        {"background.method": "percentile"},
        {"background.method": "rolling-ball", "background.radius_px": 5.0},
    ):
        plain = sofinet.reconstruct(movie, "average", **changes)
        result = sofinet.reconstruct(movie, "average", **changes, **{"bleaching.correct": True})
        assert "No bleaching is measurable" in " ".join(result.notes)
        np.testing.assert_allclose(result.image, plain.image, atol=1e-4)
    rng = np.random.default_rng(0)
    false = sum(half_life(rng.normal(0, 0.2, 400)) is not None for _ in range(200))
    assert false <= 2


@pytest.mark.parametrize("offset", [0, 100, 1000])
def test_bleaching_is_found_at_any_offset(offset):
    y, x = np.mgrid[:48, :48]
    blob = np.exp(-((y - 24) ** 2 + (x - 24) ** 2) / 60)
    light = 40 * blob * np.exp(-np.arange(400) / 150)[:, None, None] + 2
    frames = np.random.default_rng(1).poisson(light) + offset
    result = sofinet.reconstruct(sofinet.open_movie(frames), "std", **{"bleaching.correct": True})
    life = result.details["bleaching_half_life_frames"]
    assert life == pytest.approx(104, rel=0.1)


def test_black_borders_are_borne():
    uneven = {"background__photons": 20.0, "background__structured": 0.8}
    frames = filaments(frames=150, camera__gain=2.0, **uneven).frames.copy()
    frames[:, :20] = 0
    movie = sofinet.open_movie(frames)
    result = sofinet.reconstruct(movie, "sofi", molecules=True, snr=True)
    assert np.isfinite(result.image).all()
    assert np.isfinite(result.maps["snr"]).all()
    assert np.isnan(result.maps["on_ratio"][:20]).all()
    assert photon_transfer(movie).gain == pytest.approx(2.0, rel=0.07)


def test_dark_frames_are_kept_and_part_of_the_recipe(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    for name, level in (("movie.tif", 130), ("dark.tif", 100)):
        imwrite(tmp_path / name, rng.poisson(level, (30, 12, 13)).astype(np.uint16))
    monkeypatch.chdir(tmp_path)
    words = "reconstruct average movie.tif --camera.dark-frames dark.tif -o".split()
    assert main([*words, "dark.tif"]) == 2
    assert main([*words, "out.ome.tif"]) == 0
    monkeypatch.chdir("/")
    recipe = sofinet.Recipe.load(tmp_path / "out.ome.tif")
    first = repeat(recipe).image
    imwrite(tmp_path / "dark.tif", rng.poisson(90, (30, 12, 13)).astype(np.uint16))
    with pytest.raises(InputError, match="has changed since the recipe"):
        repeat(recipe)
    (tmp_path / "dark.tif").unlink()
    with pytest.raises(InputError, match="no longer exists"):
        repeat(recipe)
    assert first.mean() == pytest.approx(30, abs=2)


def test_corrections_made_beforehand_make_no_recipe(tmp_path):
    imwrite(tmp_path / "m.tif", np.random.default_rng(5).poisson(9, (30, 9, 9)).astype(np.uint16))
    movie, _ = calibrate(sofinet.open_movie(tmp_path / "m.tif"), CameraCorrection(offset=5))
    assert not sofinet.reconstruct(movie, "average").recipe.repeatable
