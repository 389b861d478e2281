"""Pairs of lines: the dip between them against analytic profiles, and the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.metrics import line_pairs
from napari_sofinet.metrics.profiles import Profile
from napari_sofinet.quality.lines import measure_pattern, pattern_of
from napari_sofinet.quality.picture import Picture
from napari_sofinet.simulation import preset_settings

SMALL = {"rows": 24, "columns": 40, "frames": 20}
FWHM = 2.3548


def two_lines(spacing: float, sigma: float, base: float = 0.0) -> Profile:
    x = np.linspace(0, 100, 201)
    peaks = [np.exp(-((x - 50 - at * spacing) ** 2) / (2 * sigma**2)) for at in (-0.5, 0.5)]
    return Profile(x, base + sum(peaks))


@pytest.mark.parametrize("base", [0.0, 100.0])
def test_the_dip_is_that_of_the_formula_whatever_lies_below(base):
    sigma, spacing = 5.0, 20.0
    found = line_pairs.separation(two_lines(spacing, sigma, base), 50, spacing)
    middle = 2 * np.exp(-(spacing**2) / 8 / sigma**2)
    peak = 1 + np.exp(-(spacing**2) / 2 / sigma**2)
    assert found.dip == pytest.approx(1 - middle / peak, abs=2e-3)
    assert found.distance == pytest.approx(spacing, abs=0.05)
    assert found.widths == pytest.approx([sigma * FWHM] * 2, rel=1e-3)
    assert found.resolved


def test_lines_closer_than_sparrows_limit_have_no_dip():
    found = line_pairs.separation(two_lines(1.9 * 5, 5.0), 50, 9.5)
    assert found.dip == pytest.approx(0, abs=1e-3)
    assert found.distance is None
    assert line_pairs.two_peaks(two_lines(9.5, 5.0)) is None
    assert line_pairs.two_peaks(two_lines(20, 5.0)) == pytest.approx((40, 60), abs=0.5)


def test_a_pair_counts_only_if_all_wider_ones_are_resolved():
    yes, no = line_pairs.Separation(0.5, 1.0, ()), line_pairs.Separation(0.1, None, ())
    assert line_pairs.smallest_resolved([300, 200, 100], [yes, yes, no]) == 200
    assert line_pairs.smallest_resolved([100, 200, 300], [yes, no, yes]) == 300
    assert line_pairs.smallest_resolved([200, 100], [no, yes]) is None


def drawn(settings, fineness: int, sigma_um: float) -> np.ndarray:
    """Lines as wide as a Gaussian, on a grid that starts at the corner of the field."""
    height, width = settings.field_um
    step = settings.pixel_size_um / fineness
    x = (np.arange(round(width / step)) + 0.5) * step
    row = sum(
        np.exp(-((x - pair.centre_um - side * pair.spacing_um) ** 2) / (2 * sigma_um**2))
        for pair in pattern_of(settings).pairs
        for side in (-0.5, 0.5)
    )
    return np.tile(row, (round(height / step), 1))


def test_the_pattern_is_found_on_any_grid():
    settings = preset_settings("argolight", changes=SMALL)
    image = drawn(settings, 4, 0.04)
    picture = Picture(image, "x", pixel_px=(0.25, 0.25), origin_px=(-0.375, -0.375))
    found = measure_pattern(picture, pattern_of(settings))
    assert [pair["spacing_nm"] for pair in found["pairs"]] == [210, 180, 150, 120]
    assert found["smallest_resolved_nm"] == pytest.approx(120)
    for pair in found["pairs"]:
        assert pair["distance_nm"] == pytest.approx(pair["spacing_nm"], abs=2)
    # A picture without position is taken to show the same field.
    plain = measure_pattern(Picture(image, "x"), pattern_of(settings))
    assert plain["pairs"] == found["pairs"]
    assert "assumed to show the same field" in plain["notes"][0]
    # At three standard deviations the dip is 36 %, at 2.5 it is 12 %.
    blurred = measure_pattern(Picture(drawn(settings, 4, 0.06), "x"), pattern_of(settings))
    assert blurred["smallest_resolved_nm"] == pytest.approx(180)


def test_a_shift_of_the_picture_is_not_a_pair():
    settings = preset_settings("argolight", changes=SMALL)
    picture = Picture(drawn(settings, 4, 0.02), "x", pixel_px=(0.25, 0.25), origin_px=(0.0, 1.0))
    found = measure_pattern(picture, pattern_of(settings))
    assert found["smallest_resolved_nm"] is None


def test_the_command_measures_truth_and_line(tmp_path, capsys):
    movie, truth = tmp_path / "m.tif", tmp_path / "t.npz"
    words = [f"--{name}={value}" for name, value in SMALL.items()]
    line = ["simulate", "argolight", "-o", str(movie), "--truth", str(truth), *words]
    assert main([*line, "--structure.spacing-nm", "600"]) == 0
    sofinet.reconstruct(sofinet.open_movie(movie), "average").save(tmp_path / "a.ome.tif")
    capsys.readouterr()
    assert main(["measure", "lines", str(movie), "--truth", str(truth), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [pair["spacing_nm"] for pair in found["pairs"]] == [600]
    assert found["smallest_resolved_nm"] == 600
    assert found["pairs"][0]["distance_nm"] == pytest.approx(600, abs=60)
    average = str(tmp_path / "a.ome.tif")
    assert main(["measure", "lines", average, "--line", "12,8:12,31", "--width", "12"]) == 0
    shown = capsys.readouterr().out
    assert "distance_nm" in shown
    assert "resolved:       True" in shown
    assert main(["measure", "lines", average, "--truth", str(truth)]) == 0
    assert "smallest_resolved_nm: 600" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--line", "1:2"], "A line is given as y0,x0:y1,x1"),
        (["--line", "0,0:0,400"], "leaves the image"),
        (["--line", "0,0:0,4", "--width", "0"], "more than 0 samples"),
        (["--truth", "nothing.npz"], "nothing.npz"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(tmp_path, capsys, words, sentence):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.random.default_rng(0).random((20, 30), dtype=np.float32))
    assert main(["measure", "lines", str(path), *words]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


def test_other_structures_have_no_pairs():
    with pytest.raises(InputError, match="not pairs of lines"):
        pattern_of(preset_settings("microtubules"))
