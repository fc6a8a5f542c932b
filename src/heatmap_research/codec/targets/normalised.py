from collections.abc import Callable
from dataclasses import dataclass

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Normalised:
    """Any target as a distribution: it sums to one over the bins there are, also at the border."""

    target: Callable[[Position, tuple[int, ...], Strides], Heatmap]

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        return heatmaps.normalise(self.target(position, shape, stride))
