"""One damaged file, the command that reads it, and what must hold after it."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

WALL_S = 10.0
MEMORY = 2**30
"""Address space that a command may take beyond that of a process that has imported everything."""


@dataclass(frozen=True)
class Case:
    """A command to be run in a folder of its own.

    ``made`` are the files that it may make.
    """

    note: str
    words: tuple[str, ...]
    made: tuple[str, ...] = ()


Maker = Callable[[Random, Path], Case]
"""Writes the files of a case into a folder."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended; ``complaints`` are empty where all is well."""

    case: Case
    code: int
    seconds: float
    said: str
    complaints: tuple[str, ...]

    def __str__(self) -> str:
        command = shlex.join(["sofinet", *self.case.words])
        told = self.said.strip()[-600:]
        return f"{self.case.note}: {command} -> {self.code} {self.complaints} ({told})"


def run_case(case: Case, folder: Path) -> Outcome:
    """Run a command in a process of its own, with limits of time and memory."""
    before = contents(folder)
    report = folder.parent / f"{folder.name}.stderr"
    begun = time.monotonic()
    code, late = _forked(case.words, folder, report)
    seconds = time.monotonic() - begun
    said = report.read_text(errors="replace")
    report.unlink()
    complaints = []
    if late:
        complaints.append(f"over {WALL_S:g} s")
    elif code not in (0, 2):
        complaints.append(f"ended with {code}")
    lines = said.splitlines()
    if code == 2 and (len(lines) != 1 or not lines[0].startswith("sofinet: ")):
        complaints.append("not one sentence")
    if "Traceback" in said or "Warning" in said or "this is a bug" in said:
        complaints.append("no sentence for users")
    after = contents(folder)
    changed = {name for name in before if after.get(name) != before[name]}
    extra = after.keys() - before.keys()
    if code != 0 and not late and extra:
        complaints.append(f"left {sorted(extra)}")
    if changed - set(case.made) or (not late and extra - set(case.made)):
        complaints.append(f"changed {sorted(changed | extra)}")
    return Outcome(case, code, seconds, said, tuple(complaints))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _forked(words: Sequence[str], folder: Path, report: Path) -> tuple[int, bool]:
    """Exit code of a command, and whether it was ended as too late."""
    process = os.fork()
    if process == 0:
        _be_the_command(words, folder, report)
    deadline = time.monotonic() + WALL_S
    late = False
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), late
        if time.monotonic() > deadline and not late:
            late = True
            os.kill(process, signal.SIGKILL)
        time.sleep(0.005)


def _be_the_command(words: Sequence[str], folder: Path, report: Path) -> None:
    code = 99
    try:
        os.chdir(folder)
        told = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(told, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from napari_sofinet.cli.main import main

        code = main(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
