"""Every method can be cancelled soon, and the time left follows its progress."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shared_networks import card

from napari_sofinet.base.errors import Cancelled
from napari_sofinet.base.progress import TimeLeft
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.methods import network_detector
from napari_sofinet.methods.registry import methods, networks
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.networks import weights
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.unet import UNet

FRAMES, SIDE = 24, 20
MOVIES = [name for name, method in methods().items() if Movie in method.takes]
FEW = {
    "ddpm": {"samples": 4},
    "dblink": {"window": 6},
    # The movie is too small to estimate its camera.
    "fluogan": {
        "camera.gain": 1.0, "camera.offset": 10.0, "psf_fwhm_px": 2.8, "critic_steps": 2,
    },
}  # fmt: skip
COMPUTING_MAX = 3
"""Convolutions or fits between two looks; in one frame of a million pixels one takes 0.1 s."""


def blinking() -> np.ndarray:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:SIDE, :SIDE]
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 2.9) for a, b in ((6.2, 7.1), (13.4, 11.8))]
    on = rng.random((2, FRAMES)) < 0.5
    light = sum(a[:, None, None] * spot for a, spot in zip(on, spots, strict=True))
    return rng.poisson(20 + 900 * light).astype(np.uint16)


@pytest.fixture
def settings(tmp_path):
    """Settings of each method for a short run."""
    torch.manual_seed(1)
    path = tmp_path / "unet.safetensors"
    small = {"frames": FRAMES, "width": 2}
    net = weights.build(networks()["unet"], small)
    weights.save(path, net.state_dict(), card("unet", name="unet", parameters=small))
    return FEW | {"unet": {"weights": str(path)}}


@pytest.mark.parametrize("name", MOVIES)
def test_a_method_looks_up_often(name, settings, monkeypatch):
    since = most = looks = 0

    def report(fraction, message="", preview=None):
        nonlocal since, looks
        since, looks = 0, looks + 1

    def counted(function):
        def count(*args, **kwargs):
            nonlocal since, most
            since += 1
            most = max(most, since)
            return function(*args, **kwargs)

        return count

    monkeypatch.setattr(torch.nn.Conv2d, "forward", counted(torch.nn.Conv2d.forward))
    monkeypatch.setattr(network_detector, "places_in_map", counted(network_detector.places_in_map))
    reconstruct(open_movie(blinking()), name, report=report, **settings.get(name, {}))
    assert looks > 0
    assert most <= COMPUTING_MAX


@pytest.mark.parametrize("name", MOVIES)
def test_a_method_stops_wherever_it_is_told_to(name, settings):
    def run(stop_at):
        looks = 0

        def report(fraction, message="", preview=None):
            nonlocal looks
            looks += 1
            if looks >= stop_at:
                raise Cancelled

        if stop_at < np.inf:
            with pytest.raises(Cancelled):
                reconstruct(open_movie(blinking()), name, report=report, **settings.get(name, {}))
            assert looks == stop_at  # it does not go on afterwards
        else:
            reconstruct(open_movie(blinking()), name, report=report, **settings.get(name, {}))
        return looks

    total = run(np.inf)
    for part in (0.0, 0.3, 0.7, 1.0):
        run(max(1, int(part * total)))


def test_fractions_grow_to_one(settings):
    for name in MOVIES:
        seen = []
        reconstruct(
            open_movie(blinking()),
            name,
            report=lambda fraction, message="", preview=None, seen=seen: seen.append(fraction),
            **settings.get(name, {}),
        )
        assert np.all(np.diff(seen) >= -1e-9), name
        assert seen[-1] == pytest.approx(1, abs=0.1), name


def test_looking_between_layers_changes_nothing():
    net = UNet(frames=5, width=2).eval()
    frames = torch.rand(1, 5, 18, 18)
    looks = []
    with torch.inference_mode():
        plain = net(frames)
        with between_layers(net, lambda: looks.append(1)):
            seen = net(frames)
        before = len(looks)
        net(frames)
    torch.testing.assert_close(plain, seen, rtol=0, atol=0)
    assert len(looks) == before > 20


@pytest.mark.parametrize("slow_start", [0.0, 3.0, 20.0])
def test_time_left_forgets_a_slow_start(slow_start):
    left = TimeLeft()
    for step in range(101):
        now = 5.0 + slow_start * (step > 0) + 0.2 * step
        found = left.after(step / 100, now)
        passed = slow_start * (step > 0) + 0.2 * step
        if step >= 10 and step < 100 and passed > 3 * slow_start:
            assert found == pytest.approx(0.2 * (100 - step), rel=0.3)


def test_time_left_follows_a_change_of_speed():
    left = TimeLeft()
    now = 0.0
    for step in range(100):
        now += 0.4 if step < 20 else 0.1
        found = left.after((step + 1) / 100, now)
    assert found == pytest.approx(0, abs=1e-9)
    left, now = TimeLeft(), 0.0
    for step in range(60):
        now += 0.4 if step < 20 else 0.1
        found = left.after((step + 1) / 100, now)
    assert found is not None
    assert found < 1.8 * 4  # the mean speed so far would say 8 s


@pytest.mark.parametrize("speed", [0.1, 10.0])
def test_time_left_does_not_believe_one_stage_about_another(speed):
    """A stage that is much slower or faster than its share of the progress misleads no further."""
    left, now, shown = TimeLeft(), 0.0, []
    for step in range(100):
        first = step < 25
        now += 0.2 * (speed if first else 1)
        message = f"frame {step}" if first else f"sample {step} of 100"
        shown.append((step, left.after((step + 1) / 100, now, message)))
    for step, found in shown[25:]:
        if found is not None:
            assert found == pytest.approx(0.2 * (99 - step), rel=0.01, abs=1e-9)
    assert sum(found is not None for _, found in shown[25:]) > 40
