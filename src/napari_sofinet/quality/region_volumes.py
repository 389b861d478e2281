"""Measurements of a box through several volumes: numbers for a table, and profiles along z."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.drawing import Axes, color_of, write_message
from napari_sofinet.quality.region_measurements import Corners, Findings, Row, samples
from napari_sofinet.quality.volume import Volume, measure_volume

QUANTITIES = {
    "fwhm_z": "width along z",
    "fwhm_y": "width along y",
    "fwhm_x": "width along x",
    "resolution_xy": "resolution of planes",
    "resolution_z": "resolution along z",
}
AGREEMENT = {"ssim": "SSIM", "mse": "MSE", "pearson": "Pearson"}


def volumes_of(
    volumes: dict[str, tuple[Volume, Corners]], reference: Volume | None = None
) -> Findings:
    """Measure widths, resolution and agreement of volumes in a box through all planes.

    Parameters
    ----------
    volumes : dict of str to (Volume, Corners)
        Volumes by name, each with two corners (y, x) of the box in its samples.
    reference : Volume, optional
        Volume that the others are compared with.

    Returns
    -------
    Findings
        Numbers as in `measure_volume`. The curves show the brightness along z through the
        brightest sample in the box, from 0 to 1.
    """
    rows: list[Row] = []
    curves = []
    for number, (name, (whole, box)) in enumerate(volumes.items()):
        try:
            yx = samples(box, whole.image.shape[1:])
            part = whole.cut(((0, len(whole.image)), *yx))
            against = None if reference is None or reference.name == name else reference
            facts = measure_volume(part, against)
        except InputError as error:
            rows.append(Row(name, "volume", None, note=str(error)))
            continue
        rows += _rows(name, facts)
        curves.append((number, name, *_profile(part)))

    def draw(axes: Axes) -> None:
        for number, name, depth, values, _ in curves:
            axes.plot(depth, values, color=color_of(number), label=name)
        units = {unit for *_, unit in curves}
        unit = units.pop() if len(units) == 1 else "µm or planes"
        axes.set(xlabel=f"z ({unit})", ylabel="brightness, 0 to 1", ylim=(0, None))
        if not curves:
            write_message(axes, "See the table.")

    return Findings(tuple(rows), draw)


def _rows(name: str, facts: dict[str, Any]) -> list[Row]:
    notes = facts.get("notes", [])
    rows = []
    for key, title in QUANTITIES.items():
        unit = "nm" if f"{key}_nm" in facts else "px"
        value = facts.get(f"{key}_{unit}")
        low, high = facts.get(f"{key}_low_{unit}"), facts.get(f"{key}_high_{unit}")
        note = "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
        rows.append(Row(name, title, value, unit if value is not None else "", note))
    rows += [Row(name, title, facts[key]) for key, title in AGREEMENT.items() if key in facts]
    return [*rows, *(Row(name, "note", None, note=note) for note in notes)]


def _profile(part: Volume) -> tuple[np.ndarray, np.ndarray, str]:
    """Return depth, and brightness from 0 to 1, through the brightest sample."""
    _, y, x = np.unravel_index(np.argmax(part.image), part.image.shape)
    line = np.maximum(part.image[:, y, x], 0)
    step, first = part.step_um[0], part.origin_um[0]
    depth = np.arange(len(line)) if step is None else first + step * np.arange(len(line))
    return depth, line / max(float(line.max()), 1e-30), "planes" if step is None else "µm"
