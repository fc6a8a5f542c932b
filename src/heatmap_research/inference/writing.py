"""Writes what was seen: people as COCO's results have them, and a row a joint as CSV."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from heatmap_research.inference.predictor import Person, Seen
from heatmap_research.runs import spreadsheet
from heatmap_research.runs.whole_file import together

COLUMNS = (
    *("file", "image_id", "person", "person_score", "joint", "x", "y", "score"),
    *("variance_x", "covariance_xy", "variance_y"),  # square pixels
)


class Writer:
    """Takes one picture after another, so that none is kept in memory."""

    def __init__(self, results: TextIO, table: TextIO, names: Sequence[str]) -> None:
        self.results, self.table = results, csv.writer(table)
        self.names = list(map(spreadsheet.cell, names))
        self.table.writerow(COLUMNS)
        self.people = 0

    def add(self, seen: Seen) -> None:
        for number, person in enumerate(seen.people):
            self.results.write("," if self.people else "")
            self.results.write("\n" + json.dumps(_result(seen, person)))
            self.table.writerows(_rows(seen, number, person, self.names))
            self.people += 1


@contextmanager
def writer(folder: Path, names: Sequence[str]) -> Iterator[Writer]:
    """Both files are there when all has been written."""
    with (
        together(folder / "results.json", folder / "keypoints.csv") as (of_people, of_joints),
        of_people.open("w") as results,
        of_joints.open("w", newline="") as table,
    ):
        results.write("[")
        yield Writer(results, table, names)
        results.write("\n]\n")


def _result(seen: Seen, person: Person) -> dict[str, Any]:
    """COCO's keys, and four more; `box` has another name because pycocotools reads a `bbox`."""
    marked = np.concatenate([person.keypoints, person.scores[:, None]], axis=1)
    return {
        "image_id": seen.picture.image_id,
        "category_id": 1,
        "keypoints": marked.flatten().tolist(),  # x, y, score
        "score": person.score,
        "covariance": None if person.covariance is None else _three(person.covariance).tolist(),
        "box": person.box.tolist(),
        "file_name": seen.picture.name,
    }


def _rows(seen: Seen, number: int, person: Person, names: Sequence[str]) -> Iterator[list[Any]]:
    spread = [[""] * 3] * len(names)
    if person.covariance is not None:
        spread = _three(person.covariance).tolist()
    of_person = [spreadsheet.cell(seen.picture.name), seen.picture.image_id, number, person.score]
    columns = (names, person.keypoints.tolist(), person.scores.tolist(), spread)
    for name, point, score, three in zip(*columns, strict=True):
        yield [*of_person, name, *point, score, *three]


def _three(covariance: np.ndarray) -> np.ndarray:
    """The variance of x, the covariance of x and y, the variance of y; of each joint."""
    return covariance.reshape(-1, 4)[:, [0, 1, 3]]
