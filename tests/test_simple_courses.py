"""A straight drift or a single jump, from images too dim to be registered in pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_sofinet as sofinet
from napari_sofinet.preprocess.drift import _jump_frame
from napari_sofinet.preprocess.drift_path import BlockPositions
from napari_sofinet.preprocess.simple_courses import CourseSearch

BLOCKS, SIDE = 10, 80
WAY = np.array([5.3, -7.6])


def images(at: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Sharp images (n, Y, X) of spots at positions (n, 2), in samples, in noise."""
    rng = np.random.default_rng(seed)
    scene = gaussian_filter((rng.random((2 * SIDE, 2 * SIDE)) < 0.01).astype(float), 2)
    spectrum = np.fft.fft2(scene - gaussian_filter(scene, 12))
    ky, kx = np.meshgrid(*2 * [2j * np.pi * np.fft.fftfreq(2 * SIDE)], indexing="ij")
    moved = [np.fft.ifft2(spectrum * np.exp(-ky * y - kx * x)).real for y, x in at]
    inside = np.s_[:, SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    clean = np.stack(moved)[inside]
    loud = gaussian_filter(rng.normal(size=clean.shape), (0, 1.5, 1.5))
    return clean / clean.std() + noise * loud / loud.std()


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_a_straight_drift_is_found(noise):
    at = np.outer(np.arange(BLOCKS) / (BLOCKS - 1), WAY)
    found = CourseSearch(images(at, noise), 20).line()
    assert found == pytest.approx(WAY, abs=0.1 if noise == 0 else 0.5)


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_a_jump_is_found_with_its_size(noise):
    at = np.outer(np.arange(BLOCKS) >= 4, WAY)
    before, found = CourseSearch(images(at, noise), 20).step()
    assert before == 4
    # The window does not pull it towards 0.
    assert found == pytest.approx(WAY, abs=0.1 if noise == 0 else 0.5)


def test_the_frame_of_a_jump_of_few_blinks():
    rng = np.random.default_rng(3)
    side, frames, jump = 40, 300, 137
    y, x = np.mgrid[:side, :side]
    movie = np.zeros((frames, side, side))
    for at in rng.uniform(6, 34, (40, 2)):
        on = rng.random(frames) < 0.05
        for t in np.flatnonzero(on):
            py, px = at + (1.5 if t >= jump else 0)
            movie[t] += 60 * np.exp(-((y - py) ** 2 + (x - px) ** 2) / 2)
    counts = rng.poisson(movie + 20) + 100
    edges = np.linspace(0, frames, 11).astype(int)
    blocks = BlockPositions(edges, np.zeros((10, 2)))
    found = [_jump_frame(sofinet.open_movie(counts.astype(np.uint16)), blocks, k) for k in (4, 5)]
    assert found == pytest.approx([jump, jump], abs=1)
