"""What all tests share."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
REFERENCE = Path(__file__).parent / "reference"
DATA = SHARED / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir() and not os.environ.get("CI"),
    reason=f"the reference data are not at {SHARED}",
)
"""Skipped without the reference data; where ``CI`` is set such a test fails instead."""


def reference(*parts: str) -> Path:
    """A file of reference values: from ``tests/reference``, larger ones from the shared data."""
    own, other = REFERENCE.joinpath(*parts), SHARED.joinpath("reference", *parts)
    if own.exists() or other.exists():
        return own if own.exists() else other
    if os.environ.get("CI"):
        pytest.fail(f"the reference data {other} are missing")
    pytest.skip(f"the reference data are not at {SHARED}")


@pytest.fixture(autouse=True)
def _no_opengl(monkeypatch):
    """Let layers be made offscreen, where Qt has no OpenGL to ask for its limits."""
    if os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return
    for name in ("image", "scalar_field"):
        module = importlib.import_module(f"napari._vispy.layers.{name}")
        for question, answer in (
            ("get_gl_extensions", ""),
            ("get_max_texture_sizes", (2048, 2048)),
        ):
            if hasattr(module, question):
                monkeypatch.setattr(module, question, lambda answer=answer: answer)
