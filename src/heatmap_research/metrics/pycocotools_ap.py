"""COCO's figures from pycocotools itself, the reference for `average_precision`."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heatmap_research.metrics.average_precision import OFFICIAL, Found, Likeness, People
from heatmap_research.metrics.oks import Sigmas


def evaluate(
    people: People, found: Found, sigmas: Sigmas, _: Likeness | None = None
) -> dict[str, float]:
    """Figures are nan where pycocotools says -1."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*_sets(people, found), "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    strict = evaluation.eval["precision"][-1, :, :, 0].mean()  # (threshold, recall, 1, area, 1)
    figures = dict(zip((*OFFICIAL, "AP95"), (*evaluation.stats, strict), strict=True))
    return {name: float("nan" if value < 0 else value) for name, value in figures.items()}


def dataset(people: People, found: Found) -> dict[str, Any]:
    """The true people as a file of COCO's has them, with the images of those found."""
    images = [{"id": int(image)} for image in np.union1d(people.image, found.image)]
    return {"images": images, "categories": [{"id": 1}], "annotations": _truths(people)}


def _sets(people: People, found: Found) -> tuple[COCO, COCO]:
    truth = COCO()
    truth.dataset = dataset(people, found)
    truth.createIndex()
    if results := found.results(category=1):
        return truth, truth.loadRes(results)
    none = COCO()
    none.dataset = {**truth.dataset, "annotations": []}
    none.createIndex()
    return truth, none


def _truths(people: People) -> list[dict[str, Any]]:
    """Numbered from 1, since pycocotools takes a match with number 0 for none."""
    return [
        {
            "id": number,
            "image_id": int(image),
            "category_id": 1,
            "keypoints": keypoints.ravel(),
            "num_keypoints": int((keypoints[:, 2] > 0).sum()),
            "area": float(area),
            "bbox": box.tolist(),
            "iscrowd": int(crowd),
        }
        for number, (image, keypoints, area, box, crowd) in enumerate(
            zip(*people, strict=True), start=1
        )
    ]
