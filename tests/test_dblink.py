"""Films of moving structures from localisations."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import napari_sofinet as sofinet  # noqa: E402
from napari_sofinet.base.errors import Cancelled, InputError  # noqa: E402
from napari_sofinet.data.open_input import open_input  # noqa: E402
from napari_sofinet.data.open_movie import open_movie  # noqa: E402
from napari_sofinet.data.table import LocalizationTable  # noqa: E402
from napari_sofinet.data.table_files import write_localizations  # noqa: E402
from napari_sofinet.io import large_array  # noqa: E402
from napari_sofinet.localization.events import (  # noqa: E402
    LocalizationEvents,
    events_of_maps,
    events_of_table,
)
from napari_sofinet.methods import moving_structure as method  # noqa: E402
from napari_sofinet.methods.dblink import NETWORK  # noqa: E402
from napari_sofinet.methods.moving_structure import series_of  # noqa: E402
from napari_sofinet.methods.moving_structure_settings import DblinkSettings  # noqa: E402
from napari_sofinet.methods.repeat import repeat  # noqa: E402
from napari_sofinet.networks import device, weights  # noqa: E402
from napari_sofinet.networks import recurrent_series as recurrent  # noqa: E402
from napari_sofinet.networks.dblink import BlinkNet, DBlink  # noqa: E402
from napari_sofinet.networks.decay_maps import (  # noqa: E402
    TIMES,
    add_localizations,
    decay_maps,
    decay_maps_at,
    window_map,
    with_prior,
)
from napari_sofinet.training.dynamics import (  # noqa: E402
    dynamics_samples,
    dynamics_sequences,
)
from napari_sofinet.training.losses import sequence_loss, structure_loss  # noqa: E402
from napari_sofinet.training.settings import DynamicsTrainingSettings  # noqa: E402
from napari_sofinet.training.structure_motion import Motion  # noqa: E402
from napari_sofinet.training.structure_shapes import (  # noqa: E402
    filaments,
    mitochondria,
    picture_at,
)
from napari_sofinet.training.train import train  # noqa: E402


def some_table(count: int = 400, frames: int = 120, seed: int = 0) -> LocalizationTable:
    rng = np.random.default_rng(seed)
    return LocalizationTable(
        np.sort(rng.integers(0, frames, count)),
        rng.uniform(-0.5, 9.5, count),
        rng.uniform(-0.5, 12.5, count),
        uncertainty_px=np.full(count, 0.1),
        camera_pixel_um=0.16,
        frames=frames,
        shape=(10, 13),
    )


def blinks_of(table: LocalizationTable, fineness: int = 4) -> LocalizationEvents:
    """All of a table."""
    roi = ((0, table.shape[0]), (0, table.shape[1]))
    return events_of_table(table, roi, (0, 10**6), fineness)


def bank_as_net() -> torch.nn.Module:
    """A stand-in for the network, which shows how much there is in all of its input."""

    class Sum(torch.nn.Module):
        reach_px = 0
        recurrent = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.sum(dim=1), x[:, 0] + x[:, 7]], dim=1)

    return Sum()


def saved(path, net: torch.nn.Module, parameters: dict[str, int]) -> str:
    card = weights.Card(
        name=path.stem, network="dblink", parameters=parameters, prior="It knows nothing.",
        trained_on="", command="", seed=0, steps=0, minutes=0, machine="", date="",
    )  # fmt: skip
    weights.save(path, net.state_dict(), card)
    return str(path)


@pytest.fixture
def small_weights(tmp_path):
    """Weights of a small network that has learnt nothing."""
    torch.manual_seed(3)
    return saved(tmp_path / "small.safetensors", BlinkNet(features=4), {"features": 4})


def paper_net() -> DBlink:
    """The paper's network, untrained, which remembers some windows, and shows something."""
    torch.manual_seed(5)
    net = DBlink()
    with torch.no_grad():
        net.picture[-1].weight *= 300
    return net.eval()


@pytest.fixture
def paper_weights(tmp_path):
    return saved(tmp_path / "paper.safetensors", paper_net(), {"paper": 1})


def test_the_papers_network_has_as_many_parameters_as_theirs():
    net = DBlink()
    assert sum(p.numel() for p in net.parameters()) == 1_266_913
    maps = torch.rand(2, 3, 11, 14)
    out = net(maps)
    assert out.shape == maps.shape
    # Both directions of time reach the first and the last picture.
    changed = maps.clone()
    changed[:, 2] += 1
    assert not torch.allclose(net(changed)[:, 0], out[:, 0], atol=1e-7)
    changed = maps.clone()
    changed[:, 0] += 1
    assert not torch.allclose(net(changed)[:, 2], out[:, 2], atol=1e-7)


def test_our_network_is_a_tenth_as_much_work_and_takes_any_shape():
    net = BlinkNet().eval()
    work = 0

    def count(layer, inputs, output):
        nonlocal work
        work += layer.weight[0].numel() * output.numel()

    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    net(torch.rand(1, 15, 64, 64))
    assert work / 64**2 < 1_256_000 / 10
    for shape in ((8, 8), (13, 21), (1, 30)):
        out = net(torch.rand(2, 15, *shape))
        assert out.shape == (2, 2, *shape)
        assert 0 <= out[:, 0].min()
        assert out[:, 0].max() <= 1


def test_spreading_keeps_weight_and_place():
    y, x = np.array([2.25, 0.0, 4.6]), np.array([3.5, 1.0, -0.4])
    out, first = np.zeros((2, 5, 6))
    add_localizations(out[None], y, x, np.ones((1, 3)))
    # The last one is shared with samples beyond two edges: 0.4 * 0.6 of it is inside.
    assert out.sum() == pytest.approx(2 + 0.4 * 0.6)
    add_localizations(first[None], y[:1], x[:1], np.ones((1, 1)))
    rows, columns = np.mgrid[:5, :6]
    assert (first * rows).sum() == pytest.approx(2.25)
    assert (first * columns).sum() == pytest.approx(3.5)


def test_a_bank_is_the_sum_of_its_definition():
    rng = np.random.default_rng(1)
    time, y, x = rng.uniform(-30, 30, 50), *rng.integers(0, 6, (2, 50)).astype(float)
    expected = np.zeros((14, 6, 6))
    for t, i, j in zip(time, y.astype(int), x.astype(int), strict=True):
        for k, tau in enumerate(TIMES):
            expected[k if t <= 4 else 7 + k, i, j] += np.exp(-abs(t - 4) / tau)
    np.testing.assert_allclose(decay_maps_at(time, y, x, 4.0, 6, 6), expected, rtol=1e-5, atol=1e-6)


def test_what_is_told_of_the_structure_is_one_more_map():
    maps = np.random.default_rng(0).random((3, 14, 5, 6), np.float32)
    for prior, value in (("either", 0), ("filaments", 1), ("mitochondria", -1)):
        out = with_prior(maps, prior)
        assert out.shape == (3, 15, 5, 6)
        assert (out[:, 14] == value).all()
        np.testing.assert_array_equal(out[:, :14], maps)


@pytest.mark.parametrize("count", [1, 2, 7, 16, 30])
def test_a_sweep_over_a_film_gives_the_same_maps(count):
    table = some_table()
    times = 4.5 + 3 * np.arange(count)
    made = list(decay_maps(blinks_of(table, 1), times, 10, 10, 13))
    assert len(made) == count
    for t, one in zip(times, made, strict=True):
        direct = decay_maps_at(table.frame / 10, table.y_px, table.x_px, t / 10, 10, 13)
        np.testing.assert_allclose(one, direct, rtol=1e-4, atol=1e-4)


def test_windows_slide_by_single_frames():
    table = some_table()
    shape, frames = (40, 52), (0, 120)
    every = series_of(blinks_of(table), shape, frames, DblinkSettings(step=1), bank_as_net())
    assert every.shape == (2, 111, 40, 52)
    third = series_of(blinks_of(table), shape, frames, DblinkSettings(step=3), bank_as_net())
    np.testing.assert_allclose(third, every[:, ::3], rtol=1e-4, atol=1e-4)
    # The same movie three frames later gives the same pictures three frames later.
    later = LocalizationTable(table.frame + 3, table.y_px, table.x_px, shape=(10, 13))
    moved = series_of(blinks_of(later), shape, (3, 123), DblinkSettings(step=1), bank_as_net())
    np.testing.assert_allclose(moved, every, rtol=1e-4, atol=1e-4)


def test_parts_of_a_field_fit_together(monkeypatch, small_weights):
    net, _, _ = weights.load(small_weights, NETWORK)
    rng = np.random.default_rng(4)
    table = LocalizationTable(
        rng.integers(0, 60, 900), rng.uniform(0, 60, 900), rng.uniform(0, 50, 900), shape=(60, 50)
    )
    chosen = blinks_of(table), (240, 200), (0, 60), DblinkSettings(step=20), net
    whole = series_of(*chosen)
    monkeypatch.setattr(method, "BYTES", 1)
    parts = series_of(*chosen)
    np.testing.assert_allclose(parts, whole, atol=0.02)


def small_table() -> LocalizationTable:
    rng = np.random.default_rng(2)
    frame = np.sort(rng.integers(0, 150, 300))
    return LocalizationTable(
        frame, rng.uniform(0, 4, 300), rng.uniform(0, 5, 300), frames=150, shape=(5, 6)
    )


@pytest.fixture
def exact(monkeypatch):
    """Computing with 32 bits."""
    monkeypatch.setattr(device, "has_fast_16_bits", lambda device: False)


def whole_sequence(net: DBlink, table: LocalizationTable, first: int, window: int) -> np.ndarray:
    """Pictures of all windows from a frame on, by the network itself, without chunks or parts."""
    blinks = blinks_of(table)
    rows, columns = (4 * n for n in table.shape)
    maps = np.stack(
        [
            window_map(blinks.during(a, a + window), rows, columns)
            for a in range(first, table.frames - window + 1, window)
        ]
    )
    with torch.inference_mode():
        return net(torch.from_numpy(maps)[None])[0].float().numpy()


def test_the_papers_film_in_chunks_and_parts_is_that_of_the_whole(monkeypatch, exact):
    net, table = paper_net(), small_table()
    chosen = blinks_of(table), (20, 24), (0, 150), DblinkSettings(window=5), net
    whole = whole_sequence(net, table, 0, 5)
    assert whole.std() > 0.1
    monkeypatch.setattr(recurrent, "CHUNK_BYTES", 7 * 8 * 4 * 20 * 24)  # 7 windows
    monkeypatch.setattr(recurrent, "TILE", 12)
    monkeypatch.setattr(recurrent, "WARM_UP", 15)
    chunks = series_of(*chosen, device="cpu")
    assert chunks.shape == (1, 30, 20, 24)
    np.testing.assert_allclose(chunks[0], whole, atol=2e-4)
    # Beginning the future of a chunk at its end would be seen.
    monkeypatch.setattr(recurrent, "WARM_UP", 0)
    assert np.abs(series_of(*chosen, device="cpu")[0] - whole).max() > 0.05


def test_the_papers_film_has_pictures_where_they_are_wanted(monkeypatch, exact):
    net, table = paper_net(), small_table()
    monkeypatch.setattr(recurrent, "CHUNK_BYTES", 2 * 8 * 4 * 20 * 24)
    sequences = [whole_sequence(net, table, first, 10) for first in range(10)]
    for step in (7, 10, 20):  # between windows, one after the other, every second
        settings = DblinkSettings(window=10, step=step)
        film = series_of(blinks_of(table), (20, 24), (0, 150), settings, net, device="cpu")[0]
        assert len(film) == 140 // step + 1
        for picture, start in zip(film, range(0, 141, step), strict=True):
            np.testing.assert_allclose(picture, sequences[start % 10][start // 10], atol=2e-4)
    # The same movie three frames later gives the same pictures.
    later = blinks_of(table)
    later = LocalizationEvents(later.time + 3, later.y, later.x, later.count)
    moved = series_of(later, (20, 24), (3, 153), settings, net, device="cpu")[0]
    np.testing.assert_allclose(moved, film, atol=2e-4)


def test_the_papers_network_gives_a_film_without_confidence(tmp_path, paper_weights, small_weights):
    table = some_table()
    film = sofinet.reconstruct(table, "dblink", weights=paper_weights, structure="filaments")
    ours = sofinet.reconstruct(table, "dblink", weights=small_weights)
    assert set(film.maps) == {"image"}
    assert film.image.shape == ours.image.shape
    for name in ("origin_px", "pixel_px", "time_series"):
        assert getattr(film, name) == getattr(ours, name)
    assert 0 <= film.image.min()
    assert film.image.max() <= 1
    assert any("no confidence" in note for note in film.notes)
    assert any("kind of structure" in note for note in film.notes)
    film.save(tmp_path / "film.ome.tif")
    again = sofinet.Reconstruction.load(tmp_path / "film.ome.tif")
    np.testing.assert_array_equal(again.image, film.image)


def counts_of(table: LocalizationTable) -> np.ndarray:
    film = np.zeros((table.frames, *table.shape), np.uint8)
    np.add.at(film, (table.frame, table.y_px.astype(int), table.x_px.astype(int)), 1)
    return film


@pytest.fixture
def table_of_samples():
    """Localisations in the middle of pixels, of which some lie upon others."""
    rng = np.random.default_rng(6)
    frame = np.sort(rng.integers(0, 60, 300))
    y, x = rng.integers(0, 20, 300), rng.integers(0, 24, 300)
    frame, y, x = (np.append(a, a[:20]) for a in (frame, y, x))
    return LocalizationTable(frame, y, x, camera_pixel_um=0.04, frames=60, shape=(20, 24))


@pytest.mark.parametrize("which", ["small_weights", "paper_weights"])
def test_a_film_of_maps_is_the_table_that_it_shows(request, tmp_path, table_of_samples, which):
    import tifffile

    path = tmp_path / "counts.tif"
    tifffile.imwrite(path, counts_of(table_of_samples), photometric="minisblack")
    chosen = {"weights": request.getfixturevalue(which), "window": 6, "step": 4}
    part = (10, 50), ((2, 18), (3, 24))
    table = table_of_samples.select(*part)
    expected = sofinet.reconstruct(table, "dblink", fineness=1, **chosen)
    movie = open_movie(path, 0.04).select(*part)
    film = sofinet.reconstruct(movie, "dblink", input="maps", **chosen)
    for name, pictures in expected.maps.items():
        np.testing.assert_allclose(film.maps[name], pictures, atol=1e-5)
    for name in ("pixel_px", "origin_px", "time_series", "details"):
        assert getattr(film, name) == getattr(expected, name)
    np.testing.assert_array_equal(repeat(film.recipe).image, film.image)
    assert "time series of maps" in film.recipe.methods_paragraph
    # The same from maps whose localisations add up to something else.
    brighter = open_movie(2.5 * movie.frames.compute().astype(np.float32), 0.04)
    other = sofinet.reconstruct(brighter, "dblink", input="maps", map_sum=2.5, **chosen)
    np.testing.assert_allclose(other.image, film.image, atol=1e-5)


def test_bells_in_a_map_add_up_to_their_localisations():
    from scipy.ndimage import gaussian_filter

    maps = np.zeros((4, 32, 32))
    maps[1, 10, 12], maps[3, 20, 20] = 1, 2
    maps = 2 * np.pi * gaussian_filter(maps, (0, 1, 1))  # as deepstorm's: of height 1
    blinks = events_of_maps(open_movie(maps), 2 * np.pi)
    assert blinks.count.sum() == pytest.approx(3, rel=0.1)  # without its faint edge
    assert blinks.during(1, 2).count.sum() == pytest.approx(1, rel=0.1)
    assert np.average(blinks.during(1, 2).x, weights=blinks.during(1, 2).count) == pytest.approx(12)


def test_what_is_no_film_of_maps_is_refused(small_weights):
    camera = np.random.default_rng(0).poisson(100, (30, 20, 20)).astype(np.uint16)
    chosen = {"weights": small_weights, "input": "maps"}
    with pytest.raises(InputError, match="no maps of single"):
        sofinet.reconstruct(open_movie(camera), "dblink", **chosen)
    with pytest.raises(InputError, match="not a time series of maps"):
        sofinet.reconstruct(some_table(), "dblink", **chosen)
    maps = np.zeros((30, 20, 20), np.float32)
    assert not sofinet.reconstruct(open_movie(maps), "dblink", **chosen).image.max() > 1
    maps[3, 4, 5] = np.nan
    with pytest.raises(InputError, match="Frame 3"):
        sofinet.reconstruct(open_movie(maps), "dblink", **chosen)


@pytest.mark.parametrize("fineness", [1, 4, 5])
def test_a_localisation_lies_where_the_film_says(monkeypatch, small_weights, fineness):
    monkeypatch.setattr(
        weights,
        "load",
        lambda name, network, known=weights.load: (bank_as_net(), *known(name, network)[1:]),
    )
    table = LocalizationTable(
        np.array([50]), np.array([6.3]), np.array([4.1]), frames=100, shape=(14, 16)
    )
    movie = table.select((20, 90), ((2, 12), (1, 9)))
    result = sofinet.reconstruct(movie, "dblink", weights=small_weights, fineness=fineness, step=1)
    assert result.image.shape == (61, 10 * fineness, 8 * fineness)
    first, step = result.time_series
    brightest = result.image.sum(axis=(1, 2)).argmax()
    assert first + step * brightest == pytest.approx(50, abs=0.5)
    picture = result.image[brightest] / result.image[brightest].sum()
    found = [
        origin + pixel * (picture.sum(axis=1 - axis) * np.arange(picture.shape[axis])).sum()
        for axis, (origin, pixel) in enumerate(zip(result.origin_px, result.pixel_px, strict=True))
    ]
    np.testing.assert_allclose(found, (6.3, 4.1), atol=1e-4)


def test_a_table_on_disk_becomes_a_film_that_can_be_repeated(tmp_path, small_weights):
    path = tmp_path / "locs.csv"
    write_localizations(path, some_table())
    movie = open_input(path, 0.16, frame_interval_s=0.01).select((0, 100))
    result = sofinet.reconstruct(movie, "dblink", weights=small_weights, step=20)
    assert result.axes == "TYX"
    assert set(result.maps) == {"image", "confidence"}
    assert result.frame_interval_s == pytest.approx(0.2)
    assert 0 <= result.maps["confidence"].min()
    assert result.maps["confidence"].max() <= 1
    again = repeat(result.recipe)
    for name, film in result.maps.items():
        np.testing.assert_array_equal(again.maps[name], film)


def test_a_table_in_memory_is_a_movie_for_dblink_only(small_weights):
    table = some_table()
    result = sofinet.reconstruct(table, "dblink", weights=small_weights)
    assert len(result.image) == 12
    assert not result.recipe.repeatable
    with pytest.raises(InputError, match="table of localisations"):
        sofinet.reconstruct(table, "sofi")
    with pytest.raises(InputError, match="longer than"):
        sofinet.reconstruct(table, "dblink", weights=small_weights, window=200)


def test_a_film_ends_where_its_table_ends(tmp_path, small_weights):
    # Of a movie of 500 frames only the first 120 were searched.
    table = replace(some_table(), frames=500, looked_at=(0, 120))
    for part in (table, table.select((50, 500))):
        result = sofinet.reconstruct(part, "dblink", weights=small_weights)
        first, step = result.time_series
        assert first + step * (len(result.image) - 1) < 120
        assert "from frames 0 to 119" in result.notes[0]
    with pytest.raises(InputError, match="from frames 0 to 119, not from 200"):
        sofinet.reconstruct(table.select((200, 500)), "dblink", weights=small_weights)
    # A table in a file is from the frames in the recipe beside it.
    localized = sofinet.Reconstruction(
        {"image": np.zeros((4, 4), np.float32)}, localizations=table, recipe=result.recipe
    )
    path = tmp_path / "locs.csv"
    localized.save(path)
    assert open_input(path, 0.16).frames_seen == (50, 120)
    # Rows of another program: what is not known is taken from the rows.
    foreign = replace(some_table(), frames=None, frame=some_table().frame + 305)
    result = sofinet.reconstruct(foreign, "dblink", weights=small_weights)
    assert result.time_series[0] == 304.5
    assert len(result.image) == 12
    assert "as far as its rows tell, from frames 300 to 424" in result.notes[0]
    early = replace(some_table(), frames=None)
    assert not any(
        "rows tell" in note
        for note in sofinet.reconstruct(early, "dblink", weights=small_weights).notes
    )


def test_frames_without_localisations_are_not_believed(small_weights):
    table = some_table(4000, 1000)
    holed = table.filter("frame < 400").frame, table.filter("frame >= 700").frame
    kept = table.rows(np.isin(table.frame, np.concatenate(holed)))
    whole, gap = (sofinet.reconstruct(t, "dblink", weights=small_weights) for t in (table, kept))
    sure, doubted = (result.maps["confidence"].mean(axis=(1, 2)) for result in (whole, gap))
    assert doubted[55] < 0.05 * sure[55]
    assert doubted[20] == pytest.approx(sure[20], rel=0.1)
    note = next(note for note in gap.notes if "hardly any" in note)
    low, high = map(int, re.search(r"frames (\d+) to (\d+)", note).groups())
    assert 400 <= low <= 500
    assert 600 <= high <= 700
    assert not any("hardly any" in note for note in whole.notes)


def test_a_movies_table_knows_the_frames_that_were_searched():
    movie = open_movie(np.random.default_rng(0).poisson(20, (60, 16, 16)).astype(np.uint16))
    part = movie.select((10, 50)).leave_out([(20, 30)])
    table = sofinet.reconstruct(part, "deepstorm", detector="single").localizations
    assert table.looked_at == (10, 50)


def test_localisations_of_another_kind_are_told():
    table = some_table()
    card = weights.Card(
        name="w", network="dblink", parameters={}, prior="", trained_on="", command="", seed=0,
        steps=0, minutes=0, machine="", date="",
        ranges={"blinks_per_window": (0.01, 0.1), "error_samples": (0.5, 2.0)},
    )  # fmt: skip
    pictures = np.zeros((3, 8, 8))
    assert "No structure" in method.out_of_range(table, 10 / 3, pictures, DblinkSettings(), card)[0]
    pictures[:, 0] = 1
    # 400 localisations in 120 frames: 33 in a window, on 8 samples.
    rate, error = method.out_of_range(table, 10 / 3, pictures, DblinkSettings(fineness=1), card)
    assert "4.2 localisations" in rate or "fewer" in rate
    assert "fineness of 10" in error
    empty = table.rows(slice(0, 0))
    assert "no localisation" in method.out_of_range(empty, 0, pictures, DblinkSettings(), card)[0]


def test_samples_show_what_they_say():
    settings = DynamicsTrainingSettings(side_px=16, structure="filaments")
    made = dynamics_samples(settings, 6, 5)
    assert made.frames.shape == (6, 15, 64, 64)
    assert made.target.shape == (6, 64, 64)
    assert set(np.unique(made.target)) <= {0, 1}
    again = dynamics_samples(settings, 6, 5)
    torch.testing.assert_close(made.frames, again.frames, rtol=0, atol=0)
    # There is more light where there is structure.
    both = made.frames[:, :14].sum(dim=1)
    on = both[made.target > 0].mean() / both[made.target == 0].mean()
    assert on > 2


def test_sequences_show_the_structure_where_it_blinks():
    settings = DynamicsTrainingSettings(
        side_px=16, structure="filaments", windows=12, blinks_min=0.2, density_min=300
    )
    made = dynamics_sequences(settings, 6, 5)
    assert made.frames.shape == made.target.shape == (6, 12, 64, 64)
    assert set(np.unique(made.target)) <= {0, 1}
    again = dynamics_sequences(settings, 6, 5)
    torch.testing.assert_close(made.frames, again.frames, rtol=0, atol=0)
    # Two thirds or so of them lie on the structure of their own window or next to it.
    near = torch.nn.functional.max_pool2d(made.target, 3, 1, 1)
    assert (made.frames * near).sum() / made.frames.sum() > 0.5
    # Where it moves, it is where they are then, not where they are at the other end.
    fast = settings.model_copy(update={"speed_max": 2.0, "density_max": 500})
    made = dynamics_sequences(fast, 12, 5)
    near = torch.nn.functional.max_pool2d(made.target, 3, 1, 1)
    gone = near * (1 - near.flip(1))
    assert (made.frames * gone).sum() > 3 * (made.frames.flip(1) * gone).sum()


@pytest.mark.parametrize("seed", range(4))
def test_a_filled_shape_goes_where_it_is_moved(seed):
    rng = np.random.default_rng(seed)
    structure = mitochondria(64, 0.15, rng)
    move = Motion(64, 0.1, rng)
    np.testing.assert_array_equal(picture_at(structure, move, 0.0, 64), structure.picture)
    later = picture_at(structure, move, 20.0, 64)
    at = move(structure.places, structure.object, np.full(len(structure.places), 20.0))
    at = np.round(at).astype(int)
    at = at[((at >= 0) & (at < 64)).all(axis=1)]
    assert later[at[:, 0], at[:, 1]].mean() > 0.9
    covered = np.zeros((64, 64), bool)
    covered[at[:, 0], at[:, 1]] = True
    assert (later & ~covered).sum() < 0.3 * later.sum()  # some emit at their membrane only


def test_the_papers_loss_is_the_sum_of_its_terms():
    pictures = torch.zeros(1, 2, 2, 3)
    pictures[0, 1] = torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    target = torch.zeros(1, 2, 2, 3)
    target[0, :, 1, 2] = 1
    # Twelve samples: squares 1 + 0.25 + 0.25; changes 0.5 + 0.5 + 1; slopes down 1, along 4 x 0.25.
    loss, nothing = sequence_loss(pictures, target, 0.0, 0.0)
    assert loss == pytest.approx(1.5 / 12)
    assert nothing == 0
    loss, _ = sequence_loss(pictures, target, 0.64, 0.0)
    assert loss == pytest.approx((1.5 + 0.64 * 2) / 12)
    loss, _ = sequence_loss(pictures, target, 0.0, 0.1)
    assert loss == pytest.approx((1.5 + 0.1 * 2) / 12)
    # The paper's own scale: 0 to 255, changes summed over its 128 x 128 samples.
    seen, truth = torch.rand(1, 5, 128, 128), (torch.rand(1, 5, 128, 128) > 0.9).float()
    change = (255 * seen).diff(dim=1).abs().sum() / 5
    theirs = ((255 * (seen - truth)) ** 2).mean() + 0.01 * change
    ours, _ = sequence_loss(seen, truth, 0.01 * 128**2 / 255, 0.0)
    assert 255**2 * ours == pytest.approx(float(theirs), rel=1e-5)


def test_the_papers_network_learns_goes_on_and_shows_how_far_it_is(tmp_path):
    chosen = DynamicsTrainingSettings(
        steps=3, batch=1, side_px=8, windows=2, validate_every=2, parameters="paper=1"
    )
    out, seen = tmp_path / "paper.safetensors", []

    def stop(fraction: float, message: str = "", preview: object = None) -> None:
        if message.startswith("step 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        train(NETWORK, out, chosen, device="cpu", report=stop)
    card = train(NETWORK, out, chosen, device="cpu", show=seen.append)
    assert card.parameters == {"paper": 1}
    assert card.steps == 3
    assert [step for step, _ in seen[-1].trained] == [1, 2, 3]
    for picture in (seen[-1].mean, seen[-1].picture, seen[-1].target):
        assert picture.shape == (32, 32)
    film = sofinet.reconstruct(some_table(), "dblink", weights=str(out), step=60)
    assert film.image.shape == (2, 40, 52)
    # To go on from, their card says which network it is.
    more = DynamicsTrainingSettings(**chosen.model_dump() | {"start": str(out), "parameters": ""})
    assert train(NETWORK, tmp_path / "more.safetensors", more).parameters == {"paper": 1}
    both = DynamicsTrainingSettings(parameters="paper=1", start="dblink", steps=1)
    with pytest.raises(InputError, match="size"):
        train(NETWORK, tmp_path / "no.safetensors", both)


def test_long_sequences_have_the_same_gradient(monkeypatch):
    from napari_sofinet.networks import dblink as networks

    torch.manual_seed(0)
    net, maps = DBlink(), torch.rand(1, 3, 12, 12)
    found = []
    for limit in (2**20, 1):
        monkeypatch.setattr(networks, "SAMPLES_IN_MEMORY", limit)
        net.zero_grad()
        (net(maps) ** 2).mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    torch.testing.assert_close(*found)


def test_lines_have_as_many_samples_as_they_are_long():
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(20):
        structure = filaments(128, 400, rng)
        inside = ((structure.places > -0.5) & (structure.places < 127.5)).all(axis=1).sum() * 0.25
        areas.append((structure.picture.sum(), inside))
    samples, length = np.sum(areas, axis=0)
    assert samples == pytest.approx(length, rel=0.08)  # some lie upon others


def test_the_loss_is_least_for_the_probability():
    target = torch.zeros(1, 20, 20)
    target[0, 5:8] = 1
    near = torch.nn.functional.max_pool2d(target[:, None], 3, 1, 1)[:, 0]
    out = torch.stack([target, 20 * near - 10], dim=1)
    picture, confidence = structure_loss(out, target)
    assert picture == 0
    assert confidence < 1e-3
    worse, doubt = structure_loss(torch.stack([1 - target, out[:, 1].neg()], dim=1), target)
    assert worse > 1
    assert doubt > 5


def test_a_film_larger_than_the_disk_is_refused(monkeypatch, small_weights):
    monkeypatch.setattr(large_array, "IN_MEMORY_BYTES", 0)
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr(large_array.shutil, "disk_usage", lambda place: full)
    with pytest.raises(InputError, match="not enough disk space"):
        sofinet.reconstruct(some_table(), "dblink", weights=small_weights)


def line_that_moves(rng: np.random.Generator, speed: float) -> LocalizationTable:
    """A line along x that goes down by so many camera pixels per frame, and false localisations."""
    frames, a_frame = 1000, 2
    frame = np.repeat(np.arange(frames), a_frame)
    y = 8 + speed * frame + rng.normal(0, 0.15, len(frame))
    x = rng.uniform(4, 20, len(frame))
    false = rng.integers(0, frames, 300)
    return LocalizationTable(
        np.concatenate([frame, false]),
        np.concatenate([y, rng.uniform(-0.5, 23.5, 300)]),
        np.concatenate([x, rng.uniform(-0.5, 23.5, 300)]),
        frames=frames,
        shape=(24, 24),
    )


def test_shipped_weights_have_a_card():
    path = weights.find("dblink", "dblink")
    card = weights.read_card(path)
    beside = json.loads(path.with_suffix(".yaml").read_text())
    assert card.name == "dblink"
    assert card.command.startswith("sofinet train dblink")
    assert beside["sha256"] == weights.digest(path)


@pytest.mark.parametrize("structure", ["filaments", "either"])
def test_shipped_weights_follow_a_line_that_moves(structure):
    table = line_that_moves(np.random.default_rng(8), 0.002)
    result = sofinet.reconstruct(table, "dblink", structure=structure, step=100)
    first, step = result.time_series
    for k in (2, 5, 8):
        now = 8 + 0.002 * (first + step * k)
        picture = result.image[k][:, 24:76]  # away from the line's ends
        y = result.origin_px[0] + np.arange(96) / 4
        assert np.median(np.abs(y[picture.argmax(axis=0)] - now)) < 0.2
        found = result.image[k] > method.THRESHOLD
        near = np.abs(y - now) < 0.5
        assert found[near].any(axis=0)[24:76].mean() > 0.9
        assert found[~near].mean() < 0.01
        sure = result.maps["confidence"][k]
        assert sure[near][:, 24:76].max(axis=0).mean() > 0.6


def test_shipped_weights_draw_nothing_where_nothing_is():
    rng = np.random.default_rng(9)
    table = LocalizationTable(
        rng.integers(0, 1000, 800), *rng.uniform(-0.5, 23.5, (2, 800)), frames=1000, shape=(24, 24)
    )
    result = sofinet.reconstruct(table, "dblink", step=100)
    assert (result.image > method.THRESHOLD).mean() < 0.003


def test_shipped_weights_fill_what_is_filled():
    rng = np.random.default_rng(10)
    count = 6000
    angle, radius = rng.uniform(0, 2 * np.pi, count), 3 * np.sqrt(rng.random(count))
    y, x = 12 + radius * np.sin(angle), 11 + radius * np.cos(angle)
    table = LocalizationTable(
        rng.integers(0, 1000, count),
        y + rng.normal(0, 0.1, count),
        x + rng.normal(0, 0.1, count),
        frames=1000,
        shape=(24, 24),
    )
    result = sofinet.reconstruct(table, "dblink", structure="mitochondria", step=500)
    i, j = result.origin_px[0] + np.mgrid[:96, :96] / 4
    away = np.hypot(i - 12, j - 11)
    assert result.image[1][away < 2.5].mean() > 0.9
    assert result.image[1][away > 3.5].mean() < 0.01


def test_napari_shows_a_film_of_maps_by_the_papers_network(
    make_napari_viewer, qtbot, monkeypatch, tmp_path, table_of_samples
):
    from napari_sofinet.widgets import model_widget

    monkeypatch.setattr(weights, "user_weights_folder", lambda: tmp_path / "weights")
    (tmp_path / "weights").mkdir()
    saved(tmp_path / "weights" / "paper.safetensors", paper_net(), {"paper": 1})
    viewer = make_napari_viewer()
    layer = viewer.add_image(counts_of(table_of_samples), name="maps")
    widget = model_widget.ModelWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.network_box.setCurrentIndex(widget.network_box.findData("dblink"))
    widget.form.change({"weights": "paper", "input": "maps"})
    widget.form.editors["window"].setValue(20)
    widget.run_or_cancel()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "Done" in widget.status.text()
    assert len(viewer.layers) == 2
    film = viewer.layers[-1]
    assert film.data.shape == (60, 20, 24)  # a picture at each frame
    assert film.data.pictures.shape == (3, 20, 24)
    # Samples lie where the maps' pixels do.
    for sample in ((3, 4), (19, 0)):
        np.testing.assert_allclose(
            film.data_to_world((0, *sample))[1:], layer.data_to_world((0, *sample))[1:]
        )
