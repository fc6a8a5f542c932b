"""AP of a run's stored results, for any weights of its images."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.analysis.comparison.statistics import bootstrap, weighted_ap
from heatmap_research.analysis.comparison.statistics.weighted_ap import Matched
from heatmap_research.analysis.comparison.verdict.tables import tolerances
from heatmap_research.data import annotations
from heatmap_research.data.people import part_of
from heatmap_research.metrics.average_precision import Found, People
from heatmap_research.runs.find import Run

SEED = 0  # of the draws of images
log = logging.getLogger(__name__)

COLUMNS = ("image", "instance", "joint", "x_true_source", "y_true_source", "visible", "scale")


def people(run: Run, stage: str) -> tuple[People, Int[np.ndarray, " image"]]:
    """All who are annotated, crowds among them, and all images.

    Without annotations, it is those who were predicted.
    """
    data = run.value(f"data.{stage}") or {}
    if "annotations" not in data:
        return _predicted(run, stage)
    if not Path(data["annotations"]).expanduser().exists():
        if run.value("boxes") == "detections":
            raise ValueError(
                f"{run.name}: AP needs the annotations it was measured by, and there is no "
                f"{data['annotations']}."
            )
        log.warning(f"{data['annotations']} is gone: AP is of the people in predictions alone.")
        return _predicted(run, stage)
    return _annotated(run, data)


def scored(run: Run, stage: str, decoder: str, joints: int) -> Found:
    """The people found, with the scores that the run's own AP was measured by."""
    file = run.folder / "results" / f"{stage}_{decoder}.json"
    if not file.exists():
        raise ValueError(f"{run.name}: AP needs its scored people, and there is no {file}.")
    results = json.loads(file.read_text())
    points = np.array([one["keypoints"] for one in results], dtype=np.float64)
    return Found(
        np.array([one["image_id"] for one in results], dtype=np.int64),
        points.reshape(-1, joints, 3)[..., :2],
        np.array([one["score"] for one in results], dtype=np.float64),
    )


def matched(run: Run, stage: str, decoder: str) -> Matched:
    return among(*people(run, stage), run, stage, decoder)


def of_all(matched: Matched) -> float:
    return float(matched.of(np.ones((1, len(matched.images))))[0])


def among(
    everyone: People, images: Int[np.ndarray, " image"], run: Run, stage: str, decoder: str
) -> Matched:
    sigmas = np.array(tolerances(run), dtype=np.float64)
    joints = everyone.keypoints.shape[1]
    if len(sigmas) != joints:
        raise ValueError(f"{run.name}: AP needs an OKS tolerance for each of its {joints} joints.")
    ours = weighted_ap.matched(everyone, scored(run, stage, decoder, joints), sigmas, images)
    told = run.metric(stage, decoder, "AP")
    again = of_all(ours)
    if told is not None and abs(told - again) > 1e-4:
        log.warning(
            f"{run.name}: AP by {decoder} was {told:.4f} and is {again:.4f} from what is stored."
        )
    return ours


def resampled(matched: Matched, resamples: int) -> Float[np.ndarray, " draw"]:
    """AP of all images, then of images drawn anew: the same draws for runs of as many images."""
    images = len(matched.images)
    drawn = bootstrap.blocks(np.random.default_rng(SEED), resamples, images)
    return np.concatenate([matched.of(weights) for weights in (np.ones((1, images)), *drawn)])


def _annotated(run: Run, data: dict[str, Any]) -> tuple[People, Int[np.ndarray, " image"]]:
    truth = annotations.read(data["annotations"], data.get("sigmas"), data.get("category"))
    truth = part_of(truth, data.get("part", "all"), data.get("held_out", 0), data.get("first"))
    if names := run.value("joints"):
        truth = truth.only([truth.schema.names.index(name) for name in names])
    image = truth.image_ids[truth.images]
    known = People(image, truth.keypoints, truth.areas, truth.boxes, truth.crowd)
    return known, np.unique(truth.image_ids)


def _predicted(run: Run, stage: str) -> tuple[People, Int[np.ndarray, " image"]]:
    """Each predicted person once. Boxes are not known, nor needed where joints are labelled."""
    table = run.predictions(stage, run.decoders[0], COLUMNS)
    rows = {name: table[name].to_numpy() for name in COLUMNS}
    order = np.lexsort((rows["joint"], rows["instance"]))
    joints = int(rows["joint"].max(initial=0)) + 1
    rows = {name: column[order].reshape(-1, joints) for name, column in rows.items()}
    points = [rows[name] for name in ("x_true_source", "y_true_source", "visible")]
    count = len(order) // joints
    return People(
        rows["image"][:, 0],
        np.stack(points, -1).astype(np.float64),
        rows["scale"][:, 0].astype(np.float64) ** 2,
        np.zeros((count, 4)),
        np.zeros(count, bool),
    ), np.unique(rows["image"])
