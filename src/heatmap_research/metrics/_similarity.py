from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float

from heatmap_research.codec import heatmaps
from heatmap_research.types import Prediction, Sample, Tensor

LEAST = 2.0**-52  # added to areas, as pycocotools does


def oks(
    prediction: Prediction, batch: Sample, tolerances: Sequence[float]
) -> tuple[Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Of each person with its own truth, and whether any of its joints is labelled."""
    away = prediction.keypoints.double() - batch.keypoints
    away = away @ batch.to_source[..., :2].double().mT
    area = batch.scale.double() ** 2 + LEAST
    widths = 2 * heatmaps.constant(tolerances, away)
    exponents = away.square().sum(-1) / widths**2 / area[:, None] / 2
    labelled = batch.visible > 0
    terms = torch.where(labelled, (-exponents).exp(), 0)
    return terms.sum(-1) / labelled.sum(-1).clamp(min=1), labelled.any(-1)
