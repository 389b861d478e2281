"""The check that runs with each reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
from artefacts import counts, with_lamp

import napari_sofinet as sofinet
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.preprocess.frame_sample import RUN, RUNS, SIDE_PX, FrameSample
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import komen2024_condition


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    settings = komen2024_condition(12, 0)
    return simulate(settings.model_copy(update={"rows": 64, "columns": 64, "frames": 120})).frames


def names(result: sofinet.Reconstruction) -> list[str]:
    return [found.name for found in result.recipe.reconstruct.check]


def test_a_good_movie_is_reconstructed_without_a_word_of_doubt(movie):
    result = sofinet.reconstruct(sofinet.open_movie(movie, 0.1), "sofi")
    assert names(result) == []
    assert "check" not in result.recipe.methods_paragraph


def test_weak_blinking_is_said_with_the_picture_and_kept(movie, tmp_path):
    rng = np.random.default_rng(0)
    weak = counts(movie + rng.normal(0, 10 * movie.std(axis=0).mean(), movie.shape) + 500)
    result = sofinet.reconstruct(sofinet.open_movie(weak, 0.1), "sofi")
    assert names(result)[0] in ("blinking", "signal to noise")
    worst = result.recipe.reconstruct.check[0]
    assert worst.sentence in result.notes
    assert worst.value in result.recipe.methods_paragraph
    result.save(tmp_path / "weak.ome.tif")
    assert (
        Recipe.load(tmp_path / "weak.ome.tif").reconstruct.check == result.recipe.reconstruct.check
    )


def test_a_flickering_lamp_is_said_until_it_is_corrected(movie):
    flickers = sofinet.open_movie(with_lamp(movie, np.random.default_rng(0)), 0.1)
    assert names(sofinet.reconstruct(flickers, "sofi")) == ["shared changes"]
    assert names(sofinet.reconstruct(flickers, "sofi", **{"brightness.correct": True})) == []


def test_a_mean_needs_no_blinking(movie):
    still = np.repeat(movie.mean(axis=0, keepdims=True), 50, axis=0)
    noisy = np.random.default_rng(0).poisson(still).astype(np.uint16)
    assert names(sofinet.reconstruct(sofinet.open_movie(noisy, 0.1), "average")) == []
    assert names(sofinet.reconstruct(sofinet.open_movie(noisy, 0.1), "sofi")) == ["blinking"]


def test_defects_do_not_hide_the_doubt(movie):
    flickers = with_lamp(movie, np.random.default_rng(0))
    flickers[7] = 0
    result = sofinet.reconstruct(sofinet.open_movie(flickers, 0.1), "sofi")
    assert result.details["left_out_frames"] == 1
    assert names(result) == ["shared changes"]


@pytest.mark.parametrize("frames", [5, RUN * RUNS, 1000])
@pytest.mark.parametrize("step", [1, 7, 64, 1000])
def test_the_sample_does_not_depend_on_the_blocks(frames, step):
    shape = frames, SIDE_PX + 6, 40
    movie = np.broadcast_to(np.arange(frames)[:, None, None], shape) + np.zeros(shape, int)
    movie[:, SIDE_PX + 3 :] = -1
    sample = FrameSample(shape)
    for first in range(0, frames, step):
        sample.add(movie[first : first + step], first)
    kept = np.asarray(sample.movie("a", None).frames)
    assert kept.shape == (min(frames, RUN * RUNS), SIDE_PX, 40)
    assert (kept >= 0).all()
    seen = kept[:, 0, 0]
    assert seen[0] == 0
    assert seen[-1] == frames - 1
    assert (np.diff(seen) >= 1).all()
