"""Cross-cumulants against another program's values, analytic ones and the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.sofi import cross_cumulants, cumulants, flatten
from napari_sofinet.sofi.moments import MomentSums, needed_products
from napari_sofinet.sofi.pixel_sets import PixelSet, pixel_sets, spread


@pytest.mark.parametrize("name", ["a_filaments", "d_random_12x10"])
def test_single_sets_give_the_reference_values(name):
    stored = np.load(reference("sofi", f"{name}__full.npz"))
    movie = open_movie(reference("sofi", f"{name}.tif"))
    found = cross_cumulants(movie, orders=(2, 3, 4), pixel_sets="single")
    for n in (2, 3, 4):
        error = np.abs(found[n] - stored[f"raw{n}"]).max() / np.abs(stored[f"raw{n}"]).max()
        assert error < 1e-12


def set_partitions(n: int) -> list[list[list[int]]]:
    """All partitions of 0 .. n-1 into blocks."""
    if n == 0:
        return [[]]
    result = []
    for rest in set_partitions(n - 1):
        result.append([*rest, [n - 1]])
        for i, block in enumerate(rest):
            result.append([*rest[:i], [*block, n - 1], *rest[i + 1 :]])
    return result


def joint_cumulant(traces: list[np.ndarray]) -> float:
    """The definition: a sum over all ways to group the traces."""
    d = [trace - trace.mean() for trace in traces]
    total = 0.0
    for partition in set_partitions(len(d)):
        m = len(partition)
        term = (-1) ** (m - 1) * math.factorial(m - 1)
        for block in partition:
            term = term * np.mean(np.prod([d[k] for k in block], axis=0))
        total += term
    return total


def needed_for(*orders: int) -> tuple[PixelSet, ...]:
    return needed_products(
        s for order in orders for sets in pixel_sets(order).values() for s in sets
    )


def direct(frames: np.ndarray, order: int, kind: str) -> np.ndarray:
    """Cumulants pixel by pixel, in two passes over the movie."""
    _, height, width = frames.shape
    out = np.zeros((order * (height - 4) + 1, order * (width - 4) + 1))
    for i, j in np.ndindex(out.shape):
        y, x = 1 + i // order, 1 + j // order
        sets = pixel_sets(order, kind)[i % order, j % order]
        for pixels in sets:
            traces = [frames[:, y + r, x + c] for r, c in pixels]
            out[i, j] += joint_cumulant(traces) / len(sets)
    return out


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    frames=arrays(
        np.uint16,
        st.tuples(st.integers(5, 11), st.integers(4, 7), st.integers(4, 6)),
        elements=st.integers(0, 65535),
    ),
    order=st.integers(2, 4),
    kind=st.sampled_from(["all", "single"]),
)
def test_any_movie_agrees_with_the_definition(frames, order, kind):
    expected = direct(frames.astype(float), order, kind)
    found = cross_cumulants(frames, (order,), kind)[order]
    # Sums about a fixed image lose some digits against sums about the exact mean.
    assert np.abs(found - expected).max() <= 1e-9 * max(np.ptp(frames.astype(float)), 1) ** order


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "i2", "u4", "i4", "f4", "f8"])
def test_every_dtype_gives_the_same(dtype):
    frames = np.random.default_rng(0).integers(0, 100, (30, 9, 8))
    expected = cross_cumulants(frames.astype("f8"), (2, 3))
    found = cross_cumulants(frames.astype(dtype), (2, 3))
    for n in (2, 3):
        np.testing.assert_allclose(found[n], expected[n], atol=1e-9)


def test_bright_movies_keep_their_precision():
    # Beyond 2048 counts around the mean, products are no longer exact in float32.
    frames = np.random.default_rng(1).integers(0, 65535, (40, 8, 8)).astype(np.uint16)
    expected = cross_cumulants(frames.astype(float), (2,))[2]
    np.testing.assert_allclose(cross_cumulants(frames, (2,))[2], expected, rtol=1e-11, atol=1e-3)


def test_small_fluctuations_on_a_large_offset_keep_their_precision():
    # Sums about a whole number, 0.3 away, would leave order 4 with five digits.
    noise = np.random.default_rng(6).normal(size=(80, 7, 7))
    expected = cross_cumulants(noise, (4,))[4]
    found = cross_cumulants(1000.3 + 1e-3 * noise, (4,))[4] * 1e12
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())


def test_blocks_and_strips_change_nothing(monkeypatch):
    frames = np.random.default_rng(2).poisson(50, (61, 20, 11)).astype(np.uint16)
    whole = cross_cumulants(frames, (2, 3, 4))
    monkeypatch.setattr("napari_sofinet.io.blocks.BLOCK_BYTES", 7 * 20 * 11 * 2)
    monkeypatch.setattr(cumulants, "MOMENT_BYTES", 8 * 11 * 71 * 7)
    seen = []
    cut = cross_cumulants(open_movie(frames), (2, 3, 4), report=lambda f, *_: seen.append(f))
    for n in whole:
        assert cut[n].shape == whole[n].shape
        np.testing.assert_allclose(cut[n], whole[n], rtol=1e-9, atol=1e-6)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert len(seen) > 10


def test_sums_of_parts_merge():
    frames = np.random.default_rng(3).poisson(20, (50, 9, 9)).astype(np.uint16)
    products = needed_for(2, 3)
    about = np.full((9, 9), 20)
    whole, first, second = (MomentSums(products, about) for _ in range(3))
    whole.add(frames)
    first.add(frames[:17])
    second.add(frames[17:])
    first.merge(second)
    assert first.frames == whole.frames == 50
    np.testing.assert_allclose(first.sums, whole.sums, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="same"):
        first.merge(MomentSums(products, about + 1))


def test_second_cumulant_of_one_emitter_is_analytic():
    # kappa_2(r1, r2) = e² rho (1 - rho) U(r1) U(r2) for a telegraph of on-ratio rho.
    on = np.arange(1000) % 5 == 0
    y, x = np.mgrid[:12, :12]
    psf = np.exp(-((y - 5.3) ** 2 + (x - 6.1) ** 2) / 2)
    found = cross_cumulants(10 * on[:, None, None] * psf, (2,), "single")[2]
    # Sample (9, 11) has phase (1, 1): pixels (5, 6) and (6, 7).
    expected = 100 * 0.2 * 0.8 * psf[5, 6] * psf[6, 7]
    assert found[9, 11] == pytest.approx(expected, rel=1e-9)


def test_noise_of_single_pixels_never_enters():
    frames = np.zeros((400, 8, 8))
    frames[:, 4, 4] = np.random.default_rng(4).normal(size=400) * 100
    for image in cross_cumulants(frames, (2, 3, 4)).values():
        assert np.abs(image).max() < 1e-6


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("kind", ["single", "all", "weighted"])
def test_pixel_sets_are_centred_on_their_sample(order, kind):
    sets = pixel_sets(order, kind)
    assert set(sets) == {(p, q) for p in range(order) for q in range(order)}
    for (p, q), options in sets.items():
        for pixels in options:
            assert len(set(pixels)) == order
            assert tuple(map(sum, zip(*pixels, strict=True))) == (p, q)
    if kind == "single":
        assert all(len(options) == 1 for options in sets.values())


@pytest.mark.parametrize("order", [5, 6])
def test_high_orders_agree_with_the_definition(order):
    frames = np.random.default_rng(8).poisson(9, (40, 5, 4)).astype(np.uint16)
    found = cross_cumulants(frames, (order,))[order]
    expected = direct(frames.astype(float), order, "all")
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("lag", [1, 3])
def test_lagged_cumulants_agree_with_the_definition(order, lag):
    frames = np.random.default_rng(9).poisson(30, (50, 6, 7)).astype(np.uint16)
    found = cross_cumulants(open_movie(frames), (order,), "single", lag=lag)[order]
    n = len(frames) - (order - 1) * lag
    for i, j in np.ndindex(found.shape):
        (pixels,) = pixel_sets(order, "single")[i % order, j % order]
        both = [
            joint_cumulant(
                [
                    frames[k * lag : k * lag + n, 1 + i // order + r, 1 + j // order + c].astype(
                        float
                    )
                    for k, (r, c) in enumerate(direction)
                ]
            )
            for direction in (pixels, pixels[::-1])
        ]
        assert found[i, j] == pytest.approx(np.mean(both), abs=1e-7)


def test_lags_and_blocks_change_nothing(monkeypatch):
    frames = np.random.default_rng(2).poisson(50, (61, 20, 11)).astype(np.uint16)
    whole = cross_cumulants(frames, (2, 3), lag=4)
    monkeypatch.setattr("napari_sofinet.io.blocks.BLOCK_BYTES", 5 * 20 * 11 * 2)
    monkeypatch.setattr(cumulants, "MOMENT_BYTES", 8 * 11 * 71 * 7)
    cut = cross_cumulants(open_movie(frames), (2, 3), lag=4)
    for n in whole:
        np.testing.assert_allclose(cut[n], whole[n], rtol=1e-9, atol=1e-6)


def test_a_lag_drops_noise_that_neighbours_share():
    rng = np.random.default_rng(10)
    frames = rng.normal(size=(2000, 10, 10))
    frames += np.roll(frames, 1, axis=2) + np.roll(frames, 1, axis=1)
    plain, lagged = (cross_cumulants(frames, (2,), lag=lag)[2] for lag in (0, 1))
    assert plain[1::2].mean() > 0.5
    assert abs(lagged.mean()) < 0.02


def test_weighted_sets_keep_the_signal_and_lower_the_noise():
    on = np.arange(1000) % 5 == 0
    y, x = np.mgrid[:12, :12]
    sigma = 1.1
    psf = np.exp(-((y - 5.3) ** 2 + (x - 6.1) ** 2) / (2 * sigma**2))
    emitter = 10 * on[:, None, None] * psf
    noise = np.random.default_rng(11).normal(size=(1000, 30, 30))
    fwhm = sigma * 2.35482
    for order, gain in ((2, 0.96), (3, 0.99), (4, 0.95)):
        all_sets, weighted = (
            cross_cumulants(emitter, (order,), kind, fwhm_px=fwhm)[order]
            for kind in ("all", "weighted")
        )
        np.testing.assert_allclose(weighted, all_sets, rtol=1e-6, atol=1e-9)
        all_sets, weighted = (
            flatten(cross_cumulants(noise, (order,), kind, fwhm_px=fwhm)[order], order, "psf", fwhm)
            for kind in ("all", "weighted")
        )
        assert weighted.std() < gain * all_sets.std()
    closest = {phase: sets[0] for phase, sets in pixel_sets(2).items()}
    for phase, sets in pixel_sets(2, "weighted").items():
        assert spread(sets[0]) == spread(closest[phase])
    with pytest.raises(ValueError, match="fwhm_px"):
        cross_cumulants(noise, (2,), "weighted")


def test_averaging_all_sets_lowers_the_noise():
    frames = np.random.default_rng(5).normal(size=(300, 40, 40))
    single, every = (cross_cumulants(frames, (2,), kind)[2] for kind in ("single", "all"))
    assert every[::2, ::2].std() < 0.8 * single[::2, ::2].std()


def test_cancel_stops_at_the_next_block():
    def report(fraction, message="", preview=None):
        raise Cancelled

    with pytest.raises(Cancelled):
        cross_cumulants(np.zeros((10, 8, 8)), (2,), report=report)


@pytest.mark.parametrize(
    ("frames", "orders", "match"),
    [
        (np.zeros((10, 3, 9)), (2,), "4 x 4"),
        (np.zeros((3, 8, 8)), (4,), "at least 4 frames"),
        (np.zeros((10, 8, 8)), (7,), "orders"),
        (np.zeros((8, 8)), (2,), "axes"),
        (np.full((10, 8, 8), np.nan), (2,), "Frame 0"),
    ],
)
def test_unusable_movies_are_refused_in_a_sentence(frames, orders, match):
    with pytest.raises(InputError, match=match):
        cross_cumulants(frames, orders)


@given(
    frames=st.integers(1, 40),
    height=st.integers(4, 30),
    width=st.sampled_from([4, 7, 70, 300, 1030]),
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", ">u2"]),
    spread=st.sampled_from([3, 100, 9000, 60000]),
    order=st.sampled_from([2, 3]),
)
@settings(max_examples=30, deadline=None)
def test_sums_of_counts_are_exact(frames, height, width, dtype, spread, order):
    rng = np.random.default_rng(frames * height + spread)
    ends = np.iinfo(dtype)
    low = max(ends.min, -spread // 2) if ends.min < 0 else 0
    movie = rng.integers(low, min(ends.max, low + spread) + 1, (frames, height, width)).astype(
        dtype
    )
    about = np.rint(movie.mean(axis=0))
    sums = MomentSums(needed_for(order), about)
    sums.add(movie)
    deviation = movie - about
    inside = (slice(0, height - 2), slice(0, width - 2))
    for k, pixels in enumerate(sums.products[:7]):
        expected = np.prod(
            [deviation[:, r : r + height - 2, c : c + width - 2] for r, c in pixels], axis=0
        ).sum(axis=0)
        np.testing.assert_array_equal(sums.sums[k][inside], expected)
