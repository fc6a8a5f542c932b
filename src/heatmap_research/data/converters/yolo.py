"""Converts a data set of YOLO's poses: data.yaml, and a text file for each image.

A row of such a file is a class, a box (x and y of its middle, width, height) and x, y or x, y, v of
each joint, in shares of the image. Without v, a joint that is not labelled is at 0, 0 or below.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

import yaml

from heatmap_research.data.converters.coco_file import (
    Record,
    Written,
    category,
    is_pixel,
    person,
    size_of,
    write,
)
from heatmap_research.runs import bounded_file, bounded_yaml
from heatmap_research.types import in_a_line

MOST_JOINTS = 10_000
NO_SIDES = "No flip_idx: add augment.flip=0 unless mirrored joints are right."
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def convert(source: Path, target: Path, split: str = "train") -> Written:
    told = _told(source)
    joints, numbers = _shape(source, told)
    root = _root(source, str(told.get("path") or "."))
    images: list[Record] = []
    people: list[Record] = []
    kinds: set[float] = set()
    files = [Path(os.path.abspath(f)) for f in _images(source, told.get(split), root, split)]
    root = Path(os.path.commonpath([root.absolute(), *(file.parent for file in files)]))
    for file in files:
        size = size_of(file, upright=True)  # of which labels are shares
        if not size:
            raise ValueError(f"{file}: this image cannot be read, and its size is needed.")
        name = file.relative_to(root).as_posix()
        images.append({"id": len(images) + 1, "file_name": name, **size})
        for where, row in _rows(file):
            kinds |= set(row[:1])
            keypoints, box = _person(where, row, joints, numbers, size)
            people.append(person(len(people) + 1, len(images), keypoints, bbox=box))
    names, flip = _names(source, told, joints), told.get("flip_idx")
    write(target, "YOLO pose", category(names, flip_indices=flip), images, people)
    told_sides = flip is not None or told.get("kpt_names")
    notes = [] if told_sides else [NO_SIDES]
    if len(kinds) > 1:
        notes.append(f"{len(kinds)} classes with the same joints are one category here.")
    return Written(len(people), root, " ".join(notes))


def _told(source: Path) -> dict[str, Any]:
    try:
        text = bounded_file.content(source, bounded_file.WORDS)
        bounded_yaml.refuse_endless(text)
        told = yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"{source}: cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{source}: this is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(told, dict) or "kpt_shape" not in told:
        raise ValueError(f"{source}: no data.yaml of YOLO's poses: it has no kpt_shape.")
    return told


def _root(source: Path, place: str) -> Path:
    """The folder that a file names, or else its own."""
    try:
        root = (source.parent / place).resolve()
    except ValueError as error:  # a NUL, or half a letter
        raise ValueError(f"{source}: path is {place!a:.80}, which no folder is called.") from error
    return root if root.is_dir() else source.parent.resolve()


def _shape(source: Path, told: dict[str, Any]) -> tuple[int, int]:
    shape = told["kpt_shape"]
    whole = isinstance(shape, list) and [type(n) for n in shape] == [int, int]
    if not whole or not 0 < shape[0] <= MOST_JOINTS or shape[1] not in (2, 3):
        raise ValueError(
            f"{source}: kpt_shape={shown(shape)}: give the joints and 2 or 3, as [17, 3]."
        )
    return shape[0], shape[1]


def _names(source: Path, told: dict[str, Any], joints: int) -> list[str]:
    """The names of the joints, which data.yaml may have for each class, or not at all."""
    given = told.get("kpt_names")
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    names = [f"joint_{number}" for number in range(joints)] if given is None else given
    if not isinstance(names, list):
        raise ValueError(f"{source}: kpt_names is {shown(names)}, no list of names.")
    if len(names) != joints:
        raise ValueError(f"{source}: kpt_names has {len(names)} names for {joints} joints.")
    return [str(name) for name in names]


def _images(source: Path, places: Any, root: Path, split: str) -> Iterator[Path]:
    """Images of a split: of folders, or of text files that list them."""
    if not places:
        raise ValueError(f"{source}: it has no {split}: choose another with --split.")
    for place in places if isinstance(places, list) else [places]:
        path = root / str(place)
        if path.is_dir():
            yield from sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES)
        elif path.is_file():
            yield from (root / line for line in bounded_file.text(path).split("\n") if line.strip())
        else:
            raise ValueError(f"{source}: {split} is {place}, and there is no {path}.")


def _rows(image: Path) -> Iterator[tuple[str, list[float]]]:
    """The rows of an image's labels, which lie in labels where the image lies in images."""
    parts = list(image.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    labels = Path(*parts).with_suffix(".txt")
    if not labels.is_file():  # an image of the background
        return
    for number, line in enumerate(bounded_file.text(labels).splitlines(), start=1):
        where = f"{labels}: line {number}"
        try:
            row = [float(word) for word in line.split()]
        except ValueError as error:
            raise ValueError(f"{where}: {in_a_line(error):.80}.") from error
        if not all(map(is_pixel, row)):
            strange = next(number for number in row if not is_pixel(number))
            raise ValueError(f"{where}: {strange:g} is no share of an image.")
        if row:
            yield where, row


def _person(
    where: str, row: list[float], joints: int, numbers: int, size: dict[str, int]
) -> tuple[list[float], list[float]]:
    """The keypoints and the box of a row, in pixels as COCO's files have them."""
    if len(row) != 5 + joints * numbers:
        raise ValueError(
            f"{where}: {len(row)} numbers, not {5 + joints * numbers}: a class, a box, and "
            f"{numbers} of each of {joints} joints (kpt_shape)."
        )
    width, height = size["width"], size["height"]
    x, y, w, h = row[1] * width, row[2] * height, row[3] * width, row[4] * height
    points: list[float] = []
    for at in range(5, len(row), numbers):
        u, v = row[at : at + 2]
        seen = row[at + 2] if numbers == 3 else 2 * (u >= 0 and v >= 0 and (u, v) != (0, 0))
        if seen not in (0, 1, 2):
            raise ValueError(f"{where}: visibility {seen:g}, not 0, 1 or 2.")
        points += [u * width, v * height, int(seen)] if seen else [0, 0, 0]
    return points, [x - w / 2, y - h / 2, w, h]
