from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import Stretch
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, Level


class Upsample(nn.Module):
    """A 1x1 convolution on the last level, stretched to the grid: no finer, only larger."""

    ndim: ClassVar[Literal[2]] = 2

    def __init__(self, levels: Sequence[Level], grid: Grid, joints: int, init_std: float) -> None:
        super().__init__()
        self.joint = nn.Conv2d(levels[-1].channels, joints, kernel_size=1)
        self.stretch = Stretch("upsample", levels[-1], grid)
        start_near_zero(self.joint, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        return (self.stretch(self.joint(features[-1])),)
