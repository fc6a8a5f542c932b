import math
from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class LocalSoftArgmax:
    """Mean position within a window about the highest bin; what lies beyond cannot pull at it."""

    needs: ClassVar[None] = None
    sigma: float  # the label's, input pixels
    reach: float  # half width of the window, in sigmas

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
