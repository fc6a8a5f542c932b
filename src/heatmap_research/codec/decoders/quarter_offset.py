from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch

from heatmap_research.codec import heatmaps, taylor
from heatmap_research.types import Heatmap, Position

Border = Literal["none", "hrnet", "mmpose"]


@dataclass(frozen=True)
class QuarterOffset:
    """Takes a fixed step from the highest bin towards its higher neighbour (Newell et al., 2016).

    There is no step along an axis on which a neighbour is missing or both differ by rounding
    noise only. Published code keeps further away from the border; HRNet steps along all axes or
    along none.
    """

    needs: ClassVar[None] = None
    step: float  # bins
    dead_zone: float  # share of the peak by which neighbours must differ
    border: Border  # whose rule holds at the border of the map

    def __post_init__(self) -> None:
        if self.border not in get_args(Border):
            raise ValueError(
                f"decoder.quarter_offset.border={self.border}: choose "
                f"{', '.join(get_args(Border))}."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        near, _ = heatmaps.neighbourhood(heatmap, centre)
        slope = taylor.gradient(near)
        sure = slope.abs() > self.dead_zone * heatmaps.middle(near).abs()[..., None]
        free = self._free(centre, heatmap.shape[2:])
        return centre + self.step * torch.where(sure, slope.sign(), 0) * free

    def _free(self, centre: Position, shape: tuple[int, ...]) -> Position:
        """1 along the axes on which the border permits a step, else 0."""
        free = heatmaps.interior(centre, shape)
        if self.border == "none":
            return free
        free = free * (centre > 1)
        if self.border == "hrnet":
            return free.amin(-1, keepdim=True).expand_as(free)
        away = (centre > 0).to(free.dtype)  # mmpose steps along x only off the first row
        others = away.sum(-1, keepdim=True) - away
        return free * (others == centre.shape[-1] - 1)
