"""Files of several channels, reconstructed one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from tifffile import TiffFile, imwrite

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.main import main
from napari_sofinet.methods.channels import reconstruct_channels
from napari_sofinet.methods.repeat import repeat


@pytest.fixture
def two_channels(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.poisson(20, (120, 2, 16, 18))
    on = rng.random((120, 2)) < 0.3
    frames[:, 0, 6:8, 6:8] += 200 * on[:, 0, None, None]
    frames[:, 1, 9:11, 11:13] += 400 * on[:, 1, None, None]
    path = tmp_path / "two.ome.tif"
    imwrite(path, frames.astype(np.uint16), metadata={"axes": "TCYX"})
    return path


def test_every_channel_is_reconstructed_into_one_file(two_channels, tmp_path, capsys):
    output = tmp_path / "out.ome.tif"
    command = f"reconstruct sofi {two_channels} -o {output} --channel all --snr yes"
    assert main(command.split()) == 0
    assert "first" not in capsys.readouterr().err  # that only the first was taken
    result = sofinet.Reconstruction.load(output)
    assert list(result.maps) == ["channel 0", "channel 0 snr", "channel 1", "channel 1 snr"]
    for number in (0, 1):
        movie = sofinet.open_movie(two_channels, channel=number)
        alone = sofinet.reconstruct(movie, "sofi", snr=True)
        np.testing.assert_array_equal(result.maps[f"channel {number}"], alone.image)
    assert "Channel 1: 120 frames" in result.recipe.methods_paragraph
    with TiffFile(output) as tif:
        assert tif.series[0].axes == "CYX"
    again = repeat(result.recipe)
    for name, image in result.maps.items():
        np.testing.assert_array_equal(again.maps[name], image)


def test_a_single_channel_is_all_there_is(tmp_path):
    frames = np.random.default_rng(1).poisson(20, (30, 12, 12)).astype(np.uint16)
    imwrite(tmp_path / "one.tif", frames, photometric="minisblack")
    movie = sofinet.open_movie(tmp_path / "one.tif").select((5, 25), ((1, 11), (0, 12)))
    result = reconstruct_channels(movie, "average")
    assert list(result.maps) == ["channel 0"]
    np.testing.assert_allclose(result.image, frames[5:25, 1:11].mean(axis=0), rtol=1e-6)
    with pytest.raises(InputError, match="in memory"):
        reconstruct_channels(sofinet.open_movie(frames), "average")


def test_channels_are_looked_at_one_by_one(two_channels, capsys):
    assert main(f"info {two_channels} --channel all".split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(f"reconstruct sofi {two_channels} -o x.tif --channel both".split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
