import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import cells
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class Regression(nn.Module):
    """Predicts x and y as shares of the crop's width and height, counted from its middle.

    With `spread` it also predicts how uncertain each of the two is, as a logit.
    """

    ndim: ClassVar[Literal[0]] = 0

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        pool: bool,  # average all cells, rather than see each
        hidden: Sequence[int],  # widths of fully connected layers
        dropout: float,  # share of their outputs
        spread: bool,
        init_std: float,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise IncompatibleError(f"head.dropout={dropout}: give a share from 0 to below 1.")
        last = levels[-1]
        widths = [last.channels * (1 if pool else math.prod(cells(last, grid))), *hidden]
        self.pool = nn.AdaptiveAvgPool2d(1) if pool else nn.Identity()
        self.hidden = nn.Sequential(*(_connect(*pair, dropout) for pair in pairwise(widths)))
        self.out = nn.Linear(widths[-1], joints * (4 if spread else 2))
        self.joints = joints
        nn.init.normal_(self.out.weight, std=init_std)
        nn.init.zeros_(self.out.bias)  # every joint starts near the middle

    def forward(self, features: list[Tensor]) -> Heatmaps:
        numbers = self.out(self.hidden(self.pool(features[-1]).flatten(1)))
        return (numbers.unflatten(1, (self.joints, -1)),)


def _connect(before: int, after: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout))
