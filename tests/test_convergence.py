"""How many frames are enough, against pictures of very many."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import DATA, needs_shared
from scipy.ndimage import gaussian_filter

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.preprocess.artefact_findings import bleaching_finding
from napari_sofinet.preprocess.far_covariance import FarCovariance
from napari_sofinet.preprocess.findings import convergence_finding
from napari_sofinet.preprocess.shared_changes import SharedChanges
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import komen2024_condition
from napari_sofinet.sofi import cross_cumulants, flatten
from napari_sofinet.sofi.convergence import Convergence, convergence


@pytest.mark.parametrize("condition", [0, 11])
def test_a_hundred_frames_foretell_the_agreement_of_more(condition):
    settings = komen2024_condition(5 + condition, condition)
    settings = settings.model_copy(update={"frames": 6000, "rows": 64, "columns": 64})
    frames = simulate(settings).frames
    found = convergence(sofinet.open_movie(frames[:100]))

    def picture(part: np.ndarray) -> np.ndarray:
        flat = flatten(cross_cumulants(part, (2,))[2], 2, "psf", 2.3)
        return gaussian_filter(flat, 2.3 / 2.355).ravel()

    final = picture(frames[1000:])
    assert found.agreement(1000) == pytest.approx(
        np.corrcoef(picture(frames[:1000]), final)[0, 1], abs=0.04
    )
    assert [n for n, _ in found.measured] == [25, 50]
    assert found.frames_for(found.agreement(300)) == pytest.approx(300)


def test_noise_never_settles():
    noise = np.random.default_rng(0).poisson(50, (200, 40, 40)).astype(np.uint16)
    found = convergence(sofinet.open_movie(noise))
    assert found.agreement(200) < 0.4
    assert found.frames_for(0.9) > 2000
    assert found.trend == "none"
    finding = convergence_finding(found, 200)
    assert "nothing in common" in finding.value
    assert "cannot be estimated" in finding.advice
    assert not finding.expected
    assert Convergence((), float("inf")).agreement(1000) == 0


@pytest.fixture(scope="module")
def blinking():
    settings = komen2024_condition(5, 5)
    settings = settings.model_copy(update={"frames": 1000, "rows": 40, "columns": 40})
    return simulate(settings).frames.astype(np.float32)


def test_a_curve_that_rises_is_extrapolated(blinking):
    found = convergence(sofinet.open_movie(blinking[:200]))
    finding = convergence_finding(found, 200)
    assert found.trend == "rises"
    # What is written is what is drawn.
    drawn = dict(finding.expected)
    assert f"200 frames agree to {drawn[200]:.2f}" in finding.value
    for frames, agreement in finding.curve:
        at = np.interp(np.log(frames), np.log(list(drawn)), list(drawn.values()))
        assert at == pytest.approx(agreement, abs=0.06)
    assert max(drawn.values()) == pytest.approx(0.9, abs=0.02)


def test_a_curve_that_does_not_rise_is_not_extrapolated(blinking):
    moved = np.stack([np.roll(frame, 6 * k // 1000, 0) for k, frame in enumerate(blinking)])
    found = convergence(sofinet.open_movie(moved))
    finding = convergence_finding(found, 1000)
    assert found.trend == "stalls"
    assert not finding.expected
    assert finding.light != "good"
    for frames, agreement in (finding.curve[0], finding.curve[-1]):
        assert f"{frames} frames" in finding.value
        assert f"{agreement:.2f}" in finding.value
    assert "takes" not in finding.advice


@needs_shared
def test_a_measured_movie_whose_curve_falls():
    found = convergence(sofinet.open_movie(DATA / "threeb_cell_300x60x60.tif"))
    agreement = [value for _, value in found.measured]
    assert agreement[-1] < agreement[0] < 0.25
    finding = convergence_finding(found, 300)
    assert f"84 frames to {agreement[-1]:.2f}" in finding.value
    assert "takes" not in finding.advice


def test_few_or_uncertain_measurements_give_no_exact_number():
    found = Convergence(((25, 0.5), (50, 0.6)), 90.0, error=0.6)
    advice = convergence_finding(found, 100).advice
    assert "200 to 800 frames" in advice
    far = Convergence(((25, 0.1), (50, 0.14)), 2500.0, error=0.1)
    assert "more than 10 times" in convergence_finding(far, 100).advice
    halves = Convergence(((25, 0.8),), 14.0, error=0.1, trend="unknown")
    assert "two halves only" in convergence_finding(halves, 50).advice


def test_short_movies_are_refused():
    with pytest.raises(InputError, match="40 are needed"):
        convergence(sofinet.open_movie(np.zeros((30, 8, 8))))


def test_no_more_than_all_light_is_lost():
    trace = 100 * np.exp(-np.arange(300) / 30) - 5
    finding = bleaching_finding(trace, 0.0, SharedChanges(FarCovariance(0.0, 0.0, 0.0, 0.0)))
    assert finding.value.startswith("100 % of the light is lost")
