"""How close a pair of lines the maximum likelihood of the covariance separates, and its speed.

    python benchmarks/tables/covariance.py [--seeds 10] [--frames 500 100] [--side 24]

Written in plain numpy, without any part of `napari_sofinet.simulation`: two lines 100 nm wide with
1500 emitters per um2, on for 10 % of the time for a frame each with 150 photons, under a Gaussian
PSF of 318 nm (pixels of 100 nm), on an uneven background of about 20 photons; offset 100, 2 counts
per electron, read noise 2 electrons. The dip is one minus the lowest value between the lines over
the lower of their peaks, in the mean profile of the middle rows.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.special import ndtr

import napari_sofinet as sofinet

PIXEL_NM, PSF_NM, WIDTH_NM = 100.0, 318.0, 100.0
PER_UM2, ON, PHOTONS, BACKGROUND, READ = 1500, 0.1, 150, 20, 2.0


def pair(seed: int, distance_nm: float, frames: int, side: int) -> np.ndarray:
    """Counts (frames, side, side) uint16 of two vertical lines."""
    rng = np.random.default_rng(seed)
    height = 1.2 * side * PIXEL_NM
    found = []
    for at in (-0.5, 0.5):
        count = rng.poisson(PER_UM2 * height * WIDTH_NM / 1e6)
        y = rng.uniform(0, height, count) - 0.1 * side * PIXEL_NM
        x = (side - 1) / 2 * PIXEL_NM + at * distance_nm
        found.append(np.stack([y, x + rng.uniform(-0.5, 0.5, count) * WIDTH_NM], axis=1))
    places = np.concatenate(found) / PIXEL_NM
    sigma, pixels = PSF_NM / 2.3548 / PIXEL_NM, np.arange(side)
    along_y, along_x = (
        ndtr((pixels + 0.5 - at[:, None]) / sigma) - ndtr((pixels - 0.5 - at[:, None]) / sigma)
        for at in places.T
    )
    y, x = np.mgrid[:side, :side] / side
    still = BACKGROUND * (1 + 0.4 * np.sin(3 * y + 1) * np.cos(2.5 * x))
    counts = np.empty((frames, side, side), np.uint16)
    for frame in counts:
        on = rng.random(len(places)) < ON
        light = rng.poisson(PHOTONS * along_y[on].T @ along_x[on] + still)
        electrons = light + rng.normal(0, READ, light.shape)
        frame[:] = np.clip(np.round(2 * electrons + 100), 0, 65535)
    return counts


def dip(
    image: np.ndarray, distance_nm: float, step_nm: float, centre: float
) -> tuple[float, float]:
    """Dip between two lines, and the distance of their peaks in nm."""
    rows = len(image) // 5
    profile = image[rows:-rows].mean(axis=0)
    x = (np.arange(len(profile)) - centre) * step_nm
    sides = [(x < 0) & (x > -distance_nm), (x > 0) & (x < distance_nm)]
    middle = profile[np.abs(x) <= distance_nm / 4 + step_nm / 2].min()
    peaks = [profile[side].max() for side in sides]
    places = [x[side][profile[side].argmax()] for side in sides]
    return 1 - middle / max(min(peaks), 1e-9), places[1] - places[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--frames", type=int, nargs="+", default=[500, 100])
    parser.add_argument("--side", type=int, default=24)
    parser.add_argument("--distance", type=float, default=120.0)
    options = parser.parse_args()
    methods = ("average", {}), ("sofi", {}), ("covariance", {"device": "cpu"})
    print("| frames | method | mean dip | least dip | dip of 0.2 | distance nm | s of processor |")
    print("|---|---|---|---|---|---|---|")
    for frames in options.frames:
        for name, more in methods:
            dips, places, began = [], [], time.process_time()
            for seed in range(options.seeds):
                counts = pair(seed, options.distance, frames, options.side)
                result = sofinet.reconstruct(sofinet.open_movie(counts), name, **more)
                step = result.pixel_px[1]
                centre = ((options.side - 1) / 2 - result.origin_px[1]) / step
                depth, apart = dip(result.image, options.distance, step * PIXEL_NM, centre)
                dips.append(depth)
                places.append(apart)
            spent = (time.process_time() - began) / options.seeds
            resolved = sum(depth >= 0.2 for depth in dips)
            print(
                f"| {frames} | {name} | {np.mean(dips):.2f} | {np.min(dips):.2f} | "
                f"{resolved} of {options.seeds} | {np.mean(places):.0f} | {spent:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
