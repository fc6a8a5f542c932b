from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torchmetrics import Metric

from heatmap_research.metrics import mean_oks
from heatmap_research.metrics.pixel_error import length
from heatmap_research.types import Prediction, Sample, Tensor

PER_JOINT = ("bias_x_px", "bias_y_px", "mean_abs_x_px", "mean_abs_y_px", "error_px")


class Breakdown(Metric):
    """Errors in crop pixels by joint and axis, and errors and OKS in parts of the data.

    A bias is prediction minus truth. A figure is not a number where its part is empty.
    """

    full_state_update = False
    joints: Tensor  # sums of PER_JOINT, and the count of points
    joint_parts: Tensor  # error and count
    person_parts: Tensor  # error, points, OKS, people

    def __init__(
        self,
        names: Sequence[str],
        tolerances: Sequence[float] | None,  # None: nobody knows them, so no OKS is counted
        areas: Sequence[float],  # where medium begins and ends
        overlaps: Sequence[float],  # IoU with another person's box is above it
        border: float,  # of the crop's side
    ) -> None:
        super().__init__()
        self.names, self.areas, self.overlaps = list(names), tuple(areas), tuple(overlaps)
        self.border = border
        self.of_joints = ("visible", "covered", "near_border", "inside")
        above = [f"overlap_above_{least:g}" for least in overlaps]
        self.of_people = ("small", "medium", "large", "alone", *above)
        self.tolerances = None if tolerances is None else list(tolerances)
        for name, *shape in (
            ("joints", len(PER_JOINT) + 1, len(names)),
            ("joint_parts", 2, len(self.of_joints)),
            ("person_parts", 4, len(self.of_people)),
        ):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        away = prediction.keypoints.double() - batch.keypoints
        error = length(away)
        labelled = batch.visible > 0
        values = torch.stack([*away.unbind(-1), *away.abs().unbind(-1), error])
        self.joints += _among(torch.cat([values, torch.ones_like(error)[None]]), labelled).sum(1)

        pair = torch.stack([error, torch.ones_like(error)])
        parts = self._joint_masks(batch) & labelled
        self.joint_parts += _among(pair[:, None], parts).sum((-2, -1))

        people = self._person_masks(batch)
        tolerances = self.tolerances or [1.0] * len(self.names)  # any, where none are known
        similarity, counted = mean_oks.of_people(prediction, batch, tolerances)
        of_points = _among(pair[:, None], people[..., None] & labelled).sum((-2, -1))
        pair = torch.stack([similarity, torch.ones_like(similarity)])
        of_people = _among(pair[:, None], people & counted).sum(-1)
        self.person_parts += torch.cat([of_points, of_people])

    def compute(self) -> dict[str, Tensor]:
        figures = {}
        *sums, count = self.joints
        for name, total in zip(PER_JOINT, sums, strict=True):
            figures[name] = total.sum() / count.sum()
            for joint, mean in zip(self.names, total / count, strict=True):
                figures[f"{name}.{joint}"] = mean
        for part, (error, points) in zip(self.of_joints, self.joint_parts.T, strict=True):
            figures[f"error_px.{part}"] = error / points
        for part, sums in zip(self.of_people, self.person_parts.T, strict=True):
            error, points, similarity, people = sums
            figures[f"error_px.{part}"] = error / points
            if self.tolerances:
                figures[f"oks.{part}"] = similarity / people
        return figures

    def _joint_masks(self, batch: Sample) -> Bool[Tensor, "part batch joint"]:
        height, width = batch.image.shape[-2:]
        near = torch.zeros_like(batch.visible, dtype=torch.bool)
        for place, size in zip(batch.keypoints.unbind(-1), (width, height), strict=True):
            near |= torch.minimum(place + 0.5, size - 0.5 - place) < self.border * size
        return torch.stack([batch.visible == 2, batch.visible == 1, near, ~near])

    def _person_masks(self, batch: Sample) -> Bool[Tensor, "part batch"]:
        area = batch.scale.double() ** 2
        medium, large = self.areas
        sizes = (area < medium, (area >= medium) & (area <= large), area > large)
        return torch.stack(
            [*sizes, batch.overlap == 0, *(batch.overlap > least for least in self.overlaps)]
        )


def _among(values: Float[Tensor, "..."], counted: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    return torch.where(counted, values, 0)
