import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import enough_cells
from heatmap_research.network.layers import dense
from heatmap_research.types import Heatmaps, Level


class Dense2d(nn.Module):
    """Flattens a map per joint as head=simcc does, and puts it through one dense layer to a whole
    2-D map. Only the layout differs between the two.
    """

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        least_cells: int,  # of the features, below which positions cannot be told apart
        rank: int | None,  # of the dense layer; null for a full one
    ) -> None:
        super().__init__()
        shape = enough_cells("dense_2d", levels[-1], grid, least_cells)
        self.joint = nn.Conv2d(levels[-1].channels, joints, kernel_size=1)
        (self.shape,) = grid.shapes
        self.map = dense(math.prod(shape), math.prod(self.shape), rank)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        flat = self.joint(features[-1]).flatten(2)  # (B, K, cells)
        return (self.map(flat).unflatten(-1, self.shape),)
