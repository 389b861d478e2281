"""The method that is named first is nearly the best one, on movies whose truth is known."""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_sofinet as sofinet
from napari_sofinet.cli.main import main
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.suitable import headline, ranked
from napari_sofinet.preprocess.movie_facts import MovieFacts
from napari_sofinet.preprocess.spot_facts import spot_facts
from napari_sofinet.preprocess.suitability import examine
from napari_sofinet.simulation import simulate

TABLES = Path(__file__).parents[1] / "benchmarks" / "tables"
FACTS = MovieFacts(
    frames=400,
    blinks=True,
    psf_fwhm_px=2.5,
    signal_to_noise=1.5,
    crowding=1.5,
    correlation_frames=1.0,
    rarity=5.0,
    spot_to_noise=20.0,
    settled=10.0,
    repeated=0.6,
    agree=0.6,
    spread=0.4,
)


def script():
    """The benchmark, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("choice_table", TABLES / "choice.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = script()


def rows_of(kind: str) -> list[dict[str, str]]:
    with (TABLES / "choice.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["set"] == kind]


def test_nearly_the_best_method_is_named_for_movies_that_were_not_fitted():
    rows = rows_of("test")
    assert len(rows) >= TABLE.TEST_MOVIES
    lost = np.array([TABLE.lost(row) for row in rows])
    # 87 % of all movies, and 93 % of those that show something.
    assert np.mean(lost <= 0.02) >= 0.85, sorted(lost)[-15:]
    assert np.mean(lost <= 0.05) >= 0.94, sorted(lost)[-5:]
    shown = np.array([TABLE.best(row) for row in rows]) >= TABLE.SHOWN
    assert np.mean(lost[shown] <= 0.02) >= 0.9
    # Better on the average than any one method for all movies.
    got = np.array([TABLE.best(row) for row in rows]) - lost
    for name in TABLE.STILL:
        assert got.mean() > np.mean([float(row[name] or 0) for row in rows]), name


@pytest.mark.parametrize("place", [0, 7])
def test_facts_in_the_table_are_those_of_the_movies(place):
    row = [row for row in rows_of("test") if int(row["frames"]) < 200][place]
    settings = TABLE.settings_of(int(row["seed"]) - TABLE.FIRST_SEED)
    facts = examine(sofinet.open_movie(simulate(settings).frames)).facts
    for name, value in TABLE.facts_in(facts).items():
        assert float(value) == pytest.approx(float(row[name]), rel=0.02, abs=0.02), name


def test_titles_reasons_and_settings_are_usable():
    for changes in ({}, {"frames": 12}, {"moved_px": 2.0}, {"crowding": 200.0}, {"blinks": False}):
        choices = ranked(replace(FACTS, **changes))
        assert choices
        for choice in choices:
            assert choice.title.startswith(choice.method.title)
            assert choice.suggestion.reason.endswith(".")
            choice.method.settings(**choice.suggestion.settings)
        names = [(c.method.name, c.suggestion.time_series) for c in choices]
        assert len(names) == len(set(names))


def test_no_method_is_named_where_nothing_blinks():
    assert [c.method.name for c in ranked(replace(FACTS, blinks=False))] == ["average"]
    assert ranked(None) == ()
    still = np.random.default_rng(1).poisson(100, (60, 24, 24)).astype(np.uint16)
    (only,) = sofinet.suitable_methods(sofinet.open_movie(still))
    assert only.method.name == "average"
    assert "Nothing blinks" in only.suggestion.reason


def test_a_moving_sample_gets_a_time_series_first_and_single_emitters_that_of_localisations():
    sparse = [c.method.name for c in ranked(replace(FACTS, moved_px=2.0))]
    assert sparse[:2] == ["dblink", "sofinet"]
    crowded = ranked(replace(FACTS, moved_px=2.0, crowding=50.0, signal_to_noise=3.0))
    assert crowded[0].method.name == "sofinet"
    assert crowded[0].suggestion.settings["window"] == 20
    assert "dblink" not in [c.method.name for c in crowded]
    assert not ranked(FACTS)[0].suggestion.time_series


def test_localisation_is_named_only_where_emitters_stand_out():
    assert "deepstorm" in [c.method.name for c in ranked(FACTS)]
    for changes in ({"crowding": 100.0}, {"spot_to_noise": 2.9}):
        assert "deepstorm" not in [c.method.name for c in ranked(replace(FACTS, **changes))]


def test_few_frames_speak_for_the_network_and_many_for_sofi():
    crowded = replace(FACTS, crowding=20.0, rarity=0.5)
    assert ranked(replace(crowded, frames=12))[0].method.name == "sofinet"
    order = [c.method.name for c in ranked(replace(crowded, frames=2000, psf_fwhm_px=3.0))]
    assert order.index("sofi") <= 1


def test_a_movie_that_shows_too_little_is_told():
    poor = replace(FACTS, frames=10, settled=0.1, rarity=20.0)
    assert headline(ranked(poor)).startswith("So far no method is expected to show the structure")
    assert headline(ranked(FACTS)).startswith("Methods for this movie, best first")


def test_a_method_without_a_statement_is_never_named():
    silent = {name for name, method in methods().items() if method.suits is None}
    assert {"convgru", "unet", "ddpm", "table"} <= silent
    assert not silent & {c.method.name for c in ranked(replace(FACTS, moved_px=2.0))}


def test_the_command_line_lists_methods_with_commands(tmp_path, capsys):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    places = rng.uniform(4, 28, (25, 2))
    spots = [np.exp(-((y - p) ** 2 + (x - q) ** 2) / 2.4) for p, q in places]
    on = rng.random((80, 25)) < 0.2
    frames = rng.poisson(400 * np.tensordot(on, spots, 1) + 100).astype(np.uint16)
    path = tmp_path / "cell.tif"
    tifffile.imwrite(path, frames)
    assert main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "Methods for this movie, best first" in text
    assert "\n1  sofinet reconstruct " in text
    assert main(["info", str(path), "--json"]) == 0
    named = json.loads(capsys.readouterr().out)["methods"]
    assert named[0]["accuracy"] >= named[-1]["accuracy"]
    assert set(named[0]) == {"method", "title", "settings", "accuracy", "reason"}


def test_spots_that_come_again_are_told_from_spots_that_do_not():
    y, x = np.mgrid[:40, :40]
    rng = np.random.default_rng(3)

    def frames(places) -> np.ndarray:
        spots = [np.exp(-((y - p) ** 2 + (x - q) ** 2) / 2.9) for p, q in places]
        return np.tensordot(rng.random((100, len(places))) < 0.05, spots, 1)

    light = [rng.uniform(5, 35, (12, 2)) for _ in range(2)]
    noise = rng.normal(0, 0.05, (200, 40, 40))
    same = spot_facts(np.concatenate([frames(light[0]), frames(light[0])]) + noise, 2.8)
    other = spot_facts(np.concatenate([frames(light[0]), frames(light[1])]) + noise, 2.8)
    assert same.repeated > 0.7 > 0.3 > other.repeated
    assert same.agree > 0.45 > 0.2 > other.agree
    assert other.spread > same.spread
    assert np.isnan(spot_facts(noise[:, :6, :6], 2.8).repeated)
    assert spot_facts(np.ones((10, 20, 20)), float("nan")).repeated == 0.0
