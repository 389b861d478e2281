"""napari is told why a movie is refused, and whatever was left out of one."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sofinet.base.errors import InputError
from napari_sofinet.widgets import reader

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)


@pytest.fixture
def said(monkeypatch):
    """Sentences that napari shows."""
    sentences: list[str] = []
    monkeypatch.setattr(reader, "tell", sentences.append)
    return sentences


def test_the_sentence_of_a_refusal_is_shown(tmp_path, said):
    whole = tmp_path / "movie.tif"
    tifffile.imwrite(whole, MOVIE, photometric="minisblack")
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[:3000])
    positions = tmp_path / "positions"
    positions.mkdir()
    for p in range(2):
        for t in range(4):
            tifffile.imwrite(positions / f"img_position{p}_time{t}.tif", MOVIE[t])
    for path, words in ((cut, "truncated"), (positions, "position1_time")):
        read = reader.get_reader(str(path))
        assert read is not None
        with pytest.raises(InputError, match=words):
            read(str(path))


def test_a_picture_is_left_to_napari_with_a_word(tmp_path, said):
    tifffile.imwrite(tmp_path / "picture.tif", MOVIE[0])
    assert reader.get_reader(str(tmp_path / "picture.tif")) is None
    assert "single image" in said[0]


def test_notes_are_shown_also_where_there_are_channels(tmp_path, said):
    for t in range(20):
        if t != 7:
            for c in range(2):
                tifffile.imwrite(tmp_path / f"img_ch{c}_t{t:02d}.tif", MOVIE[t] + c)
    read = reader.get_reader(str(tmp_path))
    assert read is not None
    layers = read(str(tmp_path))
    assert [options["name"].split()[-1] for _, options, _ in layers] == ["0", "1"]
    np.testing.assert_array_equal(np.asarray(layers[1][0])[3], MOVIE[3] + 1)
    assert any("7" in sentence for sentence in said)
    assert not any("is taken" in sentence for sentence in said)
