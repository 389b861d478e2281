"""Networks as methods: from a movie and a weights file to a picture, and training."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from shared_networks import SMALL, card  # noqa: E402

import napari_sofinet as sofinet  # noqa: E402
from napari_sofinet.base.errors import Cancelled, InputError  # noqa: E402
from napari_sofinet.cli.main import main  # noqa: E402
from napari_sofinet.data.reconstruction import Reconstruction  # noqa: E402
from napari_sofinet.methods import network_picture  # noqa: E402
from napari_sofinet.methods.network_picture import NOT_CALIBRATED, half_width  # noqa: E402
from napari_sofinet.methods.network_settings import QUANTITATIVE  # noqa: E402
from napari_sofinet.methods.out_of_range import out_of_range_notes  # noqa: E402
from napari_sofinet.methods.registry import networks  # noqa: E402
from napari_sofinet.methods.repeat import repeat  # noqa: E402
from napari_sofinet.networks import weights  # noqa: E402
from napari_sofinet.networks.normalization import (  # noqa: E402
    background_level,
    measure_normalization,
    normalize,
)
from napari_sofinet.networks.orientations import (  # noqa: E402
    ORIENTATIONS,
    orient,
    orient_back,
)
from napari_sofinet.networks.weights import Uncertainty  # noqa: E402
from napari_sofinet.preprocess.characteristics import characteristics_of  # noqa: E402
from napari_sofinet.simulation import preset_settings, simulate  # noqa: E402
from napari_sofinet.training import own_movies  # noqa: E402
from napari_sofinet.training.settings import (  # noqa: E402
    EmitterTrainingSettings,
    TrainingSettings,
    missing_notes,
)
from napari_sofinet.training.task import task_of  # noqa: E402
from napari_sofinet.training.train import train  # noqa: E402

SIZES = ",".join(f"{name}={size}" for name, size in SMALL.items())
NETWORKS = networks()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Weights of a small network that is not trained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    table = Uncertainty(brightness=(0.0, 1.0), half_width=(2.0, 3.0))
    one = card(uncertainty=table)
    weights.save(path, weights.build(NETWORKS["sofinet"], SMALL).state_dict(), one)
    return path


@pytest.fixture(scope="module")
def frames():
    return simulate(preset_settings("microtubules", 2, {"rows": 40, "columns": 44})).frames[:24]


def test_a_picture_is_the_networks_on_all_frames(small, frames):
    movie = sofinet.open_movie(frames, 0.1)
    result = sofinet.reconstruct(movie, "sofinet", weights=str(small))
    net, _, _ = weights.load(str(small), NETWORKS["sofinet"])
    with torch.inference_mode():
        out = net(torch.from_numpy(frames.astype(np.float32))[None])[0].numpy()
    assert result.image.shape == (79, 87)
    np.testing.assert_allclose(result.image, np.maximum(out[0], 0), atol=0.01)
    expected = half_width(
        result.image, out[1], Uncertainty(brightness=(0.0, 1.0), half_width=(2.0, 3.0))
    )
    np.testing.assert_allclose(result.maps["uncertainty"], expected, rtol=0.05)
    assert (result.pixel_px, result.origin_px) == ((0.5, 0.5), (0, 0))
    assert QUANTITATIVE in result.notes
    # A part of the field lies where it is.
    part = sofinet.reconstruct(
        movie.select(None, ((6, 30), (8, 40))), "sofinet", weights=str(small)
    )
    assert part.origin_px == (6, 8)


def test_tiles_make_no_seams(small, frames, monkeypatch):
    movie = sofinet.open_movie(np.tile(frames[:6], (1, 2, 3)))
    whole = sofinet.reconstruct(movie, "sofinet", weights=str(small))
    monkeypatch.setattr(network_picture, "TILE_PX", 24)
    tiled = sofinet.reconstruct(movie, "sofinet", weights=str(small))
    np.testing.assert_allclose(tiled.image, whole.image, atol=0.01)


def test_a_time_series_is_a_picture_for_every_window(small, frames, tmp_path):
    movie = sofinet.open_movie(frames, 0.1, frame_interval_s=0.02)
    series = sofinet.reconstruct(movie, "sofinet", weights=str(small), window=8, step=4)
    assert series.image.shape == (5, 79, 87)
    assert (series.axes, series.time_series, series.frame_interval_s) == ("TYX", (3.5, 4.0), 0.08)
    assert series.maps["uncertainty"].shape == series.image.shape
    series.save(tmp_path / "series.ome.tif")
    back = Reconstruction.load(tmp_path / "series.ome.tif")
    assert (back.axes, back.time_series) == ("TYX", (3.5, 4.0))
    np.testing.assert_array_equal(back.image, series.image)


def test_levels_are_those_of_the_network(frames):
    movie = sofinet.open_movie(frames)
    levels = measure_normalization(movie, None)
    counts = frames.astype(np.float32)
    ours = (counts - levels.offset[:, None, None]) / levels.scale[:, None, None]
    theirs = normalize(torch.from_numpy(counts)[None])[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 659.0, 12345.7])
def test_a_field_that_is_nearly_the_same_everywhere_is_nearly_empty(level):
    # So few counts differ from the others that the quantile of what is bright is 0 or rounded.
    frames = np.full((25, 64, 64), level, np.float32)
    rng = np.random.default_rng(3)
    for t, y, x in rng.integers(0, (25, 64, 64), (6, 3)):
        frames[t, y, x] += rng.choice([-1, 1])
    assert np.abs(normalize(torch.from_numpy(frames)[None]).numpy()).max() < 1.01
    levels = measure_normalization(sofinet.open_movie(frames), None)
    np.testing.assert_allclose(levels.scale, 1, atol=0.01)
    made = sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofinet")
    assert made.image.max() < 0.1
    assert made.maps["uncertainty"].max() < 0.5


def test_a_hot_pixel_does_not_matter(small):
    frames = np.random.default_rng(0).normal(100, 5, (20, 30, 30)).astype(np.float32)
    hot = frames.copy()
    hot[:, 4, 5] = 60_000
    one, other = (
        sofinet.reconstruct(sofinet.open_movie(f), "sofinet", weights=str(small)).image
        for f in (frames, hot)
    )
    far = np.s_[40:, 40:]
    np.testing.assert_allclose(other[far], one[far], atol=0.02)
    assert other.max() < 10 * max(one.max(), 0.1)


def test_pictures_between_computed_ones_are_interpolated(small, frames):
    movie = sofinet.open_movie(frames)

    def series(**settings):
        return sofinet.reconstruct(movie, "sofinet", weights=str(small), window=10, **settings)

    every, some = series(every=1), series(every=4)
    assert len(every.image) == 15
    computed = [0, 4, 8, 12, 14]  # the last one, too
    np.testing.assert_array_equal(some.image[computed], every.image[computed])
    quarter = 0.75 * some.image[4] + 0.25 * some.image[8]
    np.testing.assert_allclose(some.image[5], quarter, atol=2e-3)  # before negative ones become 0
    assert any("interpolated" in note for note in some.notes)
    assert not any("interpolated" in note for note in every.notes)
    np.testing.assert_array_equal(series().image, series(every=2).image)
    np.testing.assert_array_equal(series(step=3).image, every.image[::3])


def test_whole_numbers_do_not_flicker():
    # The median of counts around 100.5 is 100 in one frame and 101 in the next.
    frames = np.round(np.random.default_rng(1).normal(100.5, 5**0.5, (20, 48, 48)))
    assert np.ptp(np.median(frames, axis=(1, 2))) == 1
    offset = measure_normalization(sofinet.open_movie(frames.astype(np.uint16)), None).offset
    assert np.ptp(offset) < 0.35
    assert offset.mean() == pytest.approx(100.5, abs=0.05)
    alike = background_level(torch.from_numpy(frames.astype(np.float32))[None])[0]
    np.testing.assert_allclose(alike, offset, atol=1e-3)
    picture = sofinet.reconstruct(sofinet.open_movie(frames.astype(np.uint16)), "sofinet")
    assert picture.image.max() < 0.05  # 0.2 with medians


def test_a_fading_movie_stays_as_bright():
    rng = np.random.default_rng(0)
    fading = np.exp(-np.arange(100) / 50)[:, None, None]
    frames = 100 + 1000 * fading * (rng.random((100, 20, 20)) > 0.95)
    levels = measure_normalization(sofinet.open_movie(frames), 10)
    peaks = ((frames - levels.offset[:, None, None]) / levels.scale[:, None, None]).max(axis=(1, 2))
    assert peaks[10:90] == pytest.approx(1, abs=0.15)


def test_recipes_know_their_weights(small, frames, tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    movie = sofinet.open_movie(tmp_path / "movie.tif", 0.1)
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(small.read_bytes())
    result = sofinet.reconstruct(movie, "sofinet", weights=str(copy))
    assert result.recipe.reconstruct.weights_sha256 == weights.digest(copy)
    np.testing.assert_array_equal(repeat(result.recipe).image, result.image)
    net = weights.build(NETWORKS["sofinet"], SMALL)
    weights.save(copy, net.state_dict(), card())
    with pytest.raises(InputError, match="have changed since the recipe was made"):
        repeat(result.recipe)


def broken(kind: str, small, tmp_path):
    path = tmp_path / "broken.safetensors"
    content = small.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}, protocol=4))
    elif kind == "torch":
        torch.save({"a": torch.zeros(3)}, path)
    elif kind == "text":
        path.write_text("no weights at all")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "no card":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(3)}, path)
    elif kind == "other network":
        net = weights.build(NETWORKS["convgru"], {"channels": 4})
        weights.save(path, net.state_dict(), card("convgru"))
    elif kind == "other size":
        weights.save(
            path, weights.build(NETWORKS["sofinet"], SMALL).state_dict(), card(parameters={})
        )
    return path


@pytest.mark.parametrize(
    "kind",
    ["truncated", "pickle", "torch", "text", "empty", "no card", "other network", "other size"],
)
def test_unusable_weights_give_one_sentence(kind, small, frames, tmp_path, capsys):
    import tifffile

    path = broken(kind, small, tmp_path)
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    code = main(
        [
            "reconstruct", "sofinet", str(tmp_path / "movie.tif"), "--weights", str(path),
            "-o", str(tmp_path / "out.ome.tif"),
        ]
    )  # fmt: skip
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("sofinet: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out.ome.tif").exists()


@pytest.mark.parametrize(
    ("movie", "sentence"),
    [
        (np.zeros((4, 60, 60), np.uint16), "at least 5 frames"),
        (np.zeros((20, 7, 7), np.uint16), "12 x 12 px"),
        (np.zeros((20, 30, 30), np.uint16), "is constant"),
        (np.full((20, 30, 30), np.nan, np.float32), "NaN"),
    ],
)
def test_unusable_movies_give_one_sentence(movie, sentence, small):
    with pytest.raises(InputError, match=sentence):
        sofinet.reconstruct(sofinet.open_movie(movie), "sofinet", weights=str(small))


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_file_is_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError):
        weights.read_card(path)


def test_movies_of_another_kind_are_told(small, frames):
    one = card(ranges={"psf_fwhm_px": (1.5, 5.0), "drift_px": (0.0, 1.5)})
    movie = sofinet.open_movie(frames)
    assert out_of_range_notes(characteristics_of(movie), one) == []
    wide = preset_settings(
        "microtubules",
        2,
        {"rows": 64, "columns": 64, "optics.psf_fwhm_um": 0.9, "blinking.photons": 3000},
    )
    blurred = sofinet.open_movie(simulate(wide).frames[:24])
    told = out_of_range_notes(characteristics_of(blurred), one)
    assert len(told) == 1
    assert "PSF width" in told[0]


QUICK = {"steps": 4, "batch": 2, "side_px": 16, "validate_every": 2, "minutes": None}


def test_training_writes_weights_that_can_be_used(tmp_path, capsys, frames):
    out = tmp_path / "mine.safetensors"
    words = [
        "train", "sofinet", "-o", str(out), "--steps", "4", "--batch", "2", "--side-px", "16",
        "--validate-every", "2", "--parameters", SIZES,
    ]  # fmt: skip
    assert main(words) == 0
    written = weights.read_card(out)
    assert (written.steps, written.network) == (4, "sofinet")
    assert written.figures["held_out_loss"] > 0
    assert written.uncertainty is not None
    assert "--preset" not in written.command
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]
    result = sofinet.reconstruct(sofinet.open_movie(frames), "sofinet", weights=str(out))
    assert set(result.maps) == {"image", "uncertainty"}


def test_the_papers_emitter_network_can_be_trained(tmp_path):
    out = tmp_path / "phi.safetensors"
    chosen = EmitterTrainingSettings(steps=2, batch=2, side_px=16, parameters="paper=1")
    assert train(NETWORKS["deepstorm"], out, chosen).parameters == {"paper": 1}
    frames = np.random.default_rng(0).poisson(10, (3, 20, 22))
    found = sofinet.reconstruct(sofinet.open_movie(frames), "deepstorm", weights=str(out))
    assert found.image.shape == (80, 88)


def test_training_that_is_left_goes_on(tmp_path):
    whole, left = tmp_path / "whole.safetensors", tmp_path / "left.safetensors"
    chosen = TrainingSettings(parameters="channels=4", frames_min=5, frames_max=6, **QUICK)
    train(NETWORKS["convgru"], whole, chosen)

    class Killed(BaseException):
        pass

    def kill(fraction, message="", preview=None):
        if message.startswith("step 2"):
            raise Killed

    with pytest.raises(Killed):
        train(NETWORKS["convgru"], left, chosen, report=kill)
    assert not left.exists()
    train(NETWORKS["convgru"], left, chosen)
    from safetensors.torch import load_file

    for name, tensor in load_file(whole).items():
        torch.testing.assert_close(load_file(left)[name], tensor)


def test_cancelled_training_keeps_the_best(tmp_path):
    out = tmp_path / "best.safetensors"

    def cancel(fraction, message="", preview=None):
        if message.startswith("step 3"):
            raise Cancelled

    chosen = TrainingSettings(parameters=SIZES, **QUICK | {"steps": 50})
    with pytest.raises(Cancelled):
        train(NETWORKS["sofinet"], out, chosen, report=cancel)
    assert weights.read_card(out).steps == 3


def test_other_settings_begin_anew(tmp_path):
    out = tmp_path / "mine.safetensors"

    def cancel(fraction, message="", preview=None):
        if message.startswith("step 3"):
            raise Cancelled

    chosen = TrainingSettings(parameters=SIZES, **QUICK | {"steps": 50})
    with pytest.raises(Cancelled):
        train(NETWORKS["sofinet"], out, chosen, report=cancel)
    other = train(
        NETWORKS["sofinet"], out, TrainingSettings(parameters=SIZES, preset="filaments", **QUICK)
    )
    assert other.steps == 4
    assert "filaments" in other.trained_on


@pytest.mark.parametrize(
    ("names", "changes", "sentence"),
    [
        ("sofinet convgru ddpm", {"parameters": "channels=0"}, "size"),
        ("sofinet convgru ddpm", {"parameters": "channels=x"}, "size"),
        ("sofinet convgru", {"frames_min": 9, "frames_max": 8}, "below the smallest"),
        ("ddpm", {"frames_min": 9, "frames_max": 8}, "minimum of frames must not exceed"),
        ("sofinet convgru", {"target": "sofi", "sofi": {"order": 3}}, "order 2"),
        ("sofinet convgru ddpm", {"learning_rate": 0.1, "start": "nowhere"}, "no weights"),
    ],
)
def test_unusable_settings_of_a_training_give_one_sentence(names, changes, sentence, tmp_path):
    for name in names.split():
        chosen = task_of(NETWORKS[name]).settings.model_validate({**QUICK, **changes})
        with pytest.raises(InputError, match=sentence):
            train(NETWORKS[name], tmp_path / "mine.safetensors", chosen)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["ddpm", "deepstorm"])
def test_settings_of_another_training_are_refused(name, tmp_path):
    with pytest.raises(InputError, match=f"{name} is not trained with TrainingSettings"):
        train(NETWORKS[name], tmp_path / "mine.safetensors", TrainingSettings())
    assert not list(tmp_path.iterdir())


def test_weights_that_are_used_are_not_replaced(small, frames, tmp_path):
    import tifffile

    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(small.read_bytes())
    with pytest.raises(InputError, match="replace"):
        train(NETWORKS["sofinet"], copy, TrainingSettings(start=str(copy), **QUICK))
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    disguised = tmp_path / "weights.ome.tif"
    disguised.write_bytes(small.read_bytes())
    words = ["reconstruct", "sofinet", str(tmp_path / "movie.tif"), "--weights", str(disguised)]
    assert main([*words, "-o", str(disguised)]) == 2
    assert disguised.read_bytes() == small.read_bytes()


def test_weights_without_numbers_are_refused(frames, tmp_path):
    state = weights.build(NETWORKS["sofinet"], SMALL).state_dict()
    broken_state = {k: torch.full_like(v, float("nan")) for k, v in state.items()}
    weights.save(tmp_path / "nan.safetensors", broken_state, card())
    with pytest.raises(InputError, match="not finite"):
        sofinet.reconstruct(
            sofinet.open_movie(frames), "sofinet", weights=str(tmp_path / "nan.safetensors")
        )


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e12])
def test_units_of_counts_do_not_matter(factor, small, frames):
    plain, scaled = (
        sofinet.reconstruct(sofinet.open_movie(f), "sofinet", weights=str(small)).image
        for f in (frames.astype(float), factor * frames)
    )
    np.testing.assert_allclose(scaled, plain, atol=0.01)


def test_own_movies_lie_over_their_targets():
    # SOFI of a blinking point: the target's brightest sample is at twice its place.
    y, x = np.mgrid[:40, :60]
    psf = np.exp(-((y - 17.0) ** 2 + (x - 9.5) ** 2) / (2 * 1.1**2))
    on = np.arange(300) % 7 == 0
    rng = np.random.default_rng(0)
    frames = 1000 * on[:, None, None] * psf + 100 + rng.normal(0, 1, (300, 40, 60))
    movie = sofinet.open_movie(frames.astype(np.float32), name="mine")
    settings = TrainingSettings()
    (own,) = own_movies.prepare([movie], 24, settings.sofi, lambda *_: None)
    place = np.unravel_index(np.nanargmax(own.target), own.target.shape)
    assert place == (34, 19)
    for held_out in (False, True):
        made = own_movies.crops([own], 12, 24, 20, 1, held_out)
        assert made.frames.shape == (12, 20, 24, 24)
        assert made.target.shape == (12, 47, 47)
        assert torch.isfinite(made.target).all()
        bright = made.target.amax(dim=(1, 2)) > 0.5
        assert bool(bright.any()) is not held_out
        for one, aim in zip(made.frames[bright], made.target[bright], strict=True):
            mean = one.mean(dim=0)
            at = np.array(np.unravel_index(int(mean.argmax()), mean.shape))
            aimed = np.array(np.unravel_index(int(aim.argmax()), aim.shape)) / 2
            assert np.abs(at - aimed).max() <= 0.5
    with pytest.raises(InputError, match="twice"):
        own_movies.prepare([movie, movie], 24, settings.sofi, lambda *_: None)
    still = rng.poisson(1000 * psf + 100, (300, 40, 60)).astype(np.float32)
    with pytest.raises(InputError, match="does not blink"):
        own_movies.prepare([sofinet.open_movie(still)], 24, settings.sofi, lambda *_: None)
    missing = missing_notes([movie])
    assert len(missing) == 3
    assert "3000" in missing[1]


def test_shipped_weights_have_cards():
    for network in ("sofinet", "convgru", "ddpm", "rcan_sim"):
        for name, path in weights.available(network).items():
            if path.parent != weights.SHIPPED:
                continue
            one = weights.read_card(path)
            assert one.name == name
            assert one.command.startswith("sofinet train")
            beside = json.loads(path.with_suffix(".yaml").read_text())
            assert beside["sha256"] == weights.digest(path)
            weights.load(name, NETWORKS[network])


@pytest.mark.parametrize("name", ["sofinet-universal", "sofinet-filaments"])
def test_shipped_weights_draw_a_point_where_it_is(name):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    errors = []
    for point in rng.uniform(14, 18, (8, 2)):
        psf = np.exp(-((y - point[0]) ** 2 + (x - point[1]) ** 2) / (2 * 0.93**2))
        on = (rng.random(20) < 0.3)[:, None, None]
        frames = (100 + rng.poisson(20 + 400 * on * psf)).astype(np.uint16)
        result = sofinet.reconstruct(sofinet.open_movie(frames), "sofinet", weights=name)
        image = result.image
        row, column = np.unravel_index(image.argmax(), image.shape)
        part = image[row - 5 : row + 6, column - 5 : column + 6]
        part = np.clip(part - 0.1 * part.max(), 0, None)
        centre = [(part * i).sum() / part.sum() - 5 for i in np.mgrid[:11, :11]]
        errors.append((np.array([row, column]) + centre) / 2 - point)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1


def test_shipped_weights_draw_filaments_and_nothing_in_noise():
    movie = simulate(preset_settings("komen2024", 12, {"rows": 64, "columns": 64, "frames": 20}))
    truth = movie.truth.ideal().image
    for name, least in (("sofinet-universal", 0.8), ("sofinet-filaments", 0.8)):
        result = sofinet.reconstruct(sofinet.open_movie(movie.frames), "sofinet", weights=name)
        assert np.corrcoef(result.image.ravel(), truth.ravel())[0, 1] > least
        close = np.abs(truth / np.quantile(truth[truth > 0.02 * truth.max()], 0.995) - result.image)
        assert (close <= result.maps["uncertainty"]).mean() > 0.8
        noise = np.random.default_rng(1).normal(100, 5, (20, 64, 64)).astype(np.float32)
        dark = sofinet.reconstruct(sofinet.open_movie(noise), "sofinet", weights=name)
        assert np.quantile(dark.image, 0.999) < 0.05 * np.quantile(result.image, 0.999)
        assert any("Hardly any light" in note for note in dark.notes)


def test_orientations_differ_and_are_undone(frames) -> None:
    seen = {
        orient(torch.from_numpy(frames.astype(float)), k).numpy().tobytes()
        for k in range(ORIENTATIONS)
    }
    assert len(seen) == ORIENTATIONS
    for k in range(ORIENTATIONS):
        x = torch.rand(2, 5, 7)
        assert torch.equal(orient_back(orient(x, k), k), x)


def test_uncertainty_from_eight_orientations(small, frames) -> None:
    movie = sofinet.open_movie(frames[:, :-3])
    found = sofinet.reconstruct(movie, "sofinet", uncertainty_from="flip_rotate")
    pictures = []
    for flip in (1, -1):
        for k in range(4):
            one = sofinet.open_movie(np.rot90(frames[:, :-3][:, ::flip], k, (1, 2)))
            pictures.append(np.rot90(sofinet.reconstruct(one, "sofinet").image, -k)[::flip])
    mean, spread = np.mean(pictures, axis=0), np.std(pictures, axis=0, ddof=1)
    assert mean.max() > 0.5
    np.testing.assert_allclose(found.image, mean, atol=0.01)
    one = weights.read_card(weights.find("sofinet-universal", "sofinet"))
    half = half_width(mean, np.log(spread + 1e-9), one.flip_rotate or NOT_CALIBRATED)
    np.testing.assert_allclose(found.maps["uncertainty"], half, atol=0.02 * half.max())
    series = sofinet.reconstruct(
        movie, "sofinet", uncertainty_from="flip_rotate", window=len(frames) - 1
    )
    alone = sofinet.reconstruct(
        movie.select((1, len(frames))), "sofinet", uncertainty_from="flip_rotate"
    )
    np.testing.assert_allclose(series.image[1], alone.image, atol=0.05)
    assert series.maps["uncertainty"].shape == series.image.shape
    bare = sofinet.reconstruct(movie, "sofinet", weights=str(small), uncertainty_from="flip_rotate")
    assert any("no calibration" in note for note in bare.notes)
