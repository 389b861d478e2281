"""The methods section of a paper for a SOFI picture."""

from __future__ import annotations

from napari_sofinet.methods.sofi_plan import FALLBACK_FWHM_PX
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.preprocess.corrections import describe_corrections

FLATTENING = {
    "psf": "flattened by the PSF",
    "phase-mean": "flattened by the mean of each sub-lattice",
    "none": "not flattened",
}
PIXEL_SETS = {
    "weighted": "averaged over pixel sets weighted by their expected signal",
    "single": "from a single pixel set for each sample",
}


def describe(settings: SofiSettings, details: dict[str, float]) -> str:
    """Return sentences for a methods section, with citations.

    Parameters
    ----------
    settings : SofiSettings
        Settings of the method.
    details : dict of str to float
        Values that were measured, as in `Reconstruction.details`.
    """
    count = int(details.get("sub_sequences", 1))
    pictures = count > 1 and settings.sub_sequences.average == "pictures"
    clauses = [_computed(settings), FLATTENING[settings.flattening]]
    if settings.pixel_sets in PIXEL_SETS:
        clauses.append(PIXEL_SETS[settings.pixel_sets])
    if count > 1 and not pictures:
        clauses.append(_averaged(count, "bleaching_half_life_frames" in details))
    if settings.drift.correct:
        clauses.append(
            "from sub-sequences that were moved back by the drift, which was found by "
            "cross-correlation of all pairs of their images (Wang et al., Opt. Express 22, 15982 "
            "(2014))"
        )
    if settings.linearization != "none":
        clauses += _linearized(settings, details)
    if pictures:
        clauses.append(f"each for {count} sub-sequences, whose pictures were averaged")
    sentences = [", ".join(clauses) + "."]
    if settings.molecules:
        sentences.append(
            "Brightness, on-ratio, on-time and density of emitters were solved from local means "
            "of the second, third and fourth order (balanced SOFI, same reference) and of the "
            "second order at a lag of one frame, with blinking within frames accounted for."
        )
    if "psf_fwhm_px" in details:
        sentences.append(_width(settings, details["psf_fwhm_px"]))
    return describe_corrections(settings, details) + " ".join(sentences)


def _computed(settings: SofiSettings) -> str:
    lag = f"a time lag of {settings.lag} frames" if settings.lag else "zero time lag"
    return (
        "SOFI images (Dertinger et al., PNAS 106, 22287 (2009)) of order "
        f"{settings.order} were computed from cross-cumulants at {lag} "
        "(Dertinger et al., Opt. Express 18, 18875 (2010))"
    )


def _averaged(count: int, bleaching: bool) -> str:
    text = f"as means over {count} sub-sequences"
    if bleaching:
        text += " that are short against the bleaching, early ones weighing more"
    return text


def _linearized(settings: SofiSettings, details: dict[str, float]) -> list[str]:
    """Return the clauses on deconvolution, linearization and reconvolution."""
    d = settings.deconvolution
    clauses = []
    iterations = details.get("iterations") if d.iterations is None else d.iterations
    if iterations != 0:
        number = "" if iterations is None else f"{int(iterations)} "
        clauses.append(
            f"deconvolved by {number}accelerated Richardson-Lucy iterations "
            "(Biggs and Andrews, Appl. Opt. 36, 1766 (1997))"
            + (" with weights and a noise floor" if d.weighted else "")
        )
    adaptive = settings.linearization == "adaptive"
    clauses.append(
        f"linearised by the root of order {settings.order} "
        "(Geissbuehler et al., Opt. Nanosc. 1, 4 (2012))"
        + (" and corrected for the local on-ratio" if adaptive else "")
    )
    if d.reconvolve:
        clauses.append(f"truncated at {d.truncate_percent:g} % of the maximum and reconvolved")
    return clauses


def _width(settings: SofiSettings, fwhm_px: float) -> str:
    origin = "given"
    if settings.psf_fwhm_px is None:
        origin = "assumed" if fwhm_px == FALLBACK_FWHM_PX else "estimated from the movie"
    return f"The PSF's width (FWHM) was {fwhm_px:.3g} camera pixels, {origin}."
