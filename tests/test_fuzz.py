"""A few random cases of every kind of damaged file; ``make fuzz`` runs more."""

from __future__ import annotations

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("cases are forked, with limits of Linux", allow_module_level=True)
pytest.importorskip("torch")

import subprocess
from pathlib import Path


@pytest.mark.slow
def test_damaged_files_end_in_one_sentence(tmp_path):
    # In a process of its own, since one with a graphical interface cannot be forked.
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "-n", "4", "--seed", "2", "--keep", tmp_path],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
