from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import blurring, heatmaps, taylor
from heatmap_research.codec.decoders._published import check_kernel, check_range
from heatmap_research.types import Heatmap, PerJoint, Position


@dataclass(frozen=True)
class DarkUdp:
    """DARK as in mmpose for UDP: takes a step of any length everywhere, also at the border.

    Beyond the map its outermost bins are repeated. Values are cut off on both sides, so maps with
    a low peak, such as distributions over many bins, lose their flanks.
    """

    needs: ClassVar[None] = None
    size: int  # bins of the blur's kernel along each axis
    low: float  # values are cut off here before the logarithm
    high: float
    epsilon: float  # added to second differences

    def __post_init__(self) -> None:
        check_kernel("decoder.dark_udp.size", self.size)
        check_range("decoder.dark_udp.low", self.low, self.high)

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        log = blurring.modulated(heatmap, self.size).clamp(self.low, self.high).log()
        near, _ = heatmaps.neighbourhood(blurring.extended(log, 1), centre + 1)
        axes = range(centre.shape[-1])
        rows = [torch.stack([_second(near, a, b) for a in axes], dim=-1) for b in axes]
        own = self.epsilon * torch.eye(len(axes), dtype=log.dtype, device=log.device)
        step = taylor.newton(taylor.gradient(near), torch.stack(rows, dim=-2) + own)
        return centre + step


def _second(near: Heatmap, first: int, second: int) -> PerJoint:
    """Takes a mixed difference from how much more the diagonal bends than the two axes do."""
    along, across = (taylor.bend(taylor.through(near, axis)) for axis in (first, second))
    if first == second:
        return along
    plane = taylor.through(near, first, second)
    return (taylor.bend(plane.diagonal(dim1=-2, dim2=-1)) - along - across) / 2
