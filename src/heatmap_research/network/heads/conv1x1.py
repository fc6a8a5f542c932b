from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class Conv1x1(nn.Module):
    """A 1x1 convolution on the level whose stride is the grid's."""

    ndim: ClassVar[Literal[1, 2]] = 2

    def __init__(self, levels: Sequence[Level], grid: Grid, joints: int, init_std: float) -> None:
        super().__init__()
        strides = [level.stride for level in levels]
        if grid.stride not in strides:
            raise IncompatibleError(
                f"head=conv1x1 predicts on a level as it is, and none has stride={grid.stride:g}: "
                f"choose stride={' or '.join(map(str, strides))}, another neck.stride, "
                "or head=deconv."
            )
        self.level = strides.index(int(grid.stride))
        self.joint = nn.Conv2d(levels[self.level].channels, joints, kernel_size=1)
        start_near_zero(self.joint, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        return (self.joint(features[self.level]),)
