"""Reads a COCO file of annotations strictly: what is wrong is refused with file and record."""

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from heatmap_research.data.annotations import rows, schemas, several, source
from heatmap_research.data.annotations.rows import Record, Rows
from heatmap_research.data.annotations.table import Annotations, largest_iou
from heatmap_research.types import Schema

log = logging.getLogger(__name__)


Files = str | Path | Sequence[str] | Sequence[Path]


def read(
    file: Files,
    sigmas: Sequence[float] | None = None,
    category: str | int | None = None,
    folders: Sequence[str] | None = None,
) -> Annotations:
    """Reads a file that does not change once a process; its arrays are shared and read-only.

    Of a list of files, with the `folders` of their images, it makes one set.

    The category has to be named where several have keypoints. Without `sigmas` the OKS tolerances
    are the file's, else COCO's if the joints are COCO's or CrowdPose's, else not known.
    """
    if not isinstance(file, (str, Path)):
        return several.together([read(one, sigmas, category) for one in file], folders)
    file = Path(file).expanduser()
    chosen = None if category is None else str(category)
    table, record = _read(file, chosen, source.stamp(file))
    _warn_of_sides(file, tuple(schemas.one_sided(record)))
    if sigmas is None:
        if not schemas.known(record):
            _warn_once(file)
        return table
    return replace(table, schema=_schema(file, record, sigmas))


def schema_of(
    file: Files, sigmas: Sequence[float] | None = None, category: str | int | None = None
) -> Schema:
    return read(file, sigmas, category).schema


@functools.cache
def _warn_once(file: Path) -> None:
    words = "it gives no OKS sigmas and its joints are not COCO's, so no AP and no OKS is counted"
    log.warning("%s: %s; data.sigmas=[...] gives them.", file, words)


@functools.cache
def _warn_of_sides(file: Path, alone: tuple[str, ...]) -> None:
    if alone:
        words = "has no mirror joint, so no image is mirrored; flip_pairs in its category give them"
        log.warning("%s: %s %s.", file, ", ".join(alone), words)


@functools.lru_cache(maxsize=8)
def _read(file: Path, category: str | None, _: tuple[int, int]) -> tuple[Annotations, Record]:
    content = source.load(file)
    chosen = _category(file, content["categories"], category)
    image_ids = rows.ids(content["images"], "image", file)
    records = _of_category(file, content, chosen)
    people = Rows(file, records, rows.ids(records, "annotation", file))
    images, crowd = people.images(image_ids), people.crowd()
    keypoints = people.keypoints(len(chosen["keypoints"]))
    _refuse_shares(file, keypoints)
    boxes = people.boxes(keypoints)
    table = Annotations(
        file=file,
        schema=_schema(file, chosen, None),
        category=chosen["id"],
        image_ids=image_ids,
        image_files=_image_files(file, content["images"]),
        image_sizes=_sizes(file, content["images"]),
        ids=people.ids,
        images=images,
        boxes=boxes,
        keypoints=keypoints,
        areas=people.areas(boxes),
        crowd=crowd,
        heads=people.heads(),
        overlaps=largest_iou(boxes, images, crowd),
    )
    return table, chosen


def _image_files(file: Path, images: Sequence[Record]) -> tuple[str, ...]:
    """Names below a folder of images: a file of annotations does not say what else is read."""
    names = tuple(str(image.get("file_name") or "") for image in images)
    for name in names:
        if name.startswith("/") or (".." in name and ".." in name.split("/")):
            raise ValueError(
                f"{file}: file_name {name:.200} leads out of the folder of images: write names "
                "that start from it, or give a folder above as images."
            )
    return names


def _refuse_shares(file: Path, keypoints: Float64[np.ndarray, "person joint 3"]) -> None:
    """Points that all lie between 0 and 1, and not at whole numbers, are no pixels."""
    points = keypoints[keypoints[..., 2] > 0][:, :2]
    if len(points) > 1 and points.min() >= 0 and points.max() <= 1 and (points % 1).any():
        raise ValueError(
            f"{file}: all keypoints lie between 0 and 1, as shares of the image do: multiply x by "
            "its width and y by its height, as COCO's format has pixels."
        )


def _schema(file: Path, category: Record, sigmas: Sequence[float] | None) -> Schema:
    try:
        return schemas.schema(category, sigmas)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _category(file: Path, categories: list[Record], wanted: str | None) -> Record:
    """The only category with keypoints, or the one that was asked for by name or number."""
    rows.ids(categories, "category", file)
    able = [c for c in categories if is_names(c.get("keypoints"))]
    asked = [c for c in categories if wanted in (str(c.get("name")), str(c["id"]))][:1]
    chosen = able if wanted is None else [c for c in asked if c in able]
    if len(chosen) == 1:
        return {"name": "", **chosen[0]}
    names, all_names = (
        ", ".join(str(c.get("name", c["id"])) for c in some) for some in (able, categories)
    )
    if asked:
        problem = f"category {wanted} has no keypoints; with keypoints: {names or 'none'}"
    elif wanted is not None:
        problem = f"there is no category {wanted}; with keypoints: {names or 'none'}"
    elif able:
        problem = f"several categories have keypoints ({names}): choose data.category=NAME"
    else:
        have = all_names or "there are none"
        problem = f"no category has names of keypoints (categories: {have})"
    raise ValueError(f"{file}: {problem}.")


def is_names(value: Any) -> bool:
    """A list of texts, at least one."""
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _of_category(file: Path, content: dict[str, list[Record]], chosen: Record) -> list[Record]:
    """The annotations of a category, once every annotation is seen to be of one that is listed."""
    known = {category["id"] for category in content["categories"]}
    for record in content["annotations"]:
        number = record.get("category_id")
        if type(number) is not int or number not in known:
            there = f"there is no category {shown(number)}"
            said = there if "category_id" in record else "it has no category_id"
            raise ValueError(f"{file}: annotation {record.get('id')}: {said}.")
    return [r for r in content["annotations"] if r["category_id"] == chosen["id"]]


def is_size(value: Any) -> bool:
    """Whether it is a number of pixels; NaN and 0 are too, and say that the size is not known."""
    return type(value) in (int, float) and (value != value or 0 <= value < 2**31)


def _sizes(file: Path, images: list[Record]) -> Int64[np.ndarray, "image 2"]:
    sizes = [[_side(file, image, key) for key in ("width", "height")] for image in images]
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def _side(file: Path, image: Record, key: str) -> int:
    """0 where the file does not say."""
    value = image.get(key) or 0
    if not is_size(value):
        raise ValueError(
            f"{file}: image {image['id']}: {key} is {shown(value)}, no number of pixels."
        )
    return 0 if value != value else int(value)
