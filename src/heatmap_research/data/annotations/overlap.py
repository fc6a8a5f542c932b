"""How much of a person's box another person shares."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

Boxes = Float64[np.ndarray, "*group person 4"]
PAIRS = 2**22  # held at once


def largest_iou(
    boxes: Boxes, images: Int64[np.ndarray, " person"], crowd: Bool[np.ndarray, " person"]
) -> Float64[np.ndarray, " person"]:
    """Of each box with another, no crowd's, of its image; images with as many boxes at once."""
    largest = np.zeros(len(boxes))
    order = np.argsort(images, kind="stable")
    starts, sizes = np.unique(images[order], return_index=True, return_counts=True)[1:]
    for size in np.unique(sizes[sizes > 1]).tolist():
        people = order[starts[sizes == size, None] + np.arange(size)]  # (images, size)
        for part in np.array_split(people, -(-len(people) * size**2 // PAIRS)):
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
