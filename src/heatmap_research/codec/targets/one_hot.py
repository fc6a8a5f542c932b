import math
from dataclasses import dataclass

import torch

from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class OneHot:
    """Puts all mass in the bin that holds the position: localisation as classification."""

    smoothing: float  # share of the mass that is spread evenly over all other bins

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"target.smoothing={self.smoothing:g}: give a share, 0 to below 1.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        places = zip(position.unbind(-1), shape, strict=True)
        nearest = [place.round().clamp(0, size - 1) for place, size in places]
        away = heatmaps.distances(torch.stack(nearest, dim=-1), shape)
        hit = gaussians.outer([(d == 0).to(d.dtype) for d in away])
        elsewhere = self.smoothing / max(1, math.prod(shape) - 1)
        return hit * (1 - self.smoothing) + (1 - hit) * elsewhere
