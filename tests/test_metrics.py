"""Quality metrics against other programs' values, analytic ones and simulated truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import REFERENCE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics import (
    crlb,
    decorrelation_map,
    decorrelation_resolution,
    false_filament_length,
    fit_peaks,
    fitted,
    frc_map,
    frc_resolution,
    fwhm_by_autocorrelation,
    likeness,
    line_profile,
    localization_scores,
    mask_scores,
    pearson,
    real_time_rate,
    squirrel,
)
from napari_sofinet.metrics.frc import ring_correlation

FOLDER = REFERENCE / "metrics"


def stored(name: str) -> dict:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def image(name: str) -> np.ndarray:
    return np.load(FOLDER / name)


def spots(seed: int, side: int = 128, count: int = 60, fwhm: float = 4.0, margin: float = 0.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    out = np.zeros((side, side))
    for a, b in rng.uniform(margin, side - margin, (count, 2)):
        out += np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * (fwhm / 2.3548) ** 2))
    return 300 * out


@pytest.mark.parametrize("name", ["dc02", "dc04", "dc08", "dc10", "dc15"])
def test_decorrelation_is_imdecorrs(name):
    case = stored("decorr")[name]
    found = decorrelation_resolution(image(case["file"]))
    expected = case["imdecorr_octave"]
    assert found.kc == pytest.approx(expected["kcMax"], abs=1e-4)
    assert found.snr == pytest.approx(expected["A0"], abs=1e-3)
    assert found.resolution_px == pytest.approx(expected["resolution_px"], rel=1e-3)
    np.testing.assert_allclose(found.curve, expected["d0_curve"], atol=1e-3)


def test_noise_has_no_resolution():
    case = stored("decorr")["dc11"]
    found = decorrelation_resolution(image(case["file"]))
    assert found.resolution_px is None
    assert "noise" in found.reason
    assert found.kc == pytest.approx(case["imdecorr_octave"]["kcMax"], abs=1e-4)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.full((100, 100), 7.0), "is constant"),
        (np.zeros((30, 200)), "too few"),
        (np.full((100, 100), np.nan), "NaN or infinite"),
        (np.zeros((3, 100, 100)), "single image"),
    ],
)
def test_where_there_is_no_resolution_a_reason_is_given(picture, reason):
    for found in (decorrelation_resolution(picture), frc_resolution(picture)):
        assert found.resolution_px is None
        assert found.reason
    assert reason in decorrelation_resolution(picture).reason


def test_sectors_see_resolution_in_their_direction():
    rng = np.random.default_rng(0)
    picture = gaussian_filter(rng.random((256, 256)) ** 20, (3.0, 1.2)) * 3000
    picture = rng.poisson(picture + 5).astype(float)
    along_x = decorrelation_resolution(picture, sector=(-20, 20))
    along_y = decorrelation_resolution(picture, sector=(70, 110))
    assert along_y.resolution_px > 1.6 * along_x.resolution_px


def test_maps_show_where_an_image_is_sharp():
    rng = np.random.default_rng(1)
    sharp = gaussian_filter(rng.random((200, 200)) ** 20, 1.0)
    blurred = gaussian_filter(rng.random((200, 200)) ** 20, 3.0)
    pair = np.hstack([sharp / sharp.mean(), blurred / blurred.mean()]) * 20
    noisy = [rng.poisson(pair).astype(float) for _ in range(2)]
    found, y, x = decorrelation_map(noisy[0], tile=160, step=120)
    assert found[0, 0] < 0.7 * found[0, -1]
    assert x[0] == y[0] == 79.5
    found, _, _ = frc_map(*noisy, block=100, step=100)
    assert np.nanmean(found[:, 0]) < 0.7 * np.nanmean(found[:, -1])


@pytest.mark.parametrize("name", ["fr02", "fr06"])
def test_ring_correlation_is_that_of_other_programs(name):
    case = stored("frc")[name]
    a, b = (image(file).astype(float) for file in case["files"])
    for key, taper in (("tukey0.125", 0.125), ("tukey0.25", 0.25)):
        expected = case["frc_pkg"][key]
        curve = np.array(expected["curve"] if isinstance(expected, dict) else expected)
        found = ring_correlation(a, b, taper)[1]
        n = min(len(curve), len(found))
        np.testing.assert_allclose(found[:n], curve[:n], atol=1e-6)
    others = [case["nanopyx_res_px"], case["nanoj_core_res_px"], case["miplib"]["two_image_res_px"]]
    assert frc_resolution(a, b).resolution_px == pytest.approx(np.median(others), rel=0.07)
    single = frc_resolution(a).resolution_px
    assert single == pytest.approx(case["miplib"]["single_image_a_res_px"], rel=0.25)


def test_frc_needs_two_noises():
    clean = spots(2)
    rng = np.random.default_rng(2)
    a, b = (rng.poisson(clean + 10).astype(float) for _ in range(2))
    found = frc_resolution(a, b)
    assert found.resolution_px == pytest.approx(4, rel=0.4)
    for criterion in ("half-bit", "3-sigma"):
        other = frc_resolution(a, b, criterion).resolution_px
        assert other == pytest.approx(found.resolution_px, rel=0.3)
    assert "same" in frc_resolution(a, a).reason
    assert "all but the same" in frc_resolution(a, a + 1e-6 * b).reason
    shared = rng.normal(size=a.shape)
    assert "share their noise" in frc_resolution(a + 30 * shared, b + 30 * shared).reason
    noise = [rng.normal(size=(128, 128)) for _ in range(2)]
    assert "noise" in frc_resolution(*noise).reason
    assert frc_resolution(a, b[:100]).reason
    # Not square: the same resolution along both axes.
    part = frc_resolution(a[:90], b[:90]).resolution_px
    assert part == pytest.approx(found.resolution_px, rel=0.15)


@pytest.mark.parametrize("name", ["sq01", "sq05"])
def test_squirrel_finds_the_least_error(name):
    case = stored("squirrel")[name]
    found = squirrel(image(case["sr"]), image(case["ref"]))
    expected = case["gauss_mag1_float64"]
    assert found.rsp == pytest.approx(expected["RSP"], abs=1e-5)
    assert found.sigma_px == pytest.approx(expected["sigma"], rel=1e-4)
    assert found.alpha == pytest.approx(expected["alpha"], rel=1e-4)
    assert found.beta == pytest.approx(expected["beta"], rel=1e-3)
    if expected["RSE"] > 1e-3:
        assert found.rse == pytest.approx(expected["RSE"], rel=1e-4)
        assert found.error_map.mean() == pytest.approx(expected["absmap_mean"], rel=1e-3)
    else:
        assert found.rse < 1e-3
    assert found.warning is None


def test_squirrel_at_another_magnification():
    case = stored("squirrel")["sq04"]
    found = squirrel(image(case["sr"]), image(case["ref"]))
    expected = case["block_mean_float64"]
    assert found.rsp == pytest.approx(expected["RSP"], abs=0.002)
    assert found.sigma_px / 4 == pytest.approx(expected["sigma"], rel=0.02)
    assert found.alpha == pytest.approx(expected["alpha"], rel=0.02)


def test_squirrel_keeps_any_grid_registered():
    # A fine image on SOFI's grid: 2n - 1 samples from camera pixel (1, 1) on.
    fine = spots(3, side=8 * 40, count=25, fwhm=16.0, margin=60)
    camera = gaussian_filter(fine, 12).reshape(40, 8, 40, 8).mean(axis=(1, 3))
    at = ((1 + np.arange(73) / 2 + 0.5) * 8 - 0.5).round().astype(int)
    sharp = gaussian_filter(fine, 1)[np.ix_(at, at)]
    found = squirrel(sharp, 3 * camera + 5, pixel_px=(0.5, 0.5), origin_px=(1.0, 1.0))
    assert found.rsp > 0.999
    shifted = squirrel(sharp, 3 * camera + 5, pixel_px=(0.5, 0.5), origin_px=(2.0, 2.0))
    assert shifted.rsp < 0.95
    assert np.isnan(found.error_map[0]).all()
    assert np.isfinite(found.error_map[2:36, 2:36]).all()


def test_squirrel_says_what_is_wrong():
    picture = spots(4, side=64)
    assert "dark where" in squirrel(-picture, picture).warning
    assert "not sharper" in squirrel(gaussian_filter(picture, 3), picture).warning
    for bad, match in ((np.ones((64, 64)), "is constant"), (np.zeros((50, 64)), "constant")):
        with pytest.raises(InputError, match=match):
            squirrel(bad, picture)
    with pytest.raises(InputError, match="pixel size"):
        squirrel(spots(4, side=100), picture)


@pytest.mark.parametrize("name", ["ss01", "ss03"])
def test_likeness_is_scikit_images(name):
    case = stored("similarity")[name]
    truth, picture = image(f"similarity/{name}_gt.npy"), image(f"similarity/{name}_pred.npy")
    found = likeness(picture, truth)
    assert found.ssim == pytest.approx(case["ssim_default_win7"], rel=1e-5)
    assert found.psnr == pytest.approx(case["psnr"], rel=1e-6)
    assert found.nrmse == pytest.approx(case["nrmse_euclidean"], rel=1e-6)
    assert found.mse == pytest.approx(case["mse"], rel=1e-5)
    assert pearson(picture, truth) == pytest.approx(case["pearson"], rel=1e-6)


def test_units_are_fitted_away():
    truth = spots(5, side=64)
    assert likeness(fitted(0.01 * truth - 7, truth), truth).nrmse < 1e-9
    with pytest.raises(InputError, match="pixel by pixel"):
        likeness(truth, truth[1:])
    with pytest.raises(InputError, match="is constant"):
        likeness(truth, np.ones_like(truth))


def test_masks_are_lis():
    case = stored("li_tpr")
    found = mask_scores(image("li_tpr/li01_pred.npy"), image("li_tpr/li01_gt.npy"))
    for name in ("TP", "FP", "TN", "FN"):
        assert getattr(found, name.lower()) == pytest.approx(case["li01"][name], abs=3)


def test_noise_of_any_offset_has_no_frc():
    rng = np.random.default_rng(3)
    for offset in (0, 100, 1000):
        a, b = rng.normal(offset, 10, (2, 128, 128))
        assert frc_resolution(a, b).resolution_px is None


def test_pearson_is_numpys():
    rng = np.random.default_rng(1)
    a = rng.normal(1e6, 1, (150, 170))
    b = (a - 1e6 + rng.normal(0, 1, a.shape)).astype(np.float32)
    assert pearson(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-9)
    assert np.isnan(pearson(a, np.full_like(a, 0.1)))
    assert pearson(a, -2 * a + 3) == pytest.approx(-1)


def lines(*rows: int, columns: int = 40) -> np.ndarray:
    picture = np.zeros((40, columns))
    for row in rows:
        picture[row, 5:35] = 1
    return picture


def test_masks_forgive_a_tolerance():
    truth, moved = lines(10), lines(12)
    strict, fair = mask_scores(moved, truth), mask_scores(moved, truth, tolerance_px=2)
    assert (strict.tpr, strict.fp, strict.fn) == (0, 30, 30)
    assert (fair.tpr, fair.tnr, fair.tp, fair.fp, fair.fn) == (1, 1, 30, 0, 0)
    assert mask_scores(moved, truth, tolerance_px=1.9).tpr == 0
    assert sum(fair[2:]) == truth.size


def test_false_filaments_have_a_length():
    found = false_filament_length(lines(10, 21, 30), lines(11, 30))
    assert (found.drawn, found.false) == (90, 30)
    thick = gaussian_filter(lines(10, 30), 1.5)
    assert false_filament_length(thick, gaussian_filter(lines(10, 30), 1.5)).false == 0
    assert np.isnan(false_filament_length(np.zeros((20, 20)), lines(3)[:20, :20]).share)


def test_live_pictures_per_second():
    # 20 frames at 100 per second take 0.2 s; the thesis reports 4.85, 4.53 and 3.14 per second.
    assert real_time_rate(20, 100, 0.0062) == pytest.approx(4.85, abs=0.005)
    assert real_time_rate(20, 100, 0.1185) == pytest.approx(3.14, abs=0.005)
    with pytest.raises(ValueError, match="rate"):
        real_time_rate(0, 100, 0)


def test_line_profiles_are_known():
    case = stored("line_fwhm")["fw01"]
    picture = image("line_fwhm/fw01.npy")
    for width in (1, 5):
        expected = case[f"linewidth{width}"]
        profile = line_profile(picture, case["line_start_yx"], case["line_end_yx"], width)
        np.testing.assert_allclose(profile.values, expected["profile"], rtol=1e-4, atol=1e-6)
        found = fit_peaks(profile)
        assert found.fwhm[0] == pytest.approx(expected["gauss_fit_fwhm_px"], rel=2e-3)
        assert found.fwhm_half == pytest.approx(expected["half_max_fwhm_px_minbaseline"], rel=2e-3)


def test_a_pair_of_lines_has_a_dip():
    x = np.arange(60.0)
    pair = sum(np.exp(-((x - c) ** 2) / (2 * 2.0**2)) for c in (26, 33))
    picture = np.tile(pair, (20, 1)) + 0.1
    found = fit_peaks(line_profile(picture, (10, 0), (10, 59), 3), peaks=2)
    assert found.centers == pytest.approx((26, 33), abs=1e-3)
    assert found.fwhm == pytest.approx((4.71, 4.71), rel=1e-3)
    middle = 2 * np.exp(-(3.5**2) / 8)
    assert found.dip == pytest.approx(1 - middle / (1 + np.exp(-49 / 8)), abs=0.01)
    assert "flat" in fit_peaks(line_profile(np.ones((9, 9)), (1, 1), (7, 7))).reason
    with pytest.raises(InputError, match="shorter"):
        line_profile(picture, (1, 1), (1, 1.2))


@pytest.mark.parametrize("name", ["ac02", "ac07", "ac09"])
def test_autocorrelation_widths(name):
    case = stored("acf_fwhm")[name]
    found = fwhm_by_autocorrelation(image(case["file"]))
    expected = list(case["unbounded_two_gauss_ours"].values())
    np.testing.assert_allclose(found, expected, rtol=0.01)
    if case["truth"]["noise"]:
        # Without lag 0 the noise no longer makes spots look narrower.
        freed = fwhm_by_autocorrelation(image(case["file"]), noise=True)
        np.testing.assert_allclose(freed, case["truth"]["fwhm_true_px"], rtol=0.09)


@pytest.mark.parametrize("name", ["lo01", "lo05"])
def test_localisations_are_matched(name):
    case = stored("localisation")[name]
    truth, found = np.array(case["gt_yx"], float), np.array(case["pred_yx"], float)
    for key, radius in (("hungarian_R5", 5), ("hungarian_R2", 2)):
        if key not in case:
            continue
        scores = localization_scores(found, truth, radius)
        expected = case[key]
        assert (scores.tp, scores.fp, scores.fn) == tuple(expected[k] for k in ("TP", "FP", "FN"))
        assert scores.jaccard == pytest.approx(expected["jaccard"])
        assert scores.rmse == pytest.approx(expected["rmse"], abs=1e-9)
    nearest = localization_scores(found, truth, 5, "nearest")
    expected = case["nearest_R5"]
    assert nearest.tp == expected["TP_predictions"]
    assert (nearest.fp, nearest.fn) == (expected["FP"], expected["FN"])
    assert nearest.recall == pytest.approx(expected["recall_truth_based"])
    assert nearest.rmse == pytest.approx(expected["rmse"], abs=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 30), m=st.integers(0, 30))
def test_matching_in_groups_is_matching_at_once(seed, n, m):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    found, truth = rng.uniform(0, 10, (n, 2)), rng.uniform(0, 10, (m, 2))
    scores = localization_scores(found, truth, 1.5)
    distance = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1))
    cost = np.where(distance <= 1.5, distance, 1e6)
    i, j = linear_sum_assignment(cost)
    good = cost[i, j] < 1e6
    assert scores.tp == good.sum()
    if good.any():
        total = distance[i, j][good].sum()
        own = distance[scores.pairs[:, 0], scores.pairs[:, 1]].sum()
        assert own == pytest.approx(total)


@pytest.mark.parametrize("name", ["cr00", "cr02", "cr05", "cr08"])
def test_least_errors_are_known(name):
    case = stored("crlb")[name]
    found = crlb(
        case["photons"],
        case["sigma_px"],
        case["background_per_px"],
        box=case["box"],
        at=(case["y0"], case["x0"]),
        read_noise_variance=case["read_noise_var_added"],
    )
    expected = case.get("crlb_4param_std", case["crlb_xy_only_std_px"])[:2]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
