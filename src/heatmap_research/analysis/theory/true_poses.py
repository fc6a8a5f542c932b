"""The true points that ceilings are computed for: a data set's own, or points spread evenly."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heatmap_research.data.annotations import Annotations
from heatmap_research.data.people import labelled
from heatmap_research.metrics.average_precision import People
from heatmap_research.types import Schema


@dataclass(frozen=True, eq=False)
class TruePoses:
    """People whose points are encoded and decoded, and all who count in AP."""

    schema: Schema
    crops: Float64[np.ndarray, "person 4"]  # x, y, width, height in source pixels
    people: People
    truth: People  # crowds and people without points among them

    @property
    def keypoints(self) -> Float64[np.ndarray, "person joint 2"]:
        """The true points in source pixels."""
        return self.people.keypoints[..., :2]


def annotated(truth: Annotations, padding: float) -> TruePoses:
    """Everyone with a box and a labelled joint; a crop is the box, `padding` times as large."""
    shown = labelled(truth)
    corner, size = shown.boxes[:, :2], shown.boxes[:, 2:]
    crops = np.concatenate([corner + size * (1 - padding) / 2, size * padding], axis=1)
    marked, crowd = np.dstack([shown.keypoints, shown.visible]), np.zeros(len(shown.boxes), bool)
    people = People(truth.image_ids[shown.images], marked, shown.scales**2, shown.boxes, crowd)
    images = truth.image_ids[truth.images]
    everyone = People(images, truth.keypoints, truth.areas, truth.boxes, truth.crowd)
    return TruePoses(truth.schema, crops, people, everyone)


def uniform(
    schema: Schema, image_size: tuple[int, int], number: int, margin: float, area: float, seed: int
) -> TruePoses:
    """Independent points, evenly spread over crops but for a margin; a person in each image.

    `margin` is a share of the crop's sides, `area` the share of the crop that a person covers.
    """
    height, width = image_size
    draws = np.random.default_rng(seed).random((number, schema.joints, 2))
    points = (margin + (1 - 2 * margin) * draws) * np.array([width, height], float) - 0.5
    crops = np.tile([0.0, 0.0, width, height], (number, 1))
    marked = np.pad(points, ((0, 0), (0, 0), (0, 1)), constant_values=2)  # all visible
    areas, crowd = np.full(number, area * height * width), np.zeros(number, bool)
    people = People(np.arange(number), marked, areas, crops, crowd)
    return TruePoses(schema, crops, people, people)
