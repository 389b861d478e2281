"""The architecture: imports run one way, rooms are few and files are small."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing
from functools import cache
from pathlib import Path

import pytest

import napari_sofinet

PACKAGE = Path(napari_sofinet.__file__).parent
LAYERS = (
    ("base",),
    ("io", "metrics"),
    ("data",),
    ("structured_illumination",),
    ("simulation", "localization", "sofi", "covariance"),
    ("networks", "quality", "preprocess"),
    ("methods",),
    ("training",),
    ("cli",),
    ("widgets",),
)
"""Rooms from the ground up; a room imports only from those below it."""
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}
HEAVY_FUNCTIONS_MAX = 8


@cache
def imports() -> dict[str, set[str]]:
    """Modules of the package that each of its modules names, anywhere in its text."""
    files = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        used = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                used |= {name if name in files else node.module for name in names}
        found[module] = {name for name in used if name in files and name != module}
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_no_import_runs_upwards():
    upwards = [
        f"{module} -> {used}"
        for module, targets in imports().items()
        for used in targets
        if room_of(module) and room_of(used)
        if room_of(module) != room_of(used) and FLOOR[room_of(used)] >= FLOOR[room_of(module)]
    ]
    assert upwards == []


def test_no_module_imports_the_package_itself():
    # The package's own names are for its users.
    assert [m for m, used in imports().items() if "napari_sofinet" in used] == []


def test_there_is_no_circle():
    graph = {m: sorted(used) for m, used in imports().items()}
    state: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        if state.get(module) == 2:
            return
        assert state.get(module) != 1, " -> ".join((*path, module))
        state[module] = 1
        for used in graph[module]:
            # A package is run before its modules; naming it from inside is no loop of ours.
            if not module.startswith(f"{used}."):
                visit(used, (*path, module))
        state[module] = 2

    for module in graph:
        visit(module, ())


def test_rooms_and_arrows_are_few():
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert rooms == set(FLOOR)
    assert len(rooms) + 1 <= 17  # and the package's own __init__
    arrows = {
        (room_of(module), room_of(used))
        for module, targets in imports().items()
        for used in targets
        if room_of(module) != room_of(used) and room_of(used)
    }
    assert len(arrows) <= 75
    stems = {p.stem for p in PACKAGE.rglob("*.py")} | rooms
    assert not stems & {"utils", "util", "common", "helpers", "helper", "misc"}


def test_files_and_functions_are_small():
    long_files, heavy = [], []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        if len(lines) > 400:
            long_files.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = code_lines(node, lines)
                if count > 40:
                    heavy.append(f"{path.name}: {node.name} {count}")
    assert long_files == []
    assert len(heavy) <= HEAVY_FUNCTIONS_MAX, heavy


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines of a function without docstring, comments and blank ones."""
    skipped: set[int] = set()
    if ast.get_docstring(node) is not None:
        skipped = set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    numbers = range(node.lineno, (node.end_lineno or node.lineno) + 1)
    texts = [lines[n - 1].strip() for n in numbers if n not in skipped]
    return sum(bool(text) and not text.startswith("#") for text in texts)


def public_functions(room: str) -> list[object]:
    """Public functions and classes that are defined in a room."""
    found: list[object] = []
    package = importlib.import_module(f"napari_sofinet.{room}")
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__
            if not name.startswith("_") and own and inspect.isfunction(thing):
                found.append(thing)
    return found


@pytest.mark.parametrize("room", FLOOR)
def test_types_of_public_functions_can_be_read(room):
    # As magicgui reads them.
    pytest.importorskip("torch")
    for function in public_functions(room):
        typing.get_type_hints(function)


def test_names_can_be_completed():
    assert {"open_movie", "reconstruct", "Recipe"} <= set(dir(napari_sofinet))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("napari_sofinet", "numpy torch napari qtpy dask"),
        ("napari_sofinet.methods", "torch napari qtpy dask"),
        ("napari_sofinet.cli.main", "torch napari qtpy dask"),
        ("napari_sofinet.training.task", "torch napari qtpy dask"),
    ],
)
def test_imports_are_light(module, absent):
    code = f"import sys, {module}; print(*[n for n in {absent.split()!r} if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
