"""Blinking, optics, camera, background and motion against analytic values."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy.special import j0, j1
from simulated import (
    SMALL,
    centroid,
    gaussian_pixels,
    is_one_sentence,
    mean_is,
    placed,
    rng,
    two_state,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import build
from napari_sofinet.simulation import (
    SimulationSettings,
    simulate,
)
from napari_sofinet.simulation.background import background_image, fading
from napari_sofinet.simulation.blinking import blink, log_normal, telegraph
from napari_sofinet.simulation.camera import Camera, make_camera
from napari_sofinet.simulation.camera_models import MODELS
from napari_sofinet.simulation.motion import moved
from napari_sofinet.simulation.psf import AIRY_HALF, FWHM_PER_SIGMA, Psf, airy_table, make_psf
from napari_sofinet.simulation.rendering import render, render_gaussian
from napari_sofinet.simulation.sample_settings import BlinkingSettings
from napari_sofinet.simulation.settings import CameraSettings, MotionSettings, OpticsSettings

# Blinking


def test_dwell_times_are_exponential():
    who, start, stop = telegraph(3000, 20.0, 0.03, 0.07, rng())
    lit = np.sum(stop - start)
    assert lit / (3000 * 20) == pytest.approx(0.3, abs=0.002)
    # Switches over the time spent in a state: the rates, also with a start and an end.
    assert lit / np.sum(stop < 20) == pytest.approx(0.03, rel=0.01)
    assert (3000 * 20 - lit) / np.sum(start > 0) == pytest.approx(0.07, rel=0.01)
    whole = (stop - start)[(start > 0) & (start < 19)]
    for t in (0.01, 0.03, 0.1):
        assert np.mean(whole > t) == pytest.approx(np.exp(-t / 0.03), abs=0.003)
    assert np.bincount(who, minlength=3000).min() > 0


def test_blinking_is_exact_inside_frames():
    on_time, off_time, dt, frames, emitters = 0.03, 0.07, 0.01, 400, 3000
    events = two_state(emitters, frames, dt, on_time, off_time, rng())
    assert (np.diff(events.frame) >= 0).all()
    assert len(np.unique(events.frame * emitters + events.emitter)) == len(events.frame)
    trace = np.zeros((emitters, frames))
    trace[events.emitter, events.frame] = events.fraction
    assert trace.min() >= 0
    assert trace.max() <= 1 + 1e-9
    mean_is(trace.mean(axis=1), 0.3)
    mean_is(trace[:, 0], 0.3)  # stationary from the first frame
    mean_is(trace[:, -1], 0.3)
    # Frame averages of a telegraph with 1/tau = 1/on + 1/off and a = dt/tau have a variance of
    # p (1-p) 2/a² (a - 1 + e^-a) and at lag m a covariance of p (1-p) (1-e^-a)²/a² e^-(m-1)a.
    a = dt * (1 / on_time + 1 / off_time)
    d = trace - 0.3
    mean_is((d**2).mean(axis=1), 0.21 * 2 / a**2 * (a - 1 + np.exp(-a)))
    for lag in (1, 3):
        expected = 0.21 * (1 - np.exp(-a)) ** 2 / a**2 * np.exp(-(lag - 1) * a)
        mean_is((d[:, lag:] * d[:, :-lag]).mean(axis=1), expected)


def test_events_hold_all_the_light_of_their_intervals():
    _, start, stop = telegraph(200, 1.0, 0.003, 0.02, rng(5))
    events = two_state(200, 100, 0.01, 0.003, 0.02, rng(5))
    assert 0.01 * events.fraction.sum() == pytest.approx(np.sum(stop - start), rel=1e-9)
    part = events.between(10, 30)
    chosen = (events.frame >= 10) & (events.frame < 30)
    np.testing.assert_array_equal(part.emitter, events.emitter[chosen])


def test_a_third_state_is_stationary_and_prolongs_the_dark():
    emitters, duration, on, off, long, share = 4000, 40.0, 0.1, 0.3, 3.0, 0.2
    who, start, stop = telegraph(
        emitters, duration, on, off, rng(1), long_off_time_s=long, long_share=share
    )
    dark = (1 - share) * off + share * long
    lit = [np.bincount(who[(start <= t) & (stop > t)], minlength=emitters) for t in (0, 20, 39.9)]
    for at_once in lit:
        mean_is(at_once, on / (on + dark))
    total = np.sum(stop - start)
    assert (emitters * duration - total) / np.sum(start > 0) == pytest.approx(dark, rel=0.02)
    # Dark times follow both exponentials.
    order = np.lexsort((start, who))
    who, start, stop = who[order], start[order], stop[order]
    ends = stop < duration - 10
    following = np.append(np.where(np.diff(who) == 0, start[1:], np.inf), np.inf)
    for t in (0.3, 3.0):
        expected = (1 - share) * np.exp(-t / off) + share * np.exp(-t / long)
        mean_is((following - stop)[ends] > t, expected)
    s = BlinkingSettings(
        model="three-state", on_time_s=on, off_time_s=off, long_off_time_s=long, long_share=share
    )
    events = blink(s, emitters, 100, 0.05, rng(2))
    each = np.bincount(events.emitter, events.fraction, emitters) / 100
    mean_is(each, on / (on + dark))


@pytest.mark.parametrize("model", ["two-state", "three-state", "steady"])
def test_bleaching_comes_after_an_exponential_time_on(model):
    s = BlinkingSettings(
        model=model, on_time_s=0.02, off_time_s=0.03, bleach_time_s=0.2, long_off_time_s=0.1
    )
    events = blink(s, 3000, 400, 0.02, rng(3))
    lit = np.bincount(events.emitter, events.fraction, 3000) * 0.02
    mean_is(lit, 0.2)
    mean_is(lit > 0.2 * np.log(2), 0.5)
    if model == "steady":
        shining = np.bincount(events.frame, events.fraction, 400)[:10] / 3000
        edges = np.exp(-np.arange(11) * 0.02 / 0.2)
        np.testing.assert_allclose(shining, -np.diff(edges) * 10, atol=0.035)


def test_dna_paint_binds_fresh_dyes_that_never_bleach():
    s = BlinkingSettings(
        model="dna-paint", on_time_s=0.5, off_time_s=1.0, spread=0.5, bleach_time_s=0.001
    )
    events = blink(s, 1000, 1000, 0.01, rng(4))
    each = np.bincount(events.emitter, events.fraction, 1000) / 1000
    mean_is(each, 1 / 3)
    # A binding fills many frames with the same light.
    pairs = np.stack([events.emitter, events.fraction.round(9)], axis=1)
    values, times = np.unique(pairs, axis=0, return_counts=True)
    bright = values[times > 2, 1]
    assert len(bright) > 5000
    mean_is(bright, 1)
    assert bright.std() == pytest.approx(0.5, rel=0.06)
    assert len(np.unique(bright)) > 0.99 * len(bright)


def test_steady_emitters_are_always_on_and_differ_in_brightness(tmp_path):
    events = blink(BlinkingSettings(model="steady"), 30, 20, 0.01, rng())
    assert len(events.frame) == 600
    assert (events.fraction == 1).all()
    made = simulate(
        placed(tmp_path, np.ones((20_000, 2)), blinking__spread=0.4, blinking__photons=250)
    )
    mean_is(made.truth.photons, 250)
    assert made.truth.photons.std() == pytest.approx(100, rel=0.04)
    assert made.truth.photons.min() > 0
    assert log_normal(40_000, 1.0, rng()).mean() == pytest.approx(1, abs=0.025)
    # For DNA-PAINT the spread is from binding to binding.
    paint = placed(tmp_path, np.ones((9, 2)), blinking__spread=0.4, blinking__model="dna-paint")
    np.testing.assert_array_equal(simulate(paint).truth.photons, 1000)


# Optics


def over_pixels(density, at, shape, fine=15):
    """A density (per px²) about a place, integrated over pixels by many samples."""
    y = (np.arange(shape[0] * fine) + 0.5) / fine - 0.5 - at[0]
    x = (np.arange(shape[1] * fine) + 0.5) / fine - 0.5 - at[1]
    samples = density(np.hypot(y[:, None], x)) / fine**2
    return samples.reshape(shape[0], fine, shape[1], fine).sum(axis=(1, 3))


def airy_density(fwhm_px):
    a = 2 * AIRY_HALF / fwhm_px

    def density(r):
        v = np.maximum(a * r, 1e-9)
        return a**2 / (4 * np.pi) * (2 * j1(v) / v) ** 2

    return density


def is_at(image, expected, px=0.01):
    """A spot agrees with one drawn by expected(dy, dx), and lies there to 0.01 px."""
    exact = expected(0, 0)
    assert np.abs(image - exact).max() < 0.01 * exact.max()
    for dy, dx in ((1, 0), (0, 1)):
        slope = (expected(0.05 * dy, 0.05 * dx) - expected(-0.05 * dy, -0.05 * dx)) / 0.1
        assert abs(np.sum((image - exact) * slope) / np.sum(slope**2)) < px


PLACES = [(20.0, 17.0), (20.31, 17.77), (19.5, 18.49), (20.08, 17.51)]


@pytest.mark.parametrize("fwhm_px", [0.9, 2.2, 5.0])
def test_gaussian_spots_have_the_energy_width_and_place_they_should(fwhm_px):
    sigma = fwhm_px / FWHM_PER_SIGMA
    for at in PLACES:
        image = render_gaussian(np.array([at]), np.array([500.0]), (41, 37), fwhm_px)
        assert image.sum() == pytest.approx(500, rel=1e-5)
        # Pixels far larger than the spot give a biased centroid.
        np.testing.assert_allclose(centroid(image), at, atol=1e-3 if fwhm_px > 1 else 0.03)
        y, x = np.indices(image.shape)
        for away in (y - at[0], x - at[1]):
            # A pixel's own width adds 1/12, by Sheppard's rule for all but the narrowest.
            variance = np.sum(away**2 * image) / 500
            assert variance == pytest.approx(sigma**2 + 1 / 12, rel=1e-3 if fwhm_px > 1 else 0.4)

        def expected(dy, dx, at=at):
            return gaussian_pixels((at[0] + dy, at[1] + dx), (41, 37), sigma)

        is_at(image / 500, expected, 1e-4)


def test_airy_spots_have_the_energy_width_and_place_they_should():
    for fwhm_px in (1.6, 3.0):
        psf, density = Psf(fwhm_px, airy_table(fwhm_px)), airy_density(fwhm_px)
        for at in PLACES:
            image = render(np.array([at]), np.array([1.0]), (41, 37), psf)[0]
            # Compared where the pattern is cut off nowhere.
            y, x = np.indices(image.shape)
            near = np.hypot(y - 20, x - 17.5) < 2.5 * fwhm_px

            def expected(dy, dx, at=at, density=density, near=near):
                return near * over_pixels(density, (at[0] + dy, at[1] + dx), (41, 37))

            is_at(near * image, expected)


def test_the_airy_pattern_is_that_of_born_and_wolf():
    fwhm_px, middle = 20.0, 110
    a = 2 * AIRY_HALF / fwhm_px
    psf = Psf(fwhm_px, airy_table(fwhm_px))
    image = render(np.array([[110.0, 110.0]]), np.ones(1), (221, 221), psf)[0]
    y, x = np.indices(image.shape) - middle
    for radius in (10, 24, 40, 60, 90):
        # The share of a pixel inside the circle, to a first approximation.
        inside = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
        v = a * radius
        assert np.sum(inside * image) == pytest.approx(1 - j0(v) ** 2 - j1(v) ** 2, abs=2e-3)
    line = image[middle, middle:]
    half = np.interp(-line[0] / 2, -line[:25], np.arange(25))
    assert 2 * half == pytest.approx(fwhm_px, rel=5e-3)
    first_zero = 10 + np.argmin(line[10:35])
    assert first_zero == pytest.approx(3.8317 / a, abs=0.6)
    assert line[first_zero] < 1e-3 * line[0]


@pytest.mark.parametrize("sigmas_um", [(0.0934, 0.0934), (0.08, 0.13)])
def test_a_picture_of_a_gaussian_is_a_gaussian(tmp_path, sigmas_um):
    y, x = 0.02 * np.mgrid[-30:31, -42:43]
    picture = 77 * np.exp(-((y / sigmas_um[0]) ** 2) / 2 - (x / sigmas_um[1]) ** 2 / 2)
    tifffile.imwrite(tmp_path / "psf.tif", picture.astype(np.float32))
    optics = OpticsSettings(psf="image", psf_file=str(tmp_path / "psf.tif"))
    psf = make_psf(optics, 0.1)
    geometric = FWHM_PER_SIGMA * np.sqrt(10 * sigmas_um[0] * 10 * sigmas_um[1])
    assert psf.fwhm_px == pytest.approx(geometric, rel=0.01)
    sigma = 10 * np.array(sigmas_um)
    for at in PLACES:
        image = render(np.array([at]), np.ones(1), (41, 37), psf)[0]
        assert image.sum() == pytest.approx(1, rel=2e-3)
        np.testing.assert_allclose(centroid(image), at, atol=0.01)

        def expected(dy, dx, at=at):
            return gaussian_pixels((at[0] + dy, at[1] + dx), (41, 37), sigma)

        is_at(image, expected)


def test_pictures_that_are_no_psf_are_refused(tmp_path):
    path = tmp_path / "psf.tif"
    optics = OpticsSettings(psf="image", psf_file=str(path))
    dark = np.zeros((5, 5), np.float32)
    beside = np.zeros((901, 901), np.float32)
    beside[3, 4] = 1
    tiny = {"psf_file_pixel_um": 1e-4}
    for picture, changes in (
        (np.ones((4, 5)), {}),
        (np.ones((3, 3, 5)), {}),
        (-np.ones((5, 5)), {}),
        (np.full((5, 5), np.nan), {}),
        (dark, {}),
        (beside, tiny),
        (np.ones((901, 901)), {"psf_file_pixel_um": 1.0}),  # would take gigabytes
    ):
        tifffile.imwrite(path, picture.astype(np.float32), photometric="minisblack")
        with pytest.raises(InputError) as refused:
            make_psf(optics.model_copy(update=changes), 0.1)
        is_one_sentence(str(refused.value))
    path.write_text("no TIFF")
    for there in (path, tmp_path / "none.tif", ""):
        with pytest.raises(InputError):
            make_psf(optics.model_copy(update={"psf_file": str(there)}), 0.1)


def test_na_wavelength_and_magnification_give_the_scale(tmp_path):
    s = placed(
        tmp_path,
        [[1.23, 1.31]],
        optics__psf_fwhm_um=None,
        optics__na=1.2,
        optics__wavelength_um=0.7,
        optics__magnification=100,
        camera__pixel_um=11,
    )
    assert s.pixel_size_um == pytest.approx(0.11)
    assert s.optics.fwhm_um == pytest.approx(0.51 * 0.7 / 1.2)
    assert s.field_um == pytest.approx((24 * 0.11, 28 * 0.11))
    image = simulate(s).light(0, 1)[0]
    np.testing.assert_allclose(centroid(image), (1.23 / 0.11, 1.31 / 0.11), atol=1e-3)
    y, _ = np.indices(image.shape)
    variance = np.sum((y - 1.23 / 0.11) ** 2 * image) / image.sum() - 1 / 12
    width = 0.11 * np.sqrt(variance) * FWHM_PER_SIGMA
    assert width == pytest.approx(0.51 * 0.7 / 1.2, rel=1e-3)


@pytest.mark.parametrize("kind", ["gaussian", "airy"])
def test_light_outside_the_image_is_lost_and_frames_are_kept_apart(kind):
    psf = Psf(2.0, airy_table(2.0) if kind == "airy" else None)
    at = np.array([[-50.0, 3.0], [4.0, 5.0], [1e30, 0], [-0.5, 5.0]])
    which = np.array([0, 2, 2, 3])
    out = render(at, np.array([7.0, 9.0, 1.0, 4.0]), (12, 12), psf, frame=which, frames=4)
    assert out[:2].sum() == 0
    assert out[2].sum() == pytest.approx(9, rel=1e-3 if kind == "gaussian" else 0.2)
    if kind == "gaussian":
        assert out[3].sum() == pytest.approx(2, rel=1e-5)  # the edge cuts it in two


def test_threads_change_nothing(monkeypatch):
    at, frame = rng().uniform(0, 20, (9000, 2)), np.sort(rng().integers(0, 7, 9000))
    many = render(at, np.ones(9000), (20, 20), Psf(2.0), frame=frame, frames=7)
    monkeypatch.setattr("napari_sofinet.simulation.rendering.thread_count", lambda: 1)
    one = render(at, np.ones(9000), (20, 20), Psf(2.0), frame=frame, frames=7)
    np.testing.assert_array_equal(many, one)
    monkeypatch.setattr("napari_sofinet.simulation.rendering.thread_count", lambda: 8)
    np.testing.assert_array_equal(
        many, render(at, np.ones(9000), (20, 20), Psf(2.0), frame=frame, frames=7)
    )


# Camera


@pytest.mark.parametrize("efficiency", [1.0, 0.7])
def test_photon_transfer_recovers_gain_and_read_noise(efficiency):
    shape = (64, 64)
    camera = Camera(
        np.full(shape, 100.0), np.full(shape, 9.0), np.full(shape, 2.0), efficiency, 1.0, 16
    )
    light = np.array([0.0, 30.0, 100.0, 300.0])
    stacks = [camera.expose(np.full((100, *shape), p), rng(1)).astype(float) for p in light]
    means = np.array([s.mean() for s in stacks]) - 100
    variances = np.array([s.var(axis=0, ddof=1).mean() for s in stacks])
    np.testing.assert_allclose(means[1:], 2 * efficiency * light[1:], rtol=2e-3)
    gain = np.polyfit(means, variances, 1)[0]
    assert gain == pytest.approx(2.0, rel=0.01)  # counts per electron, whatever the efficiency
    read = np.sqrt(variances[0] - 1 / 12)  # rounding adds 1/12
    assert read / gain == pytest.approx(1.5, rel=0.01)


def test_electron_multiplication_doubles_the_variance():
    settings = CameraSettings(model="ixon-897")
    camera = make_camera(settings, (64, 64), rng())
    light = 200.0
    frames = camera.expose(np.full((100, 64, 64), light), rng(2)).astype(float)
    electrons = 0.92 * light
    assert frames.mean() - 200 == pytest.approx(18 * electrons, rel=2e-3)
    read = 89 / 300 * 18  # the register multiplies before the read-out
    expected = 2 * 18**2 * electrons + read**2 + 1 / 12
    assert frames.var(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.01)
    dark = camera.expose(np.zeros((100, 64, 64)), rng(3)).astype(float)
    assert dark.std() == pytest.approx(read, rel=0.01)
    half = make_camera(settings.model_copy(update={"em_gain": 150.0}), (4, 4), rng())
    np.testing.assert_allclose(half.gain, 9.0)
    np.testing.assert_allclose(np.sqrt(half.variance), 89 / 150 * 9)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_camera_saturates_at_its_bits(bits):
    camera = make_camera(CameraSettings(bits=bits), (20, 20), rng())
    frame = camera.expose(np.full((20, 20), 1e7), rng())
    assert frame.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert (frame == 2**bits - 1).all()
    assert camera.expose(np.zeros((20, 20)), rng()).max() < 2**bits - 1
    low = Camera(np.zeros((20, 20)), np.full((20, 20), 400.0), np.ones((20, 20)), bits=bits)
    assert low.expose(np.zeros((20, 20)), rng()).min() == 0  # and never below


@pytest.mark.parametrize("name", MODELS)
def test_camera_models_have_the_figures_of_their_data_sheets(name):
    model = MODELS[name]
    camera = make_camera(CameraSettings(model=name), (200, 200), rng(2))
    read = model.read_noise_e * model.gain / model.em_gain
    assert camera.quantum_efficiency == model.quantum_efficiency
    assert camera.gain.mean() == pytest.approx(model.gain, rel=1e-3)
    assert camera.gain.std() / model.gain == pytest.approx(model.pixel_spread, rel=0.03)
    assert camera.offset.mean() == pytest.approx(model.offset, abs=0.1 * model.gain)
    assert np.median(camera.variance) == pytest.approx(read**2, rel=0.02)
    assert (camera.bits, camera.em_gain) == (model.bits, model.em_gain)
    if model.pixel_spread:
        pattern = camera.offset / model.gain
        assert pattern.std() == pytest.approx(np.hypot(0.3, 0.7), rel=0.05)
        assert pattern.mean(axis=1).std() == pytest.approx(0.3, rel=0.25)  # rows
        assert np.log(camera.variance).std() == pytest.approx(0.5, rel=0.03)
    given = CameraSettings(model=name, offset=7, gain=3.0, read_noise_e=0, pixel_spread=0)
    plain = make_camera(given, (3, 3), rng())
    assert np.unique(plain.offset).tolist() == [7]
    assert np.unique(plain.gain).tolist() == [3]
    assert np.unique(plain.variance).tolist() == [0]


def test_maps_are_measured_on_dark_frames(tmp_path):
    shape = (30, 34)
    offset, read = rng(1).uniform(90, 120, shape), rng(2).uniform(1, 4, shape)
    true = Camera(offset, read**2, np.ones(shape))
    dark = true.expose(np.zeros((1000, *shape)), rng(3))
    path = tmp_path / "dark.tif"
    tifffile.imwrite(path, dark)
    found = make_camera(CameraSettings(dark_frames=str(path), pixel_spread=0), shape, rng())
    error = (found.offset - offset) / (read / np.sqrt(1000))
    assert error.std() == pytest.approx(1, abs=0.12)
    assert abs(error.mean()) < 4.5 / np.sqrt(error.size)
    error = (found.variance - read**2) / (read**2 * np.sqrt(2 / 1000))
    assert error.std() == pytest.approx(1, abs=0.15)
    assert abs(error.mean()) < 0.2
    # A smaller field is read out in the middle of the sensor.
    middle = make_camera(CameraSettings(dark_frames=str(path)), (10, 12), rng())
    np.testing.assert_array_equal(middle.offset, found.offset[10:20, 11:23])
    for frames, match in ((dark[:5], "at least 10"), (dark[:20, :8, :8], "at least 10")):
        tifffile.imwrite(path, frames)
        with pytest.raises(InputError, match=match):
            make_camera(CameraSettings(dark_frames=str(path)), (10, 12), rng())


# Background


def test_the_background_has_its_mean_and_share_of_patches():
    values = {"background.photons": 7.0, "background.scale_um": 0.6, "rows": 200, "columns": 160}
    plain = build(SimulationSettings, values)
    assert (background_image(plain, np.empty((0, 2)), rng()) == 7).all()
    s = build(SimulationSettings, values | {"background.structured": 0.3})
    image = background_image(s, np.empty((0, 2)), rng(1))
    assert image.mean() == pytest.approx(7, rel=1e-9)
    assert image.min() > 0.7 * 7
    # Patches are log-normal: exp of 0.8 times a Gaussian field of correlation exp(-(r/scale)²).
    assert image.std() == pytest.approx(0.3 * 7 * np.sqrt(np.exp(0.64) - 1), rel=0.15)
    field = np.log((image - 0.7 * 7) / (0.3 * 7))
    assert field.std() == pytest.approx(0.8, rel=1e-6)
    field -= field.mean()
    for px in (3, 6, 9):
        found = np.mean(field * np.roll(field, px, axis=1)) / field.var()
        assert found == pytest.approx(np.exp(-((px / 6) ** 2)), abs=0.08)


def test_patches_larger_than_the_field_are_a_slope():
    s = build(
        SimulationSettings,
        {"rows": 24, "columns": 32, "background.structured": 1.0, "background.scale_um": 100},
    )
    image = background_image(s, np.empty((0, 2)), rng())
    assert image.mean() == pytest.approx(1.2)
    rough = np.std(np.diff(image, axis=0)) / np.std(image)
    assert rough < 2 * np.pi / 24  # no more than a wave of the field's length


def test_light_out_of_focus_is_the_structure_blurred():
    s = build(
        SimulationSettings,
        {"background.photons": 3, "background.out_of_focus": 1.0, "background.scale_um": 2.0},
    )
    image = background_image(s, np.array([[60.2, 70.7]]), rng())
    assert image.mean() == pytest.approx(3)
    np.testing.assert_allclose(centroid(image), (60.2, 70.7), atol=0.01)
    y, _ = np.indices(image.shape)
    variance = np.sum((y - 60.2) ** 2 * image) / image.sum()
    assert np.sqrt(variance) == pytest.approx(10, rel=0.01)  # half of 2 um, in px of 0.1 um
    half = s.background.model_copy(update={"out_of_focus": 0.25})
    mixed = background_image(
        s.model_copy(update={"background": half}), np.array([[60.2, 70.7]]), rng()
    )
    np.testing.assert_allclose(mixed, 0.25 * image + 0.75 * 3)
    assert (background_image(s, np.empty((0, 2)), rng()) == 3).all()


def test_the_background_bleaches_with_its_half_life(tmp_path):
    s = placed(
        tmp_path, [[-50, -50]], background__photons=8, background__half_life_s=0.05, frames=20
    )
    light = simulate(s).light(0, 20).mean(axis=(1, 2))
    np.testing.assert_allclose(light, 8 * 0.5 ** ((np.arange(20) + 0.5) / 5))
    assert light[12] / light[7] == pytest.approx(0.5)
    np.testing.assert_array_equal(fading(s, 7, 9), fading(s, 0, 20)[7:9])


def test_labels_shine_a_bit_while_they_are_dark(tmp_path):
    dark = {
        "blinking__model": "two-state",
        "blinking__off_time_s": 1e5,
        "blinking__steady_share": 0.02,
    }
    s = placed(tmp_path, [[1.0, 1.2]], **dark)
    light = simulate(s).light(0, 4)
    np.testing.assert_allclose(light.sum(axis=(1, 2)), 0.02 * 1000, rtol=1e-3)
    np.testing.assert_allclose(centroid(light[3]), (10, 12), atol=1e-3)
    # On top of what it gives while it is on, also where brightness varies from label to label.
    on = placed(tmp_path, [[1.0, 1.2]], blinking__steady_share=0.02, blinking__spread=0.8)
    alone = placed(tmp_path, [[1.0, 1.2]], blinking__spread=0.8)
    np.testing.assert_allclose(simulate(on).light(1, 2), 1.02 * simulate(alone).light(1, 2))
    # It moves as its object does.
    motion = {"motion__transport_um_per_s": 8.0, "motion__drift_y_um_per_s": 3.0}
    dim, bright = (
        simulate(placed(tmp_path, [[1.0, 1.2]], **motion, **more)).light(0, 4)
        for more in (dark, {})
    )
    for seen, expected in zip(dim, bright, strict=True):
        np.testing.assert_allclose(centroid(seen), centroid(expected), atol=1e-3)


def test_still_structure_has_its_mean_and_stays(tmp_path):
    s = placed(tmp_path, [[1.0, 1.2]], background__still_photons=5, blinking__photons=0)
    light = simulate(s).light(0, 4)
    np.testing.assert_allclose(light.mean(axis=(1, 2)), 5)
    assert (light == light[0]).all()
    np.testing.assert_allclose(centroid(light[0]), (10, 12), atol=1e-3)
    # It is structure of the same kind at other places, in focus.
    other = simulate(SMALL.model_copy(update={"background": s.background}))
    assert 0 < len(other.steady) <= 3000
    assert other.light(0, 1).max() > 15
    kind = build(SimulationSettings, {"structure.kind": "random", "background.still_photons": 1})
    assert 1500 <= len(simulate(kind).steady) <= 3000
    # It moves as the sample does.
    moving = simulate(s.model_copy(update={"motion": MotionSettings(drift_x_um_per_s=10)}))
    at = [centroid(frame)[1] for frame in moving.light(0, 4)]
    np.testing.assert_allclose(at, 12 + np.array([0.5, 1.5, 2.5, 3.5]), atol=1e-3)


# Motion


def test_motion_follows_its_formulas():
    y, x = rng().uniform(0, 5, (2, 50))
    objects, centre = np.arange(50) % 7, (2.0, 3.0)

    def at(time, **motion):
        later = moved(MotionSettings(**motion), y, x, objects, np.full(50, time), centre)
        return later[0] - y, later[1] - x

    dy, dx = at(3.0, drift_y_um_per_s=0.2, drift_x_um_per_s=-0.1)
    np.testing.assert_allclose((dy, dx), (np.full(50, 0.6), np.full(50, -0.3)))
    # A quarter of a turn takes what lies to the right of the centre below it.
    dy, dx = at(3.0, rotation_deg_per_s=30)
    np.testing.assert_allclose(y + dy - 2, x - 3, atol=1e-12)
    np.testing.assert_allclose(x + dx - 3, -(y - 2), atol=1e-12)
    dy, dx = at(2.5, wobble_um=0.1, wobble_period_s=10, wobble_wave_um=4)
    np.testing.assert_allclose(dy, 0.1 * np.sin(2 * np.pi * x / 4))
    np.testing.assert_allclose(dx, 0.1 * np.sin(2 * np.pi * y / 4))
    dy, dx = at(10.0, wobble_um=0.1, wobble_period_s=10)
    np.testing.assert_allclose((dy, dx), 0, atol=1e-12)
    dy, dx = at(4.0, transport_um_per_s=0.3)
    np.testing.assert_allclose(np.hypot(dy, dx), 1.2)
    assert len(np.unique(np.arctan2(dy, dx).round(6))) == 7
    assert not MotionSettings().any
    assert MotionSettings(wobble_um=0.1).any


def test_the_movie_follows_the_moving_truth(tmp_path):
    s = placed(
        tmp_path,
        [[1.1, 1.25]],
        frames=12,
        motion__drift_y_um_per_s=1.5,
        motion__drift_x_um_per_s=-2.0,
        motion__rotation_deg_per_s=300,
        motion__wobble_um=0.1,
        motion__wobble_period_s=0.2,
        motion__transport_um_per_s=1.0,
    )
    made = simulate(s)
    made.truth.save(tmp_path / "truth.npz")
    with np.load(tmp_path / "truth.npz") as stored:
        saved = stored["positions_um"]
    assert saved.shape == (12, 1, 2)
    assert np.ptp(saved[:, 0], axis=0).min() > 0.1
    found = np.stack([centroid(frame) for frame in made.light(0, 12)])
    np.testing.assert_allclose(found, saved[:, 0] / 0.1, atol=0.01)
    time = 7.5 * s.frame_interval_s
    np.testing.assert_allclose(made.truth.positions_at(time), saved[7])
    ideal = made.truth.ideal(fineness=3, time_s=time)
    np.testing.assert_allclose(centroid(ideal.image) / 3, saved[7, 0] / 0.1, atol=0.01)


def test_rotation_leaves_the_middle_of_the_field_in_place(tmp_path):
    middle = [[23 / 2 * 0.1, 27 / 2 * 0.1]]
    made = simulate(placed(tmp_path, middle, motion__rotation_deg_per_s=1000))
    np.testing.assert_allclose(made.truth.positions_at(0.3), middle)


def test_a_truth_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    made = simulate(placed(tmp_path, np.ones((10, 2)), motion__drift_y_um_per_s=1))
    monkeypatch.setattr("napari_sofinet.simulation.truth.MOST_POSITIONS", 79)
    with pytest.raises(InputError, match="too many"):
        made.truth.save(tmp_path / "truth.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["places.csv"]
