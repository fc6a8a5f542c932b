"""Object keypoint similarity (OKS): how alike two poses are, from 0 to 1, for a person's size."""

from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

Poses = Float[np.ndarray, "pose joint 2"]  # x, y in source pixels
Truths = Float[np.ndarray, "pose joint 3"]  # x, y, v; v is 0 where a joint is not labelled
PerPose = Float[np.ndarray, " pose"]
Boxes = Float[np.ndarray, "pose 4"]  # x, y of the corner, width, height
Sigmas = Float[np.ndarray, " joint"]
Square = Float[np.ndarray, "pose pose"]
Order = Int[np.ndarray, " kept"]
Numbers = TypeVar("Numbers", np.ndarray, torch.Tensor)

EPSILON = 2.0**-52  # square pixels, added to areas so that none is 0


def exponents(away: Numbers, areas: Numbers, sigmas: Numbers) -> Numbers:
    """A joint's similarity is exp(-this). `away` ends in x, y; all in source pixels."""
    squared = away[..., 0] ** 2 + away[..., 1] ** 2
    return squared / (2 * sigmas) ** 2 / (areas + EPSILON) / 2


def to_truth(
    poses: Poses, truths: Truths, areas: PerPose, boxes: Boxes, sigmas: Sigmas
) -> Float[np.ndarray, " pose"]:
    """The OKS of each pose with the truth beside it, to the last bit as pycocotools has it.

    Where no joint is labelled all count, by how far they are outside three times the box.
    """
    labelled = truths[..., 2] > 0
    away = poses - truths[..., :2]
    bare = ~labelled.any(-1)
    away[bare], labelled[bare] = _outside(poses[bare], boxes[bare]), True
    falls = exponents(away, areas[:, None], sigmas)
    counts = labelled.sum(-1)
    similarity = np.empty(len(poses))
    for count in np.unique(counts):  # a row of so many and no zeros: rounded as pycocotools does
        rows = counts == count
        terms = np.exp(-falls[rows][labelled[rows]]).reshape(-1, count)
        similarity[rows] = terms.sum(-1) / count
    return similarity


def between(
    poses: Poses,
    areas: PerPose,
    sigmas: Sigmas,
    counted: Bool[np.ndarray, "#pose #pose joint"] | None = None,  # None: every joint
) -> Square:
    """The OKS of every two poses for the mean of their areas; 0 where no joint is counted."""
    away = poses[:, None] - poses
    mean = (areas[:, None] + areas) / 2
    terms = np.exp(-exponents(away, mean[..., None], sigmas))
    if counted is None:
        return terms.sum(-1) / len(sigmas)
    counted = np.broadcast_to(counted, terms.shape)
    return np.where(counted, terms, 0).sum(-1) / np.maximum(counted.sum(-1), 1)


def nms(alike: Square, scores: PerPose, threshold: float) -> Order:
    """The poses to keep, best first; none is more like a better one than the threshold."""
    kept: list[int] = []
    left = best_first(scores)
    if np.count_nonzero(alike <= threshold) >= alike.size - len(left):  # each is like itself alone
        return left
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[alike[best, left] <= threshold]
    return np.array(kept, dtype=np.int64)


def soft_nms(
    alike: Square, scores: PerPose, threshold: float, most: int
) -> tuple[Order, Float[np.ndarray, " kept"]]:
    """The poses in the order they are taken, and scores, lowered by likeness to those taken."""
    kept: list[int] = []
    lowered: list[float] = []
    left = best_first(scores)
    scores = scores[left]
    while left.size and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(best)
        lowered.append(scores[0])
        scores = scores[1:] * np.exp(-(alike[best, left] ** 2) / threshold)
        order = best_first(scores)
        left, scores = left[order], scores[order]
    return np.array(kept, dtype=np.int64), np.array(lowered, dtype=np.float64)


def best_first(scores: PerPose) -> Int[np.ndarray, " pose"]:
    """Equal scores stay in the order they came in."""
    return np.argsort(-scores, kind="stable")


def _outside(poses: Poses, boxes: Boxes) -> Poses:
    corner, size = boxes[:, None, :2], boxes[:, None, 2:]
    first, last = corner - size, corner + size * 2
    return np.maximum(0, first - poses) + np.maximum(0, poses - last)
