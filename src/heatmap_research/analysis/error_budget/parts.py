"""The parts an error is made of, in an order: each is what its replacement takes off the rest.

What a better decoder saves depends on what was put right before it, so a budget belongs to an
order. In any order the parts and the remainder come to the total, and the remainder is the same:
the error with everything put right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from heatmap_research.analysis.error_budget import replacements as oracles
from heatmap_research.analysis.error_budget.gross import KINDS, Gross
from heatmap_research.analysis.error_budget.rounding import ExactLabels
from heatmap_research.analysis.error_budget.state import Replacement, State

SYSTEMATIC = ("labels", "decoding", "flip", "joint_bias", "phase_bias")
ORDER = (*SYSTEMATIC, *KINDS[1:])


@dataclass(frozen=True)
class Part:
    name: str
    mean_px: float  # mean error before less after; below 0 where the replacement harms
    square_px2: float  # likewise of the mean squared error
    share: float  # of the total mean error; 0 where that is 0


@dataclass(frozen=True)
class Budget:
    total_px: float
    total_px2: float
    parts: tuple[Part, ...]
    remainder_px: float
    remainder_px2: float

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def part(self, name: str) -> Part:
        return self.parts[self.order.index(name)]

    def as_json(self) -> dict[str, Any]:
        return {"order": list(self.order), **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Budget":
        values = {name: value for name, value in content.items() if name != "order"}
        return cls(**{**values, "parts": tuple(Part(**part) for part in content["parts"])})


def replacements(labels: ExactLabels | None) -> tuple[Replacement, ...]:
    """All oracles as they are applied: an answer is chosen before an error is taken off it."""
    exact = () if labels is None else (labels,)
    biases = oracles.JointBias(), oracles.PhaseBias()
    return (oracles.Decoding(), oracles.Flip(), *exact, *biases, *map(Gross, KINDS[1:]))


def budget(starts: Sequence[State], able: Sequence[Replacement], order: Sequence[str]) -> Budget:
    """The budget of all states: one, or two halves of a stage that are fitted to each other."""
    if sorted(order) != sorted(each.name for each in able):
        raise ValueError(f"order={','.join(order)}: name each of {[e.name for e in able]} once.")
    means = [
        measured([replaced(start, able, order[:done]) for start in starts])
        for done in range(len(order) + 1)
    ]
    (total, square), (rest, rest_square) = means[0], means[-1]
    parts = tuple(
        Part(name, (gain := before[0] - after[0]), before[1] - after[1], gain / (total or 1.0))
        for name, before, after in zip(order, means, means[1:], strict=False)
    )
    return Budget(total, square, parts, rest, rest_square)


def both_orders(starts: Sequence[State], able: Sequence[Replacement]) -> tuple[Budget, Budget]:
    """The budgets in the usual order and in the opposite one."""
    order = sorted((each.name for each in able), key=ORDER.index)
    return budget(starts, able, order), budget(starts, able, order[::-1])


def replaced(state: State, able: Sequence[Replacement], names: Sequence[str]) -> State:
    """The state with these parts put right, in the order of the replacements, not of the names."""
    for replacement in able:
        if replacement.name in names:
            state = replacement(state)
    return state


def measured(states: Sequence[State]) -> tuple[float, float]:
    """Mean length (px) and mean square (px²) of labelled joints' errors."""
    kept = [state.errors[state.read.truth.counted] for state in states]
    lengths = np.hypot(*np.concatenate(kept).T)
    return float(lengths.mean()), float((lengths**2).mean())
