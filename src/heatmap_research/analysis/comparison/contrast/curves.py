"""Figures of errors that fall over a budget: exponents, and how far one curve is behind another.

All are of straight lines between budgets that were run, on logarithmic axes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import Factors
from heatmap_research.analysis.comparison.contrast.product import said
from heatmap_research.analysis.comparison.contrast.protocols import Rows
from heatmap_research.analysis.comparison.contrast.weights import (
    Spec,
    product,
    refuse_unreadable,
)
from heatmap_research.types import Tensor

STEPS = "trainer.max_steps"
LEVELS = 33  # of error, evenly apart in its logarithm, at which two curves are compared

OfWhat = Literal["mean", "drift"]
Curve = Float[Tensor, " budget"]  # logarithms, base 2


@dataclass(frozen=True)
class Exponent:
    """How often an error is halved when the budget is doubled once, between two budgets."""

    between: Sequence[float]
    at: Mapping[str, Spec]
    over: str = STEPS

    def __post_init__(self) -> None:
        refuse_unreadable(self.at)
        if len(set(self.between)) != 2 or len(self.between) != 2:
            raise ValueError(f"question: between={list(self.between)}: give two budgets.")

    @property
    def factors(self) -> tuple[str, ...]:
        return (*self.at, self.over)

    def rows(self, factors: Factors) -> Rows:
        return np.stack([product({**self.at, self.over: end}, factors) for end in self.between])

    def of(self, means: Float[Tensor, " row"]) -> Float[Tensor, ""]:
        first, last = map(float, self.between)
        return torch.log2(means[0] / means[1]) / np.log2(last / first)

    def words(self) -> str:
        where = ", ".join(said(name, spec) for name, spec in self.at.items())
        first, last = self.between
        return f"the exponent of {self.over} from {first:g} to {last:g}, {where}"

    def unit(self, unit: str) -> str:
        return "halvings a doubling"


@dataclass(frozen=True)
class Shift:
    """How many doublings of its budget the first side needs more, for an error as low as the other.

    `of_what=mean`: over all errors that both curves pass through. `drift`: what it grows by with
    each halving of the error.
    """

    between: Mapping[str, str]  # factor: slow - fast
    budgets: Sequence[float]
    over: str = STEPS
    of_what: OfWhat = "mean"

    def __post_init__(self) -> None:
        if wrong := [words for words in self.between.values() if str(words).count(" - ") != 1]:
            raise ValueError(f"question: between is SLOW - FAST, not {wrong[0]}.")
        if list(self.budgets) != sorted(set(self.budgets)) or len(self.budgets) < 2:
            raise ValueError(f"question: budgets={list(self.budgets)}: give two or more, rising.")
        if self.of_what not in get_args(OfWhat):
            raise ValueError(
                f"question: of_what={self.of_what}: choose {', '.join(get_args(OfWhat))}."
            )

    @property
    def factors(self) -> tuple[str, ...]:
        return (*self.between, self.over)

    def rows(self, factors: Factors) -> Rows:
        sides = [
            {name: str(words).split(" - ")[side] for name, words in self.between.items()}
            for side in (0, 1)
        ]
        curves = [product({**s, self.over: b}, factors) for s in sides for b in self.budgets]
        return np.stack(curves)

    def of(self, means: Float[Tensor, " row"]) -> Float[Tensor, ""]:
        slow, fast = torch.log2(means.reshape(2, -1))
        budgets = torch.log2(torch.tensor(self.budgets, dtype=means.dtype))
        low = torch.maximum(slow.min(), fast.min())
        high = torch.minimum(slow[0], fast[0])
        if low >= high:
            raise ValueError("question: the two curves have no error in common: run more budgets.")
        errors = low + (high - low) * torch.linspace(0, 1, LEVELS, dtype=means.dtype)
        behind = _needed(slow, budgets, errors) - _needed(fast, budgets, errors)
        if self.of_what == "mean":
            return behind.mean()
        away = errors.mean() - errors  # halvings
        return (away * behind).sum() / (away**2).sum()

    def words(self) -> str:
        sides = "; ".join(f"{name}: {words}" for name, words in self.between.items())
        kind = "equal-error budget" if self.of_what == "mean" else "drift of the equal-error budget"
        return f"{kind} ({self.over}; {sides.replace(' - ', ' over ')})"

    def unit(self, unit: str) -> str:
        return "doublings" if self.of_what == "mean" else "doublings a halving of the error"


def _needed(curve: Curve, budgets: Curve, errors: Float[Tensor, " error"]) -> Tensor:
    """The least budget at which each error is reached; a rise on the way does not count."""
    lowest = torch.cummin(curve, 0).values
    reached = (lowest <= errors[:, None] + 1e-12).double()
    after = reached.argmax(1).clamp(min=1)
    fall = curve[after - 1] - curve[after]
    share = (curve[after - 1] - errors) / fall
    return budgets[after - 1] + share * (budgets[after] - budgets[after - 1])
