from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import Stretch
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, Level


class Marginal(nn.Module):
    """Predicts a map per joint and axis, sums its other axis out in the log domain, stretches it.

    It is as local and as small as a 2-D head, and no finer than the features it is given.
    """

    ndim: ClassVar[Literal[1]] = 1

    def __init__(self, levels: Sequence[Level], grid: Grid, joints: int, init_std: float) -> None:
        super().__init__()
        self.joint = nn.Conv2d(levels[-1].channels, 2 * joints, kernel_size=1)
        self.stretch = Stretch("marginal", levels[-1], grid)
        start_near_zero(self.joint, init_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        rows, columns = self.joint(features[-1]).chunk(2, dim=1)  # (B, K, H, W) each
        return self.stretch(rows.logsumexp(3)), self.stretch(columns.logsumexp(2))
