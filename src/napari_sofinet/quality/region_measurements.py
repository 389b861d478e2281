"""Measurements of a region of several pictures: numbers for a table, and curves to draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.metrics.decorrelation import decorrelation_resolution
from napari_sofinet.metrics.frc import frc_resolution
from napari_sofinet.metrics.profiles import PeakFit, fit_peaks, line_profile
from napari_sofinet.quality.cautions import limit_caution
from napari_sofinet.quality.drawing import Axes, color_of, shortened, write_message
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.scores import compare

TOO_NARROW = "narrower than two pixels: limited by the pixel size"
NARROWEST_PX = 2.0
OF_COUNTS = "% of the counts, camera offset included"
LINE_WIDTH = 3  # samples across a line that are averaged
COLUMNS = ("layer", "quantity", "value", "unit", "note")
Corners = tuple[tuple[float, float], tuple[float, float]]
"""Two opposite corners of a box, or the ends of a line: y, x in samples of a picture."""


@dataclass(frozen=True)
class Row:
    """One number of one picture.

    Attributes
    ----------
    picture : str
        Name of the picture.
    quantity : str
        Name of the number.
    value : float or None
        The number; None if it could not be determined.
    unit : str
        Unit of ``value``.
    note : str
        Warning, or the reason why there is no value.
    """

    picture: str
    quantity: str
    value: float | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """Result of a measurement.

    Attributes
    ----------
    rows : tuple of Row
        Rows of a table.
    draw : callable
        Function that draws the curves behind the numbers on matplotlib axes.
    """

    rows: tuple[Row, ...]
    draw: Callable[[Axes], None] = field(repr=False)


def rows_as_csv(rows: Iterable[Row]) -> str:
    """Return rows as text with commas.

    Parameters
    ----------
    rows : iterable of Row
        Rows of `Findings`.

    Returns
    -------
    str
        A header, and lines with the columns layer, quantity, value, unit and note. Values have full
        precision; missing values are empty.

    Examples
    --------
    >>> rows_as_csv([Row("cell", "FWHM", 210.5, "nm")]).splitlines()[1]
    'cell,FWHM,210.5,nm,'
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        value = "" if row.value is None else repr(row.value)
        writer.writerow([row.picture, row.quantity, value, row.unit, row.note])
    return text.getvalue()


def resolution_of(pictures: dict[str, tuple[Picture, Corners]]) -> Findings:
    """Measure the resolution in a box by decorrelation, for movies also by FRC.

    Parameters
    ----------
    pictures : dict of str to (Picture, Corners)
        Pictures by name, each with two corners of the box in its samples.

    Returns
    -------
    Findings
        Resolutions in nm, or in samples if the size of a sample is unknown. FRC compares the means
        of odd and even frames. The curves show decorrelation over spatial frequency.
    """
    rows, curves = [], []
    for number, (name, (whole, box)) in enumerate(pictures.items()):
        try:
            picture = whole.cut(samples(box, whole.image.shape))
        except InputError as error:
            rows.append(Row(name, "resolution", None, note=str(error)))
            continue
        found = decorrelation_resolution(picture.image)
        note = found.reason or limit_caution(found.resolution_px)
        rows.append(_length(name, "decorrelation", found.resolution_px, picture, note))
        curves.append((number, name, picture.pixel_um, found))
        if picture.halves is not None:
            rings = frc_resolution(*picture.halves)
            px, note = rings.resolution_px, rings.reason or limit_caution(rings.resolution_px)
            rows.append(_length(name, "FRC odd/even frames", px, picture, note))

    def draw(axes: Axes) -> None:
        # One axis for samples of any size, so that finer pictures reach higher frequencies.
        in_um = all(pixel_um is not None for _, _, pixel_um, _ in curves)
        dotted = False
        for number, name, pixel_um, found in curves:
            if not found.curve.any():
                continue
            nyquist = 1 / (2 * pixel_um) if in_um and pixel_um else 0.5
            axes.plot(nyquist * found.radii, found.curve, color=color_of(number), label=name)
            if not found.reason:
                axes.axvline(nyquist * found.kc, color=color_of(number), linestyle=":")
                dotted = True
        unit = "1/µm" if in_um else "1/sample"
        axes.set(xlabel=f"frequency ({unit})", ylabel="decorrelation", ylim=(0, None))
        axes.set_xlim(left=0)
        if dotted:
            axes.plot([], [], ":", color="grey", label="dotted: finest detail")
        if not axes.lines:
            write_message(axes, "No curve; see the table.")

    return Findings(tuple(rows), draw)


def profiles_of(pictures: dict[str, tuple[Picture, Corners]], peaks: int = 1) -> Findings:
    """Measure brightness along a line and fit Gaussian peaks to it.

    Parameters
    ----------
    pictures : dict of str to (Picture, Corners)
        Pictures by name, each with the ends of the line in its samples.
    peaks : int, optional
        Number of peaks to fit, 1 or 2.

    Returns
    -------
    Findings
        Full widths at half maximum in nm or samples; with two peaks also their distance, and the
        dip between them in percent. The curves show the profiles and the fits.
    """
    rows, curves = [], []
    for number, (name, (picture, (start, end))) in enumerate(pictures.items()):
        try:
            profile = line_profile(picture.image, start, end, width=LINE_WIDTH)
        except InputError as error:
            rows.append(Row(name, "FWHM", None, note=str(error)))
            continue
        found = fit_peaks(profile, peaks)
        if not found.fwhm:
            rows.append(Row(name, "FWHM", None, note=found.reason or ""))
        for k, width in enumerate(found.fwhm):
            what = "FWHM" if peaks == 1 else f"FWHM {k + 1}"
            reason = found.reason or (TOO_NARROW if width < NARROWEST_PX else _goodness(found))
            rows.append(_length(name, what, width, picture, reason))
        if len(found.centers) == 2:
            apart = found.centers[1] - found.centers[0]
            reason = found.reason or (TOO_NARROW if apart < NARROWEST_PX else None)
            rows.append(_length(name, "distance", apart, picture, reason))
            assert found.dip is not None
            rows.append(Row(name, "dip", 100 * found.dip, "%", reason or ""))
        scale = 1.0 if picture.pixel_um is None else 1000 * picture.pixel_um
        unit = "px" if picture.pixel_um is None else "nm"
        curves.append((number, name, scale * profile.distance, profile.values, found.curve, unit))

    def draw(axes: Axes) -> None:
        for number, name, distance, values, fit, _unit in curves:
            low, span = values.min(), max(float(np.ptp(values)), 1e-12)
            axes.plot(distance, (values - low) / span, color=color_of(number), label=name)
            axes.plot(distance, (fit - low) / span, ":", color=color_of(number))
        if any(np.isfinite(fit).any() for *_, fit, _unit in curves):
            axes.plot([], [], ":", color="grey", label="dotted: Gaussian fit")
        units = {unit for *_, unit in curves}
        unit = units.pop() if len(units) == 1 else "px or nm"
        axes.set(xlabel=f"distance ({unit})", ylabel="brightness, 0 to 1")
        if not axes.lines:
            write_message(axes, "No profile; see the table.")

    return Findings(tuple(rows), draw)


def mean_trace(movie: Movie, box: Corners) -> np.ndarray:
    """Return the mean brightness of a box in each frame of a movie.

    Parameters
    ----------
    movie : Movie
        Movie that is read block by block.
    box : Corners
        Two opposite corners (y, x) in camera pixels.

    Returns
    -------
    ndarray
        Mean of the pixels (T,) in counts, float64.

    Raises
    ------
    InputError
        If there is no pixel of the movie in the box.
    """
    part = movie.select(roi=samples(box, movie.shape[1:]))
    means = [block.mean(axis=(1, 2), dtype=np.float64) for block in time_blocks(part)]
    return np.concatenate(means)


def trace_of(
    traces: dict[str, tuple[np.ndarray, float | None]], pictures: Iterable[str] = ()
) -> Findings:
    """Describe how the mean brightness of a box changes over time.

    Parameters
    ----------
    traces : dict of str to (ndarray, float or None)
        Mean brightness of each frame (T,) in counts, from `mean_trace`, and the time from frame to
        frame in s if it is known, by the name of the movie.
    pictures : iterable of str, optional
        Names of all pictures of the other drawings, so that each movie keeps its color.

    Returns
    -------
    Findings
        Mean, fluctuation (standard deviation) and change from the first to the last fifth of the
        frames, below 0 if the brightness fell. The curves show brightness over time.
    """
    rows = []
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*pictures, *traces]))}
    for name, (trace, _interval) in traces.items():
        mean = float(trace.mean())
        rows.append(Row(name, "mean", mean, "counts"))
        change = 100 * float(trace.std() / max(abs(mean), 1e-12))
        rows.append(Row(name, "fluctuation", change, OF_COUNTS))
        fifth = max(len(trace) // 5, 1)
        gain = 100 * float(trace[-fifth:].mean() / max(trace[:fifth].mean(), 1e-12) - 1)
        note = _change(gain, trace, fifth)
        rows.append(Row(name, "change, start to end", gain, OF_COUNTS, note))

    def draw(axes: Axes) -> None:
        in_s = all(interval is not None for _, interval in traces.values())
        for name, (trace, interval) in traces.items():
            time = np.arange(len(trace)) * ((interval or 1.0) if in_s else 1.0)
            axes.plot(time, trace, color=color_of(numbers[name]), label=name, linewidth=0.8)
        axes.set(xlabel="time (s)" if in_s else "frame", ylabel="mean counts")

    return Findings(tuple(rows), draw)


def _change(gain: float, trace: np.ndarray, fifth: int) -> str:
    """Return in words how the brightness changes, unless it is less than noise."""
    error = (
        100
        * float(
            np.hypot(
                *(part.std() / max(np.sqrt(fifth), 1) for part in (trace[:fifth], trace[-fifth:]))
            )
        )
        / max(abs(float(trace.mean())), 1e-12)
    )
    if abs(gain) <= 2 * error:
        word = "no change beyond noise"
    else:
        word = "darker than at the start" if gain < 0 else "brighter than at the start"
    return f"{word} (first and last fifth of the frames)"


def _goodness(found: PeakFit) -> str | None:
    return None if found.r2 is None else f"fit with R² {found.r2:.2f}"


def agreement_of(pictures: dict[str, tuple[Picture, Corners]], reference: str) -> Findings:
    """Compare all pictures with one of them in a box.

    Parameters
    ----------
    pictures : dict of str to (Picture, Corners)
        Pictures by name, each with two corners of the box in its samples.
    reference : str
        Name of the picture that the others are compared with.

    Returns
    -------
    Findings
        Pearson correlation, RSP and RSE of SQUIRREL and SSIM of each picture. The bars show the
        three of them that are at most 1.
    """
    whole, box = pictures[reference]
    rows, bars = [], []
    for number, (name, (picture, own_box)) in enumerate(pictures.items()):
        if name == reference:
            continue
        try:
            # The reference gets a margin, so that all samples of the picture lie inside it.
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
            Row(name, "RSE (SQUIRREL)", facts["rse"], _unit_of(whole)),
            Row(name, "SSIM, fitted", facts["ssim_fitted"]),
        ]
        bars.append((number, name, (facts["pearson"], facts["rsp"], facts["ssim_fitted"])))

    def draw(axes: Axes) -> None:
        for place, (number, name, values) in enumerate(bars):
            at = np.arange(3) + 0.8 * (place - (len(bars) - 1) / 2) / len(bars)
            axes.bar(at, values, 0.7 / len(bars), label=name, color=color_of(number))
        axes.set_xticks(range(3), ["Pearson", "RSP", "SSIM"])
        lowest = min((v for *_, values in bars for v in values), default=0.0)
        axes.set(ylim=(min(0.0, lowest), 1), xlabel=f"agreement with {shortened(reference, 30)}")
        if not bars:
            write_message(axes, "See the table." if rows else "Tick a layer besides the reference.")

    return Findings(tuple(rows), draw)


def _unit_of(picture: Picture) -> str:
    return "counts" if picture.wide_field else "units of the reference"


def samples(
    box: Corners, shape: tuple[int, ...], margin: int = 0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the samples of a picture whose centers lie in a box.

    Parameters
    ----------
    box : Corners
        Two opposite corners (y, x) in samples of the picture.
    shape : tuple of int
        Shape of the picture (Y, X).
    margin : int, optional
        Number of samples to add on every side.

    Returns
    -------
    rows, columns : tuple of int
        First sample and the one behind the last, cut off at the edges of the picture.

    Examples
    --------
    >>> samples(((1.5, 2.0), (4.2, 9.9)), (100, 8))
    ((2, 5), (2, 8))
    """
    low, high = np.min(box, axis=0), np.max(box, axis=0)
    first = np.clip(np.ceil(low - 1e-6) - margin, 0, shape[:2]).astype(int)
    last = np.clip(np.floor(high + 1e-6) + 1 + margin, 0, shape[:2]).astype(int)
    return (int(first[0]), int(last[0])), (int(first[1]), int(last[1]))


def _length(
    name: str, quantity: str, px: float | None, picture: Picture, reason: str | None
) -> Row:
    """Return a row for a length in samples, in nm if the size of a sample is known."""
    if px is None or picture.pixel_um is None:
        return Row(name, quantity, px, "" if px is None else "px", reason or "")
    return Row(name, quantity, 1000 * picture.pixel_um * px, "nm", reason or "")
