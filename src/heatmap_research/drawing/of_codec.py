"""Makes what is drawn of a batch that holds one image."""

import numpy as np
import torch
from torch import Tensor

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.drawing.example import Array, Example
from heatmap_research.types import Heatmap, Heatmaps, PerJoint, Prediction, Sample


def labelled(codec: Codec | CoordinateCodec, batch: Sample) -> tuple[Heatmaps, PerJoint]:
    """The maps a perfect network would answer with, and which joints have a label to be seen."""
    if isinstance(codec, CoordinateCodec):
        drawn = codec.labels.drawn(batch.visible, torch.zeros_like(batch.keypoints[..., 0]))
        return (batch.keypoints,) * (2 if codec.loss.spread else 1), drawn
    others = batch.others, batch.others_visible
    labels = codec.encode(batch.keypoints, batch.visible, others)
    drawn = torch.stack([each.visible * _has_shape(each.heatmap) for each in labels]).amin(0)
    return tuple(codec.as_read(each.heatmap) for each in labels), drawn * (batch.visible > 0)


def example(
    codec: Codec | CoordinateCodec,
    batch: Sample,
    activated: Heatmaps,
    drawn: Tensor,  # (1, joint), 0 where a joint is left out
    decoder: str | None = None,  # the first one
    spread: bool = True,  # whether to draw the deviations that a regression has learnt
) -> Example:
    by_decoder = decoded(codec, activated)
    points = by_decoder[decoder or next(iter(by_decoder))].keypoints
    regression = isinstance(codec, CoordinateCodec)
    learnt = regression and spread and len(activated) > 1
    maps = [each * drawn.view(1, -1, *[1] * (each.ndim - 2)) for each in activated]
    return Example(
        image=_colours(batch.image[0]),
        maps=[] if regression else [each[0].numpy() for each in maps],
        lines=() if regression else codec.grid.lines,
        truth=_where(batch.keypoints, batch.visible > 0),
        decoded=_where(points, drawn > 0),
        deviations=activated[1][0].numpy() if learnt else None,
    )


def decoded(codec: Codec | CoordinateCodec, activated: Heatmaps) -> dict[str, Prediction]:
    with torch.inference_mode():
        return codec.decode(activated)


def _has_shape(label: Heatmap) -> PerJoint:
    """0 for a blank label, zero or uniform, which has no place to be decoded."""
    values = label.flatten(2)
    return (values.amax(-1) > values.amin(-1)).to(label.dtype)


def _colours(image: Tensor) -> np.ndarray:
    """The first three channels as red, green and blue; fewer become grey, by the first."""
    shown = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    return shown.permute(1, 2, 0).numpy()


def _where(points: Tensor, there: Tensor) -> Array:
    return np.where(there[0, :, None].numpy(), points[0].numpy(), np.nan)
