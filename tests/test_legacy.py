"""Recipes, outputs, weights and settings of the version before the rooms still work.

The files in ``tests/legacy`` were made by that version from ``movie.tif``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_sofinet as sofinet
from napari_sofinet.base.settings import RenamedWarning, build
from napari_sofinet.cli.main import main
from napari_sofinet.data.open_input import open_input
from napari_sofinet.methods import method_named, methods
from napari_sofinet.methods.registry import networks
from napari_sofinet.networks import weights
from napari_sofinet.training.settings import TrainingSettings

LEGACY = Path(__file__).parent / "legacy"
MOVIE = LEGACY / "movie.tif"
NETWORK_PICTURES = ("sofinet", "sofinet_series", "convgru", "unet", "dblink", "ddpm")


def recorded(name: str) -> sofinet.Recipe:
    recipe = sofinet.Recipe.load(LEGACY / name)
    used = recipe.reconstruct.settings
    if used.get("weights") and Path(used["weights"]).is_absolute():
        used = used | {"weights": str(LEGACY / Path(used["weights"]).name)}
    step = recipe.reconstruct.model_copy(update={"settings": used})
    return recipe.model_copy(update={"reconstruct": step})


@pytest.mark.filterwarnings("ignore::napari_sofinet.base.settings.RenamedWarning")
@pytest.mark.parametrize(
    ("name", "given"),
    [(n, "movie.tif") for n in ("average", "std", "sofi", "sofinet", "sofinet_series")]
    + [(n, "movie.tif") for n in ("convgru", "unet", "ddpm")]
    + [("dblink", "deepstorm.csv"), ("table", "deepstorm.csv")],
)
def test_old_pictures_are_made_again(name, given):
    if name in NETWORK_PICTURES:
        pytest.importorskip("torch")
    old = sofinet.Reconstruction.load(LEGACY / f"{name}.ome.tif")
    again = sofinet.repeat(recorded(f"{name}.ome.tif"), LEGACY / given)
    assert again.image.shape == old.image.shape
    scale = np.abs(old.image).max()
    # The processor that made them may round otherwise, and computes with 16 bits where it can.
    limit = 0.03 if name in NETWORK_PICTURES else 1e-5
    np.testing.assert_allclose(again.image, old.image, atol=limit * scale)
    assert (again.pixel_px, again.axes) == (old.pixel_px, old.axes)
    np.testing.assert_allclose(again.origin_px, old.origin_px)
    assert again.time_series == old.time_series


@pytest.mark.filterwarnings("ignore::napari_sofinet.base.settings.RenamedWarning")
def test_an_old_table_is_made_again():
    pytest.importorskip("torch")
    old = open_input(LEGACY / "deepstorm.csv", 0.1)
    recipe = recorded("deepstorm.csv.recipe.json")
    again = sofinet.repeat(recipe, MOVIE).localizations
    assert abs(len(again) - len(old)) <= 0.02 * len(old)


def test_a_file_that_was_named_in_a_recipe_and_is_gone_is_told():
    recipe = sofinet.Recipe.load(LEGACY / "average.ome.tif")
    with pytest.raises(sofinet.InputError, match="pass the movie"):
        sofinet.repeat(
            recipe.model_copy(
                update={"open": recipe.open.model_copy(update={"path": "/nowhere.tif"})}
            )
        )


@pytest.mark.parametrize(("file", "network"), [("unet-old", "unet"), ("mine", "sofinet")])
def test_old_weights_load(file, network):
    pytest.importorskip("torch")
    net, card, _ = weights.load(str(LEGACY / f"{file}.safetensors"), networks()[network])
    assert card.network == network
    assert sum(p.numel() for p in net.parameters()) > 100


def test_cards_of_old_weights_keep_what_they_said():
    card = weights.read_card(weights.find("ddpm-universal", "ddpm"))
    assert card.estimate == "sofinet-universal"
    assert weights.read_card(weights.find("sofinet-universal", "sofinet")).flip_rotate is not None


@pytest.mark.parametrize(
    ("method", "old", "new"),
    [
        ("sofinet", {"doubt": "turned"}, {"uncertainty_from": "flip_rotate"}),
        ("sofinet", {"doubt": "network"}, {"uncertainty_from": "network"}),
        ("deepstorm", {"film": True}, {"time_series": True}),
        ("deepstorm", {"finder": "single"}, {"detector": "single"}),
        ("dblink", {"localize.finder": "single"}, {"localize.detector": "single"}),
    ],
)
def test_old_names_of_settings_work_with_a_notice(method, old, new):
    model = method_named(method).settings
    with pytest.warns(RenamedWarning, match="is now called"):
        found = build(model, old)
    assert found == build(model, new)


def test_old_names_of_training_settings():
    with pytest.warns(RenamedWarning, match="frames_least is now called frames_min"):
        assert build(TrainingSettings, {"frames_least": 9}).frames_min == 9


def test_the_command_line_takes_an_old_option_with_one_line_of_notice(tmp_path, capsys):
    pytest.importorskip("torch")
    out = tmp_path / "out.ome.tif"
    words = ["reconstruct", "deepstorm", str(MOVIE), "-o", str(out), "--frames", "0:4"]
    assert main([*words, "--finder", "single"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "is now called" in line]
    assert told == ["note: The setting finder is now called detector."]
    assert sofinet.Recipe.load(out).reconstruct.settings["detector"] == "single"


def test_every_old_setting_is_known():
    for method in methods().values():
        for name in ("average", "sofi", "sofinet", "convgru", "dblink", "ddpm", "table"):
            if name == method.name:
                recipe = sofinet.Recipe.load(LEGACY / f"{name}.ome.tif")
                build(method.settings, recipe.reconstruct.settings)
