"""Emitters: the fit against the Cramer-Rao bound, the network against places that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import napari_sofinet as sofinet
from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.table_files import read_localizations
from napari_sofinet.localization.detection import (
    places_in_frame,
    places_in_map,
)
from napari_sofinet.localization.fitting import Noise, fit_spots, measure_noise, measure_sigma
from napari_sofinet.metrics import crlb, localization_scores
from napari_sofinet.training.emitters import emitter_map, spots


def counts(rng, places, photons, sigma, side, background=2.0):
    light = spots(places, np.full(len(places), float(photons)), sigma, side, side) + background
    return np.round(rng.poisson(light) + rng.normal(100, 1, light.shape))


@pytest.mark.parametrize("photons", [200, 5000])
def test_isolated_emitters_reach_the_bound(photons):
    rng = np.random.default_rng(photons)
    errors, doubts, light = [], [], []
    for _ in range(300):
        place = 10 + rng.uniform(-0.5, 0.5, (1, 2))
        frame = counts(rng, place, photons, 1.1, 21)
        one = fit_spots(frame, np.rint(place), 1.1, Noise(1, 3), 0.4)
        errors.append(one.places - place)
        doubts.append(one.spread[0, :2])
        light.append(one.light[0])
    bound = crlb(photons, 1.1, 2, read_noise_variance=1)[0]
    error = np.sqrt(np.mean(np.square(errors)))
    assert 0.85 * bound < error < 1.15 * bound
    assert np.sqrt(np.mean(np.square(doubts))) == pytest.approx(bound, rel=0.15)
    assert np.mean(light) == pytest.approx(photons, rel=0.03)


def test_doubt_of_overlapping_emitters_is_theirs_together():
    # Fisher information of six parameters, written out.
    places = np.array([[10.0, 9.2], [10.0, 10.7]])
    photons, sigma, background = np.array([900.0, 900.0]), 1.2, 4.0
    frame = spots(places, photons, sigma, 21, 21) + background
    found = fit_spots(frame, places + 0.02, sigma, Noise(1, background))
    np.testing.assert_allclose(found.places, places, atol=0.02)
    step, slopes = 1e-4, []
    for k in range(2):
        for p in range(3):
            moved, light = places.copy(), photons.copy()
            if p < 2:
                moved[k, p] += step
            else:
                light[k] += step
            slopes.append((spots(moved, light, sigma, 21, 21) + background - frame) / step)
    s = np.array(slopes).reshape(6, -1)
    spread = np.sqrt(np.diag(np.linalg.inv((s / frame.ravel()) @ s.T))).reshape(2, 3)
    np.testing.assert_allclose(found.spread, spread, rtol=0.15)
    alone = fit_spots(
        spots(places[:1], photons[:1], sigma, 21, 21) + 4, places[:1], sigma, Noise(1, 4)
    )
    assert found.spread[0, 1] > 1.5 * alone.spread[0, 1]


def test_noise_of_whole_numbers_is_measured():
    # In dark fields counts have few values; rounding adds a twelfth to the variance of 5.
    rng = np.random.default_rng(2)
    floors = []
    for _ in range(20):
        places = rng.uniform(4, 60, (4, 2))
        light = spots(places, np.full(4, 500.0), 1.1, 64, 64)
        frame = np.round(rng.poisson(light) + rng.normal(100, 5**0.5, light.shape))
        fit = fit_spots(frame, places, 1.1, Noise(), 0.4)
        floors.append(measure_noise([frame], [fit]).floor)
    np.testing.assert_allclose(floors, 5.08, rtol=0.15)
    assert np.mean(floors) == pytest.approx(5.08, rel=0.04)


@pytest.mark.parametrize("sigma", [0.8, 1.7])
def test_width_of_the_psf_is_measured(sigma):
    rng = np.random.default_rng(3)
    places = [rng.uniform(4, 60, (25, 2)) for _ in range(3)]
    frames = [counts(rng, at, 1500, sigma, 64) for at in places]
    assert measure_sigma(frames, places) == pytest.approx(sigma, rel=0.04)
    assert measure_sigma(frames[:1], [np.zeros((0, 2))]) is None


def test_a_map_gives_back_its_places():
    rng = np.random.default_rng(4)
    places = np.stack(np.meshgrid(np.arange(3, 30, 3.0), np.arange(3, 30, 3.0)), axis=-1)
    places = places.reshape(-1, 2) + rng.uniform(-0.8, 0.8, (81, 2))
    found, doubt = places_in_map(emitter_map(places, 33, 33), 0.5, 4)
    score = localization_scores(found, places, 0.3)
    assert score.fn + score.fp <= 2
    assert score.rmse < 0.1
    assert np.median(doubt) < 0.05
    # Two that a network cannot tell apart: light of two, drawn wide.
    wide = 2 * emitter_map(np.array([[10.0, 10.0]]), 20, 20, sigma=3.0) / 9
    found, doubt = places_in_map(wide, 0.5, 4)
    assert len(found) == 2
    assert doubt.max() > 0.3


def test_spots_that_stand_alone_are_found():
    rng = np.random.default_rng(5)
    places = np.array([[8.0, 9.0], [20.0, 31.0], [33.0, 12.0]])
    found = places_in_frame(counts(rng, places, 800, 1.2, 40), 1.2)
    assert localization_scores(found, places, 1.5).tp == 3
    assert len(found) <= 4
    assert not len(places_in_frame(np.full((20, 20), 7.0), 1.2))


def disc_frames(number, rng):
    places = []
    for _ in range(number):
        r, a = 7 * np.sqrt(rng.random(10)), rng.uniform(0, 2 * np.pi, 10)
        places.append(9.5 + np.stack([r * np.sin(a), r * np.cos(a)], axis=1))
    return np.array([counts(rng, at, 200, 0.92, 20, 0) for at in places], np.float32), places


def test_crowded_emitters_are_found():
    frames, places = disc_frames(80, np.random.default_rng(6))
    found = {}
    for finder in ("network", "single"):
        table = sofinet.reconstruct(
            sofinet.open_movie(frames), "deepstorm", finder=finder
        ).localizations
        scores = [
            localization_scores(
                np.stack([table.y_px, table.x_px], 1)[table.frame == k], at, 135 / 108.3
            )
            for k, at in enumerate(places)
        ]
        tp, fp, fn = (sum(getattr(s, name) for s in scores) for name in ("tp", "fp", "fn"))
        found[finder] = tp / (tp + fp), tp / (tp + fn)
    assert found["network"][0] >= 0.95
    assert found["network"][1] >= 0.83
    assert found["single"][1] < 0.5


def test_table_and_picture_lie_where_the_emitter_is(tmp_path):
    rng = np.random.default_rng(7)
    place = np.array([[23.3, 30.6]])
    frames = np.array([counts(rng, place, 3000, 1.2, 48) for _ in range(12)], np.uint16)
    movie = sofinet.open_movie(frames, 0.1).select((2, 10), ((10, 44), (8, 47)))
    result = sofinet.reconstruct(movie, "deepstorm")
    table = result.localizations
    assert sorted(set(table.frame)) == list(range(2, 10))
    assert table.y_px.mean() == pytest.approx(23.3, abs=0.03)
    assert table.x_px.mean() == pytest.approx(30.6, abs=0.03)
    image = result.image
    top, left = np.array(np.unravel_index(image.argmax(), image.shape)) - 6
    spot = image[top : top + 13, left : left + 13]
    centre = np.array([spot.sum(1) @ np.arange(13), spot.sum(0) @ np.arange(13)]) / spot.sum()
    at = np.array(result.origin_um) + (centre + np.array([top, left])) * result.pixel_size_um
    np.testing.assert_allclose(at, [2.33, 3.06], atol=0.015)
    assert spot.sum() == pytest.approx(8 * 2 * np.pi, rel=0.15)
    film = sofinet.reconstruct(movie, "deepstorm", film=True)
    assert film.image.shape == (8, 136, 156)
    np.testing.assert_allclose(film.image.sum(0), image, atol=1e-3)
    drawn = sofinet.reconstruct(movie, "deepstorm", finder="single", film=True)
    assert drawn.image.shape == (8, 136, 156)
    assert drawn.image.sum(axis=(1, 2)) == pytest.approx(
        np.bincount(drawn.localizations.frame - 2, minlength=8), rel=0.01
    )
    result.save(tmp_path / "found.csv")
    back = read_localizations(tmp_path / "found.csv", 0.1)
    np.testing.assert_allclose(back.y_px, table.y_px, atol=1e-4)
    np.testing.assert_array_equal(back.frame, table.frame)


def test_noise_of_a_few_frames_is_measured_in_the_whole_movie():
    rng = np.random.default_rng(8)
    frames = [counts(rng, rng.uniform(4, 26, (3, 2)), 800, 1.1, 30) for _ in range(30)]
    movie = sofinet.open_movie(np.stack(frames).astype(np.uint16), 0.1)
    some = [sofinet.reconstruct(movie.select((n, n + 1)), "deepstorm") for n in (2, 11)]
    gains = [result.details["noise_gain"] for result in some]
    assert gains[0] == gains[1] == pytest.approx(1, rel=0.25)


def test_cancel_is_heard_while_the_psf_is_measured():
    rng = np.random.default_rng(11)
    frames = np.array([counts(rng, rng.uniform(4, 44, (9, 2)), 900, 1.2, 48) for _ in range(6)])

    def cancel(fraction, message="", preview=None):
        if "PSF" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        sofinet.reconstruct(sofinet.open_movie(frames), "deepstorm", report=cancel)


def test_tables_from_the_command_line(tmp_path, capsys):
    import tifffile

    frames, _ = disc_frames(6, np.random.default_rng(8))
    tifffile.imwrite(tmp_path / "m.tif", frames.astype(np.uint16), photometric="minisblack")
    words = ["reconstruct", "deepstorm", str(tmp_path / "m.tif"), "--pixel-size", "0.108"]
    out = tmp_path / "t.csv"
    assert main([*words, "-o", str(out)]) == 0
    assert "localisations" in capsys.readouterr().err
    recipe = tmp_path / "t.csv.recipe.json"
    assert json.loads(recipe.read_text())["reconstruct"]["method"] == "deepstorm"
    assert main(["run", str(recipe), "-o", str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_text() == out.read_text()
    assert main(["reconstruct", "sofi", *words[2:3], "-o", str(tmp_path / "s.csv")]) == 2


def test_drift_is_taken_out_of_the_table():
    rng = np.random.default_rng(10)
    sites = rng.uniform(8, 40, (60, 2))
    way = np.stack([np.linspace(0, 1.5, 400), np.linspace(0, -0.8, 400)], axis=1)
    frames = np.array(
        [counts(rng, sites[rng.random(60) < 0.12] + d, 2000, 1.1, 48) for d in way], np.uint16
    )
    found = sofinet.reconstruct(
        sofinet.open_movie(frames, 0.1), "deepstorm", **{"drift.correct": True}
    )
    table = found.localizations
    at = np.stack([table.y_px, table.x_px], axis=1)
    off = np.linalg.norm(at[:, None] - sites[None], axis=2).min(axis=1)
    assert len(at) == pytest.approx(400 * 60 * 0.12, rel=0.05)
    assert np.median(off) < 0.06
    assert np.quantile(off, 0.9) < 0.15
    assert found.details["drift_px"] == pytest.approx(1.5, abs=0.1)
    assert found.image.shape == (192, 192)


@pytest.mark.parametrize(
    ("settings", "frames", "sentence"),
    [
        ({"weights": "sofinet-universal"}, np.ones((3, 20, 20)), "no weights"),
        ({}, np.ones((3, 8, 20)), "12 x 12"),
        ({}, np.full((3, 20, 20), np.nan), "not numbers|NaN"),
    ],
)
def test_unusable_input_gives_one_sentence(settings, frames, sentence):
    with pytest.raises(InputError, match=sentence):
        sofinet.reconstruct(sofinet.open_movie(frames), "deepstorm", **settings)


def test_movies_outside_of_the_training_are_told():
    rng = np.random.default_rng(9)
    wide = np.array([counts(rng, rng.uniform(8, 56, (12, 2)), 9000, 3.0, 64) for _ in range(6)])
    notes = sofinet.reconstruct(sofinet.open_movie(wide), "deepstorm").notes
    assert any("outside" in note and "PSF" in note for note in notes)
    dense = np.array([counts(rng, rng.uniform(0, 48, (900, 2)), 1000, 1.1, 48) for _ in range(3)])
    notes = sofinet.reconstruct(sofinet.open_movie(dense), "deepstorm").notes
    assert "too many" in notes[0]
    empty = rng.normal(100, 2, (4, 32, 32))
    result = sofinet.reconstruct(sofinet.open_movie(empty), "deepstorm")
    assert len(result.localizations) <= 4
