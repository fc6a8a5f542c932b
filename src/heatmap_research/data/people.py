"""Whom to crop: the people of an annotation file, or what a detector found in its images."""

import gzip
import json
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from heatmap_research.data import counter_random
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.annotations.source import stamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class People:
    """As columns, in the order of their images."""

    ids: Int64[np.ndarray, " person"]  # of the annotation, or place in the detections file
    images: Int64[np.ndarray, " person"]  # row among the images
    boxes: Float64[np.ndarray, "person 4"]
    scores: Float64[np.ndarray, " person"]  # of the box; 1 for ground truth
    keypoints: Float64[np.ndarray, "person joint 2"]
    visible: Int64[np.ndarray, "person joint"]
    scales: Float64[np.ndarray, " person"]  # source pixels
    heads: Float64[np.ndarray, " person"]
    overlaps: Float64[np.ndarray, " person"]

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, chosen: Bool[np.ndarray, " person"] | Int64[np.ndarray, " place"]) -> "People":
        columns = {field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        return replace(self, **columns)

    def within(self, images: Bool[np.ndarray, " image"]) -> "People":
        """Those of some images, whose rows are counted without the others from then on."""
        places = np.cumsum(images) - 1
        return replace(self, images=places[self.images]).of(images[self.images])


def part_of(truth: Annotations, part: str, held_out: int) -> Annotations:
    """Of the images with people those whose hash is lowest: no order and no seed matters."""
    if part == "all":
        return truth
    able = np.unique(truth.images[truth.learnable])
    if len(able) < 2:
        raise ValueError(f"{truth.file} has {len(able)} images with people: none to hold out.")
    count = min(held_out, max(1, len(able) // 10))
    draws = counter_random.uniform(("held out",), torch.from_numpy(truth.image_ids[able]), 2)
    apart = np.zeros(len(truth.image_ids), bool)
    apart[able[np.lexsort(draws.numpy().T)[:count]]] = True
    return truth.of(apart if part == "held_out" else ~apart)


def labelled(truth: Annotations) -> People:
    """Each one with a box and a labelled joint, but no crowds."""
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
    )
    return _by_image(everybody.of(truth.learnable))


def detected(file: Path, truth: Annotations) -> People:
    """Boxes of the category in the images there are; nothing is known of their joints."""
    found = _detections(file)
    rows = {image: row for row, image in enumerate(truth.image_ids.tolist())}
    kept = [
        place
        for place, box in enumerate(found)
        if box["category_id"] == truth.category and box["image_id"] in rows
    ]
    if not kept:
        raise ValueError(
            f"{file}: none of its {len(found)} boxes is of category {truth.category} in an image "
            f"of {truth.file}."
        )
    log.info("%s: %d of its %d boxes are of people in these images", file, len(kept), len(found))
    boxes = np.array([found[place]["bbox"] for place in kept], dtype=np.float64)
    nothing = np.zeros((len(kept), truth.schema.joints, 2))
    everybody = People(
        ids=np.array(kept, dtype=np.int64),
        images=np.array([rows[found[place]["image_id"]] for place in kept], dtype=np.int64),
        boxes=boxes,
        scores=np.array([found[place]["score"] for place in kept], dtype=np.float64),
        keypoints=nothing,
        visible=np.zeros(nothing.shape[:2], dtype=np.int64),
        scales=np.sqrt(boxes[:, 2:].prod(1)),
        heads=np.full(len(kept), np.nan),
        overlaps=np.full(len(kept), np.nan),
    )
    return _by_image(everybody)


def _by_image(people: People) -> People:
    return people.of(np.argsort(people.images, kind="stable"))


def _detections(file: Path) -> list[dict[str, Any]]:
    stamp(file)  # says what is missing
    try:
        content = file.read_bytes()
        packed = content.startswith(b"\x1f\x8b")
        found = json.loads(gzip.decompress(content) if packed else content)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{file}: the detections cannot be read: {words}.") from error
    if not isinstance(found, list):
        raise ValueError(f"{file}: a detections file is a list of boxes in COCO's result format.")
    for place, box in enumerate(found):
        if wrong := _wrong(box):
            raise ValueError(f"{file}: detection {place}: {wrong}.")
    return found


def _wrong(box: Any) -> str | None:
    keys = ("image_id", "category_id", "bbox", "score")
    if not isinstance(box, dict) or (missing := [key for key in keys if key not in box]):
        return f"it has no {', '.join(missing)}" if isinstance(box, dict) else "it is no record"
    sides = box["bbox"]
    if not isinstance(sides, Sequence) or len(sides) != 4 or not _finite([*sides, box["score"]]):
        return f"bbox {sides} and score {box['score']} are not 4 numbers and one"
    if min(sides[2:]) <= 0:
        return f"bbox {sides} has no area"
    return None


def _finite(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (int, float)) and abs(v) < float("inf") for v in values)
