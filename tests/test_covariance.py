from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

torch = pytest.importorskip("torch")

import napari_sofinet as sofinet  # noqa: E402
from napari_sofinet.base.errors import Cancelled  # noqa: E402
from napari_sofinet.covariance.ascent import Ascent  # noqa: E402
from napari_sofinet.covariance.blinks import BlinkCount, supported_blur  # noqa: E402
from napari_sofinet.covariance.calibration import FWHM, find_noise, find_width  # noqa: E402
from napari_sofinet.covariance.fine_noise import FineNoise  # noqa: E402
from napari_sofinet.covariance.likelihood import (  # noqa: E402
    likelihood,
    likelihood_value,
    tile_model,
)
from napari_sofinet.covariance.optics import Axis, pixel_light  # noqa: E402
from napari_sofinet.covariance.sample import SampleCovariance  # noqa: E402
from napari_sofinet.covariance.tiles import plan_tiles  # noqa: E402

SIGMA = 1.0


def spots(at: np.ndarray, side: int, sigma: float = SIGMA) -> np.ndarray:
    """Light (n, side, side) of emitters at (n, 2) in the pixels, of sum 1 each."""
    pixels = np.arange(side)
    along = [
        ndtr((pixels + 0.5 - at[:, k, None]) / sigma)
        - ndtr((pixels - 0.5 - at[:, k, None]) / sigma)
        for k in (0, 1)
    ]
    return np.einsum("ni,nj->nij", *along)


def movie_of(
    at: np.ndarray,
    frames: int,
    side: int,
    photons: float = 300.0,
    seed: int = 0,
    still=10.0,
) -> np.ndarray:
    """Counts of a camera with an offset of 100, a gain of 2 and a read noise of 3 counts."""
    rng = np.random.default_rng(seed)
    light = still + np.zeros((frames, side, side))
    if len(at):
        on = rng.random((frames, len(at))) < 0.1
        light += photons * np.tensordot(on, spots(at, side), 1)
    return (2 * rng.poisson(light) + rng.normal(100, 3, light.shape)).round().astype(np.uint16)


def run(counts: np.ndarray, **settings):
    return sofinet.reconstruct(sofinet.open_movie(counts), "covariance", device="cpu", **settings)


def small_problem(dtype=torch.float64, shifts=None):
    y, x = Axis(6, 2, 1), Axis(5, 2, 1)
    model = tile_model(y, x, 0.9, 0.2, shifts_px=shifts, dtype=dtype)
    rng = np.random.default_rng(1)
    before = torch.as_tensor(rng.uniform(0.5, 2, (2, y.points, x.points)), dtype=dtype)
    frames = rng.normal(0, 2, (2, 50, 30))
    sample = torch.as_tensor(np.einsum("bti,btj->bij", frames, frames) / 50, dtype=dtype)
    noise = torch.diag_embed(torch.as_tensor(rng.uniform(1, 2, (2, 30)), dtype=dtype))
    return model, before, noise, sample


@pytest.mark.parametrize("shifts", [None, np.array([[0.0, 0.25], [0.25, -0.5]])])
def test_gradient_agrees_with_finite_differences(shifts):
    model, before, noise, sample = small_problem(shifts=shifts)
    found = likelihood(model, before, noise, sample)
    for tile, y, x in ((0, 3, 4), (1, 8, 0)):
        step = torch.zeros_like(before)
        step[tile, y, x] = 1e-4
        up, down = (
            likelihood_value(model, before + sign * step, noise, sample)[tile] for sign in (1, -1)
        )
        expected = (up - down) / 2e-4
        assert found.above[tile, y, x] - found.below[tile, y, x] == pytest.approx(
            float(expected), rel=1e-5
        )
    step = torch.zeros_like(noise)
    step[0, 7, 7] = 1e-4
    up, down = (likelihood_value(model, before, noise + s * step, sample)[0] for s in (1, -1))
    slope = found.noise_above[0, 7] - found.noise_below[0, 7]
    assert float(slope) == pytest.approx(float((up - down) / 2e-4), rel=1e-5)


def test_covariance_is_that_of_independent_emitters():
    model, _, _noise, _ = small_problem()
    before = torch.zeros((1, model.y.points, model.x.points), dtype=torch.float64)
    before[0, 5, 7] = 3.0
    v = model.picture(before)[0].numpy()
    light = np.einsum("ia,jb->ijab", pixel_light(model.y, 0.9), pixel_light(model.x, 0.9)).reshape(
        30, -1
    )
    expected = light @ np.diag(v.ravel()) @ light.T
    np.testing.assert_allclose(model.covariance(before)[0], expected, atol=1e-8)


def test_likelihood_rises():
    model, _, noise, sample = small_problem()
    ascent, values = Ascent(model, sample, noise), []
    for _ in range(30):
        ascent.step()
        values.append(ascent.value.clone())
    rises = torch.diff(torch.stack(values), dim=0)
    assert float(rises.min()) > -1e-3
    assert float((values[-1] - values[0]).min()) > 0.1


def test_tiles_show_every_pixel_once():
    for field in ((8, 11), (20, 21), (50, 33), (64, 128)):
        plan = plan_tiles(field, 4)
        seen = np.zeros(field, int)
        for tile in plan.tiles:
            (a, b), (c, d) = tile.own
            seen[a:b, c:d] += 1
            for (first, last), start, side, size in zip(
                tile.own, tile.start, field, plan.size, strict=True
            ):
                assert start >= 0
                assert start + size <= side
                assert first - start >= min(4, first)
                assert start + size - last >= min(4, side - last)
        assert (seen == 1).all()


def test_sample_covariance_in_blocks_is_that_of_numpy():
    rng = np.random.default_rng(0)
    frames = rng.normal(100, 5, (60, 12, 14)).astype(np.float32)
    plan = plan_tiles((12, 14), 4)
    axes = (Axis(side, 2, 3) for side in plan.size)
    sample = SampleCovariance(plan.tiles, tile_model(*axes, 1.0, 0.1))
    for a, b in ((0, 30), (30, 60)):
        for k in range(a, b, 7):
            sample.add(frames[k : min(k + 7, b)])
        sample.end_sub_sequence()
    halves = [np.cov(frames[a : a + 30].reshape(30, -1).T) for a in (0, 30)]
    assert sample.freedom == 58
    np.testing.assert_allclose(sample.value()[0], np.mean(halves, axis=0), atol=1e-3)


def test_width_and_noise_are_found_from_the_frames():
    at = np.random.default_rng(3).uniform(2, 18, (60, 2))
    still = np.linspace(5, 100, 20)
    frames = (movie_of(at, 400, 20, 100.0, still=still) - 100.0).astype(np.float32)
    plan = plan_tiles((20, 20), 4)
    axis = Axis(20, 3, 4)
    model = tile_model(axis, axis, 1.0, 0.1)
    sample = SampleCovariance(plan.tiles, model)
    sample.add(frames)
    sample.end_sub_sequence()
    mean = torch.as_tensor(frames.mean(axis=0).reshape(1, -1))
    gain, dark = find_noise(model, sample.value(), mean - 10, torch.zeros_like(mean))
    assert gain == pytest.approx(2, rel=0.3)
    assert dark == pytest.approx(9 + 2 * 10, rel=0.4)
    width = find_width(
        lambda sigma, sieve: tile_model(axis, axis, sigma, sieve),
        sample.value(),
        2 * mean + 9,
        sample.freedom,
        3.0,
    )
    assert width.fwhm_px == pytest.approx(FWHM * SIGMA, rel=0.05)
    assert width.error_px < 0.1


def test_point_lands_on_its_place():
    at = np.array([[7.3, 10.6]])
    counts = movie_of(at, 200, 18)
    for fine in (2, 5):
        result = run(counts, fine=fine, psf_fwhm_px=FWHM, steps=15)
        image = result.image
        assert image.shape == (18 * fine, 18 * fine)
        y, x = np.indices(image.shape)
        centre = [
            origin + (image * index).sum() / image.sum() * step
            for origin, index, step in zip(result.origin_px, (y, x), result.pixel_px, strict=True)
        ]
        np.testing.assert_allclose(centre, at[0], atol=0.1)


def test_nothing_is_drawn_on_noise():
    result = run(movie_of(np.zeros((0, 2)), 100, 24), psf_fwhm_px=2.5)
    assert not result.image.any()
    assert "picture is empty" in " ".join(result.notes)


def test_nothing_is_drawn_around_a_bead():
    bead = 10 + 3000 * spots(np.array([[12.0, 12.0]]), 24)[0]
    counts = 2 * np.random.default_rng(2).poisson(bead, (100, 24, 24)) + 100
    assert not run(counts.astype(np.uint16), psf_fwhm_px=2.5).image.any()


def test_twice_as_many_emitters_are_twice_as_bright():
    rng = np.random.default_rng(4)
    sums = []
    for count in (60, 120):
        at = np.concatenate([rng.uniform(6, 18, (count, 2))])
        sums.append(run(movie_of(at, 300, 24), psf_fwhm_px=FWHM, steps=20, fine=3).image.sum())
    assert sums[1] / sums[0] == pytest.approx(2, rel=0.15)


def test_close_lines_are_separated_where_the_average_shows_one():
    rng = np.random.default_rng(7)
    along = rng.uniform(0, 24, 160)
    across = 11.5 + np.where(rng.random(160) < 0.5, -0.75, 0.75) * SIGMA
    counts = movie_of(np.stack([along, across], axis=1), 300, 24, seed=8)
    result = run(counts, psf_fwhm_px=FWHM)
    profile = result.image[24:-24].mean(axis=0)
    middle, sides = profile[47:49].mean(), profile[[44 - 1, 44, 51, 52]]
    assert middle < 0.6 * sides.min()
    mean = counts.mean(axis=0)[6:-6].mean(axis=0)
    assert mean[11] > mean[10]
    assert mean[12] > mean[13]
    assert "accelerated steps were taken" in result.recipe.methods_paragraph


def test_previews_come_and_cancel_stops():
    counts = movie_of(np.random.default_rng(1).uniform(4, 20, (40, 2)), 60, 24)
    seen = []

    def report(fraction, message="", preview=None):
        if preview is not None:
            seen.append(preview)
            raise Cancelled

    with pytest.raises(Cancelled):
        sofinet.reconstruct(
            sofinet.open_movie(counts), "covariance", report=report, psf_fwhm_px=FWHM, steps=8
        )
    assert seen[0].image.shape == (96, 96)
    assert seen[0].image.any()


def test_too_small_a_movie_is_refused():
    with pytest.raises(sofinet.InputError, match="at least 10 frames"):
        run(movie_of(np.zeros((0, 2)), 5, 24))
    with pytest.raises(sofinet.InputError, match="does not change"):
        run(np.full((20, 24, 24), 100, np.uint16))


def test_drift_is_followed_without_interpolation():
    rng = np.random.default_rng(0)
    at = np.array([[10.3, 9.6], [16.2, 20.4]])
    light = np.full((200, 28, 28), 10.0)
    for t, frame in enumerate(light):
        moved = at + np.array([1.2, -0.8]) * t / len(light)
        frame += 300 * np.tensordot(rng.random(2) < 0.2, spots(moved, 28), 1)
    counts = (2 * rng.poisson(light) + rng.normal(100, 3, light.shape)).round().astype(np.uint16)
    result = run(counts, psf_fwhm_px=FWHM, steps=15, **{"drift.correct": True, "drift.block": 40})
    image = result.image
    assert result.details["sub_sequences"] > 3
    indices = np.indices(image.shape)
    for place in at:
        inside = np.ones(image.shape, bool)
        for k in (0, 1):
            middle = (place[k] - result.origin_px[k]) / result.pixel_px[k]
            inside &= np.abs(indices[k] - middle) < 12
        part = image * inside
        for k in (0, 1):
            found = (part * indices[k]).sum() / part.sum() * result.pixel_px[k]
            assert found + result.origin_px[k] == pytest.approx(place[k], abs=0.2)


def test_standard_error_is_a_map_of_the_same_grid():
    counts = movie_of(np.array([[8.3, 9.6]]), 100, 18)
    result = run(counts, psf_fwhm_px=FWHM, steps=10, standard_error=True)
    error = result.maps["standard_error"]
    bright = result.image > 0.5 * result.image.max()
    assert error.shape == result.image.shape
    assert 0.02 < error[bright].mean() / result.image[bright].mean() < 1


def test_fewer_patterns_than_pixels_tell_the_same():
    y, x = Axis(16, 3, 5), Axis(14, 3, 5)
    at = np.random.default_rng(6).uniform(3, 11, (20, 2))
    frames = movie_of(at, 200, 16)[:, :, :14].astype(np.float32)
    tile = plan_tiles((16, 14), 4).tiles[:1]
    pictures = []
    for least in (0.0, 2e-4):
        model = tile_model(y, x, 1.35, 0.15, least=least)
        sample = SampleCovariance(tile, model)
        sample.add(frames)
        sample.end_sub_sequence()
        ascent = Ascent(model, sample.value(), model.noise(torch.full((1, 224), 60.0)))
        for _ in range(15):
            ascent.step()
        pictures.append(ascent.picture().numpy().ravel())
    assert model.patterns < 0.7 * 224
    assert np.corrcoef(pictures)[0, 1] > 0.99


def blinks_of(at: np.ndarray) -> float:
    frames = movie_of(at, 400, 32)
    blinks = BlinkCount((32, 32))
    for k in range(0, 400, 100):
        blinks.add(frames[k : k + 100])
    return blinks.value()


def test_blinks_are_counted():
    # A tenth is on in each frame; the fourth cumulant of on and off weighs by 1 - 6 p (1 - p).
    each = 400 * 0.09 / (1 - 6 * 0.09)
    grid = np.arange(4.3, 32, 8)
    apart = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    assert blinks_of(apart) == pytest.approx(each, rel=0.25)
    assert supported_blur(each) == 0.25
    dense = np.random.default_rng(8).uniform(-3, 35, (800, 2))
    expected = each * 800 / 38**2 * 2 * np.pi * SIGMA**2
    assert expected / 2 < blinks_of(dense) < 2 * expected


@pytest.mark.parametrize("photons", [0.0, 3000.0])
def test_noise_is_found_between_bright_emitters(photons):
    still = np.linspace(5, 100, 32)
    at = np.random.default_rng(5).uniform(4, 28, (6, 2))
    frames = movie_of(at, 300, 32, photons, still=still).astype(np.float32)
    detail = FineNoise((32, 32))
    detail.add(frames)
    gain, dark = detail.line(frames.mean(axis=0) - 110, frames.var(axis=0))
    assert gain == pytest.approx(2, rel=0.15)
    assert dark == pytest.approx(9 + 2 * 10, rel=0.35)


def test_smoothed_noise_is_not_taken_for_white():
    frames = movie_of(np.zeros((0, 2)), 100, 24).astype(np.float32)
    frames = frames + np.roll(frames, 1, axis=1) + np.roll(frames, 1, axis=2)
    detail = FineNoise((24, 24))
    detail.add(frames)
    assert detail.line(frames.mean(axis=0) - frames.mean(), frames.var(axis=0)) is None


@pytest.mark.parametrize("photons", [300.0, 3000.0])
def test_amounts_of_single_emitters_are_right(photons):
    at = np.array([[8.3, 8.6], [8.1, 20.2], [20.4, 9.5], [19.7, 20.1]])
    counts = movie_of(at, 200, 28, photons, seed=3)
    image = run(counts, psf_fwhm_px=FWHM, steps=20, fine=3).image
    rng = np.random.default_rng(3)
    on = rng.random((200, 4)) < 0.1
    expected = (2 * photons) ** 2 * on.var(axis=0, ddof=1)
    parts = image.reshape(2, 42, 2, 42).sum(axis=(1, 3)).ravel() / 9
    np.testing.assert_allclose(parts, expected, rtol=0.1)


def test_film_follows_a_change():
    first = movie_of(np.array([[8.3, 8.6]]), 60, 20, seed=1)
    then = movie_of(np.array([[12.4, 11.2]]), 60, 20, seed=2)
    frames = np.concatenate([first, then])
    result = run(frames, psf_fwhm_px=FWHM, steps=10, fine=2, window=60, step=30)
    assert result.image.shape == (3, 40, 40)
    assert result.time_series == (29.5, 30.0)
    for picture, at in ((result.image[0], (8.3, 8.6)), (result.image[2], (12.4, 11.2))):
        place = [(picture * k).sum() / picture.sum() for k in np.indices(picture.shape)]
        np.testing.assert_allclose((np.array(place) + 0.5) / 2 - 0.5, at, atol=0.15)
    with pytest.raises(sofinet.InputError, match="has 120 frames"):
        run(frames, psf_fwhm_px=FWHM, steps=10, window=121)


def test_standard_error_covers_the_scatter_of_movies():
    at = np.random.default_rng(2).uniform(3, 13, (12, 2))
    results = [
        run(
            movie_of(at, 200, 16, seed=seed),
            psf_fwhm_px=FWHM,
            fine=2,
            steps=12,
            blur=0.25,
            standard_error=True,
        )
        for seed in range(10)
    ]
    images = np.array([result.image for result in results])
    errors = np.array([result.maps["standard_error"] for result in results])
    mean = images.mean(axis=0)
    signal = mean > 0.2 * mean.max()
    away = np.abs(images - mean)[:, signal] / np.sqrt(0.9)
    assert 0.55 < np.mean(away < errors[:, signal]) < 0.8
