from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research import heatmaps
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class QuarterOffset:
    """A fixed step from the highest bin towards its higher neighbour (Newell et al., 2016).

    No step at the border, nor between neighbours that differ by rounding noise only.
    """

    needs: ClassVar[None] = None
    step: float  # bins
    dead_zone: float  # of the peak

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        near, _ = heatmaps.neighbourhood(heatmap, centre)
        slope = heatmaps.gradient(near)
        sure = slope.abs() > self.dead_zone * heatmaps.middle(near).abs()[..., None]
        free = heatmaps.interior(centre, heatmap.shape[2:])
        return centre + self.step * torch.where(sure, slope.sign(), 0) * free
