"""The annotations of one category, from records to columns of numbers."""

import math
from collections.abc import Sequence
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool, Float64, Int64

NUMBERS = {int, float, bool}  # of Python, as JSON has them; true counts as 1
FAR = 2.0**31  # pixels; no picture has so many
AREA_OF_BOX = 0.53  # the mean over COCO's people, for annotations without an area
Record = dict[str, Any]
Numbers = Float64[np.ndarray, " person"]


class Rows:
    """The columns of one file's annotations."""

    def __init__(self, file: Path, records: list[Record], ids: Int64[np.ndarray, " person"]):
        self.file, self.records, self.ids = file, records, ids

    def images(self, image_ids: Int64[np.ndarray, " image"]) -> Int64[np.ndarray, " person"]:
        rows = {image: row for row, image in enumerate(image_ids.tolist())}
        asked = [record.get("image_id") for record in self.records]
        images = [rows.get(image, -1) if type(image) is int else -1 for image in asked]
        if -1 in images:
            self.complain(person := images.index(-1), f"there is no image {shown(asked[person])}")
        return np.array(images, dtype=np.int64)

    def crowd(self) -> Bool[np.ndarray, " person"]:
        flags = [record.get("iscrowd") or 0 for record in self.records]
        for row, flag in enumerate(flags):
            if flag not in (0, 1):
                self.complain(row, f"iscrowd is {shown(flag)}, neither 0 nor 1")
        return np.array(flags, dtype=bool)

    def keypoints(self, joints: int) -> Float64[np.ndarray, "person joint 3"]:
        """A person whose list is missing or empty has no labelled joint."""
        nothing = [0] * (3 * joints)
        rows = [record.get("keypoints") or nothing for record in self.records]
        points = self._matrix(rows, 3 * joints, "keypoints").reshape(-1, joints, 3)
        seen = points[:, :, 2]
        self._refuse(~np.isin(seen, (0, 1, 2)), "visibility is {}, not 0, 1 or 2", seen)
        points = np.where(seen[:, :, None] > 0, points, 0.0)
        self._refuse(~(abs(points) < FAR), "a keypoint is at {:g}, which is no pixel", points)
        return points

    def boxes(self, points: Float64[np.ndarray, "person joint 3"]) -> Float64[np.ndarray, "p 4"]:
        given = np.array([bool(r.get("bbox")) for r in self.records], dtype=bool)
        rows = [record.get("bbox") or [0.0] * 4 for record in self.records]
        boxes = self._matrix(rows, 4, "bbox")
        self._refuse(~(abs(boxes) < FAR), "bbox has {:g}, no number of pixels", boxes)
        self._refuse(boxes[:, 2:] < 0, "bbox has a negative width or height, {:g}", boxes[:, 2:])
        somewhere = (points[:, :, 2:] > 0).any(1)
        return np.where(given[:, None], boxes, np.where(somewhere, extent(points), 0.0))

    def areas(self, boxes: Float64[np.ndarray, "person 4"]) -> Numbers:
        areas = self._numbers("area", AREA_OF_BOX * boxes[:, 2] * boxes[:, 3])
        self._refuse(~((areas >= 0) & (areas < FAR**2)), "area is {}", areas)
        return areas

    def heads(self) -> Numbers:
        heads = self._numbers("head_size", np.full(len(self.records), np.nan))
        self._refuse(heads <= 0, "head_size is {:g}, not above 0", heads)
        self._refuse(heads >= FAR, "head_size is {:g}, no number of pixels", heads)
        return heads

    def _numbers(self, key: str, otherwise: Numbers) -> Numbers:
        pairs = zip(self.records, otherwise.tolist(), strict=True)
        rows = [[other if record.get(key) is None else record[key]] for record, other in pairs]
        return self._matrix(rows, 1, key)[:, 0]

    def _matrix(self, rows: list[Any], width: int, name: str) -> Float64[np.ndarray, "row width"]:
        for row, values in enumerate(rows):
            if not isinstance(values, list):
                self.complain(row, f"{name} is {shown(values)}, no list of numbers")
            if len(values) != width:
                self.complain(row, f"{name} has {len(values)} numbers, not {width}")
            if not NUMBERS.issuperset(map(type, values)):
                strange = next(value for value in values if type(value) not in NUMBERS)
                self.complain(row, f"{name} has {shown(strange)}, no number")
        return floats(rows).reshape(-1, width)

    def _refuse(self, wrong: Bool[np.ndarray, "..."], words: str, values: np.ndarray) -> None:
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            self.complain(int(place[0]), words.format(values[place]))

    def complain(self, row: int, words: str) -> NoReturn:
        raise ValueError(f"{self.file}: annotation {self.ids[row]}: {words}.")


def are_numbers(values: Any) -> bool:
    """Whether it is a list of numbers that can be meant, of pixels or of a score."""
    able = isinstance(values, list) and NUMBERS.issuperset(map(type, values))
    return able and all(abs(value) < FAR for value in values)


def floats(rows: list[list[Any]]) -> Float64[np.ndarray, "..."]:
    """Rows of numbers; a whole number beyond the largest float is infinite."""
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:
        return np.array([[_float(value) for value in row] for row in rows], dtype=np.float64)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def ids(records: Sequence[Record], what: str, file: Path) -> Int64[np.ndarray, " row"]:
    given = [record.get("id") for record in records]
    for row, value in enumerate(given):
        if type(value) is not int or abs(value) >= 2**63:
            wrong = "is missing" if value is None else f"is {shown(value)}, no whole number"
            raise ValueError(f"{file}: {what} number {row}, from 0: its id {wrong}.")
    values = np.array(given, dtype=np.int64)
    once, counts = np.unique(values, return_counts=True)
    if len(once) < len(values):
        raise ValueError(f"{file}: {what} {once[counts > 1][0]} is there {counts.max()} times.")
    return values


def extent(points: Float64[np.ndarray, "person joint 3"]) -> Float64[np.ndarray, "person 4"]:
    """The box of the labelled points; nan for a person who has none."""
    labelled = points[:, :, 2:] > 0
    low = np.where(labelled, points[:, :, :2], np.inf).min(1)
    high = np.where(labelled, points[:, :, :2], -np.inf).max(1)
    box = np.concatenate([low, high - low], axis=1)
    return np.where(labelled.any(1), box, np.nan)
