"""Gain and offset that the noise of a movie shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import shift

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.preprocess.photon_transfer import photon_transfer
from napari_sofinet.simulation import preset_settings, simulate

SMALL = {"rows": 64, "columns": 64, "frames": 200}
UNEVEN = {"background.photons": 20.0, "background.structured": 0.8, "camera.gain": 2.0}


def simulated(preset="microtubules", **changes):
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return simulate(preset_settings(preset, 3, SMALL | named))


def uneven():
    return simulate(preset_settings("microtubules", 3, SMALL | UNEVEN))


def gain_in_noise(made):
    """Return the gain, twice the true one after electron multiplication."""
    return float(made.camera.gain.mean()) * (2 if made.camera.em_gain > 1 else 1)


MOVIES = {
    "mitochondria": ("microtubules", 3, {"structure.kind": "mitochondria", "rows": 128}),
    "bright mitochondria": (
        "microtubules",
        3,
        {"structure.kind": "mitochondria", "rows": 128, "blinking.photons": 500.0},
    ),
    "komen2024": ("komen2024", 3, {"blinking.photons": 700.0, "optics.psf_fwhm_um": 0.34}),
    "electron multiplication": (
        "argolight",
        3,
        {"camera.em_gain": 200.0, "camera.gain": 3.0, "camera.read_noise_e": 60.0},
    ),
    "filaments": ("filaments", 13, {"blinking.photons": 700.0, "camera.em_gain": 1.0}),
    "universal": ("universal", 7, {"frames": 300, "camera.em_gain": 1.0}),
}


@pytest.mark.parametrize("name", MOVIES)
def test_gain_is_within_its_error(name):
    preset, seed, changes = MOVIES[name]
    made = simulate(preset_settings(preset, seed, SMALL | changes))
    found = photon_transfer(sofinet.open_movie(made.frames))
    assert abs(found.gain - gain_in_noise(made)) < 2.5 * found.gain_error
    assert found.gain_error <= 0.1 * found.gain
    # The noise would be zero below the offset, by that of the readout.
    zero = made.camera.offset.mean() - made.camera.variance.mean() / gain_in_noise(made)
    assert abs(found.offset - zero) < 3 * found.offset_error + 1.5 * made.camera.gain.mean()


def test_small_psf_of_bright_emitters_widens_the_error():
    made = simulated(
        blinking__photons=1000.0, optics__psf_fwhm_um=0.17, frames=400, rows=128, columns=128
    )
    try:
        found = photon_transfer(sofinet.open_movie(made.frames))
    except InputError:
        return
    assert abs(found.gain - gain_in_noise(made)) < 2.5 * found.gain_error
    assert found.gain_error > 0.03


@pytest.mark.parametrize("dim", ["dblink-mitochondria", "dblink-filaments", "microtubules"])
def test_too_little_light_is_refused(dim):
    made = simulated(dim, frames=50, blinking__photons=50.0)
    with pytest.raises(InputError, match="does not allow the offset and gain of the camera"):
        photon_transfer(sofinet.open_movie(made.frames))


def test_interpolated_frames_are_refused():
    frames = uneven().frames.astype(np.float32)
    moved = np.stack([shift(frame, (0.4, 0.4), order=1, mode="nearest") for frame in frames])
    with pytest.raises(InputError, match="neighbouring pixels share their noise"):
        photon_transfer(sofinet.open_movie(moved))


def test_bad_pixels_and_cosmic_rays_do_not_count():
    made = uneven()
    frames = made.frames.astype(np.float32)
    rng = np.random.default_rng(1)
    t, y, x = (rng.integers(0, n, 50) for n in frames.shape)
    frames[t, y, x] = 5000
    frames[:, y[:10], x[:10]] += rng.normal(0, 200, (len(frames), 10))
    found = photon_transfer(sofinet.open_movie(frames))
    assert abs(found.gain - 2) < 2.5 * found.gain_error


def test_coarser_counts_have_a_gain_as_much_higher():
    frames = uneven().frames
    found, coarse = (photon_transfer(sofinet.open_movie(f)) for f in (frames, frames * 16))
    assert coarse.gain == pytest.approx(16 * found.gain, rel=1e-3)
    assert coarse.gain_error == pytest.approx(16 * found.gain_error, rel=1e-2)


def test_error_is_shown_everywhere():
    movie = sofinet.open_movie(uneven().frames)
    result = sofinet.reconstruct(movie, "average", **{"camera.estimate": True})
    details = result.details
    assert abs(details["camera_gain"] - 2) < 2.5 * details["camera_gain_error"]
    assert details["camera_offset_error"] > 0
    shown = f"{details['camera_gain']:.2f} ± {details['camera_gain_error']:.2f}"
    assert f"a gain of {shown} counts per photoelectron" in result.recipe.methods_paragraph
    (note,) = [note for note in result.notes if "gain" in note]
    assert shown in note
    given = sofinet.reconstruct(
        movie, "average", **{"camera.estimate": True, "camera.offset": 100.0, "camera.gain": 2.0}
    )
    assert not any(name.startswith("camera_") for name in given.details)
    assert not any("gain" in note for note in given.notes)
