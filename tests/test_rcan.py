"""The network of Boland et al. (2021) for raw SIM stacks: as in the paper, trained, and run."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_sofinet.base.errors import Cancelled  # noqa: E402
from napari_sofinet.base.progress import Repeatable  # noqa: E402
from napari_sofinet.cli.main import main  # noqa: E402
from napari_sofinet.data.reconstruction import Reconstruction  # noqa: E402
from napari_sofinet.networks.rcan import Rcan  # noqa: E402
from napari_sofinet.networks.rcan_input import chunk_of, scale_of_exposures  # noqa: E402
from napari_sofinet.networks.rcan_run import run_rcan  # noqa: E402
from napari_sofinet.simulation.sim_settings import sim_preset_settings  # noqa: E402
from napari_sofinet.simulation.sim_simulate import simulate_stack  # noqa: E402
from napari_sofinet.simulation.sim_writing import write_stack  # noqa: E402
from napari_sofinet.training import rcan_task  # noqa: E402
from napari_sofinet.training.axial_settings import RcanTrainingSettings  # noqa: E402
from napari_sofinet.training.rcan_task import rcan_data  # noqa: E402

SILENT = Repeatable(lambda *_: None)
SMALL = {"channels": 8, "groups": 1, "blocks": 1}


def small(planes: int = 3) -> Rcan:
    torch.manual_seed(0)
    return Rcan(planes, **SMALL)


def test_it_has_the_papers_parameters():
    counts = [sum(p.numel() for p in part.parameters()) for part in (Rcan(), Rcan().head)]
    assert counts == [3_603_465, 12_160]
    assert Rcan()(torch.rand(1, 21, 12, 16)).shape == (1, 9, 24, 32)


def test_chunks_repeat_the_last_planes():
    exposures = torch.arange(7 * 4, dtype=torch.float32).reshape(7, 4, 1, 1)
    for plane, at in ((0, (0, 0, 1)), (2, (1, 2, 3)), (3, (2, 3, 3))):
        seen = chunk_of(exposures, plane, 3).reshape(3, 7)
        np.testing.assert_array_equal(seen, exposures[:, list(at), 0, 0].T)


def test_each_plane_is_the_middle_one_of_its_chunk():
    net = small()
    exposures = np.random.default_rng(0).random((7, 5, 20, 24)).astype(np.float32)
    out = run_rcan(net, exposures, 0.0, SILENT, "cpu")
    assert out.shape == (15, 40, 48)
    scale = scale_of_exposures(exposures, 0.0)
    with torch.inference_mode():
        found = net(chunk_of(torch.from_numpy(exposures / scale), 2, 3)[None])[0, 3:6]
    expected = np.maximum(found.numpy(), 0) * scale
    np.testing.assert_allclose(out[6:9], expected, atol=0.02 * expected.max())


def test_truth_and_exposures_of_a_chunk_lie_at_the_same_place(monkeypatch):
    monkeypatch.setattr(rcan_task, "STACK_PX", 40)
    monkeypatch.setattr(rcan_task, "STACK_PLANES", 6)
    data = rcan_data(small(), RcanTrainingSettings(side_px=32, batch=4), [], lambda *_: None)
    seen = 0
    for step in range(4):
        samples = data.make(8 * step)
        assert samples.frames.shape[1:] == (21, 32, 32)
        for frames, target in zip(samples.frames, samples.target, strict=True):
            wide = frames[7:14].mean(0).numpy()
            ideal = target[3:6].mean(0).reshape(32, 2, 32, 2).mean((1, 3)).numpy()
            if ideal.max() < 0.03 or wide.max() < 0.3:
                continue
            seen += 1
            blurred = [np.roll(ideal, at, (0, 1)) for at in ((0, 0), (4, 0), (0, 4))]
            r = [np.corrcoef(one.ravel(), wide.ravel())[0, 1] for one in blurred]
            assert max(r) == r[0]
    assert seen > 2


def test_it_is_trained_and_used_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rcan_task, "STACK_PX", 32)
    monkeypatch.setattr(rcan_task, "STACK_PLANES", 4)
    path = tmp_path / "mine.safetensors"
    words = ["--steps", "3", "--batch", "1", "--side-px", "24", "--validate-every", "2"]
    sizes = ["--parameters", "channels=8,groups=1,blocks=1"]
    assert main(["train", "rcan", "-o", str(path), *words, *sizes]) == 0
    stack = simulate_stack(
        sim_preset_settings("sim-spheres", 1, {"rows": 48, "columns": 56, "planes": 5})
    )
    write_stack(tmp_path / "raw.tif", stack)
    out = tmp_path / "out.ome.tif"
    run = ["reconstruct", "rcan", str(tmp_path / "raw.tif"), "-o", str(out)]
    assert main([*run, "--weights", str(path)]) == 0
    result = Reconstruction.load(out)
    assert result.image.shape == (15, 96, 112)
    assert result.plane_um == pytest.approx(0.35 / 3)
    assert result.image.min() >= 0
    capsys.readouterr()
    assert main([*run, "--weights", str(path), "--pattern", "two-beam"]) == 2
    assert "hexagonal" in capsys.readouterr().err
    assert main(run) == 2
    assert "rcan" in capsys.readouterr().err


def test_it_stops_between_its_layers():
    def report(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_rcan(small(), np.ones((7, 3, 16, 16), np.float32), 0.1, Repeatable(report), "cpu")
