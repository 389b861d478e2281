"""What can be said of a region of several pictures at once: numbers, and curves to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.measure import Picture, compare
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import frc_resolution
from napari_sofinet.metrics.profiles import fit_peaks, line_profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

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
        curves.append((number, name, found.radii, found.curve, found.kc, found.reason))
        if picture.halves is not None:
            rings = frc_resolution(*picture.halves)
            row = _length(name, "FRC odd/even frames", rings.resolution_px, picture, rings.reason)
            rows.append(row)

    def draw(axes: Axes) -> None:
        for number, name, radii, curve, kc, reason in curves:
            if not curve.any():
                continue
            axes.plot(radii, curve, color=colour(number), label=name)
            if not reason:
                axes.axvline(kc, color=colour(number), linestyle=":")
        axes.set(xlabel="frequency / Nyquist", ylabel="decorrelation", xlim=(0, 1), ylim=(0, None))

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
            rows.append(_length(name, what, width, picture, found.reason))
        if len(found.centers) == 2:
            apart = found.centers[1] - found.centers[0]
            rows.append(_length(name, "distance", apart, picture, None))
            assert found.dip is not None
            rows.append(Row(name, "dip", 100 * found.dip, "%"))
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

    return Findings(tuple(rows), draw)


def trace_of(traces: dict[str, tuple[np.ndarray, float | None]]) -> Findings:
    """Mean brightness of a box over time; each trace (T,) with its frame interval in s."""
    rows = []
    for name, (trace, _interval) in traces.items():
        mean = float(trace.mean())
        rows.append(Row(name, "mean", mean, "counts"))
        rows.append(Row(name, "fluctuation", 100 * float(trace.std() / max(abs(mean), 1e-12)), "%"))
        fifth = max(len(trace) // 5, 1)
        loss = 1 - trace[-fifth:].mean() / max(trace[:fifth].mean(), 1e-12)
        rows.append(Row(name, "loss, last against first fifth", 100 * float(loss), "%"))

    def draw(axes: Axes) -> None:
        in_s = all(interval is not None for _, interval in traces.values())
        for number, (name, (trace, interval)) in enumerate(traces.items()):
            time = np.arange(len(trace)) * ((interval or 1.0) if in_s else 1.0)
            axes.plot(time, trace, color=colour(number), label=name, linewidth=0.8)
        axes.set(xlabel="time (s)" if in_s else "frame", ylabel="mean counts")

    return Findings(tuple(rows), draw)


def agreement_of(pictures: dict[str, tuple[Picture, Corners]], reference: str) -> Findings:
    """Agreement of all pictures with one of them in a box."""
    whole, box = pictures[reference]
    rows, bars = [], []
    for name, (picture, own_box) in pictures.items():
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
            Row(name, "RSE (SQUIRREL)", facts["rse"], "counts of the reference", warning),
            Row(name, "SSIM, fitted", facts["ssim_fitted"]),
        ]
        bars.append((name, facts["pearson"], facts["rsp"], facts["ssim_fitted"]))

    def draw(axes: Axes) -> None:
        for number, (name, *values) in enumerate(bars):
            at = np.arange(3) + 0.8 * (number - (len(bars) - 1) / 2) / max(len(bars), 1)
            axes.bar(at, values, 0.7 / len(bars), label=name, color=colour(number))
        axes.set_xticks(range(3), ["Pearson", "RSP", "SSIM"])
        axes.set(ylim=(min(0, *(v for _, *vs in bars for v in vs)) if bars else 0, 1))

    return Findings(tuple(rows), draw)


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
        return Row(name, quantity, px, "px", reason or "")
    return Row(name, quantity, 1000 * picture.pixel_um * px, "nm", reason or "")
