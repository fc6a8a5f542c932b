"""Transposed convolutions up to the grid (Xiao et al., 2018)."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.grid import Grid
from heatmap_research.start import start_near_zero
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class Deconv(nn.Module):
    ndim: ClassVar[Literal[1, 2]] = 2

    def __init__(
        self, levels: Sequence[Level], grid: Grid, joints: int, channels: int, init_std: float
    ) -> None:
        super().__init__()
        last = levels[-1]
        widths = [last.channels] + [channels] * _doublings(last.stride, grid.stride)
        self.up = nn.Sequential(*map(_double, widths[:-1], widths[1:]))
        self.out = nn.Conv2d(widths[-1], joints, kernel_size=1)
        for module in self.modules():
            if isinstance(module, (nn.ConvTranspose2d, nn.Conv2d)):
                start_near_zero(module, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        return (self.out(self.up(features[-1])),)


def _doublings(last: int, stride: float) -> int:
    doublings = math.log2(last / stride)
    if doublings == 0:
        raise IncompatibleError(
            f"head=deconv has nothing to double from stride {last} to stride={stride:g}: "
            "choose head=conv1x1, or a finer stride."
        )
    if doublings < 0 or not doublings.is_integer():
        raise IncompatibleError(
            f"head=deconv doubles the stride {last} it is given downwards and cannot reach "
            f"stride={stride:g}: choose {last} divided by a power of two."
        )
    return int(doublings)


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
