"""Agreement of a reconstruction with a reference or the truth."""

from napari_sofinet.metrics.agreement import MaskScores, mask_scores, pearson

__all__ = ["MaskScores", "mask_scores", "pearson"]
