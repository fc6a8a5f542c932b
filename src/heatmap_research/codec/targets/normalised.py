from dataclasses import dataclass

from heatmap_research.codec import heatmaps
from heatmap_research.codec.protocols import Target
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Normalised:
    """Scales another target to sum to one over the bins there are, also at the border."""

    target: Target

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        return heatmaps.normalise(self.target(position, shape, stride))
