from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps, taylor
from heatmap_research.types import Activation, Heatmap, IncompatibleError, Position, Tensor


@dataclass(frozen=True)
class ExpectedOks:
    """Finds the position whose expected OKS is highest under a map that is a distribution.

    That is the top of the map after a Gaussian blur as wide as the joint's OKS tolerance.
    """

    needs: ClassVar[Activation] = "softmax"
    tolerances: Sequence[float]  # OKS sigmas of the joints; one stands for all
    image_size: Sequence[int]  # height, width
    area: float  # share of the crop that a person covers

    def __post_init__(self) -> None:
        if not self.tolerances or min(self.tolerances) <= 0:
            raise ValueError(
                f"decoder.expected_oks.tolerances={list(self.tolerances)}: give the OKS sigma of "
                "every joint, above 0."
            )
        if not 0 < self.area <= 1:
            raise ValueError(
                f"decoder.expected_oks.area={self.area:g}: give the share of the crop that a "
                "person covers, above 0 and at most 1."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        joints = heatmap.shape[1]
        if len(self.tolerances) not in (1, joints):
            raise IncompatibleError(
                f"decoder.expected_oks.tolerances has {len(self.tolerances)} OKS sigmas, but maps "
                f"have {joints} joints: give as many, or the one that all share."
            )
        height, width = self.image_size
        pixels = 2 * (self.area * height * width) ** 0.5 / stride
        widths = heatmaps.constant([pixels * t for t in self.tolerances], heatmap)  # bins
        for axis in range(2, heatmap.ndim):
            lines = heatmap.movedim(axis, -1)
            rows = lines.reshape(*lines.shape[:2], -1, lines.shape[-1])
            gained = rows @ _gains(lines.shape[-1], widths)  # (B, K, rows, size)
            heatmap = gained.view(lines.shape).movedim(-1, axis)
        return taylor.parabola(heatmap, torch.finfo(heatmap.dtype).tiny)[0]


def _gains(size: int, widths: Tensor) -> Tensor:
    """Returns the OKS along one axis for every pair of true and predicted bin: (K, size, size)."""
    bins = torch.arange(size, dtype=widths.dtype, device=widths.device)
    away = (bins[:, None] - bins) / widths[:, None, None]
    return (-0.5 * away.square()).clamp(min=-40).exp()
