"""A point appears at the same world coordinate in every output."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.methods.run import reconstruct

PIXEL_UM = 0.16


def movie_of_a_point(y: float, x: float) -> np.ndarray:
    i, j = np.mgrid[:24, :26]
    psf = np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * 1.1**2))
    on = np.random.default_rng(0).random(120) < 0.15
    return (1000 * on[:, None, None] * psf).astype(np.float32)


def centre_px(result) -> np.ndarray:
    """Centre of gravity, in camera pixels of the whole image; there is no background."""
    image = result.image.astype(float)
    index = [np.sum(image * grid) / image.sum() for grid in np.indices(image.shape)]
    return np.array(result.origin_px) + np.array(index) * result.pixel_px


@pytest.mark.parametrize("at", [(11.0, 12.0), (11.5, 12.5), (10.83, 13.27), (12.1, 11.66)])
@pytest.mark.parametrize("roi", [None, ((3, 22), (5, 23))])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("average", {}),
        ("std", {}),
        ("sofi", {"order": 2}),
        ("sofi", {"order": 3}),
        ("sofi", {"order": 4}),
        ("sofi", {"order": 2, "linearization": "none"}),
        ("sofi", {"order": 3, "pixel_sets": "single", "psf_fwhm_px": 2.6}),
    ],
)
def test_a_point_stays_where_it_is(method, settings, roi, at):
    movie = open_movie(movie_of_a_point(*at), PIXEL_UM).select(roi=roi)
    result = reconstruct(movie, method, **settings)
    assert np.abs(centre_px(result) - at).max() <= 0.02
    assert result.origin_um == pytest.approx(np.array(result.origin_px) * PIXEL_UM)
    assert result.pixel_size_um == pytest.approx(np.array(result.pixel_px) * PIXEL_UM)


def test_the_grid_is_the_documented_one():
    frames = np.random.default_rng(1).poisson(9, (20, 128, 128)).astype(np.uint16)
    result = reconstruct(open_movie(frames, 0.1), "sofi", order=2)
    assert result.image.shape == (249, 249)
    assert result.pixel_size_um == pytest.approx((0.05, 0.05))
    assert result.origin_um == pytest.approx((0.1, 0.1))
