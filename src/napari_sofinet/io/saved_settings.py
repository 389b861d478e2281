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
        raise InputError(
            'The name of a preset must not be empty or contain any of / \\ : * ? " < > |.'
        )
    if name.strip() == DEFAULTS or len(name) > 60:
        raise InputError(
            f"The name of a preset must not be {DEFAULTS} or longer than 60 characters."
        )
    folder(method).mkdir(parents=True, exist_ok=True)
    with atomic_write(folder(method) / f"{name.strip()}.json") as partial:
        partial.write_text(json.dumps(flatten_settings(settings), indent=1))


def load(method: str, name: str, model: type[S]) -> S:
    """Return the settings saved under a name; raise `InputError` if they are outdated."""
    try:
        values: dict[str, Any] = json.loads((folder(method) / f"{name}.json").read_text())
        return build(model, values)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"The preset {name} can no longer be used ({error}).") from error


def delete(method: str, name: str) -> None:
    """Delete a preset."""
    (folder(method) / f"{name}.json").unlink(missing_ok=True)
