"""AP of a run's stored results, for any weights of its images."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.analysis.comparison.statistics import bootstrap, weighted_ap
from heatmap_research.analysis.comparison.verdict import tables, truth
from heatmap_research.data import annotations
from heatmap_research.data.people import part_of
from heatmap_research.metrics.average_precision import Found, People
from heatmap_research.runs import bounded_file
from heatmap_research.runs.find import Run

SEED = 0  # of the draws of images
log = logging.getLogger(__name__)

COLUMNS = ("image", "instance", "joint", "x_true_source", "y_true_source", "visible", "scale")


class Drawn(NamedTuple):
    """A run's AP of all images, then of each draw of images."""

    images: Int[np.ndarray, " image"]
    aps: Float[np.ndarray, " draw"]
    truth: truth.TrueJoints


def people(run: Run, stage: str) -> tuple[People, Int[np.ndarray, " image"]]:
    """All who are annotated, crowds among them, or else who were predicted; and all images."""
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
    results = json.loads(bounded_file.content(file, bounded_file.LABELS))
    points = np.array([one["keypoints"] for one in results], dtype=np.float64)
    images = np.array([one["image_id"] for one in results], dtype=np.int64)
    scores = np.array([one["score"] for one in results], dtype=np.float64)
    return Found(images, points.reshape(-1, joints, 3)[..., :2], scores)


def matched(run: Run, stage: str, decoder: str) -> tuple[weighted_ap.Matched, People]:
    """Who of all the people is found, and all the people."""
    everyone, images = people(run, stage)
    sigmas = np.array(tables.tolerances(run), dtype=np.float64)
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
    return ours, everyone


def of_all(matched: weighted_ap.Matched) -> float:
    return float(matched.of(np.ones((1, len(matched.images))))[0])


def drawn(run: Run, stage: str, decoder: str, resamples: int) -> Drawn:
    """The same draws for runs of as many images."""
    ours, everyone = matched(run, stage, decoder)
    count = len(ours.images)
    draws = bootstrap.blocks(np.random.default_rng(SEED), resamples, count)
    aps = [ours.of(weights) for weights in (np.ones((1, count)), *draws)]
    return Drawn(ours.images, np.concatenate(aps), truth.of_people(everyone))


def _annotated(run: Run, data: dict[str, Any]) -> tuple[People, Int[np.ndarray, " image"]]:
    told = annotations.read(data["annotations"], data.get("sigmas"), data.get("category"))
    told = part_of(told, data.get("part", "all"), data.get("held_out", 0), data.get("first"))
    if names := run.value("joints"):
        told = told.only([told.schema.names.index(name) for name in names])
    image = told.image_ids[told.images]
    everyone = People(image, told.keypoints, told.areas, told.boxes, told.crowd)
    return everyone, np.unique(told.image_ids)


def _predicted(run: Run, stage: str) -> tuple[People, Int[np.ndarray, " image"]]:
    """Each predicted person once. Boxes are not known, nor needed where joints are labelled."""
    table = run.predictions(stage, run.decoders[0], COLUMNS)
    rows = {name: table[name].to_numpy() for name in COLUMNS}
    order = np.lexsort((rows["joint"], rows["instance"]))
    joints = int(rows["joint"].max(initial=0)) + 1
    rows = {name: column[order].reshape(-1, joints) for name, column in rows.items()}
    columns = [rows[name] for name in ("x_true_source", "y_true_source", "visible")]
    points, areas = np.stack(columns, -1).astype(float), rows["scale"][:, 0].astype(float) ** 2
    boxes, crowd = np.zeros((len(points), 4)), np.zeros(len(points), bool)
    everyone = People(rows["image"][:, 0], points, areas, boxes, crowd)
    return everyone, np.unique(rows["image"])
