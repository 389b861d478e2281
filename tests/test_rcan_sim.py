"""The network that refines reconstructed SIM stacks, with its weights."""

from __future__ import annotations

import numpy as np
import pytest

import napari_sofinet as sofinet
from napari_sofinet.base.progress import Repeatable
from napari_sofinet.data.sim_stack import open_sim_stack
from napari_sofinet.simulation.sim_settings import sim_preset_settings
from napari_sofinet.simulation.sim_simulate import simulate_stack

pytest.importorskip("torch")

PIXEL_UM, PLANE_UM = 6.5 / 60, 0.35


def test_counts_that_are_twenty_times_as_high_have_twenty_times_the_uncertainty():
    from napari_sofinet.methods.rcan_sim import NETWORK
    from napari_sofinet.networks import weights
    from napari_sofinet.networks.refinement import refine

    net, card, _ = weights.load("rcan-sim", NETWORK)
    rng = np.random.default_rng(0)
    classical = rng.normal(0, 1, (4, 48, 48)).astype(np.float32)
    classical[1:3, 20:24, 20:24] += 50
    wide = np.abs(rng.normal(5, 1, (4, 24, 24))).astype(np.float32)
    tell = Repeatable(lambda *_: None)
    found = []
    for factor in (1.0, 20.0):
        high = np.float32(factor)
        image, error = refine(net, classical * high, wide * high, factor, tell, "cpu")
        found.append((image / high, error(card.uncertainty) / high))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.01, atol=0.01 * one.max())


def test_shipped_weights_draw_the_truth_in_place_with_honest_uncertainty():
    size = {"rows": 64, "columns": 64, "planes": 16, "photons": 500.0}
    stack = simulate_stack(sim_preset_settings("sim-chromatin", 12, size))
    truth = stack.truth()
    raw = open_sim_stack(np.moveaxis(stack.images(), 0, 1), PIXEL_UM)
    result = sofinet.reconstruct(raw, "rcan_sim", plane_um=PLANE_UM)
    image, classical = result.image, result.maps["classical"]
    assert image.shape == truth.shape == (48, 128, 128)
    r = {
        at: np.corrcoef(np.roll(image, at, (0, 1, 2)).ravel(), truth.ravel())[0, 1]
        for at in ((0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
    }
    assert max(r, key=r.__getitem__) == (0, 0, 0)
    assert r[0, 0, 0] > 0.9 > np.corrcoef(classical.ravel(), truth.ravel())[0, 1]
    truth = truth * ((image * truth).sum() / (truth**2).sum())
    bright = image > 0.05 * truth.max()
    inside = np.abs(truth - image) <= result.maps["uncertainty"]
    assert inside[bright].mean() > 0.85
    assert np.median(result.maps["uncertainty"][bright]) < truth.max()
