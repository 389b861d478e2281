"""Movies with artefacts: repaired by default, or named with the correction that helps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from artefacts import (
    CHANGES,
    DEFECTS,
    counts,
    gratings,
    shaken,
    spot,
    structured_illumination,
    with_column_noise,
    with_flickering_half,
    with_row_noise,
)

import napari_sofinet as sofinet
from napari_sofinet.data.moved_frames import MoveBack
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.sofi import sign_note
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.artefact_findings import shared_finding, vibration_finding
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.preprocess.frame_scan import FrameScan
from napari_sofinet.preprocess.grating import grating_period
from napari_sofinet.preprocess.repair import RepairSettings, repair_movie
from napari_sofinet.preprocess.repetition import repeats_after
from napari_sofinet.preprocess.shared_changes import shared_changes
from napari_sofinet.preprocess.suitability import check, overall_light
from napari_sofinet.preprocess.vibration import Vibration, estimate_vibration
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.presets import komen2024_condition
from napari_sofinet.sofi import cross_cumulants

SIDE, FRAMES = 80, 240
OFF = {"repair.frames": False, "repair.spikes": False, "repair.pixels": False}


@pytest.fixture(scope="module")
def clean():
    settings = komen2024_condition(24, 0)
    changes = {"rows": SIDE, "columns": SIDE, "frames": FRAMES}
    return simulate(settings.model_copy(update=changes))


def score(made, frames: np.ndarray, **settings) -> float:
    """Correlation of SOFI's picture with the emitters at 110 nm."""
    result = sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofi", **settings)
    truth = made.truth.ideal(origin_px=(1, 1), shape=result.image.shape, fwhm_um=0.11).image
    return pearson(result.image, truth)


@pytest.mark.parametrize("name", DEFECTS)
def test_what_cannot_be_signal_does_not_matter(clean, name):
    best = score(clean, clean.frames)
    spoilt = DEFECTS[name](clean.frames, np.random.default_rng(3))
    assert score(clean, spoilt, **OFF) < best - 0.015
    assert score(clean, spoilt) == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize("name", DEFECTS)
def test_networks_do_not_see_it_either(clean, name):
    pytest.importorskip("torch")
    frames = clean.frames[:40, :56, :56]
    expected = sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofinet").image
    spoilt = DEFECTS[name](frames, np.random.default_rng(4))
    found = sofinet.reconstruct(sofinet.open_movie(spoilt, 0.1), "sofinet").image
    assert pearson(found, expected) > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_the_advised_correction_makes_it_good(clean, name):
    spoil, finding = CHANGES[name]
    spoilt = spoil(clean.frames, np.random.default_rng(5))
    best, before = score(clean, clean.frames), score(clean, spoilt)
    assert before < best - 0.03
    found = {f.name: f for f in check(sofinet.open_movie(spoilt, 0.1))}
    assert found[finding].light == "fair"
    assert score(clean, spoilt, **found[finding].settings) > best - 0.02


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_faint_and_bright_dirt_is_taken_off_as_well(clean, strength):
    dirt = CHANGES["dirt"][0](clean.frames, np.random.default_rng(5)).astype(float)
    spoilt = counts(clean.frames + strength * (dirt - clean.frames))
    settings = shared_changes(sofinet.open_movie(spoilt, 0.1)).settings
    assert score(clean, spoilt, **settings) > (0.95 if strength < 1 else 0.9)


def test_advice_on_flicker_over_haze_is_all_that_networks_need(clean):
    pytest.importorskip("torch")
    spoilt = CHANGES["flicker over haze"][0](clean.frames, np.random.default_rng(5))
    shared = shared_changes(sofinet.open_movie(spoilt, 0.1))
    assert "networks" in shared_finding(shared).advice
    best = sofinet.reconstruct(sofinet.open_movie(clean.frames[:40], 0.1), "sofinet").image
    movie = sofinet.open_movie(spoilt[:40], 0.1)
    found = sofinet.reconstruct(movie, "sofinet", **shared.settings).image
    assert pearson(found, best) > 0.97
    lamp = CHANGES["lamp"][0](clean.frames, np.random.default_rng(5))
    settings = shared_changes(sofinet.open_movie(lamp, 0.1)).settings
    assert settings == {"brightness.correct": True}


def test_a_clean_movie_has_no_artefact(clean):
    findings = check(sofinet.open_movie(clean.frames, 0.1))
    assert overall_light(findings) == "good", [f for f in findings if f.light != "good"]
    assert not any(f.settings for f in findings)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_repaired_in_movies_without_defects(seed):
    preset = ("universal", "filaments", "microtubules")[seed % 3]
    settings = preset_settings(preset, 50 + seed, {"frames": 60, "rows": 48, "columns": 40})
    repair = repair_movie(sofinet.open_movie(simulate(settings).frames), RepairSettings())
    assert repair.details == {}
    assert repair.notes == ()


def test_single_molecules_are_no_spikes():
    # Each emitter shines in one frame only, hundreds of times as bright as the noise.
    rng = np.random.default_rng(0)
    frames = np.full((200, 48, 48), 5.0)
    for frame in frames:
        y, x = rng.uniform(3, 45, 2)
        frame += 900 * spot(frame.shape, y, x, 0.75)
    movie = sofinet.open_movie(rng.poisson(frames) + 100, 0.1)
    assert repair_movie(movie, RepairSettings()).details == {}


def test_a_repaired_movie_says_what_was_done(clean, tmp_path):
    import tifffile

    spoilt = clean.frames[:80].copy()
    spoilt[12] = 0
    spoilt[40, 33, 21] = 60_000
    spoilt[:, 50, 9] = 4000
    path, out = tmp_path / "m.tif", tmp_path / "o.ome.tif"
    tifffile.imwrite(path, spoilt, photometric="minisblack")
    movie = sofinet.open_movie(path, 0.1).select((5, 80), ((10, 70), (4, 74)))
    result = sofinet.reconstruct(movie, "sofi")
    notes = " ".join(result.notes)
    for words in ("(12) was left out", "frame 40 at y 33, x 21", "(y 50, x 9)"):
        assert words in notes
    counted = {"left_out_frames": 1, "replaced_spikes": 1, "replaced_pixels": 1}
    assert {name: result.details[name] for name in counted} == counted
    assert "1 defective pixel was replaced" in result.recipe.methods_paragraph
    result.save(out)
    again = repeat(sofinet.Reconstruction.load(out).recipe)
    np.testing.assert_array_equal(again.image, result.image)


def test_recipes_from_before_repair_leave_the_movie_as_it_is(clean, tmp_path):
    import tifffile

    spoilt = DEFECTS["cosmic rays"](clean.frames[:60], np.random.default_rng(0))
    tifffile.imwrite(tmp_path / "m.tif", spoilt, photometric="minisblack")
    old = sofinet.reconstruct(sofinet.open_movie(tmp_path / "m.tif"), "sofi", **OFF)
    step = old.recipe.reconstruct
    settings = {name: v for name, v in step.settings.items() if "repair" not in name}
    recipe = old.recipe.model_copy(
        update={"reconstruct": step.model_copy(update={"settings": settings})}
    )
    np.testing.assert_array_equal(repeat(recipe).image, old.image)


def test_the_look_does_not_depend_on_blocks(clean):
    frames = DEFECTS["bad pixels"](clean.frames[:60], np.random.default_rng(1))
    movie = sofinet.open_movie(frames)
    results = []
    for step in (1, 7, 60):
        scan = FrameScan(movie)
        for first in range(0, 60, step):
            scan.see(frames[first : first + step], first)
        assert scan.complete
        results.append(scan.result())
    for other in results[1:]:
        for name in ("bands", "highest", "second", "when", "mean", "variance", "shared"):
            np.testing.assert_array_equal(getattr(other, name), getattr(results[0], name))
    np.testing.assert_allclose(results[0].trace, frames.mean(axis=(1, 2)))
    np.testing.assert_array_equal(results[0].highest, frames.max(axis=0))


def test_repeated_frames_are_told(clean):
    movie = sofinet.open_movie(np.repeat(clean.frames[:30], 2, axis=0))
    assert "30 frames equal the frame before" in " ".join(
        sofinet.reconstruct(movie, "average").notes
    )


def test_one_bright_bead_does_not_hide_the_rest(clean):
    on = (np.arange(FRAMES) // 7 % 2)[:, None, None]
    spoilt = counts(clean.frames + 3000 * on * spot((SIDE, SIDE), 50.3, 60.2, 0.93))
    movie = sofinet.open_movie(spoilt, 0.1)
    image = sofinet.reconstruct(movie, "sofi").image
    truth = clean.truth.ideal(origin_px=(1, 1), shape=image.shape, fwhm_um=0.11).image
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] / 2 + 1
    far = np.hypot(y - 50.3, x - 60.2) > 5
    assert pearson(image[far][None], truth[far][None]) > 0.93
    found = {f.name: f for f in check(movie)}
    assert "y 50, x 60" in found["bright spot"].value


def test_a_stage_that_jumps_is_found_between_two_frames():
    changes = {"rows": 64, "columns": 64, "frames": 240, "structure.count": 10}
    before = simulate(preset_settings("microtubules", 7, changes))
    # The same sample, moved by whole pixels, so that its truth is known exactly.
    frames = before.frames.copy()
    frames[150:] = np.roll(frames[150:], (2, -1), (1, 2))
    drift = estimate_drift(sofinet.open_movie(frames, 0.1))
    assert drift.jumps == (150,)
    np.testing.assert_allclose(drift.path_px[-1], (2, -1), atol=0.1)
    assert np.abs(drift.path_px[:150]).max() < 0.1


@pytest.fixture(scope="module")
def shaken_frames(clean):
    path = np.random.default_rng(1).normal(0, 0.7, (FRAMES, 2))
    return shaken(clean, path), path


def test_vibration_is_named_and_corrected(clean, shaken_frames):
    frames, path = shaken_frames
    finding = {f.name: f for f in check(sofinet.open_movie(frames, 0.1))}["vibration"]
    assert finding.number == pytest.approx(path.std(), rel=0.15)
    assert finding.settings == {"vibration.correct": True}
    before = score(clean, frames)
    movie = sofinet.open_movie(frames, 0.1)
    result = sofinet.reconstruct(movie, "sofi", **finding.settings)
    truth = clean.truth.ideal(origin_px=(1, 1), shape=result.image.shape, fwhm_um=0.11).image
    assert before < 0.85
    assert pearson(result.image, truth) > 0.92
    assert "frames were moved back" in " ".join(result.notes)
    assert "Vibration of 0." in result.recipe.methods_paragraph


def test_vibration_of_dim_frames_is_named_but_not_corrected(clean):
    dim = clean.truth.photons * 0.1
    truth = dataclasses.replace(clean.truth, photons=dim)
    frames = shaken(dataclasses.replace(clean, truth=truth), np.zeros((FRAMES, 2)))
    movie = sofinet.open_movie(frames, 0.1)
    still = sofinet.reconstruct(movie, "std").image
    result = sofinet.reconstruct(movie, "std", **{"vibration.correct": True})
    np.testing.assert_array_equal(result.image, still)
    assert "none was corrected" in " ".join(result.notes)
    vague = Vibration(0.4, 0.05, 0.5, np.zeros((FRAMES, 2)))
    assert "too dim" in vibration_finding(vague).advice
    assert vibration_finding(vague).settings == {}


@pytest.mark.parametrize("jump", [0, 120])
def test_a_sample_that_does_not_vibrate_shows_none(clean, jump):
    frames = clean.frames.copy()
    frames[jump:] = np.roll(frames[jump:], (2, -1), (1, 2))
    assert estimate_vibration(sofinet.open_movie(frames, 0.1)).rms_px == 0


def test_steady_frames_keep_the_noise_of_neighbours_apart():
    noise = np.random.default_rng(0).normal(size=(100, 40, 40)).astype(np.float32)
    path = np.random.default_rng(1).normal(0, 0.7, (100, 2))
    moved = MoveBack(0, path)(noise, 0)[:, 8:-8, 8:-8]
    assert abs((moved[:, :, 1:] * moved[:, :, :-1]).mean()) < 0.02 * moved.var()


def test_molecules_that_never_come_again_show_no_drift():
    rng = np.random.default_rng(2)
    frames = np.full((300, 32, 32), 5.0)
    for frame in frames:
        for y, x in rng.uniform(0, 32, (3, 2)):
            frame += 50 * spot(frame.shape, y, x, 0.95)
    movie = sofinet.open_movie(rng.poisson(frames) + 100, 0.1)
    drift = estimate_drift(movie)
    assert drift.farthest_px == 0
    assert drift.error_px > 0.5
    result = sofinet.reconstruct(movie, "sofi", **{"drift.correct": True})
    assert "No significant drift was found" in " ".join(result.notes)


@pytest.mark.parametrize(("order", "off_s"), [(3, 0.02), (4, 0.08)])
def test_cumulants_that_vanish_are_told(order, off_s):
    changes = {
        "rows": 48, "columns": 48, "frames": 300,
        "blinking.on_time_s": 0.02, "blinking.off_time_s": off_s, "blinking.photons": 300.0,
    }  # fmt: skip
    frames = simulate(preset_settings("microtubules", 3, changes)).frames
    cumulants = cross_cumulants(frames, (2, order))
    assert "Choose order 2" in sign_note(cumulants[order], order)
    assert sign_note(cumulants[2], 2) is None
    notes = sofinet.reconstruct(sofinet.open_movie(frames), "sofi", order=order).notes
    assert any("one sign" in note for note in notes)


def test_frames_that_are_not_the_cameras_own_are_told(clean):
    from scipy.ndimage import gaussian_filter, median_filter

    frames = clean.frames[:60]
    for changed in (
        gaussian_filter(frames.astype(float), (0, 0.7, 0.7)),
        median_filter(frames, (1, 3, 3)),
    ):
        movie = sofinet.open_movie(changed.astype(np.float32), 0.1)
        assert "processing" in {f.name for f in check(movie)}
        notes = sofinet.reconstruct(movie, "sofinet").notes
        assert any("smoothed, compressed" in note for note in notes)


def test_a_z_stack_is_told(clean):
    from scipy.ndimage import gaussian_filter

    structure = clean.frames.mean(axis=0) - 100
    planes = [gaussian_filter(structure, abs(z)) for z in np.linspace(-3, 3, 31)]
    frames = np.random.default_rng(0).poisson(10 * np.maximum(planes, 0)) + 100
    assert {f.name: f.light for f in check(sofinet.open_movie(frames, 0.1))}["z stack"] == "bad"


@pytest.mark.parametrize("spoil", [with_flickering_half, with_row_noise, with_column_noise])
def test_offsets_of_halves_rows_and_columns_are_told_apart(clean, spoil):
    expected = {with_flickering_half: "halves", with_row_noise: "rows"}.get(spoil, "columns")
    for axes in ((0, 1, 2), (0, 2, 1)) if expected == "halves" else ((0, 1, 2),):
        frames = spoil(clean.frames.transpose(axes), np.random.default_rng(0)).transpose(axes)
        found = shared_changes(sofinet.open_movie(frames, 0.1))
        assert found.settings == {"readout.shared_by": expected}


@pytest.mark.parametrize("kind", ["2D", "3D", "hexagonal"])
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_stack_of_structured_illumination_is_told(kind, times, seed):
    frames = structured_illumination(kind, seed, times)
    found = {f.name: f for f in check(sofinet.open_movie(frames, 0.1))}
    assert found["structured illumination"].light == "bad"


def test_the_period_of_a_grating_is_measured(clean):
    from scipy.ndimage import gaussian_filter

    structure = np.maximum(clean.frames.mean(axis=0) - 103, 0)
    frames = [
        gaussian_filter(structure * light[::2, ::2], 0.9)
        for light in gratings("2D", 4.2, 0.2, 0.8, SIDE)
    ]
    counted = np.random.default_rng(0).poisson(20 * np.array(frames)) + 100
    assert grating_period(counted) == pytest.approx(4.2, rel=0.03)
    # All planes or times of a phase may come before the next phase.
    assert grating_period(np.repeat(counted, 3, axis=0)) == pytest.approx(4.2, rel=0.03)


def test_blinking_shows_no_grating(clean):
    for count in (7, 9, 15, 30, FRAMES):
        assert grating_period(clean.frames[:count]) == 0


def test_channels_that_alternate_and_cut_off_counts_are_told(clean):
    odd = (np.arange(FRAMES) % 2 == 1)[:, None, None]
    found = check(sofinet.open_movie(np.where(odd, clean.frames[:, ::-1], clean.frames), 0.1))
    assert {f.name: f.value for f in found}["repetition"] == "every 2 frames"
    cut = np.minimum(clean.frames, int(np.percentile(clean.frames, 99.5)))
    assert "cut off" in {f.name for f in check(sofinet.open_movie(cut, 0.1))}


def test_few_emitters_that_blink_are_no_repetition_and_phases_are():
    y, x = np.mgrid[:24, :24]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        frames, emitters = rng.integers(12, 150), rng.uniform(4, 20, (rng.integers(2, 25), 2))
        spots = [np.exp(-((y - p) ** 2 + (x - q) ** 2) / 2.4) for p, q in emitters]
        on = rng.random((frames, len(spots))) < 0.2
        assert repeats_after(rng.poisson(400 * np.tensordot(on, spots, 1) + 100)) == 0
        period = 2 + seed
        phases = 2 * np.pi * (np.arange(5 * period)[:, None, None] / period + x / 5)
        assert repeats_after(rng.poisson(100 + 50 * np.cos(phases))) == period
