from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.codec import components, heatmaps
from heatmap_research.codec.protocols import Decoder
from heatmap_research.types import Activation, Heatmap, Position


@dataclass(frozen=True)
class Rank:
    """Keeps of a 2-D map what a few products of vectors can say, and has that decoded.

    One product is all that a 1-D head has; a map of one axis is decoded as it is.
    """

    needs: ClassVar[Activation] = "softmax"
    decoder: Decoder
    rank: int  # products in the sum
    steps: int  # of expectation maximisation
    starts: int  # of which the best is kept

    def __post_init__(self) -> None:
        for knob in ("rank", "steps", "starts"):
            if (value := getattr(self, knob)) < 1:
                raise ValueError(f"decoder.rank_{self.rank}.{knob}={value}: give at least 1.")

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        if heatmap.ndim == 4:
            whole = heatmaps.normalise(heatmap)
            heatmap = components.fit(whole, self.rank, self.steps, self.starts)
        return self.decoder(heatmap, stride)
