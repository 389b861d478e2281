"""Declaration of a method: its settings, its function, its inputs and requirements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.movie_facts import MovieFacts

Output = Literal["image", "time series", "table", "samples"]


@dataclass(frozen=True)
class Method:
    """A method of reconstruction.

    Parameters
    ----------
    name : str
        Name on the command line, in Python and in recipes.
    title : str
        Name for people.
    settings : type[Settings]
        Model of its settings; the command line, the form in napari and recipes follow from it.
    run : callable
        ``run(input, settings, report)``, or ``run(input, settings, report, device)`` for methods
        with a network or that need torch, returns a `Reconstruction`.
    describe : callable
        ``describe(settings, details)`` returns sentences for the methods section of a paper.
    takes : tuple of type, optional
        Kinds of input: `Movie`, `LocalizationTable` or both.
    gives : tuple of str, optional
        Contents of a reconstruction: ``"image"``, ``"time series"``, ``"table"``, ``"samples"``.
    needs : tuple of str, optional
        Optional packages that must be installed.
    network : Network, optional
        The network whose weights the setting ``weights`` names.
    suits : callable, optional
        ``suits(facts)`` returns what the method can do for a movie with these `MovieFacts`: one
        `Suggestion` for each choice of settings worth considering, none if it does not suit.
        Methods without it are never suggested.
    reads_first : bool, optional
        Whether it reads the whole movie before it does any long work. Its own reading then shows
        what cannot be signal; for other methods the movie is read once more before.
    tag : str, optional
        Short name at the start of the names of layers; settings in braces are filled in, e.g.
        ``"SOFI{order}"``. By default the name of the method.
    keeps_preview : bool, optional
        Whether its last preview is a picture worth keeping if the user cancels. The preview's
        details then say the number of ``steps`` taken.
    needs_blinking : bool, optional
        Whether movies are checked for blinking and for what looks like it.
    """

    name: str
    title: str
    settings: type[Settings]
    run: Callable[..., Reconstruction]
    describe: Callable[[Any, dict[str, float]], str]
    takes: tuple[type, ...] = (Movie,)
    gives: tuple[Output, ...] = ("image",)
    needs: tuple[str, ...] = ()
    network: Network | None = None
    suits: Callable[[MovieFacts], tuple[Suggestion, ...]] | None = None
    reads_first: bool = False
    tag: str = ""
    keeps_preview: bool = False
    needs_blinking: bool = True

    @property
    def uses_torch(self) -> bool:
        """Whether it runs on a device of PyTorch."""
        return self.network is not None or "torch" in self.needs

    def check_installed(self) -> None:
        """Raise `InputError` if an optional package is missing."""
        missing = [name for name in self.needs if not _installed(name)]
        if missing:
            raise InputError(
                f"{self.title} needs {' and '.join(missing)}: install it with "
                "'pip install \"napari-sofinet[models]\"'."
            )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False
