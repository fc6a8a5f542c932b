from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class Argmax:
    """Takes the centre of the highest bin: off by 0.3826 strides on average with any network."""

    needs: ClassVar[None] = None
    local: ClassVar[bool] = True  # reads the highest bin and those beside it alone

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        return heatmaps.argmax(heatmap)
