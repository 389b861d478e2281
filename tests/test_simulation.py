"""Simulated movies as a whole: truth, presets, settings, files and the command line."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import (
    SMALL,
    centroid,
    gaussian_pixels,
    in_blocks_of,
    is_one_sentence,
    mean_is,
    placed,
    rng,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import build, flatten_settings, parameters
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.metrics import mask_scores, pearson
from napari_sofinet.simulation import (
    PRESETS,
    SimulationSettings,
    preset_settings,
    simulate,
)
from napari_sofinet.simulation.drawn_settings import draw_universal
from napari_sofinet.simulation.psf import FWHM_PER_SIGMA
from napari_sofinet.simulation.sample_settings import BlinkingSettings
from napari_sofinet.simulation.settings import CameraSettings, MotionSettings
from napari_sofinet.simulation.writing import write_movie
from napari_sofinet.sofi import cross_cumulants
from napari_sofinet.sofi.pixel_sets import pixel_sets

# Cumulants of what was simulated


def test_the_second_cumulant_of_one_emitter_is_analytic(tmp_path):
    # kappa_2(r1, r2) = e² rho (1 - rho) U(r1) U(r2) for blinks slow against a frame; frame averages
    # of dwell times of 200 frames lose 3 in 1000 of it.
    s = placed(
        tmp_path,
        [[0.53, 0.61]],
        rows=12,
        columns=12,
        frames=60_000,
        blinking__model="two-state",
        blinking__on_time_s=2.0,
        blinking__off_time_s=2.0,
    )
    made = simulate(s)
    found = cross_cumulants(made.light(0, s.frames), (2,), "single")[2]
    psf = gaussian_pixels((5.3, 6.1), (12, 12), 2.2 / FWHM_PER_SIGMA)
    a = 0.01 * (1 / 2 + 1 / 2)
    seen = 2 / a**2 * (a - 1 + np.exp(-a))
    for i, j in ((9, 11), (8, 10), (9, 10), (7, 12)):
        ((y1, x1), (y2, x2)) = pixel_sets(2, "single")[i % 2, j % 2][0]
        y, x = 1 + i // 2, 1 + j // 2
        both = psf[y + y1, x + x1] * psf[y + y2, x + x2]
        # Of rho = 1/2 a wrong mean enters only in its square.
        assert found[i, j] == pytest.approx(1000**2 * 0.25 * seen * both, rel=0.02)
        trace = np.zeros(s.frames)
        trace[made.truth.events.frame] = made.truth.events.fraction
        assert found[i, j] == pytest.approx(1e6 * trace.var() * both, rel=1e-6)


def test_what_does_not_blink_vanishes_in_cumulants():
    s = build(
        SimulationSettings,
        {
            "rows": 32,
            "columns": 40,
            "frames": 600,
            "blinking.model": "steady",
            "structure.count": 5,
            "background.photons": 20,
            "background.structured": 0.4,
            "background.out_of_focus": 0.4,
            "background.still_photons": 20,
            "camera.pixel_spread": 0.03,
        },
    )
    frames = simulate(s).frames.astype(float)
    # Samples of odd numbers are covariances of diagonal neighbours. Of noise alone these have a
    # standard deviation of sqrt(v1 v2 / T).
    found = cross_cumulants(frames, (2,), "single")[2][1::2, 1::2]
    noise = frames.var(axis=0)
    z = found / np.sqrt(noise[1:-3, 1:-3] * noise[2:-2, 2:-2] / 600)
    assert abs(z.mean()) < 4.5 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * z.size))
    assert np.abs(z).max() < 5


# Movie and truth


def test_same_seed_same_movie_and_other_seeds_never():
    first, again = simulate(SMALL), simulate(SMALL)
    np.testing.assert_array_equal(first.frames, again.frames)
    assert first.frames.shape == (20, 32, 40)
    movies = {simulate(SMALL, seed=seed).frames.tobytes() for seed in range(30)}
    assert len(movies) == 30
    assert simulate(SMALL, seed=1).frames.tobytes() == first.frames.tobytes()
    assert simulate("argolight", seed=3).settings == preset_settings("argolight", 3)


@pytest.mark.parametrize("motion", [MotionSettings(), MotionSettings(drift_x_um_per_s=0.1)])
def test_frames_are_the_same_in_any_order_and_any_blocks(monkeypatch, motion):
    background = SMALL.background.model_copy(update={"still_photons": 1.0, "half_life_s": 1.0})
    s = SMALL.model_copy(update={"motion": motion, "background": background})
    whole = simulate(s).frames
    np.testing.assert_array_equal(simulate(s).counts(13, 15), whole[13:15])
    np.testing.assert_array_equal(simulate(s).counts(2, 3), whole[2:3])
    in_blocks_of(3, monkeypatch)
    made = simulate(s)
    assert [len(block) for block in made.blocks()] == [3] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(list(made.blocks())), whole)
    lazy = made.lazy()
    assert (lazy.shape, lazy.dtype, lazy.numblocks) == (whole.shape, whole.dtype, (7, 1, 1))
    np.testing.assert_array_equal(lazy[19].compute(), whole[19])
    np.testing.assert_array_equal(lazy.compute(), whole)


def test_a_longer_movie_or_another_camera_keeps_the_structure():
    short = simulate(SMALL.model_copy(update={"frames": 5}))
    long = simulate(SMALL.model_copy(update={"frames": 50}))
    np.testing.assert_array_equal(short.truth.positions_um, long.truth.positions_um)
    np.testing.assert_array_equal(short.camera.gain, long.camera.gain)
    bare = simulate(SMALL.model_copy(update={"camera": CameraSettings(model="ideal")}))
    usual = simulate(SMALL)
    np.testing.assert_array_equal(bare.truth.positions_um, usual.truth.positions_um)
    np.testing.assert_array_equal(bare.truth.events.fraction, usual.truth.events.fraction)
    np.testing.assert_array_equal(bare.light(3, 5), usual.light(3, 5))


def test_the_mean_of_a_long_movie_is_the_blurred_truth():
    blinking = BlinkingSettings(off_time_s=0.1)
    s = SMALL.model_copy(update={"frames": 3000, "blinking": blinking})
    made = simulate(s)
    wide = made.truth.ideal(fineness=1, fwhm_um=0.22).image
    light = made.frames.mean(axis=0) - made.camera.offset - s.background.photons
    duty = 0.01 / 0.11
    assert light.sum() == pytest.approx(duty * wide.sum(), rel=0.03)
    assert pearson(light, wide) > 0.99


def test_truth_file_has_the_public_format(tmp_path):
    made = simulate(SMALL)
    made.truth.save(tmp_path / "truth.npz")
    with np.load(tmp_path / "truth.npz", allow_pickle=False) as file:
        stored = dict(file)
    n = len(stored["positions_um"])
    assert set(stored) == {"positions_um", "photons", "frame", "emitter", "fraction", "settings"}
    np.testing.assert_array_equal(stored["positions_um"], made.truth.positions_um)
    assert stored["positions_um"].shape == (n, 2)
    assert stored["photons"].shape == (n,)
    assert stored["frame"].max() < 20
    assert stored["emitter"].max() < n
    assert len(stored["fraction"]) == len(stored["frame"]) == len(stored["emitter"])
    assert SimulationSettings(**json.loads(str(stored["settings"]))) == SMALL
    assert list(tmp_path.iterdir()) == [tmp_path / "truth.npz"]


@pytest.mark.parametrize("fineness", [1, 2, 3, 5])
@pytest.mark.parametrize("origin_px", [(0.0, 0.0), (1.0, 1.0), (2.0, 0.5)])
def test_movie_and_ideal_image_show_a_point_at_the_same_place(tmp_path, fineness, origin_px):
    world = np.array([1.0321, 1.3777])
    made = simulate(placed(tmp_path, [world]))
    np.testing.assert_allclose(0.1 * centroid(made.light(0, 1)[0]), world, atol=1e-4)
    ideal = made.truth.ideal(fineness=fineness, origin_px=origin_px)
    place = np.array(ideal.origin_um) + np.array(ideal.pixel_size_um) * centroid(ideal.image)
    np.testing.assert_allclose(place, world, atol=1e-4)
    last = np.array(ideal.origin_px) + (np.array(ideal.image.shape) - 1) / fineness
    assert (last <= (23, 27)).all()
    assert (last > np.array((23, 27)) - 1 / fineness).all()
    assert ideal.image.dtype == np.float32
    assert ideal.image.sum() == pytest.approx(1000, rel=1e-4)
    y, _ = np.indices(ideal.image.shape)
    away = (y - centroid(ideal.image)[0]) / fineness
    variance = np.sum(away**2 * ideal.image) / 1000 - 1 / 12 / fineness**2
    assert np.sqrt(variance) * FWHM_PER_SIGMA == pytest.approx(2.2 / fineness, rel=5e-3)
    chosen = made.truth.ideal(fineness=fineness, origin_px=origin_px, shape=(9, 11), fwhm_um=0.3)
    assert chosen.image.shape == (9, 11)


# Presets and settings


@settings(max_examples=40, deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(PRESETS)), seed=st.integers(0, 2**32 - 1))
def test_any_preset_and_seed_gives_a_valid_movie(name, seed):
    s = preset_settings(name, seed, {"rows": 20, "columns": 17, "frames": 3})
    assert SimulationSettings.model_validate_json(s.model_dump_json()) == s
    made = simulate(s)
    light = made.light(0, 3)
    assert np.isfinite(light).all()
    assert light.min() >= 0
    assert made.frames.shape == (3, 20, 17)
    assert made.frames.dtype == np.uint16
    events = made.truth.events
    assert np.isfinite(made.truth.positions_um).all()
    assert (np.diff(events.frame) >= 0).all()
    assert events.fraction.min(initial=0) >= 0
    if s.blinking.model != "dna-paint":
        assert events.fraction.max(initial=0) <= 1 + 1e-9
    assert np.isfinite(made.truth.ideal().image).all()


def test_presets_are_as_large_as_their_papers_say():
    sizes = {
        "microtubules": (128, 128, 0.1),
        "komen2024": (128, 128, 0.1),
        "dblink-filaments": (32, 32, 0.16),
        "dblink-mitochondria": (32, 32, 0.16),
        "deepstorm-kde": (20, 20, 0.1083),
    }
    for name, size in sizes.items():
        s = preset_settings(name)
        assert (s.rows, s.columns, round(s.pixel_size_um, 9)) == size
    made = simulate("deepstorm-kde", seed=3)
    assert len(made.truth.photons) == 10
    assert (made.truth.events.fraction == 1).all()
    away = made.truth.positions_um - 9.5 * 0.1083
    assert np.hypot(*away.T).max() < 7 * 0.1083
    # Twelve conditions, the last the dimmest and slowest.
    hardest = preset_settings("komen2024", 11)
    assert hardest.blinking.photons == 40
    assert hardest.blinking.off_time_s == 2.4
    assert len({preset_settings("komen2024", k).blinking for k in range(24)}) == 12


def test_universal_movies_stay_inside_their_ranges():
    photons, steady, even = [], [], []
    for seed in range(300):
        s = draw_universal(rng(seed), seed, 64, 64, 50)
        steady.append(s.blinking.steady_share)
        even.append(s.structure.spacing == "even")
        assert s.blinking.steady_share <= 1
        assert s.blinking.steady_share * s.blinking.photons <= 305
        assert 1.55 <= s.psf_fwhm_px <= 5.05
        assert 0.2 <= s.optics.fwhm_um <= 0.35
        assert 0.19 <= s.blinking.on_time_s / s.frame_interval_s <= 30.1
        photons.append(s.blinking.photons)
    assert min(photons) < 30 < 3000 < max(photons)
    mean_is(np.log(photons), np.log(20 * 5000) / 2)
    assert 0.2 < np.mean(np.array(steady) > 0) < 0.4
    assert 0.3 < np.mean(even) < 0.5


BAD = [
    {"blinking.on_time_s": -1.0},
    {"blinking.photons": -1},
    {"rows": 0},
    {"columns": 100_000},
    {"frames": 0},
    {"optics.psf_fwhm_um": 0},
    {"optics.psf_fwhm_um": 9.9, "optics.magnification": 900},
    {"optics.psf_fwhm_um": 9.9, "optics.psf": "airy"},
    {"optics.magnification": 1e-300},
    {"optics.psf_fwhm_um": None, "optics.na": 1e-320},
    {"camera.pixel_um": 1e-323},
    {"structure.emitters_per_um": 1e9},
    {"structure.emitters_per_um": 9000, "structure.count": 15},
    {
        "structure.emitters_per_um": 1000,
        "frames": 10_000,
        "blinking.steady_share": 0.1,
        "motion.drift_x_um_per_s": 1.0,
    },
    {"structure.count": 100_000},
    {"structure.count": 10**9},
    {"structure.kind": "random", "structure.emitters_per_um2": 99_999},
    {"structure.kind": "vesicles", "structure.size_um": 90},
    {"structure.kind": "rings", "structure.size_um": 99, "structure.count": 9000},
    {"structure.kind": "argolight", "rows": 4096, "structure.emitters_per_um": 1e4},
    # Spheres count too, not only the length of tubes.
    {"structure.kind": "mitochondria", "structure.length_um": 0.1, "structure.size_um": 100,
     "structure.count": 1, "structure.emitters_per_um2": 50_000},
    # Billions of flashes, and of frames that an emitter shines in.
    {"blinking.on_time_s": 1e-9, "blinking.off_time_s": 1e-9},
    {"blinking.on_time_s": 1e-322, "blinking.off_time_s": 1e-322, "structure.kind": "table"},
    {"blinking.model": "steady", "frames": 1_000_000},
    {"structure.missing": 1.5},
    {"background.structured": 0.7, "background.out_of_focus": 0.7},
    {"background.structured": 1.1},
    {"blinking.photons": float("nan")},
    {"motion.drift_x_um_per_s": float("inf")},
    {"structure.kind": "nothing"},
    {"camera.bits": 17},
    {"seed": -1},
    {"rows": "many"},
    {"no.such": 1},
    {"rows.more": 1},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_bad_settings_are_refused_in_a_sentence_before_anything_is_made(changes):
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as refused:
            preset_settings("microtubules", 1, changes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    is_one_sentence(str(refused.value))
    assert peak < 1e6


@pytest.mark.parametrize("leaf", list(parameters(SimulationSettings)), ids=lambda leaf: leaf.name)
def test_every_setting_refuses_what_is_outside_its_limits(leaf):
    bad = []
    for kind, below in (("ge", True), ("gt", True), ("le", False), ("lt", False)):
        limit = leaf.limit(kind)
        if limit is not None:
            step = max(abs(limit), 1) / 2
            bad.append(limit - step if below else limit + step)
            if kind in ("gt", "lt"):
                bad.append(limit)
    is_text = "str" in str(leaf.info.annotation) and "Literal" not in str(leaf.info.annotation)
    bad += [3, None] if is_text else [float("nan"), float("inf"), "x", [1]]
    assert len(bad) > 1
    for value in bad:
        with pytest.raises(InputError) as refused:
            preset_settings("microtubules", 1, {leaf.name: value})
        is_one_sentence(str(refused.value))
        assert leaf.name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "seed"), [("none", 1), ("microtubules", -1), ("universal", 2**32), ("", 0)]
)
def test_unknown_presets_and_seeds_are_refused(name, seed):
    with pytest.raises(InputError) as refused:
        preset_settings(name, seed)
    is_one_sentence(str(refused.value))


def test_changes_leave_the_rest_of_a_preset():
    usual = flatten_settings(preset_settings("argolight", 5))
    found = flatten_settings(preset_settings("argolight", 5, {"blinking.photons": 7.0}))
    assert found == usual | {"blinking.photons": 7.0}


# Files and the command line


def test_a_written_movie_reads_back_with_its_scale(tmp_path, monkeypatch):
    made = simulate(SMALL)
    in_blocks_of(3, monkeypatch)
    for limit, name in ((3.9e9, "small.tif"), (0, "large.ome.tif")):
        # Where an ImageJ file would be over 4 GB, a BigTIFF with OME metadata takes its place.
        monkeypatch.setattr("napari_sofinet.simulation.writing.IMAGEJ_BYTES", limit)
        told = []
        write_movie(tmp_path / name, made, lambda share, *_, told=told: told.append(share))
        assert told == sorted(told)
        assert told[-1] == 1
        with tifffile.TiffFile(tmp_path / name) as file:
            assert (file.is_imagej, file.is_ome) == (limit > 0, limit == 0)
            assert file.is_bigtiff == (limit == 0)
            series = file.series[0]
            assert (series.axes, series.shape, series.dtype) == ("TYX", (20, 32, 40), np.uint16)
            text = file.imagej_metadata["Info"] if limit else file.ome_metadata
        assert '"seed":1' in text.replace("&quot;", '"')
        movie = open_movie(tmp_path / name)
        assert movie.shape == (20, 32, 40)
        assert movie.pixel_size_um == pytest.approx(0.1, rel=1e-4)
        assert movie.frame_interval_s == pytest.approx(0.01)
        assert movie.notes == ()
        np.testing.assert_array_equal(tifffile.imread(tmp_path / name), made.frames)


def test_simulate_writes_movie_and_truth(tmp_path, capsys):
    movie, truth = tmp_path / "movie.tif", tmp_path / "truth.npz"
    words = ["simulate", "argolight", "-o", str(movie), "--truth", str(truth), "--seed", "9"]
    words += ["--frames", "12", "--rows", "30", "--blinking.photons", "77"]
    words += ["--frame-interval-s", "0.02"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "12 frames of 30 x 160 px" in shown.err
    changes = {"frames": 12, "rows": 30, "blinking.photons": 77, "frame_interval_s": 0.02}
    made = simulate(preset_settings("argolight", 9, changes))
    np.testing.assert_array_equal(tifffile.imread(movie), made.frames)
    opened = open_movie(movie)
    assert opened.pixel_size_um == pytest.approx(0.1, rel=1e-4)
    assert opened.frame_interval_s == pytest.approx(0.02)
    with np.load(truth) as stored:
        np.testing.assert_array_equal(stored["positions_um"], made.truth.positions_um)
        assert SimulationSettings(**json.loads(str(stored["settings"]))) == made.settings
    assert sorted(p.name for p in tmp_path.iterdir()) == ["movie.tif", "truth.npz"]
    # Again, from its own truth: the emitters stay where they are.
    again = ["simulate", "argolight", "-o", str(movie), "--structure.kind", "table"]
    again += ["--structure.file", str(truth), "--frames", "3", "--rows", "30", "--seed", "1"]
    assert main(again) == 0
    assert f"{len(made.truth.photons)} emitters" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["microtubules", "--frames", "0"],
        ["microtubules", "--frames", "ten"],
        ["microtubules", "--seed", "-1"],
        ["microtubules", "--blinking.photons", "-3"],
        ["microtubules", "--blinking.photons", "nan"],
        ["microtubules", "--structure.count", "1000000000"],
        ["microtubules", "--structure.count", "15", "--structure.emitters-per-um", "10000"],
        ["microtubules", "--optics.psf-fwhm-um", "0"],
        ["microtubules", "--background.structured", "0.6", "--background.out-of-focus", "0.6"],
        ["microtubules", "--structure.kind", "table"],
        ["microtubules", "--structure.kind", "table", "--structure.file", "TMP/none.csv"],
        ["microtubules", "--structure.kind", "image", "--structure.file", "TMP/there.txt"],
        ["microtubules", "--optics.psf", "image"],
        ["microtubules", "--optics.psf", "image", "--optics.psf-file", "TMP/there.txt"],
        ["microtubules", "--camera.dark-frames", "TMP/there.txt"],
        ["microtubules", "--camera.dark-frames", "TMP/none.tif"],
        ["microtubules", "-o", "TMP/none/movie.tif"],
        ["microtubules", "-o", "TMP/movie.png"],
        ["microtubules", "-o", "TMP/there.tif"],
        ["microtubules", "--truth", "TMP/none/truth.npz"],
        ["microtubules", "--truth", "TMP/truth.csv"],
        ["microtubules", "--no-such", "1"],
        [],
    ],
    ids=" ".join,
)
def test_simulate_refuses_in_one_line_and_leaves_nothing(tmp_path, capsys, words):
    (tmp_path / "there.txt").write_text("no TIFF")
    (tmp_path / "there.tif").mkdir()
    before = sorted(tmp_path.rglob("*"))
    words = [word.replace("TMP", str(tmp_path)) for word in words]
    given = [] if "-o" in words else ["-o", str(tmp_path / "movie.tif")]
    if "--truth" not in words:
        given += ["--truth", str(tmp_path / "truth.npz")]
    assert main(["simulate", *words, *given]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("sofinet: ")
    is_one_sentence(line.removeprefix("sofinet: "))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_movie_that_cannot_be_written_leaves_no_truth_either(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tifffile.imwrite", full)
    words = ["simulate", "microtubules", "-o", str(tmp_path / "movie.tif"), "--frames", "3"]
    assert main([*words, "--truth", str(tmp_path / "truth.npz")]) == 2
    assert "The disk is full" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# Scores against the truth


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
