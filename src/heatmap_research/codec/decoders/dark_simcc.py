from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import blurring, heatmaps, taylor
from heatmap_research.codec.decoders._published import check_kernel, check_range
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class DarkSimcc:
    """DARK as in mmpose for SimCC: takes a step of any length along each axis by itself.

    As in DarkUdp, the outermost bins are repeated beyond the map and values are cut off on both
    sides.
    """

    needs: ClassVar[None] = None
    size: int  # bins of the blur's kernel
    low: float  # values are cut off here before the logarithm
    high: float
    epsilon: float  # added to second differences

    def __post_init__(self) -> None:
        check_kernel("decoder.dark_simcc.size", self.size)
        check_range("decoder.dark_simcc.low", self.low, self.high)

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        log = blurring.modulated(heatmap, self.size).clamp(self.low, self.high).log()
        near, _ = heatmaps.neighbourhood(blurring.extended(log, 2), centre + 2, radius=2)
        lines = [taylor.through(near, axis) for axis in range(centre.shape[-1])]
        first = torch.stack([(line[..., 3] - line[..., 1]) / 2 for line in lines], dim=-1)
        second = torch.stack([taylor.bend(line[..., ::2]) / 4 for line in lines], dim=-1)
        second = second + self.epsilon
        level = second != 0
        return centre - torch.where(level, first / torch.where(level, second, 1), 0)
