"""Varied movies for `choice.py` by a simulator of its own: plain numpy, none of the package's code.

48 x 48 px of 60 to 160 nm; PSFs of 200 to 350 nm; 10 to 1000 frames; 30 to 3000 photons; on for a
third of a frame to ten frames and off 8 to 1000 times as long, or switching every few frames
between two levels of which neither is dark; background from a twentieth of an emitter's peak to
five times as much; read noise of 1 to 2.5 electrons.

`varied_movie` draws from the structures of `other_movies.py`, a mesh and scattered clusters.
`held_out_movie` draws from `choice_structures.py`, with a halo around the PSF that holds up to 30 %
of its light; with artefacts it adds what real movies have: drift, haze that varies over the field,
and bleaching.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from choice_scores import TestMovie
from choice_structures import HELD_OUT
from other_movies import FIELD_NM, FWHM, STRUCTURES, shares_of_frames
from scipy.ndimage import gaussian_filter
from scipy.spatial import Voronoi
from scipy.special import erf

FIRST_SEED, FIRST_HELD_OUT, FIRST_ARTEFACT = 990_000, 995_000, 998_000
SIDE_PX, MARGIN_PX = 48, 3
OFFSET, COUNTS_PER_ELECTRON = 100, 2.0
FEWEST, MOST = 20, 12_000
"""Emitters in a field."""


Structure = Callable[[np.random.Generator], np.ndarray]
Kinds = Mapping[str, Structure]


def mesh(rng: np.random.Generator) -> np.ndarray:
    """Emitters on the walls between the nearest neighbourhoods of random points."""
    walls = Voronoi(rng.uniform(0, FIELD_NM, (rng.integers(60, 400), 2)))
    found = []
    for a, b in walls.ridge_vertices:
        if min(a, b) >= 0:
            start, end = walls.vertices[a], walls.vertices[b]
            count = rng.poisson(min(float(np.hypot(*(end - start))), FIELD_NM) / 10)
            found.append(start + rng.random((count, 1)) * (end - start))
    return np.concatenate(found)


def clusters(rng: np.random.Generator) -> np.ndarray:
    """Scattered clusters of one to thirty emitters, 10 to 80 nm wide."""
    found = []
    for _ in range(rng.integers(60, 1500)):
        at, width = rng.uniform(0, FIELD_NM, 2), rng.uniform(10, 80)
        found.append(at + rng.normal(0, width / FWHM, (rng.integers(1, 31), 2)))
    return np.concatenate(found)


KINDS = STRUCTURES | {"mesh": mesh, "clusters": clusters}


def varied_movie(number: int) -> TestMovie:
    """Draw the settings and the frames of one movie of those that weights are fitted to."""
    return _drawn(FIRST_SEED, number, KINDS)


def held_out_movie(number: int, artefacts: bool = False) -> TestMovie:
    """Draw the settings and the frames of one movie of those that only test the choice."""
    return _drawn(FIRST_ARTEFACT if artefacts else FIRST_HELD_OUT, number, HELD_OUT, 0.3, artefacts)


def _drawn(
    first: int, number: int, kinds: Kinds, most_halo: float = 0.0, artefacts: bool = False
) -> TestMovie:
    rng = np.random.default_rng([first, number])

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    kind = tuple(kinds)[number % len(kinds)]
    pixel_nm, psf_nm = between(60, 160), between(200, 350)
    frames, photons = round(between(10, 1000)), between(30, 3000)
    on, levels = between(0.3, 10), rng.random() < 0.15
    off = on * (between(1, 4) if levels else between(8, 1000))
    sigma = psf_nm / pixel_nm / FWHM
    at = emitters(rng, kinds[kind], pixel_nm, between(0.03, 1))
    each = photons * (1 + rng.uniform(0, 0.5) * rng.uniform(-1, 1, len(at)))
    lit = shares_of_frames(rng, len(at), frames, off, on)
    if levels:
        lit = 0.3 + 0.7 * lit
    path = np.zeros((frames, 2))
    haze = np.ones((SIDE_PX, SIDE_PX))
    fades = np.ones(frames)
    if artefacts:
        goal = rng.uniform(-3, 3, 2) if frames >= 150 else np.zeros(2)
        path = np.linspace(0, 1, frames)[:, None] * goal
        haze += gaussian_filter(rng.normal(0, 1, haze.shape), 8) * 8 * rng.uniform(0, 1)
        fades = 0.5 ** (np.arange(frames) / frames / between(0.5, 4))
    peak = photons / (1.133 * (sigma * FWHM) ** 2 + 1)
    background = peak / between(0.2, 20) * np.maximum(haze, 0.1)
    # Emitters bleach one by one, and the background as a whole.
    lit[rng.random(len(at))[:, None] > fades] = 0
    light = exposed(at, each[:, None] * lit, path, sigma)
    if most_halo:
        share = rng.uniform(0, most_halo)
        light = (1 - share) * light + share * exposed(at, each[:, None] * lit, path, 2.5 * sigma)
    light += fades[:, None, None] * background
    read = rng.uniform(1, 2.5)
    electrons = rng.poisson(light) + rng.normal(0, read, light.shape)
    counts = np.clip(np.round(COUNTS_PER_ELECTRON * electrons + OFFSET), 0, 65535)
    described = {
        "seed": str(first + number),
        "kind": kind,
        "frames": str(frames),
        "psf_px": f"{sigma * FWHM:.3f}",
        "photons": f"{photons:.4g}",
        "on_frames": f"{on:.3g}",
        "off_frames": f"{off:.4g}",
        "background": f"{background.mean():.4g}",
    }
    some = at[rng.integers(0, len(at), 400)]
    near = ((at[:, None] - some) ** 2).sum(axis=-1) < (sigma * FWHM / 2) ** 2
    overlap = float(near.sum(axis=0).mean() * (lit > 0).mean())

    def truth(samples: np.ndarray, width: float) -> np.ndarray:
        spread = sigma * width
        y, x = (np.exp(-0.5 * ((samples - p[:, None]) / spread) ** 2) for p in at.T)
        return np.asarray(y.T @ (x * each[:, None]))

    return TestMovie(counts.astype(np.uint16), sigma * FWHM, overlap, described, truth)


def emitters(
    rng: np.random.Generator, structure: Structure, pixel_nm: float, kept: float
) -> np.ndarray:
    """Places (N, 2) in camera px of a share of a structure's emitters, in a part of its field."""
    at = np.zeros((0, 2))
    while len(at) < FEWEST:
        whole = structure(rng)
        side = SIDE_PX * pixel_nm
        at = (whole - rng.uniform(0, FIELD_NM - side, 2)) / pixel_nm - 0.5
        at = at[((at > -MARGIN_PX) & (at < SIDE_PX + MARGIN_PX - 1)).all(axis=1)]
        at = at[rng.random(len(at)) < max(kept, 2 * FEWEST / max(len(at), 1))]
    return at[rng.permutation(len(at))[:MOST]]


def exposed(at: np.ndarray, photons: np.ndarray, path: np.ndarray, sigma: float) -> np.ndarray:
    """Light (T, Y, X) of emitters with photons (N, T) that move along a path (T, 2) in px."""
    edges = np.arange(SIDE_PX + 1) - 0.5
    light = np.empty((photons.shape[1], SIDE_PX, SIDE_PX))
    for t, moved in enumerate(path):
        on = photons[:, t] > 0
        y, x = (
            0.5 * np.diff(erf((edges - (at[on, axis] + moved[axis])[:, None]) / (2**0.5 * sigma)))
            for axis in (0, 1)
        )
        light[t] = (y * photons[on, t, None]).T @ x
    return light
