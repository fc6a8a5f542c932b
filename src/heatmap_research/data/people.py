"""Whom to crop: the people of an annotation file, or the boxes of a detector in its images."""

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from heatmap_research.data import counter_random
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.annotations.rows import are_numbers
from heatmap_research.data.annotations.source import parsed, stamp
from heatmap_research.data.annotations.table import nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class People:
    """Who is cropped, as columns, in the order of their images."""

    ids: Int64[np.ndarray, " person"]  # annotation id, or place in the detections file
    images: Int64[np.ndarray, " person"]  # row among the images
    boxes: Float64[np.ndarray, "person 4"]
    scores: Float64[np.ndarray, " person"]  # of the detected box; 1 for ground truth
    keypoints: Float64[np.ndarray, "person joint 2"]
    visible: Int64[np.ndarray, "person joint"]
    scales: Float64[np.ndarray, " person"]  # square root of the area, source pixels
    heads: Float64[np.ndarray, " person"]  # head size of PCKh, source pixels; nan if unknown
    overlaps: Float64[np.ndarray, " person"]  # largest IoU with another person's box
    others: Float64[np.ndarray, "person joint 3"]  # of the labelled person who overlaps most

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, chosen: Bool[np.ndarray, " person"] | Int64[np.ndarray, " place"]) -> "People":
        return People(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def within(self, images: Bool[np.ndarray, " image"]) -> "People":
        """Keeps the people of these images, whose rows are numbered anew without the others."""
        places = np.cumsum(images) - 1
        return replace(self, images=places[self.images]).select(images[self.images])


def part_of(truth: Annotations, part: str, held_out: int, first: int | None) -> Annotations:
    """All images, those held out, or the rest; where `first` is given, so many of them.

    Both are drawn by the images' ids, for every seed alike, so that fewer lie within more.
    """
    if part != "all":
        usable = len(_usable(truth))
        if usable < 2:
            raise ValueError(f"{truth.file} has {usable} images with people: none to hold out.")
        apart = _drawn(truth, "held out", min(held_out, max(1, usable // 10)))
        truth = truth.select(apart if part == "held_out" else ~apart)
    if first is None:
        return truth
    if first > (usable := len(_usable(truth))):
        raise ValueError(
            f"data.train.first={first}: {truth.file} has {usable} images with people here: choose "
            "fewer, or null for all."
        )
    return truth.select(_drawn(truth, "first", first))


def without(truth: Annotations, leave_out: Any) -> Annotations:
    """All images but those of these ids, which other parts of the same set may hold."""
    if isinstance(leave_out, str | int) or not all(isinstance(image, int) for image in leave_out):
        raise ValueError(f"data.leave_out={leave_out}: give a list of images' ids, such as [3,17].")
    left_out = np.isin(truth.image_ids, np.asarray(leave_out, np.int64))
    if not left_out.any():
        return truth
    if left_out.all():
        raise ValueError(f"data.leave_out: none of {truth.file}'s images would be left.")
    counts = int(left_out.sum()), len(left_out)
    log.info("%s: %d of its %d images are left out (data.leave_out)", truth.file, *counts)
    return truth.select(~left_out)


def _drawn(truth: Annotations, purpose: str, count: int) -> Bool[np.ndarray, " image"]:
    """Marks the images with people whose hashes are lowest, whatever their order in the file."""
    usable = _usable(truth)
    draws = counter_random.uniform((purpose,), torch.from_numpy(truth.image_ids[usable]), 2)
    chosen = np.zeros(len(truth.image_ids), bool)
    chosen[usable[np.lexsort(draws.numpy().T)[:count]]] = True
    return chosen


def _usable(truth: Annotations) -> Int64[np.ndarray, " image"]:
    return np.unique(truth.images[truth.learnable])


def labelled(truth: Annotations) -> People:
    """Everyone who has a box and a labelled joint and is no crowd."""
    everybody = People(
        ids=truth.ids,
        images=truth.images,
        boxes=truth.boxes,
        scores=np.ones(len(truth)),
        keypoints=truth.keypoints[:, :, :2],
        visible=truth.keypoints[:, :, 2].astype(np.int64),
        scales=np.sqrt(truth.areas),
        heads=truth.heads,
        overlaps=truth.overlaps,
        others=_others(truth),
    )
    return _by_image(everybody.select(truth.learnable))


def _others(truth: Annotations) -> Float64[np.ndarray, "person joint 3"]:
    """Joints and visibility of the person whose box overlaps each one's most; zeros if none's."""
    overlap, other = nearest(truth.boxes, truth.images, ~truth.learnable)
    return np.where(overlap[:, None, None] > 0, truth.keypoints[other], 0.0)


def detected(file: Path, truth: Annotations) -> People:
    """The boxes of truth's category in truth's images, without joints, which nobody knows."""
    detections = _detections(file)
    rows = {image: row for row, image in enumerate(truth.image_ids.tolist())}
    wanted = [b["category_id"] == truth.category and b["image_id"] in rows for b in detections]
    places = np.flatnonzero(wanted)
    if not len(places):
        raise ValueError(
            f"{file}: none of its {len(detections)} boxes is of category {truth.category} in an "
            f"image of {truth.file}."
        )
    counts = len(places), len(detections)
    log.info("%s: %d of its %d boxes are of people in these images", file, *counts)
    kept = [detections[place] for place in places]
    boxes = np.array([box["bbox"] for box in kept], dtype=np.float64)
    everybody = People(
        ids=places,
        images=np.array([rows[box["image_id"]] for box in kept], dtype=np.int64),
        boxes=boxes,
        scores=np.array([box["score"] for box in kept], dtype=np.float64),
        keypoints=np.zeros((len(kept), truth.schema.joints, 2)),
        visible=np.zeros((len(kept), truth.schema.joints), dtype=np.int64),
        scales=np.sqrt(boxes[:, 2:].prod(1)),
        heads=np.full(len(kept), np.nan),
        overlaps=np.full(len(kept), np.nan),
        others=np.zeros((len(kept), truth.schema.joints, 3)),
    )
    return _by_image(everybody)


def _by_image(people: People) -> People:
    return people.select(np.argsort(people.images, kind="stable"))


def _detections(file: Path) -> list[dict[str, Any]]:
    stamp(file)  # says what is missing
    detections = parsed(file)
    if not isinstance(detections, list):
        raise ValueError(f"{file}: a detections file is a list of boxes in COCO's result format.")
    for place, box in enumerate(detections):
        if wrong := _wrong(box):
            raise ValueError(f"{file}: detection {place}: {wrong}.")
    return detections


def _wrong(box: Any) -> str | None:
    keys = ("image_id", "category_id", "bbox", "score")
    if not isinstance(box, dict) or (missing := [key for key in keys if key not in box]):
        return f"it has no {', '.join(missing)}" if isinstance(box, dict) else "it is no record"
    sides, score = box["bbox"], box["score"]
    if type(box["image_id"]) is not int:
        return f"its image_id is {shown(box['image_id'])}, no whole number"
    if not are_numbers(sides) or len(sides) != 4 or not are_numbers([score]):
        return f"bbox {shown(sides)} and score {shown(score)} are not 4 numbers and one"
    if min(sides[2:]) <= 0:
        return f"bbox {sides} has no area"
    return None
