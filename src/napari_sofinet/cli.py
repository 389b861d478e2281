"""The command line, built from the methods' settings."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_sofinet.errors import Cancelled, InputError
from napari_sofinet.options import add_options, describe_options, given_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sofinet.movie import Movie
    from napari_sofinet.networks.weights import NetworkName
    from napari_sofinet.reconstruction import Reconstruction

NETWORKS: tuple[NetworkName, ...] = "sofinet", "convgru", "unet", "deepstorm", "dblink", "ddpm"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 done, 2 unusable input (one sentence on stderr), 1 a bug, 130 stopped."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # tifffile logs damage that we report ourselves, in one sentence.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    # A file name may hold what the terminal can not show.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _stoppable():
            code = _run(arguments)
            sys.stdout.flush()
        return code
    except InputError as error:
        _say(f"sofinet: {error}")
        return 2
    except MemoryError:
        _say("sofinet: There is not enough memory for this movie; choose a smaller --roi.")
        return 2
    except (Cancelled, KeyboardInterrupt):
        _say("sofinet: stopped.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("SOFINET_DEBUG"):
            raise
        _say(
            f"sofinet: this is a bug of napari-sofinet ({type(error).__name__}: {error}); run "
            "again with SOFINET_DEBUG=1 and report what it prints."
        )
        return 1


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let being ended (SIGTERM, a closed terminal) clean up as Ctrl-C does."""

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


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        message = message[0].upper() + message[1:].rstrip(".")
        raise InputError(f"{message}; see '{self.prog} --help'.")


def _run(arguments: Sequence[str]) -> int:
    parser = _Parser(
        prog="sofinet",
        description="Super-resolution from movies of blinking samples.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=help, allow_abbrev=False)

    demo = command("demo", "run the main job on a bundled movie")
    demo.add_argument("-o", dest="folder", default="sofinet-demo", metavar="DIR")
    methods = command("methods", "list the methods, or one method's settings")
    methods.add_argument("method", nargs="?", metavar="METHOD")
    info = command("info", "what is understood of a movie file")
    info.add_argument("movie", metavar="MOVIE")
    info.add_argument("--json", action="store_true", help="print one JSON object")
    _add_movie_options(info)
    run = command("run", "repeat a recorded reconstruction")
    run.add_argument("recipe", metavar="RECIPE_OR_OUTPUT")
    run.add_argument("--input", metavar="FILE", help="the movie, if it is elsewhere now")
    run.add_argument("-o", dest="output", metavar="OUT.ome.tif")
    make = command(
        "reconstruct", "make one reconstruction: sofinet reconstruct METHOD MOVIE -o OUT"
    )
    make.add_argument("method", metavar="METHOD")
    make.add_argument("movie", metavar="MOVIE")
    make.add_argument("-o", dest="output", required=True, metavar="OUT.ome.tif")
    _add_movie_options(make)
    make.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    _add_method_options(make, arguments)
    simulation = command(
        "simulate", "make a movie with known truth: sofinet simulate PRESET -o OUT"
    )
    _add_simulation_options(simulation, arguments)
    train = command("train", "train or fine-tune a network: sofinet train NETWORK [MOVIES] -o OUT")
    _add_training_options(train, arguments)
    measure = command("measure", "resolution of a picture, or agreement of two")
    _add_measure_options(measure)
    _add_table_options(command("table", "convert, filter or draw a table of localisations"))
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if value == [] and name != "movies":  # what argparse makes of a lone --
            raise InputError(f"Argument {name.replace('_', '-')}: expected a value.")
    if options.command is None:
        parser.print_help()
        return 0
    return {
        "demo": _demo,
        "methods": _methods,
        "info": _info,
        "run": _repeat,
        "reconstruct": _reconstruct,
        "simulate": _simulate,
        "measure": _measure,
        "train": _train,
        "table": _table,
    }[options.command](options)


def _add_training_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    parser.add_argument("network", choices=NETWORKS, metavar="NETWORK")
    parser.add_argument(
        "movies", nargs="*", default=[], metavar="MOVIE", help="own movies of fixed cells"
    )
    parser.add_argument("-o", dest="output", required=True, metavar="WEIGHTS.safetensors")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    if "train" in arguments[:1]:
        from napari_sofinet.training.settings import settings_of

        add_options(parser, settings_of(next((a for a in arguments if a in NETWORKS), "sofinet")))


def _train(options: argparse.Namespace) -> int:
    from napari_sofinet.methods import check_device
    from napari_sofinet.movie import open_movie
    from napari_sofinet.networks.weights import need_torch
    from napari_sofinet.reconstruction import keep_input
    from napari_sofinet.settings import build
    from napari_sofinet.training.settings import settings_of, what_is_missing

    need_torch()
    from napari_sofinet.training.train import train

    chosen = settings_of(options.network)
    settings = build(chosen, given_values(options, chosen))
    check_device(options.device)
    output = Path(options.output)
    for path in options.movies:
        keep_input(output, Path(path))
    movies = [open_movie(path) for path in options.movies]
    try:
        card = train(
            options.network, output, settings, movies, device=options.device, report=ProgressLine()
        )
    except (Cancelled, KeyboardInterrupt):
        _say("note: the same command goes on from here; the best weights so far are written.")
        raise
    for movie in movies:
        for note in movie.notes:
            _say(f"note: {note}")
    for sentence in what_is_missing(movies) if movies else ():
        _say(f"note: {sentence}")
    _say(f"{output}: {card.steps} steps in {card.minutes:g} min")
    for name, value in card.figures.items():
        _say(f"{name}: {value}")
    return 0


def _add_measure_options(parser: argparse.ArgumentParser) -> None:
    from napari_sofinet.measure import AGREEMENT_METRICS, RESOLUTION_METRICS

    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)

    def kind(name: str, help: str) -> argparse.ArgumentParser:
        return kinds.add_parser(name, help=help, description=help, allow_abbrev=False)

    resolution = kind("resolution", "resolution of a picture, or of a movie's mean")
    resolution.add_argument("image", metavar="IMAGE")
    resolution.add_argument("--metric", choices=RESOLUTION_METRICS, default="decorrelation")
    resolution.add_argument(
        "--sector", metavar="FROM:TO", help="directions in degrees: 0 is along x, 90 along y"
    )
    resolution.add_argument(
        "--criterion", choices=("1/7", "half-bit", "3-sigma"), default="1/7", help="of FRC"
    )
    agreement = kind("compare", "agreement of a picture with a reference or a truth file")
    agreement.add_argument("image", metavar="SR")
    agreement.add_argument(
        "--reference",
        required=True,
        metavar="REF",
        help="a picture, a movie (its mean is taken), or the truth file of a simulation",
    )
    agreement.add_argument("--metric", choices=AGREEMENT_METRICS, help="one of them (default: all)")
    agreement.add_argument(
        "--tolerance", type=float, default=0.0, metavar="PX", help="how far masks may lie apart"
    )
    for one in (resolution, agreement):
        one.add_argument("--roi", metavar="Y0:Y1,X0:X1", help="rectangle in samples of the picture")
        one.add_argument("--pixel-size", type=float, metavar="UM", help="sample in um")
        one.add_argument("--json", action="store_true", help="print one JSON object")


def _add_movie_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("movie")
    group.add_argument("--frames", metavar="A:B", help="first frame and the one after the last")
    group.add_argument("--roi", metavar="Y0:Y1,X0:X1", help="rectangle in camera pixels")
    group.add_argument(
        "--channel",
        type=_channel,
        metavar="C",
        help="which channel, or 'all': one after the other into one file (reconstruct only)",
    )
    group.add_argument("--z", type=int, metavar="Z", help="plane of a stack in depth")
    group.add_argument(
        "--stack-axis",
        choices=("time", "depth"),
        default="time",
        help="what a Z axis without a time axis is (default: time)",
    )
    group.add_argument("--pixel-size", type=float, metavar="UM", help="camera pixel in um")
    group.add_argument("--frame-interval", type=float, metavar="S", help="time per frame in s")


def _add_method_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Options of the method that the arguments name; argparse reports an unknown one later."""
    if not arguments or arguments[0] != "reconstruct":
        return
    from napari_sofinet.methods import METHODS, method_named

    free = [
        word
        for before, word in pairwise(arguments)
        if not word.startswith("-")
        and not (before == "-o" or (before.startswith("--") and "=" not in before))
    ]
    if not free:
        return
    chosen = next((word for word in free if word in METHODS), free[0])
    add_options(parser.add_argument_group(f"settings of {chosen}"), method_named(chosen).settings)


def _add_simulation_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] != "simulate":
        return
    from napari_sofinet.simulation import PRESETS, SimulationSettings

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    lines = [f"  {name:20} {(make.__doc__ or '').strip()}" for name, make in PRESETS.items()]
    parser.description = "Make a movie with known truth.\n\npresets:\n" + "\n".join(lines)
    parser.add_argument("preset", metavar="PRESET")
    parser.add_argument("-o", dest="output", required=True, metavar="MOVIE.tif")
    parser.add_argument("--truth", metavar="TRUTH.npz", help="where to write what it shows")
    group = parser.add_argument_group("settings (the preset's where not given)")
    add_options(group, SimulationSettings)


def _simulate(options: argparse.Namespace) -> int:
    from napari_sofinet.io.atomic import check_writable
    from napari_sofinet.simulation import SimulationSettings, preset_settings, simulate
    from napari_sofinet.simulation.writing import write_movie, write_with_truth

    values = given_values(options, SimulationSettings)
    settings = preset_settings(options.preset, int(values.pop("seed", 1)), values)
    output = Path(options.output)
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"A movie is written as TIFF; name it {output.stem}.tif.")
    truth = Path(options.truth) if options.truth else None
    if truth is not None and truth.suffix != ".npz":
        raise InputError(f"The truth is written as .npz: name it {truth.stem}.npz.")
    for path in (output, truth):
        if path is not None:
            check_writable(path)
    made = simulate(settings)
    if truth is None:
        write_movie(output, made, ProgressLine())
    else:
        write_with_truth(output, truth, made, ProgressLine())
    frames, rows, columns = made.shape
    _say(f"{output}: {frames} frames of {rows} x {columns} px, {len(made.truth.photons)} emitters")
    return 0


def _channel(text: str) -> int | str:
    if text != "all" and not text.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number or all, not {text!r}")
    return text if text == "all" else int(text)


def _open(options: argparse.Namespace, table: bool = False) -> Movie:
    """The movie, or with ``table`` also a table of localisations, that the options name."""
    from napari_sofinet.movie import open_movie

    if table:
        from napari_sofinet.io.localizations import SUFFIXES
        from napari_sofinet.io.table_movie import open_table

        if str(options.movie).lower().endswith(SUFFIXES):
            movie = open_table(options.movie, options.pixel_size, options.frame_interval)
            return movie.select(_range(options.frames), _roi(options.roi))
    movie = open_movie(
        options.movie,
        options.pixel_size,
        0 if options.channel == "all" else options.channel,
        options.z,
        frame_interval_s=options.frame_interval,
        stack_axis=options.stack_axis,
    )
    return movie.select(_range(options.frames), _roi(options.roi))


def _range(text: str | None) -> tuple[int | None, int | None] | None:
    if text is None:
        return None
    try:
        first, last = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError:
        raise InputError(
            f"Frames are given as first:last, e.g. 0:500, not {text[:40]!r}."
        ) from None
    return first, last


def _roi(text: str | None) -> tuple[tuple[int, int], tuple[int, int]] | None:
    if text is None:
        return None
    try:
        (y0, y1), (x0, x1) = ((int(v) for v in part.split(":")) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"A ROI is given as y0:y1,x0:x1 in pixels, e.g. 10:74,20:84, not {text[:40]!r}."
        ) from None
    return (y0, y1), (x0, x1)


def _sector(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(v) for v in text.split(":"))
    except ValueError:
        low = high = 0.0
    if not low < high <= low + 180:
        raise InputError(
            f"A sector is given as from:to in degrees, e.g. -15:15, not {text[:40]!r}."
        )
    return low, high


def _reconstruct(options: argparse.Namespace) -> int:
    from napari_sofinet.methods import METHODS, check_device, method_named, reconstruct
    from napari_sofinet.methods.channels import reconstruct_channels
    from napari_sofinet.movie import ArraySource
    from napari_sofinet.reconstruction import check_output, keep_input
    from napari_sofinet.settings import build, leaves

    method = method_named(options.method)
    values = given_values(options, METHODS[method.name].settings)
    build(method.settings, values)
    check_device(options.device)
    movie = _open(options, table=True)
    check_output(Path(options.output), method.tables)
    source = movie.source
    if not isinstance(source, ArraySource):
        for name in (str(source.path), *source.companions):
            keep_input(Path(options.output), Path(name))
    for leaf in leaves(method.settings):
        if (leaf.file or leaf.weights) and values.get(leaf.name):
            keep_input(Path(options.output), Path(values[leaf.name]))
    run = reconstruct_channels if options.channel == "all" else reconstruct
    result = run(movie, method.name, report=ProgressLine(), device=options.device, **values)
    return _save(result, Path(options.output))


def _repeat(options: argparse.Namespace) -> int:
    from napari_sofinet.methods import method_named
    from napari_sofinet.recipe import Recipe, repeat
    from napari_sofinet.reconstruction import check_output, keep_input

    source = Path(options.recipe)
    recipe = Recipe.load(source)
    stem = source.name.removesuffix(".json").removesuffix(".tif").removesuffix(".ome")
    output = Path(options.output or source.with_name(f"{stem}_again.ome.tif"))
    method = recipe.reconstruct.method
    check_output(output, method != "table" and method_named(method).tables)
    movie = options.input or recipe.open.path
    used = recipe.reconstruct.settings.get("weights")
    for name in (movie, used, *recipe.files.values()):
        if name:
            keep_input(output, Path(name))
    return _save(repeat(recipe, options.input, ProgressLine()), output)


def _save(result: Reconstruction, output: Path) -> int:
    from napari_sofinet.io.localizations import SUFFIXES

    result.save(output)
    for note in result.notes:
        _say(f"note: {note}")
    if output.name.lower().endswith(SUFFIXES):
        assert result.localizations is not None
        _say(f"{output}: {len(result.localizations)} localisations")
        return 0
    size = result.pixel_size_um
    scale = f"{1000 * size[1]:.4g} nm" if size else f"{result.pixel_px[1]:.3g} camera px"
    rows, columns = result.image.shape[-2:]
    _say(f"{output}: {rows} x {columns} samples of {scale}")
    return 0


def _info(options: argparse.Namespace) -> int:
    from napari_sofinet.preprocess.suitability import check, suits

    if options.channel == "all":
        raise InputError("Channels are looked at one by one; give --channel a number.")
    movie = _open(options)
    frames, height, width = movie.shape
    facts: dict[str, Any] = {
        "name": movie.name,
        "frames": frames,
        "height": height,
        "width": width,
        "dtype": movie.dtype.name,
        "size_mb": round(frames * height * width * movie.dtype.itemsize / 1e6, 3),
        "pixel_size_um": movie.pixel_size_um,
        "frame_interval_s": movie.frame_interval_s,
        "frame_range": movie.frame_range,
        "roi": movie.roi,
        "notes": list(movie.notes),
    }
    findings = check(movie, report=ProgressLine())
    if options.json:
        facts["suitability"] = suits(findings)
        facts["findings"] = [asdict(finding) for finding in findings]
        print(json.dumps(facts))
        return 0
    pixel, interval = movie.pixel_size_um, movie.frame_interval_s
    print(f"{movie.name}: {frames} frames of {height} x {width} px, {movie.dtype.name}")
    print("pixel size:     " + (f"{1000 * pixel:.4g} nm" if pixel else "not known (--pixel-size)"))
    print("frame interval: " + (f"{1000 * interval:.4g} ms" if interval else "not known"))
    for note in movie.notes:
        print(f"note: {note}")
    for finding in findings:
        print(f"{finding.light:4}  {finding.name + ':':16} {finding.value}. {finding.advice}")
    print(f"for SOFI this movie is {suits(findings)}")
    return 0


def _measure(options: argparse.Namespace) -> int:
    from napari_sofinet import measure

    picture = measure.open_picture(options.image, options.pixel_size)
    roi = _roi(options.roi)
    if roi is not None:
        picture = picture.cut(roi)
    if options.kind == "resolution":
        sector = _sector(options.sector)
        facts = measure.measure_resolution(picture, options.metric, sector, options.criterion)
    else:
        if options.reference.lower().endswith(".npz"):
            reference = measure.open_truth(options.reference, picture)
        else:
            reference = measure.open_picture(options.reference)
            if roi is not None and picture.origin_px is None:
                reference = reference.cut(roi)
        metrics = (options.metric,) if options.metric else measure.AGREEMENT_METRICS
        facts = measure.compare(picture, reference, metrics, options.tolerance)
    if options.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        shown = "none" if value is None else f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name + ':':15} {shown}")
    return 0


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    from napari_sofinet.localization.command import add_table_options

    add_table_options(parser)


def _table(options: argparse.Namespace) -> int:
    from napari_sofinet.localization.command import run_table

    for sentence in run_table(options, ProgressLine()):
        _say(sentence)
    return 0


def _methods(options: argparse.Namespace) -> int:
    from napari_sofinet.methods import METHODS, method_named

    if options.method is None:
        for method in METHODS.values():
            print(f"{method.name:10} {method.title}")
    else:
        method = method_named(options.method)
        print(f"{method.name}: {method.title}")
        print("\n".join(describe_options(method.settings)) or "  no settings")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from napari_sofinet.demo import run_demo

    for path in run_demo(Path(options.folder), ProgressLine()):
        _say(str(path))
    return 0


class ProgressLine:
    """Progress on one line of a terminal; silent where stderr is a file."""

    def __init__(self) -> None:
        self.shown = 0.0
        self.live = sys.stderr.isatty()

    def __call__(
        self, fraction: float, message: str = "", preview: Reconstruction | None = None
    ) -> None:
        """Show a fraction from 0 to 1."""
        now = time.monotonic()
        if self.live and (now - self.shown > 0.1 or fraction >= 1):
            self.shown = now
            print(f"\r{100 * fraction:3.0f} % {message:40.40}", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    # A file's name may hold line breaks, a bug's message too.
    text = "".join(c if c.isprintable() else " " for c in text)
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
