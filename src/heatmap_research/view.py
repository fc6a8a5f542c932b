"""What a representation makes of one image: as its label says, and as a trained run answers."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from heatmap_research.analysis.example import Array, Example
from heatmap_research.build import build, build_data, check, load_weights
from heatmap_research.codec import Codec
from heatmap_research.coordinate_codec import CoordinateCodec
from heatmap_research.run_store import RunStore
from heatmap_research.types import (
    Heatmap,
    Heatmaps,
    IncompatibleError,
    PerJoint,
    Prediction,
    Sample,
    Tensor,
)


def sample(cfg: DictConfig, stage: str, index: int) -> Sample:
    """A batch of one."""
    module = build_data(cfg)
    data = module.dataset(stage)
    size = len(data)  # type: ignore[arg-type]
    if not 0 <= index < size:
        raise IncompatibleError(f"index={index}: {stage} has images 0 to {size - 1}.")
    return module.collate([data[index]])


def label(cfg: DictConfig, batch: Sample) -> tuple[Example, dict[str, float]]:
    """The label, decoded by the first decoder; and how far each decoder is off, in pixels."""
    codec = check(cfg).codec
    if isinstance(codec, CoordinateCodec):
        drawn = codec.labels.drawn(batch.visible, torch.zeros_like(batch.keypoints[..., 0]))
        activated: Heatmaps = (batch.keypoints,) * (2 if codec.loss.spread else 1)
        return _example(codec, batch, activated, drawn, spread=False), _errors(
            codec, batch, drawn, activated
        )
    labels = codec.encode(batch.keypoints, batch.visible)
    drawn = torch.stack([each.visible * _shaped(each.heatmap) for each in labels]).amin(0)
    drawn = drawn * (batch.visible > 0)
    activated = tuple(codec.as_read(each.heatmap) for each in labels)
    return _example(codec, batch, activated, drawn), _errors(codec, batch, drawn, activated)


def predicted(
    cfg: DictConfig, batch: Sample, checkpoint: Path, decoder: str | None = None
) -> tuple[Example, dict[str, float]]:
    """By the weights of a run; where a decoder is not named, by the first."""
    task = build(cfg).eval()
    load_weights(task, checkpoint)
    with torch.inference_mode():
        activated = task.activated(batch.image)
    everywhere = torch.ones_like(batch.keypoints[..., 0])
    errors = _errors(task.codec, batch, everywhere * (batch.visible > 0), activated)
    return _example(task.codec, batch, activated, everywhere, decoder), errors


def of_run(store: RunStore, decoder: str) -> Example:
    """A finished run's view of its first test image."""
    cfg = cast(DictConfig, OmegaConf.create(store.read()["config"]))
    batch = sample(cfg, "test", 0)
    return predicted(cfg, batch, store.checkpoints / "last.ckpt", decoder)[0]


def _example(
    codec: Codec | CoordinateCodec,
    batch: Sample,
    activated: Heatmaps,
    drawn: Tensor,
    decoder: str | None = None,
    spread: bool = True,
) -> Example:
    found = _decoded(codec, activated)
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


def _decoded(codec: Codec | CoordinateCodec, activated: Heatmaps) -> dict[str, Prediction]:
    with torch.inference_mode():
        return codec.decode(activated)


def _errors(
    codec: Codec | CoordinateCodec, batch: Sample, counted: Tensor, activated: Heatmaps
) -> dict[str, float]:
    errors = {}
    for name, found in _decoded(codec, activated).items():
        away = torch.linalg.vector_norm(found.keypoints - batch.keypoints, dim=-1)
        errors[name] = away[counted > 0].mean().item()
    return errors


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
