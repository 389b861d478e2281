"""Whether a movie suits, against simulated and real ones."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA, needs_shared
from scipy.ndimage import zoom

import napari_sofinet as sofinet
from napari_sofinet.preprocess.suitability import blinking, check, overall_light
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.presets import komen2024_condition

SMALL = {"rows": 80, "columns": 72}


def movie_of(seed: int, changes: dict) -> np.ndarray:
    return simulate(preset_settings("microtubules", seed, {**SMALL, **changes})).frames


def condition(number: int) -> np.ndarray:
    settings = komen2024_condition(100 + number, number)
    return simulate(settings.model_copy(update=SMALL)).frames


SUITABLE = [
    *({"condition": n} for n in range(12)),
    {"structure.kind": "mitochondria", "structure.emitters_per_um2": 100.0},
    {"structure.kind": "vesicles", "structure.count": 60},
    {"structure.kind": "rings", "structure.count": 40},
    {"structure.kind": "actin", "structure.count": 40, "background.photons": 5.0},
    {"blinking.model": "dna-paint", "blinking.spread": 0.5, "camera.model": "ixon-897"},
    {"blinking.on_time_s": 0.05, "blinking.off_time_s": 1.0, "optics.psf_fwhm_um": 0.35},
    {"background.photons": 20.0, "background.half_life_s": 2.0, "blinking.photons": 400.0},
    {"frames": 300, "motion.drift_y_um_per_s": 0.05, "camera.model": "orca-flash4"},
]
UNSUITABLE = [
    {"blinking.model": "steady", "blinking.photons": 5.0},
    {"blinking.model": "steady", "blinking.photons": 50.0, "structure.kind": "mitochondria"},
    {"blinking.model": "steady", "blinking.photons": 20.0, "structure.kind": "rings"},
    {"blinking.model": "steady", "blinking.photons": 5.0, "motion.drift_y_um_per_s": 0.2},
    {"blinking.model": "steady", "blinking.photons": 10.0, "camera.model": "ixon-897"},
    {"structure.kind": "empty"},
    {"structure.kind": "empty", "background.photons": 50.0, "background.half_life_s": 0.5},
    {"structure.kind": "empty", "background.photons": 50.0, "background.structured": 1.0},
    {"structure.kind": "empty", "camera.model": "ixon-897"},
    {"structure.kind": "empty", "camera.pixel_spread": 0.1},
    {"blinking.photons": 1.0},
    {"blinking.photons": 2.0, "background.photons": 30.0},
    {"background.photons": 3000.0},
    {"background.photons": 500.0, "blinking.photons": 30.0},
    {"frames": 10},
    {"frames": 12, "blinking.photons": 500.0},
    {"camera.gain": 900.0, "background.photons": 60.0, "blinking.photons": 3000.0},
    {"camera.bits": 8, "camera.offset": 200.0, "blinking.photons": 800.0},
    {"interpolated": True, "structure.kind": "empty"},
    {"interpolated": True, "blinking.model": "steady", "blinking.photons": 5.0},
]


def frames_for(number: int, changes: dict) -> np.ndarray:
    if "condition" in changes:
        return condition(changes["condition"])
    values = {k: v for k, v in changes.items() if k != "interpolated"}
    frames = movie_of(number, values)
    if "interpolated" in changes:
        frames = zoom(frames[:60].astype(float), (1, 1.5, 1.5), order=3).round().astype(np.uint16)
    return frames


@pytest.mark.slow
def test_forty_movies_are_called_right_but_for_two():
    wrong = []
    for expected, cases in ((True, SUITABLE), (False, UNSUITABLE)):
        for number, changes in enumerate(cases):
            findings = check(sofinet.open_movie(frames_for(number, changes)))
            if (overall_light(findings) != "bad") is not expected:
                wrong.append((changes, [(f.name, f.value) for f in findings if f.light == "bad"]))
    assert len(wrong) <= 2, wrong


@needs_shared
@pytest.mark.parametrize(
    ("name", "light"),
    [
        ("threeb_cell_300x60x60", "good"),
        ("musical_mito_014_50x70x70", "fair"),
        ("musical_cardiomyoblast_mito_100x30x45", "bad"),
        ("psfcheck_donut_561_100x32x32", "bad"),
    ],
)
def test_blinking_of_real_movies(name, light):
    findings = check(sofinet.open_movie(DATA / f"{name}.tif"))
    assert findings[0].name == "blinking"
    assert findings[0].light == light


def test_what_is_found_is_what_was_simulated():
    frames = movie_of(
        3,
        {
            "frames": 400,
            "background.photons": 20.0,
            "background.half_life_s": 1.5,
            "motion.drift_x_um_per_s": 0.05,
            "blinking.photons": 300.0,
        },
    )
    found = {f.name: f for f in check(sofinet.open_movie(frames))}
    assert found["PSF width"].number == pytest.approx(2.3, abs=0.3)
    assert found["bleaching"].number == pytest.approx(150, rel=0.15)
    assert found["drift"].number == pytest.approx(2.0, abs=0.2)
    assert found["saturation"].number == 0
    assert {found[n].light for n in ("bleaching", "drift")} == {"fair"}


def test_a_flickering_lamp_is_no_blinking_and_a_known_share_is_found():
    rng = np.random.default_rng(0)
    picture = 100 + 400 * np.exp(-((np.mgrid[:40, :40] - 20) ** 2).sum(axis=0) / 50)
    lamp = 1 + 0.2 * rng.standard_normal(200)
    flicker = rng.poisson(lamp[:, None, None] * picture)
    seen = blinking(flicker)
    assert abs(seen.contrast) < 4 * seen.error + 0.01
    common = np.repeat(rng.standard_normal((300, 40, 8)), 5, axis=2)
    seen = blinking(common + rng.standard_normal((300, 40, 40)) + 5 * rng.random((40, 40)))
    # Half of the variance is common to five pixels in a row: 4 of 5 neighbours in x, none in y.
    assert seen.contrast == pytest.approx(0.5 * 0.8 / 2, abs=0.04)


def test_a_tiny_movie_is_told_and_a_short_one_suits_no_high_order():
    tiny = check(sofinet.open_movie(np.zeros((9, 3, 3), np.uint16)))
    assert overall_light(tiny) == "bad"
    frames = movie_of(4, {"frames": 60})
    by_order = {n: overall_light(check(sofinet.open_movie(frames), order=n)) for n in (2, 4)}
    assert by_order == {2: "good", 4: "bad"}
