"""Rows of others: loops over people and joints in NumPy and OpenCV, as published code has them, and
the functions of kornia and dsntnn where these are installed.

The loops are written here after the papers and do what theirs do, a map at a time.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np

from heatmap_research.jobs.bench.codec import Case
from heatmap_research.jobs.bench.timing import Row

Array = np.ndarray
BLUR = 11  # bins of DARK's kernel for a label whose sigma is 2 bins
FLOOR = 1e-10  # of DARK's logarithm


def rows(case: Case) -> Iterator[Row]:
    floor, count = f"{case.layout}: copy of the maps", len(case.keypoints)
    for name, work in (_planes if case.layout == "2-D" else _lines)(case).items():
        yield Row(f"{case.layout}: {name}", work, floor, count=count)


def _planes(case: Case) -> dict[str, Callable[[], object]]:
    (maps,), (scores,) = ([each.cpu().numpy() for each in kind] for kind in _kinds(case))
    (split,), sigma = case.codec.grid.split(case.keypoints), 2.0
    places, shape = split.cpu().numpy(), maps.shape[2:]
    works: dict[str, Callable[[], object]] = {
        "NumPy loop, labels": lambda: [draw_plane(each, shape, sigma) for each in places],
        "NumPy loop, quarter step": lambda: [quarter(person) for person in maps],
        "NumPy and OpenCV loop, DARK with its blur": lambda: [dark(person) for person in maps],
        "NumPy loop, soft argmax": lambda: [soft(person) for person in scores],
    }
    if find_spec("kornia"):
        geometry: Any = import_module("kornia.geometry")
        works["kornia, soft argmax"] = lambda: geometry.spatial_soft_argmax2d(*case.scores)
    if find_spec("dsntnn"):
        dsntnn: Any = import_module("dsntnn")
        works["dsntnn, soft argmax"] = lambda: dsntnn.dsnt(dsntnn.flat_softmax(*case.scores))
    return works


def _lines(case: Case) -> dict[str, Callable[[], object]]:
    maps = [each.cpu().numpy() for each in case.maps]
    splits = [each.cpu().numpy() for each in case.codec.grid.split(case.keypoints)]
    sigma, sizes = 5.32, [each.shape[2] for each in maps]
    return {
        "NumPy loop, labels": lambda: [
            [draw_line(joint, size, sigma) for joint in person]
            for places, size in zip(splits, sizes, strict=True)
            for person in places
        ],
        "NumPy, highest bins": lambda: [each.argmax(-1) for each in maps],
    }


def _kinds(case: Case) -> tuple[Any, Any]:
    return case.maps, case.scores


def draw_plane(places: Array, shape: tuple[int, ...], sigma: float) -> Array:
    """Draws the whole maps of one person, a joint at a time."""
    heatmaps = np.zeros((len(places), *shape), np.float32)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    for heatmap, (y, x) in zip(heatmaps, places, strict=True):
        heatmap[:] = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))
    return heatmaps


def draw_line(place: Array, size: int, sigma: float) -> Array:
    return np.exp(-((np.arange(size) - place) ** 2) / (2 * sigma**2)).astype(np.float32)


def highest(heatmap: Array) -> tuple[int, int]:
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    return int(row), int(column)


def quarter(person: Array) -> list[tuple[float, float]]:
    found = []
    for heatmap in person:
        row, column = highest(heatmap)
        y, x = float(row), float(column)
        if 1 < row < heatmap.shape[0] - 1 and 1 < column < heatmap.shape[1] - 1:
            y += 0.25 * float(np.sign(heatmap[row + 1, column] - heatmap[row - 1, column]))
            x += 0.25 * float(np.sign(heatmap[row, column + 1] - heatmap[row, column - 1]))
        found.append((y, x))
    return found


def dark(person: Array) -> list[Array]:
    """Blurs each map, restores its height, and takes one Taylor step on its logarithm."""
    found = []
    for heatmap in person:
        row, column = highest(heatmap)
        blurred = cv2.GaussianBlur(heatmap, (BLUR, BLUR), 0)
        blurred = blurred * (heatmap.max() / max(blurred.max(), FLOOR))
        log, place = np.log(np.maximum(blurred, FLOOR)), np.array([row, column], float)
        if 1 < row < log.shape[0] - 2 and 1 < column < log.shape[1] - 2:
            place += taylor(log[row - 2 : row + 3, column - 2 : column + 3])
        found.append(place)
    return found


def taylor(near: Array) -> Array:
    """Newton's step from the middle of 5 x 5 bins of a logarithm."""
    first = np.array([near[3, 2] - near[1, 2], near[2, 3] - near[2, 1]]) / 2
    mixed = (near[3, 3] - near[1, 3] - near[3, 1] + near[1, 1]) / 4
    down = (near[4, 2] - 2 * near[2, 2] + near[0, 2]) / 4
    right = (near[2, 4] - 2 * near[2, 2] + near[2, 0]) / 4
    second = np.array([[down, mixed], [mixed, right]])
    return -np.linalg.inv(second) @ first if np.linalg.det(second) != 0 else np.zeros(2)


def soft(person: Array) -> list[tuple[float, float]]:
    found = []
    for scores in person:
        power = np.exp(scores - scores.max())
        power /= power.sum()
        rows, columns = (np.arange(size) for size in power.shape)
        found.append((float(power.sum(1) @ rows), float(power.sum(0) @ columns)))
    return found
