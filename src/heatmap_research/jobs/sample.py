"""One sample under one job: its label, and what a trained network answers."""

from collections.abc import Sequence
from pathlib import Path

import torch

from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.config.instantiate import did_you_mean
from heatmap_research.config.job import Job, prepare
from heatmap_research.config.of_run import of_record
from heatmap_research.drawing import of_codec
from heatmap_research.drawing.example import Example
from heatmap_research.metrics.pixel_error import length
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import Parts, build, build_data, load_weights, wire
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import Heatmaps, IncompatibleError, Sample, Tensor

Errors = dict[str, float]  # by decoder: mean distance from the truth, crop pixels
Shown = tuple[Example, Errors]


def batch_of_one(job: Job, stage: str, index: int) -> Sample:
    module = build_data(job)
    data = module.dataset(stage)
    if not 0 <= index < len(data):
        raise IncompatibleError(f"index={index}: {stage} has images 0 to {len(data) - 1}.")
    return module.collate([data[index]])


def wanted(asked: str | Sequence[str] | None, names: Sequence[str]) -> list[int]:
    """The numbers of joints by name; all where none is asked for."""
    asked = [asked] if isinstance(asked, str) else asked
    for name in asked or ():
        if name not in names:
            raise IncompatibleError(
                f"joints={name}: this run has {', '.join(names)}.{did_you_mean(name, list(names))}"
            )
    return [names.index(name) for name in asked] if asked else list(range(len(names)))


def label(parts: Parts, batch: Sample) -> Shown:
    """The label, decoded by the first decoder; and how far each decoder is off."""
    activated, drawn = of_codec.labelled(parts.codec, batch)
    example = of_codec.example(parts.codec, batch, activated, drawn, spread=False)
    return example, _errors(parts.codec, batch, drawn, activated)


def predicted(parts: Parts, batch: Sample, weights: Path, decoder: str | None = None) -> Shown:
    """What the weights of a run answer; where no decoder is named, by the first."""
    task = build(parts).eval()
    load_weights(task, weights)
    example, activated = answered(task, batch, decoder)
    return example, _errors(task.codec, batch, batch.visible, activated)


def answered(task: KeypointTask, batch: Sample, decoder: str | None) -> tuple[Example, Heatmaps]:
    """What a network answers to one image, to be drawn, and its maps."""
    with torch.inference_mode():
        activated = task.activated(batch.image)
    everywhere = torch.ones_like(batch.keypoints[..., 0])
    return of_codec.example(task.codec, batch, activated, everywhere, decoder), activated


def of_run(store: RunStore, decoder: str) -> Example:
    """The first test image of a finished run, as that run answers."""
    job = prepare(of_record(store.read("config")), {})
    batch = batch_of_one(job, "test", 0)
    return predicted(wire(job), batch, store.checkpoints / "last.ckpt", decoder)[0]


def _errors(codec: AnyCodec, batch: Sample, counted: Tensor, activated: Heatmaps) -> Errors:
    errors = {}
    for name, prediction in of_codec.decoded(codec, activated).items():
        away = length(prediction.keypoints - batch.keypoints)
        errors[name] = away[counted > 0].mean().item()
    return errors
