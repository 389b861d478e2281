"""The statistics network and its training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_sofinet.networks.statistics import (  # noqa: E402
    SHIFTS,
    StatisticsNet,
    normalize,
    raw_statistics,
)
from napari_sofinet.simulation.presets import draw_filaments  # noqa: E402
from napari_sofinet.training.data import ahead, frames_for, make_samples, scaled_target  # noqa: E402
from napari_sofinet.training.loop import Plan, Training  # noqa: E402
from napari_sofinet.training.losses import picture_loss  # noqa: E402


def small_net(seed: int = 0) -> StatisticsNet:
    torch.manual_seed(seed)
    return StatisticsNet(features=4, channels=8, blocks=1)


def test_offset_and_gain_do_not_matter_and_any_size_will_do():
    frames = torch.rand(2, 7, 19, 23) * 100
    net = small_net()
    out = net(frames)
    assert out.shape == (2, 2, 37, 45)
    torch.testing.assert_close(net(3.5 * frames + 400), out, rtol=1e-3, atol=1e-4)
    assert net(torch.rand(1, 5, 8, 9)).shape == (1, 2, 15, 17)


def test_statistics_are_those_of_the_definition():
    x = normalize(torch.rand(1, 30, 12, 13))
    found = raw_statistics(x)[0].numpy()
    movie = x[0].double().numpy()
    np.testing.assert_allclose(found[0], movie.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found[1], movie.max(axis=0), atol=1e-6)
    d = movie - movie.mean(axis=0)
    for k, (dy, dx) in enumerate(SHIFTS):
        expected = (d * np.roll(d, (-dy, -dx), axis=(1, 2))).mean(axis=0)
        inside = (slice(2, -2), slice(2, -2))
        signed_square = np.sign(found[3 + k]) * found[3 + k] ** 2
        np.testing.assert_allclose(signed_square[inside], expected[inside], atol=1e-4)


def test_a_point_of_weights_lies_at_half_its_index():
    # Output sample o lies at camera coordinate o/2: with the network's convolutions made to pass
    # the mean through, a bright pixel comes out at twice its index.
    net = small_net()
    image = torch.zeros(1, 8, 11, 13)
    image[0, :, 5, 7] = 1.0
    image += 0.01 * torch.rand_like(image)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                module.weight.zero_()
                module.bias.zero_()
                n = min(module.weight.shape[:2])
                for channel in range(n):
                    module.weight[channel, channel] = torch.tensor(
                        [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
                    )
        picture = net(image)[0, 0].numpy()
    assert np.unravel_index(picture.argmax(), picture.shape) == (10, 14)


def test_targets_are_one_where_bright_and_zero_where_empty():
    samples = make_samples(draw_filaments, 3, 24, 6, seed=1)
    assert samples.frames.shape == (3, 6, 24, 24)
    assert samples.target.shape == (3, 47, 47)
    assert 0.5 < float(samples.target.amax()) < 3
    assert torch.all(scaled_target(torch.zeros(1, 9, 9)) == 0)


def test_the_loss_of_the_truth_is_zero_and_doubt_is_learnt_at_the_true_error():
    target = torch.rand(2, 15, 15)
    out = torch.stack([target, torch.full_like(target, -8.0)], dim=1)
    assert float(picture_loss(out, target)[0]) == pytest.approx(0, abs=1e-6)
    # The likelihood of an error e is best at log(e).
    error = 0.3
    doubts = [
        float(picture_loss(torch.stack([target + error, torch.full_like(target, d)], 1), target)[1])
        for d in (np.log(0.2), np.log(error), np.log(0.45))
    ]
    assert doubts[1] == min(doubts)


def test_training_learns_stops_and_goes_on_where_it_was(tmp_path):
    def make(step):
        return make_samples(draw_filaments, 2, 16, frames_for(step, 5, 9, 0), 100 + step % 2)

    def run(training, steps):
        training.plan = Plan(steps, warm_up=2)
        training.run(ahead(make, training.step), tmp_path / "state.safetensors")
        return training

    whole = run(Training(small_net(), Plan(24)), 24)
    assert np.mean([a for a, _ in whole.losses[-6:]]) < np.mean([a for a, _ in whole.losses[:6]])
    # Half of the way, killed, and from the file on: the same weights.
    half = Training(small_net(), Plan(24, warm_up=2))
    for number, batch in enumerate(ahead(make, 0)):
        if number == 12:
            break
        half.learn(batch)
    half.save(tmp_path / "half.safetensors")
    again = Training(small_net(1), Plan(24))
    again.load(tmp_path / "half.safetensors")
    assert again.step == 12
    run(again, 24)
    for name, value in whole.average.items():
        torch.testing.assert_close(again.average[name], value, rtol=1e-3, atol=1e-4)


def test_samples_are_the_same_again_and_an_error_in_making_them_is_told():
    first = next(ahead(lambda n: make_samples(draw_filaments, 1, 16, 5, n), 3))
    again = make_samples(draw_filaments, 1, 16, 5, 3)
    torch.testing.assert_close(first.frames, again.frames)

    def broken(number):
        raise ValueError("no samples")

    with pytest.raises(ValueError, match="no samples"):
        next(ahead(broken, 0))
