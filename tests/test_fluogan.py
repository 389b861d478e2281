"""FluoGAN: its model, critic and steps against values that are known, and the whole method."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tifffile  # noqa: E402
from blinking_spots import KNOWN, WIDTH_PX, run, spot_movie  # noqa: E402

import napari_sofinet as sofinet  # noqa: E402
from napari_sofinet.base.errors import Cancelled  # noqa: E402
from napari_sofinet.cli.main import main  # noqa: E402
from napari_sofinet.methods import fluogan_input, fluogan_picture  # noqa: E402
from napari_sofinet.methods.fluogan import METHOD  # noqa: E402
from napari_sofinet.methods.registry import networks  # noqa: E402
from napari_sofinet.methods.repeat import repeat  # noqa: E402
from napari_sofinet.networks.adversarial_fit import AdversarialFit  # noqa: E402
from napari_sofinet.networks.critic import Critic, critic_loss, side_min  # noqa: E402
from napari_sofinet.networks.double_poisson import DoublePoisson  # noqa: E402
from napari_sofinet.networks.moment_fit import MomentFit  # noqa: E402
from napari_sofinet.networks.movie_statistics import (  # noqa: E402
    mean_and_variance,
    statistics,
)


@pytest.fixture
def short(monkeypatch):
    """Few steps, as the tests below are of the way and not of the last percent."""
    for name, steps in ("COVARIANCE_STEPS", 10), ("JOINT_STEPS", 4), ("CRITIC_FIRST", 2):
        monkeypatch.setattr(fluogan_picture, name, steps)
    monkeypatch.setattr(fluogan_picture, "BATCH", 4)
    monkeypatch.setattr(fluogan_picture, "PREVIEW_STEPS", 2)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- the model ------------------------------------------------------------------------------------


def test_mean_and_covariance_of_drawn_frames_are_those_of_the_model():
    model = DoublePoisson((5, 6), 2, 2.5, brightness=30, gain=1.7, read_noise=4, margin=1)
    x = 0.05 * torch.rand(model.fine_shape, generator=random())
    b = 5 + torch.rand((5, 6), generator=random(1))
    frames = model.draw(x, b, 20_000, random(2)).frames
    mean, variance = model.mean(x, b), model.variance(x, b)
    error = (variance / len(frames)).sqrt()
    assert float(((frames.mean(dim=0) - mean) / error).abs().max()) < 4.5
    flat = frames.reshape(len(frames), -1)
    rest = flat - flat.mean(dim=0)
    expected = 1.7**2 * model.fluctuations(x)
    expected += torch.diag(1.7**2 * (30 * model.blurred(x) + b).reshape(-1) + 16)
    torch.testing.assert_close(expected.diagonal(), variance.reshape(-1), rtol=1e-5, atol=1e-5)
    found = rest.T @ rest / len(frames)
    assert float((found - expected).norm() / expected.norm()) < 0.05


def test_a_source_lies_where_it_is():
    model = DoublePoisson((9, 9), 4, 2.5, margin=2)
    x = torch.zeros(model.fine_shape)
    x[model.inside][4 * 4 + 1, 4 * 4 + 1] = x[model.inside][4 * 4 + 2, 4 * 4 + 2] = 0.5
    seen = model.blurred(x)
    at = torch.arange(9.0)
    assert float((seen.sum(dim=1) * at).sum() / seen.sum()) == pytest.approx(4.0, abs=1e-3)
    assert float(seen.sum()) == pytest.approx(1.0, abs=1e-3)
    # The transpose, and that of the covariance.
    y = torch.rand((9, 9), generator=random())
    assert float((seen * y).sum()) == pytest.approx(float((x * model.spread(y)).sum()), rel=1e-5)
    matrix = torch.rand((81, 81), generator=random(1))
    both = (model.fluctuations(x) * matrix).sum(), (x * model.quadratic(matrix)).sum()
    assert float(both[0]) == pytest.approx(float(both[1]), rel=1e-4)


def test_gradients_know_the_covariance():
    # The mean of y'Qy is m'Qm + trace(Q C), whose gradient follows from the model.
    model = DoublePoisson((4, 4), 2, 2.0, brightness=20, gain=1.5, read_noise=1)
    x = 0.1 + 0.2 * torch.rand(model.fine_shape, generator=random())
    b = torch.full((4, 4), 30.0)
    q = torch.rand((16, 16), generator=random(1))
    q = (q + q.T) / 2
    drawn = model.draw(x, b, 40_000, random(2))
    centred = (drawn.frames - model.mean(x, b)).reshape(-1, 16)
    by_x, by_b = model.gradients(drawn, (2 * centred @ q).reshape(-1, 4, 4), x)
    light = q.diagonal().reshape(4, 4) * 1.5**2
    of_x = 1.5**2 * model.quadratic(q) + 20 * model.spread(light)
    assert float((by_x - of_x).norm() / of_x.norm()) < 0.1
    assert float((by_b - light).mean()) == pytest.approx(0, abs=0.5 * float(light.mean()))
    # Slopes alone see nothing of it: they are those of the mean, which is zero here.
    alone = 20 * 1.5 * model.spread((2 * centred @ q).reshape(-1, 4, 4).mean(dim=0))
    assert float(alone.norm() / of_x.norm()) < 0.1


# -- the critic -----------------------------------------------------------------------------------


def test_the_critic_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in Critic((50, 50)).parameters()) == 113_173


@pytest.mark.parametrize("shape", [(12, 12), (24, 31), (50, 63)])
def test_the_critic_takes_fields_of_any_size(shape):
    assert Critic(shape)(torch.zeros((3, *shape))).shape == (3,)
    assert side_min(5) == 38
    assert Critic((12, 40), kernel=5)(torch.zeros((2, 12, 40))).shape == (2,)


def test_the_critic_learns_to_tell_frames_apart():
    torch.manual_seed(0)
    critic, draw = Critic((24, 24)), random()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
    for _ in range(15):
        real = torch.randn((8, 24, 24), generator=draw) + 0.5
        other = torch.randn((8, 24, 24), generator=draw)
        loss, distance = critic_loss(critic, real, other, draw)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # They lie 12 apart, which a slope of 1 makes the distance.
    assert 2 < float(distance) < 18


# -- the fit --------------------------------------------------------------------------------------


def fitted(movie: np.ndarray, steps: int = 15) -> MomentFit:
    model = DoublePoisson(movie.shape[1:], 3, WIDTH_PX, margin=2, read_noise=1)
    found = statistics(*mean_and_variance([movie]), 1.0).with_covariance([movie], WIDTH_PX)
    fit = MomentFit(model, found)
    for _ in range(steps):
        fit.covariance_step()
    fit.find_brightness()
    return fit


def test_proximal_steps_keep_amounts_positive_and_sparsity_lowers_them():
    fit = fitted(spot_movie([(5, 10), (10, 5)]))
    fit.step(0.7, weights=False)
    x, b = fit.x.clone(), fit.b.clone()
    fit.step(0.5, weights=False)
    plain = fit.x
    fit.x, fit.b = x.clone(), b.clone()
    fit.sparsity = 0.1 * float((fit._slopes().below * x).sum() / x.sum())
    fit.step(0.5, weights=False)
    assert float(fit.x.min()) > 0
    assert float(fit.b.min()) >= 0
    assert float(fit.x.sum()) < float(plain.sum())
    # A step by nothing but the proximal operator is soft thresholding.
    slopes = fit._slopes()
    expected = fit.x - 0.3 * fit.x / slopes.below * (slopes.below - slopes.above + fit.sparsity)
    before, again = fit.b.clone(), expected.clamp(min=1e-9)
    fit._background_step = lambda by_b: 0.0
    fit.step(0.3, weights=False)
    torch.testing.assert_close(fit.x, again)
    torch.testing.assert_close(fit.b, before)


def test_brightness_and_background_follow_from_the_movie():
    places = np.random.default_rng(1).uniform(4, 18, (60, 2))
    movie = spot_movie(places, frames=400, photons=100, on=0.1, shape=(22, 22))
    fit = fitted(movie, 20)
    assert fit.model.brightness == pytest.approx(90, rel=0.2)  # 100 times the part that is off
    for _ in range(10):
        fit.step(0.7)
    assert float(fit.b.mean()) == pytest.approx(10, rel=0.2)
    # The light is that of the emitters.
    assert float(fit.light.sum()) == pytest.approx(60 * 100 * 0.1, rel=0.15)


def test_weights_follow_from_the_movie():
    places = np.random.default_rng(3).uniform(4, 18, (40, 2))
    movie = spot_movie(places, frames=300, photons=100, on=0.1, shape=(22, 22))
    slope = np.linspace(0, 60, 22)
    random = np.random.default_rng(0)
    steep = movie + random.poisson(slope * (np.arange(22) % 11 > 5), movie.shape)
    even, uneven = fitted(movie), fitted(steep)
    for fit in (even, uneven):
        fit.smoothness = fit._shortest * float(fit._weight.mean()) * 4
        for _ in range(8):
            fit.step(0.7)
    # A background that varies within a few pixels may be rougher than an even one.
    scale = [float(fit._weight.mean()) for fit in (even, uneven)]
    assert even.smoothness / scale[0] > 2 * uneven.smoothness / scale[1]
    # What is left of the movie is its noise, for which sparsity is raised.
    assert even.sparsity > 0
    assert fitted(movie).sparsity == 0


def test_the_picture_of_a_part_is_that_of_the_whole():
    places = np.random.default_rng(2).uniform(2, 38, (80, 2))
    movie = spot_movie(places, frames=100, shape=(40, 24))
    whole = fitted(movie, 12).light
    part = fitted(movie[:, :26], 12).light  # the other half is more than its reach away
    a = whole[6 : 6 + 36, 6:-6].numpy()
    b = part[6 : 6 + 36, 6:-6].numpy()
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.995


# -- the method -----------------------------------------------------------------------------------


def test_it_is_a_method_without_network():
    assert METHOD.network is None
    assert METHOD.uses_torch
    assert "fluogan" not in networks()


def test_a_point_source_appears_where_it_is_and_the_seed_repeats_it(short):
    place = 7.3, 8.8
    movie = spot_movie([place])
    found = run(movie, critic_steps=3, seed=5)
    assert found.image.shape == (56, 64)
    brightest = np.unravel_index(found.image.argmax(), found.image.shape)
    for index, origin, at in zip(brightest, found.origin_px, place, strict=True):
        assert origin + index / 4 == pytest.approx(at, abs=0.2)
    assert found.image.sum() == pytest.approx(200 * 0.2, rel=0.25)
    np.testing.assert_array_equal(run(movie, critic_steps=3, seed=5).image, found.image)
    assert not np.array_equal(run(movie, critic_steps=3, seed=6).image, found.image)


def test_the_critic_leaves_the_fit_near_where_it_was(short):
    movie = spot_movie([(5, 5), (9.5, 11)])
    plain = run(movie, critic_steps=0).image
    refined = run(movie, critic_steps=10).image
    assert not np.array_equal(plain, refined)
    assert np.corrcoef(plain.ravel(), refined.ravel())[0, 1] > 0.95


def test_counts_are_converted_by_the_gain(short):
    movie = spot_movie([(5, 5), (9.5, 11)])
    plain = run(movie, critic_steps=0)
    scaled = run(100 + 2.5 * movie, critic_steps=0, **{"camera.gain": 2.5, "camera.offset": 100.0})
    np.testing.assert_allclose(scaled.image, plain.image, rtol=0.02, atol=0.02)


def test_progress_rises_with_previews_and_can_be_cancelled(short):
    told, previews = [], []

    def report(fraction, message="", preview=None):
        told.append(fraction)
        if preview is not None:
            previews.append(preview)

    run(spot_movie([(8, 9)]), report, critic_steps=10)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert previews[0].image.shape == (56, 64)

    def cancel(fraction, message="", preview=None):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(spot_movie([(8, 9)]), cancel, critic_steps=10)


def test_the_command_makes_it_and_the_recipe_repeats_it(tmp_path, short):
    path, out = tmp_path / "m.tif", tmp_path / "o.ome.tif"
    counts = np.clip(spot_movie([(8, 9)], frames=60), 0, None).astype(np.uint16)
    tifffile.imwrite(path, counts, photometric="minisblack")
    words = [f"--{name.replace('_', '-')}={value}" for name, value in KNOWN.items()]
    line = ["reconstruct", "fluogan", str(path), "-o", str(out), "--critic-steps=2", *words]
    assert main(line) == 0
    found = sofinet.Reconstruction.load(out)
    assert set(found.maps) == {"image", "background"}
    assert "critic" in found.recipe.methods_paragraph
    np.testing.assert_array_equal(repeat(found.recipe).image, found.image)


def test_windows_join_to_the_whole_field(short, monkeypatch):
    monkeypatch.setattr(fluogan_picture, "WINDOW_PX", 24)
    places = np.random.default_rng(3).uniform(2, 34, (30, 2)) * (1, 14 / 36)
    found = run(spot_movie(places, frames=60, shape=(36, 14)), critic_steps=2, fineness=2)
    plain = run(spot_movie(places, frames=60, shape=(36, 14)), critic_steps=0, fineness=2)
    assert found.image.shape == (72, 28)
    assert np.corrcoef(found.image.ravel(), plain.image.ravel())[0, 1] > 0.98


def test_regions_join_to_the_whole_field_and_movies_may_be_read_several_times(short, monkeypatch):
    places = np.random.default_rng(3).uniform(2, 38, (60, 2)) * (1, 14 / 40)
    movie = spot_movie(places, frames=150, shape=(40, 14))
    plain = run(movie, critic_steps=0, fineness=2).image
    monkeypatch.setattr(fluogan_picture, "REGION_BYTES", 1)
    monkeypatch.setattr(fluogan_input, "HELD_BYTES", 1)
    assert len(list(fluogan_picture.regions((40, 14), WIDTH_PX))) > 2
    parts = run(movie, critic_steps=0, fineness=2).image
    # Regions of a single tile are the worst case, and look at other pairs of pixels at their rims.
    assert np.corrcoef(plain.ravel(), parts.ravel())[0, 1] > 0.95
    assert parts.sum() == pytest.approx(plain.sum(), rel=0.05)


def test_the_adversarial_step_is_seeded(short):
    movie = spot_movie([(8, 9)], frames=40, shape=(24, 24))
    frames = torch.from_numpy(movie.astype(np.float32))
    found = []
    for _ in range(2):
        fit = fitted(movie, 5)
        critic = AdversarialFit(fit, frames, 4, seed=3)
        critic.train_critic()
        critic.step(0.1)
        found.append(fit.x)
    assert torch.equal(*found)
