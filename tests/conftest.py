"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
REFERENCE = SHARED / "reference"
DATA = SHARED / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the reference data are not at {SHARED}"
)
