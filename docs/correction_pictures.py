"""Make every picture of corrections.md, and print its figures.

    python docs/correction_pictures.py [--out FOLDER]

Seeds are fixed, so pictures change only when the program does.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation import Simulation, preset_settings, simulate
from napari_sofinet.simulation.presets import komen2024_condition
from napari_sofinet.sofi import cross_cumulants, flatten
from napari_sofinet.sofi.convergence import convergence

PIXEL_UM = 0.1


def made_by(seed: int, **changes: Any) -> Simulation:
    """Microtubules of 96 x 96 px; double underscores stand for dots."""
    named = {k.replace("__", "."): v for k, v in changes.items()}
    return simulate(preset_settings("microtubules", seed, {"rows": 96, "columns": 96, **named}))


def sofi(frames: np.ndarray, **settings: Any) -> sofinet.Reconstruction:
    named = {k.replace("__", "."): v for k, v in settings.items()}
    return sofinet.reconstruct(sofinet.open_movie(frames, PIXEL_UM), "sofi", **named)


def row(path: Path, images: dict[str, np.ndarray], **options: Any) -> None:
    """Draw images in one row, each with its own contrast unless ``vmax`` is given."""
    figure = Figure(figsize=(3 * len(images), 3.3), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(images)))
    for axis, (title, image) in zip(axes, images.items(), strict=True):
        shown = {"cmap": "inferno", "vmax": np.nanpercentile(image, 99.7)} | options
        drawn = axis.imshow(image, **shown)
        axis.set_title(title, fontsize=9)
        axis.set(xticks=[], yticks=[])
        if "vmin" in options:
            figure.colorbar(drawn, ax=axis, shrink=0.8)
    figure.savefig(path, dpi=70)


def drift_and_bleaching(out: Path) -> None:
    clean = made_by(4, frames=600)
    spoilt = made_by(
        4,
        frames=600,
        motion__drift_y_um_per_s=0.04,
        motion__drift_x_um_per_s=-0.03,
        background__photons=6.0,
        background__half_life_s=2.5,
        blinking__bleach_time_s=0.06,
    )
    truth = sofi(clean.frames).image
    images = {"mean of the frames": spoilt.frames.mean(axis=0)}
    for title, settings in (
        ("SOFI, nothing corrected", {}),
        ("bleaching corrected", {"bleaching__correct": True}),
        ("and drift", {"bleaching__correct": True, "drift__correct": True}),
    ):
        image = sofi(spoilt.frames, **settings).image
        images[f"{title}: r = {pearson(image, truth):.3f}"] = image
    images["still and unbleached movie"] = truth
    row(out / "corrections-drift.png", images)
    print("drift and bleaching:", list(images))


def background(out: Path) -> None:
    blinking = {"frames": 200, "blinking__on_time_s": 0.01, "blinking__off_time_s": 0.3}
    dark = {"camera__offset": 0.0}
    clean = made_by(3, **blinking, **dark, background__photons=0.0)
    hazy = made_by(
        3,
        **blinking,
        **dark,
        background__photons=15.0,
        background__structured=0.7,
        background__scale_um=3.0,
    )
    truth = clean.frames.mean(axis=0)
    bright = truth > np.percentile(truth, 97)
    light = truth[bright].mean() - np.median(truth)
    movie = sofinet.open_movie(hazy.frames, PIXEL_UM)
    ideal = clean.truth.ideal(origin_px=(1, 1), shape=(185, 185)).image
    images = {}
    for title, settings in (
        ("as it is", {}),
        ("percentile 10 %", {"method": "percentile"}),
        ("percentile 50 %", {"method": "percentile", "percentile": 50.0}),
        ("rolling ball 15 px", {"method": "rolling-ball"}),
        ("rolling ball 5 px", {"method": "rolling-ball", "radius_px": 5.0}),
    ):
        named = {f"background.{k}": v for k, v in settings.items()}
        image = sofinet.reconstruct(movie, "average", **named).image
        picture = sofinet.reconstruct(movie, "sofi", **named).image
        left = (image[bright].mean() - np.median(image)) / light
        print(
            f"| {title} | {pearson(image, truth):.2f} | {100 * left:.0f} % "
            f"| {pearson(picture, ideal):.3f} |"
        )
        images[f"average, {title}: r = {pearson(image, truth):.2f}"] = image
    images["without background"] = truth
    row(out / "corrections-background.png", images)


def shared_noise(out: Path) -> None:
    made = made_by(5, frames=500, blinking__on_time_s=0.04, blinking__off_time_s=2.0)
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=made.frames.shape), (0, 0.8, 0.8))
    frames = made.frames + 6 * noise / noise.std()
    ideal = made.truth.ideal(origin_px=(1, 1), shape=(185, 185)).image
    images = {"mean of the frames": frames.mean(axis=0)}
    for lag in (0, 1):
        image = sofi(frames, lag=lag).image
        images[f"SOFI, lag {lag}: r = {pearson(image, ideal):.2f}"] = image
    row(out / "corrections-lag.png", {**images, "truth": ideal})
    print("lag:", list(images))


def molecules(out: Path) -> None:
    print("| on-ratio, on-time (frames), gain | brightness | on-ratio | on-time | density |")
    for on_ratio in (0.05, 0.2, 0.6):
        for on_frames, gain in ((1.0, 0.5), (1.0, 4.0), (4.0, 0.5), (4.0, 4.0), (10.0, 4.0)):
            found = []
            for seed in (1, 2, 3):
                made = made_by(
                    seed,
                    rows=64,
                    columns=64,
                    frames=3000,
                    structure__count=5,
                    structure__emitters_per_um=8.0,
                    blinking__on_time_s=0.01 * on_frames,
                    blinking__off_time_s=0.01 * on_frames * (1 - on_ratio) / on_ratio,
                    blinking__photons=300.0,
                    camera__gain=gain,
                )
                result = sofi(made.frames, molecules=True)
                window_um = 4 * result.details["psf_fwhm_px"] * PIXEL_UM
                truth = made.truth.ideal(
                    origin_px=(1, 1), shape=result.image.shape, fwhm_um=window_um
                ).image / (300 * (PIXEL_UM / 2) ** 2)
                maps = result.maps
                found.append(
                    [
                        np.nanmedian(maps["brightness"]) / (300 * gain),
                        np.nanmedian(maps["on_ratio"]) / on_ratio,
                        np.nanmedian(maps["on_time_frames"]) / on_frames,
                        np.nanmedian(maps["density_per_um2"] / truth),
                    ]
                )
            cells = (f"{min(v):.2f} to {max(v):.2f}" for v in np.transpose(found))
            print(f"| {on_ratio}, {on_frames:g}, {gain} | {' | '.join(cells)} |", flush=True)
    made = made_by(2, frames=3000, blinking__on_time_s=0.03, blinking__off_time_s=0.27)
    result = sofi(made.frames, molecules=True, snr=True)
    maps = result.maps
    row(out / "corrections-molecules.png", {"SOFI": maps["image"]})
    row(out / "corrections-snr.png", {"signal over its error": maps["snr"]})
    for name, low, high in (("on_ratio", 0, 0.2), ("on_time_frames", 0, 6)):
        row(out / f"corrections-{name}.png", {name: maps[name]}, vmin=low, vmax=high)


def frames_needed(out: Path) -> None:
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    for condition, colour in ((0, "tab:blue"), (11, "tab:red")):
        settings = komen2024_condition(5 + condition, condition)
        settings = settings.model_copy(update={"frames": 12_000, "rows": 64, "columns": 64})
        frames = simulate(settings).frames
        found = convergence(sofinet.open_movie(frames[:100]))

        def picture(part: np.ndarray) -> np.ndarray:
            flat = flatten(cross_cumulants(part, (2,), unbiased=True)[2], 2, "psf", 2.3)
            return gaussian_filter(flat, 2.3 / 2.355).ravel()

        final = picture(frames[4000:])
        numbers = np.array([20, 40, 80, 160, 320, 640, 1280])
        real = [
            np.mean(
                [
                    np.corrcoef(picture(frames[a : a + n]), final)[0, 1]
                    for a in range(0, 4000 - n, 400)
                ]
            )
            for n in numbers
        ]
        predicted = [found.agreement(n) for n in numbers]
        axes.plot(numbers, real, "o", color=colour, label=f"condition {condition}: real")
        axes.plot(numbers, predicted, color=colour, label="predicted from its first 100 frames")
        error = np.abs(np.subtract(real, predicted)).max()
        print(
            f"condition {condition}: predicted to {error:.3f}; "
            f"0.9 needs {found.frames_for(0.9):.0f}"
        )
    axes.set(xscale="log", xlabel="frames", ylabel="agreement with infinitely many", ylim=(0, 1))
    axes.legend(fontsize=8)
    figure.savefig(out / "corrections-frames.png", dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    out = parser.parse_args().out
    for draw in (drift_and_bleaching, background, shared_noise, frames_needed, molecules):
        draw(out)


if __name__ == "__main__":
    main()
