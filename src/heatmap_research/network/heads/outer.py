from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._trunk import trunk_1d
from heatmap_research.types import Heatmaps, Level


class Outer(nn.Module):
    """The product of two 1-D maps: for squared errors, under which a sum of them holds no bump."""

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        start: float,  # of both factors; where both are 0, neither has a gradient
        trunk: Callable[..., nn.Module],  # a 1-D head
    ) -> None:
        super().__init__()
        self.start = start
        self.trunk = trunk_1d("outer", trunk, levels, grid, joints)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        rows, columns = (scores + self.start for scores in self.trunk(features))
        return (rows[..., :, None] * columns[..., None, :],)
