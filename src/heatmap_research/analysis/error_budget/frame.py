"""What oracles know of a codec and of the joints it is for."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from heatmap_research.analysis.error_budget.stages import Points, Truth

Similarity = Float64[np.ndarray, "person joint"]


@dataclass(frozen=True)
class Frame:
    image_size: tuple[int, int]  # height, width
    lines: tuple[tuple[float, float], ...]  # of y and x: the pixel bin 0 sits on, pixels per bin
    tolerances: tuple[float, ...]  # OKS sigmas
    flip: tuple[int, ...]  # joint i of a mirrored person is joint flip[i]
    good: float  # a joint this similar to its truth is no gross error
    near: float  # one this similar to a point is at that point
    cell: str = "bin"  # that a phase is within; a pixel where there are no bins

    def __post_init__(self) -> None:
        if not 0 < self.near < self.good < 1:
            raise ValueError(
                f"near={self.near:g} and good={self.good:g}: give similarities above 0 and below "
                "1, the second the higher."
            )

    @property
    def spacing(self) -> tuple[float, float]:
        """Crop pixels per bin along x and y."""
        (_, down), (_, across) = self.lines
        return across, down

    def phase(self, points: Float64[np.ndarray, "*any 2"]) -> Float64[np.ndarray, "*any 2"]:
        """In bins (or pixels) from the middle of the nearest, -1/2 to 1/2, along x and y."""
        (top, _), (left, _) = self.lines
        bins = (points - np.array([left, top])) / np.array(self.spacing)
        return bins - np.floor(bins + 0.5)

    def similarity(self, truth: Truth, away: Points) -> Similarity:
        """OKS of one joint: 1 at no distance, exp(-1/2) at twice its tolerance times the scale."""
        source = (away * truth.unit[:, None]) / (self.reach * truth.scale[:, None, None])
        return np.exp(-0.5 * (source**2).sum(-1))

    @property
    def reach(self) -> Float64[np.ndarray, "joint 1"]:
        """Shares of a person's scale."""
        return 2 * np.array(self.tolerances)[:, None]

    def sound(self, truth: Truth, away: Points) -> Bool[np.ndarray, "person joint"]:
        """What systematic errors are to be read from: labelled, and no gross error."""
        return truth.counted & (self.similarity(truth, away) >= self.near)
