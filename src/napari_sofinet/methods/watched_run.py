"""Run of a method on a movie that is watched: defects are repaired, and doubts are noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sofinet.base.progress import Report, portion
from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.recipe import CheckResult
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.preprocess.brief_check import brief_check
from napari_sofinet.preprocess.repair import DefectsFound, Repair, RepairSettings, RepairWatch

Check = tuple[CheckResult, ...]


def run_watched(
    method: Method, movie: MethodInput, values: Settings, report: Report, *device: str
) -> tuple[Reconstruction, Check]:
    """Run a method on a movie whose defects are repaired, and check the movie meanwhile.

    Parameters
    ----------
    method : Method
        Method to run.
    movie : Movie or LocalizationTable
        Its input; tables are neither repaired nor checked.
    values : Settings
        Its settings.
    report : Report
        Receives the progress.
    *device : str
        Device of networks, for methods that take one.

    Returns
    -------
    Reconstruction
        Result of the method, with notes on the repairs.
    tuple of CheckResult
        Doubtful properties of the movie, the worst first.
    """
    wanted = getattr(values, "repair", None)
    if not isinstance(movie, Movie) or not isinstance(wanted, RepairSettings):
        return method.run(movie, values, report, *device), ()
    repair, result = Repair(movie, wanted), None
    if method.reads_first:
        # Nearly all movies need no repair, and are not read once more for this.
        watch = RepairWatch(movie, repair, lambda: _checked(repair, method, values))
        try:
            result = method.run(replace(movie, watch=watch), values, report, *device)
            if watch.settle():
                return _told(result, repair), watch.outcome
        except DefectsFound:
            pass
    repair.finish(portion(report, 0.0, 0.05))
    check = _checked(repair, method, values)
    if result is None or repair.details:
        result = method.run(repair.movie, values, portion(report, 0.05, 1.0), *device)
    return _told(result, repair), check


def _checked(repair: Repair, method: Method, values: Settings) -> Check:
    if repair.scan is None or not method.needs_blinking:
        return ()
    found = brief_check(repair.scan, flatten_settings(values))
    return tuple(CheckResult(**{n: getattr(f, n) for n in CheckResult.model_fields}) for f in found)


def _told(result: Reconstruction, repair: Repair) -> Reconstruction:
    """Add what was repaired to a result."""
    notes = repair.notes
    movie = repair.movie
    numbers = movie.file_frames(movie.first_frame + np.arange(movie.shape[0]))
    if result.time_series is not None and np.any(np.diff(numbers) != 1):
        notes += ("Frames are left out within this time series; its times do not count them.",)
    return replace(
        result,
        notes=(*notes, *result.notes),
        details=result.details | repair.details,
    )
