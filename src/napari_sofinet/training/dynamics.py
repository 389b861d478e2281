"""Localisations of moving structures, made without a camera, with what was there.

After the simulation of A. Saguy et al., "DBlink", Nature Methods 20, 1939 (2023), which it widens:
any speed, rotation either way and about a point in the field, uncertainties of any size, emitters
that come back, and stretches of time with nothing before or after. Lengths are in samples of a
quarter of a camera pixel, times in windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.localization.events import LocalizationEvents
from napari_sofinet.networks.decay_maps import TIMES, decay_maps_at, window_map, with_prior
from napari_sofinet.networks.deepstorm import FINENESS
from napari_sofinet.training.data import Samples
from napari_sofinet.training.settings import DynamicsTrainingSettings

MARGIN_PX = 24
"""What is this far outside a crop may come in."""
STEP_PX = 0.25
"""Distance of the points that make a curve."""
MOST_LOCALIZATIONS = 60_000
MOST_FALSE = 3.0
"""Times as many false localisations as true ones."""
FILLED = 0.3
"""How often a sample of a filled shape blinks, compared to one of a line."""
REFERENCE = 128.0**2
"""Densities are told for the paper's field, of 128 x 128 samples."""


@dataclass(frozen=True)
class Structure:
    """What is there at the time of the picture.

    ``places`` (N, 2) y, x where emitters may sit, each as likely as the next, ``object`` (N,) what
    they belong to, ``amount`` how many samples of structure that is, ``picture`` (Y, X) bool,
    ``shine`` how often its samples blink compared to those of a filament. Of filled shapes,
    ``filled`` (M, 2) are samples that they cover, and ``filled_object`` (M,) which of them does.
    """

    places: np.ndarray
    object: np.ndarray
    amount: float
    picture: np.ndarray
    shine: float = 1.0
    filled: np.ndarray | None = None
    filled_object: np.ndarray | None = None


@dataclass(frozen=True)
class Events:
    """Localisations: ``time`` (N,) in windows after the picture's, ``y``, ``x`` (N,) in samples."""

    time: np.ndarray
    y: np.ndarray
    x: np.ndarray


def dynamics_samples(settings: DynamicsTrainingSettings, count: int, seed: int) -> Samples:
    """Draw decay maps (B, 15, 4Y, 4X) and pictures (B, 4Y, 4X), the same for the same seed.

    Half of the maps tell whether lines or filled shapes are to be expected.
    """
    side = FINENESS * settings.side_px
    maps = np.empty((count, 2 * len(TIMES) + 1, side, side), np.float32)
    pictures = np.empty((count, side, side), np.float32)
    for b in range(count):
        rng = np.random.default_rng([seed, b, 19])
        kind = _kind(settings, rng)
        structure = draw_structure(kind, settings, side, rng)
        before, after = _stretch(rng)
        move = Motion(side, settings.speed_max, rng)
        events = draw_events(structure, move, before, after, settings, side, rng)
        decayed = decay_maps_at(events.time, events.y, events.x, 0.0, side, side)
        maps[b] = with_prior(decayed, kind if rng.random() < 0.5 else "either")
        pictures[b] = structure.picture
    return Samples(torch.from_numpy(maps), torch.from_numpy(pictures), ())


def dynamics_sequences(settings: DynamicsTrainingSettings, count: int, seed: int) -> Samples:
    """Draw maps of consecutive windows and the structure in each, both (B, T, 4Y, 4X).

    The same seed gives the same ones. A picture shows the structure in the middle of its window.
    """
    side, windows = FINENESS * settings.side_px, settings.windows
    maps = np.empty((count, windows, side, side), np.float32)
    pictures = np.empty_like(maps)
    half = windows / 2
    for b in range(count):
        rng = np.random.default_rng([seed, b, 23])
        structure = draw_structure(_kind(settings, rng), settings, side, rng)
        move = Motion(side, settings.speed_max, rng)
        events = draw_events(structure, move, half, half, settings, side, rng)
        order = np.argsort(events.time)
        ones = np.ones(len(order), np.float32)
        blinks = LocalizationEvents(events.time[order], events.y[order], events.x[order], ones)
        for k in range(windows):
            inside = blinks.during(k - half, k + 1 - half)
            maps[b, k] = window_map(inside, side, side)
            pictures[b, k] = picture_at(structure, move, k + 0.5 - half, side)
    return Samples(torch.from_numpy(maps), torch.from_numpy(pictures), ())


def picture_at(structure: Structure, move: Motion, time: float, side: int) -> np.ndarray:
    """Where a structure (Y, X) is at another time, in windows: what ``picture`` is at time 0.

    Of filled shapes: samples of which they cover half or more.
    """
    if structure.filled is None or structure.filled_object is None:
        places, objects = structure.places, structure.object
        return drawn(move(places, objects, np.full(len(places), time)), side)
    parts = (np.argwhere(np.ones((3, 3))) - 1) / 3
    places = (structure.filled[:, None] + parts).reshape(-1, 2)
    objects = np.repeat(structure.filled_object, len(parts))
    at = np.round(move(places, objects, np.full(len(places), time))).astype(int)
    at = at[((at >= 0) & (at < side)).all(axis=1)]
    covered = np.bincount(at @ (side, 1), minlength=side**2)
    return (covered > len(parts) / 2).reshape(side, side)


def _kind(settings: DynamicsTrainingSettings, rng: np.random.Generator) -> str:
    if settings.structure != "both":
        return settings.structure
    return "filaments" if rng.random() < 0.55 else "mitochondria"


def draw_structure(
    kind: str, s: DynamicsTrainingSettings, side: int, rng: np.random.Generator
) -> Structure:
    """Filaments or mitochondria, sometimes nothing."""
    if rng.random() < 0.04:
        return Structure(np.zeros((0, 2)), np.zeros(0, int), 0.0, np.zeros((side, side), bool))
    if kind == "filaments":
        length = _log_uniform(rng, s.density_min, s.density_max)
        return filaments(side, length, rng)
    share = _log_uniform(rng, 0.01, 0.25)
    return mitochondria(side, share, rng)


def filaments(side: int, density: float, rng: np.random.Generator) -> Structure:
    """Curves of so many samples' length in 128 x 128 samples, 1 sample wide."""
    wide = side + 2 * MARGIN_PX
    wanted = density * wide**2 / REFERENCE * rng.uniform(0.6, 1.4)
    curves: list[np.ndarray] = []
    total = 0.0
    stiffness = _log_uniform(rng, 40, 1200)
    longest = _log_uniform(rng, 40, 600)
    heading = rng.uniform(0, np.pi) if rng.random() < 0.15 else None  # all of them alike
    while total < wanted and len(curves) < 100:
        curve = _curve(wide, longest * rng.uniform(0.5, 1), stiffness, heading, rng)
        if total + len(curve) * STEP_PX > 1.5 * wanted + 20 and curves:
            break
        curves.append(curve)
        if rng.random() < 0.08:  # a second one beside it
            curves.append(curve + rng.uniform(-5, 5, 2))
        total = STEP_PX * sum(map(len, curves))
    places = np.concatenate(curves) - MARGIN_PX
    objects = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    return Structure(places, objects, STEP_PX * len(places), drawn(places, side))


def drawn(points: np.ndarray, side: int) -> np.ndarray:
    """Samples (Y, X) whose centre lies within half a sample of a curve: as many as it is long."""
    points = points[((points > -2) & (points < side + 1)).all(axis=1)]
    out = np.zeros((side + 4, side + 4), bool)
    near = np.round(points).astype(int)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            at = near + np.array([dy, dx])
            hit = ((points - at) ** 2).sum(axis=1) <= 0.25
            out[at[hit, 0] + 2, at[hit, 1] + 2] = True
    return out[2:-2, 2:-2]


def mitochondria(side: int, share: float, rng: np.random.Generator) -> Structure:
    """Filled shapes that cover about such a share: bent tubes, spheres, and the paper's lobes."""
    from skimage.draw import polygon2mask

    wide = side + 2 * MARGIN_PX
    picture = np.zeros((wide, wide), bool)
    places, objects, filled, filled_objects = [], [], [], []
    # Light comes from all of a tube, or from its membrane, which is densest at the sides.
    membrane = rng.random() < 0.5
    for number in range(40):
        if picture.mean() >= share:
            break
        middle, radius = _shape(wide, rng)
        if radius is None:
            mask = polygon2mask(picture.shape, middle)
        else:
            mask = _tube(middle, radius, wide)
        if number and picture.mean() + mask.mean() > 2 * share:
            break
        inside = np.argwhere(mask)
        if not len(inside):
            continue
        count = 4 * len(inside)
        if membrane and radius is not None:
            made = _membrane(middle, radius, count, rng)
        else:
            made = inside[rng.integers(0, len(inside), count)] + rng.uniform(-0.5, 0.5, (count, 2))
        places.append(made)
        objects.append(np.full(count, number))
        filled.append(inside - MARGIN_PX)
        filled_objects.append(np.full(len(inside), number))
        picture |= mask
    crop = slice(MARGIN_PX, -MARGIN_PX)
    if not places:
        return Structure(np.zeros((0, 2)), np.zeros(0, int), 0.0, picture[crop, crop])
    return Structure(
        np.concatenate(places) - MARGIN_PX,
        np.concatenate(objects),
        float(picture.sum()),
        picture[crop, crop],
        FILLED,
        np.concatenate(filled),
        np.concatenate(filled_objects),
    )


def draw_events(
    structure: Structure,
    move: Motion,
    before: float,
    after: float,
    s: DynamicsTrainingSettings,
    side: int,
    rng: np.random.Generator,
) -> Events:
    """When and where the structure's emitters, and some false ones, are found.

    From so many windows before time 0 to so many after it.
    """
    error = rng.uniform(s.error_min, s.error_max)
    times, places = [np.zeros(0)], [np.zeros((0, 2))]
    if len(structure.places):
        rate = structure.shine * _log_uniform(rng, s.blinks_min, s.blinks_max)
        expected = min(rate * structure.amount * (before + after), MOST_LOCALIZATIONS)
        frames = float(rng.choice([1.0, rng.uniform(1, 8)]))  # that an emitter stays on
        chosen = _emitters(structure, rng.poisson(expected / frames), rng)
        begins = _when(len(chosen), before, after, rng)
        lasts = rng.geometric(1 / frames, len(chosen))
        chosen, time = np.repeat(chosen, lasts), np.repeat(begins, lasts)
        time = time + 0.1 * _count_up(lasts)
        at = move(structure.places[chosen], structure.object[chosen], time)
        if rng.random() < 0.25:  # as in the paper
            at = np.round(at) + rng.integers(-1, 2, at.shape)
        else:
            own = error * rng.lognormal(-0.05, 0.3, len(at))
            at = at + rng.normal(size=at.shape) * own[:, None]
        times.append(time)
        places.append(at)
        if rng.random() < 0.6:  # false ones near true ones
            near = np.flatnonzero(rng.random(len(at)) < rng.uniform(0, s.scattered_max))
            near = np.repeat(near, rng.integers(1, 8, len(near)))
            times.append(time[near])
            places.append(np.round(at[near] + rng.integers(-5, 6, (len(near), 2))))
    # Where nearly all are false nobody can learn anything.
    true = sum(map(len, times))
    most = MOST_FALSE * true if true else MOST_LOCALIZATIONS
    for time, at in _false(s, side, before, after, most, rng):
        times.append(time)
        places.append(at + rng.normal(0, error * rng.uniform(0.7, 2), at.shape))
    time, at = np.concatenate(times), np.concatenate(places)
    seen = (time >= -before) & (time <= after)
    return Events(time[seen], at[seen, 0], at[seen, 1])


def _false(
    s: DynamicsTrainingSettings,
    side: int,
    before: float,
    after: float,
    most: float,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Times (N,) and places (N, 2) of at most so many localisations that belong to nothing."""
    wide = side + 2 * MARGIN_PX
    length = before + after
    if rng.random() < 0.85:  # anywhere, for one frame or some
        rate = _log_uniform(rng, 3e-5, s.false_max)
        frames = float(rng.choice([1.0, rng.uniform(1, 12)]))
        count = rng.poisson(min(rate * length * wide**2, 0.7 * most) / frames)
        lasts = rng.geometric(1 / frames, count)
        time = np.repeat(rng.uniform(-before, after, count), lasts) + 0.1 * _count_up(lasts)
        yield time, np.repeat(_anywhere(count, wide, rng), lasts, axis=0)
    if rng.random() < 0.6:  # again and again at the same places
        count = rng.poisson(_log_uniform(rng, 0.3, 500) * (wide / 112) ** 2)
        again = rng.integers(2, int(_log_uniform(rng, 4, 80)), count)
        again = again[np.cumsum(again) <= max(0.5 * most, 80)]
        time = rng.uniform(-before, after, again.sum())
        yield time, np.repeat(_anywhere(len(again), wide, rng), again, axis=0)


def _anywhere(count: int, wide: int, rng: np.random.Generator) -> np.ndarray:
    """Places (count, 2) in the field, in part of the scenes more in some of its parts."""
    places = rng.uniform(0, wide, (count, 2))
    if rng.random() < 0.3:
        middle, width = rng.uniform(0, wide, 2), _log_uniform(rng, 8, 60)
        some = rng.random(count) < rng.random()
        places[some] = middle + rng.normal(0, width, (int(some.sum()), 2))
    return places - MARGIN_PX


class Motion:
    """Where what is at a place at time 0 is at other times: drift, turning, swaying, own ways."""

    def __init__(self, side: int, fastest: float, rng: np.random.Generator) -> None:
        def speed() -> float:
            return 0.0 if rng.random() < 0.25 else _log_uniform(rng, 0.002, fastest)

        self.centre = rng.uniform(-0.5, 1.5, 2) * side
        self.turn = speed() / 64 * rng.choice([-1, 1])  # as fast, 64 samples from the centre
        self.drift = speed() * _way(rng.uniform(0, 2 * np.pi))
        self.own = speed() / 2 if rng.random() < 0.3 else 0.0
        self.angle = rng.uniform(0, 2 * np.pi)
        self.sway = rng.uniform(0, 4) if rng.random() < 0.4 else 0.0
        self.period = _log_uniform(rng, 30, 400)
        # Slower ones of a large amplitude, so that swaying is no faster than all else.
        self.period = max(self.period, 2 * np.pi * self.sway / fastest)
        self.phase, self.wave = rng.uniform(0, 2 * np.pi, 3), _log_uniform(rng, 40, 250)

    def __call__(self, places: np.ndarray, objects: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Places (N, 2) at times (N,), in windows, of what belongs to numbered objects (N,)."""
        out = places + self.drift * time[:, None]
        if self.own:
            angles = self.angle + 2.4 * objects
            out = out + self.own * time[:, None] * np.stack([np.sin(angles), np.cos(angles)], 1)
        if self.sway:
            angle = self.phase[0] + 2 * np.pi / self.period * np.stack([0 * time, time])
            swing = self.sway * (np.sin(angle[1]) - np.sin(angle[0]))
            bend = np.sin(2 * np.pi / self.wave * places[:, ::-1] + self.phase[1:])
            out = out + swing[:, None] * bend
        if self.turn:
            cosine, sine = np.cos(self.turn * time), np.sin(self.turn * time)
            y, x = (out - self.centre).T
            out = self.centre + np.stack([y * cosine + x * sine, x * cosine - y * sine], axis=1)
        return np.asarray(out)


def _stretch(rng: np.random.Generator) -> tuple[float, float]:
    """Windows of the movie before and after the picture, no more than matters."""
    total = _log_uniform(rng, 20, 600)
    shares = rng.random(), rng.uniform(0.3, 0.7), 0.0, 1.0
    before = total * rng.choice(shares, p=[0.5, 0.4, 0.05, 0.05])
    return min(before, 4 * TIMES[-1]), min(total - before, 4 * TIMES[-1])


def _when(count: int, before: float, after: float, rng: np.random.Generator) -> np.ndarray:
    """Times (count,) of blinks: as many at any time, or fewer and fewer of a dye that bleaches."""
    share = rng.random(count)
    if rng.random() < 0.25:
        decay = rng.uniform(0.3, 3)
        share = -np.log1p(-share * (1 - np.exp(-decay))) / decay
    return np.asarray(share * (before + after) - before)


def _emitters(structure: Structure, count: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers (count,) of places that shine: any, or some again and again."""
    number = len(structure.places)
    if rng.random() < 0.4:
        return rng.integers(0, number, count)
    emitters = max(int(structure.amount * _log_uniform(rng, 0.3, 4)), 1)
    weights = rng.gamma(1 / rng.uniform(0.2, 1.5), size=emitters) + 1e-9
    some = rng.integers(0, number, emitters)
    return np.asarray(some[rng.choice(emitters, count, p=weights / weights.sum())])


def _count_up(lasts: np.ndarray) -> np.ndarray:
    """0, 1 ... n-1 for each n of ``lasts``, one after the other."""
    ends = np.cumsum(lasts)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lasts, lasts))


def _curve(
    wide: int, length: float, stiffness: float, heading: float | None, rng: np.random.Generator
) -> np.ndarray:
    """Points (N, 2) of a worm-like chain, ``STEP_PX`` apart, as far as it is in the field."""
    steps = max(int(length / STEP_PX), 8)
    turns = rng.normal(0, np.sqrt(2 * STEP_PX / stiffness), steps)
    start = rng.uniform(0, 2 * np.pi) if heading is None else heading + rng.normal(0, 0.15)
    angle = start + np.cumsum(turns)
    points = np.cumsum(STEP_PX * _way(angle), axis=0)
    # Any of its points is as likely to be the one that is somewhere in the field.
    points += rng.uniform(0, wide, 2) - points[rng.integers(0, steps)]
    inside = ((points >= 0) & (points < wide)).all(axis=1)
    return points[inside]


def _shape(wide: int, rng: np.random.Generator) -> tuple[np.ndarray, float | None]:
    """Middle line (N, 2) and radius of a tube, or corners (N, 2) of a shape and None."""
    kind = rng.choice(["tube", "sphere", "lobes"], p=[0.55, 0.1, 0.35])
    if kind == "lobes":
        corners = rng.integers(30, 50)
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        if rng.random() < 0.5:
            angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        lobe = rng.uniform(10, 18) * np.abs(np.sin(angle + rng.uniform(0, np.pi)) ** 20)
        radius = rng.integers(2, 6) + lobe
        return rng.uniform(0, wide, 2) + radius[:, None] * _way(angle), None
    if kind == "sphere":
        return rng.uniform(0, wide, (1, 2)), rng.uniform(3, 9)
    radius = rng.uniform(2, 9)
    return _curve(wide, rng.uniform(20, 160), _log_uniform(rng, 40, 400), None, rng), radius


def _tube(middle: np.ndarray, radius: float, wide: int) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    line = np.ones((wide, wide), bool)
    near = np.clip(np.round(middle).astype(int), 0, wide - 1)
    line[near[:, 0], near[:, 1]] = False
    return np.asarray(distance_transform_edt(line) <= radius)


def _membrane(
    middle: np.ndarray, radius: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Places (count, 2) on a tube's surface, or on a sphere's, as seen from above."""
    if len(middle) == 1:  # uniform in height, as on any sphere
        out = radius * np.sqrt(1 - rng.uniform(-1, 1, count) ** 2)
        return np.asarray(middle + out[:, None] * _way(rng.uniform(0, 2 * np.pi, count)))
    along = np.gradient(middle, axis=0)
    across = along[:, ::-1] * (1, -1) / np.linalg.norm(along, axis=1, keepdims=True)
    sideways = radius * np.sin(rng.uniform(0, 2 * np.pi, count))
    at = rng.integers(0, len(middle), count)
    return np.asarray(middle[at] + sideways[:, None] * across[at])


def _way(angle: float | np.ndarray) -> np.ndarray:
    """Unit vectors (..., 2) of y, x."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
