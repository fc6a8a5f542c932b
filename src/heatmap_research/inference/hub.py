"""A folder of config.json and model.safetensors, as model hubs have them."""

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import PyTorchModelHubMixin
from torch import nn

from heatmap_research.config.job import Job, prepare
from heatmap_research.config.of_run import PLACES, of_record
from heatmap_research.inference.answering import Answering
from heatmap_research.training.build import build, wire, without_weights
from heatmap_research.training.task import Images
from heatmap_research.types import Tensor

ELSEWHERE = (*PLACES, "output_dir", "cache", "checkpoint", "resume")  # paths of one machine


class HubModel(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="heatmap_research",
    pipeline_tag="keypoint-detection",
):
    """A trained network that `from_pretrained` opens, and `push_to_hub` sends where there is one.

    Its tensors have the names that they have in a run's weights.
    """

    def __init__(
        self, training: dict[str, Any], schema: dict[str, Any], facts: dict[str, Any]
    ) -> None:
        super().__init__()
        job = prepare(of_record({"config": training, "schema": schema}), {})
        task = build(wire(job), **without_weights(job.config))
        self.net, self.loss, self.facts = task.net, task.loss, facts
        widening = facts.get("widening") or 1.0  # null, or a folder from before it was said
        answering = Answering(task, maps=False, widening=widening)
        self.answering = (answering,)  # in a tuple: its tensors are these

    def forward(self, image: Images) -> dict[str, Tensor]:
        return self.answering[0](image)

    def train(self, mode: bool = True) -> "HubModel":
        self.answering[0].train(mode)
        return super().train(mode)


def model_of(job: Job, facts: dict[str, Any]) -> HubModel:
    """The model of a job, with weights that are yet to be loaded."""
    schema = {name: facts[name] for name in ("names", "flip", "skeleton", "sigmas")}
    return HubModel(training=_anywhere(job.record), schema=schema, facts=facts)


def opened(folder: Path) -> HubModel:
    """The model in a folder, without what the hub's library prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return HubModel.from_pretrained(folder)


def _anywhere(value: Any) -> Any:
    """The config without the paths of the machine that it was run on."""
    if not isinstance(value, Mapping):
        return value
    return {key: None if key in ELSEWHERE else _anywhere(item) for key, item in value.items()}
