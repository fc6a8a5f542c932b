import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import Stretch, cells
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
        shape = cells(last, grid)
        count = math.prod(shape)
        if count < least_cells:
            raise IncompatibleError(
                f"head=simcc sees {count} cells of stride {last.stride}, too few to tell positions "
                "apart: choose neck=top_down, a larger image_size or a lower head.least_cells."
            )
        _refuse(rank, init)
        self.joint = nn.Conv2d(last.channels, joints, kernel_size=1)
        if init == "marginal":
            stretch = Stretch("simcc with head.init=marginal", last, grid)
            axes = [_pooling(shape, axis, bins, stretch) for axis, bins in enumerate(grid.bins)]
        else:
            axes = [_dense(count, bins, rank) for bins in grid.bins]
        self.axes = nn.ModuleList(axes)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        flat = self.joint(features[-1]).flatten(2)  # (B, K, cells)
        return tuple(axis(flat) for axis in self.axes)


def _refuse(rank: int | None, init: str) -> None:
    if init not in ("default", "marginal"):
        raise IncompatibleError(f"head.init={init}: choose default or marginal.")
    if rank is not None and rank < 1:
        raise IncompatibleError(f"head.rank={rank}: give at least 1, or null for a dense layer.")
    if rank is not None and init == "marginal":
        raise IncompatibleError(
            f"head.init=marginal writes a whole dense layer, and head.rank={rank} has none: "
            "choose head.rank=null or head.init=default."
        )


def _dense(cells: int, bins: int, rank: int | None) -> nn.Module:
    if rank is None:
        return nn.Linear(cells, bins)
    return nn.Sequential(nn.Linear(cells, rank, bias=False), nn.Linear(rank, bins))


def _pooling(shape: Sequence[int], axis: int, bins: int, stretch: Stretch) -> nn.Module:
    """Makes a dense layer that starts as the mean over the other axis, stretched to the bins."""
    dense = nn.Linear(math.prod(shape), bins)
    line = stretch(torch.eye(shape[axis])[None])[0, :, :bins]  # (cells of this axis, bins)
    weight = line.T.unsqueeze(2 - axis) / shape[1 - axis]
    with torch.no_grad():
        dense.weight.copy_(weight.expand(bins, *shape).flatten(1))
        nn.init.zeros_(dense.bias)
    return dense
