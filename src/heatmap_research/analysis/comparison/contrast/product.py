from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import Factors
from heatmap_research.analysis.comparison.contrast.protocols import Rows
from heatmap_research.analysis.comparison.contrast.weights import (
    Spec,
    product,
    refuse_unreadable,
)
from heatmap_research.types import Tensor


@dataclass(frozen=True)
class Product:
    """A sum of cells whose weights are products: a difference, a slope, or how one changes another.

    `arm: simcc - ce_2d` alone is a difference; with `stride: per doubling`, how it grows.
    """

    weights: Mapping[str, Spec]

    def __post_init__(self) -> None:
        refuse_unreadable(self.weights)

    @property
    def factors(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def rows(self, factors: Factors) -> Rows:
        return product(self.weights, factors)[None]

    def of(self, means: Float[Tensor, " row"]) -> Float[Tensor, ""]:
        return means[0]

    def words(self) -> str:
        return ", ".join(said(name, spec) for name, spec in self.weights.items())

    def unit(self, unit: str) -> str:
        return unit


def said(factor: str, spec: Spec) -> str:
    """A factor's part of the contrast in words."""
    if isinstance(spec, Mapping):
        return f"{factor}: " + " ".join(f"{weight:+g} {level}" for level, weight in spec.items())
    words = str(spec).replace(" - ", " less ", 1).replace(" - ", " and ").replace(" + ", " and ")
    if words.startswith("per "):
        return f"{words} of {factor}"
    return words if " less " in words else f"at {factor}={words}"
