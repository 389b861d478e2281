"""The engine that makes many movies at once, against the usual one and analytic values."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import centroid, mean_is, placed

from napari_sofinet.base.settings import build
from napari_sofinet.simulation import SimulationSettings, simulate
from napari_sofinet.simulation.drawn_settings import draw_universal

torch = pytest.importorskip("torch")
batched = pytest.importorskip("napari_sofinet.simulation.batched")
batched_blinking = pytest.importorskip("napari_sofinet.simulation.batched_blinking")

MOVIES = 40
BUSY = {
    "rows": 14,
    "columns": 18,
    "frames": 40,
    "structure.kind": "random",
    "structure.emitters_per_um2": 15,
    "blinking.on_time_s": 0.02,
    "blinking.off_time_s": 0.08,
    "blinking.photons": 500,
    "background.photons": 5,
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """On busy cores torch's threads wait for each other ten times longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both(settings, seed=1):
    """The same movies of both engines, (B, T, Y, X) each."""
    ours = batched.simulate_batch(settings, seed).frames.numpy().astype(float)
    return np.stack([simulate(s).frames for s in settings]).astype(float), ours


def figures(movies):
    """Statistics of movies, each (B,)."""
    flux = movies.mean(axis=(2, 3))
    half = flux.shape[1] // 2
    change = movies - movies.mean(axis=1, keepdims=True)
    skew = (change**3).mean(axis=(1, 2, 3)) / (change**2).mean(axis=(1, 2, 3)) ** 1.5
    return {
        "mean": flux.mean(axis=1),
        "fading": flux[:, :half].mean(axis=1) - flux[:, half:].mean(axis=1),
        "variance": (change**2).mean(axis=(1, 2, 3)),
        "covariance at lag 1": (change[:, 1:] * change[:, :-1]).mean(axis=(1, 2, 3)),
        "covariance at lag 4": (change[:, 4:] * change[:, :-4]).mean(axis=(1, 2, 3)),
        "covariance of neighbours": (change[..., 1:] * change[..., :-1]).mean(axis=(1, 2, 3)),
        "covariance of diagonals": (change[..., 1:, 1:] * change[..., :-1, :-1]).mean(
            axis=(1, 2, 3)
        ),
        "skewness": skew,
    }


KINDS = {
    "two states": {},
    "fast": {"blinking.on_time_s": 0.003, "blinking.off_time_s": 0.01},
    "slow": {"blinking.on_time_s": 0.2, "blinking.off_time_s": 0.3},
    "three states": {"blinking.model": "three-state", "blinking.long_share": 0.3,
                     "blinking.long_off_time_s": 0.5},
    "bleaching": {"blinking.bleach_time_s": 0.05},
    "steady": {"blinking.model": "steady"},
    "steady, bleaching": {"blinking.model": "steady", "blinking.bleach_time_s": 0.3},
    "DNA-PAINT": {"blinking.model": "dna-paint", "blinking.spread": 0.6,
                  "blinking.bleach_time_s": 0.01},
    "spread": {"blinking.spread": 0.6},
    "Airy": {"optics.psf": "airy"},
    "wide": {"optics.psf_fwhm_um": 0.45},
    "narrow": {"optics.psf_fwhm_um": 0.16},
    "moving": {"motion.drift_y_um_per_s": 0.5, "motion.rotation_deg_per_s": 60,
               "motion.wobble_um": 0.1, "motion.wobble_period_s": 0.5,
               "motion.transport_um_per_s": 0.3},
    "still": {"background.still_photons": 10},
    "moving, still": {"background.still_photons": 10, "motion.drift_y_um_per_s": 0.5},
    "never dark": {"blinking.steady_share": 0.1, "blinking.spread": 0.4},
    "moving, never dark": {"blinking.steady_share": 0.1, "motion.transport_um_per_s": 0.5},
    "background": {"background.structured": 0.5, "background.out_of_focus": 0.3,
                   "background.photons": 50, "background.half_life_s": 0.3},
    "EM": {"camera.model": "ixon-897"},
    "sCMOS": {"camera.model": "prime-95b", "camera.pixel_spread": 0.1},
    "8 bits": {"camera.bits": 8, "blinking.photons": 3000},
    "microtubules": {"structure.kind": "microtubules", "structure.emitters_per_um": 3},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_both_engines_make_movies_of_the_same_statistics(kind):
    values = BUSY | KINDS[kind]
    settings = [build(SimulationSettings, values | {"seed": k}) for k in range(MOVIES)]
    usual, ours = both(settings)
    assert ours.shape == usual.shape
    expected, found = figures(usual), figures(ours)
    for name, value in expected.items():
        # Structure, camera and background are the same, movie by movie; blinking and noise differ.
        difference = found[name] - value
        error = difference.std() / np.sqrt(MOVIES)
        assert abs(difference.mean()) < 4.5 * error + 0.01 * abs(value.mean()), name
    mean = usual.mean()
    assert abs(ours.mean() - mean) < 0.05 * mean
    # What does not blink is the same picture, too: that of a movie's mean.
    if kind.startswith("steady"):
        return
    error = (ours.mean(axis=1) - usual.mean(axis=1)).mean(axis=0)
    assert np.abs(error).max() < 6 * (ours - usual).std(axis=(0, 1)).max() / np.sqrt(MOVIES)


def traces(emitters, frames, **blinking):
    """Fractions (emitters, frames) of frames of 0.01 s for which emitters shine."""
    values = {"frames": frames, "frame_interval_s": 0.01}
    values |= {f"blinking.{name}": value for name, value in blinking.items()}
    s = build(SimulationSettings, values)
    generator = torch.Generator().manual_seed(1)
    who, frame, fraction = batched_blinking.shining([s], [emitters], generator, "cpu")
    out = np.zeros((emitters, frames))
    np.add.at(out, (who.numpy(), frame.numpy()), fraction.numpy())
    return out


def test_blinking_is_exact_inside_frames():
    trace = traces(3000, 400, on_time_s=0.03, off_time_s=0.07)
    assert trace.min() >= 0
    assert trace.max() <= 1 + 1e-9
    for part in (trace.mean(axis=1), trace[:, 0], trace[:, -1]):
        mean_is(part, 0.3)
    # As in the usual engine's test.
    a = 0.01 * (1 / 0.03 + 1 / 0.07)
    d = trace - 0.3
    mean_is((d**2).mean(axis=1), 0.21 * 2 / a**2 * (a - 1 + np.exp(-a)))
    for lag in (1, 3):
        expected = 0.21 * (1 - np.exp(-a)) ** 2 / a**2 * np.exp(-(lag - 1) * a)
        mean_is((d[:, lag:] * d[:, :-lag]).mean(axis=1), expected)


def test_third_states_bleaching_and_bindings_are_analytic():
    three = {"model": "three-state", "on_time_s": 0.02, "off_time_s": 0.02}
    trace = traces(3000, 400, long_off_time_s=0.2, long_share=0.1, **three)
    for part in (trace[:, :20], trace[:, -20:]):
        mean_is(part.mean(axis=1), 0.02 / (0.02 + 0.9 * 0.02 + 0.1 * 0.2))
    for model in ("two-state", "steady"):
        bleaching = {"on_time_s": 0.02, "off_time_s": 0.03, "bleach_time_s": 0.2}
        lit = 0.01 * traces(3000, 800, model=model, **bleaching).sum(axis=1)
        mean_is(lit, 0.2)
        mean_is(lit > 0.2 * np.log(2), 0.5)
    paint = {"model": "dna-paint", "on_time_s": 0.5, "off_time_s": 1.0, "spread": 0.5}
    trace = traces(1000, 1000, bleach_time_s=0.001, **paint)
    mean_is(trace.mean(axis=1), 1 / 3)
    within = (trace[:, 1:-1] > 0) & np.isclose(trace[:, 1:-1], trace[:, 2:], rtol=1e-9)
    _, first = np.unique(trace[:, 1:-1][within].round(9), return_index=True)
    bright = trace[:, 1:-1][within][first]
    assert len(bright) > 5000
    mean_is(bright, 1)
    assert bright.std() == pytest.approx(0.5, rel=0.06)


@pytest.mark.parametrize(
    ("psf", "fwhm_um", "error"), [("gaussian", 0.22, 0.03), ("airy", 0.22, 0.04),
                                  ("gaussian", 0.4, 0.015), ("airy", 0.4, 0.015)]
)  # fmt: skip
def test_spots_lie_where_the_usual_engine_puts_them(tmp_path, psf, fwhm_um, error):
    # Light of many photons at places everywhere between the samples of the fine grid.
    for at in [(1.0, 1.2), (1.217, 1.181), (0.95, 1.25), (1.133, 1.366), (1.05, 1.149)]:
        s = placed(
            tmp_path,
            [at] * 20,
            optics__psf=psf,
            optics__psf_fwhm_um=fwhm_um,
            frames=1,
            camera__gain=0.01,
            blinking__photons=1e6,
        )
        image = batched.simulate_batch([s], 1).frames[0, 0].numpy()
        light = 0.01 * simulate(s).light(0, 1)[0]
        assert np.abs(image - light).max() < error * light.max()
        assert image.sum() == pytest.approx(light.sum(), rel=5e-3)
        np.testing.assert_allclose(centroid(image), centroid(light), atol=0.02)
        if psf == "gaussian":
            np.testing.assert_allclose(centroid(image), np.array(at) / 0.1, atol=0.02)


def flat(photons, **changes):
    """Sixteen movies of even light on an empty sample."""
    values = {"rows": 32, "columns": 32, "frames": 20, "structure.kind": "empty"}
    values |= {"background.photons": photons, "camera.pixel_spread": 0}
    values |= {name.replace("__", "."): value for name, value in changes.items()}
    s = build(SimulationSettings, values)
    return batched.simulate_batch([s] * 16, 2).frames.numpy().astype(float)


@pytest.mark.parametrize("efficiency", [1.0, 0.6])
def test_photon_transfer_recovers_gain_and_read_noise(efficiency):
    given = {"camera__gain": 2.0, "camera__read_noise_e": 1.5}
    levels = [0.0, 50.0, 200.0]
    found = [flat(p, camera__quantum_efficiency=efficiency, **given) for p in levels]
    means = np.array([f.mean() for f in found]) - 100
    np.testing.assert_allclose(means[1:], 2 * efficiency * np.array(levels[1:]), rtol=2e-3)
    variances = np.array([f.var() for f in found])
    assert np.polyfit(means, variances, 1)[0] == pytest.approx(2.0, rel=0.01)
    assert np.sqrt(variances[0] - 1 / 12) / 2 == pytest.approx(1.5, rel=0.01)
    assert set(np.unique(found[0] % 1)) == {0.0}


def test_electron_multiplication_doubles_the_variance():
    found = flat(200.0, camera__model="ixon-897")
    electrons, read = 0.92 * 200, 89 / 300 * 18
    assert found.mean() - 200 == pytest.approx(18 * electrons, rel=2e-3)
    assert found.var() == pytest.approx(2 * 18**2 * electrons + read**2, rel=0.01)
    dark = flat(0.0, camera__model="ixon-897")
    assert dark.std() == pytest.approx(read, rel=0.01)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_camera_saturates(bits):
    assert (flat(1e6, camera__bits=bits) == 2**bits - 1).all()
    assert flat(0.0, camera__offset=0, camera__bits=bits).min() == 0


def test_the_background_bleaches_and_still_structure_stays(tmp_path):
    light = flat(1000.0, background__half_life_s=0.05).mean(axis=(0, 2, 3)) - 100
    np.testing.assert_allclose(light, 1000 * 0.5 ** ((np.arange(20) + 0.5) / 5), rtol=4e-3)
    s = placed(
        tmp_path, [[1.0, 1.2]], background__still_photons=50, blinking__photons=0, frames=100
    )
    movie = batched.simulate_batch([s], 1).frames[0].numpy()
    assert movie.mean() == pytest.approx(50, rel=5e-3)
    early, late = movie[:50].mean(axis=0), movie[50:].mean(axis=0)
    assert np.abs(early - late).max() < 6 * np.sqrt(early.max() / 25)
    np.testing.assert_allclose(centroid(early), (10, 12), atol=0.02)


def test_the_movie_follows_the_moving_sample(tmp_path):
    s = placed(
        tmp_path,
        [[1.1, 1.25]],
        frames=12,
        blinking__photons=1e6,
        camera__gain=0.1,
        motion__drift_y_um_per_s=1.5,
        motion__rotation_deg_per_s=300,
        motion__wobble_um=0.1,
        motion__wobble_period_s=0.2,
        motion__transport_um_per_s=1.0,
    )
    movie = batched.simulate_batch([s], 1).frames[0].numpy()
    truth = simulate(s).truth
    times = (np.arange(12) + 0.5) * s.frame_interval_s
    expected = np.stack([truth.positions_at(t)[0] / 0.1 for t in times])
    np.testing.assert_allclose(np.stack([centroid(frame) for frame in movie]), expected, atol=0.025)


@pytest.mark.parametrize("moves", [False, True])
def test_the_target_is_the_ideal_image(moves):
    motion = {"motion.drift_x_um_per_s": 0.4, "motion.rotation_deg_per_s": 5} if moves else {}
    values = BUSY | {"blinking.spread": 0.5, "optics.psf_fwhm_um": 0.3} | motion
    settings = [build(SimulationSettings, values | {"seed": k}) for k in (3, 4)]
    batch = batched.simulate_batch(settings, 1)
    assert batch.settings == tuple(settings)
    assert batch.target.shape == (2, 27, 35)
    for s, target in zip(settings, batch.target.numpy(), strict=True):
        middle = 40 * 0.01 / 2 if moves else 0.0
        ideal = simulate(s).truth.ideal(fineness=2, time_s=middle).image
        np.testing.assert_allclose(target, ideal, atol=1e-5 * ideal.max())


def test_same_seed_same_batch_and_other_seeds_never():
    first, again = (batched.draw_batch(draw_universal, 3, 16, 20, 10, 5) for _ in range(2))
    assert first.frames.shape == (3, 10, 16, 20)
    assert first.target.shape == (3, 31, 39)
    assert first.frames.dtype == first.target.dtype == torch.float32
    assert torch.equal(first.frames, again.frames)
    assert torch.equal(first.target, again.target)
    assert first.settings == again.settings
    made = [batched.draw_batch(draw_universal, 1, 16, 20, 10, seed) for seed in range(20)]
    assert len({batch.frames.numpy().tobytes() for batch in made}) == 20
    # Of the same settings only blinking and noise are drawn anew.
    s = build(SimulationSettings, BUSY)
    one, other = (batched.simulate_batch([s, s], seed) for seed in (1, 2))
    assert torch.equal(one.target, other.target)
    for a, b in ((one.frames[0], one.frames[1]), (one.frames, other.frames)):
        assert not torch.equal(a, b)


def test_universal_batches_are_finite_counts():
    for seed in range(4):
        batch = batched.draw_batch(draw_universal, 8, 32, 32, 12, seed)
        assert torch.isfinite(batch.frames).all()
        assert torch.isfinite(batch.target).all()
        assert batch.frames.min() >= 0
        assert batch.frames.max() <= 65535
        assert torch.equal(batch.frames, batch.frames.round())
        assert batch.target.min() >= 0
        assert len({s.structure.kind for s in batch.settings}) > 1


def test_a_batch_without_emitters_or_of_one_frame():
    s = build(SimulationSettings, BUSY | {"structure.kind": "empty", "frames": 1})
    batch = batched.simulate_batch([s], 1)
    assert batch.frames.shape == (1, 1, 14, 18)
    assert batch.target.abs().max() == 0


def test_movies_of_unequal_size_are_refused():
    small, large = (build(SimulationSettings, {"rows": rows}) for rows in (16, 20))
    with pytest.raises(ValueError, match="same rows"):
        batched.simulate_batch([small, large], 1)
