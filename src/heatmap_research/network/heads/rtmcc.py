import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._gated_attention import GatedAttention, ScaleNorm
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, Level


class Rtmcc(nn.Module):
    """A map per joint becomes a token, attends to the others, then bins (Jiang et al., 2023)."""

    ndim: ClassVar[Literal[1, 2]] = 1

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        kernel: int,
        hidden: int,
        attention: int,
        expansion: int,
        init_std: float,
        linear_std: float,
    ) -> None:
        super().__init__()
        last = levels[-1]
        cells = math.prod(math.ceil(size / last.stride) for size in grid.image_size)
        self.joint = nn.Conv2d(last.channels, joints, kernel, padding=kernel // 2)
        self.token = nn.Sequential(ScaleNorm(), nn.Linear(cells, hidden, bias=False))
        self.attend = GatedAttention(hidden, attention, expansion)
        self.shapes = grid.shapes
        self.maps = nn.ModuleList(
            nn.Linear(hidden, math.prod(shape), bias=False) for shape in self.shapes
        )
        start_near_zero(self.joint, init_std)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=linear_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        tokens = self.attend(self.token(self.joint(features[-1]).flatten(2)))
        pairs = zip(self.maps, self.shapes, strict=True)
        return tuple(layer(tokens).unflatten(-1, shape) for layer, shape in pairs)
