"""Structured illumination: optics, patterns, rendering and the classical reconstruction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.fft as fft
from conftest import DATA, needs_shared
from scipy.signal import resample
from tifffile import imread

from napari_sofinet.base.errors import InputError
from napari_sofinet.simulation.sim_rendering import render_confocal, render_exposures
from napari_sofinet.structured_illumination.bands import separate
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.noise import noise_variance
from napari_sofinet.structured_illumination.optics import Optics, defocused_psf
from napari_sofinet.structured_illumination.pattern import Pattern, hexagonal, stripes
from napari_sofinet.structured_illumination.pattern_fit import fit_pattern
from napari_sofinet.structured_illumination.reconstruction import reconstruct_stack

OPTICS = Optics()
PIXEL_UM, PLANE_UM = 6.5 / 60, 0.35
CONTINUOUS = StackGeometry(PIXEL_UM, PLANE_UM, continuous=True)


def depths(geometry: StackGeometry, exposures: int, planes: int) -> np.ndarray:
    at = np.arange(planes) * geometry.plane_um
    return geometry.exposure_depths_um(exposures)[:, None] + at


def stack_of(
    points: np.ndarray, pattern: Pattern, planes: int, side: int, geometry: StackGeometry
) -> np.ndarray:
    at = depths(geometry, pattern.exposures, planes)
    light = np.ones(len(points))
    return render_exposures(
        points, light, pattern, OPTICS, PIXEL_UM, at, (side, side), pixel_area=False
    )


def test_images_are_the_sums_of_plane_waves() -> None:
    """Boland et al.: each point adds its phase factor times the transfer function."""
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 1, 5), *rng.uniform(1.2, 2.2, (2, 5))])
    pattern = hexagonal(OPTICS.cutoff_per_um, angle_deg=10, offset_um=(0.03, 0.05))
    images = stack_of(points, pattern, 3, 32, CONTINUOUS)
    ky = fft.fftfreq(96, PIXEL_UM)
    for j, m in ((0, 0), (4, 2)):
        exact = np.zeros((96, 96), complex)
        bright = pattern.brightness(points[:, 1:])[j]
        for (z, y, x), light in zip(points, bright, strict=True):
            away = np.array([depths(CONTINUOUS, 7, 3)[j, m] - z])
            psf = defocused_psf(OPTICS, (96, 96), PIXEL_UM, away)[0]
            there = np.exp(-2j * np.pi * np.add.outer(ky * (y + 3.2), ky * (x + 3.2)))
            shift = np.exp(-2j * np.pi * (32 * PIXEL_UM - 3.2) * np.add.outer(ky, ky))
            exact += light * OPTICS.light_sheet(away)[0] * fft.fft2(psf) * there * shift
        expected = fft.ifft2(exact).real[32:64, 32:64]
        assert np.abs(images[j, m] - expected).max() < 0.02 * expected.max()


def test_the_hexagonal_pattern_is_that_of_the_paper() -> None:
    """Boland et al.: (2/9) [3 - cos(q y + p1 - p2) - ...], with phases by sevenths."""
    rng = np.random.default_rng(1)
    y, x = rng.uniform(0, 3, (2, 20))
    q = 2 * np.pi * OPTICS.cutoff_per_um
    ours = hexagonal(OPTICS.cutoff_per_um).brightness(np.column_stack([y, x]))
    for j in range(7):
        p1, p2 = -2 * np.pi * (j + 1) / 7, 4 * np.pi * (j + 1) / 7
        waves = np.cos(q * y + p1 - p2) + np.cos(q * (y - np.sqrt(3) * x) / 2 + p1)
        waves += np.cos(q * (-y - np.sqrt(3) * x) / 2 + p2)
        assert ours[j] == pytest.approx((3 - waves) / 3, abs=1e-9)


@pytest.mark.parametrize(
    "pattern",
    [
        hexagonal(4.0),
        hexagonal(4.0, axial_polarisation=True),
        stripes(4.0, phases=3),
        stripes(4.0, phases=5),
    ],
    ids=lambda p: p.name,
)
def test_bands_are_separated_exactly(pattern: Pattern) -> None:
    rng = np.random.default_rng(2)
    at = rng.uniform(0, 5, (30, 2))
    bands = separate(pattern.brightness(at), pattern)
    assert bands[0] == pytest.approx(np.ones(30), abs=1e-5)
    for h, f in enumerate(pattern.frequencies_per_um):
        assert bands[1 + h] == pytest.approx(np.exp(2j * np.pi * at @ f), abs=1e-5)


def test_exposures_in_another_number_are_refused() -> None:
    with pytest.raises(InputError, match="7 exposures per plane, not 9"):
        separate(np.ones((9, 4)), hexagonal(4.0))


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, Pattern]:
    """Points scattered in a stack, and the exposures under a pattern nobody was told of."""
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(0, 2.4, 60), *rng.uniform(0.4, 6.4, (2, 60))])
    points = np.vstack([points, [1.2, 3.3, 3.3]])
    actual = hexagonal(0.97 * OPTICS.cutoff_per_um, angle_deg=2, offset_um=(0.04, 0.07))
    return points, stack_of(points, actual, 8, 64, CONTINUOUS), actual


def test_the_pattern_is_found_in_the_exposures(
    pair: tuple[np.ndarray, np.ndarray, Pattern],
) -> None:
    _, exposures, actual = pair
    found = fit_pattern(exposures, hexagonal(OPTICS.cutoff_per_um), OPTICS, CONTINUOUS)
    field_um = 64 * PIXEL_UM
    off = np.linalg.norm(found.pattern.frequencies_per_um - actual.frequencies_per_um, axis=1)
    assert found.found
    assert off.max() < 0.25 / field_um
    # Phases in the middle of the field, where an error of the frequency does not count.
    middle = np.full(2, field_um / 2)
    phase = [
        p.weights[0] * np.exp(2j * np.pi * p.frequencies_per_um @ middle)
        for p in (found.pattern, actual)
    ]
    assert np.abs(np.angle(phase[0] / phase[1])).max() < 0.35
    assert np.abs(found.pattern.weights) == pytest.approx(1 / 3, abs=0.12)


def test_the_pattern_is_found_in_a_sample_that_is_a_lattice() -> None:
    rng = np.random.default_rng(1)
    at = np.arange(0.8, 6.2, 1.2)
    places = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    places = places + rng.uniform(-0.1, 0.1, places.shape)
    points = np.column_stack([np.full(len(places), 0.5), places])
    actual = hexagonal(0.97 * OPTICS.cutoff_per_um, angle_deg=31)
    exposures = stack_of(points, actual, 4, 64, CONTINUOUS)
    seen = rng.poisson(np.maximum(exposures, 0) / exposures.max() * 1000)
    found = fit_pattern(seen, hexagonal(OPTICS.cutoff_per_um), OPTICS, CONTINUOUS)
    assert found.found
    apart = found.pattern.frequencies_per_um[:, None] - actual.frequencies_per_um
    assert np.linalg.norm(apart, axis=2).min(axis=1).max() < 0.03


def test_another_pattern_is_not_taken_for_the_hexagonal_one() -> None:
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(0, 1, 80), *rng.uniform(0.4, 6.4, (2, 80))])
    three = stripes(3.8, 3, 3, angle_deg=20)
    nominal = hexagonal(OPTICS.cutoff_per_um)
    for weights in (three.weights[:7], 0 * three.weights[:7]):  # seven of nine, or no pattern
        exposures = stack_of(points, replace(three, weights=weights), 4, 64, CONTINUOUS)
        seen = rng.poisson(exposures / exposures.max() * 1000 + 2)
        assert not fit_pattern(seen, nominal, OPTICS, CONTINUOUS).found


@needs_shared
def test_a_real_stack_shows_what_its_authors_reconstructed() -> None:
    """Three beams, 3 x 5 exposures, microtubules; nothing but NA and colour is told."""
    raw = imread(DATA / "sim3beam_microtubule_HE_15x256x256.tif").astype(np.float32)
    spectrum = fft.fftshift(fft.fft2(raw - np.percentile(raw, 0.5)), axes=(1, 2))
    camera = fft.ifft2(fft.ifftshift(spectrum[:, 64:192, 64:192], axes=(1, 2))).real / 4
    optics = Optics(1.3, 1.515, 0.61, sheet_fwhm_um=1000)
    flat = StackGeometry(0.06, 0.3, continuous=False)
    nominal = stripes(4.1, directions=3, phases=5)
    found = fit_pattern(camera[:, None], nominal, optics, flat)
    sizes = np.linalg.norm(found.pattern.frequencies_per_um, axis=1)
    assert sizes[1::2] == pytest.approx(2 * sizes[::2], rel=0.01)
    angles = np.degrees(np.arctan2(*found.pattern.frequencies_per_um[1::2].T)) % 180
    assert np.diff(np.sort(angles)) == pytest.approx([60, 60], abs=2)
    picture = reconstruct_stack(camera[:, None], found.pattern, optics, flat)[0]
    authors = imread(DATA / "sim3beam_microtubule_HE_reconstruction.tif").astype(float)
    alike = np.corrcoef(np.maximum(picture, 0).ravel(), authors.ravel())[0, 1]
    wide = np.kron(camera.mean(0), np.ones((2, 2)))
    assert alike > 0.88 > 0.1 + np.corrcoef(wide.ravel(), authors.ravel())[0, 1]


def test_points_stay_in_place_and_become_half_as_wide() -> None:
    geometry = CONTINUOUS
    at_um = 1.2, 24.3 * PIXEL_UM, 23.8 * PIXEL_UM
    pattern = hexagonal(OPTICS.cutoff_per_um, offset_um=(0.04, 0.07))
    exposures = stack_of(np.array([at_um]), pattern, 8, 48, geometry)
    picture = reconstruct_stack(exposures, pattern, OPTICS, geometry, noise=1e-6)
    assert picture.shape == (8, 96, 96)
    spot = np.maximum(picture - 0.3 * picture.max(), 0)
    z, y, x = (float((n * spot).sum() / spot.sum()) for n in np.indices(spot.shape))
    assert z * PLANE_UM == pytest.approx(at_um[0], abs=0.03)
    assert y * PIXEL_UM / 2 == pytest.approx(at_um[1], abs=0.004)
    assert x * PIXEL_UM / 2 == pytest.approx(at_um[2], abs=0.004)
    wide = exposures.mean(0)[3]
    fine = picture[3]
    ratio = _area(fine) * 0.25 / _area(wide)
    assert ratio < 0.35  # a quarter at best, as both widths are halved


def _area(image: np.ndarray) -> float:
    """Number of samples above half of the maximum, in parts of samples."""
    zoomed = resample(resample(image, 8 * len(image), axis=0), 8 * image.shape[1], axis=1)
    return float((zoomed > zoomed.max() / 2).mean() * image.size)


def test_tiles_show_no_seams(
    pair: tuple[np.ndarray, np.ndarray, Pattern], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, exposures, pattern = pair
    whole = reconstruct_stack(exposures, pattern, OPTICS, CONTINUOUS, noise=0.01)
    monkeypatch.setattr("napari_sofinet.structured_illumination.reconstruction.TILE_PX", 32)
    tiled = reconstruct_stack(exposures, pattern, OPTICS, CONTINUOUS, noise=0.01)
    assert np.abs(tiled - whole).max() < 0.01 * whole.max()


def test_the_noise_is_that_of_the_photons() -> None:
    rng = np.random.default_rng(4)
    exposures = rng.poisson(40, (7, 4, 48, 48)).astype(np.float32)
    assert noise_variance(exposures, OPTICS, CONTINUOUS) == pytest.approx(40, rel=0.1)


def test_confocal_planes_are_registered_to_the_exposures() -> None:
    at_um = 1.2, 2.0, 2.4
    z = np.arange(20) * 0.12
    picture = render_confocal(np.array([at_um]), np.ones(1), OPTICS, PIXEL_UM / 2, z, (64, 64))
    spot = np.maximum(picture - 0.3 * picture.max(), 0)
    found = [float((n * spot).sum() / spot.sum()) for n in np.indices(spot.shape)]
    assert found[0] * 0.12 == pytest.approx(at_um[0], abs=0.01)
    assert np.array(found[1:]) * PIXEL_UM / 2 == pytest.approx(at_um[1:], abs=0.003)


@pytest.mark.parametrize("values", [{"numerical_aperture": 1.4}, {"wavelength_um": 0.0}])
def test_impossible_microscopes_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Optics(**values)


def test_pixels_that_lose_detail_are_refused() -> None:
    with pytest.raises(InputError, match="too large for this microscope"):
        defocused_psf(OPTICS, (8, 8), 0.2, np.zeros(1))


@pytest.mark.parametrize("beyond_um", [-2.0, 2.0])
def test_points_beyond_a_stack_are_dim_and_brightest_at_their_end(beyond_um):
    planes, step = 12, 0.35
    z = -2.0 if beyond_um < 0 else (planes - 1) * step + 2.0
    points = np.column_stack([np.full(50, z), np.linspace(1, 2.5, 50), np.linspace(1, 2.5, 50)])
    pattern = hexagonal(OPTICS.cutoff_per_um, 0.95)
    depths = np.tile(np.arange(planes) * step, (7, 1))
    args = (np.ones(50), pattern, OPTICS, 6.5 / 60, depths, (32, 32))
    far = render_exposures(points, *args).max((0, 2, 3))
    points[:, 0] = step * 6
    assert far.max() < 0.05 * render_exposures(points, *args).max()
    assert far.argmax() == (0 if beyond_um < 0 else planes - 1)
