from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float

from heatmap_research.metrics._per_joint import PerJointMean
from heatmap_research.types import PerJoint, Tensor


class Pck(PerJointMean):
    """The share of joints that are found: whose error is at most a threshold."""

    higher_is_better = True

    def __init__(
        self,
        name: str,
        thresholds: Sequence[float],
        names: Sequence[str],
        size: str,
        pair: Sequence[str] | None,
        without: Sequence[str],
        average: str,
    ) -> None:
        if not thresholds or min(thresholds) < 0:
            raise ValueError(f"metric.pck.thresholds={list(thresholds)}: give some, none negative.")
        found = partial(_found, thresholds=list(thresholds))
        super().__init__(len(thresholds), found, names, size, pair, without, average)
        unit = "px" if size == "pixel" else ""
        self.keys = [f"{name}@{threshold:g}{unit}" for threshold in thresholds]

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(self.keys, self.means().unbind(), strict=True))


def _found(error: PerJoint, thresholds: Sequence[float]) -> Float[Tensor, "value batch joint"]:
    return torch.stack([(error <= threshold).double() for threshold in thresholds])
