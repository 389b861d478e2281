"""The command ``sofinet``: its arguments, error messages and exit codes."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.settings import RenamedWarning
from napari_sofinet.cli.progress import say
from napari_sofinet.networks.contract import load_object

COMMANDS = {
    "demo": (
        "reconstruct a bundled movie by several methods",
        "demo:add_demo",
        "demo:run_demo_command",
    ),
    "methods": (
        "list the methods, or one method's settings",
        "reconstruct:add_methods",
        "reconstruct:run_methods",
    ),
    "info": (
        "show facts about a movie and check whether it is suitable for SOFI",
        "info:add_info",
        "info:run_info",
    ),
    "run": ("repeat a recorded reconstruction", "reconstruct:add_run", "reconstruct:run_again"),
    "reconstruct": (
        "reconstruct a movie: sofinet reconstruct METHOD MOVIE -o OUT",
        "reconstruct:add_reconstruct",
        "reconstruct:run_reconstruct",
    ),
    "simulate": (
        "simulate a movie with known ground truth: sofinet simulate PRESET -o OUT",
        "simulate:add_simulate",
        "simulate:run_simulate",
    ),
    "train": (
        "train or fine-tune a network: sofinet train NETWORK [MOVIES] -o OUT",
        "train:add_train",
        "train:run_train",
    ),
    "measure": (
        "measure the resolution of a picture, lines in it, or the agreement of two",
        "measure:add_measure",
        "measure:run_measure",
    ),
    "table": (
        "convert, filter or draw a table of localisations",
        "table:add_table",
        "table:run_table",
    ),
}
"""Help text of each command, and the functions that add its arguments and run it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``sofinet``; by default `sys.argv`.

    Returns
    -------
    int
        Exit code: 0 success; 2 unusable input, with one sentence on stderr; 1 a bug; 130
        interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # tifffile logs damage that we report ourselves, in one sentence.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    # A file name may hold characters that the terminal cannot show.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _stoppable(), _renaming_notes():
            code = _run(arguments)
            sys.stdout.flush()
        return code
    except InputError as error:
        say(f"sofinet: {error}")
        return 2
    except MemoryError:
        say("sofinet: There is not enough memory for this movie; choose a smaller --roi.")
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        if os.environ.get("SOFINET_DEBUG") or package == "napari_sofinet":
            raise
        say(f"sofinet: {package} is not installed: install it with 'pip install {package}'.")
        return 2
    except (Cancelled, KeyboardInterrupt):
        say("sofinet: stopped.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("SOFINET_DEBUG"):
            raise
        say(
            f"sofinet: this is a bug in napari-sofinet ({type(error).__name__}: {error}); run "
            "again with SOFINET_DEBUG=1 and report the output."
        )
        return 1


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Clean up after SIGTERM or the closing of the terminal as after Ctrl-C."""

    def stop(number: int, frame: object) -> None:
        raise Cancelled

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # Ignored means that it was started with nohup.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _renaming_notes() -> Iterator[None]:
    """Print one line if a setting was given by an old name, and no other warnings."""
    show = warnings.showwarning
    shown: set[str] = set()

    def tell(message: Any, category: type[Warning], *rest: Any, **options: Any) -> None:
        if issubclass(category, RenamedWarning):
            if str(message) not in shown:
                say(f"note: {message}")
            shown.add(str(message))
        elif os.environ.get("SOFINET_DEBUG") or sys.warnoptions:
            show(message, category, *rest, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("always", RenamedWarning)
        warnings.showwarning = tell
        yield


class _Parser(argparse.ArgumentParser):
    """A parser whose error message is one sentence."""

    def error(self, message: str) -> NoReturn:
        message = message[0].upper() + message[1:].rstrip(".")
        raise InputError(f"{message}; see '{self.prog} --help'.")


def _run(words: Sequence[str]) -> int:
    """Parse the arguments, run the command and return its exit code."""
    parser = _Parser(
        prog="sofinet",
        description="Super-resolution from movies of blinking samples.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"sofinet {_version()}", help="show the version"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (help, add, _) in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        if words and words[0] == name:  # the other commands need not be loaded
            _part(add)(command, words)
    options = parser.parse_args(words)
    for name, value in vars(options).items():
        if value == [] and name != "movies":  # what argparse makes of a lone --
            raise InputError(f"Argument {name.replace('_', '-')}: expected a value.")
    if options.command is None:
        parser.print_help()
        return 0
    code: int = _part(COMMANDS[options.command][2])(options)
    return code


def _version() -> str:
    """Return the version of the installed package; 0 for a source tree that is not installed."""
    try:
        return version("napari-sofinet")
    except PackageNotFoundError:
        return "0"


def _part(reference: str) -> Any:
    """Load a function of a module of this folder, given as ``module:function``."""
    return load_object(f"napari_sofinet.cli.{reference}")


if __name__ == "__main__":
    sys.exit(main())
