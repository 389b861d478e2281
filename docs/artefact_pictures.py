"""Make every picture of artefacts.md, and print its table.

    python docs/artefact_pictures.py [--out FOLDER] [NAME ...]

Each artefact is added to the same simulated movie of microtubules. Seeds are fixed, so pictures
change only when the program does. With names, only these pictures are made.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

import napari_sofinet as sofinet
from napari_sofinet.base.settings import build
from napari_sofinet.base.settings_text import command_options
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.corrections import MovieSettings
from napari_sofinet.preprocess.suitability import check, overall_light
from napari_sofinet.simulation import Simulation, simulate
from napari_sofinet.simulation.presets import komen2024_condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = Path(__file__).parent / "images"
DPI = 100
SIDE, FRAMES, PIXEL_UM = 96, 300, 0.1
MARGIN = 8
"""Camera pixels around the field, so that a moving sample has something beside it."""
STEADY = 10.0
"""Brightness of filaments that do not blink, relative to the mean of those that do."""
UNREPAIRED = {"repair.frames": False, "repair.spikes": False, "repair.pixels": False}
Frames = np.ndarray
mpl.rcParams.update({"font.size": 8, "axes.titlesize": 8, "axes.titlepad": 3})


def simulation_of(seed: int, **blinking: float) -> Simulation:
    """Microtubules of the first condition of `komen2024`, with a margin."""
    settings = komen2024_condition(12 * seed, 0)
    side = SIDE + 2 * MARGIN
    update: dict[str, Any] = {
        "rows": side,
        "columns": side,
        "frames": FRAMES,
        "structure": settings.structure.model_copy(update={"count": 9}),
        "blinking": settings.blinking.model_copy(update=blinking),
    }
    return simulate(settings.model_copy(update=update))


class Scene:
    """A clean movie in photons, and what is needed to spoil it."""

    def __init__(self, **blinking: float) -> None:
        self.made = simulation_of(1, **blinking)
        self.light = self.made.light(0, FRAMES)
        self.rng = np.random.default_rng(5)
        self.t = np.arange(FRAMES)
        self.y, self.x = np.mgrid[: SIDE + 2 * MARGIN, : SIDE + 2 * MARGIN] - MARGIN

    def record(self, light: Frames | None = None) -> Frames:
        """Expose light (T, Y, X); the camera's noise is always the same."""
        light = self.light if light is None else light
        counts = self.made.camera.expose(light, np.random.default_rng(1))
        return counts[:, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(float)

    def with_steady(self) -> Frames:
        """Light of the sample and of other filaments that do not blink."""
        other = simulation_of(7).light(0, FRAMES)
        return self.light + STEADY * (other.mean(axis=0) - other.min())

    def lit(self, brightness: np.ndarray) -> Frames:
        """Record sample and steady filaments under light whose brightness varies."""
        return self.record(self.with_steady() * brightness[:, None, None])

    def spot(self, y: Any, x: Any, sigma_px: float) -> Frames:
        """Draw a round spot of height 1, or one for each frame."""
        y, x = (np.asarray(v, float)[..., None, None] for v in (y, x))
        return np.exp(-((self.y - y) ** 2 + (self.x - x) ** 2) / 2 / sigma_px**2)

    def moved(self, path_px: np.ndarray) -> Frames:
        """Record the sample at a position (T, 2) in each frame."""
        light = [
            shift(frame, at, order=3, mode="nearest")
            for frame, at in zip(self.light, path_px, strict=True)
        ]
        return self.record(np.maximum(light, 0))

    def pixels(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw places of single pixels."""
        y, x = self.rng.integers(3, SIDE - 3, (number, 2)).T
        return y, x


def cosmic_rays(scene: Scene) -> Frames:
    """Six tracks of 2 to 40 pixels."""
    movie = scene.record()
    for frame, length in ((40, 12), (77, 3), (100, 40), (151, 2), (220, 6), (260, 3)):
        y, x = scene.rng.integers(10, SIDE - 45, 2)
        along = np.arange(length)
        movie[frame, y + along // 3, x + along] += scene.rng.uniform(3000, 30000)
    return movie


def dropped(scene: Scene) -> Frames:
    """Three frames of zeros."""
    movie = scene.record()
    movie[[50, 51, 180]] = 0
    return movie


def pixels(scene: Scene) -> Frames:
    """Twenty pixels each that are hot, blink or are dead."""
    movie = scene.record()
    y, x = scene.pixels(20)
    movie[:, y, x] = 3000 + scene.rng.normal(0, 55, (FRAMES, 20))
    y, x = scene.pixels(20)
    movie[:, y, x] += np.where(scene.rng.random((FRAMES, 20)) < 0.3, 1000, 0)
    movie[:, *scene.pixels(20)] = 0
    return movie


def dead_column(scene: Scene) -> Frames:
    movie = scene.record()
    movie[:, :, SIDE // 2] = 0
    return movie


def haze_flicker(scene: Scene) -> Frames:
    """Haze, twice as bright as an emitter, under a lamp that flickers by 3 %."""
    haze = 200 * scene.spot(SIDE / 2, SIDE / 2, 25)
    lamp = 1 + 0.03 * scene.rng.normal(size=FRAMES)
    return scene.record((scene.light + haze) * lamp[:, None, None])


def lamp(scene: Scene) -> Frames:
    return scene.lit(1 + 0.1 * scene.rng.normal(size=FRAMES))


def hop(scene: Scene) -> Frames:
    return scene.lit(np.where(scene.t < FRAMES // 2, 1.0, 0.7))


def bleaching_linear(scene: Scene) -> Frames:
    return scene.lit(1 - 0.5 * scene.t / FRAMES)


def bleaching_step(scene: Scene) -> Frames:
    return scene.lit(np.select([scene.t < 100, scene.t < 200], [1.0, 0.5], 0.25))


def bright_start(scene: Scene) -> Frames:
    """Everything shines at first, and goes dark within ten frames."""
    everything = STEADY * scene.light.mean(axis=0)
    return scene.record(scene.light + 6 * everything * np.exp(-scene.t / 4)[:, None, None])


def shutter(scene: Scene) -> Frames:
    return scene.lit(np.where(scene.t < 200, 1.0, 0.0))


def row_noise(scene: Scene) -> Frames:
    return scene.record() + scene.rng.normal(0, 6, (FRAMES, SIDE, 1))


def column_flickers(scene: Scene) -> Frames:
    movie = scene.record()
    movie[:, :, 40] += scene.rng.normal(0, 30, (FRAMES, 1))
    return movie


def halves(scene: Scene) -> Frames:
    """Four parts, each read out by electronics of its own."""
    level = scene.rng.normal(0, 5, (FRAMES, 2, 2))
    return scene.record() + level.repeat(SIDE // 2, axis=1).repeat(SIDE // 2, axis=2)


def dirt(scene: Scene) -> Frames:
    """A blurred spot that crosses the field."""
    spots = scene.spot(20 + 0.18 * scene.t, 15 + 0.2 * scene.t, 8)
    return scene.record(scene.light + 40 * spots)


def jump(scene: Scene) -> Frames:
    return scene.moved(np.where(scene.t[:, None] < FRAMES // 2, 0.0, [2.0, -2.5]))


def drift(scene: Scene) -> Frames:
    return scene.moved(np.outer(scene.t / FRAMES, [2.4, 1.8]))


def vibration(scene: Scene) -> Frames:
    return scene.moved(scene.rng.normal(0, 0.7, (FRAMES, 2)))


def bead(scene: Scene) -> Frames:
    """A bead that goes on and off, thirty times as bright as an emitter."""
    on = scene.t // 7 % 2
    return scene.record(scene.light + on[:, None, None] * 500 * scene.spot(50.3, 70.2, 0.93))


def focus(scene: Scene) -> Frames:
    sigma_px = 2.0 * np.maximum(scene.t - 100, 0) / (FRAMES - 100)
    light = [gaussian_filter(f, s) for f, s in zip(scene.light, sigma_px, strict=True)]
    return scene.record(np.array(light))


def cut_off(scene: Scene) -> Frames:
    movie = scene.record()
    return np.minimum(movie, np.percentile(movie, 98.5).round())


def smoothed(scene: Scene) -> Frames:
    return gaussian_filter(scene.record(), (0, 0.7, 0.7))


def gratings(scene: Scene) -> Frames:
    """Three phases of stripes in each of three directions; nothing blinks."""
    structure = 10 * scene.light.mean(axis=0)
    light = []
    for angle in np.deg2rad((10, 70, 130)):
        along = (np.cos(angle) * scene.x + np.sin(angle) * scene.y) / 3.2
        stripes = [1 + 0.5 * np.cos(2 * np.pi * (along + p / 3)) for p in range(3)]
        light += [gaussian_filter(structure * stripe, 0.6) for stripe in stripes]
    return scene.record(np.array(light))


def clean(scene: Scene) -> Frames:
    return scene.record()


@dataclass(frozen=True)
class Artefact:
    """One row of the page.

    ``frame`` is the frame that is shown, or None for the mean counts of every frame. ``advice`` is
    the title of the last picture, made with the settings ``advised``, without the frames
    ``leave_out``, in the area ``roi``, and of the clean movie if ``anew``.
    """

    title: str
    make: Callable[[Scene], Frames]
    advice: str
    advised: dict[str, Any] = field(default_factory=dict)
    frame: int | None = 100
    leave_out: tuple[tuple[int, int], ...] = ()
    roi: tuple[tuple[int, int], tuple[int, int]] | None = None
    anew: bool = False
    order: int = 2
    on_ratio: float | None = None


LEVEL = {"brightness.correct": True}
MEDIAN = {
    "background.method": "percentile",
    "background.percentile": 50.0,
    "background.frames": 20,
}
ARTEFACTS = {
    "clean": Artefact("nothing", clean, "nothing"),
    "cosmic-rays": Artefact("cosmic rays", cosmic_rays, "nothing"),
    "dropped": Artefact("dropped frames", dropped, "nothing", frame=None),
    "pixels": Artefact("hot, blinking and dead pixels", pixels, "nothing"),
    "dead-column": Artefact("dead column", dead_column, "nothing"),
    "shutter": Artefact("shutter closes", shutter, "nothing", frame=None),
    "haze": Artefact("flicker 3 % over haze", haze_flicker, "brightness", LEVEL, None),
    "lamp": Artefact("flicker 10 %, steady filaments", lamp, "brightness", LEVEL, None),
    "hop": Artefact("laser hops to 70 %", hop, "brightness", LEVEL, None),
    "bleaching": Artefact("steady loss of half", bleaching_linear, "brightness", LEVEL, None),
    "steps": Artefact("loss in steps", bleaching_step, "brightness", LEVEL, None),
    "bright-start": Artefact("bright first frames", bright_start, "brightness", LEVEL, None),
    "row-noise": Artefact("noise of rows", row_noise, "rows", {"readout.shared_by": "rows"}),
    "column": Artefact(
        "column flickers", column_flickers, "columns", {"readout.shared_by": "columns"}
    ),
    "halves": Artefact("parts of the sensor", halves, "halves", {"readout.shared_by": "halves"}),
    "dirt": Artefact("dirt drifts by", dirt, "median", MEDIAN),
    "jump": Artefact("stage jumps", jump, "drift", {"drift.correct": True}),
    "drift": Artefact("drift of 3 px", drift, "drift", {"drift.correct": True}),
    "vibration": Artefact(
        "vibration, 0.7 px rms", vibration, "vibration", {"vibration.correct": True}
    ),
    "bead": Artefact("bright bead", bead, "area without it", roi=((0, 96), (0, 60))),
    "focus": Artefact("focus changes", focus, "frames 0 to 129", {}, 290, ((130, 300),)),
    "cut-off": Artefact("cut-off counts", cut_off, "recorded anew", anew=True),
    "smoothed": Artefact("smoothed frames", smoothed, "camera's frames", anew=True),
    "gratings": Artefact("structured illumination", gratings, "nothing", frame=4),
    "order-3": Artefact(
        "order 3, on half of the time", clean, "order 2", {"order": 2}, order=3, on_ratio=0.5
    ),
    "order-4": Artefact(
        "order 4, on a fifth", clean, "order 2", {"order": 2}, order=4, on_ratio=0.2
    ),
}


@dataclass(frozen=True)
class Picture:
    """A reconstruction and its correlation with the ground truth."""

    image: np.ndarray
    truth: np.ndarray

    @property
    def r(self) -> float:
        """Pearson correlation."""
        return pearson(self.image, self.truth)


@dataclass(frozen=True)
class Measured:
    """Counts of a spoilt movie, its pictures by title, and what the check says in short."""

    counts: np.ndarray
    pictures: dict[str, Picture]
    said: str


def scene_for(artefact: Artefact) -> Scene:
    """Return the scene, in which emitters are on as often as the artefact needs."""
    ratio = artefact.on_ratio
    return Scene() if ratio is None else Scene(on_time_s=0.02, off_time_s=0.02 * (1 / ratio - 1))


def opened(counts: Frames) -> sofinet.Movie:
    """Open counts as the 16-bit file that a camera writes."""
    return sofinet.open_movie(np.clip(counts.round(), 0, 65535).astype(np.uint16), PIXEL_UM)


def sofi(movie: sofinet.Movie, scene: Scene, **settings: Any) -> Picture:
    """Reconstruct, and blur the emitters to 110 nm."""
    result = sofinet.reconstruct(movie, "sofi", **settings)
    for note in result.notes:
        print(f"    note: {note}")
    truth = scene.made.truth.ideal(
        fineness=round(1 / result.pixel_px[0]),
        origin_px=(result.origin_px[0] + MARGIN, result.origin_px[1] + MARGIN),
        shape=result.image.shape,
        fwhm_um=0.11,
    ).image
    return Picture(result.image, truth)


def check_of(movie: sofinet.Movie, order: int) -> str:
    """Print what the check says, and return it in short."""
    found = check(movie, order)
    told = []
    for f in found:
        if f.light == "good" and (f.name != "defects" or f.value == "none"):
            continue
        options = " ".join(command_options(build(MovieSettings, f.settings)))
        print(f"    {f.light}, {f.name}: {f.value}. {f.advice} {options}")
        value = f.value.partition(" (")[0]
        told.append(f"*{f.name}*: {value}" + (f" (`{options}`)" if options else ""))
    return f"{overall_light(found)}" + (f"; {'; '.join(told)}" if told else "")


def measure(artefact: Artefact) -> Measured:
    """Spoil a movie, reconstruct it in each way, and check it."""
    scene = scene_for(artefact)
    counts = artefact.make(scene)
    movie, order = opened(counts), {"order": artefact.order}
    pictures = {
        "nothing repaired": sofi(movie, scene, **order, **UNREPAIRED),
        "defaults": sofi(movie, scene, **order),
    }
    better = opened(scene.record()) if artefact.anew else movie
    better = better.select(None, artefact.roi).leave_out(artefact.leave_out)
    if artefact.advice != "nothing":
        pictures[artefact.advice] = sofi(better, scene, **order | artefact.advised)
    return Measured(counts, pictures, check_of(movie, artefact.order))


def others() -> None:
    """Print what other corrections of the same movies give."""
    scene = Scene()
    start = opened(bright_start(scene)).leave_out([(0, 20)])
    print(f"bright start, without 20 frames: r = {sofi(start, scene).r:.2f}")
    haze = 200 * scene.spot(SIDE / 2, SIDE / 2, 25)
    print(
        f"haze without flicker: r = {sofi(opened(scene.record(scene.light + haze)), scene).r:.2f}"
    )
    high_pass = sofi(opened(dirt(scene)), scene, **{"background.method": "high-pass"})
    print(f"dirt, high-pass: r = {high_pass.r:.2f}")
    empty = sofi(opened(dropped(scene)), scene, order=3, **UNREPAIRED)
    print(f"dropped frames, order 3: r = {empty.r:.2f}")
    bleached = {"bleaching.correct": True}
    for settings in (LEVEL, MEDIAN, bleached, {"readout.shared_by": "both"}):
        print(f"clean, {settings}: r = {sofi(opened(clean(scene)), scene, **settings).r:.2f}")
    for make in (bleaching_linear, bleaching_step, hop):
        movie = opened(make(scene))
        alone, both = sofi(movie, scene, **bleached), sofi(movie, scene, **bleached, **LEVEL)
        print(f"{make.__name__}, bleaching: r = {alone.r:.2f}, and brightness: r = {both.r:.2f}")
    for sigma_px in (0.5, 0.7, 1.0, 1.5):
        movie = opened(gaussian_filter(scene.record(), (0, sigma_px, sigma_px)))
        print(f"smoothed by {sigma_px} px: {check_of(movie, 2)}")


def show(axis: Axes, image: np.ndarray, title: str, ends: tuple[float, float]) -> None:
    """Show an image in grey between two percentiles."""
    low, high = np.percentile(image, ends)
    axis.imshow(image, cmap="gray", interpolation="nearest", vmin=low, vmax=max(high, low + 1e-9))
    axis.set_title(title)
    axis.set(xticks=[], yticks=[])


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of 64 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB", flush=True)


def draw(path: Path, artefact: Artefact, measured: Measured) -> None:
    """Draw a frame or the brightness of all, their mean, and the pictures."""
    counts, pictures = measured.counts, measured.pictures
    figure = Figure(figsize=(9.5, 2.15), layout="constrained")
    axes = figure.subplots(1, 5)
    if artefact.frame is None:
        axes[0].plot(counts.mean(axis=(1, 2)), color="black", lw=0.8)
        axes[0].set_title("mean counts of each frame")
        axes[0].set_xlabel("frame", labelpad=1)
        axes[0].set_box_aspect(0.8)
        axes[0].spines[["top", "right"]].set_visible(False)
    else:
        show(axes[0], counts[artefact.frame], f"frame {artefact.frame}", (1.5, 99))
    show(axes[1], counts.mean(axis=0), f"mean of {len(counts)} frames", (1.5, 99))
    for axis, (title, picture) in zip(axes[2:], pictures.items(), strict=False):
        show(axis, picture.image, f"SOFI, {title}", (0.5, 99.8))
        axis.set_xlabel(f"r = {picture.r:.2f}", labelpad=2)
    if len(pictures) < 3:
        show(axes[4], pictures["defaults"].truth, "emitters", (0.5, 99.8))
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="pictures; all without any")
    options = parser.parse_args()
    lines = [
        "| artefact | nothing repaired | defaults | advised | the check |",
        "|---|---|---|---|---|",
    ]
    for name in options.names or ARTEFACTS:
        artefact = ARTEFACTS[name]
        print(f"{name}:")
        measured = measure(artefact)
        draw(options.out / f"artefacts-{name}.png", artefact, measured)
        cells = [f"{picture.r:.2f}" for picture in measured.pictures.values()]
        cells.append("" if len(cells) < 3 else f"{cells.pop()}, {artefact.advice}")
        lines.append(f"| {artefact.title} | {' | '.join(cells)} | {measured.said} |")
    if not options.names:
        others()
    print("\n".join(lines))


if __name__ == "__main__":
    main()
