"""How much is gained by measuring two arms on the same images."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics.interval import IMAGES
from heatmap_research.analysis.comparison.statistics.two_way import two_way

Cells = Float[np.ndarray, "seed image"]


@dataclass(frozen=True)
class Pairing:
    """Half the widths of 95 % intervals of means, for these seeds on new images."""

    one: float
    other: float
    paired: float  # of the differences, image by image

    @property
    def apart(self) -> float:
        """Half the width for the difference if each arm had met its own images: squares add."""
        return math.hypot(self.one, self.other)

    def words(self, names: tuple[str, str], unit: str) -> str:
        return (
            f"{names[0]} ±{self.one:.3f}, {names[1]} ±{self.other:.3f}; their difference "
            f"±{self.paired:.3f} image by image, ±{self.apart:.3f} on different images ({unit})"
        )


def pairing(one: Cells, other: Cells) -> Pairing:
    return Pairing(_half(one), _half(other), _half(one - other))


def _half(cells: Cells) -> float:
    interval = two_way(cells, IMAGES)
    return (interval.high - interval.low) / 2
