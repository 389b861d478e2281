"""How many frames are enough, against pictures of very many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
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
    assert Convergence((), float("inf")).agreement(1000) == 0


def test_short_movies_are_refused():
    with pytest.raises(InputError, match="40 are needed"):
        convergence(sofinet.open_movie(np.zeros((30, 8, 8))))
