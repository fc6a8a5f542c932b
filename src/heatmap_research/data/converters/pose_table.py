"""Reads tables of labelled points as DeepLabCut and Lightning Pose write them.

Rows at the top say scorer, individuals (where there are several), bodyparts and coords; each row
below is an image, whose path takes one column or three.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning

from heatmap_research.data.converters.coco_file import (
    Record,
    Written,
    box_around,
    category,
    is_pixel,
    person,
    size_of,
    write,
)
from heatmap_research.runs import bounded_file

HEADS = ("scorer", "individuals", "bodyparts", "coords")
Column = tuple[int, str, str]  # place in a row, individual, body part; of an x, and y is next


@dataclass(frozen=True)
class Table:
    file: Path
    names: tuple[str, ...]  # of the body parts
    rows: list[tuple[str, list[list[float]]]]  # an image, and the keypoints of its individuals


def convert(sources: Sequence[Path], target: Path, description: str) -> Written:
    tables = [_read(source) for source in sources]
    for table in tables[1:]:
        if table.names != tables[0].names:
            raise ValueError(
                f"{table.file}: its body parts are {', '.join(table.names)}, and those of "
                f"{tables[0].file} {', '.join(tables[0].names)}: convert them apart."
            )
    root = _root(tables[0])
    images: list[Record] = []
    people: list[Record] = []
    for name, individuals in (row for table in tables for row in table.rows):
        images.append({"id": len(images) + 1, "file_name": name, **size_of(root / name)})
        for points in individuals:
            box = {"bbox": box_around(points)}
            people.append(person(len(people) + 1, len(images), points, **box))
    write(target, description, category(tables[0].names, name="animal"), images, people)
    lost = sum("width" not in image for image in images)
    note = f"{lost} of {len(images)} images are not there." if lost else ""
    return Written(len(people), root, note)


def _read(file: Path) -> Table:
    try:
        text = bounded_file.content(file, bounded_file.WORDS).decode("utf-8-sig")
        lines = list(csv.reader(text.splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{file}: cannot be read as a table: {error}.") from error
    heads = {line[0]: line for line in lines[:4] if line and line[0] in HEADS}
    if not {"bodyparts", "coords"} <= heads.keys():
        raise ValueError(
            f"{file}: no table of labels, whose first rows are scorer, bodyparts and coords: give "
            "CollectedData_NAME.csv."
        )
    if "likelihood" in heads["coords"]:
        raise ValueError(f"{file}: these are predictions, with their likelihood: give labels.")
    columns = _columns(file, heads)
    names = tuple(dict.fromkeys(part for _, _, part in columns))
    body = enumerate(lines[len(heads) :], start=len(heads) + 1)
    rows = [_row(file, number, line, columns, names) for number, line in body if any(line)]
    return Table(file, names, rows)


def _columns(file: Path, heads: dict[str, list[str]]) -> list[Column]:
    """The columns of x; that of y follows each."""
    parts, axes = heads["bodyparts"], heads["coords"]
    individuals = heads.get("individuals", [""] * len(parts))
    places = [place for place, axis in enumerate(axes) if axis == "x"]
    if not places or any(axes[place + 1 : place + 2] != ["y"] for place in places):
        raise ValueError(f"{file}: its row coords is not x, y, x, y and so on.")
    return [(place, individuals[place], parts[place]) for place in places]


def _row(
    file: Path, number: int, line: list[str], columns: list[Column], names: Sequence[str]
) -> tuple[str, list[list[float]]]:
    """The image of a row, and the keypoints of each individual who has one."""
    image = "/".join(cell.strip().replace("\\", "/") for cell in line[: columns[0][0]] if cell)
    keypoints: dict[str, list[float]] = {}
    for place, individual, part in columns:
        points = keypoints.setdefault(individual, [0.0] * 3 * len(names))
        where = f"{file}: row {number}, {part}"
        x, y = (_number(cell, where) for cell in (*line[place : place + 2], "", "")[:2])
        if math.isfinite(x) and math.isfinite(y):
            if not (is_pixel(x) and is_pixel(y)):
                raise ValueError(f"{where}: {x:g}, {y:g} is no pixel.")
            at = 3 * names.index(part)
            points[at : at + 3] = x, y, 2
    return image, [points for points in keypoints.values() if any(points[2::3])]


def _number(cell: str, where: str) -> float:
    """An empty cell is a point that is not labelled."""
    try:
        return float(cell or "nan")
    except ValueError as error:
        raise ValueError(f"{where}: {shown(cell)} is no number.") from error


def _root(table: Table) -> Path:
    """The folder above the table that the paths of its images start from."""
    first = next((image for image, _ in table.rows), "")
    return next((f for f in _above(table.file) if (f / first).is_file()), table.file.parent)


def _above(file: Path) -> Iterator[Path]:
    yield file.parent
    yield from file.absolute().parents
