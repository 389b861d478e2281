"""Changes that the whole field has in common, and amounts by the mean image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

pytest.importorskip("torch")

import napari_sofinet as sofinet
from napari_sofinet.covariance.common_changes import CellLight, common_courses
from napari_sofinet.covariance.common_movement import CommonMovement
from napari_sofinet.covariance.light_balance import (
    HalfVariances,
    balanced_by_light,
    light_above_background,
    weight_of_light,
)

SIDE, SIGMA = 40, 1.0


def filaments(rng: np.random.Generator, count: int = 1000) -> np.ndarray:
    """Emitters (N, 2) on four bent lines in px."""
    along = rng.uniform(3, SIDE - 4, count)
    line = rng.integers(0, 4, count)
    across = 5 + 9.5 * line + 2.5 * np.sin(along / 6 + line)
    return np.stack([across, along], axis=1)


def light_of(
    at: np.ndarray, brightness: np.ndarray, frames: int, rng: np.random.Generator, moved=None
) -> np.ndarray:
    """Photons (T, Y, X) of emitters that are on in 5 % of the frames."""
    moved = np.zeros((frames, 2)) if moved is None else moved
    out = np.empty((frames, SIDE, SIDE))
    edges = np.arange(SIDE + 1) - 0.5
    for t in range(frames):
        on = rng.random(len(at)) < 0.05
        y, x = (
            np.diff(ndtr((edges - at[on, k, None] - moved[t, k]) / SIGMA), axis=1) for k in (0, 1)
        )
        out[t] = (y * brightness[on, None]).T @ x
    return out


def counts_of(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts of a camera with an offset of 100 and a gain of 2."""
    return (2 * rng.poisson(light) + rng.normal(100, 3, light.shape)).round().astype(np.uint16)


def reconstructed(counts: np.ndarray):
    return sofinet.reconstruct(sofinet.open_movie(counts), "covariance", device="cpu", steps=15)


def common_of(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frames = counts.astype(np.float32)
    cells, movement = CellLight(frames.shape[1:]), CommonMovement(frames.mean(axis=0))
    for part in np.array_split(frames, 3):
        cells.add(part)
        movement.add(part)
    return common_courses(cells.value()), movement.value()


@pytest.mark.parametrize("seed", range(4))
def test_still_movies_have_nothing_in_common(seed):
    rng = np.random.default_rng(seed)
    at = filaments(rng)[: (1000, 300, 40, 5)[seed]]
    photons = rng.lognormal(5, 0.5, len(at))
    courses, path = common_of(counts_of(light_of(at, photons, 200, rng) + 5, rng))
    assert courses.shape == (200, 0)
    assert not path.any()


def test_a_flickering_and_fading_lamp_leaves_the_picture_as_it_is():
    rng = np.random.default_rng(1)
    at = filaments(rng)
    light = light_of(at, np.full(len(at), 100.0), 200, rng) + 60
    lamp = np.exp(-np.arange(200) / 500) * (1 + 0.05 * rng.normal(size=200))
    still = reconstructed(counts_of(light, np.random.default_rng(2)))
    found = reconstructed(counts_of(light * lamp[:, None, None], np.random.default_rng(2)))
    assert "common_changes" not in still.details
    assert found.details["common_changes"] >= 1
    assert any("brightness" in note for note in found.notes)
    alike = [gaussian_filter(one.image, 2).ravel() for one in (still, found)]
    assert np.corrcoef(alike)[0, 1] > 0.95


def test_a_trembling_stage_is_found_and_taken_off():
    rng = np.random.default_rng(3)
    at = filaments(rng)
    path = rng.normal(0, 0.2, (200, 2))
    light, moving = (
        light_of(at, np.full(len(at), 100.0), 200, np.random.default_rng(4), moved)
        for moved in (None, path)
    )
    # Steady light moves along, as emitters that do not blink.
    steady = light.mean(axis=0) * 6
    slopes = np.gradient(steady)
    trembling = steady - np.einsum("tk,kyx->tyx", path, slopes)
    still = reconstructed(counts_of(light + steady + 20, np.random.default_rng(5)))
    found = reconstructed(counts_of(moving + trembling + 20, np.random.default_rng(5)))
    assert "common_movement_px" not in still.details
    assert found.details["common_movement_px"] == pytest.approx(0.2 * np.sqrt(2), rel=0.12)
    assert any("moves by" in note for note in found.notes)
    alike = [gaussian_filter(one.image, 2).ravel() for one in (still, found)]
    assert np.corrcoef(alike)[0, 1] > 0.9


def weight_for(brightness_spread: float) -> float:
    rng = np.random.default_rng(6)
    at = filaments(rng, 400)
    # Each line has emitters of its own brightness.
    own = np.exp(brightness_spread * np.array([-1, 1, -0.5, 0.5]))
    line = np.round((at[:, 0] - 5) / 9.5).clip(0, 3).astype(int)
    light = light_of(at, 200 * own[line], 300, rng)
    halves = HalfVariances((SIDE, SIDE), 300, 1.0)
    counts = counts_of(light + 5, rng).astype(np.float32)
    for first in (0, 100, 200):
        halves.add(counts[first : first + 100], first)
    halves.end_sub_sequence()
    mean = counts.mean(axis=0)
    still = mean < np.percentile(mean, 30)
    above = light_above_background(mean, still, float(mean.min()), SIGMA)
    return weight_of_light(halves.value(), above, above > 0, 1.0, SIGMA)


def test_the_mean_counts_where_emitters_are_alike():
    assert weight_for(0.0) > 0.7
    assert weight_for(0.8) < 0.2


def test_variances_of_halves_are_free_of_the_noise_of_pixels():
    rng = np.random.default_rng(7)
    halves = HalfVariances((30, 30), 400, 1.0)
    noise = rng.normal(0, 10, (400, 30, 30)).astype(np.float32)
    halves.add(noise, 0)
    halves.end_sub_sequence()
    found = halves.value()[:, 5:-5, 5:-5]
    smoothed = 100 / (4 * np.pi)  # variance of the smoothed noise
    assert abs(found.mean()) < 0.03 * smoothed


def test_balance_keeps_the_sum_and_follows_the_light():
    rng = np.random.default_rng(8)
    truth = np.zeros((80, 80), np.float32)
    truth[20:60, 20:60] = gaussian_filter(rng.random((40, 40)), 6) ** 4
    picture = truth * gaussian_filter(rng.random((80, 80)), 4) ** 3
    light = gaussian_filter(truth, 4).reshape(20, 4, 20, 4).mean(axis=(1, 3))
    assert balanced_by_light(picture, light, 0.0, SIGMA) is picture
    found = balanced_by_light(picture, light, 1.0, SIGMA)
    assert found.sum() == pytest.approx(picture.sum(), rel=1e-4)
    before, after = (
        np.corrcoef(gaussian_filter(one, 4).ravel(), gaussian_filter(truth, 4).ravel())[0, 1]
        for one in (picture, found)
    )
    assert 1 - after < 0.2 * (1 - before)
