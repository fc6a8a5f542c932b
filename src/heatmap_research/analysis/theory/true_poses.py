"""The true points that ceilings are computed for: a data set's own, or points spread evenly."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from heatmap_research.data.annotations import Annotations
from heatmap_research.data.people import labelled
from heatmap_research.metrics.average_precision import People
from heatmap_research.types import Schema


@dataclass(frozen=True, eq=False)
class TruePoses:
    """True points in source pixels, the boxes that crops are cut by, and who there is to find."""

    schema: Schema
    images: Int64[np.ndarray, " person"]
    keypoints: Float64[np.ndarray, "person joint 2"]
    visible: Int64[np.ndarray, "person joint"]  # 0 not labelled
    crops: Float64[np.ndarray, "person 4"]  # x, y, width, height
    boxes: Float64[np.ndarray, "person 4"]
    areas: Float64[np.ndarray, " person"]
    truth: People  # crowds and people without points among them

    def __len__(self) -> int:
        return len(self.images)


def annotated(truth: Annotations, padding: float) -> TruePoses:
    """Everyone with a box and a labelled joint; a crop is the box, `padding` times as large."""
    people = labelled(truth)
    corner, size = people.boxes[:, :2], people.boxes[:, 2:]
    images = truth.image_ids[truth.images]
    return TruePoses(
        schema=truth.schema,
        images=truth.image_ids[people.images],
        keypoints=people.keypoints,
        visible=people.visible,
        crops=np.concatenate([corner + size * (1 - padding) / 2, size * padding], axis=1),
        boxes=people.boxes,
        areas=people.scales**2,
        truth=People(images, truth.keypoints, truth.areas, truth.boxes, truth.crowd),
    )


def uniform(
    schema: Schema, image_size: tuple[int, int], number: int, margin: float, area: float, seed: int
) -> TruePoses:
    """Independent points, evenly spread over crops but for a margin; a person in each image.

    `margin` is a share of the crop's sides, `area` the share of the crop that a person covers.
    """
    height, width = image_size
    size = np.array([width, height], dtype=np.float64)
    draws = np.random.default_rng(seed).random((number, schema.joints, 2))
    points = (margin + (1 - 2 * margin) * draws) * size - 0.5
    images, areas = np.arange(number), np.full(number, area * height * width)
    crops = np.tile([0.0, 0.0, width, height], (number, 1))
    visible = np.full(points.shape[:2], 2)
    marked = np.concatenate([points, visible[..., None]], axis=-1)
    truth = People(images, marked, areas, crops, np.zeros(number, dtype=bool))
    return TruePoses(schema, images, points, visible, crops, crops, areas, truth)
