"""Curves as small pictures, drawn off the GUI thread."""

from __future__ import annotations

from io import BytesIO

GREY = "#909090"


def draw_convergence(curve: tuple[tuple[int, float], ...]) -> bytes:
    """PNG of the agreement with endlessly many frames against the number of frames."""
    from matplotlib.figure import Figure

    frames, agreement = zip(*curve, strict=True)
    figure = Figure(figsize=(3.2, 1.7), dpi=100, layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.plot(frames, agreement, "o-", color="#4c9be8", markersize=3)
    axes.axhline(0.9, color=GREY, linewidth=0.8, linestyle="--")
    axes.set(xscale="log", ylim=(0, 1), xlabel="frames", ylabel="agreement")
    axes.set_facecolor("none")
    axes.tick_params(colors=GREY, labelsize=7)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=GREY, fontsize=8)
    for spine in axes.spines.values():
        spine.set_color(GREY)
    axes.set_xticks(frames, [str(n) for n in frames])
    axes.minorticks_off()
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
