"""The annotations of one category, as columns: a row for each image, a row for each person."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from heatmap_research.types import Schema

Boxes = Float64[np.ndarray, "*group person 4"]
PAIRS_IN_MEMORY = 2**22
PER_IMAGE = ("image_ids", "image_sizes")
PER_PERSON = ("ids", "boxes", "keypoints", "areas", "crowd", "heads", "overlaps")


@dataclass(frozen=True, eq=False)
class Annotations:
    """All annotations, with crowds and people without keypoints, which AP has to know of."""

    file: Path
    schema: Schema
    category: int
    image_ids: Int64[np.ndarray, " image"]
    image_files: tuple[str, ...]  # as the file names them; "" where it does not
    image_sizes: Int64[np.ndarray, "image 2"]  # width, height; 0 where the file does not say
    ids: Int64[np.ndarray, " person"]
    images: Int64[np.ndarray, " person"]  # row among the images
    boxes: Float64[np.ndarray, "person 4"]  # x, y, width, height; source pixels
    keypoints: Float64[np.ndarray, "person joint 3"]  # x, y, visibility; zeros if not labelled
    areas: Float64[np.ndarray, " person"]  # source pixels, squared
    crowd: Bool[np.ndarray, " person"]
    heads: Float64[np.ndarray, " person"]  # head size of PCKh, source pixels; nan if unknown
    overlaps: Float64[np.ndarray, " person"]  # largest IoU with another person's box

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(column := getattr(self, field.name), np.ndarray):
                column.flags.writeable = False  # one table serves data sets and metrics alike

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> Int64[np.ndarray, " person"]:
        """Number of labelled joints, counted, whatever the file's num_keypoints says."""
        return (self.keypoints[:, :, 2] > 0).sum(1)

    @property
    def learnable(self) -> Bool[np.ndarray, " person"]:
        """No crowd, a labelled joint, and a box with an area."""
        return ~self.crowd & (self.labelled > 0) & (self.boxes[:, 2:] > 0).all(1)

    def only(self, joints: Sequence[int]) -> "Annotations":
        """Keeps everyone, with these joints alone."""
        names = [self.schema.names[joint] for joint in joints]
        keypoints = self.keypoints[:, list(joints)]
        return replace(self, schema=self.schema.only(names), keypoints=keypoints)

    def select(self, images: Bool[np.ndarray, " image"]) -> "Annotations":
        """Keeps these images, and the people in them."""
        people = images[self.images]
        files = tuple(f for f, chosen in zip(self.image_files, images, strict=True) if chosen)
        return replace(
            self,
            image_files=files,
            images=(np.cumsum(images) - 1)[self.images[people]],
            **{name: getattr(self, name)[images] for name in PER_IMAGE},
            **{name: getattr(self, name)[people] for name in PER_PERSON},
        )


def largest_iou(
    boxes: Boxes, images: Int64[np.ndarray, " person"], crowd: Bool[np.ndarray, " person"]
) -> Float64[np.ndarray, " person"]:
    """The largest IoU of each box with another of its image, where crowds do not count."""
    largest = np.zeros(len(boxes))
    order = np.argsort(images, kind="stable")
    starts, sizes = np.unique(images[order], return_index=True, return_counts=True)[1:]
    for size in np.unique(sizes[sizes > 1]).tolist():
        people = order[starts[sizes == size, None] + np.arange(size)]  # (images, size)
        for part in np.array_split(people, -(-len(people) * size**2 // PAIRS_IN_MEMORY)):
            shared = np.where(crowd[part][:, None], 0, iou(boxes[part]))
            shared[:, range(size), range(size)] = 0
            largest[part] = shared.max(-1)
    return largest


def iou(boxes: Boxes) -> Float64[np.ndarray, "*group person person"]:
    corner, size = boxes[..., :2], boxes[..., 2:]
    end = corner + size
    lowest = np.maximum(corner[..., :, None, :], corner[..., None, :, :])
    highest = np.minimum(end[..., :, None, :], end[..., None, :, :])
    shared = (highest - lowest).clip(min=0).prod(-1)
    area = size.prod(-1)
    union = area[..., :, None] + area[..., None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
