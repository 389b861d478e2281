"""Raw SIM stacks: opening, order of images, simulation and reconstruction as users run them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import ORDERS, open_sim_stack
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.simulation.sim_settings import SIM_PRESETS, sim_preset_settings
from napari_sofinet.simulation.sim_simulate import simulate_stack

EXPOSURES, PLANES = 7, 5


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Images (P, Z, Y, X) of which each is told by its values."""
    flat = np.arange(EXPOSURES * PLANES, dtype=np.uint16)
    return np.broadcast_to(flat[:, None, None], (flat.size, 8, 8)).reshape(7, 5, 8, 8).copy()


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_axes_of_files_tell_the_order(
    tmp_path: Path, images: np.ndarray, axes: str, kind: str
) -> None:
    if kind == "imagej" and axes == "ZTYX":
        pytest.skip("ImageJ's files have one order only")
    stored = images if axes == "TZYX" else images.transpose(1, 0, 2, 3)
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, stored, metadata={"axes": axes}, **{kind: True})
    stack = open_sim_stack(path, 0.1)
    assert np.array_equal(stack.exposures(1, EXPOSURES, None).compute(), images)


@pytest.mark.parametrize(("order", "stored"), [(ORDERS[0], (1, 0)), (ORDERS[2], (0, 1))])
def test_images_of_a_plain_stack_are_regrouped(
    tmp_path: Path, images: np.ndarray, order: str, stored: tuple[int, int]
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, images.transpose(*stored, 2, 3).reshape(-1, 8, 8))
    stack = open_sim_stack(path, 0.1)
    assert np.array_equal(stack.exposures(1, EXPOSURES, order).compute(), images)
    with pytest.raises(InputError, match="do not tell in which order its 7 exposures and 5"):
        stack.exposures(1, EXPOSURES, None)


def test_directions_may_be_slower_than_planes() -> None:
    directions, planes, phases = 3, 4, 5
    number = np.arange(60).reshape(directions, planes, phases)
    stack = open_sim_stack(np.broadcast_to(number.reshape(-1, 1, 1), (60, 8, 8)), 0.1)
    found = stack.numbers(directions, phases, "phases, planes, directions")
    assert found.shape == (15, 4)
    assert np.array_equal(found, number.transpose(0, 2, 1).reshape(15, 4))


def test_another_number_of_images_is_refused(images: np.ndarray) -> None:
    stack = open_sim_stack(images.reshape(-1, 8, 8)[:-1], 0.1)
    with pytest.raises(InputError, match="34 images, which is no multiple of the 7 exposures"):
        stack.exposures(1, EXPOSURES, ORDERS[0])


def test_movies_and_stacks_are_not_mistaken(images: np.ndarray) -> None:
    stack = open_sim_stack(images, 0.1)
    with pytest.raises(InputError, match="a raw SIM stack; sofi needs a movie"):
        reconstruct(stack, "sofi")


@pytest.mark.parametrize("name", SIM_PRESETS)
def test_presets_are_the_same_for_the_same_seed(name: str) -> None:
    small = {"rows": 24, "columns": 28, "planes": 2, "count": 3}
    one, same, other = (
        simulate_stack(sim_preset_settings(name, seed, small)).images() for seed in (4, 4, 5)
    )
    assert one.shape == (7, 2, 24, 28)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sim")
    stack, truth = folder / "stack.tif", folder / "truth.ome.tif"
    small = "--rows 64 --columns 72 --planes 6 --structure points --count 60 --photons 2000"
    words = ["simulate", "sim-mixed", "-o", str(stack), "--truth", str(truth), *small.split()]
    assert main(words) == 0
    return stack, truth


def test_a_stack_is_simulated_reconstructed_and_repeated(
    written: tuple[Path, Path], tmp_path: Path
) -> None:
    stack, truth = written
    out, again = tmp_path / "sim.ome.tif", tmp_path / "again.ome.tif"
    assert main(["reconstruct", "sim", str(stack), "-o", str(out)]) == 0
    made = Reconstruction.load(out)
    assert made.image.shape == (6, 128, 144)
    assert made.axes == "ZYX"
    assert made.plane_um == pytest.approx(0.35)
    assert made.recipe is not None
    assert "pattern" in made.recipe.methods_paragraph
    assert main(["run", str(out), "-o", str(again)]) == 0
    assert np.array_equal(Reconstruction.load(again).image, made.image)
    with tifffile.TiffFile(truth) as tif:
        assert tif.series[0].axes == "ZYX"
        ideal = tif.asarray()
    assert ideal.shape == (18, 128, 144)
    # Plane 3 z + 1 of the truth is plane z of the stack, sample for sample.
    here = np.corrcoef(made.image.ravel(), ideal[1::3].ravel())[0, 1]
    moved = [
        np.corrcoef(made.image.ravel(), np.roll(ideal[1::3], by, axis).ravel())[0, 1]
        for axis in range(3)
        for by in (-1, 1)
    ]
    assert here > max(moved)
    assert here > 0.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pattern", "two-beam"], "no multiple of the 9 exposures"),
        (["--fineness", "0.4"], "was not found in stack.tif"),
        (["--microscope.numerical-aperture", "1.5"], "must lie between 0 and the refractive"),
        (["--pixel-size", "0.4"], "too large for this microscope"),
        (["--frames", "0:7"], "images of a SIM stack belong together"),
    ],
)
def test_wrong_settings_get_one_sentence(
    written: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    out = tmp_path / "sim.ome.tif"
    assert main(["reconstruct", "sim", str(written[0]), "-o", str(out), *words]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert sentence in said[-1]
    assert not out.exists()
