from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import doublings
from heatmap_research.network.layers import start_all_near_zero
from heatmap_research.types import Heatmaps, Level


class Lixel(nn.Module):
    """Averages features over one axis and doubles the other until it has the bins of the grid.

    After the "lixels" of I2L-MeshNet (Moon and Lee, 2020), but with pixel-shuffle along the line.
    """

    ndim: ClassVar[Literal[1]] = 1

    def __init__(
        self, levels: Sequence[Level], grid: Grid, joints: int, channels: int, init_std: float
    ) -> None:
        super().__init__()
        count = doublings("lixel", levels[-1], grid)
        self.smooth = nn.Sequential(
            nn.Conv2d(levels[-1].channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.axes = nn.ModuleList(
            nn.Sequential(
                *(_double(channels) for _ in range(count)), nn.Conv1d(channels, joints, 1)
            )
            for _ in grid.shapes
        )
        start_all_near_zero(self, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        smooth = self.smooth(features[-1])  # (B, C, H, W)
        rows, columns = self.axes
        return rows(smooth.mean(3)), columns(smooth.mean(2))


def _double(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, 2 * channels, kernel_size=3, padding=1, bias=False),
        LineShuffle(),
        nn.BatchNorm1d(channels),
        nn.ReLU(inplace=True),
    )


class LineShuffle(nn.Module):
    """nn.PixelShuffle(2) along one axis: channels 2c and 2c + 1 become the halves of a cell."""

    def forward(self, lines: Tensor) -> Tensor:
        halves = lines.unflatten(1, (-1, 2))  # (B, C, 2, L)
        return halves.transpose(2, 3).flatten(2)
