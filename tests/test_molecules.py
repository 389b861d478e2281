"""Brightness, on-ratio and density of emitters, and adaptive linearisation."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from conftest import reference
from simulated import two_state

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.sofi import cross_cumulants, linearize
from napari_sofinet.sofi.molecules import molecules, on_grid, on_ratio_gain
from napari_sofinet.sofi.telegraph import (
    correlation_time,
    frame_cumulants,
    frames_as_one,
    next_frame_correlation,
    on_factor,
)

FWHM = 2.4
SIGMA = FWHM / 2.3548


def cumulants_of(positions: np.ndarray, peak: float, on_ratio: float) -> dict[int, np.ndarray]:
    """What emitters give in a field of 40 x 44 px, without noise, already flattened."""
    images = {}
    for n in (2, 3, 4):
        y, x = np.meshgrid(
            1 + np.arange(n * 36 + 1) / n, 1 + np.arange(n * 40 + 1) / n, indexing="ij"
        )
        psf = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * SIGMA**2)) for a, b in positions]
        images[n] = peak**n * float(on_factor(n, on_ratio)) * sum(p**n for p in psf)
    return images


@pytest.mark.parametrize("on_ratio", [0.03, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("peak", [0.2, 70.0])
def test_cumulants_without_noise_are_solved_exactly(on_ratio, peak):
    rng = np.random.default_rng(0)
    positions = rng.uniform(10, 30, (25, 2))
    found = molecules(cumulants_of(positions, peak, on_ratio), FWHM, flattened=True)
    middle = (slice(12, 25), slice(12, 25))
    assert np.nanmedian(found.on_ratio[middle]) == pytest.approx(on_ratio, abs=0.01)
    assert np.nanmedian(found.brightness[middle]) == pytest.approx(
        peak * 2 * np.pi * SIGMA**2, rel=0.02
    )
    assert np.nansum(found.density) == pytest.approx(25, rel=0.1)


def test_nothing_is_said_where_nothing_blinks():
    found = molecules(cumulants_of(np.array([[10.0, 10.0]]), 5.0, 0.2), FWHM, flattened=True)
    assert np.isnan(found.on_ratio[-1, -1])
    assert np.isfinite(found.on_ratio[9, 9])


@pytest.mark.parametrize("gain", [0.5, 4.0])
@pytest.mark.parametrize(("on_ratio", "on_frames"), [(0.05, 1.0), (0.05, 4.0), (0.2, 2), (0.6, 5)])
def test_simulated_molecules(on_ratio, on_frames, gain):
    changes = {
        "rows": 64,
        "columns": 64,
        "frames": 3000,
        "structure.count": 5,
        "structure.emitters_per_um": 8.0,
        "blinking.on_time_s": 0.01 * on_frames,
        "blinking.off_time_s": 0.01 * on_frames * (1 - on_ratio) / on_ratio,
        "blinking.photons": 300.0,
        "camera.gain": gain,
    }
    made = simulate(preset_settings("microtubules", 4, changes))
    movie = sofinet.open_movie(made.frames, 0.1, frame_interval_s=0.01)
    result = sofinet.reconstruct(movie, "sofi", molecules=True)
    assert set(result.maps) == {
        "image",
        "brightness",
        "on_ratio",
        "on_time_s",
        "density_per_um2",
    }
    fwhm = result.details["psf_fwhm_px"]
    truth = made.truth.ideal(
        origin_px=(1, 1), shape=result.image.shape, fwhm_um=3 * fwhm * 0.1
    ).image / (300 * 0.05**2)  # emitters per um², over the same neighbourhood
    bright = np.nanmedian(result.maps["brightness"])
    assert bright == pytest.approx(300 * gain, rel=0.05)
    assert np.nanmedian(result.maps["on_time_s"]) == pytest.approx(on_frames * 0.01, rel=0.1)
    assert np.nanmedian(result.maps["on_ratio"]) == pytest.approx(on_ratio, rel=0.2)
    assert np.nanmedian(result.maps["density_per_um2"] / truth) == pytest.approx(1, rel=0.2)


def test_maps_are_brought_to_the_grid_of_the_image():
    image = np.add.outer(np.arange(4.0), 10 * np.arange(5.0))
    fine = on_grid(image, 3)
    assert fine.shape == (10, 13)
    np.testing.assert_allclose(fine, np.add.outer(np.arange(10) / 3, 10 * np.arange(13) / 3))


@pytest.mark.parametrize(("tag", "fwhm"), [("full", 2.2), ("thesis100", 1.1)])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_given_exponents_give_the_references_adaptive_image(tag, fwhm, order):
    stored = np.load(reference("sofi", f"a_filaments__{tag}.npz"))
    if f"adalin{order}" not in stored:
        pytest.skip("the reference has no such order")
    image = stored[f"sofi_c{order}"].astype(float)  # after the reference's 2 x 2 median
    exponent = float(stored["adalin_gammas"][order - 1])
    ours = linearize(image, order, fwhm, exponent=exponent, boundary="wrap")
    assert pearson(ours, stored[f"adalin{order}"]) > 0.999999


def two_groups(gain: float, offset: float) -> np.ndarray:
    """Emitters on for a tenth of the time on the left, for two fifths on the right; no noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:30, :60]
    movie = np.zeros((4000, 30, 60), np.float32)
    for side, on_ratio in ((10, 0.1), (40, 0.4)):
        on = two_state(12, 4000, 1.0, 3.0, 3.0 * (1 - on_ratio) / on_ratio, rng)
        light = np.zeros((12, 4000), np.float32)
        np.add.at(light, (on.emitter, on.frame), on.fraction)
        for trace in light:
            a, b = rng.uniform(8, 22), rng.uniform(side, side + 10)
            psf = np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * 1.1**2))
            movie += trace[:, None, None] * (100 * psf).astype(np.float32)
    return gain * movie + offset


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (7.0, 500.0)])
def test_adaptive_linearisation_evens_out_on_ratios(gain, offset):
    movie = sofinet.open_movie(two_groups(gain, offset))
    ratio = {}
    for kind in ("default", "adaptive"):
        image = sofinet.reconstruct(movie, "sofi", linearization=kind).image
        ratio[kind] = image[:, :54].sum() / image[:, 54:].sum()
    # The square root of 0.1 * 0.9 / (0.4 * 0.6) for single emitters.
    assert ratio["default"] == pytest.approx(0.61, abs=0.12)
    assert ratio["adaptive"] == pytest.approx(1, abs=0.15)


def test_unknown_on_ratios_leave_the_picture_alone():
    assert np.all(on_ratio_gain(np.full((3, 3), np.nan), 2) == 1)
    gain = on_ratio_gain(np.array([[0.5, np.nan, 0.5]]), 3)
    assert np.all((gain >= 1 / 3) & (gain <= 3))


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_on_factors_are_cumulants_of_a_switch(order):
    r = 0.13
    moments = np.array([1.0, *([r] * order)])
    kappa = np.zeros(order + 1)
    for n in range(1, order + 1):
        kappa[n] = moments[n] - sum(
            comb(n - 1, m - 1) * kappa[m] * moments[n - m] for m in range(1, n)
        )
    assert float(on_factor(order, r)) == pytest.approx(kappa[order], rel=1e-12)


@pytest.mark.parametrize(("on_ratio", "on_frames"), [(0.1, 0.5), (0.1, 2.0), (0.7, 3.0)])
def test_light_within_frames_has_the_cumulants_of_simulated_blinking(on_ratio, on_frames):
    frames = 400_000
    off = on_frames * (1 - on_ratio) / on_ratio
    on = two_state(4, frames, 1.0, on_frames, off, np.random.default_rng(5))
    light = np.zeros((4, frames))
    np.add.at(light, (on.emitter, on.frame), on.fraction)
    time = on_frames * (1 - on_ratio)
    expected = frame_cumulants(on_ratio, time)
    d = light - light.mean(axis=1, keepdims=True)
    second = (d**2).mean()
    assert second == pytest.approx(expected[0], rel=0.02)
    assert (d**3).mean() == pytest.approx(expected[1], rel=0.04)
    assert (d**4).mean() - 3 * second**2 == pytest.approx(expected[2], rel=0.06)
    correlation = (d[:, 1:] * d[:, :-1]).mean() / second
    assert next_frame_correlation(time) == pytest.approx(correlation, rel=0.02)
    assert float(correlation_time(correlation)) == pytest.approx(time, rel=0.04)


def test_correlated_frames_count_as_fewer():
    assert frames_as_one(0.0) == (1, 1)
    assert frames_as_one(1e-3) == pytest.approx((1, 1), abs=2e-3)
    # For long on-times the autocorrelation is exp(-k / time), whose sum is a coth.
    expected = 1 / np.tanh(1 / 40), 1 / np.tanh(1 / 20)
    assert frames_as_one(20.0) == pytest.approx(expected, rel=0.04)


@pytest.mark.slow
def test_cumulants_of_slow_blinking_are_unbiased():
    # 400 short movies of many emitters, whose light is all but normal: the worst case for order 4.
    rng = np.random.default_rng(7)
    time = 3 * 0.8
    found = {name: [] for name in ("biased", "independent", "slow")}
    for _ in range(400):
        on = two_state(60, 150, 1.0, 3.0, 12.0, rng)
        trace = np.zeros(150)
        np.add.at(trace, on.frame, on.fraction)
        frames = np.tile(trace[:, None, None], (1, 4, 4))
        for name, options in (
            ("biased", {}),
            ("independent", {"unbiased": True}),
            ("slow", {"unbiased": True, "correlation_frames": time}),
        ):
            found[name].append(cross_cumulants(frames, (4,), **options)[4][0, 0])
    expected = 60 * frame_cumulants(0.2, time)[2]
    error = {name: np.mean(values) - expected for name, values in found.items()}
    spread = np.std(found["slow"]) / 20
    assert abs(error["slow"]) < 2.5 * spread
    assert error["biased"] < -4 * spread
    assert error["independent"] < -2 * spread
