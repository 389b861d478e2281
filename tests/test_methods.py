"""Methods as a user meets them: projections, notes, errors."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA, needs_shared

import napari_sofinet as sofinet
from napari_sofinet import InputError
from napari_sofinet.metrics import mask_scores, pearson
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import komen2024_condition


def test_projections_are_numpys():
    frames = np.random.default_rng(0).normal(1e6, 1, (77, 6, 5))
    movie = sofinet.open_movie(frames)
    for method, expected in (("average", frames.mean(0)), ("std", frames.std(0))):
        image = sofinet.reconstruct(movie, method).image
        np.testing.assert_allclose(image, expected, rtol=1e-5)


def test_defaults_on_simulated_microtubules():
    found = []
    for seed in (5, 6, 7):
        made = simulate(komen2024_condition(seed, 4))
        truth = made.truth.ideal(fineness=2, origin_px=(1, 1), shape=(249, 249)).image
        result = sofinet.reconstruct(sofinet.open_movie(made.frames, 0.1), "sofi")
        scores = mask_scores(result.image, truth)
        found.append((pearson(result.image, truth), scores.tpr, scores.tnr))
        assert result.notes == ()
    correlation, tpr, tnr = np.mean(found, axis=0)
    assert correlation > 0.86
    assert tpr > 0.80
    assert tnr > 0.97


def test_noise_and_bleaching_are_told():
    rng = np.random.default_rng(1)
    noise = sofinet.open_movie(rng.poisson(100, (100, 40, 40)).astype(np.uint16))
    assert "do not trust" in " ".join(sofinet.reconstruct(noise, "sofi").notes)
    decay = np.exp(-np.arange(100) / 30)[:, None, None]
    bleaching = rng.poisson(50 + 500 * decay * np.ones((40, 40))).astype(np.uint16)
    notes = sofinet.reconstruct(sofinet.open_movie(bleaching), "sofi").notes
    assert "changes other than blinking" in " ".join(notes)


def test_negative_fourth_cumulants_still_show_their_emitter():
    # On for half of the time: kappa_4 is negative.
    y, x = np.mgrid[:16, :16]
    psf = np.exp(-((y - 8) ** 2 + (x - 7) ** 2) / 2.4)
    movie = sofinet.open_movie((np.arange(80) % 2 == 0)[:, None, None] * psf * 500)
    image = sofinet.reconstruct(movie, "sofi", order=4).image
    assert np.unravel_index(image.argmax(), image.shape) == (28, 24)


def test_unknown_methods_and_devices():
    movie = sofinet.open_movie(np.zeros((9, 8, 8)))
    with pytest.raises(InputError, match="did you mean sofi"):
        sofinet.reconstruct(movie, "soffi")
    with pytest.raises(InputError, match="auto, cpu or cuda"):
        sofinet.reconstruct(movie, "average", device="tpu")


@needs_shared
def test_real_movies_give_finite_pictures_on_their_grid():
    for name, pixel in (("threeb_cell_300x60x60", None), ("musical_mito_014_50x70x70", 0.08)):
        movie = sofinet.open_movie(DATA / f"{name}.tif")
        result = sofinet.reconstruct(movie, "sofi")
        side = 2 * (movie.shape[1] - 4) + 1
        assert result.image.shape == (side, side)
        assert np.isfinite(result.image).all()
        assert movie.pixel_size_um == pixel
        # The picture follows the wide-field image: the same structure at the same place.
        wide = sofinet.reconstruct(movie, "average").image[1:-2, 1:-2]
        assert pearson(result.image[::2, ::2], wide) > 0.6


def test_the_methods_paragraph_says_what_was_done():
    y, x = np.mgrid[:20, :20]
    psf = np.exp(-((y - 9) ** 2 + (x - 8) ** 2) / 2.4)
    frames = ((np.arange(60) % 6 == 0)[:, None, None] * psf * 500 + 100).astype(np.uint16)
    movie = sofinet.open_movie(frames, 0.1, frame_interval_s=0.02)
    recipe = sofinet.reconstruct(movie, "sofi").recipe
    text = recipe.methods_paragraph
    assert "60 frames, 20 ms per frame, 20 x 20 pixels of 100 nm" in text
    assert recipe.reconstruct.details["psf_fwhm_px"] == pytest.approx(2.58, rel=0.02)
    assert "camera pixels, estimated from the movie" in text
    given = sofinet.reconstruct(movie, "sofi", psf_fwhm_px=2.4).recipe
    assert "2.4 camera pixels, given" in given.methods_paragraph
    assert given.reconstruct.details == {"psf_fwhm_px": 2.4, "iterations": 23}
    plain = sofinet.reconstruct(movie, "sofi", linearization="none", flattening="none").recipe
    assert "PSF" not in plain.methods_paragraph
    assert "deconvolved" not in plain.methods_paragraph
