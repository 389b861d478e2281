"""Files that appear only when they are complete."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write, atomic_write_together

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


def test_a_name_that_no_file_can_have_is_refused_before_the_work(tmp_path):
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(InputError), atomic_write(tmp_path / name):
            raise AssertionError("the work has begun")


@posix_only
def test_a_pipe_is_no_output(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a file"), atomic_write(tmp_path / "pipe"):
        pass


def test_files_that_belong_together_appear_together(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    two.write_text("old")
    with atomic_write_together(one, two) as partials:
        for partial in partials:
            partial.write_text("new")
        assert (one.read_text(), two.read_text()) == ("old", "old")
    assert (one.read_text(), two.read_text()) == ("new", "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("fails_at", range(4))
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_the_former_pair_survives_a_failure_while_it_is_replaced(
    tmp_path, monkeypatch, fails_at, error
):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    two.write_text("old")
    replace, calls = Path.replace, []

    def failing(self, target):
        calls.append(target)
        if len(calls) == fails_at + 1:
            raise error
        return replace(self, target)

    def write():
        with atomic_write_together(one, two) as partials:
            for partial in partials:
                partial.write_text("new")
            monkeypatch.setattr(Path, "replace", failing)

    with pytest.raises((KeyboardInterrupt, InputError)):
        write()
    assert (one.read_text(), two.read_text()) == ("old", "old")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


PAIR = """
import sys, time
from napari_sofinet.io.atomic import atomic_write_together
for n in range(60):
    with atomic_write_together("one", "two") as partials:
        for partial in partials:
            partial.write_text(sys.argv[1])
"""


@posix_only
def test_two_processes_do_not_mix_their_pairs(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", PAIR, name], cwd=tmp_path) for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


KILLED = """
import os, signal
from napari_sofinet.io.atomic import atomic_write, atomic_write_together
with atomic_write("out") as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@posix_only
def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    (left,) = tmp_path.iterdir()
    other = tmp_path / ".sofinet.00000000.1.ab.partial"  # of another machine, still being written
    older = tmp_path / ".sofinet.ab12.partial"
    mine = tmp_path / ".sofinet.notes"
    for path in (other, older, mine):
        path.write_text("")
    os.utime(older, (0, 0))
    with atomic_write(tmp_path / "first") as partial, atomic_write(tmp_path / "second") as second:
        assert partial.exists()  # writing another file does not sweep it
        assert second.exists()
    assert not left.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [other.name, mine.name, "first", "second"]
    )
