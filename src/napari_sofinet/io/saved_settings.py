"""Named settings that a user keeps, as JSON files in the platform's data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings, build, flatten_settings
from napari_sofinet.io.atomic import atomic_write

S = TypeVar("S", bound=Settings)
DEFAULTS = "defaults"  # the name of the settings that nobody has changed


def folder(method: str) -> Path:
    """Return the folder with the presets of a method."""
    from platformdirs import user_data_path

    return Path(user_data_path("napari-sofinet", appauthor=False)) / "presets" / method


def names(method: str) -> list[str]:
    """Return the names of the presets of a method, sorted."""
    return sorted(path.stem for path in folder(method).glob("*.json"))


def save(method: str, name: str, settings: Settings) -> None:
    """Keep settings under a name, replacing those of the same name."""
    if not name.strip() or any(c in name for c in '/\\:*?"<>|') or name.startswith("."):
        raise InputError("A preset's name must not be empty or hold any of / \\ : * ? \" < > |.")
    if name.strip() == DEFAULTS or len(name) > 60:
        raise InputError(f"A preset must not be called {DEFAULTS}, nor by more than 60 letters.")
    folder(method).mkdir(parents=True, exist_ok=True)
    with atomic_write(folder(method) / f"{name.strip()}.json") as partial:
        partial.write_text(json.dumps(flatten_settings(settings), indent=1))


def load(method: str, name: str, model: type[S]) -> S:
    """The settings kept under a name; `InputError` if they do not fit this version any more."""
    try:
        values: dict[str, Any] = json.loads((folder(method) / f"{name}.json").read_text())
        return build(model, values)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"The preset {name} cannot be used any more ({error}).") from error


def delete(method: str, name: str) -> None:
    """Forget a preset."""
    (folder(method) / f"{name}.json").unlink(missing_ok=True)
