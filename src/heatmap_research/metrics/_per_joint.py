from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torchmetrics import Metric

from heatmap_research.metrics.pixel_error import length
from heatmap_research.types import IncompatibleError, PerJoint, Prediction, Sample, Tensor

SIZES = ("pixel", "box", "head", "pair")
AVERAGES = ("points", "joints")


class PerJointMean(Metric):
    """Means over labelled joints of a function of the error; not a number where there is none.

    The error is a distance in the source image divided by a size there: the longer side of the
    person's box, the head, or the distance between two of the true joints. Or it is in crop pixels.
    """

    full_state_update = False
    total: Tensor  # (value, joint)
    count: Tensor  # (joint,)
    values = 1  # that the function has of an error

    def __init__(
        self,
        names: Sequence[str],
        size: str,
        pair: Sequence[str] | None,  # names of two joints, where they are the size
        without: Sequence[str],  # names of joints that do not count, where the data have them
        average: str,  # all labelled points alike, or all joints alike
    ) -> None:
        super().__init__()
        for key, value, known in (("size", size, SIZES), ("average", average, AVERAGES)):
            if value not in known:
                raise ValueError(f"metric.{key}={value}: choose {', '.join(known)}.")
        self.size, self.average = size, average
        self.pair = _pair(names, pair) if size == "pair" else (0, 0)
        self.kept = [joint for joint, name in enumerate(names) if name not in without]
        for state, shape in (("total", (self.values, len(names))), ("count", len(names))):
            self.add_state(state, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        away = prediction.keypoints.double() - batch.keypoints
        size = self._size(batch)
        if self.size != "pixel":
            away = away @ batch.to_source[..., :2].double().mT
        counted = (batch.visible > 0) & (size > 0)[:, None]
        self.total += torch.where(counted, self.of_errors(length(away) / size[:, None]), 0).sum(1)
        self.count += counted.sum(0)

    def of_errors(self, error: PerJoint) -> Float[Tensor, "value batch joint"]:
        return error[None]

    def compute(self) -> Any:
        return self.means()[0]

    def per_joint(self) -> Float[Tensor, "value joint"]:
        return self.total / self.count

    def means(self) -> Float[Tensor, " value"]:
        if self.average == "joints":
            return self.per_joint()[:, self.kept].nanmean(-1)
        return self.total[:, self.kept].sum(-1) / self.count[self.kept].sum()

    def _size(self, batch: Sample) -> Float[Tensor, " batch"]:
        """The size of each person in source pixels; 0 or nan where it is not known."""
        if self.size == "pixel":
            return torch.ones_like(batch.scale).double()
        if self.size == "box":
            return batch.box[:, 2:].amax(-1).double()
        if self.size == "head":
            return batch.head.double()
        first, second = self.pair
        between = (batch.keypoints[:, second] - batch.keypoints[:, first]).double()
        between = batch.to_source[..., :2].double() @ between[..., None]  # (B, 2, 1)
        known = (batch.visible[:, first] > 0) & (batch.visible[:, second] > 0)
        return length(between[..., 0]) * known


def _pair(names: Sequence[str], pair: Sequence[str] | None) -> tuple[int, int]:
    if pair is None or len(pair) != 2 or not set(pair) <= set(names):
        given = "null" if pair is None else f"[{','.join(pair)}]"
        raise IncompatibleError(
            f"metric.pair={given}: the size is the distance between two joints; choose two of "
            f"{', '.join(names)}."
        )
    first, second = pair
    return names.index(first), names.index(second)
