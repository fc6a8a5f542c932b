from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import Stretch
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, Level


class Summed(nn.Module):
    """Predicts one 2-D map per joint but returns its two marginals, for the labels of a 1-D head.

    Compared with head=conv1x1, only what the map knows of both axes at once is lost.
    """

    ndim: ClassVar[Literal[1]] = 1

    def __init__(self, levels: Sequence[Level], grid: Grid, joints: int, init_std: float) -> None:
        super().__init__()
        self.joint = nn.Conv2d(levels[-1].channels, joints, kernel_size=1)
        self.stretch = Stretch("summed", levels[-1], grid)
        start_near_zero(self.joint, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        scores = self.joint(features[-1])  # (B, K, H, W)
        return self.stretch(scores.logsumexp(3)), self.stretch(scores.logsumexp(2))
