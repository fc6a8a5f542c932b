"""How much the boxes of an image overlap: intersection over union (IoU)."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

Boxes = Float64[np.ndarray, "*group person 4"]
PAIRS_IN_MEMORY = 2**22


def largest_iou(
    boxes: Boxes, images: Int64[np.ndarray, " person"], crowd: Bool[np.ndarray, " person"]
) -> Float64[np.ndarray, " person"]:
    """The largest IoU of each box with another of its image, where crowds do not count."""
    return nearest(boxes, images, crowd)[0]


def nearest(
    boxes: Boxes, images: Int64[np.ndarray, " person"], ignored: Bool[np.ndarray, " person"]
) -> tuple[Float64[np.ndarray, " person"], Int64[np.ndarray, " person"]]:
    """The largest IoU of each box with another of its image, and the row of that other one."""
    largest, other = np.zeros(len(boxes)), np.arange(len(boxes))
    order = np.argsort(images, kind="stable")
    starts, sizes = np.unique(images[order], return_index=True, return_counts=True)[1:]
    for size in np.unique(sizes[sizes > 1]).tolist():
        people = order[starts[sizes == size, None] + np.arange(size)]  # (images, size)
        for part in np.array_split(people, -(-len(people) * size**2 // PAIRS_IN_MEMORY)):
            shared = np.where(ignored[part][:, None], 0, iou(boxes[part]))
            shared[:, range(size), range(size)] = 0
            largest[part] = shared.max(-1)
            other[part] = np.take_along_axis(part, shared.argmax(-1), axis=1)
    return largest, other


def iou(boxes: Boxes) -> Float64[np.ndarray, "*group person person"]:
    corner, size = boxes[..., :2], boxes[..., 2:]
    end = corner + size
    lowest = np.maximum(corner[..., :, None, :], corner[..., None, :, :])
    highest = np.minimum(end[..., :, None, :], end[..., None, :, :])
    shared = (highest - lowest).clip(min=0).prod(-1)
    area = size.prod(-1)
    union = area[..., :, None] + area[..., None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
