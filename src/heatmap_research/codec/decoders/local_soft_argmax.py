import math
from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class LocalSoftArgmax:
    """Takes the mean position in a window about the highest bin, free of what lies further out."""

    needs: ClassVar[None] = None
    sigma: float  # input pixels; the label's
    reach: float  # sigmas; half the width of the window

    def __post_init__(self) -> None:
        if self.reach <= 0:
            raise ValueError(
                f"decoder.local_soft_argmax.reach={self.reach:g}: a window reaches beyond 0 sigmas."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        radius = max(1, math.ceil(self.reach * self.sigma / stride - 1e-6))
        near, _ = heatmaps.neighbourhood(heatmap, centre, radius)
        return centre + heatmaps.expectation(heatmaps.normalise(near)) - radius
