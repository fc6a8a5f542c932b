from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import some_doublings
from heatmap_research.network.layers import start_all_near_zero
from heatmap_research.types import Heatmaps, Level


class PixelShuffle(nn.Module):
    """Convolutions whose channels become the cells of a map twice as fine (Shi et al., 2016)."""

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self, levels: Sequence[Level], grid: Grid, joints: int, channels: int, init_std: float
    ) -> None:
        super().__init__()
        last = levels[-1]
        widths = [last.channels] + [channels] * some_doublings("pixel_shuffle", last, grid)
        self.up = nn.Sequential(*map(_double, widths[:-1], widths[1:]))
        self.out = nn.Conv2d(widths[-1], joints, kernel_size=1)
        start_all_near_zero(self, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        return (self.out(self.up(features[-1])),)


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, 4 * after, kernel_size=3, padding=1, bias=False),
        nn.PixelShuffle(2),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
