from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import some_doublings
from heatmap_research.network.layers import start_all_near_zero, transposed
from heatmap_research.types import Heatmaps, Level


class Deconv(nn.Module):
    """Transposed convolutions up to the stride of the grid (Xiao et al., 2018)."""

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self, levels: Sequence[Level], grid: Grid, joints: int, channels: int, init_std: float
    ) -> None:
        super().__init__()
        last = levels[-1]
        widths = [last.channels] + [channels] * some_doublings("deconv", last, grid)
        self.up = nn.Sequential(*map(transposed, widths[:-1], widths[1:]))
        self.out = nn.Conv2d(widths[-1], joints, kernel_size=1)
        start_all_near_zero(self, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        return (self.out(self.up(features[-1])),)
