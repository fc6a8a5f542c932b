"""How boxes become crops and pixels become bins: one choice, so that the two cannot disagree."""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from heatmap_research.types import Tensor

Affine = Float[Tensor, "*batch 2 3"]  # takes x, y of one frame to x, y of another
Points = Float[Tensor, "*batch points 2"]
Box = Float[Tensor, "*batch 4"]  # x, y of the corner, width, height; source pixels


@dataclass(frozen=True)
class Geometry:
    """Where an axis of pixels, or of bins, begins and ends; pixel n, or bin n, sits at n.

    Resizing brings beginning to beginning and end to end. If an axis runs from -1/2 to
    size - 1/2, pixels are squares about their numbers, and a mirrored map needs no shift at any
    stride.
    """

    first: float  # where an axis begins
    last: float  # where it ends, counted from its size
    flip_shift: float | None  # bins by which a mirrored map is moved to the right; null: computed

    def line(self, size: int, bins: int) -> tuple[float, float]:
        """Returns the pixel that bin 0 sits on, and the pixels from one bin to the next."""
        if (span := bins + self.last - self.first) <= 0:
            raise ValueError(f"this geometry measures between bins, and there is only {bins}.")
        spacing = (size + self.last - self.first) / span
        return self.first * (1 - spacing), spacing

    def shift(self, size: int, bins: int) -> float:
        """Returns by how many bins to the right a mirrored map must move; 0 if both edges agree."""
        if self.flip_shift is not None:
            return self.flip_shift
        origin, spacing = self.line(size, bins)
        return (size - 1 - 2 * origin) / spacing - (bins - 1)

    def to_source(self, box: Box, image_size: tuple[int, int]) -> Affine:
        """Returns the affine from crop to source pixels of the box, widened to the crop's shape."""
        height, width = image_size
        x, y, box_width, box_height = box.unbind(-1)
        scale = torch.maximum(box_width / width, box_height / height)
        across = self._line(x + box_width / 2, scale, width)
        down = self._line(y + box_height / 2, scale, height)
        zero = torch.zeros_like(scale)
        rows = ((across[1], zero, across[0]), (zero, down[1], down[0]))
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def _line(self, middle: Tensor, scale: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Returns where crop pixel 0 lies and how far crop pixels are apart, in source pixels."""
        spacing = scale * (size / (size + self.last - self.first))
        return middle - scale * size / 2 + self.first * (1 - spacing), spacing


def padded(box: Box, padding: float) -> Box:
    """Grows a box about its middle to so many times its sides."""
    corner, size = box.split(2, dim=-1)
    grown = padding * size
    return torch.cat([corner + (size - grown) / 2, grown], dim=-1)


def apply(affine: Affine, points: Points) -> Points:
    return points @ affine[..., :2].mT + affine[..., None, :, 2]


def inverse(affine: Affine) -> Affine:
    linear = torch.linalg.inv(affine[..., :2])
    return torch.cat([linear, -linear @ affine[..., 2:]], dim=-1)
