"""What can be said of a region of several pictures at once: numbers, and curves to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import frc_resolution
from napari_sofinet.metrics.profiles import fit_peaks, line_profile
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.scores import compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOO_NARROW = "A peak is narrower than a pixel: noise."
OF_ALL_COUNTS = "% of all counts, offset included"
Corners = tuple[tuple[float, float], tuple[float, float]]
"""Two opposite corners of a box, or the ends of a line: y, x in samples of a picture."""


@dataclass(frozen=True)
class Row:
    """One number of one picture; ``value`` is None where there is none, then ``note`` says why."""

    picture: str
    quantity: str
    value: float | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """Rows of a table, and how to draw the curves behind them."""

    rows: tuple[Row, ...]
    draw: Callable[[Axes], None] = field(repr=False)


def colour(number: int) -> str:
    """The same colour for a picture in every drawing."""
    return f"C{number % 10}"


def resolution_of(pictures: dict[str, tuple[Picture, Corners]]) -> Findings:
    """Resolution in a box by decorrelation, and by FRC of odd and even frames for movies."""
    rows, curves = [], []
    for number, (name, (whole, box)) in enumerate(pictures.items()):
        try:
            picture = whole.cut(samples(box, whole.image.shape))
        except InputError as error:
            rows.append(Row(name, "resolution", None, note=str(error)))
            continue
        found = decorrelation_resolution(picture.image)
        rows.append(_length(name, "decorrelation", found.resolution_px, picture, found.reason))
        curves.append((number, name, picture.pixel_um, found))
        if picture.halves is not None:
            rings = frc_resolution(*picture.halves)
            row = _length(name, "FRC odd/even frames", rings.resolution_px, picture, rings.reason)
            rows.append(row)

    def draw(axes: Axes) -> None:
        # One axis for samples of any size: a finer picture reaches further out.
        in_um = all(pixel_um is not None for _, _, pixel_um, _ in curves)
        for number, name, pixel_um, found in curves:
            if not found.curve.any():
                continue
            nyquist = 1 / (2 * pixel_um) if in_um and pixel_um else 0.5
            axes.plot(nyquist * found.radii, found.curve, color=colour(number), label=name)
            if not found.reason:
                axes.axvline(nyquist * found.kc, color=colour(number), linestyle=":")
        unit = "1/µm" if in_um else "1/sample"
        axes.set(xlabel=f"frequency ({unit})", ylabel="decorrelation", ylim=(0, None))
        axes.set_xlim(left=0)
        if not axes.lines:
            _say(axes, "No curve; the table says why.")

    return Findings(tuple(rows), draw)


def profiles_of(pictures: dict[str, tuple[Picture, Corners]], peaks: int = 1) -> Findings:
    """Profiles along a line with fitted Gaussians."""
    rows, curves = [], []
    for number, (name, (picture, (start, end))) in enumerate(pictures.items()):
        try:
            profile = line_profile(picture.image, start, end, width=3)
        except InputError as error:
            rows.append(Row(name, "FWHM", None, note=str(error)))
            continue
        found = fit_peaks(profile, peaks)
        if not found.fwhm:
            rows.append(Row(name, "FWHM", None, note=found.reason or ""))
        for k, width in enumerate(found.fwhm):
            what = "FWHM" if peaks == 1 else f"FWHM {k + 1}"
            reason = found.reason or (TOO_NARROW if width < 1 else None)
            rows.append(_length(name, what, width, picture, reason))
        if len(found.centers) == 2:
            apart = found.centers[1] - found.centers[0]
            reason = TOO_NARROW if min(found.fwhm) < 1 else None
            rows.append(_length(name, "distance", apart, picture, reason))
            assert found.dip is not None
            rows.append(Row(name, "dip", 100 * found.dip, "%", reason or ""))
        scale = 1.0 if picture.pixel_um is None else 1000 * picture.pixel_um
        unit = "px" if picture.pixel_um is None else "nm"
        curves.append((number, name, scale * profile.distance, profile.values, found.curve, unit))

    def draw(axes: Axes) -> None:
        for number, name, distance, values, fit, _unit in curves:
            low, span = values.min(), max(float(np.ptp(values)), 1e-12)
            axes.plot(distance, (values - low) / span, color=colour(number), label=name)
            axes.plot(distance, (fit - low) / span, ":", color=colour(number))
        units = {unit for *_, unit in curves}
        unit = units.pop() if len(units) == 1 else "px or nm"
        axes.set(xlabel=f"distance ({unit})", ylabel="brightness, 0 to 1")
        if not axes.lines:
            _say(axes, "No profile; the table says why.")

    return Findings(tuple(rows), draw)


def trace_of(
    traces: dict[str, tuple[np.ndarray, float | None]], pictures: Iterable[str] = ()
) -> Findings:
    """Mean brightness of a box over time; each trace (T,) with its frame interval in s.

    ``pictures``: names of all that are shown elsewhere, so that each keeps its colour.
    """
    rows = []
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*pictures, *traces]))}
    for name, (trace, _interval) in traces.items():
        mean = float(trace.mean())
        rows.append(Row(name, "mean", mean, "counts"))
        change = 100 * float(trace.std() / max(abs(mean), 1e-12))
        rows.append(Row(name, "fluctuation", change, OF_ALL_COUNTS))
        fifth = max(len(trace) // 5, 1)
        loss = 1 - trace[-fifth:].mean() / max(trace[:fifth].mean(), 1e-12)
        rows.append(Row(name, "loss, last against first fifth", 100 * float(loss), OF_ALL_COUNTS))

    def draw(axes: Axes) -> None:
        in_s = all(interval is not None for _, interval in traces.values())
        for name, (trace, interval) in traces.items():
            time = np.arange(len(trace)) * ((interval or 1.0) if in_s else 1.0)
            axes.plot(time, trace, color=colour(numbers[name]), label=name, linewidth=0.8)
        axes.set(xlabel="time (s)" if in_s else "frame", ylabel="mean counts")

    return Findings(tuple(rows), draw)


def agreement_of(pictures: dict[str, tuple[Picture, Corners]], reference: str) -> Findings:
    """Agreement of all pictures with one of them in a box."""
    whole, box = pictures[reference]
    rows, bars = [], []
    for number, (name, (picture, own_box)) in enumerate(pictures.items()):
        if name == reference:
            continue
        try:
            # The reference is cut generously: the picture's samples lie inside.
            facts = compare(
                picture.cut(samples(own_box, picture.image.shape)),
                whole.cut(samples(box, whole.image.shape, margin=1)),
                ("pearson", "squirrel", "ssim"),
            )
        except InputError as error:
            rows.append(Row(name, "agreement", None, note=str(error)))
            continue
        warning = facts.get("warning", "")
        rows += [
            Row(name, "Pearson", facts["pearson"]),
            Row(name, "RSP (SQUIRREL)", facts["rsp"], note=warning),
            Row(name, "RSE (SQUIRREL)", facts["rse"], "counts of the reference"),
            Row(name, "SSIM, fitted", facts["ssim_fitted"]),
        ]
        bars.append((number, name, (facts["pearson"], facts["rsp"], facts["ssim_fitted"])))

    def draw(axes: Axes) -> None:
        for place, (number, name, values) in enumerate(bars):
            at = np.arange(3) + 0.8 * (place - (len(bars) - 1) / 2) / len(bars)
            axes.bar(at, values, 0.7 / len(bars), label=name, color=colour(number))
        axes.set_xticks(range(3), ["Pearson", "RSP", "SSIM"])
        lowest = min((v for *_, values in bars for v in values), default=0.0)
        axes.set(ylim=(min(0.0, lowest), 1), xlabel=f"agreement with {shortened(reference, 30)}")
        if not bars:
            _say(axes, "Nothing to compare; the table says why.")

    return Findings(tuple(rows), draw)


def shortened(name: str, longest: int) -> str:
    """A name without its middle where it is too long to be drawn."""
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[len(name) - end :]}"


def _say(axes: Axes, sentence: str) -> None:
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", color="grey", fontsize=8)


def samples(
    box: Corners, shape: tuple[int, ...], margin: int = 0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Samples whose centres lie in a box, and ``margin`` more on every side, within the picture."""
    low, high = np.min(box, axis=0), np.max(box, axis=0)
    first = np.clip(np.ceil(low - 1e-6) - margin, 0, shape[:2]).astype(int)
    last = np.clip(np.floor(high + 1e-6) + 1 + margin, 0, shape[:2]).astype(int)
    return (int(first[0]), int(last[0])), (int(first[1]), int(last[1]))


def _length(
    name: str, quantity: str, px: float | None, picture: Picture, reason: str | None
) -> Row:
    if px is None or picture.pixel_um is None:
        return Row(name, quantity, px, "" if px is None else "px", reason or "")
    return Row(name, quantity, 1000 * picture.pixel_um * px, "nm", reason or "")
