"""How boxes become crops and pixels become bins: one choice, so that the two cannot disagree.

An affine is (2, 3): x, y of one frame to x, y of another.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from heatmap_research.types import Tensor

Affine = Float[Tensor, "*batch 2 3"]
Points = Float[Tensor, "*batch points 2"]
Box = Float[Tensor, "*batch 4"]  # x, y of the corner, width, height; source pixels


@runtime_checkable
class Geometry(Protocol):
    def to_bins(self, pixels: Tensor, stride: float) -> Tensor: ...
    def to_pixels(self, bins: Tensor, stride: float) -> Tensor: ...
    def to_source(self, box: Box, image_size: tuple[int, int]) -> Affine: ...


@dataclass(frozen=True)
class Center:
    """Pixels and bins are squares with their number at the centre: bin 0 begins where pixel 0 does.

    Decoding undoes encoding and a mirrored map needs no shift, at every stride.
    """

    def to_bins(self, pixels: Tensor, stride: float) -> Tensor:
        return (pixels + 0.5) / stride - 0.5

    def to_pixels(self, bins: Tensor, stride: float) -> Tensor:
        return (bins + 0.5) * stride - 0.5

    def to_source(self, box: Box, image_size: tuple[int, int]) -> Affine:
        """Crop pixels to source pixels; the box is widened about its centre to the crop's shape."""
        height, width = image_size
        x, y, box_width, box_height = box.unbind(-1)
        scale = torch.maximum(box_width / width, box_height / height)
        left = x + box_width / 2 - scale * width / 2 + scale / 2 - 0.5
        top = y + box_height / 2 - scale * height / 2 + scale / 2 - 0.5
        zero = torch.zeros_like(scale)
        rows = [torch.stack(row, dim=-1) for row in ((scale, zero, left), (zero, scale, top))]
        return torch.stack(rows, dim=-2)


def apply(affine: Affine, points: Points) -> Points:
    return points @ affine[..., :2].mT + affine[..., None, :, 2]


def inverse(affine: Affine) -> Affine:
    linear = torch.linalg.inv(affine[..., :2])
    return torch.cat([linear, -linear @ affine[..., 2:]], dim=-1)
