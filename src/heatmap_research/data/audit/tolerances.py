"""OKS tolerances from people who are annotated twice.

As COCO states it, a joint's sigma squared is the mean of d^2 / s^2: d is the distance of the two
marks, and s^2 the person's area. If marks are spread normally, by t of s along each axis, sigma is
2 t; and since d^2 is then exponential, its median is ln 2 of its mean, which a few gross mistakes,
such as swapped sides, do not move.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from heatmap_research.data.annotations import Annotations

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]
FARTHEST = 0.5  # of s: somebody whose marks are farther apart, in the median, is somebody else
UNLIKE = 1e6  # of s, between people without a joint marked in both


@dataclass(frozen=True)
class Tolerance:
    name: str
    pairs: int  # people who have this joint in both files
    sigma: float
    low: float  # ends of a 95 % interval of sigma
    high: float
    of_median: float  # sigma as the median has it


@dataclass(frozen=True)
class Estimate:
    joints: list[Tolerance]
    people: int  # found in both files
    alone: int  # in one of them, in images that both have


def estimate(first: Annotations, second: Annotations) -> Estimate:
    if first.schema.names != second.schema.names:
        raise ValueError(
            f"{second.file}: its joints are {', '.join(second.schema.names)}, and those of "
            f"{first.file} {', '.join(first.schema.names)}: give the same people, marked twice."
        )
    pairs, people = _matched(first, second)
    if not pairs:
        raise ValueError(
            f"{first.file} and {second.file} have nobody in common: give the same images (by "
            "file_name), marked twice."
        )
    one, two = (np.array(rows) for rows in zip(*pairs, strict=True))
    square = _squares(first, second, one, two)
    names = first.schema.names
    joints = [tolerance(name, column) for name, column in zip(names, square.T, strict=True)]
    return Estimate(joints, len(pairs), people - 2 * len(pairs))


def tolerance(name: str, squares: Numbers) -> Tolerance:
    """From d^2 / s^2 of each person; nan where a joint is not marked twice."""
    known = squares[np.isfinite(squares)]
    if not len(known):
        return Tolerance(name, 0, math.nan, math.nan, math.nan, math.nan)
    mean = float(known.mean())
    spread = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    reach = 1.96 * spread / math.sqrt(len(known))
    low, high = (math.sqrt(max(0.0, mean + side * reach)) for side in (-1, 1))
    of_median = math.sqrt(float(np.median(known)) / math.log(2))
    return Tolerance(name, len(known), math.sqrt(mean), low, high, of_median)


def _squares(first: Annotations, second: Annotations, one: Rows, two: Rows) -> Numbers:
    """d^2 / s^2 of each pair of people and joint; nan where it is not labelled in both."""
    a, b = first.keypoints[one], second.keypoints[two]
    area = (first.areas[one] + second.areas[two])[:, None] / 2
    both = (a[..., 2] > 0) & (b[..., 2] > 0) & (area > 0)
    square = ((a[..., :2] - b[..., :2]) ** 2).sum(-1)
    return np.divide(square, area, out=np.full(square.shape, np.nan), where=both)


def _matched(first: Annotations, second: Annotations) -> tuple[list[tuple[int, int]], int]:
    """Rows of the same people in both files, and how many people the shared images have."""
    here, there = _by_image(first), _by_image(second)
    pairs, people = list[tuple[int, int]](), 0
    for name in here.keys() & there.keys():
        one, two = np.array(here[name]), np.array(there[name])
        people += len(one) + len(two)
        pairs += _assigned(first, second, one, two)
    return sorted(pairs), people


def _by_image(truth: Annotations) -> dict[str, list[int]]:
    """The rows of the people of each image, by its file_name."""
    rows: dict[str, list[int]] = {name: [] for name in truth.image_files}
    for row in np.flatnonzero(truth.learnable).tolist():
        rows[truth.image_files[truth.images[row]]].append(row)
    return rows


def _assigned(
    first: Annotations, second: Annotations, one: Rows, two: Rows
) -> Iterator[tuple[int, int]]:
    """Pairs the people of an image so that their marks are least far apart."""
    if not len(one) or not len(two):
        return
    rows, columns = (grid.ravel() for grid in np.meshgrid(one, two, indexing="ij"))
    squares = _squares(first, second, rows, columns)
    away = np.full(len(rows), UNLIKE)
    some = np.isfinite(squares).any(1)
    away[some] = np.sqrt(np.nanmedian(squares[some], axis=1))
    cost = away.reshape(len(one), len(two))
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] <= FARTHEST:
            yield int(one[row]), int(two[column])
