"""Covers images with tiles of a lattice that is turned and shifted at random.

Each tile is covered with the same probability, and so is each pixel and each joint: a tile does
not betray where a joint is.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heatmap_research.data.counter_random import Index, uniform

TILES_PER_SIDE = 6  # the shorter side of an image
Pixels = Float[Tensor, "#batch ..."]


@dataclass(frozen=True)
class Tiles:
    covered: Bool[Tensor, "batch tiles"]
    turn: Float[Tensor, "batch 2"]  # cosine, sine
    shift: Float[Tensor, "batch 2"]  # tiles
    side: float  # pixels

    def at(self, x: Pixels, y: Pixels) -> Bool[Tensor, "batch ..."]:
        """Whether points, in pixels from the middle of the image, are covered."""
        shape = (-1, *[1] * (x.ndim - 1))
        cosine, sine = (turn.view(shape) for turn in self.turn.unbind(-1))
        column = self._tile(x * cosine - y * sine, self.shift[:, 0].view(shape))
        row = self._tile(x * sine + y * cosine, self.shift[:, 1].view(shape))
        tile = row.mul_(self.per_row).add_(column)
        return self.covered.gather(1, tile.flatten(1)).view(tile.shape)

    @property
    def per_row(self) -> int:
        return math.isqrt(self.covered.shape[1])

    def _tile(self, distance: Tensor, shift: Tensor) -> Tensor:
        tile = distance.div_(self.side).add_(shift).add_(self.per_row // 2).floor_()
        return tile.clamp_(0, self.per_row - 1).long()


def scatter(seed: int, index: Index, height: int, width: int, fraction: float) -> Tiles:
    side = min(height, width) / TILES_PER_SIDE
    per_row = 2 * math.ceil(math.hypot(height, width) / side)  # twice the image, however turned
    draws = uniform((seed, "tiles", "lattice"), index, 3)
    angle = draws[:, 0].double() * (math.pi / 2)
    turn = torch.stack([angle.cos(), angle.sin()], dim=-1).float()
    covered = uniform((seed, "tiles", "covered"), index, per_row**2) < fraction
    return Tiles(covered, turn, draws[:, 1:], side)
