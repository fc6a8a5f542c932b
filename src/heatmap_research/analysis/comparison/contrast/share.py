from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import Factors
from heatmap_research.analysis.comparison.contrast.protocols import Rows
from heatmap_research.analysis.comparison.contrast.weights import NoRunsError, product
from heatmap_research.types import Tensor

Corners = dict[frozenset[str], Float[np.ndarray, "*level"]]  # cells in which these steps are done


@dataclass(frozen=True)
class Share:
    """What one step adds on the way from one cell to another, averaged over orders (Shapley, 1953).

    Orders that pass a cell of which there are no runs are left out: of a chain of cells, one is
    left. The shares of all steps add up to the whole.
    """

    chain: Mapping[str, str]  # factor: from -> to
    of_step: str
    relative: bool = False  # in percent of the whole way

    def __post_init__(self) -> None:
        if self.of_step not in self.chain:
            steps = ", ".join(self.chain)
            raise ValueError(f"question: of_step={self.of_step} is none of the chain's: {steps}.")
        if wrong := [way for way in self.chain.values() if str(way).count(" -> ") != 1]:
            raise ValueError(f"question: a step of a chain is FROM -> TO, not {wrong[0]}.")

    @property
    def factors(self) -> tuple[str, ...]:
        return tuple(self.chain)

    def rows(self, factors: Factors) -> Rows:
        corners: Corners = {}
        for done in _subsets(tuple(self.chain)):
            with suppress(NoRunsError):
                corners[done] = product(self._levels(done), factors)
        ways = [way for way in permutations(self.chain) if _passes(way, corners)]
        if not ways:
            raise ValueError(f"question: no order of {', '.join(self.chain)} has runs all the way.")
        share = np.mean([self._step(way, corners) for way in ways], axis=0)
        first, last = corners[frozenset()], corners[frozenset(self.chain)]
        return np.stack([share, last - first])

    def of(self, means: Float[Tensor, " row"]) -> Float[Tensor, ""]:
        return 100 * means[0] / means[1] if self.relative else means[0]

    def words(self) -> str:
        start, end = str(self.chain[self.of_step]).split(" -> ")
        return f"the step of {self.of_step} from {start} to {end}"

    def unit(self, unit: str) -> str:
        return "% of the whole way" if self.relative else unit

    def _levels(self, done: frozenset[str]) -> dict[str, str]:
        return {name: str(way).split(" -> ")[name in done] for name, way in self.chain.items()}

    def _step(self, way: tuple[str, ...], corners: Corners) -> Float[np.ndarray, "*level"]:
        before = way.index(self.of_step)
        return corners[frozenset(way[: before + 1])] - corners[frozenset(way[:before])]


def _passes(way: tuple[str, ...], corners: Corners) -> bool:
    return all(frozenset(way[:n]) in corners for n in range(len(way) + 1))


def _subsets(names: tuple[str, ...]) -> list[frozenset[str]]:
    return [
        frozenset(name for place, name in enumerate(names) if bits >> place & 1)
        for bits in range(1 << len(names))
    ]
