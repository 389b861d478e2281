"""Names of files in a folder: their order in time, and their channel, plane or position."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

WORDS = {
    "channel": ("channel", "chan", "ch", "wavelength", "wave"),
    "z": ("slice", "plane", "zplane", "depth"),
    "position": (
        "position",
        "pos",
        "stage",
        "field",
        "fov",
        "site",
        "series",
        "well",
        "point",
        "row",
        "col",
    ),
}
LETTERS = {"channel": "cw", "z": "z", "position": "spf"}
"""Labels that mean something only beside another number that counts: f0001 may be a frame."""
TIME = "t", "time", "timepoint", "frame", "sk"
LABEL = re.compile(r"(?<![a-z])([a-z]+)[ _\-=]?$")
NUMBER = re.compile(r"\d+")
Group = tuple[str, tuple[str, ...]]
"""A pattern of names, and the names."""
PARTS_AT_MOST = 20
"""Numbered files beside which mov.tif is the first part of a movie, and no picture made from it."""


def natural(text: str) -> list[str | int]:
    """Return a key that sorts frame2 before frame10.

    Examples
    --------
    >>> sorted(["frame10", "frame2"], key=natural)
    ['frame2', 'frame10']
    """
    parts = re.split(r"(\d+)", text)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def stem_of(name: str) -> str:
    """Return a file's name without its ending.

    Examples
    --------
    >>> stem_of("cell_1.ome.tif")
    'cell_1'
    """
    return re.sub(r"(\.ome)?\.(tiff?|stk)$", "", name, flags=re.IGNORECASE)


class Name(NamedTuple):
    """A file's name: its texts, its numbers as written, and the label of each number."""

    name: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers; letters after a MetaMorph wavelength (w1GFP) do not belong to it."""
        return tuple(int(NUMBER.match(n)[0]) for n in self.numbers)  # type: ignore[index]


def parse(name: str) -> Name:
    """Divide a name into texts and numbers.

    Examples
    --------
    >>> parse("exp_w1GFP_t20.TIF")[1:]
    (('exp_w', '_t', ''), ('1GFP', '20'), ('w', 't'))
    """
    stem = stem_of(name)
    texts: list[str] = []
    numbers: list[str] = []
    labels: list[str] = []
    end = 0
    for match in NUMBER.finditer(stem):
        if match.start() < end:
            continue
        text = stem[end : match.start()]
        label = LABEL.search(text.lower())
        # A single letter belongs to a number only without anything between them, or with "=".
        close = label and (len(label[1]) > 1 or text[-1:].isalpha() or text.endswith("="))
        word = label[1] if label and close else ""
        if word == "c" and labels and labels[-1] == "r":
            word = "col"  # of a well plate: r01c02
        stop = match.end()
        if word == "w":
            after = re.match(r"[A-Za-z][^_]*", stem[stop:])
            stop += len(after[0]) if after else 0
        texts.append(text)
        numbers.append(stem[match.start() : stop])
        labels.append(word)
        end = stop
    return Name(name, (*texts, stem[end:]), tuple(numbers), tuple(labels))


@dataclass(frozen=True)
class Series:
    """Files of a folder that are numbered in time.

    Parameters
    ----------
    names : dict of (channel, z) to tuple of str
        Names of the files in their order in time, by number of channel and plane.
    channels, planes : tuple of str
        Text for each channel and plane in the names; one empty text if there is none.
    odd : tuple of str
        Names that do not fit the numbering of the others.
    groups : tuple of (str, tuple of str)
        Patterns of names, and the names, where there are several series.
    gaps : tuple of str
        Numbers that are missing, e.g. ``"50 to 59"``.
    uncounted : bool
        Whether the names have no number that increases.
    partial : tuple of str
        Names of time points that not every channel and plane has.
    depth : bool
        Whether the increasing number is labelled as that of a plane.
    """

    names: dict[tuple[int, int], tuple[str, ...]]
    channels: tuple[str, ...] = ("",)
    planes: tuple[str, ...] = ("",)
    odd: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    gaps: tuple[str, ...] = ()
    uncounted: bool = False
    partial: tuple[str, ...] = ()
    depth: bool = False


def series_of(names: Sequence[str]) -> Series:
    """Interpret the names of files in a folder.

    Parameters
    ----------
    names : sequence of str
        Names without their folder.

    Examples
    --------
    >>> found = series_of(["a_ch0_t1.tif", "a_ch1_t1.tif", "a_ch0_t2.tif", "a_ch1_t2.tif"])
    >>> found.channels, found.names[1, 0]
    (('ch0', 'ch1'), ('a_ch1_t1.tif', 'a_ch1_t2.tif'))
    >>> series_of(["f1.tif", "f2.tif", "f4.tif", "AVG_f.tif"]).odd
    ('AVG_f.tif',)
    """
    parsed = [parse(name) for name in sorted(names, key=lambda n: natural(stem_of(n)))]
    families = _families(parsed)
    main = families[0]
    odd = [p.name for family in families[1:] for p in family if _is_odd(family, main)]
    others = [family for family in families[1:] if not _is_odd(family, main)]
    if len(main) == 1 and others:
        return Series({(0, 0): tuple(p.name for p in parsed)}, uncounted=True)
    if others:
        groups = tuple(_group(f, _varying(f)) for f in (main, *others))
        every = [p for p in parsed if p.name not in odd]
        return Series({(0, 0): tuple(p.name for p in every)}, odd=tuple(odd), groups=groups)
    return _by_numbers(main, tuple(odd))


def _families(parsed: list[Name]) -> list[list[Name]]:
    """Names with the same texts, the largest family first; mov.tif is one with mov_1.tif."""
    found: dict[tuple[str, ...], list[Name]] = defaultdict(list)
    for one in parsed:
        # Of a hyphen before a number only the first few frames may have one: z-1, z0, z1.
        found[tuple(text.lower().rstrip("-") for text in one.texts)].append(one)
    for texts in [key for key, family in found.items() if len(family) == 1]:
        base = found[texts][0]
        for other, family in found.items():
            if len(family) > PARTS_AT_MOST:
                continue
            longer = len(other) == len(texts) + 1 and other[-1] in ("", ")")
            if longer and other[:-2] == texts[:-1] and other[-2].rstrip(" _-.(@x") == texts[-1]:
                alike = [p for p in family if p.numbers[:-1] == base.numbers]
                if alike:
                    first = base._replace(numbers=(*base.numbers, "0"), labels=alike[0].labels)
                    found[other] = [first, *family]
                    del found[texts]
                    break
    signed = (f for f in found.values() if len({p.texts for p in f}) > 1)
    for family in signed:
        family.sort(key=lambda p: [-v if t.endswith("-") else v for t, v in _signed(p)])
    return sorted(found.values(), key=len, reverse=True)


def _signed(name: Name) -> Iterable[tuple[str, int]]:
    return zip(name.texts, name.values, strict=False)


def _is_odd(family: list[Name], main: list[Name]) -> bool:
    return len(main) > 1 and (len(family) == 1 or 4 * len(family) <= len(main))


def pattern(name: Name, stars: Iterable[int]) -> str:
    """Return a name with stars instead of some of its numbers.

    Examples
    --------
    >>> pattern(parse("cell_s2_t017.tif"), [1])
    'cell_s2_t*.tif'
    """
    stars = set(stars)
    numbers = ["*" if k in stars else number for k, number in enumerate(name.numbers)]
    stem = "".join(text + number for text, number in zip(name.texts, (*numbers, ""), strict=True))
    return stem + name.name[len(stem_of(name.name)) :]


def _varying(family: Sequence[Name]) -> list[int]:
    """Numbers that are not the same in all names."""
    columns = range(len(family[0].numbers))
    return [k for k in columns if len({p.numbers[k] for p in family}) > 1]


def _by_numbers(family: list[Name], odd: tuple[str, ...]) -> Series:
    """Divide names with the same texts into channels, planes, positions and time."""
    varying = _varying(family)
    kinds = {k: _kind(family, k, varying) for k in varying}
    rest = [k for k in varying if not kinds[k]]
    unlabelled = [k for k in rest if family[0].labels[k] not in TIME]
    kinds |= {k: "position" for k in unlabelled if len(rest) > 1 and _restarts(family, k, rest)}
    if varying and all(kinds.values()):
        last = varying[-1]  # one of them must count
        if kinds[last] == "position" and len(varying) > 1:
            kinds[last] = ""
    groups = _groups(family, tuple(k for k in varying if kinds[k] == "position"))
    channels, planes = (
        sorted({tuple(p.numbers[k] for k in varying if kinds[k] == kind) for p in family}, key=_key)
        for kind in ("channel", "z")
    )
    names: dict[tuple[int, int], list[Name]] = defaultdict(list)
    for p in family:
        c, z = (
            found.index(tuple(p.numbers[k] for k in varying if kinds[k] == kind))
            for found, kind in ((channels, "channel"), (planes, "z"))
        )
        names[c, z].append(p)
    time = [k for k in varying if not kinds[k]]
    partial = () if groups else _take_partial(names, time)
    return Series(
        {key: tuple(p.name for p in found) for key, found in names.items()},
        _labelled(family, varying, kinds, "channel", channels),
        _labelled(family, varying, kinds, "z", planes),
        odd,
        groups,
        () if groups else _gaps_in_time(names[min(names)], time),
        partial=partial,
        depth=len(time) == 1 and _is_z(family[0].labels[time[0]]),
    )


def _is_z(label: str) -> bool:
    return label in WORDS["z"] or label == LETTERS["z"]


def _take_partial(names: dict[tuple[int, int], list[Name]], time: list[int]) -> tuple[str, ...]:
    """Take away names of time points that not every channel and plane has, and return them."""
    times = {
        key: [tuple(p.numbers[k] for k in time) for p in found] for key, found in names.items()
    }
    common = set.intersection(*map(set, times.values()))
    if not common:  # as of moments in time, which are never the same
        return ()
    partial = []
    for key, found in names.items():
        there = [moment in common for moment in times[key]]
        partial += [p.name for p, kept in zip(found, there, strict=True) if not kept]
        names[key] = [p for p, kept in zip(found, there, strict=True) if kept]
    return tuple(partial)


def _kind(family: list[Name], column: int, varying: list[int]) -> str:
    """Return the axis that a label names; "" for time and without a label."""
    labels = {p.labels[column] for p in family}
    label = next(iter(labels)) if len(labels) == 1 else ""
    for kind, words in WORDS.items():
        if label in words:
            return kind if len(varying) > 1 or kind != "z" else ""
    if label == "w" and not all(p.numbers[column].isdecimal() for p in family):
        return "channel"  # w1GFP, w2RFP
    for kind, letters in LETTERS.items():
        if label and label in letters and len(varying) > 1:
            timed = any(family[0].labels[k] in TIME for k in varying)
            return kind if timed or _restarts(family, column, varying) else ""
    return ""


def _restarts(family: list[Name], column: int, varying: list[int]) -> bool:
    """Whether the other numbers are the same again for each value of a number."""
    others: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for p in family:
        others[p.numbers[column]].add(tuple(p.numbers[k] for k in varying if k != column))
    union = set().union(*others.values())
    mean = sum(map(len, others.values())) / len(others)
    # Of two numbers that restart for each other, the one with fewer values is no time.
    fewest = all(len(others) <= len({p.numbers[k] for p in family}) for k in varying)
    return fewest and mean >= 0.6 * len(union)


def _key(numbers: tuple[str, ...]) -> list[str | int]:
    return natural("_".join(numbers))


def _group(family: list[Name], stars: Iterable[int]) -> Group:
    return pattern(family[0], stars), tuple(p.name for p in family)


def _groups(family: list[Name], columns: tuple[int, ...]) -> tuple[Group, ...]:
    """Patterns and sizes of series that differ in some numbers."""
    found: dict[tuple[str, ...], list[Name]] = defaultdict(list)
    for p in family:
        found[tuple(p.numbers[k] for k in columns)].append(p)
    if len(found) < 2:
        return ()
    stars = set(_varying(family)) - set(columns)
    return tuple(_group(group, stars) for group in found.values())


def _labelled(
    family: list[Name],
    varying: list[int],
    kinds: dict[int, str],
    kind: str,
    found: list[tuple[str, ...]],
) -> tuple[str, ...]:
    """Channels or planes as names show them, e.g. ``ch0``."""
    columns = [k for k in varying if kinds[k] == kind]
    labels = [family[0].labels[k] for k in columns]
    return tuple(
        " ".join(label + number for label, number in zip(labels, numbers, strict=True))
        for numbers in found
    )


def _gaps_in_time(family: list[Name], columns: list[int]) -> tuple[str, ...]:
    """Numbers that are missing; of several that grow with time, of the one that counts."""
    for k in columns:
        numbers = [p.values[k] for p in family]
        if len(set(numbers)) == len(numbers):
            return _gaps(numbers)
    return ()


def _gaps(numbers: list[int]) -> tuple[str, ...]:
    """Numbers that are missing where most follow each other in equal steps.

    Examples
    --------
    >>> _gaps([1, 2, 3, 6, 7])
    ('4 to 5',)
    """
    steps = [b - a for a, b in pairwise(numbers)]
    if len(steps) < 2 or min(steps) < 1:
        return ()
    step, count = Counter(steps).most_common(1)[0]
    if count < 0.5 * len(steps):
        return ()
    return tuple(
        f"{a + step} to {b - step}" if b - a > 2 * step else f"{a + step}"
        for a, b in pairwise(numbers)
        if b - a > step
    )
