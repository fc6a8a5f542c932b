"""From the folder of a run to a network that predicts, without the run's data."""

from pathlib import Path
from typing import Any

import torch

from heatmap_research.config import garbage
from heatmap_research.config.job import Job
from heatmap_research.inference.pictures import Cutter
from heatmap_research.inference.predictor import Predictor
from heatmap_research.training import build
from heatmap_research.types import IncompatibleError, first_line

PADDING = 1.25  # of a run whose data have none of their own
LEAST = 0.2  # likewise: the score above which a joint counts in its person's


def predictor(
    job: Job,
    weights: Path,
    device: str | None,
    half: bool,
    batch_size: int,
    nms: float | None,
    widening: float | None = None,
) -> Predictor:
    """Builds the network of a job that has one decoder, and reads its weights.

    All widths of its covariances are multiplied by `widening`.
    """
    garbage.now()
    cfg = job.config
    place = device_of(device)
    task = build.build(build.wire(job), **build.without_weights(cfg))
    build.load_weights(task, weights)
    cutter = Cutter(
        image_size=(cfg.image_size[0], cfg.image_size[1]),
        channels=cfg.backbone.in_chans,
        geometry=task.codec.grid.geometry,
        padding=_number(cfg.data, "padding", PADDING),
    )
    least = _number(cfg.metric.get("coco_ap") or {}, "keypoint_threshold", LEAST)
    task = task.eval().to(place)
    return Predictor(task, cutter, place, half, batch_size, nms, least, widening or 1.0)


def device_of(name: str | None) -> torch.device:
    """The device of that name; without one, a GPU if there is one."""
    try:
        place = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=place)
        return place
    except (RuntimeError, AssertionError) as error:
        raise IncompatibleError(
            f"device={name}: it cannot be used here ({first_line(error)}); choose cpu, or null for "
            "the best there is."
        ) from error


def _number(node: Any, key: str, otherwise: float) -> float:
    value = node.get(key)
    return otherwise if value is None else float(value)
