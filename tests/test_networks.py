"""The networks and their training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from napari_sofinet.base.errors import InputError  # noqa: E402
from napari_sofinet.networks import convgru  # noqa: E402
from napari_sofinet.networks.convgru import ConvGRU, Stream  # noqa: E402
from napari_sofinet.networks.layers import Upsample2x  # noqa: E402
from napari_sofinet.networks.normalization import brightness, normalize  # noqa: E402
from napari_sofinet.networks.pixel_statistics import SHIFTS, raw_statistics  # noqa: E402
from napari_sofinet.networks.sofinet import REACH_PX, StatisticsNet  # noqa: E402
from napari_sofinet.networks.tiling import tiles  # noqa: E402
from napari_sofinet.networks.unet import UNet, fourier_finer  # noqa: E402
from napari_sofinet.simulation.drawn_settings import draw_filaments  # noqa: E402
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
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, Upsample2x)):
                module.weight.zero_()
                module.bias.zero_()
                n = min(module.weight.shape[:2])
                if module.weight.shape[-1] == 2:  # the coarse grid, which is left out
                    continue
                for channel in range(n):
                    module.weight[channel, channel] = torch.tensor(
                        [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
                    )
        picture = net(image)[0, 0].numpy()
    assert np.unravel_index(picture.argmax(), picture.shape) == (10, 14)


def test_upsampling_is_a_transposed_convolution():
    torch.manual_seed(0)
    ours = Upsample2x(6)
    theirs = torch.nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 7, 9)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


def noisy_movie(frames: int, rows: int, columns: int) -> torch.Tensor:
    return normalize(torch.rand(1, frames, rows, columns) ** 4 * 1000 + 100)[0]


def test_statistics_come_in_parts_and_slide():
    net, x = small_net().eval(), noisy_movie(30, 17, 22)
    with torch.inference_mode():
        running, sliding = net.running(17, 22), net.sliding(12)
        for part in x.split(7):
            running.add(part)
        torch.testing.assert_close(running.result(), net.of_normalized(x[None])[0])
        for n, frame in enumerate(x, 1):
            sliding.add(frame)
            if n in (6, 12, 13, 24, 30):
                window = x[max(n - 12, 0) : n]
                torch.testing.assert_close(
                    sliding.result(), net.of_normalized(window[None])[0], rtol=1e-4, atol=1e-5
                )


def test_tiles_that_overlap_by_the_reach_are_exact():
    net, x = StatisticsNet(features=4, channels=8, wide=8).eval(), noisy_movie(5, 90, 101)
    own_field = np.zeros((90, 101), int)
    with torch.inference_mode():
        whole = net.of_normalized(x[None])[0]
        for tile in tiles(90, 101, 40, REACH_PX):
            (top, bottom), (left, right) = tile.seen
            (y0, y1), (x0, x1) = tile.own
            own_field[y0:y1, x0:x1] += 1
            part = net.of_normalized(x[None, :, top:bottom, left:right])[0]
            rows, columns = 2 * (y1 - y0) - 1, 2 * (x1 - x0) - 1
            torch.testing.assert_close(
                part[:, 2 * (y0 - top) :, 2 * (x0 - left) :][:, :rows, :columns],
                whole[:, 2 * y0 :, 2 * x0 :][:, :rows, :columns],
                rtol=1e-4,
                atol=1e-6,
            )
    assert (own_field == 1).all()


def test_recurrent_states_come_in_parts_and_slide():
    net, x = ConvGRU(4).eval(), noisy_movie(11, 12, 13)
    with torch.inference_mode():
        running, sliding = net.running(12, 13), net.sliding(20)
        for part in x.split(4):
            running.add(part)
        for frame in x:
            sliding.add(frame)
        whole = net.of_normalized(x[None])[0]
        torch.testing.assert_close(running.result(), whole, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(sliding.result(), whole, rtol=1e-4, atol=1e-6)


def test_targets_are_one_where_bright_and_zero_where_empty():
    samples = make_samples(draw_filaments, 3, 24, 6, seed=1)
    assert samples.frames.shape == (3, 6, 24, 24)
    assert samples.target.shape == (3, 47, 47)
    assert 0.5 < float(samples.target.amax()) < 3
    assert torch.all(scaled_target(torch.zeros(1, 9, 9)) == 0)


def test_the_loss_of_the_truth_is_zero_and_that_of_an_error_is_least_at_its_size():
    target = torch.rand(2, 15, 15)
    out = torch.stack([target, torch.full_like(target, -8.0)], dim=1)
    assert float(picture_loss(out, target)[0]) == pytest.approx(0, abs=1e-6)
    # The likelihood of an error e is best at log(e).
    error = 0.3
    likelihoods = [
        float(picture_loss(torch.stack([target + error, torch.full_like(target, d)], 1), target)[1])
        for d in (np.log(0.2), np.log(error), np.log(0.45))
    ]
    assert likelihoods[1] == min(likelihoods)


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


def small_gru(seed: int = 0, channels: int = 6, decoder_kernel: int = 1) -> ConvGRU:
    torch.manual_seed(seed)
    return ConvGRU(channels, decoder_kernel)


def small_unet(seed: int = 0) -> UNet:
    torch.manual_seed(seed)
    return UNet(frames=6, width=4)


def size_of(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("channels", "used", "published"),
    [
        (8, 10_705, 14_790),
        (10, 16_659, 23_024),
        (12, 23_925, 33_074),
        (14, 32_503, 44_940),
        (16, 42_393, 58_622),
        (18, 53_595, 74_120),
        (20, 66_109, 91_434),
        (22, 79_935, 110_564),
        (24, 95_073, 131_510),
    ],
)
def test_the_recurrent_network_is_as_large_as_published_less_its_unused_branch(
    channels, used, published
):
    net = ConvGRU(channels)
    assert size_of(net) == used
    # The branch is one more encoder, of maps in pairs instead of one frame.
    assert size_of(net.encoder) + 9 * channels * (2 * channels - 1) == published - used


def test_networks_have_the_published_size():
    assert size_of(ConvGRU(decoder_kernel=3)) == 104_289
    assert size_of(UNet()) == 31_041_537
    with pytest.raises(InputError, match="kernel is 1 or 3, not 5"):
        ConvGRU(decoder_kernel=5)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("net", [small_gru(), small_gru(decoder_kernel=3), small_unet()])
def test_every_parameter_learns(net, half):
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = net(torch.rand(2, 6, 33, 20))
    (out.float() - torch.rand(out.shape)).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("net", [small_gru(), small_gru(decoder_kernel=3), small_unet()])
def test_any_size_will_do_and_neither_offset_nor_gain_matters(net):
    for rows, columns in (5, 64), (16, 7), (33, 48):
        frames = torch.rand(2, 6, rows, columns) * 100
        with torch.no_grad():
            out = net(frames)
            again = net(3.5 * frames + 400)
        assert out.shape == (2, 1, 2 * rows - 1, 2 * columns - 1)
        torch.testing.assert_close(again, out, rtol=1e-3, atol=1e-4)


def plainly(net: ConvGRU, frames: torch.Tensor) -> torch.Tensor:
    """The network as its equations are written: frame by frame, convolution by convolution."""
    x = normalize(frames).contiguous()
    inputs = [net.encoder(x[:, t : t + 1]) for t in range(x.shape[1])]
    for layer in (net.first, net.second):
        gates = torch.cat([layer.gates_of_input.weight, layer.gates_of_hidden.weight], dim=1)
        update, reset = gates.chunk(2)
        update_bias, reset_bias = layer.gates_of_input.bias.chunk(2)
        candidate = torch.cat(
            [layer.candidate_of_input.weight, layer.candidate_of_hidden.weight], dim=1
        )
        h = torch.zeros_like(inputs[0])
        states = []
        for seen in inputs:
            both = torch.cat([seen, h], dim=1)
            u = torch.sigmoid(functional.conv2d(both, update, update_bias, padding=1))
            r = torch.sigmoid(functional.conv2d(both, reset, reset_bias, padding=1))
            both = torch.cat([seen, r * h], dim=1)
            bias = layer.candidate_of_input.bias
            k = torch.tanh(functional.conv2d(both, candidate, bias, padding=1))
            h = (1 - u) * h + u * k
            states.append(h)
        inputs = states
    return net.decoder(torch.stack(inputs).mean(dim=0))


@pytest.mark.parametrize("at_once", [1, 2 * 2 * 19 * 23, 2**16])
def test_the_fast_form_is_the_plain_one(monkeypatch, at_once):
    monkeypatch.setattr(convgru, "PIXELS_AT_ONCE", at_once)
    net = small_gru(channels=24)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn_like(parameter)  # no bias stays 0
    frames = torch.rand(2, 7, 19, 23)
    out = net(frames)
    expected = plainly(net, frames)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    found = torch.autograd.grad(out.square().sum(), list(net.parameters()))
    for a, b in zip(
        found, torch.autograd.grad(expected.square().sum(), list(net.parameters())), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


def test_half_precision_draws_the_same_picture():
    net = small_gru(channels=24)
    frames = make_samples(draw_filaments, 1, 32, 20, seed=3).frames
    with torch.no_grad():
        out = net(frames)
        with torch.autocast("cpu", torch.bfloat16):
            half = net(frames)
    assert half.dtype == torch.bfloat16
    assert float((half - out).std() / out.std()) < 0.1


def test_more_frames_do_not_make_the_picture_brighter():
    # The same frames shown 4 and 8 times, so that hidden states have left their start at 0; with a
    # sum over time instead of the mean the contrast would double.
    net = small_gru(channels=24)
    frames = torch.rand(1, 5, 24, 24)
    with torch.no_grad():
        long, longer = (float(net(frames.repeat(1, n, 1, 1)).std()) for n in (4, 8))
    assert longer == pytest.approx(long, rel=0.15)


def test_the_recurrent_network_is_registered():
    net = small_gru()
    finer = net.decoder[0]
    maps = torch.rand(1, 6, 9, 12)
    with torch.no_grad():
        # The paper's padding leaves out a border of 3 samples and nothing else.
        padded = functional.conv_transpose2d(maps, finer.weight, finer.bias, stride=2, padding=4)
        assert padded.shape[2:] == (2 * 9 - 7, 2 * 12 - 7)
        torch.testing.assert_close(finer(maps)[:, :, 3:-3, 3:-3], padded)
        # A kernel of one point puts every pixel at twice its index.
        finer.weight.zero_()
        finer.weight[range(6), range(6), 1, 1] = 1
        finer.bias.zero_()
        torch.testing.assert_close(finer(maps)[:, :, ::2, ::2], maps)
        # With kernels that are their own mirror images all of the network mirrors.
        net = small_gru()
        for parameter in net.parameters():
            if parameter.dim() == 4:
                parameter.copy_((parameter + parameter.flip(2, 3)) / 2)
        frames = torch.rand(1, 5, 14, 11)
        torch.testing.assert_close(net(frames.flip(2, 3)), net(frames).flip(2, 3))


def test_frame_by_frame_is_the_same_as_all_at_once():
    net = small_gru()
    frames = 30 * torch.rand(2, 9, 12, 15) + 100
    for forgets in (False, True):
        stream = Stream(brightness(frames), forgets=forgets)
        with torch.no_grad():
            for frame in frames.unbind(1):
                picture, stream = net.step(frame, stream)
            torch.testing.assert_close(picture, net(frames), atol=1e-5, rtol=1e-5)
    assert stream.frames == 9


def test_a_stream_averages_the_last_frames_or_forgets_old_ones():
    rng = torch.Generator().manual_seed(1)
    states = torch.rand(50, 1, 2, 3, 3, generator=rng)
    even, fading = Stream(1.0, window=8), Stream(1.0, window=8, forgets=True)
    expected = torch.zeros(1, 2, 3, 3)
    for n, state in enumerate(states, start=1):
        even, fading = (s.after((None, None), state) for s in (even, fading))
        torch.testing.assert_close(even.mean, states[max(n - 8, 0) : n].mean(dim=0))
        expected = states[:n].mean(dim=0) if n <= 8 else 7 / 8 * expected + state / 8
        torch.testing.assert_close(fading.mean, expected)
    assert len(even.recent) == 8
    assert fading.recent == ()


def test_a_stream_normalises_as_told():
    frames = 30 * torch.rand(2, 9, 12, 15) + 100
    own = Stream(brightness(frames))
    whole = torch.stack([own.normalize(frame) for frame in frames.unbind(1)], dim=1)
    torch.testing.assert_close(whole, normalize(frames))
    told = Stream(50.0, offset=100.0).normalize(frames[:, 0])
    torch.testing.assert_close(told, (frames[:, 0] - 100) / 50)


@pytest.mark.parametrize(("rows", "columns"), [(16, 21), (15, 12), (2, 1)])
def test_fourier_interpolation_is_exact_for_what_the_pixels_resolve(rows, columns):
    rng = np.random.default_rng(2)

    def waves(y, x):
        out = 0.3
        for ky in range((rows + 1) // 2):
            for kx in range((columns + 1) // 2):
                a, b, c = rng.random(3)
                out = out + a * np.cos(2 * np.pi * (ky * y[:, None] / rows + b)) * np.cos(
                    2 * np.pi * (kx * x / columns + c)
                )
        return torch.from_numpy(np.asarray(out * np.ones((len(y), len(x))))).float()

    coarse = waves(np.arange(rows), np.arange(columns))
    rng = np.random.default_rng(2)
    fine = waves(np.arange(2 * rows - 1) / 2, np.arange(2 * columns - 1) / 2)
    torch.testing.assert_close(fourier_finer(coarse), fine, atol=1e-4, rtol=1e-4)
    # Whatever the image, also with the highest frequency: every other sample is the input's.
    image = torch.rand(3, rows, columns)
    torch.testing.assert_close(fourier_finer(image)[..., ::2, ::2], image)


def test_the_u_net_is_registered_and_takes_its_number_of_frames_only():
    net = small_unet()
    frames = torch.rand(2, 6, 21, 16)
    with torch.no_grad():
        # All weights 0 but for one path along the finest level that takes the mean of all frames.
        for parameter in net.parameters():
            parameter.zero_()
        net.down[0][0].weight[0, :, 1, 1] = 1 / 6
        for conv in (net.down[0][2], net.up[-1][0], net.up[-1][2], net.picture):
            conv.weight[0, 0, conv.weight.shape[2] // 2, conv.weight.shape[3] // 2] = 1
        out = net(frames)
    torch.testing.assert_close(out[:, 0, ::2, ::2], normalize(frames).mean(dim=1).relu())
    with pytest.raises(InputError, match="processes exactly 6 frames, not 7"):
        net(torch.rand(1, 7, 16, 16))


def test_emitter_networks_are_those_of_the_paper_and_ours():
    from napari_sofinet.networks.deepstorm import EmitterNet, Phi

    assert sum(p.numel() for p in Phi().parameters()) == 264_223
    for net in (Phi(), EmitterNet(8)):
        with torch.inference_mode():
            assert net.eval()(torch.rand(2, 1, 17, 20)).shape == (2, 1, 68, 80)


def test_maps_of_emitters_lie_over_their_frames():
    from napari_sofinet.training.emitters import emitter_map, spots

    place, light = np.array([[6.3, 11.8]]), np.array([1000.0])
    frame = spots(place, light, 1.1, 16, 20)
    made = emitter_map(place, 16, 20)
    for image, fineness in ((frame, 1), (made, 4)):
        y, x = (np.arange(n) for n in image.shape)
        centre = np.array([image.sum(1) @ y, image.sum(0) @ x]) / image.sum()
        np.testing.assert_allclose((centre + 0.5) / fineness - 0.5, place[0], atol=2e-3)
    assert frame.sum() == pytest.approx(1000, rel=1e-3)
    assert made.max() == pytest.approx(1, abs=0.15)
