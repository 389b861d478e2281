"""Picture of one movie by a model of blinking emitters that is fitted to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.fluogan_settings import FluoganSettings
from napari_sofinet.networks.adversarial_fit import AdversarialFit
from napari_sofinet.networks.device import on_device
from napari_sofinet.networks.double_poisson import DoublePoisson
from napari_sofinet.networks.moment_fit import MomentFit, take_statistics
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import tiles
from napari_sofinet.preprocess.corrections import correct
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import NARROWEST_FWHM_PX, WIDEST_FWHM_PX, estimate_psf_fwhm

SIDE_MIN_PX, FRAMES_MIN, FRAMES_FEW = 12, 20, 200
MARGIN_PX = 2
COVARIANCE_STEPS, JOINT_STEPS, CRITIC_FIRST = 40, 40, 60
JOINT_SIZE, CRITIC_SIZE = 0.7, 0.1
BATCH = 16
WINDOW_PX, WINDOW_REACH_PX = 50, 6
CRITIC_COST = 4.0
"""Time of a step with the critic over that of one without."""
READ, MEASURED = 0.03, 0.06
"""Fractions of the time when the movie has been read, and its PSF measured."""
PREVIEW_STEPS = 10
FALLBACK_FWHM_PX = 2.5
PIXEL_VARIANCE = 1 / 12
"""Variance of a camera pixel, by which it widens the PSF that a movie shows."""


@dataclass(frozen=True, eq=False)
class _Input:
    """A movie in photons, and what is known about its recording."""

    movie: Movie
    frames: torch.Tensor
    fwhm_px: float
    read_noise: float
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fluogan_picture(
    movie: Movie, settings: FluoganSettings, report: Report, device: str
) -> Reconstruction:
    """Fit a picture to a movie.

    Parameters
    ----------
    movie : Movie
        Movie of at least 12 x 12 pixels and 20 frames.
    settings : FluoganSettings
        Grid, PSF, number of steps and seed.
    report : Report
        Receives the progress and previews.
    device : {"auto", "cpu", "cuda"}
        Device of the fit.

    Returns
    -------
    Reconstruction
        ``image`` (fY, fX) float32 for a fineness f: mean photoelectrons of the emitters of a
        sample in a frame. Sample i lies at camera coordinate (i + 1/2) / f - 1/2. ``background``,
        of the same shape, is the background in the same unit.

    Raises
    ------
    InputError
        The movie is too small, too short or does not change, its gain cannot be estimated, or
        there is too little memory.
    """
    given = _prepare(movie, settings, report)
    fallen_back: list[str] = []
    tell = Repeatable(portion(report, MEASURED, 1.0))
    fitted = on_device(device, fallen_back, lambda where: _fit(given, settings, tell, where))
    return replace(fitted, notes=(*fitted.notes, *fallen_back))


def _prepare(movie: Movie, settings: FluoganSettings, report: Report) -> _Input:
    """Correct and read a movie, and measure its PSF and its noise."""
    count, rows, columns = movie.shape
    if min(rows, columns) < SIDE_MIN_PX or count < FRAMES_MIN:
        raise InputError(
            f"FluoGAN needs at least {SIDE_MIN_PX} x {SIDE_MIN_PX} px and {FRAMES_MIN} frames, but "
            f"this movie has {rows} x {columns} px and {count} frames."
        )
    # The model counts photons, so that gain and offset are needed in any case.
    camera = settings.camera.model_copy(update={"estimate": True})
    stage = correct(
        movie, settings.model_copy(update={"camera": camera}), portion(report, 0.0, READ)
    )
    need_memory(2 * 4 * count * rows * columns + 5e3 * rows * columns, "the fit of this movie")
    saturation, blocks = Saturation(), []
    for block in time_blocks(stage.movie, saturation):
        saturation.add(block)
        blocks.append(np.asarray(block, np.float32))
        report(READ, "reading")
    frames = np.concatenate(blocks)
    if not frames.std(axis=0).max() > 0:
        raise InputError(
            f"{movie.name} does not change in time, so no emitters can be found; choose a movie of "
            "blinking emitters."
        )
    fwhm, note = settings.psf_fwhm_px, ""
    if fwhm is None:
        fwhm, note = _psf_width(frames)
    report(MEASURED, "width of the PSF")
    read_noise = settings.read_noise
    if read_noise is None:
        read_noise = _read_noise(frames)
    few = f"{count} frames are few; {FRAMES_FEW} or more are advised." if count < FRAMES_FEW else ""
    notes = tuple(one for one in (*stage.notes, saturation.note, note, few) if one)
    details = stage.details | {"psf_fwhm_px": fwhm, "read_noise_photoelectrons": read_noise}
    return _Input(stage.movie, torch.from_numpy(frames), fwhm, read_noise, details, notes)


def _psf_width(frames: np.ndarray) -> tuple[float, str]:
    """Return the width of the PSF without that of the pixels, and a note if it is not known."""
    shown = estimate_psf_fwhm(cross_cumulants(frames, (2,))[2], 2)
    if not NARROWEST_FWHM_PX < shown < WIDEST_FWHM_PX:
        return FALLBACK_FWHM_PX, (
            f"The PSF width could not be estimated and {FALLBACK_FWHM_PX} px is used; enter the "
            "width, on which the picture depends."
        )
    return float(np.sqrt(max(shown**2 - 8 * np.log(2) * PIXEL_VARIANCE, 1.0))), ""


def _read_noise(frames: np.ndarray) -> float:
    """Return the noise of the darkest places beyond that of their light.

    It is zero where the offset is estimated, too: that is then the count without any noise.
    """
    left = frames.var(axis=0, dtype=np.float64) - np.maximum(frames.mean(axis=0), 0)
    return float(np.sqrt(max(np.percentile(gaussian_filter(left, 2), 5), 0.0)))


class _Progress:
    """Reports the fraction of the work, and previews."""

    def __init__(self, report: Report, whole: float, show: Callable[[], Reconstruction]) -> None:
        self._report, self._whole, self._show = report, whole, show
        self._done, self._steps = 0.0, 0

    def add(self, cost: float, message: str, preview: bool = False) -> None:
        """Report that a part of the work is done."""
        self._done += cost
        self._steps += 1
        shown = None
        if preview:
            made = self._show()
            shown = replace(made, details=made.details | {"steps": self._steps})
        self._report(self._done / self._whole, message, shown)


def _fit(given: _Input, settings: FluoganSettings, tell: Repeatable, device: str) -> Reconstruction:
    """Fit a picture on a device."""
    s, frames = settings, given.frames.to(device)
    shape = int(frames.shape[1]), int(frames.shape[2])
    model = DoublePoisson(shape, s.fineness, given.fwhm_px, margin=MARGIN_PX, device=device)
    model.read_noise = given.read_noise
    found = take_statistics(frames, given.read_noise, given.fwhm_px, tell.again)
    fit = MomentFit(model, found, tell.again)
    windows = tuple(tiles(*shape, WINDOW_PX, WINDOW_REACH_PX)) if s.critic_steps else ()
    area = sum(w.shape[0] * w.shape[1] for w in windows) / max(
        len(windows) * shape[0] * shape[1], 1
    )
    cost = CRITIC_COST * area
    whole = COVARIANCE_STEPS + JOINT_STEPS + cost * len(windows) * (CRITIC_FIRST + s.critic_steps)
    progress = _Progress(tell, whole, lambda: _reconstruction(given, settings, fit))
    for step in range(COVARIANCE_STEPS):
        fit.covariance_step()
        progress.add(1, "fit of the covariance", step % PREVIEW_STEPS == PREVIEW_STEPS - 1)
    fit.find_brightness()
    for step in range(JOINT_STEPS):
        fit.step(JOINT_SIZE)
        progress.add(1, "fit of mean and covariance", step % PREVIEW_STEPS == PREVIEW_STEPS - 1)
    for number, window in enumerate(windows):
        name = f"critic of window {number + 1} of {len(windows)}" if number else "critic"
        part = fit.part(window, frames, given.read_noise)
        seen = frames[(slice(None), *window.window)]
        critic = AdversarialFit(part, seen, BATCH, s.seed + number)
        with between_layers(critic.critic, tell.again):
            for _ in range(CRITIC_FIRST):
                critic.train_critic()
                progress.add(cost, name)
            for step in range(s.critic_steps):
                critic.step(CRITIC_SIZE)
                fit.take(part, window)
                progress.add(cost, name, step % PREVIEW_STEPS == PREVIEW_STEPS - 1)
    return _reconstruction(given, settings, fit)


def _reconstruction(given: _Input, settings: FluoganSettings, fit: MomentFit) -> Reconstruction:
    """Return the state of a fit."""
    f = settings.fineness
    image = fit.light[fit.model.inside].cpu().numpy()
    background = np.kron(fit.b.cpu().numpy(), np.full((f, f), 1 / f**2, np.float32))
    y, x = given.movie.origin_px
    start = 0.5 / f - 0.5
    return Reconstruction(
        {"image": image.astype(np.float32), "background": background.astype(np.float32)},
        pixel_px=(1 / f, 1 / f),
        origin_px=(y + start, x + start),
        camera_pixel_um=given.movie.pixel_size_um,
        notes=given.notes,
        details=given.details | {"brightness": fit.model.brightness},
    )
