"""Bleaching and drift against simulated truth."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from artefacts import shaken
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, shift
from simulated import two_state

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.data.moved_frames import MoveBack
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.bleaching import half_life, mean_trace
from napari_sofinet.preprocess.block_registration import register
from napari_sofinet.preprocess.drift import SHARED, estimate_drift
from napari_sofinet.preprocess.drift_evidence import BlockImages
from napari_sofinet.preprocess.smooth_path import PathSmoother
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.blinking import blink
from napari_sofinet.sofi import cross_cumulants
from napari_sofinet.sofi.segments import SHORTEST, mean_cumulant, plan_segments

FRAMES = 400
DRIFT_UM_PER_S = 0.05, -0.03  # 2 px and 1.2 px of 100 nm in four seconds


def movie_of(seed: int = 3, **changes):
    drift = dict(zip(("drift_y_um_per_s", "drift_x_um_per_s"), DRIFT_UM_PER_S, strict=True))
    values = {"rows": 96, "columns": 104, "frames": FRAMES}
    values |= {f"motion.{name}": v for name, v in drift.items()} if "moving" in changes else {}
    values |= {name.replace("__", "."): v for name, v in changes.items() if name != "moving"}
    return simulate(preset_settings("microtubules", seed, values))


def test_half_life_of_an_exponential_and_of_none():
    t = np.arange(500)
    noise = np.random.default_rng(0).normal(0, 0.5, 500)
    for life in (40.0, 250.0, 1000.0):
        trace = 300 + 100 * 0.5 ** (t / life) + noise
        assert half_life(trace) == pytest.approx(life, rel=0.1)
    assert half_life(300 + noise) is None
    assert half_life(300 + 0.1 * t) is None
    assert half_life(np.array([3.0, 2.0, 1.0])) is None


def test_mean_trace_is_the_mean_of_every_frame():
    frames = np.random.default_rng(1).poisson(9, (70, 12, 15)).astype(np.uint16)
    trace, _ = mean_trace(sofinet.open_movie(frames).select(frames=(3, 60)))
    np.testing.assert_allclose(trace, frames[3:60].mean(axis=(1, 2)))


def test_drift_is_found_to_a_twentieth_of_a_pixel():
    made = movie_of(moving=True)
    drift = estimate_drift(sofinet.open_movie(made.frames))
    found, fwhm = drift.path_px, drift.fwhm_px
    t = np.arange(FRAMES)[:, None] * 0.01
    true = t * np.array(DRIFT_UM_PER_S) / 0.1
    assert np.sqrt(np.mean(np.sum((found - true) ** 2, axis=1))) < 0.05
    assert np.all(found[0] == 0)
    assert fwhm == pytest.approx(2.2, abs=0.25)


@pytest.mark.parametrize(("period", "amplitude"), [(80, 2.0), (200, 2.0), (150, 0.7)])
def test_a_stage_that_goes_to_and_fro_is_followed(period, amplitude):
    changes = {"rows": 72, "columns": 64, "frames": 300, "structure__count": 20}
    made = movie_of(5, blinking__off_time_s=0.2, **changes)
    t = np.arange(300)
    path = np.outer(amplitude * np.sin(2 * np.pi * t / period + 1), (0.6, -0.8))
    drift = estimate_drift(sofinet.open_movie(shaken(made, path)))
    error = drift.path_px - path
    assert np.sqrt(np.square(error - error.mean(axis=0)).sum(axis=1).mean()) < 0.1


def test_a_still_sample_has_no_drift_in_spite_of_the_cameras_pattern():
    made = movie_of(**{"camera__pixel_spread": 0.05})
    found = estimate_drift(sofinet.open_movie(made.frames)).path_px
    assert np.abs(found).max() < 0.1


def test_images_are_registered_to_a_fiftieth_of_a_sample():
    y, x = np.mgrid[:60, :70]
    at = np.array([(0, 0), (1.32, -2.4), (-3.1, 0.74), (4.0, 4.5)])
    spots = np.array([(20, 25), (35, 40), (28, 50)])

    def picture(shift):
        return sum(
            np.exp(-((y - a - shift[0]) ** 2 + (x - b - shift[1]) ** 2) / 8) for a, b in spots
        )

    np.testing.assert_allclose(register([picture(s) for s in at]), at, atol=0.03)


def blocks_of_spots(paths_px: np.ndarray) -> np.ndarray:
    """Images of spots, of which each follows its own path of shape (n, 2)."""
    rng = np.random.default_rng(4)
    spots = rng.uniform(15, 105, (len(paths_px), 2))
    y, x = np.mgrid[:120, :120]
    images = rng.normal(0, 0.02, (paths_px.shape[1], 120, 120))
    for (a, b), path in zip(spots, paths_px, strict=True):
        for image, (dy, dx) in zip(images, 2 * path, strict=True):
            image += np.exp(-((y - a - dy) ** 2 + (x - b - dx) ** 2) / 8)
    return images


def test_parts_of_the_field_share_a_drift_but_not_the_wandering_of_single_spots():
    rng = np.random.default_rng(5)
    drift = np.outer(np.linspace(0, 1.2, 8), (1, -0.5))
    edges = np.arange(9)
    shared = BlockImages(blocks_of_spots(np.stack([drift] * 30)), edges)
    found = shared.evidence([])
    assert found.certainty > 2
    assert found.at_gain > 0 < found.shared_gain
    np.testing.assert_allclose(found.at - found.at[0], drift, atol=0.1)
    assert shared.gain(drift) > 0 > shared.gain(-drift)
    wandering = np.cumsum(rng.normal(0, 0.3, (30, 8, 2)), axis=1)
    assert BlockImages(blocks_of_spots(wandering), edges).evidence([]).certainty < SHARED


def test_few_dim_molecules_at_rest_show_no_drift():
    values = {"structure.count": 10, "blinking.photons": 40.0, "blinking.off_time_s": 2.4}
    values |= {"rows": 48, "columns": 48, "frames": 372, "blinking.on_time_s": 0.03}
    for seed in (80, 81):
        made = simulate(preset_settings("microtubules", seed, values))
        assert estimate_drift(sofinet.open_movie(made.frames), 62).farthest_px == 0


def test_a_fast_stage_costs_little_of_the_picture():
    made = movie_of(6, rows=64, columns=64, frames=240, blinking__photons=100.0)
    path = np.outer(2 * np.sin(2 * np.pi * np.arange(240) / 120), (0.8, 0.6))

    def score(path, **settings):
        movie = sofinet.open_movie(shaken(made, path), 0.1)
        image = sofinet.reconstruct(movie, "sofi", **settings).image
        truth = made.truth.ideal(origin_px=(1, 1), shape=image.shape, fwhm_um=0.11).image
        return pearson(image, truth)

    assert score(path) < 0.8
    assert score(path, **{"drift.correct": True}) > score(np.zeros_like(path)) - 0.025


def test_frames_are_moved_back_by_any_distance():
    y, x = np.mgrid[:40, :36]
    path = np.array([(0.0, 0.0), (3.4, -2.7), (-6.25, 0.5)])
    at = np.array([18.0, 17.0])
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 4) for a, b in at + path]
    moved = MoveBack(5, path)(np.array(spots, np.float32), 5)
    for frame in moved:
        np.testing.assert_allclose(frame, spots[0], atol=2e-3)


def test_too_few_frames_for_drift_are_told():
    with pytest.raises(InputError, match="at least three blocks"):
        estimate_drift(sofinet.open_movie(np.zeros((100, 20, 20), np.uint16)))


@given(
    frames=st.integers(2, 900),
    longest=st.none() | st.integers(20, 500),
    speed=st.none() | st.floats(0, 0.02),
)
def test_segments_cover_the_movie_once(frames, longest, speed):
    drift = None if speed is None else np.outer(np.arange(frames), (speed, -speed / 2))
    segments = plan_segments(frames, longest, drift)
    assert segments[0][0] == 0
    assert segments[-1][1] == frames
    for (_, end), (start, _) in pairwise(segments):
        assert end == start
    lengths = [b - a for a, b in segments]
    assert min(lengths) >= min(SHORTEST, frames)
    if longest is not None:
        assert max(lengths) < longest + SHORTEST
    if drift is not None and speed * SHORTEST < 0.1:
        assert all(drift[b - 1, 0] - drift[a, 0] < 0.16 + speed * SHORTEST for a, b in segments)


def test_unbiased_cumulants_of_few_frames_average_to_those_of_many():
    # On for a third of the time, one emitter over four pixels: kappa_2 = 2/9, kappa_3 = 2/27,
    # kappa_4 = f (1 - f) (1 - 6 f + 6 f²) = -2/27 of a telegraph without memory.
    rng = np.random.default_rng(2)
    emitters = 8000
    on = rng.random((8, emitters)) < 1 / 3
    movie = np.broadcast_to(np.repeat(on, 5, axis=1)[:, None], (8, 5, 5 * emitters)).astype(float)
    found = cross_cumulants(movie, unbiased=True)
    for order, expected in ((2, 2 / 9), (3, 2 / 27), (4, -2 / 27)):
        # The samples whose pixels all lie on one emitter.
        mean = found[order][0, :: 5 * order].mean()
        assert mean == pytest.approx(expected, abs=0.01)
    biased = cross_cumulants(movie, (2,))[2][0, ::10].mean()
    assert biased == pytest.approx(2 / 9 * 7 / 8, abs=0.005)


def test_bleaching_and_drift_leave_the_picture_as_it_was():
    clean = sofinet.reconstruct(sofinet.open_movie(movie_of().frames), "sofi").image
    made = movie_of(
        moving=True,
        background__photons=6.0,
        background__half_life_s=2.5,
        blinking__bleach_time_s=0.06,
    )
    movie = sofinet.open_movie(made.frames)
    spoilt = sofinet.reconstruct(movie, "sofi")
    mended = sofinet.reconstruct(
        movie, "sofi", **{"drift.correct": True, "bleaching.correct": True}
    )
    inside = (slice(2, -2), slice(8, -2))  # what has always been in the field
    assert pearson(spoilt.image[inside], clean[inside]) < 0.85
    assert pearson(mended.image[inside], clean[inside]) > 0.95
    assert mended.details["bleaching_half_life_frames"] == pytest.approx(250, rel=0.15)
    assert mended.details["drift_px"] == pytest.approx(2.0, abs=0.1)
    assert "drifts by up to 2" in " ".join(mended.notes)
    assert "sub-sequences" in mended.recipe.methods_paragraph


def test_the_picture_is_where_the_sample_was_in_the_first_frame():
    made = movie_of(
        moving=True, structure__kind="points", structure__count=40, blinking__photons=2000.0
    )
    movie = sofinet.open_movie(made.frames, 0.1)
    result = sofinet.reconstruct(movie, "sofi", **{"drift.correct": True})
    start = made.truth.ideal(origin_px=(1, 1), shape=result.image.shape)
    shift = register([start.image.astype(float), result.image.astype(float)])[1]
    assert np.abs(shift).max() / 2 < 0.08


def test_a_movie_without_either_is_left_as_it_is():
    movie = sofinet.open_movie(movie_of().frames)
    plain = sofinet.reconstruct(movie, "sofi")
    same = sofinet.reconstruct(movie, "sofi", **{"bleaching.correct": True})
    assert "No bleaching is measurable" in " ".join(same.notes)
    assert pearson(plain.image, same.image) > 0.9999


@pytest.mark.parametrize("order", [2, 3])
def test_the_standard_error_is_the_scatter_of_repeats(order):
    settings = preset_settings(
        "microtubules", 3, {"rows": 40, "columns": 40, "frames": 120, "structure.count": 10}
    )
    made = simulate(settings)
    means, errors = [], []
    for repeat in range(50):
        # The same emitters blink anew under fresh noise.
        rng = np.random.default_rng([repeat, 9])
        events = blink(settings.blinking, len(made.truth.photons), 120, 0.01, rng)
        again = replace(
            made,
            truth=replace(made.truth, events=events),
            settings=settings.model_copy(update={"seed": 1000 + repeat}),
        )
        movie = sofinet.open_movie(again.counts(0, 120))
        mean, error = mean_cumulant(movie, order, "all", plan_segments(120, 20))
        means.append(mean)
        errors.append(error)
    scatter = np.std(means, axis=0, ddof=1)
    predicted = np.sqrt(np.mean(np.square(errors), axis=0))
    mean = np.mean(means, axis=0)
    structure = mean > 0.2 * mean.max()
    for where in (structure, ~structure):
        assert np.median(predicted[where] / scatter[where]) == pytest.approx(1, abs=0.1)
    single = np.sqrt(np.mean(np.square(errors[0][structure])))
    assert single == pytest.approx(np.sqrt(np.mean(scatter[structure] ** 2)), rel=0.4)


def test_the_snr_map_is_high_on_structure_only():
    movie = sofinet.open_movie(movie_of().frames)
    result = sofinet.reconstruct(movie, "sofi", snr=True)
    snr = result.maps["snr"]
    assert snr.shape == result.image.shape
    lit = result.image > 0.3 * result.image.max()
    assert np.median(snr[lit]) > 3
    assert np.median(snr[result.image == 0]) < 1.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": 5}, "of order 5"),
        ({"order": 6, "pixel_sets": "single"}, "of order 6"),
        ({"pixel_sets": "weighted"}, "weighted by their expected signal"),
        ({"lag": 1}, "a time lag of 1 frames"),
        ({"sub_sequences.frames": 100}, "4 sub-sequences"),
        (
            {"sub_sequences.frames": 100, "sub_sequences.average": "pictures"},
            "pictures were averaged",
        ),
        (
            {
                "sub_sequences.frames": 100,
                "sub_sequences.average": "pictures",
                "drift.correct": True,
            },
            "moved back",
        ),
        ({"background.method": "rolling-ball", "camera.gain": 2.0}, "Sternberg"),
    ],
    ids=str,
)
def test_every_way_shows_the_emitters_in_place(settings, said):
    rng = np.random.default_rng(0)
    at = np.array([[10.3, 9.8], [20.6, 24.2], [27.1, 8.9]])
    on = two_state(3, 400, 1.0, 2.0, 6.0, rng)
    y, x = np.mgrid[:36, :34]
    psf = np.exp(
        -((y - at[:, 0, None, None]) ** 2 + (x - at[:, 1, None, None]) ** 2) / (2 * 1.2**2)
    )
    light = np.zeros((400, 3))
    np.add.at(light, (on.frame, on.emitter), on.fraction)
    frames = rng.poisson(20 + 300 * np.tensordot(light, psf, 1)).astype(np.uint16)
    result = sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofi", **settings)
    assert said in result.recipe.methods_paragraph
    order = settings.get("order", 2)
    for place in at:
        # The centre of gravity of the brightness within 2 px.
        centre = (place - 1) * order
        i, j = np.indices(result.image.shape)
        near = np.hypot(i - centre[0], j - centre[1]) < 2 * order
        weights = result.image * near
        found = np.array([(weights * i).sum(), (weights * j).sum()]) / weights.sum()
        assert np.hypot(*(found - centre)) / order < 0.12
    assert np.isfinite(result.image).all()


def test_a_map_of_signal_to_noise_leaves_the_picture_alone():
    movie = sofinet.open_movie(movie_of(rows=40, columns=40).frames)
    plain = sofinet.reconstruct(movie, "sofi")
    result = sofinet.reconstruct(movie, "sofi", snr=True)
    np.testing.assert_array_equal(result.image, plain.image)
    assert np.isfinite(result.maps["snr"]).all()
    assert result.maps["snr"].max() > 5
    short = sofinet.reconstruct(movie.select(frames=(0, 60)), "sofi", snr=True)
    assert list(short.maps) == ["image"]
    assert "too short" in " ".join(short.notes)


def test_high_orders_are_not_taken_from_short_sub_sequences():
    movie = sofinet.open_movie(movie_of(rows=40, columns=40).frames)
    with pytest.raises(InputError, match="Order 5 cannot be computed from sub-sequences"):
        sofinet.reconstruct(movie, "sofi", order=5, **{"sub_sequences.frames": 100})
    # Lags lengthen sub-sequences instead of failing.
    sofinet.reconstruct(movie, "sofi", order=3, lag=9, **{"sub_sequences.frames": 20})


def test_drift_of_a_constant_movie_is_refused():
    with pytest.raises(InputError, match="does not change"):
        estimate_drift(sofinet.open_movie(np.full((200, 16, 16), 7, np.uint16)))


def test_a_path_is_smoothed_though_bins_at_a_jump_are_short():
    """Bins of two frames leave a single frame on each side of a jump at an odd frame."""
    times = np.r_[np.arange(0.5, 100, 2), 100.0, 101.0, np.arange(102.5, 200, 2)]
    true = 2 * np.sin(times / 20)
    noisy = true + np.random.default_rng(0).normal(0, 0.3, len(times))
    path, gain = PathSmoother(times).smooth(noisy, 0.3)
    assert np.std(path - true) < 0.15
    assert gain > 30


def test_the_borders_of_a_corrected_picture_are_not_dark():
    rng = np.random.default_rng(3)
    path = np.linspace(0, 2, 400)[:, None] * [1.0, -0.7]
    wide = rng.poisson(20, (400, 56, 56)).astype(float)
    wide = gaussian_filter(wide, (0, 1.2, 1.2))  # something blinks everywhere
    frames = np.stack(
        [shift(f, by, order=1, mode="wrap") for f, by in zip(wide, path, strict=True)]
    )
    movie = sofinet.open_movie(frames[:, 8:-8, 8:-8].astype(np.float32), 0.1)
    segments = plan_segments(400, 50, path)
    image, _ = mean_cumulant(movie, 2, "all", segments, drift_px=path, fwhm_px=2.8)
    for border in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert border.mean() > 0.5 * image.mean()
