"""Brightness, on-ratio and density of emitters, and adaptive linearisation."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import REFERENCE, needs_shared

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.sofi import linearize
from napari_sofinet.sofi.molecules import molecules, on_factor, on_grid, on_ratio_gain

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
@pytest.mark.parametrize("on_ratio", [0.05, 0.2, 0.6])
def test_simulated_molecules(on_ratio, gain):
    changes = {
        "rows": 64,
        "columns": 64,
        "frames": 3000,
        "structure.count": 5,
        "structure.emitters_per_um": 8.0,
        "blinking.on_time_s": 0.1,
        "blinking.off_time_s": 0.1 * (1 - on_ratio) / on_ratio,
        "blinking.photons": 300.0,
        "camera.gain": gain,
    }
    made = simulate(preset_settings("microtubules", 4, changes))
    movie = sofinet.open_movie(made.frames, 0.1)
    result = sofinet.reconstruct(movie, "sofi", molecules=True)
    assert set(result.maps) == {"image", "brightness", "on_ratio", "density_per_um2"}
    fwhm = result.details["psf_fwhm_px"]
    truth = made.truth.ideal(
        origin_px=(1, 1), shape=result.image.shape, fwhm_um=3 * fwhm * 0.1
    ).image / (300 * 0.05**2)  # emitters per um², over the same neighbourhood
    bright = np.nanmedian(result.maps["brightness"])
    assert bright == pytest.approx(300 * gain, rel=0.2)
    # A small on-ratio is the difference of two nearly equal numbers.
    rel = 0.4 if on_ratio < 0.1 else 0.2
    assert np.nanmedian(result.maps["on_ratio"]) == pytest.approx(on_ratio, rel=rel)
    assert np.nanmedian(result.maps["density_per_um2"] / truth) == pytest.approx(1, rel=rel)


def test_maps_are_brought_to_the_grid_of_the_image():
    image = np.add.outer(np.arange(4.0), 10 * np.arange(5.0))
    fine = on_grid(image, 3)
    assert fine.shape == (10, 13)
    np.testing.assert_allclose(fine, np.add.outer(np.arange(10) / 3, 10 * np.arange(13) / 3))


@needs_shared
@pytest.mark.parametrize(("tag", "fwhm"), [("full", 2.2), ("thesis100", 1.1)])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_given_exponents_give_the_references_adaptive_image(tag, fwhm, order):
    stored = np.load(REFERENCE / "sofi" / f"a_filaments__{tag}.npz")
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
        for _ in range(12):
            a, b = rng.uniform(8, 22), rng.uniform(side, side + 10)
            psf = np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * 1.1**2))
            movie += (rng.random(4000) < on_ratio)[:, None, None] * (100 * psf).astype(np.float32)
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
