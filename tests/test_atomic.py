"""Files that appear only when they are complete."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")


@posix_only
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask_without_changing_it(tmp_path, monkeypatch, umask, mode):
    def forbidden(mask):
        raise AssertionError("the umask belongs to the whole process")

    before = os.umask(umask)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", forbidden)
            with atomic_write(tmp_path / "out.txt") as partial:
                partial.write_text("complete")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == mode


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with atomic_write(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_nothing_is_left_of_interrupted_writing(tmp_path):
    def interrupted():
        with atomic_write(tmp_path / "out.txt") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"), atomic_write(tmp_path / "no" / "out"):
        pass
