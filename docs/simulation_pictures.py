"""Make every picture of simulation.md.

    python docs/simulation_pictures.py [--real FOLDER] [--out FOLDER]

FOLDER holds the experimental movies named in REAL; where it is not given or they are not there, the
picture that compares with them is left as it is. Seeds are fixed, so pictures change only when the
program does.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import tifffile
from matplotlib.figure import Figure
from PIL import Image
from skimage.data import binary_blobs

import napari_sofinet as sofinet
from napari_sofinet.simulation import SimulationSettings, simulate
from napari_sofinet.simulation.camera_models import MODELS
from napari_sofinet.simulation.drawn_settings import draw_universal
from napari_sofinet.simulation.sample_settings import BlinkingSettings, StructureSettings
from napari_sofinet.simulation.settings import BackgroundSettings, CameraSettings, OpticsSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = Path(__file__).parent / "images"
DPI = 100
mpl.rcParams.update({"font.size": 8, "axes.titlesize": 8, "axes.titlepad": 3})

STRUCTURES: dict[str, dict[str, Any]] = {
    "microtubules": {"count": 15},
    "actin": {"count": 40},
    "mitochondria": {"count": 12},
    "vesicles": {"count": 60},
    "rings": {"count": 40},
    "random": {"emitters_per_um2": 20},
    "points": {"count": 200},
    "argolight": {"emitters_per_um": 100},
    "siemens-star": {},
    "image": {"emitters_per_um2": 100},
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG of 256 colours, a third of the size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


def show(axis: Axes, image: np.ndarray, title: str = "", high: float = 99.8, **how: Any) -> None:
    """Show an image in grey from its darkest to almost its brightest."""
    how = {"vmin": np.percentile(image, 0.5), "vmax": np.percentile(image, high), **how}
    axis.imshow(image, cmap="gray", interpolation="nearest", **how)
    axis.set_title(title)
    axis.axis("off")


def scale_bar(axis: Axes, pixel_um: float, length_um: float = 2.0) -> None:
    """Draw a white bar in the lower left corner of an image of such pixels."""
    left, right = axis.get_xlim()
    bottom, top = axis.get_ylim()
    x, y = left + 0.06 * (right - left), bottom + 0.07 * (top - bottom)
    axis.plot([x, x + length_um / pixel_um], [y, y], color="white", lw=2)


def structures(folder: Path) -> None:
    """Every kind of structure: ideal image, one frame, mean."""
    blobs = folder / "blobs.tif"
    shape = binary_blobs(256, 0.08, volume_fraction=0.25, rng=3).astype(np.float32)
    tifffile.imwrite(blobs, shape)
    figure = Figure(figsize=(11.4, 10.4), layout="constrained")
    axes = figure.subplots(5, 6).reshape(10, 3)
    order = np.arange(10).reshape(2, 5).T.ravel()  # downwards, not across
    kinds = list(STRUCTURES)
    for place, number in enumerate(order):
        kind = kinds[number]
        settings = SimulationSettings(
            rows=96,
            columns=96,
            frames=200,
            blinking=BlinkingSettings(photons=500 if kind in ("random", "points") else 100),
            structure=StructureSettings(
                kind=kind,  # type: ignore[arg-type]
                file=str(blobs) if kind == "image" else "",
                **STRUCTURES[kind],
            ),
        )
        simulation = simulate(settings, seed=3)
        ideal = simulation.truth.ideal(fineness=2, fwhm_um=0.06).image
        frames = simulation.frames
        row = axes[place]
        show(row[0], ideal, f"{kind}: ideal", 99.5)
        show(row[1], frames[100], "one frame")
        show(row[2], frames.mean(axis=0), "mean")
        if place == 0:
            scale_bar(row[0], settings.pixel_size_um / 2)
    save(figure, IMAGES / "simulation_structures.png")


def blinking() -> None:
    """Light of two emitters in time for each model."""
    models: dict[str, tuple[float, dict[str, Any]]] = {
        "two-state: on 10 ms, off 0.6 s": (0.01, {}),
        "two-state: on 60 ms, off 0.3 s, bleaching after 0.3 s of light": (
            0.01,
            {"on_time_s": 0.06, "off_time_s": 0.3, "bleach_time_s": 0.3},
        ),
        "three-state: on 30 ms, off 0.1 s or (share 0.1) 2 s": (
            0.01,
            {
                "model": "three-state",
                "on_time_s": 0.03,
                "off_time_s": 0.1,
                "long_off_time_s": 2.0,
            },
        ),
        "dna-paint: bound 0.5 s, unbound 5 s, spread 0.4; frames of 0.1 s": (
            0.1,
            {"model": "dna-paint", "on_time_s": 0.5, "off_time_s": 5.0, "spread": 0.4},
        ),
        "steady": (0.01, {"model": "steady"}),
    }
    figure = Figure(figsize=(11, 6), layout="constrained")
    for axis, (title, (interval, given)) in zip(
        figure.subplots(len(models), 1), models.items(), strict=True
    ):
        s = SimulationSettings(
            frames=400,
            frame_interval_s=interval,
            structure=StructureSettings(kind="points", count=2),
            blinking=BlinkingSettings(**given),
        )
        truth = simulate(s, seed=5).truth
        for k in range(2):
            events = truth.events
            mine = events.emitter == k
            light = np.zeros(s.frames)
            light[events.frame[mine]] = events.fraction[mine] * truth.photons[k]
            time = (np.arange(s.frames) + 0.5) * interval
            axis.step(time, light + (1 - k) * 1.1 * 100, where="mid", lw=0.8)
        axis.set_title(title, loc="left")
        axis.set(yticks=[], xlim=(0, s.frames * interval))
        axis.spines[["top", "right", "left"]].set_visible(False)
    axis.set_xlabel("time (s)")
    save(figure, IMAGES / "simulation_blinking.png")


def coma(path: Path, pixel_um: float = 0.02, fwhm_um: float = 0.22) -> None:
    """Write the PSF of a lens with a wave of coma, as a bad objective would give it."""
    n = 256
    cut = 0.51 / fwhm_um * pixel_um  # NA / wavelength in cycles per sample
    fy, fx = np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n), indexing="ij")
    rho, phi = np.hypot(fy, fx) / cut, np.arctan2(fy, fx)
    phase = 2 * np.pi * 0.2 * (3 * rho**3 - 2 * rho) * np.cos(phi - 0.6)
    pupil = np.where(rho <= 1, np.exp(1j * phase), 0)
    spot = np.fft.fftshift(np.abs(np.fft.ifft2(pupil)) ** 2)
    middle = n // 2
    spot = spot[middle - 50 : middle + 51, middle - 50 : middle + 51]
    tifffile.imwrite(path, spot.astype(np.float32))


def psfs(folder: Path) -> None:
    """Light of one emitter through each PSF, on fine pixels and on the camera's."""
    file = folder / "coma.tif"
    coma(file)
    figure = Figure(figsize=(11.4, 2.2), layout="constrained")
    axes = figure.subplots(1, 7, width_ratios=[1] * 6 + [1.4])
    profile = axes[-1]
    table = folder / "point.csv"
    for k, psf in enumerate(("gaussian", "airy", "image")):
        for j, (pixel_um, side) in enumerate(((0.02, 81), (0.1, 17))):
            middle = side // 2 * pixel_um
            table.write_text(f"y_um,x_um\n{middle},{middle}\n")
            s = SimulationSettings(
                rows=side,
                columns=side,
                frames=1,
                structure=StructureSettings(kind="table", file=str(table)),
                blinking=BlinkingSettings(model="steady", photons=1e5),
                optics=OpticsSettings(
                    psf=psf,  # type: ignore[arg-type]
                    psf_file=str(file) if psf == "image" else "",
                    magnification=6.5 / pixel_um,
                ),
                background=BackgroundSettings(photons=0),
            )
            light = simulate(s).light(0, 1)[0]
            name = {"image": "coma"}.get(psf, psf)
            axis = axes[2 * k + j]
            show(axis, np.sqrt(light), f"{name}, {1000 * pixel_um:.0f} nm px", 100, vmin=0)
            if j == 0:
                scale_bar(axis, pixel_um, 0.5)
                at = (np.arange(side) - side // 2) * pixel_um
                line = light[side // 2]
                profile.semilogy(at, line / line.max(), label=name, lw=1)
    profile.set(ylim=(1e-5, 1.5), xlabel="x (µm)", title="along x through the middle")
    profile.legend(fontsize=6, frameon=False, loc="lower center", ncols=3, columnspacing=0.5)
    save(figure, IMAGES / "simulation_psfs.png")


def cameras() -> None:
    """The same light on every camera; the dark; counts as photons."""
    figure = Figure(figsize=(11.4, 5.6), layout="constrained")
    axes = figure.subplots(3, len(MODELS), height_ratios=[1, 1, 0.8])
    for k, model in enumerate(MODELS):
        camera = CameraSettings(model=model)  # type: ignore[arg-type]
        s = SimulationSettings(
            rows=96,
            columns=96,
            frames=100,
            structure=StructureSettings(count=12),
            blinking=BlinkingSettings(on_time_s=0.1, photons=40),
            camera=camera,
        )
        simulation = simulate(s, seed=3)
        figures = simulation.camera
        photons_per_count = 1 / figures.gain.mean() / figures.quantum_efficiency
        offset = figures.offset.mean()

        def as_photons(
            counts: np.ndarray, offset: float = offset, scale: float = photons_per_count
        ) -> np.ndarray:
            return (counts - offset) * scale

        show(axes[0, k], as_photons(simulation.counts(50, 51)[0]), model, vmin=-4, vmax=30)
        rng = np.random.default_rng(1)
        dark = as_photons(figures.expose(np.zeros((20, 96, 96)), rng))
        show(axes[1, k], dark[0], f"dark, {dark.std():.2f} photons rms", vmin=-5, vmax=5)
        axis = axes[2, k]
        for light in (0, 10):
            counts = as_photons(figures.expose(np.full((20, 96, 96), light), rng))
            step = max(photons_per_count, 0.5)
            bins = np.arange(-10, 30, step) - step / 2
            axis.hist(counts.ravel(), bins, histtype="step", density=True, label=f"{light} photons")
        axis.set(yscale="log", ylim=(1e-4, 3), xlim=(-10, 30), xlabel="photons")
        if k == 0:
            axis.legend(fontsize=6, frameon=False)
        else:
            axis.set_yticklabels([])
    save(figure, IMAGES / "simulation_cameras.png")


def backgrounds() -> None:
    """Kinds of background; SOFI must not show them."""
    kinds: dict[str, dict[str, Any]] = {
        "even": {"photons": 10},
        "patches": {"photons": 10, "structured": 0.8},
        "out of focus": {"photons": 10, "out_of_focus": 0.8},
        "bleaching": {"photons": 10, "structured": 0.8, "half_life_s": 3.0},
        "still structure": {"photons": 3, "still_photons": 5},
    }
    figure = Figure(figsize=(11, 6.7), layout="constrained")
    for column, (name, given) in zip(figure.subplots(3, len(kinds)).T, kinds.items(), strict=True):
        s = SimulationSettings(
            frames=500, structure=StructureSettings(count=8), background=BackgroundSettings(**given)
        )
        simulation = simulate(s, seed=6)
        frames = simulation.frames
        movie = sofinet.open_movie(frames, s.pixel_size_um)
        sofi = sofinet.reconstruct(movie, "sofi").image
        show(column[0], frames[250], f"{name}: one frame")
        show(column[1], frames.mean(axis=0), "mean of 500")
        show(column[2], sofi, "SOFI, order 2", 99.7)
    save(figure, IMAGES / "simulation_backgrounds.png")


def universal() -> None:
    """Twelve movies of the preset `universal`: one frame, mean, target."""
    figure = Figure(figsize=(11.4, 5.9), layout="constrained")
    axes = figure.subplots(4, 9)
    for k, row in enumerate(axes.reshape(12, 3)):
        rng = np.random.default_rng([k, 2])
        s = draw_universal(rng, k, 64, 64, 20)
        simulation = simulate(s)
        frames = simulation.frames
        show(row[0], frames[len(frames) // 2], s.structure.kind)
        show(row[1], frames.mean(axis=0), f"mean (PSF {s.psf_fwhm_px:.1f} px)")
        ideal = simulation.truth.ideal(fineness=2).image
        show(row[2], ideal, "target", 100 if ideal.max() > 0 else 50)
    save(figure, IMAGES / "simulation_universal.png")


@dataclass(frozen=True)
class Statistics:
    """Statistics of a movie's fluctuations after division by its bleaching curve.

    ``dark`` and ``bright`` are the means in counts of the darkest and brightest quarters of the
    mean image, ``noise`` the temporal standard deviations there, ``memory`` the autocovariance of
    one frame over the variance, in the bright quarter, ``neighbours`` the covariance with the next
    pixel over the variance there.
    """

    dark: float
    bright: float
    noise_dark: float
    noise_bright: float
    memory: float
    neighbours: float

    def __str__(self) -> str:
        """One row of a table."""
        return (
            f"{self.dark:.0f} | {self.bright:.0f} | {self.noise_dark:.1f} | "
            f"{self.noise_bright:.1f} | {self.memory:.2f} | {self.neighbours:.2f}"
        )


def statistics(frames: np.ndarray, offset: float) -> Statistics:
    movie = frames.astype(np.float64) - offset
    curve = movie.mean(axis=(1, 2), keepdims=True)
    movie *= curve.mean() / curve
    mean = movie.mean(axis=0)
    bright, dark = mean >= np.quantile(mean, 0.75), mean <= np.quantile(mean, 0.25)
    away = movie - mean
    variance = (away**2).mean(axis=0)
    lagged = (away[1:] * away[:-1]).mean(axis=0)
    beside = (away[:, :, 1:] * away[:, :, :-1]).mean(axis=0)
    return Statistics(
        float(mean[dark].mean() + offset),
        float(mean[bright].mean() + offset),
        float(np.sqrt(variance[dark].mean())),
        float(np.sqrt(variance[bright].mean())),
        float(lagged[bright].mean() / variance[bright].mean()),
        float(beside[bright[:, 1:]].mean() / variance[bright].mean()),
    )


def beside_real(folder: Path) -> None:
    """Experimental movies, each with a simulation whose settings were chosen to match."""
    if not all((folder / f"{name}.tif").is_file() for name in REAL):
        print(f"no experimental movies in {folder}: that picture is left as it is")
        return
    figure = Figure(figsize=(11.4, 4.3), layout="constrained")
    axes = figure.subplots(len(REAL), 6)
    print("movie | dark | bright | noise dark | noise bright | memory | neighbours")
    for row, (name, (first, settings)) in zip(axes, REAL.items(), strict=True):
        real = tifffile.imread(folder / f"{name}.tif")[first:]
        made = simulate(settings).frames
        offset = settings.camera.offset or 100.0
        for k, (whose, movie) in enumerate((("real", real), ("simulated", made))):
            print(f"{name} {whose} | {statistics(movie, offset)}")
            show(row[3 * k], movie[len(movie) // 2], f"{whose}: one frame")
            show(row[3 * k + 1], movie.mean(axis=0), "mean")
            show(row[3 * k + 2], movie.std(axis=0), "standard deviation")
        scale_bar(row[0], settings.pixel_size_um, 1.0)
    save(figure, IMAGES / "simulation_beside_real.png")


REAL: dict[str, tuple[int, SimulationSettings]] = {
    "musical_mito_014_50x70x70": (
        0,
        SimulationSettings(
            rows=70,
            columns=70,
            frames=50,
            seed=2,
            structure=StructureSettings(
                kind="mitochondria",
                count=7,
                size_um=0.3,
                persistence_um=6,
                length_um=2.5,
                emitters_per_um2=4000,
            ),
            blinking=BlinkingSettings(on_time_s=0.01, off_time_s=0.05, photons=5, spread=0.5),
            optics=OpticsSettings(psf_fwhm_um=0.24),
            background=BackgroundSettings(
                photons=9, structured=0.2, out_of_focus=0.3, scale_um=1.5
            ),
            camera=CameraSettings(model="orca-flash4", pixel_um=5.2, read_noise_e=2.0),
        ),
    ),
    "threeb_cell_300x60x60": (
        100,
        SimulationSettings(
            rows=60,
            columns=60,
            frames=200,
            seed=2,
            structure=StructureSettings(
                kind="rings", count=6, size_um=0.75, emitters_per_um=200, linker_um=0.2
            ),
            blinking=BlinkingSettings(
                on_time_s=0.04, off_time_s=0.5, photons=500, spread=0.8, bleach_time_s=0.06
            ),
            optics=OpticsSettings(psf_fwhm_um=0.3),
            background=BackgroundSettings(
                photons=245, structured=0.05, out_of_focus=0.03, half_life_s=1.5, scale_um=3
            ),
            camera=CameraSettings(
                model="ixon-897",
                pixel_um=6.5,
                offset=4700,
                gain=9.5,
                em_gain=200,
                read_noise_e=800,
                pixel_spread=0.01,
            ),
        ),
    ),
}
"""First frame that is used, and the settings that were chosen."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", type=Path, help="folder of experimental movies")
    parser.add_argument("--out", type=Path, help="where to write the pictures")
    options = parser.parse_args()
    global IMAGES
    IMAGES = options.out or IMAGES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        structures(folder)
        blinking()
        psfs(folder)
        cameras()
        backgrounds()
        universal()
        if options.real:
            beside_real(options.real)


if __name__ == "__main__":
    main()
