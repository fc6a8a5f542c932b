import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.grid import Grid
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class Simcc(nn.Module):
    """A map per joint, flattened, through one dense layer an axis (Li et al., 2022)."""

    ndim: ClassVar[Literal[1, 2]] = 1

    def __init__(self, levels: Sequence[Level], grid: Grid, joints: int, least_cells: int) -> None:
        super().__init__()
        last = levels[-1]
        cells = math.prod(math.ceil(size / last.stride) for size in grid.image_size)
        if cells < least_cells:
            raise IncompatibleError(
                f"head=simcc sees {cells} cells of stride {last.stride}, too few to tell positions "
                "apart: choose neck=top_down, a larger image_size or a lower head.least_cells."
            )
        self.joint = nn.Conv2d(last.channels, joints, kernel_size=1)
        self.axes = nn.ModuleList(nn.Linear(cells, math.prod(shape)) for shape in grid.shapes)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        cells = self.joint(features[-1]).flatten(2)  # (B, K, cells)
        return tuple(axis(cells) for axis in self.axes)
