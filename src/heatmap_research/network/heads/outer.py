from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._trunk import trunk_1d
from heatmap_research.network.protocols import MakeHead
from heatmap_research.types import Heatmaps, Level


class Outer(nn.Module):
    """Multiplies two 1-D maps. Under a squared error their sum could not form a single peak."""

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        start: float,  # added to both factors: were both 0, neither would have a gradient
        trunk: MakeHead,  # a 1-D head
    ) -> None:
        super().__init__()
        self.start = start
        self.trunk = trunk_1d("outer", trunk, levels, grid, joints)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        rows, columns = (scores + self.start for scores in self.trunk(features))
        return (rows[..., :, None] * columns[..., None, :],)
