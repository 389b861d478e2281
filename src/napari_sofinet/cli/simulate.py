"""The command ``sofinet simulate``: movies with known ground truth."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.base.settings_text import text_of
from napari_sofinet.cli.options import add_options, given_values
from napari_sofinet.cli.progress import ProgressLine, say
from napari_sofinet.data.outputs import check_output, output_file, refuse_overwriting
from napari_sofinet.io.atomic import check_writable
from napari_sofinet.simulation import PRESETS, SimulationSettings, preset_settings, simulate
from napari_sofinet.simulation.sim_settings import (
    SIM_PRESETS,
    SimStackSettings,
    sim_preset_settings,
)
from napari_sofinet.simulation.sim_simulate import simulate_stack
from napari_sofinet.simulation.sim_writing import write_stack
from napari_sofinet.simulation.writing import keep_inputs, write_movie, write_with_truth


def add_simulate(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet simulate``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    every = {**PRESETS, **SIM_PRESETS}
    lines = [f"  {name:20} {(make.__doc__ or '').strip()}" for name, make in every.items()]
    parser.description = "Simulate a movie with known ground truth.\n\npresets:\n" + "\n".join(
        lines
    )
    parser.add_argument("preset", metavar="PRESET")
    parser.add_argument("-o", dest="output", required=True, metavar="MOVIE.tif")
    parser.add_argument(
        "--truth",
        metavar="TRUTH.npz",
        help="file for the ground truth: positions, photons and settings; for a SIM stack the "
        "picture of an ideal microscope, .ome.tif",
    )
    group = parser.add_argument_group("settings (default: those of the preset)")
    add_options(group, SimStackSettings if set(words) & set(SIM_PRESETS) else SimulationSettings)


def run_simulate(options: argparse.Namespace) -> int:
    """Simulate a movie, or a SIM stack, with known ground truth."""
    if options.preset in SIM_PRESETS:
        return _simulate_stack(options)
    if options.preset not in PRESETS:
        known = ", ".join((*PRESETS, *SIM_PRESETS))
        raise InputError(f"There is no preset {options.preset!r}; choose one of {known}.")
    values = given_values(options, SimulationSettings)
    settings = preset_settings(options.preset, int(values.pop("seed", 1)), values)
    output = output_file(options.output)
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"A movie is written as TIFF; name it {output.stem}.tif.")
    truth = None if options.truth is None else output_file(options.truth)
    if truth is not None and truth.suffix != ".npz":
        raise InputError(f"The truth is written as .npz: name it {truth.stem}.npz.")
    outputs = [path for path in (output, truth) if path is not None]
    for path in outputs:
        check_writable(path)
    keep_inputs(settings, *outputs)
    made = simulate(settings)
    if truth is None:
        write_movie(output, made, ProgressLine())
    else:
        write_with_truth(output, truth, made, ProgressLine())
    frames, rows, columns = made.shape
    say(f"{output}: {frames} frames of {rows} x {columns} px, {len(made.truth.photons)} emitters")
    return 0


def _simulate_stack(options: argparse.Namespace) -> int:
    values = given_values(options, SimStackSettings)
    settings = sim_preset_settings(options.preset, int(values.pop("seed", 1)), values)
    output = output_file(options.output)
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"A stack is written as TIFF; name it {output.stem}.tif.")
    truth = None if options.truth is None else output_file(options.truth)
    if truth is not None:
        check_output(truth)
        refuse_overwriting(truth, output)
    for path in (output, truth):
        if path is not None:
            check_writable(path)
    stack = simulate_stack(settings)
    write_stack(output, stack, truth, ProgressLine())
    exposures = settings.illumination.phases * settings.illumination.turned
    say(
        f"{output}: {settings.planes} planes x {exposures} exposures of {settings.rows} x "
        f"{settings.columns} px, {len(stack.positions_um)} points"
    )
    return 0


def simulate_command(preset: str, settings: SimulationSettings) -> str:
    """Return a ``sofinet simulate`` command with the settings that differ from a preset."""
    files = ["-o", "movie.tif", "--truth", "truth.npz", "--seed", str(settings.seed)]
    return _command(preset, files, settings, preset_settings(preset, settings.seed))


def simulate_stack_command(preset: str, settings: SimStackSettings) -> str:
    """Return a ``sofinet simulate`` command of a SIM stack, as `simulate_command`."""
    files = ["-o", "stack.tif", "--truth", "truth.ome.tif", "--seed", str(settings.seed)]
    return _command(preset, files, settings, sim_preset_settings(preset, settings.seed))


def _command(preset: str, files: list[str], settings: Settings, of_preset: Settings) -> str:
    words = ["sofinet", "simulate", preset, *files]
    usual = flatten_settings(of_preset)
    for name, value in flatten_settings(settings).items():
        if value != usual[name]:
            words += [f"--{name.replace('_', '-')}", text_of(value)]
    return shlex.join(words)
