"""A batch of one as a codec sees it, ready to be drawn."""

import numpy as np
import torch
from torch import Tensor

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.drawing.example import Array, Example
from heatmap_research.types import Heatmap, Heatmaps, PerJoint, Prediction, Sample


def labelled(codec: Codec | CoordinateCodec, batch: Sample) -> tuple[Heatmaps, PerJoint]:
    """What a perfect network would answer, and which joints have a label to be seen."""
    if isinstance(codec, CoordinateCodec):
        drawn = codec.labels.drawn(batch.visible, torch.zeros_like(batch.keypoints[..., 0]))
        return (batch.keypoints,) * (2 if codec.loss.spread else 1), drawn
    labels = codec.encode(batch.keypoints, batch.visible)
    drawn = torch.stack([each.visible * _shaped(each.heatmap) for each in labels]).amin(0)
    return tuple(codec.as_read(each.heatmap) for each in labels), drawn * (batch.visible > 0)


def example(
    codec: Codec | CoordinateCodec,
    batch: Sample,
    activated: Heatmaps,
    drawn: Tensor,
    decoder: str | None = None,
    spread: bool = True,
) -> Example:
    found = decoded(codec, activated)
    point = found[decoder or next(iter(found))].keypoints
    regression = isinstance(codec, CoordinateCodec)
    widths = _array(activated[1]) if regression and spread and len(activated) > 1 else None
    maps = (
        []
        if regression
        else [each * drawn.view(1, -1, *[1] * (each.ndim - 2)) for each in activated]
    )
    return Example(
        image=_colours(batch.image[0]),
        maps=[_array(each) for each in maps],
        lines=() if regression else codec.grid.lines,
        truth=_where(batch.keypoints, batch.visible > 0),
        found=_where(point, drawn > 0),
        spread=widths,
    )


def decoded(codec: Codec | CoordinateCodec, activated: Heatmaps) -> dict[str, Prediction]:
    with torch.inference_mode():
        return codec.decode(activated)


def _shaped(label: Heatmap) -> PerJoint:
    """A blank label, zero or uniform, has no place to be decoded."""
    values = label.flatten(2)
    return (values.amax(-1) > values.amin(-1)).to(label.dtype)


def _colours(image: Tensor) -> np.ndarray:
    """Red, green and blue where there are three channels; else the first as grey."""
    shown = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    return shown.permute(1, 2, 0).numpy()


def _where(points: Tensor, there: Tensor) -> Array:
    return np.where(there[0, :, None].numpy(), points[0].numpy(), np.nan)


def _array(tensor: Tensor) -> Array:
    return tensor[0].numpy()
