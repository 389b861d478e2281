"""Movies and settings that do not suit FluoGAN: estimated, refused or said in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from blinking_spots import KNOWN, WIDTH_PX, run, spot_movie  # noqa: E402

from napari_sofinet.base.errors import InputError  # noqa: E402
from napari_sofinet.methods import fluogan_input, fluogan_notes, fluogan_picture  # noqa: E402
from napari_sofinet.preprocess.camera import CameraCorrection  # noqa: E402
from napari_sofinet.preprocess.photon_transfer import PhotonTransfer  # noqa: E402

QUICK = {"critic_steps": 0, "fineness": 2}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for name, steps in ("COVARIANCE_STEPS", 4), ("JOINT_STEPS", 2):
        monkeypatch.setattr(fluogan_picture, name, steps)


def said(movie: np.ndarray, **settings) -> str:
    return " ".join(run(movie, **QUICK, **settings).notes)


@pytest.fixture(scope="module")
def spots() -> np.ndarray:
    places = np.random.default_rng(1).uniform(2, 18, (40, 2))
    return spot_movie(places, frames=300, shape=(20, 20))


def test_the_width_of_the_psf_is_estimated_and_a_wrong_one_is_said(spots):
    found = run(spots, **QUICK, psf_fwhm_px=None)
    assert found.recipe.reconstruct.details["psf_fwhm_px"] == pytest.approx(WIDTH_PX, rel=0.05)
    assert "suggests" not in said(spots)
    assert "px instead of 4.50 px" in said(spots, psf_fwhm_px=4.5)


def test_bleaching_does_not_widen_the_psf(spots):
    fading = np.exp(-np.arange(300) / 300)[:, None, None]
    width = fluogan_input.psf_width((spots * fading).astype(np.float32))
    assert width == pytest.approx(fluogan_input.psf_width(spots), rel=0.05)


def test_a_wrong_gain_is_said(spots, monkeypatch):
    found = PhotonTransfer(2.0, 0.05, 100.0, 3.0)
    monkeypatch.setattr(fluogan_notes, "photon_transfer", lambda movie: found)
    assert "suggests a gain of 2 ± 0.05" in fluogan_notes.gain_note(None, CameraCorrection(gain=1))
    assert not fluogan_notes.gain_note(None, CameraCorrection(gain=2.1))
    assert not fluogan_notes.gain_note(None, CameraCorrection())


def test_saturated_and_short_movies_are_said(spots):
    counts = np.clip(spots, 0, 4095).astype(np.uint16)
    counts[:40, 5:8, 5:8] = 4095
    words = said(counts)
    assert "of the pixels are saturated" in words
    assert "few" not in words
    assert "60 frames are few" in said(spots[:60])


def test_very_bright_emitters_keep_their_light():
    movie = spot_movie([(6.5, 7.0)], photons=300_000)
    found = run(movie, **QUICK)
    assert found.image.sum() == pytest.approx(300_000 * 0.2, rel=0.25)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m[:10], "at least 12 x 12 px and 20 frames"),
        (lambda m: m[:, :8, :8], "at least 12 x 12 px and 20 frames"),
        (lambda m: np.ones((30, 16, 16)), "does not change"),
        (lambda m: np.where(np.arange(300)[:, None, None] == 5, np.nan, m), "Frame 5 contains"),
    ],
)
def test_what_cannot_be_used_is_refused(spots, change, sentence):
    with pytest.raises(InputError, match=sentence):
        run(change(spots), **QUICK)


def test_a_gain_that_the_movie_does_not_tell_is_asked_for():
    noise = np.random.default_rng(0).poisson(100, (40, 24, 24)).astype(np.uint16)
    with pytest.raises(InputError, match="so enter both"):
        run(noise, **{"camera.gain": None, "camera.offset": None})


def test_noise_without_blinking_is_said():
    noise = np.random.default_rng(0).poisson(100, (300, 24, 24)).astype(np.uint16)
    assert "No blinking is measurable" in said(noise, psf_fwhm_px=None)


def test_what_is_known_is_not_estimated(spots):
    details = run(spots, **QUICK).recipe.reconstruct.details
    assert "camera_gain" not in details
    assert details["read_noise_photoelectrons"] == KNOWN["read_noise"]
