"""Weights of networks: safetensors files that carry their card, shipped or trained by the user."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.io.safetensors_header import read_header
from napari_sofinet.networks.contract import Network, builder_of

SHIPPED = Path(__file__).parent.parent / "weights"
SUFFIX = ".safetensors"
LARGEST_FILE = 2**29
LARGEST_SIZE = 4096
"""Largest size of a network in a card, e.g. its number of channels."""


class Uncertainty(BaseModel):
    """Half widths of intervals by brightness, in units of the error that a network expects.

    Where the picture is brighter than ``brightness``, a fraction ``share`` of simulated truths lay
    within ``half_width`` expected errors of the picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    brightness: tuple[float, ...] = Field(min_length=1)
    half_width: tuple[float, ...] = Field(min_length=1)
    share: float = 0.9

    @model_validator(mode="after")
    def _belong_together(self) -> Uncertainty:
        if len(self.brightness) != len(self.half_width):
            raise ValueError("a half width for every brightness is needed")
        return self


def _formerly(name: str) -> Any:
    """Declare an optional field that has another name in cards of older versions."""
    return Field(None, validation_alias=AliasChoices(name))


class Card(BaseModel):
    """Card of weights: their training, their assumptions and their accuracy."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    format: Literal["napari-sofinet weights 1"] = "napari-sofinet weights 1"
    name: str
    network: str
    parameters: dict[str, Annotated[int, Field(ge=-LARGEST_SIZE, le=LARGEST_SIZE)]]
    prior: str
    trained_on: str
    command: str
    seed: int
    steps: int
    minutes: float
    machine: str
    date: str
    figures: dict[str, Any] = {}
    ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}
    uncertainty: Uncertainty | None = None
    flip_rotate: Uncertainty | None = _formerly("turned")
    """Calibration of the standard deviation of pictures in eight orientations."""
    estimate: str | None = _formerly("guess")
    """Weights of the network that makes the pictures from which these weights start."""
    estimate_sha256: str | None = _formerly("guess_sha256")
    licence: str = "BSD-3-Clause"


def need_torch() -> None:
    """Raise `InputError` if PyTorch is not installed."""
    try:
        import safetensors
        import torch
    except ImportError:
        raise InputError(
            "Networks need PyTorch: install it with 'pip install napari-sofinet[models]'."
        ) from None
    del safetensors, torch


def user_weights_folder() -> Path:
    """Return the folder of weights that were trained by the user."""
    from platformdirs import user_data_path

    return Path(user_data_path("napari-sofinet", appauthor=False)) / "weights"


def available(network: str) -> dict[str, Path]:
    """Return the weights files of a network by name, shipped ones first.

    Parameters
    ----------
    network : str
        Name of the network.

    Examples
    --------
    >>> next(iter(available("sofinet")))
    'sofinet-universal'
    """
    found: dict[str, Path] = {}
    folders = [SHIPPED]
    try:
        folders.append(user_weights_folder())
    except ImportError:  # without platformdirs there is no place for own ones
        pass
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                if path.stem not in found and read_card(path).network == network:
                    found[path.stem] = path
            except InputError:
                continue
    # The general ones come before those with a prior.
    return dict(sorted(found.items(), key=lambda item: "universal" not in item[0]))


def find(name: str, network: str) -> Path:
    """Find a weights file.

    Parameters
    ----------
    name : str
        Name of known weights, or a path.
    network : str
        Name of the network.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        There are no weights of that name.
    """
    known = available(network)
    if name in known:
        return known[name]
    path = Path(name).expanduser()
    try:
        exists = path.is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        some = ", ".join(known) or "none"
        raise InputError(
            f"There are no weights {name[:80]!r}; pass a file or one of the known names ({some})."
        )
    return path


def read_card(path: str | Path) -> Card:
    """Read the card of a weights file, without the weights.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Card        Card of the weights.

    Raises
    ------
    InputError
        The file is not a safetensors file with a card of napari-sofinet.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    if stat.st_size > LARGEST_FILE:
        raise InputError(f"{path.name} is too large to be the weights of a network.")
    return _read_card(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(64)
def _read_card(path: Path, size: int, changed: int) -> Card:
    text = read_header(path).metadata.get("card")
    if not isinstance(text, str):
        raise InputError(f"{path.name} contains weights without a card of napari-sofinet.")
    try:
        return Card.model_validate_json(text)
    except ValidationError:
        raise InputError(f"The card of {path.name} is damaged or from another version.") from None


class Loaded(NamedTuple):
    """A network in evaluation mode with its weights, their card, and the SHA-256 of the file."""

    net: Any
    card: Card
    sha256: str


def load(name: str, network: Network) -> Loaded:
    """Load a network with its weights.

    Parameters
    ----------
    name : str
        Name of known weights, or a path.
    network : Network
        Network to which the weights must belong.

    Returns
    -------
    Loaded
        The network in evaluation mode on the CPU, which is shared: copy it before changing it.

    Raises
    ------
    InputError
        The weights do not exist or belong to another network, or PyTorch is not installed.
    """
    need_torch()
    path = find(name, network.name)
    card = read_card(path)
    if card.network != network.name:
        raise InputError(f"{path.name} contains weights of {card.network}, not of {network.name}.")
    stat = path.stat()
    net, sha256 = _load(path, network, stat.st_size, stat.st_mtime_ns)
    return Loaded(net, card, sha256)


@lru_cache(4)
def _load(path: Path, network: Network, size: int, changed: int) -> tuple[Any, str]:
    from safetensors import SafetensorError
    from safetensors.torch import load as tensors_of

    card = read_card(path)
    try:
        _check_shapes(path, network, card)
        content = path.read_bytes()
        net = build(network, card.parameters)
        net.load_state_dict(tensors_of(content))
    except (SafetensorError, RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        why = " ".join(str(error).split())[:80]
        raise InputError(f"The weights in {path.name} do not fit their network ({why}).") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    return net.eval(), hashlib.sha256(content).hexdigest()


def _check_shapes(path: Path, network: Network, card: Card) -> None:
    """Raise an error unless a file contains the tensors of a network, before loading any."""
    import torch

    with torch.device("meta"):  # shapes only
        net = builder_of(network)(**card.parameters)
    wanted = {name: list(values.shape) for name, values in net.state_dict().items()}
    if wanted != read_header(path).shapes:
        raise ValueError("its tensors have other names or shapes")


def build(network: Network, parameters: dict[str, int]) -> Any:
    """Build a network with random weights.

    Parameters
    ----------
    network : Network
        The network.
    parameters : dict of str to int        Sizes of the network, as in a card.
    """
    import torch
    from torch.nn.utils import convert_conv2d_weight_memory_format

    net = builder_of(network)(**parameters)
    convert_conv2d_weight_memory_format(net, torch.channels_last)
    return net


def identity(name: str, network: str) -> tuple[str, str]:
    """Identify weights for a recipe.

    Parameters
    ----------
    name : str
        Name of known weights, or a path.
    network : str
        Name of the network.

    Returns
    -------
    name, sha256 : str
        The name, or the full path of a file, and the SHA-256 of the file.

    Raises
    ------
    InputError
        There are no weights of that name.
    """
    path = find(name, network)
    read_card(path)
    return name if name in available(network) else os.path.abspath(path), digest(path)


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a weights file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(path: Path, tensors: dict[str, Any], card: Card) -> None:
    """Write weights with their card; the file appears only when it is complete.

    Parameters
    ----------
    path : Path
        Output file; its folder is created.
    tensors : dict of str to torch.Tensor
        State of the network.
    card : Card        Card of the weights.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {"card": card.model_dump_json()})


def write_tensors(path: Path, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write a safetensors file that appears only when it is complete.

    Parameters
    ----------
    path : Path
        Output file.
    tensors : dict of str to torch.Tensor
        Contents.
    metadata : dict of str to str
        Text in the file's header.

    Raises
    ------
    InputError
        The disk is full.
    """
    from safetensors.torch import save as content_of

    # The writer of safetensors does not say when the disk is full.
    content = content_of({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, metadata)
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def own_output(name: str) -> Path:
    """Return the file for a name entered by the user, in the folder of the user's weights.

    Raises
    ------
    InputError
        The name is empty, has characters that are not allowed in file names, or is that of included
        weights.
    """
    name = name.strip()
    if not name or len(name) > 60 or any(c in name for c in '/\\:*?"<>|') or name[0] == ".":
        raise InputError("A model's name must be 1 to 60 letters without / \\ : * ? \" < > |.")
    if (SHIPPED / f"{name}{SUFFIX}").exists():
        raise InputError(f"{name} is the name of included weights; choose another one.")
    folder = user_weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}{SUFFIX}"
