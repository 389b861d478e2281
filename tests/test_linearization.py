"""Flattening, deconvolution and linearisation against stored values, scikit-image and truth."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import reference
from scipy.ndimage import convolve
from skimage.restoration import richardson_lucy as skimage_richardson_lucy

from napari_sofinet.metrics import pearson
from napari_sofinet.sofi import cross_cumulants, estimate_psf_fwhm, flatten, linearize
from napari_sofinet.sofi.deconvolution import gaussian_blur, richardson_lucy
from napari_sofinet.sofi.flattening import noise_level, phase_weights


@pytest.mark.parametrize("name", ["a_filaments", "d_random_12x10"])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_phase_means_as_the_reference(name, order):
    stored = np.load(reference("sofi", f"{name}__full.npz"))
    flat = flatten(stored[f"raw{order}"], order, "phase-mean")
    expected = stored[f"flat{order}"]
    assert np.abs(flat - expected).max() < 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize(("tag", "fwhm"), [("full", 2.2), ("thesis100", 1.1)])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_linearised_as_the_reference(tag, fwhm, order):
    stored = np.load(reference("sofi", f"a_filaments__{tag}.npz"))
    if f"lin{order}" not in stored:
        pytest.skip("the reference has no such order")
    image = stored[f"sofi_c{order}"].astype(float)  # after the reference's 2 x 2 median
    for key, reconvolve in (("lin", False), ("linrec", True)):
        ours = linearize(image, order, fwhm, boundary="wrap", reconvolve=reconvolve)
        assert pearson(ours, stored[f"{key}{order}"]) > 0.999999
        mirrored = linearize(image, order, fwhm, reconvolve=reconvolve)
        assert pearson(mirrored, stored[f"{key}{order}"]) > 0.999


def blinking_point(sigma: float, at: tuple[float, float] = (8.3, 7.6)) -> np.ndarray:
    y, x = np.mgrid[:17, :16]
    psf = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * sigma**2))
    return (np.arange(60) % 6 == 0)[:, None, None] * psf


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("fwhm", [1.8, 2.6, 3.5])
def test_psf_width_and_flatness_of_a_gaussian_point(order, fwhm):
    cumulant = cross_cumulants(blinking_point(fwhm / 2.3548), (order,))[order]
    assert estimate_psf_fwhm(cumulant, order) == pytest.approx(fwhm, rel=0.02)
    flat = flatten(cumulant, order, "psf", fwhm)
    # The n-th power of the PSF on the finer grid, without any lattice on it.
    i, j = np.indices(flat.shape)
    power = np.exp(
        -((1 + i / order - 8.3) ** 2 + (1 + j / order - 7.6) ** 2) * order * 2.7726 / fwhm**2
    )
    np.testing.assert_allclose(flat / flat.max(), power / power.max(), atol=2e-3)


def test_no_blinking_has_no_psf_width():
    noise = np.random.default_rng(0).normal(size=(61, 61))
    noise[0::2, 0::2] -= 1
    assert np.isnan(estimate_psf_fwhm(noise, 2))


def test_blur_keeps_energy_and_width():
    image = np.zeros((41, 41))
    image[20, 20] = 1
    spot = gaussian_blur(image, 4.0)
    assert spot.sum() == pytest.approx(1, abs=1e-12)
    variance = np.sum(spot * (np.arange(41) - 20)[:, None] ** 2)
    assert 2.3548 * np.sqrt(variance) == pytest.approx(4.0, rel=0.03)  # cut at 3 sigma


def blurred_points() -> tuple[np.ndarray, np.ndarray]:
    """An image of uneven points, and the kernel with which it was blurred."""
    rng = np.random.default_rng(1)
    kernel = np.zeros((33, 33))
    kernel[16, 16] = 1
    return gaussian_blur(rng.random((32, 32)) ** 8, 3.0), gaussian_blur(kernel, 3.0)


@pytest.mark.parametrize("iterations", [1, 2])
def test_first_iterations_are_plain_richardson_lucy(iterations):
    # The definition, from the image on; acceleration starts with the third iteration.
    image, kernel = blurred_points()
    expected = image.copy()
    for _ in range(iterations):
        ratio = image / convolve(expected, kernel, mode="constant")
        expected *= convolve(ratio, kernel, mode="constant")
    ours = richardson_lucy(image, 3.0, iterations, boundary="constant")
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert np.abs(image / expected - 1).max() > 1


def test_many_iterations_converge_to_scikit_images():
    image, kernel = blurred_points()
    theirs = skimage_richardson_lucy(image, kernel, num_iter=300, clip=False, filter_epsilon=None)
    ours = richardson_lucy(image, 3.0, 300, acceleration=0.0, boundary="constant")
    inner = slice(8, -8)
    # scikit-image starts from a constant, we start from the image.
    assert pearson(ours[inner, inner], theirs[inner, inner]) > 0.999
    assert pearson(image[inner, inner], theirs[inner, inner]) < 0.8


@pytest.mark.parametrize("weights", [None, np.float64(0.3)])
def test_deconvolution_sharpens_and_keeps_the_energy(weights):
    truth = np.zeros((64, 64))
    truth[20, 30] = truth[40, 28] = truth[40, 36] = 1
    blurred = gaussian_blur(truth, 5.0)
    w = None if weights is None else np.full_like(blurred, weights)
    sharp = richardson_lucy(blurred, 5.0, 60, weights=w)
    assert sharp.min() >= 0
    assert sharp.sum() == pytest.approx(3, rel=1e-3)
    assert sharp[20, 30] > 3 * blurred[20, 30]
    assert sharp[40, 32] < 0.05 * sharp[40, 28]


def test_edges_do_not_wrap():
    image = np.zeros((32, 32))
    image[:, 0] = 1
    sharp = richardson_lucy(gaussian_blur(image, 4.0), 4.0, 10)
    assert sharp[:, -4:].max() < 1e-6 < sharp[:, 0].min()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_brightness_is_linear(dtype):
    # Two emitters, one twice as bright, far apart: the root restores the ratio of the brightness.
    on = (np.arange(60) % 6 == 0)[:, None, None]
    y, x = np.mgrid[:20, :40]
    psf = [np.exp(-((y - 10) ** 2 + (x - c) ** 2) / 2) for c in (10, 30)]
    flat = flatten(cross_cumulants(on * (psf[0] + 2 * psf[1]), (2,))[2], 2, "psf", 2.3548)
    linear = linearize(flat.astype(dtype), 2, 2.3548, reconvolve=True)
    assert linear.dtype == dtype
    assert linear[:, 38:].max() / linear[:, :38].max() == pytest.approx(2, rel=0.01)


def test_nothing_positive_gives_black():
    assert not linearize(-np.ones((9, 9)), 2, 2.0).any()


def test_weights_follow_the_noise():
    # The scatter of flattened noise is what the weights say, phase by phase.
    frames = np.random.default_rng(2).normal(size=(500, 60, 60))
    flat = flatten(cross_cumulants(frames, (2,))[2], 2, "psf", 2.5)
    weights = phase_weights(flat.shape, 2, 2.5)
    spread = (flat * np.sqrt(weights))[2:-2, 2:-2]
    levels = [spread[p::2, q::2].std() for p in (0, 1) for q in (0, 1)]
    assert max(levels) / min(levels) < 1.1


def test_noise_level_of_normal_noise():
    noise = np.random.default_rng(3).normal(0, 2.5, (200, 200))
    assert noise_level(noise) == pytest.approx(2.5, rel=0.03)
    assert noise_level(np.ones((4, 4))) == 0
