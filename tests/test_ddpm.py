"""Diffusion: what it draws, against distributions that are known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shared_networks import save_posterior  # noqa: E402
from tifffile import imwrite  # noqa: E402

import napari_sofinet as sofinet  # noqa: E402
from napari_sofinet.base.errors import Cancelled, InputError  # noqa: E402
from napari_sofinet.cli.main import main  # noqa: E402
from napari_sofinet.data.reconstruction import Reconstruction  # noqa: E402
from napari_sofinet.localization.fitting import Noise  # noqa: E402
from napari_sofinet.methods.registry import networks  # noqa: E402
from napari_sofinet.methods.repeat import repeat  # noqa: E402
from napari_sofinet.networks import sampling, weights  # noqa: E402
from napari_sofinet.networks.diffusion import DiffusionNet, folded, unfolded  # noqa: E402
from napari_sofinet.networks.prior_estimate import (  # noqa: E402
    PriorEstimate,
    drawn_with_error,
    load_estimator,
    of_frames,
)
from napari_sofinet.networks.sample_summary import summary  # noqa: E402
from napari_sofinet.networks.sampling import Posterior  # noqa: E402
from napari_sofinet.networks.schedules import noise_levels  # noqa: E402
from napari_sofinet.networks.weights import Uncertainty  # noqa: E402
from napari_sofinet.training.emitters import emitter_map, spots  # noqa: E402
from napari_sofinet.training.posterior import emitter_conditions  # noqa: E402
from napari_sofinet.training.posterior_task import SOURCES, SOURCES_BY_NAME  # noqa: E402


def restless(**sizes: int) -> DiffusionNet:
    """A network whose every part does something."""
    torch.manual_seed(3)
    net = DiffusionNet(features=8, wide=8, **sizes)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return net.eval()


def prior_estimate(rows: int, columns: int, inputs: int = 21, fineness: int = 2) -> PriorEstimate:
    torch.manual_seed(4)
    estimate = torch.rand(1, fineness**2, rows, columns)
    others = torch.randn(1, inputs - fineness**2, rows, columns)
    return PriorEstimate(estimate, torch.cat([estimate, others], dim=1))


def even(value: float, side: int = 24) -> PriorEstimate:
    """An estimate that is the same everywhere."""
    estimate = torch.full((1, 4, side, side), value)
    return PriorEstimate(estimate, estimate)


class Known:
    """Knows that the truth is normal around 0.3 above the estimate, with a spread of 0.2."""

    fineness, reach_px, encoder_reach_px = 2, 0, 0

    def encode(self, conditions):
        maps = torch.zeros(1, 2, 4, *conditions.shape[-2:])
        return conditions[:, :1], conditions[:, :1, ::2, ::2], maps

    def denoise(self, x, level, seen):
        noise = level[..., None, None, None] ** 2
        return (0.04 * x + noise * 0.3) / (0.04 + noise)


def pictures(net, first, seeds, schedule="full", steps=16, report=lambda f: None) -> np.ndarray:
    posterior = Posterior(net, first, "cpu", False, report)
    return np.stack([one.numpy() for _, one in posterior.samples(seeds, schedule, steps)])


# -- schedules and samplers -----------------------------------------------------------------------


def test_the_papers_schedule_never_reaches_noise() -> None:
    levels = noise_levels("paper", 16)
    # The product of 1 - beta over 100 steps from 1e-4 to 1e-2 is 0.60, of pictures from -1 to 1.
    left = 1 / (1 + (2 * levels[0]) ** 2)
    assert left == pytest.approx(0.60, abs=0.005)
    assert len(levels) == 100
    assert (np.diff(levels) < 0).all()
    assert noise_levels("full", 16)[0] > 19.9  # a picture of brightness 1 is 5 % of that


@pytest.mark.parametrize(("schedule", "steps"), [("full", 16), ("full", 12), ("guided", 10)])
def test_samples_have_the_distribution_that_the_network_knows(schedule, steps) -> None:
    drawn = pictures(Known(), even(2.0), [(1, k) for k in range(8)], schedule, steps)
    # What begins at the estimate with noise of 1, and not 0.3 above it, stays nearer to it.
    kept = 0.3 * 0.2 / (1 + 0.2**2) ** 0.5 if schedule == "guided" else 0.0
    assert drawn.mean() == pytest.approx(2.3 - kept, abs=0.01)
    assert drawn.std() == pytest.approx(0.2, rel=0.06)


def test_what_is_expected_is_the_mean_of_endless_samples() -> None:
    posterior = Posterior(Known(), even(2.0, 8), "cpu", False, lambda f: None)
    np.testing.assert_allclose(posterior.expected((1,)).numpy(), 2.3, atol=0.001)


def test_the_papers_sampler_starts_beside_what_it_was_trained_on() -> None:
    """A spread as large as its first noise comes out right only where the estimate is 0.5."""
    drawn = pictures(Known(), even(0.2), [(1, k) for k in range(8)], "paper")
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)  # of 0.2 + 0.3, and its own 0.5
    drawn = pictures(Known(), even(2.0), [(1, k) for k in range(8)], "paper")
    assert drawn.mean() < 2.2  # not 2.3: noise around 0.5 is not where the steps begin


def test_a_seed_gives_its_sample_whatever_else_is_drawn() -> None:
    net, first = restless(), prior_estimate(16, 20)
    all_of_them = pictures(net, first, [(7, k) for k in range(4)])
    again = pictures(net, first, [(7, 2)])
    np.testing.assert_allclose(again[0], all_of_them[2], rtol=1e-3, atol=1e-3)
    assert np.abs(all_of_them[0] - all_of_them[1]).max() > 0.1


@pytest.mark.parametrize("sizes", [{}, {"inputs": 52, "fineness": 4, "guesses": 2}])
def test_pictures_do_not_depend_on_tiles(monkeypatch, sizes) -> None:
    net = restless(**sizes)
    first = prior_estimate(72, 58, net.inputs, net.fineness)
    whole = pictures(net, first, [(1, 0), (1, 1)], steps=4)
    monkeypatch.setattr(sampling, "TILE_PX", 24)
    monkeypatch.setattr(sampling, "STATE_BYTES", 1)
    monkeypatch.setattr(sampling, "AT_ONCE_PX", 1)
    tiled = pictures(net, first, [(1, 0), (1, 1)], steps=4)
    assert whole.std() > 0.05
    np.testing.assert_allclose(tiled, whole, atol=2e-4 * np.abs(whole).max())


def test_progress_reaches_the_end_and_can_be_left() -> None:
    seen: list[float] = []
    pictures(restless(), prior_estimate(16, 16), [(1, k) for k in range(5)], report=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] < 1
    assert len(seen) >= 16

    posterior = Posterior(restless(), prior_estimate(16, 16), "cpu", False, seen.append)
    list(posterior.samples([(1, 0)], "full", 4))
    for number in range(2):
        posterior.expected((number,))
    assert max(seen) <= 1

    def leave(fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        pictures(restless(), prior_estimate(16, 16), [(1, 0)], report=leave)


def test_folding_is_undone() -> None:
    x = torch.rand(2, 3, 12, 20)
    assert torch.equal(unfolded(folded(x, 4), 4), x)
    odd = torch.rand(1, 31, 27)
    assert torch.equal(unfolded(folded(odd, 2), 2)[:, :31, :27], odd)


# -- prior estimates ------------------------------------------------------------------------------


def test_the_spread_that_a_fit_expects_is_that_of_moved_emitters() -> None:
    rng = np.random.default_rng(0)
    places, spread = np.array([[8.2, 9.1], [70.3, 8.0]]), np.array([[0.04, 0.08], [0.05, 0.03]])
    drawn, error = drawn_with_error(places, spread, 80, 18)
    np.testing.assert_allclose(drawn, emitter_map(places, 80, 18), atol=1e-5)
    moved = [emitter_map(p, 80, 18) for p in rng.normal(places, spread, (800, 2, 2))]
    np.testing.assert_allclose(error, np.std(moved, axis=0), atol=0.03)


def test_of_frames_shows_where_the_fit_leaves_something() -> None:
    rng = np.random.default_rng(1)
    light = spots(np.array([[10.0, 9.5]]), np.array([2000.0]), 1.0, 20, 20)
    frame = 100.0 + rng.poisson(light + 4)
    seen = torch.from_numpy(emitter_map(np.array([[10.0, 9.5]]), 20, 20))[None]
    there = of_frames(seen, frame[None], [Noise(1, 4)], [1.0]).conditions[0, -3]
    missed = of_frames(0 * seen, frame[None], [Noise(1, 4)], [1.0]).conditions[0, -3]
    assert there[10, 9:11].abs().max() < 1.5
    assert missed[10, 9:11].max() > 4


def test_dim_emitters_are_no_part_of_the_truth() -> None:
    net, card, _ = load_estimator("deepstorm", list(SOURCES))

    def drawn(least: float, most: float):
        ranges = card.ranges | {"photons": (least, most)}
        return emitter_conditions(net, card.model_copy(update={"ranges": ranges}), 8, 16, 5)

    bright, dim = drawn(4000, 5000), drawn(5, 6)
    assert bright.frames.shape == (8, SOURCES_BY_NAME["deepstorm"].sizes["inputs"], 16, 16)
    assert bright.target.shape == (8, 64, 64)
    assert bright.target.sum() > 100
    assert dim.target.sum() < 0.1 * bright.target.sum()  # in the same places
    assert torch.equal(drawn(5, 6).frames, dim.frames)


# -- maps -----------------------------------------------------------------------------------------


def test_summary_of_normal_samples() -> None:
    rng = np.random.default_rng(2)
    drawn = rng.normal(5, 2, (64, 40, 40)).astype(np.float32)
    expected = np.full((40, 40), 5, np.float32)
    maps = summary(drawn, expected, None, lambda f: None)
    assert maps["standard_deviation"].mean() == pytest.approx(2, rel=0.02)
    fresh = rng.normal(5, 2, (40, 40))
    inside = (fresh > maps["lower"]) & (fresh < maps["upper"])
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    table = Uncertainty(brightness=(0.0,), half_width=(1.5,))
    wider = summary(drawn, expected, table, lambda f: None)
    np.testing.assert_allclose(
        wider["upper"] - wider["image"], 1.5 * (maps["upper"] - maps["image"]), rtol=1e-4
    )


def test_samples_are_saved_and_read(tmp_path) -> None:
    rng = np.random.default_rng(3)
    drawn = rng.random((3, 6, 8)).astype(np.float32)
    one = Reconstruction(
        {"image": drawn.mean(axis=0), "lower": drawn.min(axis=0)},
        samples=drawn,
        recipe=sofinet.reconstruct(sofinet.open_movie(rng.random((6, 8, 8))), "average").recipe,
    )
    one.save(tmp_path / "x.ome.tif")
    back = Reconstruction.load(tmp_path / "x.ome.tif")
    assert list(back.maps) == ["image", "lower"]
    np.testing.assert_array_equal(back.samples, drawn)
    np.testing.assert_array_equal(back.maps["lower"], one.maps["lower"])


# -- the method -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blinking() -> np.ndarray:
    rng = np.random.default_rng(5)
    light = spots(np.array([[9.0, 13.0]]), np.array([3000.0]), 1.0, 21, 25)
    on = rng.random(12) < 0.5
    return np.round(100 + rng.poisson(on[:, None, None] * light + 3)).astype(np.uint16)


@pytest.mark.parametrize("estimate", ["sofinet-universal", "deepstorm"])
def test_maps_lie_over_the_movie(tmp_path, blinking, estimate) -> None:
    name = save_posterior(tmp_path / "own.safetensors", estimate)
    movie = sofinet.open_movie(blinking, 0.1).select((0, 6), ((1, 21), (2, 25)))
    seen: list[float] = []
    result = sofinet.reconstruct(
        movie,
        "ddpm",
        weights=name,
        samples=4,
        steps=4,
        report=lambda f, m="", p=None: seen.append(f),
    )
    alike = sofinet.reconstruct(movie, "sofinet" if estimate != "deepstorm" else "deepstorm")
    assert result.image.shape == alike.image.shape
    assert result.origin_um == alike.origin_um
    assert result.pixel_size_um == alike.pixel_size_um
    np.testing.assert_allclose(result.maps["estimate"], alike.image, atol=0.02 * alike.image.max())
    assert list(result.maps) == ["image", "standard_deviation", "lower", "upper", "estimate"]
    assert result.samples.shape == (4, *result.image.shape)
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] <= 1
    again = sofinet.reconstruct(movie, "ddpm", weights=name, samples=4, steps=4)
    np.testing.assert_array_equal(again.samples, result.samples)
    other = sofinet.reconstruct(movie, "ddpm", weights=name, samples=4, steps=4, seed=1)
    assert np.abs(other.samples - result.samples).max() > 0


def test_a_saved_recipe_draws_the_same_samples(tmp_path, blinking) -> None:
    name = save_posterior(tmp_path / "own.safetensors", "sofinet-universal")
    imwrite(tmp_path / "movie.tif", blinking, photometric="minisblack")
    words = ["reconstruct", "ddpm", str(tmp_path / "movie.tif"), "-o", str(tmp_path / "a.ome.tif")]
    assert main([*words, "--weights", name, "--samples", "4", "--steps", "4", "--seed", "9"]) == 0
    first = Reconstruction.load(tmp_path / "a.ome.tif")
    again = repeat(first.recipe)
    np.testing.assert_array_equal(again.samples, first.samples)
    np.testing.assert_array_equal(again.maps["lower"], first.maps["lower"])
    assert "4 samples" in first.recipe.methods_paragraph


def test_bad_input_is_one_sentence(tmp_path, blinking) -> None:
    name = save_posterior(tmp_path / "own.safetensors", "sofinet-universal")
    emitters = save_posterior(tmp_path / "emitters.safetensors", "deepstorm")
    movie = sofinet.open_movie(blinking, 0.1)
    changed = save_posterior(tmp_path / "c.safetensors", "deepstorm", estimate_sha256="0")
    for chosen, settings, what in (
        (movie.select((0, 4)), {"weights": name}, "at least 5 frames"),
        (movie.select(None, ((0, 8), (0, 20))), {"weights": name}, "12 x 12"),
        (movie, {"weights": "deepstorm"}, "of deepstorm, not of ddpm|no weights"),
        (movie, {"weights": changed}, "weights have changed"),
        (movie, {"weights": emitters, "drift.correct": True}, "table"),
        (movie, {"weights": name, "samples": 1}, "samples"),
        (movie, {"weights": name, "schedule": "other"}, "schedule"),
    ):
        with pytest.raises(InputError, match=what):
            sofinet.reconstruct(chosen, "ddpm", **settings)
    nothing = np.full((10, 16, 16), np.nan, np.float32)
    with pytest.raises(InputError, match=r"NaN|finite"):
        sofinet.reconstruct(sofinet.open_movie(nothing), "ddpm", weights=name)


@pytest.mark.parametrize("estimate", ["sofinet-universal", "deepstorm"])
def test_training_starts_and_is_used(tmp_path, estimate, capsys) -> None:
    out = tmp_path / "mine.safetensors"
    words = ["train", "ddpm", "-o", str(out), "--estimate", estimate]
    words += "--steps 2 --batch 2 --side-px 16 --validate-every 1".split()
    words += ["--parameters", "features=8,wide=8"]
    assert main(words) == 0
    card = weights.read_card(out)
    assert card.estimate == estimate
    assert card.network == "ddpm"
    assert card.steps == 2
    net, _, _ = weights.load(str(out), networks()["ddpm"])
    kind = load_estimator(estimate, list(SOURCES)).card.network
    assert net.inputs == SOURCES_BY_NAME[kind].sizes["inputs"]


def test_training_refuses_what_makes_no_pictures(tmp_path, capsys) -> None:
    out = tmp_path / "mine.safetensors"
    assert main(["train", "ddpm", "-o", str(out), "--estimate", "dblink", "--steps", "1"]) == 2
    assert "dblink" in capsys.readouterr().err
    assert not out.exists()


# -- shipped weights ------------------------------------------------------------------------------


def test_shipped_weights_start_from_shipped_weights() -> None:
    for name in ("ddpm-universal", "ddpm-emitters"):
        path = weights.find(name, "ddpm")
        card = weights.read_card(path)
        assert path.stat().st_size < 15e6
        assert load_estimator(card.estimate, list(SOURCES)).sha256 == card.estimate_sha256
        assert card.uncertainty is not None
        assert card.command.startswith("sofinet train ddpm")


def posterior(rng, frame: np.ndarray, start: np.ndarray, photons: float) -> np.ndarray:
    """Places of one emitter of known photons, visited by Metropolis' walk; read variance 5."""
    signal = frame - 100 + 5

    def likelihood(place) -> float:
        mean = spots(place[None], np.array([photons]), 0.92, *frame.shape) + 5
        return float((signal * np.log(mean) - mean).sum())

    place, now, walk = start.copy(), likelihood(start), []
    for number in range(2500):
        other = place + rng.normal(0, 0.5 / photons**0.5, 2)
        then = likelihood(other)
        if np.log(rng.random()) < then - now:
            place, now = other, then
        if number >= 300 and number % 10 == 0:
            walk.append(place.copy())
    return np.array(walk)


@pytest.mark.parametrize("photons", [200, 1000])
def test_samples_spread_as_the_posterior_of_an_emitter(photons) -> None:
    rng = np.random.default_rng(photons)
    alike, scale = [], []
    for _ in range(6):
        place = 9.5 + rng.uniform(-1, 1, (1, 2))
        light = spots(place, np.array([photons]), 0.92, 20, 20)
        frame = np.round(rng.poisson(light) + rng.normal(100, 5**0.5, light.shape))
        walk = posterior(rng, frame, place[0], photons)
        known = np.std([emitter_map(at[None], 20, 20) for at in walk], axis=0)
        movie = sofinet.open_movie(np.stack([frame, frame])).select((0, 1))
        found = sofinet.reconstruct(movie, "ddpm", weights="ddpm-emitters", psf_fwhm_px=2.166)
        spread = found.maps["standard_deviation"]
        alike.append(np.corrcoef(spread.ravel(), known.ravel())[0, 1])
        scale.append((spread**2).sum() / (known**2).sum())
    assert np.mean(alike) > 0.88
    assert 0.7 < np.sqrt(np.mean(scale)) < 1.3


def test_nothing_is_drawn_where_nothing_is() -> None:
    rng = np.random.default_rng(11)
    noise = np.round(100 + rng.poisson(5, (12, 32, 32)) + rng.normal(0, 2, (12, 32, 32)))
    movie = sofinet.open_movie(noise)
    for name, chosen in (("ddpm-universal", movie), ("ddpm-emitters", movie.select((0, 1)))):
        found = sofinet.reconstruct(chosen, "ddpm", weights=name, samples=8)
        assert np.quantile(found.samples, 0.999) < 0.05
        assert found.image.max() < 0.05


def test_samples_of_noise_alone_show_nothing() -> None:
    # Of these fields single samples drew flashes of 0.6 where 0.05 was expected.
    rng = np.random.default_rng(880_000)
    noise = np.round(rng.poisson(0.0, (20, 48, 48)) + rng.normal(100, 5**0.5, (20, 48, 48)))
    found = sofinet.reconstruct(sofinet.open_movie(noise.astype(np.float32)), "ddpm", samples=8)
    assert found.samples.max() < 0.1
    assert any("Hardly any light" in note for note in found.notes)
