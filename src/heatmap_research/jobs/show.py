"""What a representation makes of one image: as its label says, and as a trained run answers."""

from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.drawing import of_codec
from heatmap_research.drawing.example import Example
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build, build_data, check, load_weights
from heatmap_research.types import Heatmaps, IncompatibleError, Sample, Tensor


def sample(cfg: DictConfig, stage: str, index: int) -> Sample:
    """A batch of one."""
    module = build_data(cfg)
    data = module.dataset(stage)
    size = len(data)
    if not 0 <= index < size:
        raise IncompatibleError(f"index={index}: {stage} has images 0 to {size - 1}.")
    return module.collate([data[index]])


def label(cfg: DictConfig, batch: Sample) -> tuple[Example, dict[str, float]]:
    """The label, decoded by the first decoder; and how far each decoder is off, in pixels."""
    codec = check(cfg).codec
    activated, drawn = of_codec.labelled(codec, batch)
    example = of_codec.example(codec, batch, activated, drawn, spread=False)
    return example, _errors(codec, batch, drawn, activated)


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
    return of_codec.example(task.codec, batch, activated, everywhere, decoder), errors


def of_run(store: RunStore, decoder: str) -> Example:
    """A finished run's view of its first test image."""
    cfg = cast(DictConfig, OmegaConf.create(store.read()["config"]))
    batch = sample(cfg, "test", 0)
    return predicted(cfg, batch, store.checkpoints / "last.ckpt", decoder)[0]


def _errors(
    codec: Codec | CoordinateCodec, batch: Sample, counted: Tensor, activated: Heatmaps
) -> dict[str, float]:
    errors = {}
    for name, found in of_codec.decoded(codec, activated).items():
        away = torch.linalg.vector_norm(found.keypoints - batch.keypoints, dim=-1)
        errors[name] = away[counted > 0].mean().item()
    return errors
