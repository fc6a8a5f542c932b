"""How heads get from the cells of a level to the bins of a grid."""

import math

from torch import Tensor, nn
from torch.nn.functional import interpolate

from heatmap_research.codec.grid import Grid
from heatmap_research.types import IncompatibleError, Level


def cells(level: Level, grid: Grid) -> tuple[int, int]:
    """Counts the cells of a level along y and along x; a part of a cell counts as one."""
    height, width = (math.ceil(size / level.stride) for size in grid.image_size)
    return height, width


def enough_cells(head: str, level: Level, grid: Grid, least: int) -> tuple[int, int]:
    """The same for a head that is linear in all cells; refuses fewer than `least` of them."""
    shape = cells(level, grid)
    if math.prod(shape) < least:
        raise IncompatibleError(
            f"head={head} sees {math.prod(shape)} cells of stride {level.stride}, too few to tell "
            "positions apart: choose neck=top_down, a larger image_size or a lower "
            "head.least_cells."
        )
    return shape


def doublings(head: str, level: Level, grid: Grid) -> int:
    """Counts how often a head must double its resolution; 0 if the strides are equal."""
    count = math.log2(level.stride / grid.stride)
    if count < 0 or not count.is_integer():
        raise IncompatibleError(
            f"head={head} doubles the stride {level.stride} it is given downwards and cannot reach "
            f"stride={grid.stride:g}: choose {level.stride} divided by a power of two."
        )
    return int(count)


def some_doublings(head: str, level: Level, grid: Grid) -> int:
    """Refuses 0 doublings too, for heads that do nothing else."""
    if level.stride == grid.stride:
        raise IncompatibleError(
            f"head={head} has nothing to double from stride {level.stride} to "
            f"stride={grid.stride:g}: choose head=conv1x1, or a finer stride."
        )
    return doublings(head, level, grid)


class Stretch(nn.Module):
    """Interpolates linearly along every axis, from the middles of cells to the middles of bins.

    The number of bins follows from the features, so that images may be of any size.
    """

    def __init__(self, head: str, level: Level, grid: Grid) -> None:
        super().__init__()
        self.bins_per_cell = level.stride / grid.stride
        if self.bins_per_cell < 1:
            raise IncompatibleError(
                f"head={head} stretches its features and cannot shrink them from stride "
                f"{level.stride} to stride={grid.stride:g}: choose stride={level.stride} or a "
                "finer one, or a higher neck.stride."
            )

    def forward(self, scores: Tensor) -> Tensor:
        size = [round(cells * self.bins_per_cell) for cells in scores.shape[2:]]
        return interpolate(scores, size, mode="linear" if len(size) == 1 else "bilinear")
