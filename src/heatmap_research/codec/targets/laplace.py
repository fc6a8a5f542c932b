import math
from dataclasses import dataclass

from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Laplace:
    """Draws, with peak 1 at the exact position, flanks that are straight on a log scale."""

    sigma: float  # standard deviation, input pixels

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise ValueError(f"sigma={self.sigma:g}: a label's width in input pixels is above 0.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        steep = [math.sqrt(2) * s / self.sigma for s in stride]
        pairs = zip(heatmaps.distances(position, shape), steep, strict=True)
        return gaussians.outer([(-d.abs() * k).clamp(min=-40).exp() for d, k in pairs])
