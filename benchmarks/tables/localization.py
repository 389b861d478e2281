"""Localisation: how close to the Cramer-Rao bound, and how many of crowded emitters are found.

    python benchmarks/tables/localization.py [--weights FILE] [--bundled MOVIE.tif POSITIONS.csv.gz]

Every table is made by the product's own method `deepstorm`, with its network and with its
single-emitter fitter. Matching is one to one. Frames are simulated here, independently of all
training data: PSF of 0.92 px standard deviation, offset 100, read noise variance 5, gain 1.
"""

from __future__ import annotations

import argparse

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.metrics import crlb, localization_scores
from napari_sofinet.training.emitters import spots

SIGMA_PX = 0.92
PIXEL_NM = 108.3
READ_VARIANCE = 5.0


def movie_of(
    rng: np.random.Generator, places: list[np.ndarray], photons: float, side: int, background: float
) -> np.ndarray:
    """Counts (T, Y, X) of emitters of equal brightness."""
    frames = []
    for at in places:
        light = spots(at, np.full(len(at), photons), SIGMA_PX, side, side) + background
        frames.append(rng.poisson(light) + rng.normal(100, READ_VARIANCE**0.5, light.shape))
    return np.round(frames).astype(np.float32)


def score(
    frames: np.ndarray, places: list[np.ndarray], radius_px: float, **settings: object
) -> dict[str, float]:
    """Precision, recall and error of all frames together; errors per axis in px."""
    result = sofinet.reconstruct(sofinet.open_movie(frames), "deepstorm", **settings)
    table = result.localizations
    assert table is not None
    tp = fp = fn = 0
    errors, uncertainties = [], []
    for number, truth in enumerate(places):
        at = table.frame == number
        found = np.stack([table.y_px[at], table.x_px[at]], axis=1)
        one = localization_scores(found, truth, radius_px)
        tp, fp, fn = tp + one.tp, fp + one.fp, fn + one.fn
        errors.append(truth[one.pairs[:, 0]] - found[one.pairs[:, 1]])
        uncertainties.append(table.uncertainty_px[at][one.pairs[:, 1]])
    d, uncertainty = np.concatenate(errors), np.concatenate(uncertainties)
    return {
        "precision": tp / max(tp + fp, 1),
        "recall": tp / max(tp + fn, 1),
        "jaccard": tp / max(tp + fp + fn, 1),
        "rmse_px": float(np.sqrt((d**2).mean())),
        "error over uncertainty": float(np.sqrt(((d / uncertainty[:, None]) ** 2).mean())),
    }


def isolated(settings: dict[str, object], detector: str) -> None:
    """One emitter in 24 x 24 px."""
    for photons in (200, 500, 1000, 2000, 5000):
        rng = np.random.default_rng([photons, 77])
        places = [11.5 + rng.uniform(-0.5, 0.5, (1, 2)) for _ in range(400)]
        frames = movie_of(rng, places, photons, 24, 2)
        s = score(frames, places, 1.25, detector=detector, **settings)
        bound = crlb(photons, SIGMA_PX, 2, read_noise_variance=READ_VARIANCE)[0]
        print(
            f"| {detector} | {photons} | {s['recall']:.3f} | {s['precision']:.3f} | "
            f"{s['rmse_px'] * PIXEL_NM:.2f} | {s['rmse_px'] / bound:.2f} | "
            f"{s['error over uncertainty']:.2f} |"
        )


def disc(settings: dict[str, object], detector: str) -> None:
    """The paper's test: 10 emitters on a disc of 7 px radius in 20 x 20 px, 200 photons."""
    rng = np.random.default_rng(78)
    places = []
    for _ in range(1000):
        r, a = 7 * np.sqrt(rng.random(10)), rng.uniform(0, 2 * np.pi, 10)
        places.append(9.5 + np.stack([r * np.sin(a), r * np.cos(a)], axis=1))
    s = score(
        movie_of(rng, places, 200, 20, 0), places, 135 / PIXEL_NM, detector=detector, **settings
    )
    print(
        f"| {detector} | {s['precision']:.3f} | {s['recall']:.3f} | {s['jaccard']:.3f} | "
        f"{s['rmse_px'] * PIXEL_NM:.1f} |"
    )


def crowds(settings: dict[str, object], detector: str) -> None:
    """Emitters everywhere in 64 x 64 px."""
    for per_um2 in (0.1, 0.5, 1, 2, 5, 10):
        for photons in (200, 1000, 5000):
            rng = np.random.default_rng([photons, 79])
            number = per_um2 * (64 * PIXEL_NM / 1000) ** 2
            places = [rng.uniform(-0.5, 63.5, (rng.poisson(number), 2)) for _ in range(20)]
            frames = movie_of(rng, places, photons, 64, 2)
            s = score(frames, places, 1.25, detector=detector, **settings)
            print(
                f"| {detector} | {per_um2} | {photons} | {s['precision']:.3f} | "
                f"{s['recall']:.3f} | {s['jaccard']:.3f} | {s['rmse_px'] * PIXEL_NM:.1f} | "
                f"{s['error over uncertainty']:.2f} |"
            )


def bundled(movie: str, positions: str, settings: dict[str, object], detector: str) -> None:
    """The simulated bundled tubes of the 2013 challenge: 5.5 emitters per um² and frame."""
    from scipy.spatial import KDTree

    truth = np.loadtxt(positions, delimiter=",", skiprows=1)
    result = sofinet.reconstruct(
        sofinet.open_movie(movie, 0.1), "deepstorm", detector=detector, **settings
    )
    table = result.localizations
    assert table is not None
    # Their nm begin at the corner of the first pixel of 100 nm.
    at = truth[:, [2, 1]] / 100 - 0.5
    found = np.stack([table.y_px, table.x_px], axis=1)
    near = KDTree(at).query(found)[0] < 0.25
    tp = fp = fn = 0
    for number in np.unique(truth[:, 0]).astype(int)[::6]:
        one = localization_scores(found[table.frame == number - 1], at[truth[:, 0] == number], 1.0)
        tp, fp, fn = tp + one.tp, fp + one.fp, fn + one.fn
    print(
        f"| {detector} | {len(table)} | {100 * near.mean():.1f} % | {tp / (tp + fp + fn):.3f} | "
        f"{tp / (tp + fp):.3f} | {tp / (tp + fn):.3f} |"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="deepstorm")
    parser.add_argument("--bundled", nargs=2, metavar=("MOVIE", "POSITIONS"))
    options = parser.parse_args()
    settings: dict[str, object] = {"weights": options.weights}
    detectors = "network", "single"
    print("Isolated emitters\n")
    print("| detector | photons | recall | precision | RMSE (nm) | over CRLB | over uncertainty |")
    print("|---|---|---|---|---|---|---|")
    for detector in detectors:
        isolated(settings, detector)
    print("\nTen emitters on a disc, 200 photons, matched within 135 nm\n")
    print("| detector | precision | recall | Jaccard | RMSE (nm) |\n|---|---|---|---|---|")
    for detector in detectors:
        disc(settings, detector)
    print("\nCrowds, matched within 135 nm\n")
    print(
        "| detector | per um² | photons | precision | recall | Jaccard | RMSE (nm) | "
        "over uncertainty |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for detector in detectors:
        crowds(settings, detector)
    if options.bundled:
        print("\nBundled tubes, 5.5 per um² and frame; Jaccard within 100 nm\n")
        print(
            "| detector | localisations | within 25 nm of an emitter | Jaccard | precision | "
            "recall |"
        )
        print("|---|---|---|---|---|---|")
        for detector in detectors:
            bundled(*options.bundled, settings, detector)


if __name__ == "__main__":
    main()
