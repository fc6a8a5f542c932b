from dataclasses import dataclass
from typing import ClassVar

from heatmap_research import heatmaps
from heatmap_research.types import Activation, Heatmap, Position


@dataclass(frozen=True)
class SoftArgmax:
    """Mean position under a map that is a distribution."""

    needs: ClassVar[Activation] = "softmax"

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        return heatmaps.expectation(heatmap)
