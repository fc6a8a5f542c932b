"""What a run gets wrong, joint by joint."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from heatmap_research.analysis.error_budget.biases import by_joint
from heatmap_research.analysis.error_budget.spread import Spread
from heatmap_research.analysis.error_budget.state import State


@dataclass(frozen=True, eq=False)
class Joints:
    """What each joint's errors are; nothing is known of one that is nowhere labelled."""

    count: Float64[np.ndarray, " joint"]
    mean_px: Float64[np.ndarray, " joint"]
    bias: Float64[np.ndarray, "joint 2"]  # crop pixels, of what is no gross error
    good: Float64[np.ndarray, " joint"]  # share
    uncertainty: Float64[np.ndarray, " joint"]  # crop pixels, of what is no gross error
    pooled: Bool[np.ndarray, " joint"]  # whose uncertainty is that of all joints

    def as_json(self) -> dict[str, Any]:
        return {name: values.tolist() for name, values in asdict(self).items()}


def per_joint(states: Sequence[State], spread: Spread) -> Joints:
    frame = states[0].frame
    counted = np.concatenate([s.read.truth.counted for s in states])
    sound = np.concatenate([frame.sound(s.read.truth, s.errors) for s in states])
    alike = np.concatenate([frame.similarity(s.read.truth, s.errors) for s in states])
    errors = np.concatenate([s.errors for s in states])
    count = counted.sum(0).astype(float)
    known = np.where(count > 0, count, np.nan)
    lengths = np.hypot(*np.moveaxis(errors, -1, 0))
    return Joints(
        count=count,
        mean_px=np.where(counted, lengths, 0).sum(0) / known,
        bias=by_joint(errors, sound),
        good=(counted & (alike >= frame.good)).sum(0) / known,
        uncertainty=spread.widths,
        pooled=spread.pooled,
    )
