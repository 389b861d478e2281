"""The simulator against analytic values."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_sofinet.metrics import mask_scores, pearson
from napari_sofinet.simulation import SimulationSettings, ideal_image, simulate
from napari_sofinet.simulation.blinking import two_state
from napari_sofinet.simulation.camera import Camera, draw_scmos
from napari_sofinet.simulation.optics import render_gaussian
from napari_sofinet.simulation.structures import label, microtubules

SMALL = SimulationSettings(rows=32, columns=40, frames=20, filaments=4)


def test_same_seed_same_movie_and_other_seeds_never():
    first, again = simulate(SMALL), simulate(SMALL)
    other = simulate(SMALL.model_copy(update={"seed": 2}))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert (first.frames != other.frames).any()
    assert first.frames.shape == (20, 32, 40)


def test_telegraph_on_fraction_dwell_and_covariance():
    on_time, off_time, dt, frames, emitters = 0.03, 0.07, 0.01, 400, 2000
    events = two_state(emitters, frames, dt, on_time, off_time, np.random.default_rng(0))
    trace = np.zeros((emitters, frames))
    trace[events.emitter, events.frame] = events.fraction
    assert trace.min() >= 0
    assert trace.max() <= 1 + 1e-12
    assert trace.mean() == pytest.approx(0.3, abs=0.005)
    assert trace[:, 0].mean() == pytest.approx(0.3, abs=0.03)  # stationary from the first frame
    # Covariance of frame-averaged telegraph signals at lag m >= 1:
    # p (1-p) (tau/dt)² (1 - e^-(dt/tau))² e^(-(m-1) dt/tau), 1/tau = 1/on + 1/off.
    tau = 1 / (1 / on_time + 1 / off_time)
    d = trace - 0.3
    for lag in (1, 3):
        found = np.mean(d[:, lag:] * d[:, :-lag])
        expected = (
            0.21 * (tau / dt) ** 2 * (1 - np.exp(-dt / tau)) ** 2 * np.exp(-(lag - 1) * dt / tau)
        )
        assert found == pytest.approx(expected, rel=0.05)


def test_spots_have_the_energy_width_and_place_they_should():
    image = render_gaussian(np.array([[20.3, 17.8]]), np.array([500.0]), (41, 37), 2.2)[0]
    assert image.sum() == pytest.approx(500, rel=1e-5)
    y, x = np.indices(image.shape)
    assert np.sum(y * image) / 500 == pytest.approx(20.3, abs=1e-3)
    assert np.sum(x * image) / 500 == pytest.approx(17.8, abs=1e-3)
    variance = np.sum((y - 20.3) ** 2 * image) / 500
    assert variance == pytest.approx((2.2 / 2.3548) ** 2 + 1 / 12, rel=1e-3)  # with the pixel's own


def test_light_outside_the_image_is_lost_and_frames_are_kept_apart():
    at = np.array([[-50.0, 3.0], [4.0, 5.0]])
    out = render_gaussian(at, np.array([7.0, 9.0]), (12, 12), 2.0, frame=np.array([0, 2]), frames=3)
    assert out[0].sum() == pytest.approx(0)
    assert out[1].sum() == 0
    assert out[2].sum() == pytest.approx(9, rel=1e-3)


def test_photon_transfer_recovers_gain_and_read_noise():
    shape = (40, 40)
    camera = Camera(np.full(shape, 100.0), np.full(shape, 9.0), np.full(shape, 2.0))
    rng = np.random.default_rng(1)
    light = np.array([5.0, 50.0, 500.0])
    stacks = [camera.expose(np.full((400, *shape), p), rng).astype(float) for p in light]
    means = np.array([s.mean() for s in stacks])
    variances = np.array([s.var(axis=0).mean() for s in stacks])
    gain, read = np.polyfit(means - 100, variances - 1 / 12, 1)  # rounding adds 1/12
    assert gain == pytest.approx(2.0, rel=0.01)
    assert read == pytest.approx(9.0, abs=1.0)


def test_camera_saturates_and_its_maps_vary():
    camera = draw_scmos((50, 50), np.random.default_rng(2))
    assert camera.gain.std() == pytest.approx(0.02, rel=0.1)
    assert camera.expose(np.full((1, 50, 50), 1e6), np.random.default_rng(3)).max() == 65535


def test_filaments_are_worm_like_chains():
    # Long before the edge: mean cosine of tangents a distance s apart is exp(-s / P).
    made = microtubules((2000.0, 2000.0), 600, np.random.default_rng(4), persistence_um=10.0)
    steps = [np.diff(p, axis=0)[:2001] for p in made if len(p) > 2002]
    unit = np.stack(steps) / 0.01
    cosine = np.mean(np.sum(unit[:, 0] * unit[:, 2000], axis=1))
    assert cosine == pytest.approx(np.exp(-2.0), abs=0.07)
    first = np.mean(np.sum(unit[:, 0] * unit[:, 500], axis=1))
    assert first == pytest.approx(np.exp(-0.5), abs=0.05)


def test_labels_have_the_density_asked_for_and_lie_on_the_filament():
    line = np.stack([np.full(101, 1.0), np.linspace(0, 100, 101)], axis=1)
    placed = label([line], 50.0, np.random.default_rng(5))
    assert len(placed) == pytest.approx(5000, abs=4 * np.sqrt(5000))
    assert np.all(placed[:, 0] == 1.0)
    assert placed[:, 1].mean() == pytest.approx(50, abs=2)


def test_the_mean_of_a_long_movie_is_the_blurred_truth():
    s = SMALL.model_copy(update={"frames": 3000, "off_time_s": 0.1})
    made = simulate(s)
    sharp = ideal_image(
        made.truth, origin_um=(0, 0), pixel_size_um=0.1, shape=(32, 40), fwhm_um=s.psf_fwhm_um
    )
    light = (made.frames.mean(axis=0) - 100) - s.background_photons
    duty = s.on_time_s / (s.on_time_s + s.off_time_s)
    assert light.sum() == pytest.approx(duty * sharp.sum(), rel=0.1)
    assert pearson(light, sharp) > 0.98


def test_truth_file_has_the_public_format(tmp_path):
    made = simulate(SMALL)
    made.truth.save(tmp_path / "truth.npz")
    stored = np.load(tmp_path / "truth.npz")
    n = len(stored["positions_um"])
    assert stored["positions_um"].shape == (n, 2)
    assert stored["photons"].shape == (n,)
    assert stored["frame"].max() < 20
    assert stored["emitter"].max() < n
    assert len(stored["fraction"]) == len(stored["frame"])
    assert SimulationSettings(**json.loads(str(stored["settings"]))) == SMALL
    assert list(tmp_path.iterdir()) == [tmp_path / "truth.npz"]


def test_scores_of_known_masks():
    truth = np.zeros((10, 10))
    truth[:, :5] = 1
    found = np.zeros((10, 10))
    found[:, :4] = 1
    found[:2, 8:] = 1
    scores = mask_scores(found, truth)
    assert scores == pytest.approx((0.8, 46 / 50, 40, 4, 46, 10))
    assert pearson(truth, 3 - 2 * truth) == pytest.approx(-1)
    assert np.isnan(pearson(truth, np.ones((10, 10))))
