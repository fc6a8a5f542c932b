import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import Stretch, enough_cells
from heatmap_research.network.layers import dense
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class Simcc(nn.Module):
    """Flattens a map per joint and puts it through a dense layer per axis (Li et al., 2022)."""

    ndim: ClassVar[Literal[1]] = 1

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        least_cells: int,  # of the features, below which positions cannot be told apart
        rank: int | None,  # of the dense layers; null for full ones
        init: str,  # default or marginal
    ) -> None:
        super().__init__()
        last = levels[-1]
        shape = enough_cells("simcc", last, grid, least_cells)
        _refuse(rank, init)
        self.joint = nn.Conv2d(last.channels, joints, kernel_size=1)
        if init == "marginal":
            stretch = Stretch("simcc with head.init=marginal", last, grid)
            axes = [_pooling(shape, axis, bins, stretch) for axis, bins in enumerate(grid.bins)]
        else:
            axes = [dense(math.prod(shape), bins, rank) for bins in grid.bins]
        self.axes = nn.ModuleList(axes)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        flat = self.joint(features[-1]).flatten(2)  # (B, K, cells)
        return tuple(axis(flat) for axis in self.axes)


def _refuse(rank: int | None, init: str) -> None:
    if init not in ("default", "marginal"):
        raise IncompatibleError(f"head.init={init}: choose default or marginal.")
    if rank is not None and init == "marginal":
        raise IncompatibleError(
            f"head.init=marginal writes a whole dense layer, and head.rank={rank} has none: "
            "choose head.rank=null or head.init=default."
        )


def _pooling(shape: Sequence[int], axis: int, bins: int, stretch: Stretch) -> nn.Module:
    """Makes a dense layer that starts as the mean over the other axis, stretched to the bins."""
    layer = nn.Linear(math.prod(shape), bins)
    line = stretch(torch.eye(shape[axis])[None])[0, :, :bins]  # (cells of this axis, bins)
    weight = line.T.unsqueeze(2 - axis) / shape[1 - axis]
    with torch.no_grad():
        layer.weight.copy_(weight.expand(bins, *shape).flatten(1))
        nn.init.zeros_(layer.bias)
    return layer
