"""What a contrast is to those who answer it."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import Factors
from heatmap_research.types import Tensor

Rows = Float[np.ndarray, "row *level"]  # the weights of all cells, for each number it is made of


@runtime_checkable
class Contrast(Protocol):
    """A figure made of sums of cells: `of` has the sums' means, one for each of `rows`."""

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that are named; cells are averaged over all others."""

    def rows(self, factors: Factors) -> Rows: ...

    def of(self, means: Float[Tensor, " row"]) -> Float[Tensor, ""]: ...

    def words(self) -> str:
        """What the figure is, as the subject of a sentence."""

    def unit(self, unit: str) -> str:
        """The figure's unit, where cells have this one."""
