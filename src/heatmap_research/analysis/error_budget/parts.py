"""The parts an error is made of, in an order: each is what its replacement takes off the rest.

Parts do not add: what a better decoder saves depends on what was put right before it. So a budget
is one of an order. In any, the parts and the remainder come to the total, and the remainder is the
same: the error with everything put right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from heatmap_research.analysis.error_budget.biases import JointBias, PhaseBias
from heatmap_research.analysis.error_budget.gross import KINDS, Gross
from heatmap_research.analysis.error_budget.readings import Decoding, Flip
from heatmap_research.analysis.error_budget.rounding import ExactLabels
from heatmap_research.analysis.error_budget.state import Replacement, State

ORDER = ("labels", "decoding", "flip", "joint_bias", "phase_bias", *KINDS[1:])


@dataclass(frozen=True)
class Part:
    name: str
    mean_px: float  # mean error before less after; below 0 where the replacement harms
    square_px2: float  # likewise of the mean squared error
    share: float  # of the total mean error; 0 of none


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
    """In the order in which they are applied where several are, whatever a budget's order.

    What is taken off an answer waits for the answer to be chosen.
    """
    exact = () if labels is None else (labels,)
    return (Decoding(), Flip(), *exact, JointBias(), PhaseBias(), *map(Gross, KINDS[1:]))


def budget(starts: Sequence[State], able: Sequence[Replacement], order: Sequence[str]) -> Budget:
    """Of one state, or of the two halves of a stage that each is fitted to the other."""
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
    """Forwards and backwards."""
    order = sorted((each.name for each in able), key=ORDER.index)
    return budget(starts, able, order), budget(starts, able, order[::-1])


def replaced(state: State, able: Sequence[Replacement], names: Sequence[str]) -> State:
    """What stands first among the able is applied first, whatever the order of names."""
    for replacement in able:
        if replacement.name in names:
            state = replacement(state)
    return state


def measured(states: Sequence[State]) -> tuple[float, float]:
    """Mean length and mean square of labelled joints' errors."""
    kept = [state.errors[state.read.truth.counted] for state in states]
    lengths = np.hypot(*np.concatenate(kept).T)
    return float(lengths.mean()), float((lengths**2).mean())
